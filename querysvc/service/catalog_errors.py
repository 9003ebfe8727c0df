"""The catalog's errors as the core's: one table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc_catalog.errors import (
    AlreadyExistsError,
    CatalogError,
    ConcurrentModificationError,
    EntityKind,
    EntityNotFoundError,
    InvalidInputError,
    ProjectionError,
    ResourceNumberLimitExceededError,
    UnsupportedFormatError,
    UnsupportedTypeError,
)

_NOT_FOUND: Final = {
    EntityKind.DATA_CATALOG: ErrorCode.CATALOG_NOT_FOUND,
    EntityKind.DATABASE: ErrorCode.SCHEMA_NOT_FOUND,
    EntityKind.TABLE: ErrorCode.TABLE_NOT_FOUND,
    EntityKind.COLUMN: ErrorCode.COLUMN_NOT_FOUND,
    EntityKind.USER_DEFINED_FUNCTION: ErrorCode.FUNCTION_NOT_FOUND,
}
_EXISTS: Final = {
    EntityKind.DATABASE: ErrorCode.SCHEMA_ALREADY_EXISTS,
    EntityKind.TABLE: ErrorCode.TABLE_ALREADY_EXISTS,
    EntityKind.COLUMN: ErrorCode.COLUMN_ALREADY_EXISTS,
}
_CODES: Final[tuple[tuple[type[CatalogError], ErrorCode], ...]] = (
    (ConcurrentModificationError, ErrorCode.TRANSACTION_CONFLICT),
    (ResourceNumberLimitExceededError, ErrorCode.GENERIC_USER_ERROR),
    (UnsupportedTypeError, ErrorCode.NOT_SUPPORTED),
    (UnsupportedFormatError, ErrorCode.HIVE_UNSUPPORTED_FORMAT),
    (ProjectionError, ErrorCode.INVALID_TABLE_PROPERTY),
    (InvalidInputError, ErrorCode.INVALID_ARGUMENTS),
)


def translate(error: CatalogError) -> QueryServiceError:
    """The core's error for a catalog's."""
    return StatementError(_code(error), error.message)


def _code(error: CatalogError) -> ErrorCode:
    if isinstance(error, EntityNotFoundError):
        return _NOT_FOUND.get(error.kind, ErrorCode.NOT_FOUND)
    if isinstance(error, AlreadyExistsError):
        return _EXISTS.get(error.kind, ErrorCode.ALREADY_EXISTS)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ErrorCode.HIVE_METASTORE_ERROR


@contextmanager
def catalog_errors() -> Iterator[None]:
    """Turn the catalog's errors into the core's."""
    try:
        yield
    except CatalogError as error:
        raise translate(error) from error
