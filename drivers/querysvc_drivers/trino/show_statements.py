"""SHOW and DESCRIBE in Trino's shapes: as queries over information_schema, as Trino runs them.

Forms that only Athena has (SHOW PARTITIONS, SHOW TABLES 'pattern', DESCRIBE FORMATTED …) are left
to the core.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn
from querysvc.sql.functions.registry import load_registry
from querysvc.sql.lexer import Kind
from querysvc.sql.metadata import MetadataReader, ViewInfo
from querysvc.sql.positions import START, errors_moved
from querysvc.sql.prepared import StatementTokens
from querysvc.types.algebra import BOOLEAN, DOUBLE, VARCHAR, Varchar, delimited
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.session_properties import session_properties_by_name
from querysvc_drivers.trino.session_statements import LocalResult, no_roles_in
from querysvc_drivers.trino.show_create import (
    create_schema_text,
    create_table_text,
    create_view_text,
)

Answer: TypeAlias = str | LocalResult | None
"""A query to run instead, an answer, or None: the core answers the statement as it stands."""

_DETAILS: Final = ("EXTENDED", "FORMATTED")
_CORES: Final = frozenset({"PARTITIONS", "TBLPROPERTIES", "VIEWS"})
"""What Athena alone shows: the core's."""
_EXPECTED: Final = (
    *("CATALOGS", "COLUMNS", "CREATE", "CURRENT", "FUNCTIONS", "GRANTS", "ROLE", "ROLES"),
    *("SCHEMAS", "SESSION", "STATS", "TABLES"),
)
_NOBODY: Final = ClientRequest("")
_STATISTICS: Final = (
    ResultColumn("column_name", VARCHAR),
    ResultColumn("data_size", DOUBLE),
    ResultColumn("distinct_values_count", DOUBLE),
    ResultColumn("nulls_fraction", DOUBLE),
    ResultColumn("row_count", DOUBLE),
    ResultColumn("low_value", VARCHAR),
    ResultColumn("high_value", VARCHAR),
)
_GRANT_COLUMNS: Final = (
    *("Grantor", "Grantor Type", "Grantee", "Grantee Type", "Catalog", "Schema", "Table"),
    *("Privilege", "Grantable", "With Hierarchy"),
)


@dataclass(frozen=True, slots=True)
class LikePattern:
    """LIKE 'pattern' [ESCAPE 'e'], with the SQL text of the clause."""

    clause: str
    matches: Callable[[str], object]


