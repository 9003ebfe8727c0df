"""pg_catalog's and information_schema's relations: their columns, and the rows that ours have.

What no such catalog has here (indexes, constraints, triggers …) is there and empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from querysvc_drivers.pgwire.catalog.definitions import (
    HEADER_BYTES,
    INFORMATION_SCHEMA,
    PG_CATALOG,
    data_type,
    definitions,
    procedures_by_oid,
    system_types,
    types_by_name,
    types_by_oid,
)
from querysvc_drivers.pgwire.catalog.snapshot import Relation, RelationColumn, Snapshot
from querysvc_drivers.pgwire.types import ELEMENTS, Oid

PG_CATALOG_OID: Final = 11
INFORMATION_SCHEMA_OID: Final = 13_000
OWNER_OID: Final = 10
HEAP_OID: Final = 2
CLASS_OID: Final = 1259
_COLLATION_OID: Final = 100
_TABLESPACE_OID: Final = 1663
_UTF8: Final = 6

Row = dict[str, Any]
"""Values by column name, of any type that SQLite holds; what is left out has its default."""


def rows_of(relation: str, snapshot: Snapshot) -> Iterator[tuple[Any, ...]]:
    """A relation's rows, in the order of its columns."""
    make = _ROWS.get(relation)
    columns = definitions()[relation]
    for row in () if make is None else make(snapshot):
        yield tuple(row.get(column.name, column.default) for column in columns)


def needs_relations(names: frozenset[str]) -> bool:
    """Whether rows of tables are wanted."""
    return not names.isdisjoint(_OF_RELATIONS | _OF_COLUMNS)


def needs_columns(names: frozenset[str]) -> bool:
    """Whether rows of columns are wanted."""
    return not names.isdisjoint(_OF_COLUMNS)


_OF_COLUMNS: Final = frozenset(
    {"pg_attribute", "pg_description", "pg_class", "information_schema.columns"}
)
_OF_RELATIONS: Final = frozenset(
    {
        *("pg_tables", "pg_views", "information_schema.tables", "information_schema.views"),
        *("pg_stat_user_tables", "pg_stat_all_tables", "information_schema.table_privileges"),
    }
)


def _databases(snapshot: Snapshot) -> Iterator[Row]:
    for number, name in enumerate(snapshot.databases, 16_000):
        yield {
            "oid": number,
            "datname": name,
            "datdba": OWNER_OID,
            "encoding": _UTF8,
            "datlocprovider": "c",
            "datallowconn": 1,
            "datconnlimit": -1,
            "dattablespace": _TABLESPACE_OID,
            "datcollate": "C",
            "datctype": "C.UTF-8",
        }


def _namespaces(snapshot: Snapshot) -> Iterator[Row]:
    yield {"oid": PG_CATALOG_OID, "nspname": PG_CATALOG, "nspowner": OWNER_OID}
    yield {"oid": INFORMATION_SCHEMA_OID, "nspname": INFORMATION_SCHEMA, "nspowner": OWNER_OID}
    for oid, name in snapshot.schemas:
        yield {"oid": oid, "nspname": name, "nspowner": OWNER_OID}


def _classes(snapshot: Snapshot) -> Iterator[Row]:
    schemas = {name: oid for oid, name in snapshot.schemas}
    for relation in snapshot.relations:
        yield {
            "oid": relation.oid,
            "relname": relation.name,
            "relnamespace": schemas[relation.schema],
            "relowner": OWNER_OID,
            "relam": 0 if relation.is_view else HEAP_OID,
            "reltuples": -1.0,
            "relpersistence": "p",
            "relkind": _kind(relation),
            "relnatts": len(relation.columns),
            "relhasrules": int(relation.is_view),
            "relispopulated": 1,
            "relreplident": "n" if relation.is_view else "d",
        }


def _kind(relation: Relation) -> str:
    return "v" if relation.is_view else "r"


