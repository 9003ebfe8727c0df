"""The table of Glue's operations that are served; all others of its model are not supported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from querysvc.model import Principal
from querysvc.service.crawlers import Crawlers
from querysvc.service.tags import ResourceTags
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.catalogs import of_caller
from querysvc_drivers.aws_json.dispatch import AwsService, Caller, Document, Operation
from querysvc_drivers.aws_json.errors import GLUE_STYLE
from querysvc_drivers.glue import crawlers, databases, partitions, statistics, tables, tags


@dataclass(frozen=True, slots=True)
class GlueServices:
    """What the wire needs of the core."""

    catalog_of: Callable[[Principal], CatalogService]
    tags: ResourceTags
    crawlers: Crawlers


def glue_service(services: GlueServices) -> AwsService:
    """Glue's catalog, to be given to the AWS wire."""
    on_catalog = of_caller(_on_catalog, services.catalog_of)
    operations = {
        **on_catalog,
        **_with_tags(on_catalog, services.tags),
        **crawlers.operations(services.crawlers, services.tags),
        **tags.operations(services.tags),
        **_ABSENT,
    }
    return AwsService("glue", "AWSGlue", GLUE_STYLE, operations, refused={})


def _on_catalog(catalog: CatalogService) -> dict[str, Operation]:
    return {
        **databases.databases(catalog),
        **databases.catalogs(catalog),
        **databases.functions(catalog),
        **tables.tables(catalog),
        **tables.many_tables(catalog),
        **tables.versions(catalog),
        **partitions.single(catalog),
        **partitions.batches(catalog),
        **partitions.indexes(catalog),
        **statistics.statistics(catalog),
    }


def _with_tags(operations: dict[str, Operation], kept: ResourceTags) -> dict[str, Operation]:
    """Databases are made with tags, and lose them when they are deleted."""

    def create(request: Document, caller: Caller) -> Document:
        document = operations["CreateDatabase"](request, caller)
        name = request["DatabaseInput"]["Name"].lower()
        kept.give(tags.KIND, f"database/{name}", request.get("Tags", {}))
        return document

    def delete(request: Document, caller: Caller) -> Document:
        document = operations["DeleteDatabase"](request, caller)
        kept.forget(tags.KIND, f"database/{request['Name'].lower()}")
        return document

    return {"CreateDatabase": create, "DeleteDatabase": delete}


def _no_connections(request: Document, caller: Caller) -> Document:
    return {"ConnectionList": []}


def _no_connection(request: Document, caller: Caller) -> Document:
    raise databases.missing("Connection", request["Name"])


def _no_policy(request: Document, caller: Caller) -> Document:
    raise databases.missing("Resource policy", request.get("ResourceArn", "of the catalog"))


_ABSENT: Final[dict[str, Operation]] = {
    "GetConnections": _no_connections,
    "GetConnection": _no_connection,
    "GetResourcePolicy": _no_policy,
}
