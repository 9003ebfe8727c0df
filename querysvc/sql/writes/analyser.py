"""Checks and types write statements, with Trino's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Session
from querysvc.plan import REJECTS, AnalysedStatement, TableColumn
from querysvc.sql.analyser import analyse_query, check_parameter_count
from querysvc.sql.metadata import MetadataReader, ViewInfo
from querysvc.sql.parser import ParsedStatement
from querysvc.sql.query_syntax import Query
from querysvc.sql.scope import fail
from querysvc.sql.syntax import Identifier
from querysvc.sql.writes import layouts
from querysvc.sql.writes.change_parser import KINDS as CHANGE_KINDS
from querysvc.sql.writes.change_parser import ChangeParser
from querysvc.sql.writes.changes import analyse_change
from querysvc.sql.writes.names import dotted, target_name
from querysvc.sql.writes.optimize import KIND as OPTIMIZE
from querysvc.sql.writes.optimize import OptimizeParser, analyse_optimize
from querysvc.sql.writes.parser import (
    CreateTableAsSyntax,
    InsertSyntax,
    UnloadSyntax,
    WriteParser,
)
from querysvc.sql.writes.properties import (
    WriteProperties,
    checked_location,
    read_table_properties,
    read_unload_properties,
)
from querysvc.sql.writes.queries import inserted, labelled, may_be_inserted, together
from querysvc.types.algebra import UNKNOWN, TrinoType
from querysvc.types.iceberg import stored_type
from querysvc.write_plan import CreateTableAs, InsertInto, Unload, WriteLayout, WriteStatement
from querysvc_catalog.model import TableName

_KINDS: Final = ("CREATE", "INSERT", "UNLOAD")


def is_write(statement: ParsedStatement) -> bool:
    """Whether the statement is a write: INSERT, UNLOAD, or a CREATE TABLE with AS and a query."""
    return statement.kind in (*_KINDS[1:], *CHANGE_KINDS, OPTIMIZE) or is_create_table_as(statement)


def is_create_table_as(statement: ParsedStatement) -> bool:
    """Whether the statement is CREATE TABLE … AS: `AS` at no depth of parentheses."""
    keys = [token.key for token in statement.tokens]
    if keys[:2] != ["CREATE", "TABLE"]:
        return False
    depth = 0
    for key in keys:
        depth += {"(": 1, ")": -1}.get(key, 0)
        if depth == 0 and key == "AS":
            return True
    return False


def check_syntax(statement: ParsedStatement) -> None:
    """SYNTAX_ERROR where a write statement does not fit its grammar; others pass."""
    if statement.kind in CHANGE_KINDS:
        ChangeParser(statement).statement()
    elif statement.kind == OPTIMIZE:
        OptimizeParser(statement).statement()
    elif is_write(statement):
        _read(WriteParser(statement), statement.kind)


def _read(parser: WriteParser, kind: str) -> CreateTableAsSyntax | InsertSyntax | UnloadSyntax:
    if kind == "CREATE":
        return parser.create_table_as()
    return parser.insert() if kind == "INSERT" else parser.unload()


def analyse_write(
    statement: ParsedStatement,
    session: Session,
    metadata: MetadataReader,
    parameters: Sequence[str] = (),
) -> WriteStatement:
    """Check and type a write statement; raises StatementError."""
    if statement.kind in CHANGE_KINDS:
        return analyse_change(statement, session, metadata, parameters)
    if statement.kind == OPTIMIZE:
        return analyse_optimize(statement, session, metadata, parameters)
    return _Analysis(statement, session, metadata, parameters).analyse()


class _Analysis:
    """One statement with what it is read against."""

    def __init__(
        self,
        statement: ParsedStatement,
        session: Session,
        metadata: MetadataReader,
        parameters: Sequence[str],
    ) -> None:
        self._statement = statement
        self._session = session
        self._metadata = metadata
        self._parameters = parameters

    def analyse(self) -> WriteStatement:
        parser = WriteParser(self._statement)
        node = _read(parser, self._statement.kind)
        if isinstance(node, CreateTableAsSyntax):
            return self._create_table_as(node, parser)
        if isinstance(node, InsertSyntax):
            return self._insert(node, parser)
        return self._unload(node, parser)

    def _query(self, query: Query, parser: WriteParser) -> AnalysedStatement:
        check_parameter_count(len(self._parameters), parser.parameters)
        return analyse_query(query, self._session, self._metadata, self._parameters)

    # CREATE TABLE AS.

    def _create_table_as(self, node: CreateTableAsSyntax, parser: WriteParser) -> CreateTableAs:
        table = target_name(node.name, self._session)
        self._check_schema(table)
        found = self._metadata.relation(table.catalog_name, table.database_name, table.name)
        # What may not be read is told alike whether or not it exists: creating it will tell.
        is_told = found is not None and found.visible != ()
        if is_told and not node.if_not_exists:
            raise self._fail(
                ErrorCode.TABLE_ALREADY_EXISTS,
                f"Destination table '{dotted(table)}' already exists",
            )
        properties = read_table_properties(node.properties, table.catalog_name)
        query = self._query(node.query, parser)
        names = self._column_names(node.aliases, query)
        columns = [(name, column.type) for name, column in zip(names, query.columns, strict=True)]
        iceberg = properties.new_iceberg_table()
        typed = labelled(query, names)
        if iceberg is not None:
            columns = [(name, stored_type(type_)) for name, type_ in columns]
            layout = layouts.iceberg_layout(columns)
            wanted = [TableColumn(*column) for column in columns]
            typed, _ = inserted(typed, wanted, range(len(wanted)))
        else:
            layout = self._layout(columns, properties)
            layouts.check_json(layout)
        return CreateTableAs(
            table=table,
            query=together(typed, layout.partition_keys),
            layout=layout,
            external_location=properties.external_location,
            comment=node.comment,
            if_not_exists=node.if_not_exists,
            with_data=node.with_data,
            iceberg=iceberg,
        )

    def _column_names(
        self, aliases: Sequence[Identifier] | None, query: AnalysedStatement
    ) -> list[str]:
        fields = query.query.output
        if aliases is not None:
            if len(aliases) != len(fields):
                raise fail(
                    ErrorCode.MISMATCHED_COLUMN_ALIASES,
                    aliases[0],
                    f"Column alias list has {len(aliases)} entries but relation has"
                    f" {len(fields)} columns",
                )
            named: list[str | None] = [alias.name for alias in aliases]
        else:
            named = [field.name for field in fields]
        names: list[str] = []
        for position, (name, field) in enumerate(zip(named, fields, strict=True), 1):
            if name is None:
                raise self._fail(
                    ErrorCode.MISSING_COLUMN_NAME,
                    f"Column name not specified at position {position}",
                )
            lowered = name.lower()
            if lowered in names:
                raise self._fail(
                    ErrorCode.DUPLICATE_COLUMN_NAME,
                    f"Column name '{lowered}' specified more than once",
                )
            if field.type == UNKNOWN:
                raise self._fail(ErrorCode.COLUMN_TYPE_UNKNOWN, f"Column type is unknown: {name}")
            names.append(lowered)
        return names

    def _layout(
        self, columns: list[tuple[str, TrinoType]], properties: WriteProperties
    ) -> WriteLayout:
        layout = layouts.new_layout(columns, properties.file_format(), properties.partitioned_by)
        return layouts.with_buckets(layout, properties.buckets())

    # INSERT.

    def _insert(self, node: InsertSyntax, parser: WriteParser) -> InsertInto:
        name = target_name(node.name, self._session)
        found = self._metadata.relation(name.catalog_name, name.database_name, name.name)
        if found is None:
            raise self._fail(ErrorCode.TABLE_NOT_FOUND, f"Table '{dotted(name)}' does not exist")
        if isinstance(found, ViewInfo):
            raise self._fail(ErrorCode.NOT_SUPPORTED, "Inserting into views is not supported")
        if found.table.table_type == REJECTS:
            raise self._fail(ErrorCode.NOT_SUPPORTED, "Inserting into rejects is not supported")
        visible = [column for column in found.columns if not column.is_hidden]
        layout = layouts.table_layout(found.table, visible)
        chosen = self._insert_columns(node, visible)
        query = self._query(node.query, parser)
        wanted = [visible[index].type for index in chosen]
        self._check_types(wanted, [column.type for column in query.columns])
        typed, sources = inserted(query, visible, chosen)
        return InsertInto(
            table=found.table,
            query=together(typed, layout.partition_keys),
            layout=layouts.with_sources(layout, sources),
        )

    def _insert_columns(self, node: InsertSyntax, columns: Sequence[TableColumn]) -> list[int]:
        """The indexes of the table's columns that the query's columns go to, in its order."""
        if node.columns is None:
            return list(range(len(columns)))
        positions = {column.name: index for index, column in enumerate(columns)}
        chosen: list[int] = []
        for identifier in node.columns:
            name = identifier.name.lower()
            if name not in positions:
                raise self._fail(
                    ErrorCode.COLUMN_NOT_FOUND,
                    f"Insert column name does not exist in target table: {name}",
                )
            if positions[name] in chosen:
                raise self._fail(
                    ErrorCode.DUPLICATE_COLUMN_NAME,
                    f"Insert column name is specified more than once: {name}",
                )
            chosen.append(positions[name])
        return chosen

    def _check_types(self, table: Sequence[TrinoType], query: Sequence[TrinoType]) -> None:
        fits = len(table) == len(query) and all(map(may_be_inserted, query, table))
        if not fits:
            raise self._fail(
                ErrorCode.TYPE_MISMATCH,
                "Insert query has mismatched column types:"
                f" Table: [{', '.join(map(str, table))}], Query: [{', '.join(map(str, query))}]",
            )

    # UNLOAD.

    def _unload(self, node: UnloadSyntax, parser: WriteParser) -> Unload:
        properties = read_unload_properties(node.properties)
        location = checked_location(node.location)
        query = self._query(node.query, parser)
        names = self._column_names(None, query)
        columns = [(name, column.type) for name, column in zip(names, query.columns, strict=True)]
        layout = self._layout(columns, properties)
        return Unload(location, together(query, layout.partition_keys), layout)

    # Names.

    def _check_schema(self, table: TableName) -> None:
        if not self._metadata.catalog_exists(table.catalog_name):
            raise self._fail(
                ErrorCode.CATALOG_NOT_FOUND, f"Catalog '{table.catalog_name}' not found"
            )
        if not self._metadata.schema_exists(table.catalog_name, table.database_name):
            raise self._fail(
                ErrorCode.SCHEMA_NOT_FOUND, f"Schema '{table.database_name}' does not exist"
            )

    def _fail(self, code: ErrorCode, message: str) -> StatementError:
        """An error of the whole statement, which Trino places at its first word."""
        first = self._statement.tokens[0]
        return StatementError(code, message, line=first.line, column=first.column)
