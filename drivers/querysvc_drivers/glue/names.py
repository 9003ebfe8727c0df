"""Names in Glue's requests: CatalogId, database, table."""

from __future__ import annotations

import re
from typing import Final

from querysvc_catalog.errors import InvalidInputError
from querysvc_catalog.model import DEFAULT_CATALOG, DatabaseName, TableName
from querysvc_drivers.aws_json.dispatch import Document

_ACCOUNT: Final = re.compile(r"\d{12}")


def catalog_of(catalog_id: str | None) -> str:
    """The data catalog of a CatalogId: an account's own one, or `account:name`, or a name."""
    if catalog_id is None:
        return DEFAULT_CATALOG
    account, separator, name = catalog_id.partition(":")
    if not separator:
        return DEFAULT_CATALOG if _ACCOUNT.fullmatch(account) else account
    return name


def database_of(request: Document, member: str = "DatabaseName") -> DatabaseName:
    """The database that a request names."""
    return DatabaseName(catalog_of(request.get("CatalogId")), request[member])


def table_of(request: Document, member: str = "TableName") -> TableName:
    """The table that a request names."""
    database = database_of(request)
    return TableName(database.catalog_name, database.name, request[member])


def version_of(text: str | None) -> int | None:
    """A VersionId, which is decimal text."""
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > _DIGITS_MAX:
        raise InvalidInputError(f"VersionId {text!r} is not a number")
    return int(text)


_DIGITS_MAX: Final = 18
