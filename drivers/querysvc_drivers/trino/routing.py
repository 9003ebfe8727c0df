"""From a client's request to what is to be done: a submission to the core, or an answer at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Principal, QuerySubmission, ResultColumn, Session
from querysvc.service.queries import QueryService
from querysvc.service.work_groups import PRIMARY
from querysvc.sql.lexer import Kind
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.positions import START, Place, errors_moved
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_drivers.trino import session_properties as properties
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.session_statements import (
    Classify,
    LocalResult,
    SessionStatements,
    prepared_name,
    prepared_text,
)
from querysvc_drivers.trino.show_statements import ShowStatements
from querysvc_drivers.trino.statement_tokens import StatementTokens, first_word

_WORK_GROUP_TAG: Final = "work_group="
_SESSION_WORDS: Final = frozenset(
    {"USE", "SET", "RESET", "PREPARE", "DEALLOCATE", "START", "COMMIT", "ROLLBACK"}
)
_SHOW_WORDS: Final = frozenset({"SHOW", "DESCRIBE", "DESC"})
_WRITE_WORDS: Final = frozenset(
    {
        *("ALTER", "ANALYZE", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "MSCK", "OPTIMIZE"),
        *("TRUNCATE", "UNLOAD", "UPDATE", "VACUUM"),
    }
)
_UNBOUND: Final = "NULL"
"""What stands for `?` while a prepared statement is described, as its type is not known."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A statement for the core; its errors are told from `place` on."""

    query: QuerySubmission
    place: Place = START


class StatementRouting:
    """Decides what a client's statement is."""

    def __init__(self, queries: QueryService, metadata: MetadataReader, classify: Classify) -> None:
        self._queries = queries
        self._session_statements = SessionStatements(metadata, classify)
        self._show_statements = ShowStatements(metadata)

    def route(self, request: ClientRequest, principal: Principal) -> Submission | LocalResult:
        """What to do with the request; raises the statement's error."""
        properties.checked_properties(request.session_properties)
        return self._route(request, principal, (), START)

    def _route(
        self,
        request: ClientRequest,
        principal: Principal,
        parameters: tuple[str, ...],
        place: Place,
    ) -> Submission | LocalResult:
        word = first_word(request.sql)
        if word in _WRITE_WORDS and request.is_in_transaction:
            raise StatementError(
                ErrorCode.AUTOCOMMIT_WRITE_CONFLICT,
                "Catalog only supports writes using autocommit: commit or roll back first",
            )
        if word in _SESSION_WORDS:
            answer = self._session_statements.answer(StatementTokens(request.sql), request)
            if answer is not None:
                return answer
        if word in _SHOW_WORDS:
            return self._show(request, principal, parameters, place)
        if word == "EXECUTE":
            return self._execute(StatementTokens(request.sql), request, principal)
        return Submission(submission(request, principal, parameters), place)

    def _show(
        self,
        request: ClientRequest,
        principal: Principal,
        parameters: tuple[str, ...],
        place: Place,
    ) -> Submission | LocalResult:
        stream = StatementTokens(request.sql)
        if stream.at("DESCRIBE", "INPUT") and stream.at_identifier(2):
            return self._describe_input(stream, request)
        if stream.at("DESCRIBE", "OUTPUT") and stream.at_identifier(2):
            return self._describe_output(stream, request, principal)
        answer = self._show_statements.answer(stream, request)
        if isinstance(answer, LocalResult):
            return answer
        if answer is not None:
            request = dataclasses.replace(request, sql=answer)
        return Submission(submission(request, principal, parameters), place)

    def _execute(
        self, stream: StatementTokens, request: ClientRequest, principal: Principal
    ) -> Submission | LocalResult:
        stream.expect("EXECUTE")
        place = START
        if stream.take("IMMEDIATE"):
            token = stream.token
            # The first character after the quote is where the statement's own text begins.
            place = Place(token.line, token.column + 1)
            sql = stream.string()
        else:
            sql = prepared_text(prepared_name(stream), request)
        parameters = stream.expressions() if stream.take("USING") else ()
        stream.end()
        if first_word(sql) in ("EXECUTE", "PREPARE", "DEALLOCATE"):
            raise StatementError(
                ErrorCode.NOT_SUPPORTED,
                f"Invalid statement type for prepared statement: {first_word(sql)}",
            )
        with errors_moved(place):
            inner = dataclasses.replace(request, sql=sql)
            return self._route(inner, principal, parameters, place)

    def _describe_input(self, stream: StatementTokens, request: ClientRequest) -> LocalResult:
        stream.expect("DESCRIBE", "INPUT")
        sql = prepared_text(prepared_name(stream), request)
        stream.end()
        columns = (
            ResultColumn("Position", algebra.BIGINT),
            ResultColumn("Type", algebra.VARCHAR),
        )
        rows = tuple((index, "unknown") for index in range(parameter_count(sql)))
        return LocalResult(columns=columns, rows=rows)

    def _describe_output(
        self, stream: StatementTokens, request: ClientRequest, principal: Principal
    ) -> LocalResult:
        stream.expect("DESCRIBE", "OUTPUT")
        sql = prepared_text(prepared_name(stream), request)
        stream.end()
        inner = dataclasses.replace(request, sql=sql)
        columns = self._output_columns(inner, principal)
        names = ("Column Name", "Catalog", "Schema", "Table", "Type")
        return LocalResult(
            columns=(
                *(ResultColumn(name, algebra.VARCHAR) for name in names),
                ResultColumn("Type Size", algebra.INTEGER),
                ResultColumn("Aliased", algebra.BOOLEAN),
            ),
            rows=tuple(
                (column.name, "", "", "", column.type.wire_name, _size(column.type), False)
                for column in columns
            ),
        )

    def _output_columns(
        self, request: ClientRequest, principal: Principal
    ) -> tuple[ResultColumn, ...]:
        unbound = (_UNBOUND,) * parameter_count(request.sql)
        routed = self._route(request, principal, unbound, START)
        if isinstance(routed, LocalResult):
            return routed.columns
        return self._queries.validate(routed.query, principal).columns


