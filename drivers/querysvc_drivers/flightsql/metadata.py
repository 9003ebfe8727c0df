"""Flight SQL's metadata commands over the catalog, as one principal may see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from querysvc.model import ResultColumn
from querysvc.results.arrow_values import public_schema
from querysvc.service.system_listing import Listing, TableEntry, Wanted
from querysvc_drivers.flightsql import schemas
from querysvc_drivers.flightsql.messages import optional
from querysvc_drivers.flightsql.sql_info import sql_info, xdbc_types

_TABLE, _VIEW, _SYSTEM_TABLE = "TABLE", "VIEW", "SYSTEM TABLE"


@dataclass(frozen=True, slots=True)
class Command:
    """A metadata command: its schema, and its rows."""

    schema: Callable[[Any], pa.Schema]
    rows: Callable[[Any, Listing], pa.Table]


def _catalogs(_: Any, listing: Listing) -> pa.Table:
    rows = [{"catalog_name": name} for name in listing.catalogs(Wanted())]
    return pa.Table.from_pylist(rows, schema=schemas.CATALOGS)


def _db_schemas(command: Any, listing: Listing) -> pa.Table:
    rows = [
        {"catalog_name": catalog, "db_schema_name": name}
        for catalog, name in _schemas(command, listing)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.DB_SCHEMAS)


def _schemas(command: Any, listing: Listing) -> Iterator[tuple[str, str]]:
    matches = _matcher(optional(command, "db_schema_filter_pattern"))
    found = listing.schemas(Wanted(catalogs=_exactly(optional(command, "catalog"))))
    return ((catalog, name) for catalog, name in found if matches(name))


def _tables(command: Any, listing: Listing) -> pa.Table:
    matches = _matcher(optional(command, "table_name_filter_pattern"))
    kinds = set(command.table_types)
    rows = []
    for catalog, schema in _schemas(command, listing):
        wanted = Wanted(frozenset({catalog}), frozenset({schema}))
        for entry in listing.tables(wanted):
            kind = _kind(entry)
            if matches(entry.name[2]) and (not kinds or kind in kinds):
                rows.append(_table_row(entry, kind, listing, is_full=command.include_schema))
    return pa.Table.from_pylist(rows, schema=_tables_schema(command))


def _table_row(
    entry: TableEntry, kind: str, listing: Listing, *, is_full: bool
) -> dict[str, object]:
    catalog, schema, name = entry.name
    row: dict[str, object] = {
        "catalog_name": catalog,
        "db_schema_name": schema,
        "table_name": name,
        "table_type": kind,
    }
    if is_full:
        columns = tuple(ResultColumn(one.name, one.type) for one in listing.columns(entry))
        row["table_schema"] = public_schema(columns).serialize().to_pybytes()
    return row


def _kind(entry: TableEntry) -> str:
    if entry.table is None:
        return _SYSTEM_TABLE
    return _VIEW if entry.is_view else _TABLE


def _tables_schema(command: Any) -> pa.Schema:
    return schemas.TABLES_WITH_SCHEMA if command.include_schema else schemas.TABLES


def _table_types(_: Any, __: Listing) -> pa.Table:
    rows = [{"table_type": kind} for kind in (_SYSTEM_TABLE, _TABLE, _VIEW)]
    return pa.Table.from_pylist(rows, schema=schemas.TABLE_TYPES)


def _exactly(name: str | None) -> frozenset[str] | None:
    return None if name is None else frozenset({name.lower()})


def _matcher(pattern: str | None) -> Callable[[str], bool]:
    """SQL's LIKE pattern without an escape, in any case."""
    if pattern is None:
        return lambda _: True
    pieces = {"%": ".*", "_": "."}
    expression = "".join(pieces.get(character, re.escape(character)) for character in pattern)
    compiled = re.compile(expression, re.IGNORECASE | re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def _empty(schema: pa.Schema) -> Command:
    """Keys: tables over objects have none."""
    return Command(lambda _: schema, lambda _, __: schema.empty_table())


def _fixed(schema: pa.Schema, rows: Callable[[Any, Listing], pa.Table]) -> Command:
    return Command(lambda _: schema, rows)


COMMANDS: Final = {
    "CommandGetCatalogs": _fixed(schemas.CATALOGS, _catalogs),
    "CommandGetDbSchemas": _fixed(schemas.DB_SCHEMAS, _db_schemas),
    "CommandGetTables": Command(_tables_schema, _tables),
    "CommandGetTableTypes": _fixed(schemas.TABLE_TYPES, _table_types),
    "CommandGetPrimaryKeys": _empty(schemas.PRIMARY_KEYS),
    "CommandGetExportedKeys": _empty(schemas.FOREIGN_KEYS),
    "CommandGetImportedKeys": _empty(schemas.FOREIGN_KEYS),
    "CommandGetCrossReference": _empty(schemas.FOREIGN_KEYS),
    "CommandGetSqlInfo": _fixed(
        schemas.SQL_INFO, lambda command, _: sql_info(frozenset(command.info))
    ),
    "CommandGetXdbcTypeInfo": _fixed(
        schemas.XDBC_TYPES,
        lambda command, _: xdbc_types(command.data_type if command.HasField("data_type") else None),
    ),
}
"""The commands that tell of the catalog and the server, by their message's name."""
