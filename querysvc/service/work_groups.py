"""Work groups: the settings and limits that queries run under, and who may change them."""

from __future__ import annotations

from querysvc.model import Principal
from querysvc.state.values import WorkGroup, WorkGroupUpdate

PRIMARY = "primary"


class WorkGroupService:
    """Creates, reads, changes and deletes work groups; `primary` always exists."""

    def create(self, work_group: WorkGroup, principal: Principal) -> WorkGroup:
        """Add a work group (admin role); INVALID_REQUEST when its name is taken."""
        raise NotImplementedError

    def get(self, name: str) -> WorkGroup:
        """The work group; WORK_GROUP_NOT_FOUND when there is none."""
        raise NotImplementedError

    def list(self) -> tuple[WorkGroup, ...]:
        """All work groups by name."""
        raise NotImplementedError

    def update(self, name: str, update: WorkGroupUpdate, principal: Principal) -> WorkGroup:
        """Change the given fields (admin role)."""
        raise NotImplementedError

    def delete(self, name: str, principal: Principal, *, recursive: bool = False) -> None:
        """Remove a work group (admin role); with saved statements in it only when recursive."""
        raise NotImplementedError
