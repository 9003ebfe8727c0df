"""sts:GetCallerIdentity, in the query protocol's XML: clients ask it for their account."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from querysvc.model import Principal
from querysvc_drivers.aws_json.account import ACCOUNT_ID, user_arn
from querysvc_drivers.aws_json.errors import AwsError

SERVICE: Final = "sts"
MEDIA_TYPE: Final = "text/xml"
_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer(body: bytes, principal: Principal, request_id: str) -> bytes:
    """Who the caller is."""
    form = parse_qs(body.decode("ascii", errors="replace"))
    action = form.get("Action", [""])[0]
    if action != "GetCallerIdentity":
        raise AwsError("InvalidAction", f"Could not find operation {action} for version 2011-06-15")
    return (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>{escape(user_arn(principal.name))}</Arn><UserId>{escape(principal.name)}</UserId>"
        f"<Account>{ACCOUNT_ID}</Account></GetCallerIdentityResult><ResponseMetadata>"
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    ).encode()


# The query protocol has names of its own for what JSON services call otherwise.
_NAMES: Final = {
    "IncompleteSignatureException": "IncompleteSignature",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "UnrecognizedClientException": "InvalidClientTokenId",
}


def failure(error: AwsError, request_id: str) -> bytes:
    """An error as STS tells it."""
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type>'
        f"<Code>{escape(_NAMES.get(error.code, error.code))}</Code>"
        f"<Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode(errors="replace")
