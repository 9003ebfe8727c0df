"""Whether a statement asks pg_catalog, and what of it: read with sqlglot's PostgreSQL grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.catalog.definitions import (
    INFORMATION_SCHEMA,
    PG_CATALOG,
    definitions,
    types_by_name,
)
from querysvc_drivers.pgwire.catalog.relations import needs_columns, needs_relations
from querysvc_drivers.pgwire.types import ARRAYS, Oid

# sqlglot has no arrays of PostgreSQL's internal types; they are numbers or texts to us.
_ARRAY_CAST: Final = re.compile(
    r'::\s*(?:pg_catalog\.)?(oid|regtype|regclass|xid|name|"char")\s*\[\s*\]', re.IGNORECASE
)
_TEXT_OR_ARRAY_CAST: Final = re.compile(f"'(?:[^']|'')*'|{_ARRAY_CAST.pattern}", re.IGNORECASE)
_ARRAY_PARAMETER: Final = re.compile(r"\$(\d+)" + _ARRAY_CAST.pattern, re.IGNORECASE)
_PLAIN_TYPES: Final = {"name": "text", '"char"': "text"}
TABLE_FUNCTIONS: Final = frozenset({"pg_get_keywords", "unnest", "generate_series"})
_SESSION_FUNCTIONS: Final = (
    *(exp.CurrentSchema, exp.CurrentSchemas, exp.CurrentVersion, exp.SessionUser),
    *(exp.CurrentCatalog, exp.CurrentDatabase),
)
_OWN_PREFIXES: Final = ("pg_", "has_", "to_reg", "current_", "inet_", "set_config", "quote_")
_OWN_FUNCTIONS: Final = frozenset(
    {"format_type", "obj_description", "col_description", "shobj_description", "version"}
)


@dataclass(frozen=True, slots=True)
class CatalogReading:
    """A query on pg_catalog: what it needs of the catalog, the types of its parameters."""

    needs_relations: bool
    needs_columns: bool
    parameter_types: Mapping[int, int]


def read_catalog_query(sql: str) -> CatalogReading | None:
    """Read a statement; None when it asks nothing of pg_catalog (or cannot be read)."""
    try:
        tree = parse(sql)
    except StatementError:
        return None
    system, other = _tables(tree)
    if not system and (other or not _has_own_functions(tree)):
        return None
    if other:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            f"A query on both pg_catalog ({system[0]}) and tables ({other[0]}) is not supported",
        )
    names = frozenset(system)
    has_columns = needs_columns(names) or _has_function(tree, "col_description")
    has_relations = needs_relations(names) or _names_relations(tree)
    types = {**_parameter_types(tree), **_array_parameters(sql)}
    return CatalogReading(has_relations, has_columns, types)


def parse(sql: str) -> exp.Expr:
    """One statement's tree."""
    text = _TEXT_OR_ARRAY_CAST.sub(_readable, sql)
    try:
        trees = [tree for tree in sqlglot.parse(text, read="postgres") if tree is not None]
    except (SqlglotError, RecursionError) as error:
        message = f"the query on pg_catalog cannot be read: {str(error).splitlines()[0]}"
        raise StatementError(ErrorCode.SYNTAX_ERROR, message) from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise StatementError(ErrorCode.SYNTAX_ERROR, "a query is expected")
    return trees[0]


def _readable(match: re.Match[str]) -> str:
    """An array's cast with a type that sqlglot knows; texts stay as they are."""
    if match[1] is None:
        return match[0]
    return f"::{_PLAIN_TYPES.get(match[1].lower(), 'bigint')}[]"


def relation_name(table: exp.Table, ctes: frozenset[str]) -> str | None:
    """The system relation that a table of the tree is; None when it is none."""
    name, schema = table.name.lower(), table.db.lower()
    if schema == INFORMATION_SCHEMA:
        return f"{INFORMATION_SCHEMA}.{name}"
    if schema == PG_CATALOG:
        return name
    is_known = not schema and name in definitions() and name not in ctes
    return name if is_known else None


def cte_names(tree: exp.Expr) -> frozenset[str]:
    """The names that WITH clauses define."""
    return frozenset(cte.alias.lower() for cte in tree.find_all(exp.CTE))


def _tables(tree: exp.Expr) -> tuple[list[str], list[str]]:
    ctes = cte_names(tree)
    system, other = [], []
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue
        name = relation_name(table, ctes)
        if name is not None:
            system.append(name)
        elif table.db or table.name.lower() not in ctes:
            other.append(table.sql(dialect="postgres"))
    return system, other


def _has_own_functions(tree: exp.Expr) -> bool:
    if any(tree.find_all(*_SESSION_FUNCTIONS)):
        return True
    if any("reg" in cast.to.sql(dialect="postgres").lower() for cast in tree.find_all(exp.Cast)):
        return True
    return any(
        name.startswith(_OWN_PREFIXES) or name in _OWN_FUNCTIONS for name in _functions(tree)
    )


def _functions(tree: exp.Expr) -> Iterator[str]:
    for function in tree.find_all(exp.Anonymous):
        yield function.name.lower()


def _has_function(tree: exp.Expr, name: str) -> bool:
    return name in _functions(tree)


def _names_relations(tree: exp.Expr) -> bool:
    """Whether names or numbers of relations are looked up by a cast or a function."""
    names = set(_functions(tree))
    texts = {cast.to.sql(dialect="postgres").lower() for cast in tree.find_all(exp.Cast)}
    return any("regclass" in text for text in (names | texts)) or not names.isdisjoint(
        {"obj_description", "pg_get_viewdef", "pg_table_is_visible"}
    )


def _parameter_types(tree: exp.Expr) -> Mapping[int, int]:
    """The types that casts give to parameters."""
    found: dict[int, int] = {}
    for cast in tree.find_all(exp.Cast):
        inner = cast.this
        if isinstance(inner, exp.Parameter) and isinstance(inner.this, exp.Literal):
            oid = cast_type(cast.to)
            if oid is not None:
                found.setdefault(int(inner.this.name), oid)
    return found


def _array_parameters(sql: str) -> Mapping[int, int]:
    """The parameters that are cast to arrays which sqlglot cannot read."""
    return {
        int(match[1]): ARRAYS[Oid.NAME if match[2].lower() in _PLAIN_TYPES else Oid.OID]
        for match in _ARRAY_PARAMETER.finditer(sql)
    }


_SQL_TYPES: Final = {
    "int": "int4",
    "integer": "int4",
    "bigint": "int8",
    "smallint": "int2",
    "boolean": "bool",
    "real": "float4",
    "double precision": "float8",
    "decimal": "numeric",
    "char": "bpchar",
    "character": "bpchar",
    "character varying": "varchar",
    '"char"': "char",
}


def cast_type(type_: exp.Expr) -> int | None:
    """The OID of the type that a cast names; None for unknown ones."""
    text = type_.sql(dialect="postgres").lower().removeprefix("pg_catalog.")
    is_array = text.endswith("[]")
    name = re.sub(r"\(.*\)", "", text.removesuffix("[]")).strip()
    found = types_by_name().get(_SQL_TYPES.get(name, name))
    if found is None:
        return None
    return int(found.values["typarray"]) if is_array else found.oid
