"""Who may do what: one place for every wire.

A principal with role `admin` may do everything. Others see and cancel their own queries, read
their own results, and use the work groups that their roles name (`work_group:<name>`, or all of
them by `work_group:*`), or all when no role names one. Role `results:<work group>` lets them see
the work group's queries and results. What may be done with tables is `access.py`'s.
"""

from __future__ import annotations

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryExecution

ADMIN = "admin"
WORK_GROUP_ROLE = "work_group:"
RESULTS_ROLE = "results:"
KEY_ROLE = "key:"
"""The role that tells which key was used, so that grants can name it."""


def is_admin(principal: Principal) -> bool:
    """Whether the principal may do everything."""
    return ADMIN in principal.roles


def may_see(principal: Principal, execution: QueryExecution) -> bool:
    """Whether the principal may watch the query and read its results."""
    granted = {f"{RESULTS_ROLE}{name}" for name in (execution.work_group, "*")}
    return may_cancel(principal, execution) or not granted.isdisjoint(principal.roles)


def may_cancel(principal: Principal, execution: QueryExecution) -> bool:
    """Whether the principal may end the query."""
    return is_admin(principal) or principal.name == execution.principal


def may_use_work_group(principal: Principal, name: str) -> bool:
    """Whether the principal may run queries in the work group."""
    named = {role for role in principal.roles if role.startswith(WORK_GROUP_ROLE)}
    usable = {f"{WORK_GROUP_ROLE}{name}", f"{WORK_GROUP_ROLE}*"}
    return is_admin(principal) or not named or not named.isdisjoint(usable)


def require_admin(principal: Principal, what: str) -> None:
    """PERMISSION_DENIED unless the principal is an admin."""
    if not is_admin(principal):
        raise QueryServiceError(
            ErrorCode.PERMISSION_DENIED, f"Access Denied: {what} needs the role {ADMIN}"
        )


def require_work_group(principal: Principal, name: str) -> None:
    """PERMISSION_DENIED unless the principal may use the work group."""
    if not may_use_work_group(principal, name):
        raise QueryServiceError(
            ErrorCode.PERMISSION_DENIED,
            f"Access Denied: {principal.name} may not use work group {name}",
        )
