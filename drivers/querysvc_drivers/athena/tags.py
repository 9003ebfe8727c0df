"""Tags of work groups and data catalogs, which clients name by ARN."""

from __future__ import annotations

import re
from typing import Final

from querysvc.service.tags import ResourceTags
from querysvc_drivers.athena.decode import invalid
from querysvc_drivers.athena.paging import paged, with_token
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation

_ARN: Final = re.compile(r"arn:aws[a-z-]*:athena:[^:]*:[^:]*:(workgroup|datacatalog)/(.+)")
_TAGS_DEFAULT: Final = 75


def operations(tags: ResourceTags) -> dict[str, Operation]:
    """The operations on tags."""

    def tag(request: Document, caller: Caller) -> Document:
        kind, name = _resource(request)
        given = {item["Key"]: item.get("Value", "") for item in request["Tags"]}
        tags.add(kind, name, given, caller.principal)
        return {}

    def untag(request: Document, caller: Caller) -> Document:
        kind, name = _resource(request)
        tags.remove(kind, name, request["TagKeys"], caller.principal)
        return {}

    def list_all(request: Document, caller: Caller) -> Document:
        found = tags.list(*_resource(request))
        limited = {"MaxResults": _TAGS_DEFAULT, **request}
        page = paged("tags", found.items(), lambda item: item[0], limited)
        shown = [{"Key": key, "Value": value} for key, value in page.items]
        return with_token({"Tags": shown}, page)

    return {"TagResource": tag, "UntagResource": untag, "ListTagsForResource": list_all}


def _resource(request: Document) -> tuple[str, str]:
    match = _ARN.fullmatch(request["ResourceARN"])
    if match is None:
        raise invalid(f"{request['ResourceARN']} is no ARN of a work group or data catalog.")
    return match[1], match[2]
