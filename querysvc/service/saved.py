"""Named queries and prepared statements: statements kept by name in a work group."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Callable

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.clock import Clock
from querysvc.service.permissions import require_work_group
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.repository import SavedRepository
from querysvc.state.values import NamedQuery, PreparedStatement

_STATEMENT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_@:]{0,255}")


class SavedStatements:
    """Keeps statements for whoever may use their work group."""

    def __init__(
        self,
        saved: SavedRepository,
        groups: WorkGroupService,
        clock: Clock,
        *,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._saved = saved
        self._groups = groups
        self._clock = clock
        self._new_id = new_id

    def create_named_query(self, query: NamedQuery, principal: Principal) -> NamedQuery:
        """Keep a query; its id and time are set here."""
        self._check(query.work_group, principal)
        created = dataclasses.replace(query, id=self._new_id(), created_at=self._clock.now())
        self._saved.add_named_query(created)
        return created

    def get_named_query(self, query_id: str, principal: Principal) -> NamedQuery:
        """The named query; NOT_FOUND when there is none."""
        found = self._saved.get_named_query(query_id)
        if found is None:
            raise QueryServiceError(ErrorCode.NOT_FOUND, f"NamedQuery {query_id} was not found")
        self._check(found.work_group, principal)
        return found

    def list_named_queries(self, work_group: str, principal: Principal) -> tuple[NamedQuery, ...]:
        """The work group's named queries, oldest first."""
        self._check(work_group, principal)
        return self._saved.list_named_queries(work_group)

    def update_named_query(self, query: NamedQuery, principal: Principal) -> NamedQuery:
        """Change name, description and text of a named query."""
        found = self.get_named_query(query.id, principal)
        changed = dataclasses.replace(
            found, name=query.name, description=query.description, sql=query.sql
        )
        self._saved.replace_named_query(changed)
        return changed

    def delete_named_query(self, query_id: str, principal: Principal) -> None:
        """Forget a named query."""
        self.get_named_query(query_id, principal)
        self._saved.delete_named_query(query_id)

    def create_prepared_statement(
        self, statement: PreparedStatement, principal: Principal
    ) -> PreparedStatement:
        """Keep a prepared statement; INVALID_REQUEST when its name is taken or malformed."""
        self._check(statement.work_group, principal)
        if not _STATEMENT_NAME.fullmatch(statement.name):
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST,
                f"Prepared statement name {statement.name!r} must match {_STATEMENT_NAME.pattern}",
            )
        created = dataclasses.replace(statement, modified_at=self._clock.now())
        if not self._saved.add_prepared_statement(created):
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST,
                f"PreparedStatement {statement.name} already exists in"
                f" WorkGroup {statement.work_group}",
            )
        return created

    def get_prepared_statement(
        self, work_group: str, name: str, principal: Principal
    ) -> PreparedStatement:
        """The prepared statement; NOT_FOUND when there is none."""
        self._check(work_group, principal)
        found = self._saved.get_prepared_statement(work_group, name)
        if found is None:
            raise QueryServiceError(
                ErrorCode.NOT_FOUND,
                f"PreparedStatement {name} was not found in WorkGroup {work_group}",
            )
        return found

    def list_prepared_statements(
        self, work_group: str, principal: Principal
    ) -> tuple[PreparedStatement, ...]:
        """The work group's prepared statements, by name."""
        self._check(work_group, principal)
        return self._saved.list_prepared_statements(work_group)

    def update_prepared_statement(
        self, statement: PreparedStatement, principal: Principal
    ) -> PreparedStatement:
        """Replace text and description of a prepared statement."""
        self.get_prepared_statement(statement.work_group, statement.name, principal)
        changed = dataclasses.replace(statement, modified_at=self._clock.now())
        self._saved.replace_prepared_statement(changed)
        return changed

    def delete_prepared_statement(self, work_group: str, name: str, principal: Principal) -> None:
        """Forget a prepared statement."""
        self.get_prepared_statement(work_group, name, principal)
        self._saved.delete_prepared_statement(work_group, name)

    def _check(self, work_group: str, principal: Principal) -> None:
        self._groups.get(work_group)
        require_work_group(principal, work_group)