class ShowStatements:
    """Reads SHOW and DESCRIBE; `metadata` tells which catalogs, schemas and tables exist.

    `columns_of` tells what a query would answer.

    In the queries (S608) every name is delimited and every value a literal of ours.
    """

    def __init__(
        self, metadata: MetadataReader, columns_of: Callable[[str], tuple[ResultColumn, ...]]
    ) -> None:
        self._metadata = metadata
        self._columns_of = columns_of

    def answer(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        """What to run or answer in the statement's place."""
        if stream.take_any("DESCRIBE", "DESC"):
            return self._describe(stream, request)
        stream.expect("SHOW")
        if stream.at("ROLE", "GRANTS") or stream.at("CURRENT", "ROLES"):
            return self._grants_of_roles(stream)
        if stream.key in _CORES:
            return None
        show = getattr(self, _SHOWS.get(stream.key, ""), None)
        if show is None:
            stream.mismatched(*(f"'{word}'" for word in _EXPECTED))
        stream.advance()
        answer: Answer = show(stream, request)
        return answer

    def _catalogs(self, stream: StatementTokens, _: ClientRequest) -> Answer:
        like = _like(stream)
        stream.end()
        return (
            'SELECT catalog_name AS "Catalog" FROM system.metadata.catalogs'  # noqa: S608
            f"{_where(like, 'catalog_name')} ORDER BY 1"
        )

    def _schemas(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        catalog = request.catalog
        if stream.take_any("FROM", "IN"):
            catalog = stream.identifier().name.lower()
        if stream.token.kind is Kind.STRING:
            return None
        like = _like(stream)
        stream.end()
        if catalog is not None and not self._metadata.catalog_exists(catalog):
            # The one error of a SHOW that Trino gives no place.
            raise StatementError(ErrorCode.CATALOG_NOT_FOUND, f"Catalog '{catalog}' not found")
        source = self._existing_catalog(catalog)
        return (
            f'SELECT schema_name AS "Schema" FROM {delimited(source)}.'  # noqa: S608
            f"information_schema.schemata{_where(like, 'schema_name')} ORDER BY 1"
        )

    def _tables(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        names = [request.catalog, request.schema]
        if stream.take_any("FROM", "IN"):
            given = [part.name.lower() for part in stream.qualified_name()]
            if len(given) > 2:
                raise stream.error("Too many parts in schema name")
            names[2 - len(given) :] = given
        if stream.token.kind is Kind.STRING:
            return None
        like = _like(stream)
        stream.end()
        catalog, schema = self._existing_catalog(names[0]), self._existing_schema(*names)
        return (
            'SELECT table_name AS "Table"'  # noqa: S608
            f" FROM {delimited(catalog)}.information_schema.tables"
            f" WHERE table_schema = {_literal(schema)}{_and(like, 'table_name')} ORDER BY 1"
        )

    def _columns(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        if stream.take_any("FROM", "IN") is None:
            stream.mismatched("'FROM'", "'IN'")
        names = [part.name.lower() for part in stream.qualified_name()]
        if stream.take_any("FROM", "IN"):
            names.insert(0, stream.identifier().name.lower())
        like = _like(stream)
        stream.end()
        return self._columns_query(names, like, request)

    def _describe(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        if stream.key in _DETAILS and stream.at_identifier(1):
            return None
        names = [part.name.lower() for part in stream.qualified_name()]
        if stream.token.kind is not Kind.END:
            return None
        return self._columns_query(names, None, request)

    def _columns_query(
        self, names: list[str], like: LikePattern | None, request: ClientRequest
    ) -> str:
        catalog, schema, table = self._full_name(names, request)
        if self._metadata.relation(catalog, schema, table) is None:
            raise _error(
                ErrorCode.TABLE_NOT_FOUND, f"Table '{catalog}.{schema}.{table}' does not exist"
            )
        return (
            'SELECT column_name AS "Column", data_type AS "Type",'  # noqa: S608
            " coalesce(extra_info, '') AS \"Extra\", coalesce(comment, '') AS \"Comment\""
            f" FROM {delimited(catalog)}.information_schema.columns"
            f" WHERE table_schema = {_literal(schema)} AND table_name = {_literal(table)}"
            f"{_and(like, 'column_name')} ORDER BY ordinal_position"
        )

    def _create(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        is_materialized = stream.take("MATERIALIZED")
        what = stream.take_any("TABLE", "VIEW", "SCHEMA")
        if what is None:
            return None
        names = [part.name.lower() for part in stream.qualified_name()]
        stream.end()
        if is_materialized:
            told = ".".join(self._full_name(names, request))
            raise _error(ErrorCode.TABLE_NOT_FOUND, f"Materialized view '{told}' does not exist")
        if what == "SCHEMA":
            text = self._created_schema([request.catalog, *names][-2:])
        else:
            text = self._created(what, self._full_name(names, request))
        column = ResultColumn(f"Create {what.capitalize()}", Varchar(len(text)))
        return LocalResult(columns=(column,), rows=((text,),))

    def _created_schema(self, names: list[str | None]) -> str:
        catalog, schema = self._existing_catalog(names[0]), names[-1] or ""
        if not self._metadata.schema_exists(catalog, schema):
            message = f"Schema '{catalog}.{schema}' does not exist"
            raise _error(ErrorCode.SCHEMA_NOT_FOUND, message)
        return create_schema_text(catalog, schema)

    def _created(self, what: str, name: tuple[str, str, str]) -> str:
        found = self._metadata.relation(*name)
        told = ".".join(name)
        if found is None or found.visible == ():
            message = f"{what.capitalize()} '{told}' does not exist"
            raise _error(ErrorCode.TABLE_NOT_FOUND, message)
        is_view = isinstance(found, ViewInfo)
        if is_view is not (what == "VIEW"):
            kinds = ("view", "table") if is_view else ("table", "view")
            message = f"Relation '{told}' is a {kinds[0]}, not a {kinds[1]}"
            raise _error(ErrorCode.NOT_SUPPORTED, message)
        return (
            create_view_text(name, found)
            if isinstance(found, ViewInfo)
            else create_table_text(name, found)
        )

    def _full_name(self, names: list[str], request: ClientRequest) -> tuple[str, str, str]:
        if len(names) > 3:
            raise _error(ErrorCode.SYNTAX_ERROR, f"Too many dots in table name: {'.'.join(names)}")
        given = [request.catalog, request.schema]
        full = [*given[: 3 - len(names)], *names]
        catalog = self._existing_catalog(full[0])
        return catalog, self._existing_schema(catalog, full[1]), names[-1]

    def _functions(self, stream: StatementTokens, _: ClientRequest) -> Answer:
        # Functions live in no schema of ours: one that is named has none.
        is_global = stream.take_any("FROM", "IN") is None
        if not is_global:
            stream.qualified_name()
        like = _like(stream)
        rows = tuple(
            (
                *(row.name, row.return_type, row.argument_types, row.kind.value),
                *(row.is_deterministic, row.description),
            )
            for row in load_registry().listing()
            if is_global and (like is None or like.matches(row.name))
        )
        stream.end()
        names = ("Function", "Return Type", "Argument Types", "Function Type")
        columns = (
            *_texts(*names),
            ResultColumn("Deterministic", BOOLEAN),
            *_texts("Description"),
        )
        return LocalResult(columns=columns, rows=rows)

    def _session(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        like = _like(stream)
        stream.end()
        rows = tuple(
            (
                name,
                request.session_properties.get(name, found.default),
                found.default,
                found.type_name,
                found.description,
            )
            for name, found in session_properties_by_name().items()
            if not found.is_hidden and (like is None or like.matches(name))
        )
        columns = _texts("Name", "Value", "Default", "Type", "Description")
        return LocalResult(columns=columns, rows=rows)

    def _no_roles(self, stream: StatementTokens, _: ClientRequest) -> Answer:
        if stream.take_any("FROM", "IN"):
            catalog = stream.identifier().name.lower()
            stream.end()
            raise no_roles_in(catalog, self._metadata)
        stream.end()
        return LocalResult(columns=_texts("Role"))

    def _grants_of_roles(self, stream: StatementTokens) -> Answer:
        column = "Role Grants" if stream.advance().key == "ROLE" else "Role"
        stream.advance()
        self._no_roles(stream, _NOBODY)
        return LocalResult(columns=_texts(column))

    def _no_grants(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        if stream.take("ON"):
            stream.take("TABLE")
            self._existing_table(stream, request)
        stream.end()
        return LocalResult(columns=_texts(*_GRANT_COLUMNS))

    def _stats(self, stream: StatementTokens, request: ClientRequest) -> Answer:
        """No statistics are kept: each is NULL, as it is in Trino where it is not known."""
        stream.expect("FOR")
        if stream.take("("):
            sql, place = stream.rest()
            if not sql.endswith(")"):
                stream.mismatched("')'")
        else:
            sql, place = f"SELECT * FROM {self._existing_table(stream, request)} ", START  # noqa: S608
            stream.end()
        with errors_moved(place):
            names = [column.name for column in self._columns_of(sql[:-1])]
        nulls = (None,) * (len(_STATISTICS) - 1)
        rows = tuple((name, *nulls) for name in (*names, None))
        return LocalResult(columns=_STATISTICS, rows=rows)

    def _existing_table(self, stream: StatementTokens, request: ClientRequest) -> str:
        """Read the name of a table or view that exists; its whole name as SQL writes it."""
        name = self._full_name([part.name.lower() for part in stream.qualified_name()], request)
        found = self._metadata.relation(*name)
        if found is None or found.visible == ():
            message = f"Table '{'.'.join(name)}' does not exist"
            raise StatementError(ErrorCode.TABLE_NOT_FOUND, message)
        return ".".join(map(delimited, name))

    def _existing_catalog(self, catalog: str | None) -> str:
        if catalog is None:
            raise _error(
                ErrorCode.MISSING_CATALOG_NAME,
                "Catalog must be specified when session catalog is not set",
            )
        if not self._metadata.catalog_exists(catalog):
            raise _error(ErrorCode.CATALOG_NOT_FOUND, f"Catalog '{catalog}' not found")
        return catalog

    def _existing_schema(self, catalog: str | None, schema: str | None) -> str:
        if schema is None:
            raise _error(
                ErrorCode.MISSING_SCHEMA_NAME,
                "Schema must be specified when session schema is not set",
            )
        assert catalog is not None, "the catalog was looked up first"
        if not self._metadata.schema_exists(catalog, schema):
            raise _error(ErrorCode.SCHEMA_NOT_FOUND, f"Schema '{schema}' does not exist")
        return schema


_SHOWS: Final = {
    "CATALOGS": "_catalogs",
    "COLUMNS": "_columns",
    "CREATE": "_create",
    "DATABASES": "_schemas",
    "FUNCTIONS": "_functions",
    "GRANTS": "_no_grants",
    "ROLES": "_no_roles",
    "SCHEMAS": "_schemas",
    "SESSION": "_session",
    "STATS": "_stats",
    "TABLES": "_tables",
}
"""The word after SHOW, and what reads the rest."""


def _like(stream: StatementTokens) -> LikePattern | None:
    if not stream.take("LIKE"):
        return None
    pattern = stream.string()
    clause = f" LIKE {_literal(pattern)}"
    escape = None
    if stream.take("ESCAPE"):
        escape = stream.string()
        clause += f" ESCAPE {_literal(escape)}"
    return LikePattern(clause, _like_regex(pattern, escape).fullmatch)


def _like_regex(pattern: str, escape: str | None) -> re.Pattern[str]:
    parts = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            parts.append(re.escape(next(characters, "")))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return re.compile("".join(parts), re.DOTALL)


def _where(like: LikePattern | None, column: str) -> str:
    return f" WHERE {column}{like.clause}" if like else ""


def _and(like: LikePattern | None, column: str) -> str:
    return f" AND {column}{like.clause}" if like else ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _texts(*names: str) -> tuple[ResultColumn, ...]:
    return tuple(ResultColumn(name, VARCHAR) for name in names)


def _error(code: ErrorCode, message: str) -> StatementError:
    """Trino places what is wrong with a SHOW at the statement's begin."""
    return StatementError(code, message, line=1, column=1)