def _attributes(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        for number, column in enumerate(relation.columns, 1):
            type_ = types_by_oid()[column.type_oid].values
            yield {
                "attrelid": relation.oid,
                "attname": column.name,
                "atttypid": column.type_oid,
                "attstattarget": -1,
                "attlen": column.type_size,
                "attnum": number,
                "attndims": int(column.type_oid in ELEMENTS),
                "attcacheoff": -1,
                "atttypmod": column.type_modifier,
                "attbyval": type_["typbyval"],
                "attalign": type_["typalign"],
                "attstorage": type_["typstorage"],
                "attcollation": type_["typcollation"],
                "attislocal": 1,
            }


def _types(_: Snapshot) -> Iterator[Row]:
    for type_ in system_types():
        yield {
            **type_.values,
            "typnamespace": PG_CATALOG_OID,
            "typowner": OWNER_OID,
            "typisdefined": 1,
            "typtypmod": -1,
        }


def _procedures(_: Snapshot) -> Iterator[Row]:
    for oid, name in procedures_by_oid().items():
        yield {"oid": oid, "proname": name, "pronamespace": PG_CATALOG_OID, "prokind": "f"}


def _ranges(_: Snapshot) -> Iterator[Row]:
    types = types_by_name()
    for name, subtype in _RANGES.items():
        multirange = name.replace("range", "multirange")
        yield {
            "rngtypid": types[name].oid,
            "rngsubtype": types[subtype].oid,
            "rngmultitypid": types[multirange].oid,
        }


_RANGES: Final = {
    "int4range": "int4",
    "numrange": "numeric",
    "tsrange": "timestamp",
    "tstzrange": "timestamptz",
    "daterange": "date",
    "int8range": "int8",
}


def _roles(snapshot: Snapshot) -> Iterator[Row]:
    yield {
        "rolname": snapshot.facts.user,
        "rolinherit": 1,
        "rolcanlogin": 1,
        "rolconnlimit": -1,
        "rolpassword": "********",
        "oid": OWNER_OID,
    }


def _users(snapshot: Snapshot) -> Iterator[Row]:
    yield {"usename": snapshot.facts.user, "usesysid": OWNER_OID, "passwd": "********"}


def _descriptions(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        comments = [(0, relation.comment)]
        comments += [(n, column.comment) for n, column in enumerate(relation.columns, 1)]
        for number, comment in comments:
            if comment:
                yield {
                    "objoid": relation.oid,
                    "classoid": CLASS_OID,
                    "objsubid": number,
                    "description": comment,
                }


def _settings(snapshot: Snapshot) -> Iterator[Row]:
    for name, value in snapshot.facts.settings.items():
        yield {
            "name": name,
            "setting": value,
            "category": "",
            "short_desc": "",
            "context": "user",
            "vartype": "string",
            "source": "default",
            "boot_val": value,
            "reset_val": value,
            "pending_restart": 0,
        }


def _tables(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        if not relation.is_view:
            yield {
                "schemaname": relation.schema,
                "tablename": relation.name,
                "tableowner": snapshot.facts.user,
                **dict.fromkeys(("hasindexes", "hasrules", "hastriggers", "rowsecurity"), 0),
            }


def _views(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        if relation.is_view:
            yield {
                "schemaname": relation.schema,
                "viewname": relation.name,
                "viewowner": snapshot.facts.user,
                "definition": relation.definition,
            }


def _table_statistics(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        if not relation.is_view:
            yield {
                "relid": relation.oid,
                "schemaname": relation.schema,
                "relname": relation.name,
            }


def _schemata(snapshot: Snapshot) -> Iterator[Row]:
    for name in (PG_CATALOG, INFORMATION_SCHEMA, *(name for _, name in snapshot.schemas)):
        yield {
            "catalog_name": snapshot.facts.database,
            "schema_name": name,
            "schema_owner": snapshot.facts.user,
        }


def _information_tables(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        yield {
            **_place(snapshot, relation),
            "table_type": "VIEW" if relation.is_view else "BASE TABLE",
            "is_insertable_into": "NO" if relation.is_view else "YES",
            "is_typed": "NO",
        }


def _information_views(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        if relation.is_view:
            yield {
                **_place(snapshot, relation),
                "view_definition": relation.definition,
                "check_option": "NONE",
                **dict.fromkeys(("is_updatable", "is_insertable_into"), "NO"),
            }


def _information_columns(snapshot: Snapshot) -> Iterator[Row]:
    for relation in snapshot.relations:
        for number, column in enumerate(relation.columns, 1):
            yield {
                **_place(snapshot, relation),
                "column_name": column.name,
                "ordinal_position": number,
                "is_nullable": "YES",
                "data_type": data_type(column.type_oid),
                **_sizes(column),
                "udt_catalog": snapshot.facts.database,
                "udt_schema": PG_CATALOG,
                "udt_name": types_by_oid()[column.type_oid].name,
                "dtd_identifier": str(number),
                "is_self_referencing": "NO",
                "is_identity": "NO",
                "identity_cycle": "NO",
                "is_generated": "NEVER",
                "is_updatable": "NO" if relation.is_view else "YES",
            }


def _place(snapshot: Snapshot, relation: Relation) -> Row:
    return {
        "table_catalog": snapshot.facts.database,
        "table_schema": relation.schema,
        "table_name": relation.name,
    }


_BITS: Final = {Oid.INT2: 16, Oid.INT4: 32, Oid.INT8: 64, Oid.FLOAT4: 24, Oid.FLOAT8: 53}


def _sizes(column: RelationColumn) -> Row:
    oid, modifier = column.type_oid, column.type_modifier
    if oid in (Oid.VARCHAR, Oid.BPCHAR) and modifier >= HEADER_BYTES:
        length = modifier - HEADER_BYTES
        return {"character_maximum_length": length, "character_octet_length": 4 * length}
    if oid == Oid.NUMERIC:
        packed = modifier - HEADER_BYTES
        return {
            "numeric_precision": packed >> 16,
            "numeric_precision_radix": 10,
            "numeric_scale": packed & 0xFFFF,
        }
    bits = _BITS.get(Oid(oid)) if oid in Oid.__members__.values() else None
    if bits is not None:
        is_integer = oid in (Oid.INT2, Oid.INT4, Oid.INT8)
        scale = {"numeric_scale": 0} if is_integer else {}
        return {"numeric_precision": bits, "numeric_precision_radix": 2, **scale}
    if oid in (Oid.TIME, Oid.TIMETZ, Oid.TIMESTAMP, Oid.TIMESTAMPTZ):
        return {"datetime_precision": modifier}
    return {"datetime_precision": 0} if oid == Oid.DATE else {}


def _constant(row: Row) -> Callable[[Snapshot], Iterator[Row]]:
    return lambda _: iter((row,))


_ROWS: Final[Mapping[str, Callable[[Snapshot], Iterator[Row]]]] = {
    "pg_am": _constant({"oid": HEAP_OID, "amname": "heap", "amtype": "t"}),
    "pg_attribute": _attributes,
    "pg_class": _classes,
    "pg_collation": _constant(
        {
            "oid": _COLLATION_OID,
            "collname": "default",
            "collnamespace": PG_CATALOG_OID,
            "collowner": OWNER_OID,
            "collprovider": "d",
            "collisdeterministic": 1,
            "collencoding": -1,
        }
    ),
    "pg_database": _databases,
    "pg_description": _descriptions,
    "pg_namespace": _namespaces,
    "pg_proc": _procedures,
    "pg_range": _ranges,
    "pg_roles": _roles,
    "pg_authid": _roles,
    "pg_settings": _settings,
    "pg_stat_all_tables": _table_statistics,
    "pg_stat_user_tables": _table_statistics,
    "pg_tables": _tables,
    "pg_tablespace": _constant(
        {"oid": _TABLESPACE_OID, "spcname": "pg_default", "spcowner": OWNER_OID}
    ),
    "pg_type": _types,
    "pg_user": _users,
    "pg_views": _views,
    "information_schema.character_sets": _constant(
        {"character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8"}
    ),
    "information_schema.columns": _information_columns,
    "information_schema.schemata": _schemata,
    "information_schema.tables": _information_tables,
    "information_schema.views": _information_views,
    "information_schema.information_schema_catalog_name": (
        lambda snapshot: iter(({"catalog_name": snapshot.facts.database},))
    ),
}
