"""From a request to an operation and back, without HTTP: authenticate, decode, check, call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import orjson
import structlog

from querysvc.errors import QueryServiceError
from querysvc.model import Principal
from querysvc.service.auth import ANONYMOUS, Authenticator
from querysvc_catalog.errors import CatalogError
from querysvc_drivers.aws_json import model, sts
from querysvc_drivers.aws_json.errors import (
    AwsError,
    ErrorStyle,
    invalid,
    translate,
    translate_catalog,
    unexpected,
)
from querysvc_drivers.aws_json.sigv4 import SignedRequest, verify

# A JSON document, checked against its shape before an operation sees it.
Document: TypeAlias = dict[str, Any]

_log = structlog.get_logger(__name__)
_CONTENT_TYPES: Final = ("application/x-amz-json-1.1", "application/x-amz-json-1.0")
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls an operation."""

    principal: Principal


Operation: TypeAlias = Callable[[Document, Caller], Document]


@dataclass(frozen=True, slots=True)
class AwsService:
    """One service of the wire: its model, its operations, its way with errors.

    `refused` names operations of the model that exist and are not ours to serve, with the reason.
    """

    name: str
    target_prefix: str
    style: ErrorStyle
    operations: Mapping[str, Operation]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, a body, its media type, and the exception's name if it is one."""

    status: int
    body: bytes
    media_type: str = _CONTENT_TYPES[0]
    error: str | None = None


class AwsWire:
    """Answers requests of all services; safe to call from many threads."""

    def __init__(
        self,
        services: tuple[AwsService, ...],
        authenticator: Authenticator,
        now: Callable[[], datetime],
    ) -> None:
        self._services = {service.target_prefix: service for service in services}
        self._authenticator = authenticator
        self._now = now

    def answer(self, request: SignedRequest, request_id: str) -> Answer:
        """The answer to a request; it never raises."""
        target = request.headers.get("x-amz-target")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if target is None and content_type == _FORM:
            return self._sts(request, request_id)
        prefix, _, operation = (target or "").partition(".")
        service = self._services.get(prefix)
        if service is None:
            return _failure(AwsError("UnknownOperationException", f"Unknown target: {target}"))
        try:
            return Answer(200, self._answer(service, operation, content_type, request))
        except AwsError as error:
            return _failure(error)
        except QueryServiceError as error:
            return _failure(_modelled(translate(error, service.style), service, operation))
        except CatalogError as error:
            told = translate_catalog(error, service.style, request_id)
            return _failure(_modelled(told, service, operation))
        except Exception:
            # The edge: whatever failed is ours to tell the log, not the client.
            _log.exception("aws_request_failed", operation=target, request_id=request_id)
            return _failure(unexpected(service.style))

    def _answer(
        self, service: AwsService, name: str, content_type: str, request: SignedRequest
    ) -> bytes:
        principal = self._principal(request, service.name)
        operation = service.operations.get(name)
        if operation is None:
            raise _not_served(service, name)
        if content_type not in _CONTENT_TYPES:
            raise invalid(f"Content-Type must be {_CONTENT_TYPES[0]}", service.style)
        document = self._document(service, name, request.body)
        return orjson.dumps(operation(document, Caller(principal)))

    def _document(self, service: AwsService, name: str, body: bytes) -> Document:
        try:
            document = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as error:
            raise invalid(f"The request is not JSON: {error}", service.style) from None
        shape = model.operation(service.name, name).input_shape
        try:
            found: Document = {} if shape is None else model.checked(shape, document)
        except model.ShapeError as error:
            raise invalid(str(error), service.style) from None
        return found

    def _principal(self, request: SignedRequest, service: str) -> Principal:
        if not self._authenticator.is_required:
            return ANONYMOUS
        return verify(
            request, service=service, now=self._now(), secret_of=self._authenticator.secret_of
        )

    def _sts(self, request: SignedRequest, request_id: str) -> Answer:
        try:
            principal = self._principal(request, sts.SERVICE)
            body = sts.answer(request.body, principal, request_id)
        except AwsError as error:
            text = sts.failure(error, request_id)
            return Answer(error.status, text, sts.MEDIA_TYPE, error.code)
        except Exception:
            _log.exception("aws_request_failed", operation="sts", request_id=request_id)
            failed = AwsError("InternalFailure", "The service failed on this request.", status=500)
            return Answer(500, sts.failure(failed, request_id), sts.MEDIA_TYPE, failed.code)
        return Answer(200, body, sts.MEDIA_TYPE)


def too_large(limit: int) -> Answer:
    """The answer to a body beyond the limit."""
    message = f"The request is larger than {limit} bytes."
    return _failure(AwsError("RequestEntityTooLargeException", message, status=413))


def _not_served(service: AwsService, name: str) -> AwsError:
    reason = service.refused.get(name)
    if reason is not None:
        return invalid(f"{name} is not supported: {reason}", service.style)
    known = name in model.operation_names(service.name)
    text = f"{name} is not supported" if known else f"Unknown operation: {name}"
    return AwsError("UnknownOperationException", text)


def _modelled(error: AwsError, service: AwsService, name: str) -> AwsError:
    """Not every operation has every «not found»: those that lack one say that it is invalid."""
    if error.code not in _SOMETIMES_MODELLED or name not in service.operations:
        return error
    if error.code in {shape.name for shape in model.operation(service.name, name).error_shapes}:
        return error
    return invalid(error.message, service.style)


_SOMETIMES_MODELLED: Final = frozenset(
    {
        "ResourceNotFoundException",
        "MetadataException",
        "EntityNotFoundException",
        "AlreadyExistsException",
        "ConcurrentModificationException",
        "ResourceNumberLimitExceededException",
    }
)


def _failure(error: AwsError) -> Answer:
    document = {
        "__type": error.code,
        "message": error.message,
        "Message": error.message,
        **error.details,
    }
    # A message may quote what is no Unicode: the answer must go out all the same.
    text = orjson.dumps({k: _clean(v) for k, v in document.items()})
    return Answer(error.status, text, error=error.code)


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()
