"""Operations on the catalog, each on the catalog that its caller may see and change."""

from __future__ import annotations

from collections.abc import Callable

from querysvc.model import Principal
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation

Operations = Callable[[CatalogService], dict[str, Operation]]


def of_caller(
    operations: Operations, catalog_of: Callable[[Principal], CatalogService]
) -> dict[str, Operation]:
    """The operations, made anew on the catalog of whoever calls."""

    def bound(name: str) -> Operation:
        def call(request: Document, caller: Caller) -> Document:
            return operations(catalog_of(caller.principal))[name](request, caller)

        return call

    return {name: bound(name) for name in operations(catalog_of(Principal("")))}
