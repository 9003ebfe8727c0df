"""A column's type as Hive writes it, from Hive's spelling or from Trino's."""

from __future__ import annotations

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.types.hive import to_hive
from querysvc.types.parse import parse_type as parse_trino_type
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.types import format_type, parse_type


def hive_type_text(text: str) -> str:
    """The type's text in the catalog; TYPE_NOT_FOUND when neither spelling has it."""
    try:
        return format_type(parse_type(text))
    except CatalogError as error:
        return _from_trino(text, error)


def _from_trino(text: str, unknown: CatalogError) -> str:
    try:
        type_ = parse_trino_type(text)
    except QueryServiceError:
        raise StatementError(ErrorCode.TYPE_NOT_FOUND, str(unknown)) from unknown
    return format_type(to_hive(type_))
