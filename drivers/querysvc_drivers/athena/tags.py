"""Tags of work groups and data catalogs, which clients name by ARN."""

from __future__ import annotations

import re
from typing import Final

from querysvc.service.tags import ResourceTags
from querysvc_drivers.athena.decode import invalid
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.aws_json.paging import paged, with_token

_ARN: Final = re.compile(r"arn:aws[a-z-]*:athena:[^:]*:[^:]*:(workgroup|datacatalog)/(.+)")
_TAGS_DEFAULT: Final = 75
_DATA_CATALOG: Final = "datacatalog"


def operations(tags: ResourceTags) -> dict[str, Operation]:
    """The operations on tags."""

    def tag(request: Document, caller: Caller) -> Document:
        kind, name = _resource(request)
        tags.add(kind, name, given(request), caller.principal)
        return {}

    def untag(request: Document, caller: Caller) -> Document:
        kind, name = _resource(request)
        tags.remove(kind, name, request["TagKeys"], caller.principal)
        return {}

    def list_all(request: Document, caller: Caller) -> Document:
        found = tags.list(*_resource(request))
        page = paged("tags", found.items(), lambda item: item[0], request, _TAGS_DEFAULT)
        shown = [{"Key": key, "Value": value} for key, value in page.items]
        return with_token({"Tags": shown}, page)

    return {"TagResource": tag, "UntagResource": untag, "ListTagsForResource": list_all}


def given(request: Document) -> dict[str, str]:
    """The tags that a request names."""
    return {item["Key"]: item.get("Value", "") for item in request.get("Tags", ())}


def of_data_catalogs(operations: dict[str, Operation], tags: ResourceTags) -> dict[str, Operation]:
    """The operations on data catalogs, which are made with tags and lose them when deleted."""

    def create(request: Document, caller: Caller) -> Document:
        document = operations["CreateDataCatalog"](request, caller)
        tags.give(_DATA_CATALOG, request["Name"].lower(), given(request))
        return document

    def delete(request: Document, caller: Caller) -> Document:
        document = operations["DeleteDataCatalog"](request, caller)
        tags.forget(_DATA_CATALOG, request["Name"].lower())
        return document

    return {**operations, "CreateDataCatalog": create, "DeleteDataCatalog": delete}


def _resource(request: Document) -> tuple[str, str]:
    match = _ARN.fullmatch(request["ResourceARN"])
    if match is None:
        raise invalid(f"{request['ResourceARN']} is no ARN of a work group or data catalog.")
    kind, name = match[1], match[2]
    return kind, name.lower() if kind == _DATA_CATALOG else name
