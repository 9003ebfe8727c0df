"""Turning a submission into a stored query: token, admission, classification, configuration."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import (
    Principal,
    QueryExecution,
    QueryState,
    QuerySubmission,
    ResultConfiguration,
    StatementType,
)
from querysvc.results.files import text_suffix
from querysvc.service.access import Access
from querysvc.service.admission import Admission, lowest
from querysvc.service.clock import Clock
from querysvc.service.gate import Gate
from querysvc.service.permissions import is_admin, require_work_group
from querysvc.service.prepared import PreparedStatements
from querysvc.service.work_groups import (
    WorkGroupService,
    check_output_location,
    effective_configuration,
)
from querysvc.sql.positions import errors_moved
from querysvc.state.codec import dumps, to_document
from querysvc.state.repository import QueryRepository, SubmissionTerms
from querysvc.state.rules import idempotency_mismatch
from querysvc.state.values import WorkGroup


class Submitter:
    """Stores queries that are taken."""

    def __init__(
        self,
        queries: QueryRepository,
        groups: WorkGroupService,
        gate: Gate,
        admission: Admission,
        *,
        prepared: PreparedStatements,
        clock: Clock,
        access_of: Callable[[Principal], Access],
    ) -> None:
        self._access_of = access_of
        self._prepared = prepared
        self._queries = queries
        self._groups = groups
        self._gate = gate
        self._admission = admission
        self._clock = clock

    def submit(
        self, submission: QuerySubmission, principal: Principal, query_id: str
    ) -> QueryExecution:
        """Store the query under the id, or give the one that its client token names."""
        self._admission.check_request(submission)
        work_group = self._groups.get(submission.work_group)
        require_work_group(principal, work_group.name)
        # Only a token that comes again is compared.
        mark = "" if submission.client_request_token is None else fingerprint(submission)
        known = self._known(submission, principal, mark)
        if known is not None:
            return known
        configuration = effective_configuration(work_group, submission.result_configuration)
        check_output_location(configuration.output_location)
        self._require_location(configuration, work_group, principal)
        if submission.requires_output_location and not work_group.managed_results_enabled:
            _require_output(configuration)
        # A syntax error costs no place in the queue, but it costs the gate: the rate comes first.
        key = self._admission.key_limits(principal)
        self._admission.check_load(work_group, principal, key)
        bound = self._prepared.bound(
            submission.sql, submission.execution_parameters, work_group.name, principal
        )
        with errors_moved(bound.place):
            statement_type, substatement_type = self._gate.classify(bound.sql)
        now = self._clock.now()
        session = dataclasses.replace(
            submission.session,
            started_at=submission.session.started_at or now,
            user=session_user(submission, principal),
        )
        execution = QueryExecution(
            id=query_id,
            sql=submission.sql,
            session=session,
            work_group=work_group.name,
            principal=principal.name,
            state=QueryState.QUEUED,
            submitted_at=now,
            statement_type=statement_type,
            substatement_type=substatement_type,
            execution_parameters=submission.execution_parameters,
            result_configuration=configuration,
            output_location=_output(configuration, query_id, (statement_type, substatement_type)),
            client_request_token=submission.client_request_token,
            result_reuse_age_max_minutes=submission.result_reuse_age_max_minutes,
        )
        terms = SubmissionTerms(
            roles=principal.roles,
            timeout_seconds=submission.timeout_seconds,
            running_per_user_max=lowest(work_group.limits.running_per_user_max, key.running_max),
        )
        return self._queries.add(execution, terms, fingerprint=mark)

    def _require_location(
        self, configuration: ResultConfiguration, work_group: WorkGroup, principal: Principal
    ) -> None:
        """Where the work group puts results anybody's may go; elsewhere needs a grant."""
        location = configuration.output_location
        if location not in (None, work_group.result_configuration.output_location):
            self._access_of(principal).require_locations((location,))

    def _known(
        self, submission: QuerySubmission, principal: Principal, mark: str
    ) -> QueryExecution | None:
        token = submission.client_request_token
        found = None if token is None else self._queries.find_token(principal.name, token)
        if found is None:
            return None
        query_id, stored = found
        if stored != mark:
            raise idempotency_mismatch()
        return self._queries.get(query_id)


def fingerprint(submission: QuerySubmission) -> str:
    """What must be the same for a client token to mean the same submission."""
    session = dataclasses.replace(submission.session, started_at=None)
    told = dataclasses.replace(submission, session=session, client_request_token=None)
    return hashlib.sha256(dumps(to_document(told), sort_keys=True).encode()).hexdigest()


def session_user(submission: QuerySubmission, principal: Principal) -> str:
    """`current_user`: the principal, or whom an admin says to be asking."""
    told = submission.session.user
    return told if is_admin(principal) and told != "anonymous" else principal.name


def _require_output(configuration: ResultConfiguration) -> None:
    if configuration.output_location is None:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST,
            "No output location provided. An output location is required either through the"
            " Workgroup result configuration setting or as an API input.",
        )


def _output(
    configuration: ResultConfiguration, query_id: str, kind: tuple[StatementType, str]
) -> str | None:
    if configuration.output_location is None:
        return None
    return f"{configuration.output_location.rstrip('/')}/{query_id}{text_suffix(*kind)}"
