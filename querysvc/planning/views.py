"""Views as Athena and Trino store them: base64 of a JSON document, in a comment."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.model import ResultColumn
from querysvc.sql.metadata import ViewInfo
from querysvc.types.algebra import Timestamp, TrinoType
from querysvc.types.hive import to_hive
from querysvc.types.parse import parse_type
from querysvc_catalog.model import Column, SerDeInfo, StorageDescriptor, Table, TableName
from querysvc_catalog.types import format_type

_START: Final = "/* Presto View: "
_END: Final = " */"
_EXPANDED: Final = "/* Presto View */"
_PARAMETERS: Final = {"presto_view": "true", "comment": "Presto View"}
VIEW: Final = "VIRTUAL_VIEW"


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """What a view's entry tells."""

    sql: str
    columns: tuple[ResultColumn, ...]
    catalog: str | None = None
    database: str | None = None
    comment: str | None = None
    owner: str | None = None
    runs_as_invoker: bool = False


def view_info(table: Table) -> ViewInfo:
    """The view as the analyser sees it; HIVE_INVALID_VIEW_DATA when it is none of Trino's."""
    view = view_definition(table)
    return ViewInfo(
        view.sql,
        view.columns,
        view.catalog,
        view.database,
        comment=view.comment,
        runs_as_invoker=view.runs_as_invoker,
    )


def view_definition(table: Table) -> ViewDefinition:
    """The definition in a view's entry; HIVE_INVALID_VIEW_DATA when it is none of Trino's."""
    text = table.view_original_text or ""
    try:
        encoded = text.removeprefix(_START).removesuffix(_END)
        document: dict[str, Any] = json.loads(base64.b64decode(encoded, validate=True))
        return ViewDefinition(
            sql=_text(document["originalSql"]),
            columns=tuple(
                ResultColumn(_text(column["name"]), parse_type(_text(column["type"])))
                for column in document["columns"]
            ),
            catalog=_optional_text(document.get("catalog")),
            database=_optional_text(document.get("schema")),
            comment=_optional_text(document.get("comment")),
            owner=_optional_text(document.get("owner")) or table.owner,
            runs_as_invoker=bool(document.get("runAsInvoker", False)),
        )
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_VIEW_DATA,
            f"View {table.full_name} is not one that Trino or Athena wrote: {error}",
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode()  # half a surrogate pair, which JSON can spell, is none either
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def view_table(name: TableName, view: ViewDefinition) -> Table:
    """The catalog's entry of a view, which Trino and Athena read as theirs.

    The comment is in the document alone: to Trino a description is the entry's `comment`, and an
    entry with another one than `Presto View` is no view of Trino's.
    """
    document = {
        "originalSql": view.sql,
        "catalog": view.catalog,
        "schema": view.database,
        "columns": [{"name": c.name, "type": c.type.signature_text} for c in view.columns],
        "comment": view.comment,
        "owner": view.owner,
        "runAsInvoker": view.runs_as_invoker,
        "path": [],
    }
    told = {key: value for key, value in document.items() if value is not None}
    encoded = base64.b64encode(json.dumps(told, ensure_ascii=False).encode()).decode()
    return Table(
        name=name.name,
        database_name=name.database_name,
        catalog_name=name.catalog_name,
        owner=view.owner,
        storage_descriptor=StorageDescriptor(
            columns=tuple(Column(c.name.lower(), hive_text(c.type)) for c in view.columns),
            location="",
            serde_info=SerDeInfo(),
        ),
        parameters=_PARAMETERS,
        table_type=VIEW,
        view_original_text=f"{_START}{encoded}{_END}",
        view_expanded_text=_EXPANDED,
    )


def hive_text(type_: TrinoType) -> str:
    """The Hive type that a view's column is shown with: the nearest, for its value is not stored.

    The exact type is in the view's document.
    """
    if isinstance(type_, Timestamp):
        return "timestamp"
    try:
        return format_type(to_hive(type_))
    except StatementError:
        return "string"
