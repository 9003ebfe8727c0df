"""What the gate does: tell what kind of statement a text is, in Athena's terms, and analyse it.

Athena counts CREATE TABLE AS SELECT as DDL, UNLOAD as DML, and EXPLAIN, SHOW and DESCRIBE as
UTILITY; clients decide by this whether a result has a header row and an update count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from querysvc.model import Session, StatementType
from querysvc.plan import AnalysedStatement
from querysvc.sql.analyser import analyse as analyse_query
from querysvc.sql.create_view import checked_view
from querysvc.sql.ddl import Statement, parse_ddl
from querysvc.sql.ddl.statements import CreateView
from querysvc.sql.explain import Explain, read_explain
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.parser import QUERY, parse
from querysvc.sql.positions import errors_moved
from querysvc.sql.prepared import (
    Deallocate,
    DescribePrepared,
    Prepare,
    read_deallocate,
    read_describe,
    read_prepare,
)
from querysvc.sql.writes import analyse_write, check_syntax, is_create_table_as, is_write
from querysvc.write_plan import WriteStatement

_DML, _DDL, _UTILITY = StatementType.DML, StatementType.DDL, StatementType.UTILITY

Kind = tuple[StatementType, str]

# The longest that fits wins: longer ones stand first.
_BY_WORDS: tuple[tuple[tuple[str, ...], Kind], ...] = (
    (("ALTER", "DATABASE"), (_DDL, "ALTER_DATABASE")),
    (("ALTER", "SCHEMA"), (_DDL, "ALTER_DATABASE")),
    (("ALTER", "VIEW"), (_DDL, "ALTER_VIEW")),
    (("ALTER",), (_DDL, "ALTER_TABLE")),
    (("CREATE", "DATABASE"), (_DDL, "CREATE_DATABASE")),
    (("CREATE", "SCHEMA"), (_DDL, "CREATE_DATABASE")),
    (("CREATE", "OR", "REPLACE", "VIEW"), (_DDL, "CREATE_VIEW")),
    (("CREATE", "VIEW"), (_DDL, "CREATE_VIEW")),
    (("CREATE",), (_DDL, "CREATE_TABLE")),
    (("DEALLOCATE",), (_UTILITY, "DEALLOCATE")),
    (("DELETE",), (_DML, "DELETE")),
    (("DESC",), (_UTILITY, "DESCRIBE")),
    (("DESCRIBE",), (_UTILITY, "DESCRIBE")),
    (("DROP", "DATABASE"), (_DDL, "DROP_DATABASE")),
    (("DROP", "SCHEMA"), (_DDL, "DROP_DATABASE")),
    (("DROP", "VIEW"), (_DDL, "DROP_VIEW")),
    (("DROP",), (_DDL, "DROP_TABLE")),
    (("EXECUTE",), (_DML, "EXECUTE")),
    (("EXPLAIN",), (_UTILITY, "EXPLAIN")),
    (("INSERT",), (_DML, "INSERT")),
    (("MERGE",), (_DML, "MERGE")),
    (("MSCK",), (_DDL, "MSCK_REPAIR_TABLE")),
    (("OPTIMIZE",), (_DDL, "OPTIMIZE")),
    (("PREPARE",), (_DDL, "PREPARE")),
    (("SHOW", "COLUMNS"), (_UTILITY, "SHOW_COLUMNS")),
    (("SHOW", "CREATE", "TABLE"), (_UTILITY, "SHOW_CREATE_TABLE")),
    (("SHOW", "CREATE", "VIEW"), (_UTILITY, "SHOW_CREATE_VIEW")),
    (("SHOW", "DATABASES"), (_UTILITY, "SHOW_DATABASES")),
    (("SHOW", "SCHEMAS"), (_UTILITY, "SHOW_DATABASES")),
    (("SHOW", "PARTITIONS"), (_UTILITY, "SHOW_PARTITIONS")),
    (("SHOW", "TABLES"), (_UTILITY, "SHOW_TABLES")),
    (("SHOW", "TBLPROPERTIES"), (_UTILITY, "SHOW_TBLPROPERTIES")),
    (("SHOW", "VIEWS"), (_UTILITY, "SHOW_VIEWS")),
    (("SHOW",), (_UTILITY, "SHOW")),
    (("UNLOAD",), (_DML, "UNLOAD")),
    (("UPDATE",), (_DML, "UPDATE")),
    (("USING",), (_DML, "SELECT")),
    (("VACUUM",), (_DDL, "VACUUM")),
)
_CTAS: Kind = (_DDL, "CREATE_TABLE_AS_SELECT")


def classify(sql: str) -> Kind:
    """The statement's type and subtype; SYNTAX_ERROR when the text is no statement."""
    statement = parse(sql)
    if statement.kind == QUERY:
        return _DML, "SELECT"
    check_syntax(statement)
    words = tuple(token.key for token in statement.tokens[:5])
    for start, kind in _BY_WORDS:
        if words[: len(start)] == start:
            return _CTAS if is_create_table_as(statement) else kind
    return _UTILITY, statement.kind


def analyse(
    sql: str, session: Session, metadata: MetadataReader, parameters: tuple[str, ...]
) -> AnalysedStatement | WriteStatement | Statement | Prepared | Explain:
    """The checked query or write, or the typed DDL or utility statement."""
    parsed = parse(sql)
    if parsed.kind == QUERY:
        return analyse_query(parsed, session, metadata, parameters)
    if is_write(parsed):
        return analyse_write(parsed, session, metadata, parameters)
    if parsed.kind == "EXPLAIN":
        return _explain(sql, session, metadata, parameters)
    read = _ON_PREPARED.get(parsed.kind)
    about_prepared = None if read is None else read(sql)
    if about_prepared is not None:
        return about_prepared
    statement = parse_ddl(parsed)
    if isinstance(statement, CreateView):
        return checked_view(statement, session, metadata)
    return statement


def _explain(
    sql: str, session: Session, metadata: MetadataReader, parameters: tuple[str, ...]
) -> Explain:
    options = read_explain(sql)
    with errors_moved(options.place):
        return Explain(options, analyse(options.sql, session, metadata, parameters))


def _prepare(sql: str) -> Prepare:
    statement = read_prepare(sql)
    with errors_moved(statement.place):
        classify(statement.sql)
    return statement


Prepared = Prepare | Deallocate | DescribePrepared

_ON_PREPARED: Final[Mapping[str, Callable[[str], Prepared | None]]] = {
    "PREPARE": _prepare,
    "DEALLOCATE": read_deallocate,
    "DESC": read_describe,
    "DESCRIBE": read_describe,
}
