"""From a client's request to what is to be done: a submission to the core, or an answer at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Principal, QuerySubmission, ResultColumn, Session
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.prepared import UNBOUND, input_description, output_description
from querysvc.service.queries import QueryService
from querysvc.service.work_groups import PRIMARY
from querysvc.sql.description import ParameterDescription
from querysvc.sql.lexer import tokenize
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.positions import START, Place, errors_moved
from querysvc.sql.prepared import (
    WRITE_WORDS,
    DescribePrepared,
    StatementTokens,
    check_prepared,
    first_word,
    parameter_count,
    read_describe,
    read_execute,
)
from querysvc_drivers.trino import session_properties as properties
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.procedures import call_procedure
from querysvc_drivers.trino.schema_statements import in_its_catalog
from querysvc_drivers.trino.session_statements import (
    Classify,
    LocalResult,
    SessionStatements,
    check_path,
    prepared_text,
)
from querysvc_drivers.trino.show_statements import ShowStatements
from querysvc_drivers.trino.transactions import AbortedTransactions

_WORK_GROUP_TAG: Final = "work_group="
_SESSION_WORDS: Final = frozenset(
    {"USE", "SET", "RESET", "PREPARE", "DEALLOCATE", "START", "COMMIT", "ROLLBACK"}
)
_SCHEMA_WORDS: Final = frozenset({"CREATE", "ALTER", "DROP"})
_SHOW_WORDS: Final = frozenset({"SHOW", "DESCRIBE", "DESC"})


@dataclass(frozen=True, slots=True)
class Submission:
    """A statement for the core; its errors are told from `place` on."""

    query: QuerySubmission
    place: Place = START


class StatementRouting:
    """Decides what a client's statement is."""

    def __init__(
        self,
        queries: QueryService,
        metadata_of: Callable[[Principal], MetadataReader],
        classify: Classify,
        parameter_types: ParameterTypes,
    ) -> None:
        self._queries = queries
        self._parameter_types = parameter_types
        self._metadata_of = metadata_of
        self._classify = classify
        self._aborted = AbortedTransactions()

    def route(self, request: ClientRequest, principal: Principal) -> Submission | LocalResult:
        """What to do with the request; raises the statement's error."""
        self._aborted.check(request, first_word(request.sql))
        self._check_session(request, principal)
        return self._route(request, principal, (), START)

    def failed(self, request: ClientRequest) -> None:
        """Take note that the request's statement has failed: so has the transaction around it."""
        self._aborted.add(request)

    def _check_session(self, request: ClientRequest, principal: Principal) -> None:
        if request.path is not None:
            check_path(request.path)
        own = request.session_properties
        catalogs = {name.partition(".")[0] for name in own if "." in name}
        metadata = self._metadata_of(principal) if catalogs else None
        for catalog in sorted(catalogs):
            if metadata is not None and not metadata.catalog_exists(catalog):
                message = f"Catalog '{catalog}' not found"
                raise StatementError(ErrorCode.CATALOG_NOT_FOUND, message)
        properties.checked_properties(own)

    def _route(
        self,
        request: ClientRequest,
        principal: Principal,
        parameters: tuple[str, ...],
        place: Place,
    ) -> Submission | LocalResult:
        word = first_word(request.sql)
        if word in WRITE_WORDS and request.is_in_transaction:
            raise StatementError(
                ErrorCode.AUTOCOMMIT_WRITE_CONFLICT,
                "Catalog only supports writes using autocommit: commit or roll back first",
            )
        if word in _SESSION_WORDS:
            statements = SessionStatements(self._metadata_of(principal), self._classify)
            answer = statements.answer(StatementTokens(request.sql), request)
            if answer is not None:
                return answer
        if word in _SHOW_WORDS:
            return self._show(request, principal, parameters, place)
        if word == "EXECUTE":
            return self._execute(request, principal)
        if word == "CALL":
            stream = StatementTokens(request.sql)
            return call_procedure(stream, request, self._queries, principal)
        _refuse_semicolon(request.sql)
        if word in _SCHEMA_WORDS:
            request = in_its_catalog(request, self._metadata_of(principal))
        return Submission(submission(request, principal, parameters), place)

    def _show(
        self,
        request: ClientRequest,
        principal: Principal,
        parameters: tuple[str, ...],
        place: Place,
    ) -> Submission | LocalResult:
        about_prepared = read_describe(request.sql)
        if about_prepared is not None:
            return self._describe_prepared(about_prepared, request, principal)
        statements = ShowStatements(
            self._metadata_of(principal),
            lambda sql: (
                self._queries.validate(
                    submission(dataclasses.replace(request, sql=sql), principal, parameters),
                    principal,
                ).columns
            ),
        )
        answer = statements.answer(StatementTokens(request.sql), request)
        if isinstance(answer, LocalResult):
            return answer
        if answer is not None:
            request = dataclasses.replace(request, sql=answer)
        return Submission(submission(request, principal, parameters), place)

    def _execute(self, request: ClientRequest, principal: Principal) -> Submission | LocalResult:
        statement = read_execute(request.sql)
        sql = statement.sql
        if sql is None:
            assert statement.name is not None, "EXECUTE names a statement or gives its text"
            sql = prepared_text(statement.name, request)
            check_prepared(sql)
        with errors_moved(statement.place):
            inner = dataclasses.replace(request, sql=sql)
            return self._route(inner, principal, statement.parameters or (), statement.place)

    def _describe_prepared(
        self, statement: DescribePrepared, request: ClientRequest, principal: Principal
    ) -> LocalResult:
        sql = prepared_text(statement.name, request)
        inner = dataclasses.replace(request, sql=sql)
        unbound = (UNBOUND,) * parameter_count(sql)
        routed = self._route(inner, principal, unbound, START)
        if isinstance(routed, LocalResult):
            found = ParameterDescription((), routed.columns)
        else:
            found = self._parameter_types.describe(routed.query, principal, ())
        if statement.is_input:
            return LocalResult(None, (), *input_description(sql, found.parameters))
        columns = self._columns(routed, principal) if found.columns is None else found.columns
        return LocalResult(None, (), *output_description(columns, found.origins))

    def _columns(
        self, routed: Submission | LocalResult, principal: Principal
    ) -> tuple[ResultColumn, ...]:
        """The columns of a statement that is no query."""
        if isinstance(routed, LocalResult):
            return routed.columns
        return self._queries.validate(routed.query, principal).columns


def _refuse_semicolon(sql: str) -> None:
    """The core takes a trailing semicolon, as Athena does; Trino's clients take it off."""
    if not sql.rstrip().endswith(";"):
        return
    last = tokenize(sql)[-2]
    if last.key == ";":  # and no comment's end
        message = "mismatched input ';'. Expecting: <EOF>"
        raise StatementError(ErrorCode.SYNTAX_ERROR, message, line=last.line, column=last.column)


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
        properties=own if request.path is None else {**own, "path": request.path},
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


def _work_group(own: Mapping[str, str], client_tags: tuple[str, ...]) -> str:
    named = own.get(properties.WORK_GROUP)
    tags = (tag for tag in client_tags if tag.startswith(_WORK_GROUP_TAG))
    return named or next(tags, "").removeprefix(_WORK_GROUP_TAG) or PRIMARY
