"""Grants: who may do what on which tables, locations and work groups.

A kind of resource is open to everybody until the first grant of that kind is made; from then on
what is not granted is denied, also when grants are revoked again. Role `admin` may do everything.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.access import ANY, CHANGING, READING, Access, Action, TableGrant
from querysvc.service.audit import AuditLog
from querysvc.service.clock import Clock
from querysvc.service.permissions import (
    KEY_ROLE,
    RESULTS_ROLE,
    WORK_GROUP_ROLE,
    is_admin,
    require_admin,
)
from querysvc.sql.parser import parse_parameter
from querysvc.state.repository import GrantRepository
from querysvc.state.values import Grant
from querysvc_catalog.model import DEFAULT_CATALOG

_NAME_PARTS: Final = 3


class ResourceKind(StrEnum):
    """What grants are made on."""

    TABLE = "table"
    LOCATION = "location"
    WORK_GROUP = "work_group"


_ACTIONS: Final = {
    ResourceKind.TABLE: frozenset({*READING, *CHANGING, Action.CREATE, Action.ALTER, Action.DROP}),
    ResourceKind.LOCATION: frozenset({Action.USE}),
    ResourceKind.WORK_GROUP: frozenset({Action.USE, Action.READ_RESULTS}),
}
_GRANTEES: Final = ("user:", "role:", "key:")
_DATA: Final = frozenset({ResourceKind.TABLE, ResourceKind.LOCATION})
"""Tables and the locations that new tables may read belong together."""


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """A grant to be made, as texts; `resource` is `table:sales.orders` and the like."""

    grantee: str
    actions: tuple[str, ...]
    resource: str
    columns: tuple[str, ...] | None = None
    row_filter: str | None = None


class Policies:
    """Makes, lists and revokes grants, and tells what they come to for a principal."""

    def __init__(self, grants: GrantRepository, audit: AuditLog, clock: Clock) -> None:
        self._grants = grants
        self._audit = audit
        self._clock = clock

    def create(self, request: GrantRequest, principal: Principal) -> Grant:
        """Make a grant (admin role); INVALID_REQUEST for one that means nothing."""
        require_admin(principal, "granting")
        kind, resource = _resource(request.resource)
        actions = _actions(request.actions, kind)
        grant = Grant(
            id=secrets.token_hex(8),
            grantee=_grantee(request.grantee),
            actions=frozenset(action.value for action in actions),
            kind=kind.value,
            resource=resource,
            columns=_columns(request.columns),
            row_filter=_row_filter(request.row_filter),
            created_at=self._clock.now(),
            created_by=principal.name,
        )
        is_narrow = grant.columns is not None or grant.row_filter is not None
        if is_narrow and not actions <= READING:
            raise _invalid("only SELECT and DESCRIBE can be granted on columns or rows")
        self._grants.add_grant(grant)
        self._audit.record(principal, "grant", grant.id, details=described(grant))
        return grant

    def list(self, principal: Principal) -> tuple[Grant, ...]:
        """All grants, revoked ones too (admin role); others see the valid ones of their own."""
        if is_admin(principal):
            return self._grants.list_grants()
        return self._grants.grants_of(grantees_of(principal))[1]

    def revoke(self, grant_id: str, principal: Principal) -> None:
        """End a grant at once (admin role); NOT_FOUND when there is none."""
        require_admin(principal, "revoking")
        if not self._grants.revoke_grant(grant_id, revoked_at=self._clock.now()):
            raise QueryServiceError(ErrorCode.NOT_FOUND, f"There is no grant {grant_id}.")
        self._audit.record(principal, "revoke", grant_id)

    def access_of(self, principal: Principal) -> Access:
        """What the principal may do with tables and locations, as of now."""
        if is_admin(principal):
            return Access()
        kinds, grants = self._grants.grants_of(grantees_of(principal))
        if not kinds & _DATA:
            return Access()
        return Access(
            is_unrestricted=False,
            tables=tuple(_table_grant(grant) for grant in grants if _is(grant, ResourceKind.TABLE)),
            locations=tuple(
                grant.resource for grant in grants if _is(grant, ResourceKind.LOCATION)
            ),
        )

    def with_work_groups(self, principal: Principal) -> Principal:
        """The principal with the roles that grants on work groups give; a key's own list narrows.

        Roles are how everything else asks for work groups (permissions.py).
        """
        if is_admin(principal):
            return principal
        kinds, grants = self._grants.grants_of(grantees_of(principal))
        if ResourceKind.WORK_GROUP not in kinds:
            return principal
        groups = [grant for grant in grants if _is(grant, ResourceKind.WORK_GROUP)]
        usable = _roles(groups, Action.USE, WORK_GROUP_ROLE)
        own = {role for role in principal.roles if role.startswith(WORK_GROUP_ROLE)}
        if own:
            usable = own if WORK_GROUP_ROLE + ANY in usable else own & usable
        readable = _roles(groups, Action.READ_RESULTS, RESULTS_ROLE)
        # A role that names no group: none may be used, which is not the same as no such role.
        roles = (principal.roles - own) | (usable or {WORK_GROUP_ROLE}) | readable
        return Principal(principal.name, frozenset(roles))


def grantees_of(principal: Principal) -> frozenset[str]:
    """What grants can call the principal."""
    roles = {f"role:{role}" for role in principal.roles if ":" not in role}
    keys = {role for role in principal.roles if role.startswith(KEY_ROLE)}
    return frozenset({ANY, f"user:{principal.name}", *roles, *keys})


def described(grant: Grant) -> dict[str, str]:
    """A grant for the audit log."""
    told = {
        "to": grant.grantee,
        "actions": ", ".join(sorted(grant.actions)),
        "on": f"{grant.kind}:{grant.resource}",
        "columns": None if grant.columns is None else ", ".join(grant.columns),
        "where": grant.row_filter,
    }
    return {name: value for name, value in told.items() if value is not None}


def _is(grant: Grant, kind: ResourceKind) -> bool:
    return grant.kind == kind


def _roles(grants: Iterable[Grant], action: Action, prefix: str) -> set[str]:
    return {prefix + grant.resource for grant in grants if action in grant.actions}


def _table_grant(grant: Grant) -> TableGrant:
    catalog, database, table = grant.resource.split(".", _NAME_PARTS - 1)
    columns = None if grant.columns is None else frozenset(grant.columns)
    actions = frozenset(map(Action, grant.actions))
    return TableGrant(actions, (catalog, database, table), columns, grant.row_filter)


def _resource(text: str) -> tuple[ResourceKind, str]:
    kind, _, name = text.partition(":")
    if kind not in set(ResourceKind) or not name:
        raise _invalid(
            f"{text!r} is no resource: say table:<database>.<table>,"
            " location:s3://<bucket>/<prefix> or work_group:<name>"
        )
    if kind == ResourceKind.TABLE:
        name = _table_resource(name)
    elif kind == ResourceKind.LOCATION:
        name = _location_resource(name)
    return ResourceKind(kind), name


def _table_resource(name: str) -> str:
    parts = name.lower().split(".")
    if name == ANY:
        parts = [ANY] * _NAME_PARTS
    if len(parts) == _NAME_PARTS - 1:
        parts.insert(0, DEFAULT_CATALOG)
    if len(parts) != _NAME_PARTS or not all(parts):
        raise _invalid(f"{name!r} is no table: say database.table, with * for all of them")
    if any(ANY in part and part != ANY for part in parts):
        raise _invalid(f"{name!r}: * stands for a whole name only")
    return ".".join(parts)


def _location_resource(name: str) -> str:
    if name == ANY:
        return name
    bucket = name.removeprefix("s3://").partition("/")[0]
    if not name.startswith("s3://") or not bucket:
        raise _invalid(f"{name!r} is no location: say s3://bucket/prefix")
    return f"{name.rstrip('/')}/"


def _actions(texts: tuple[str, ...], kind: ResourceKind) -> frozenset[Action]:
    allowed = _ACTIONS[kind]
    names = {text.upper() for text in texts}
    unknown = sorted(names - allowed)
    if unknown or not names:
        listed = ", ".join(sorted(allowed))
        raise _invalid(f"{', '.join(unknown) or 'no action'}: on a {kind} one can grant {listed}")
    return frozenset(map(Action, names))


def _grantee(text: str) -> str:
    prefix, _, name = text.partition(":")
    if text != ANY and (f"{prefix}:" not in _GRANTEES or not name):
        raise _invalid(f"{text!r} is no grantee: say user:<name>, role:<name>, key:<id> or *")
    return text


def _columns(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is not None and not all(names):
        raise _invalid("a column's name is empty")
    return None if not names else tuple(sorted({name.lower() for name in names}))


def _row_filter(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    parse_parameter(text)
    return text


def _invalid(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.INVALID_REQUEST, message)
