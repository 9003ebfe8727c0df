"""Tags of Glue's resources, which clients name by ARN: any region and account is this one."""

from __future__ import annotations

import re
from typing import Final

from querysvc.service.tags import ResourceTags
from querysvc_catalog.errors import InvalidInputError
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation

KIND: Final = "glue"
_ARN: Final = re.compile(r"arn:aws[a-z-]*:glue:[^:]*:[^:]*:(.+)", re.DOTALL)


def operations(tags: ResourceTags) -> dict[str, Operation]:
    """The operations on tags."""

    def get(request: Document, caller: Caller) -> Document:
        return {"Tags": dict(tags.list(KIND, _resource(request)))}

    def tag(request: Document, caller: Caller) -> Document:
        tags.add(KIND, _resource(request), request["TagsToAdd"], caller.principal)
        return {}

    def untag(request: Document, caller: Caller) -> Document:
        tags.remove(KIND, _resource(request), request["TagsToRemove"], caller.principal)
        return {}

    return {"GetTags": get, "TagResource": tag, "UntagResource": untag}


def _resource(request: Document) -> str:
    """`database/x`, `crawler/y` …"""
    match = _ARN.fullmatch(request["ResourceArn"])
    if match is None:
        raise InvalidInputError(f"{request['ResourceArn']} is no ARN of a resource of Glue")
    return match[1]