def submission(
    request: ClientRequest, principal: Principal, parameters: tuple[str, ...] = ()
) -> QuerySubmission:
    """The core's form of a request."""
    own = request.session_properties
    zone = own.get(properties.TIME_ZONE) or request.time_zone or "UTC"
    defaults = Session()
    session = Session(
        catalog=(request.catalog or defaults.catalog).lower(),
        database=(request.schema or defaults.database).lower(),
        time_zone=properties.checked_time_zone(zone),
        # The core takes it from an administrator only; others are who their key says.
        user=request.user or principal.name,
        source=request.source,
        client_tags=request.client_tags,
        properties=own,
    )
    reuse = int(own.get(properties.REUSE_MINUTES, "0"))
    return QuerySubmission(
        sql=request.sql,
        session=session,
        work_group=_work_group(own, request.client_tags),
        execution_parameters=parameters,
        result_reuse_age_max_minutes=reuse or None,
        timeout_seconds=properties.timeout_seconds(own),
    )


def parameter_count(sql: str) -> int:
    """How many `?` a statement has."""
    stream = StatementTokens(sql)
    count = 0
    while stream.token.kind is not Kind.END:
        count += stream.advance().key == "?"
    return count


def _work_group(own: Mapping[str, str], client_tags: tuple[str, ...]) -> str:
    named = own.get(properties.WORK_GROUP)
    tags = (tag for tag in client_tags if tag.startswith(_WORK_GROUP_TAG))
    return named or next(tags, "").removeprefix(_WORK_GROUP_TAG) or PRIMARY


_SIZES: Final[Mapping[TrinoType, int]] = {
    algebra.BOOLEAN: 1,
    algebra.TINYINT: 1,
    algebra.SMALLINT: 2,
    algebra.INTEGER: 4,
    algebra.REAL: 4,
    algebra.DATE: 4,
    algebra.INTERVAL_YEAR_TO_MONTH: 4,
    algebra.BIGINT: 8,
    algebra.DOUBLE: 8,
    algebra.INTERVAL_DAY_TO_SECOND: 8,
    algebra.UNKNOWN: 1,
}


def _size(type_: TrinoType) -> int:
    """The bytes of a fixed-width type as Trino keeps it, 0 for others."""
    match type_:
        case algebra.Decimal(precision):
            return 8 if precision <= 18 else 16
        case algebra.Time() | algebra.TimeTz():
            return 8
        case algebra.Timestamp(precision):
            return 8 if precision <= 6 else 16
        case algebra.TimestampTz(precision):
            return 8 if precision <= 3 else 16
    return _SIZES.get(type_, 0)
