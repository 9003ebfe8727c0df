"""Work groups: the settings and limits that queries run under, and who may change them."""

from __future__ import annotations

import dataclasses
import re

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, ResultConfiguration
from querysvc.service.audit import AuditLog
from querysvc.service.clock import Clock
from querysvc.service.permissions import require_admin
from querysvc.state.repository import SavedRepository, WorkGroupRepository
from querysvc.state.values import WorkGroup, WorkGroupUpdate

PRIMARY = "primary"

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,128}")
_ATTEMPTS_MAX = 10


class WorkGroupService:
    """Creates, reads, changes and deletes work groups; `primary` always exists."""

    def __init__(
        self,
        groups: WorkGroupRepository,
        saved: SavedRepository,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._groups = groups
        self._saved = saved
        self._audit = audit
        self._clock = clock

    def ensure_primary(self, primary: WorkGroup) -> None:
        """Make `primary` exist; an existing one stays as it is."""
        assert primary.name == PRIMARY, "there is one work group that always exists"
        self._groups.add_work_group(dataclasses.replace(primary, created_at=self._clock.now()))

    def create(self, work_group: WorkGroup, principal: Principal) -> WorkGroup:
        """Add a work group (admin role); INVALID_REQUEST when its name is taken."""
        require_admin(principal, "creating a work group")
        if not _NAME.fullmatch(work_group.name):
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST,
                f"WorkGroup name {work_group.name!r} must match {_NAME.pattern}",
            )
        _check_location(work_group.result_configuration)
        created = dataclasses.replace(work_group, created_at=self._clock.now())
        if not self._groups.add_work_group(created):
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"WorkGroup {work_group.name} already exists"
            )
        self._audit.record(principal, "create_work_group", work_group.name)
        return created

    def get(self, name: str) -> WorkGroup:
        """The work group; WORK_GROUP_NOT_FOUND when there is none."""
        found = self._groups.get_work_group(name)
        if found is None:
            raise QueryServiceError(
                ErrorCode.WORK_GROUP_NOT_FOUND, f"WorkGroup {name} is not found."
            )
        return found

    def list(self) -> tuple[WorkGroup, ...]:
        """All work groups by name."""
        return self._groups.list_work_groups()

    def update(self, name: str, update: WorkGroupUpdate, principal: Principal) -> WorkGroup:
        """Change the given fields (admin role)."""
        require_admin(principal, "changing a work group")
        changes = {
            field.name: value
            for field in dataclasses.fields(update)
            if (value := getattr(update, field.name)) is not None
        }
        if update.result_configuration is not None:
            _check_location(update.result_configuration)
        for _ in range(_ATTEMPTS_MAX):
            found = self.get(name)
            changed = dataclasses.replace(found, **changes)
            if self._groups.replace_work_group(found, changed):
                self._audit.record(
                    principal, "update_work_group", name, details={"fields": ",".join(changes)}
                )
                return changed
        raise QueryServiceError(
            ErrorCode.TRANSACTION_CONFLICT, f"WorkGroup {name} was changed by others; try again."
        )

    def delete(self, name: str, principal: Principal, *, recursive: bool = False) -> None:
        """Remove a work group (admin role); with saved statements in it only when recursive."""
        require_admin(principal, "deleting a work group")
        if name == PRIMARY:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"WorkGroup {PRIMARY} cannot be deleted."
            )
        self.get(name)
        holds = self._saved.list_named_queries(name) or self._saved.list_prepared_statements(name)
        if holds and not recursive:
            raise QueryServiceError(ErrorCode.INVALID_REQUEST, f"WorkGroup {name} is not empty")
        self._saved.delete_saved(name)
        self._groups.delete_work_group(name)
        self._audit.record(principal, "delete_work_group", name)


def effective_configuration(
    work_group: WorkGroup, requested: ResultConfiguration
) -> ResultConfiguration:
    """Where results go: the work group's word wins when it enforces, else the request's."""
    if work_group.managed_results_enabled:
        return ResultConfiguration()
    if work_group.enforces_configuration:
        own = work_group.result_configuration
        return own if own.output_location is not None else _without_location(own, requested)
    return dataclasses.replace(
        work_group.result_configuration,
        **{
            field.name: value
            for field in dataclasses.fields(requested)
            if (value := getattr(requested, field.name)) is not None
        },
    )


def _without_location(
    own: ResultConfiguration, requested: ResultConfiguration
) -> ResultConfiguration:
    """A work group that enforces nothing about the location leaves it to the request."""
    return dataclasses.replace(own, output_location=requested.output_location)


def _check_location(configuration: ResultConfiguration) -> None:
    check_output_location(configuration.output_location)


def check_output_location(location: str | None) -> None:
    """INVALID_REQUEST unless it is None or `s3://bucket/…`."""
    if location is None:
        return
    bucket, _, _ = location.removeprefix("s3://").partition("/")
    if not location.startswith("s3://") or not bucket:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST, f"outputLocation is not a valid S3 path: {location}"
        )
