"""The public entry: a statement's text, checked and typed against a session and the catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn, Session
from querysvc.plan import AnalysedStatement, TableReference
from querysvc.sql.constraints import TableConstraint, statement_needs
from querysvc.sql.context import AnalysisContext
from querysvc.sql.expressions.analyser import Analyser
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.parser import QUERY, ParsedStatement, parse, parse_parameter
from querysvc.sql.queries import QueryAnalyser
from querysvc.sql.query_syntax import Query
from querysvc.sql.scope import Scope
from querysvc.sql.token_stream import deep_recursion


def analyse(
    statement: str | ParsedStatement,
    session: Session,
    metadata: MetadataReader,
    parameters: Sequence[str] = (),
) -> AnalysedStatement:
    """Check and type a query; `parameters` are the SQL expressions given for its `?`.

    Raises StatementError with Trino's name, message, line and column.
    """
    parsed = parse(statement) if isinstance(statement, str) else statement
    if parsed.query is None or parsed.kind != QUERY:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"{parsed.kind} is not a query", line=1, column=1
        )
    check_parameter_count(len(parameters), parsed.parameters)
    return analyse_query(parsed.query, session, metadata, parameters)


def check_parameter_count(given: int, wanted: int) -> None:
    """INVALID_PARAMETER_USAGE unless every `?` has its value."""
    if given != wanted:
        raise StatementError(
            ErrorCode.INVALID_PARAMETER_USAGE,
            f"Incorrect number of parameters: expected {wanted} but found {given}",
            line=1,
            column=1,
        )


def analyse_query(
    query: Query,
    session: Session,
    metadata: MetadataReader,
    parameters: Sequence[str | None] = (),
    *,
    replaced_view: tuple[str, str, str] | None = None,
) -> AnalysedStatement:
    """Check and type a parsed query, such as that of a CREATE TABLE AS.

    A parameter that is None is typed by where it stands (see sql/parameters.py): such a statement
    can be described and not run.
    """
    context = analysis_context(session, metadata, parameters, replaced_view=replaced_view)
    return analyse_with(lambda queries: queries.analyse(query, Scope()), context)


def analysis_context(
    session: Session,
    metadata: MetadataReader,
    parameters: Sequence[str | None] = (),
    *,
    replaced_view: tuple[str, str, str] | None = None,
) -> AnalysisContext:
    """The state of a new analysis."""
    return AnalysisContext(
        session,
        metadata,
        tuple(None if text is None else parse_parameter(text) for text in parameters),
        replaced_view=replaced_view,
    )


def analyse_with(
    build: Callable[[QueryAnalyser], tree.Query], context: AnalysisContext
) -> AnalysedStatement:
    """Check and type a statement whose query is built of parsed parts; it may be built twice."""
    with deep_recursion():
        return _analysed(build, context)


def _analysed(
    build: Callable[[QueryAnalyser], tree.Query], context: AnalysisContext
) -> AnalysedStatement:
    queries = QueryAnalyser(context, Analyser(context))
    context.analyse_query = queries.analyse
    typed = build(queries)
    needs = statement_needs(typed, [use.info.columns for use in context.tables])
    if not needs.unused_ctes:
        return _statement(context, typed, needs.tables)
    # Checked they are now; without them, their tables are neither listed nor guarded nor read.
    unused = frozenset(id(context.with_queries[cte]) for cte in needs.unused_ctes)
    again = AnalysisContext(
        context.session,
        context.metadata,
        context.parameters,
        views=context.views,
        row_filters=context.row_filters,
        relations=context.relations,
        replaced_view=context.replaced_view,
        skipped=context.skipped | unused,
    )
    return _analysed(build, again)


def _statement(
    context: AnalysisContext, query: tree.Query, constraints: tuple[TableConstraint, ...]
) -> AnalysedStatement:
    tables = tuple(
        TableReference(
            use.catalog,
            use.database,
            use.info.table,
            use.info.columns,
            constraint.used_columns,
            constraint.domains,
            constraint.partition_predicate,
            use.info.generation,
            use.info.snapshot_id,
        )
        for use, constraint in zip(context.tables, constraints, strict=True)
    )
    columns = tuple(
        ResultColumn(f"_col{index}" if field.name is None else field.name, field.type)
        for index, field in enumerate(query.output)
    )
    return AnalysedStatement(
        query,
        tables,
        columns,
        is_deterministic=context.is_deterministic,
        hides_rows=bool(context.row_filters),
        warnings=tuple(context.warnings),
    )
