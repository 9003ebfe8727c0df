"""Grants: what may be granted, and what grants come to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryExecution, QueryState, Session
from querysvc.service.access import Access, Action
from querysvc.service.audit import AuditLog
from querysvc.service.permissions import may_cancel, may_see, may_use_work_group
from querysvc.service.policies import GrantRequest, Policies
from querysvc.sql.metadata import VisibleCells
from querysvc.state.memory import MemoryState
from querysvc_catalog.model import DatabaseName, TableName
from tests.support.fakes import ManualClock

ROOT = Principal("root", frozenset({"admin"}))
ADA = Principal("ada", frozenset({"analyst", "key:k1"}))
BOB = Principal("bob")
ORDERS = TableName("awsdatacatalog", "sales", "orders")
STAFF = TableName("awsdatacatalog", "hr", "staff")


class World:
    def __init__(self) -> None:
        self.state = MemoryState()
        self.audit = AuditLog(self.state, ManualClock())
        self.policies = Policies(self.state, self.audit, ManualClock())

    def grant(self, to: str, actions: str, on: str, columns: str = "", where: str = "") -> str:
        request = GrantRequest(
            to, tuple(actions.split()), on, tuple(columns.split()) or None, where or None
        )
        return self.policies.create(request, ROOT).id

    def access(self, principal: Principal = ADA) -> Access:
        return self.policies.access_of(principal)


@pytest.fixture
def world() -> World:
    return World()


def code_of(run: object, *arguments: object) -> ErrorCode:
    with pytest.raises(QueryServiceError) as caught:
        run(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_without_grants_everybody_may_do_everything(world: World) -> None:
    access = world.access(BOB)
    assert access.visible(STAFF) is None
    for action in Action:
        access.require(action, STAFF)
    access.require_location("s3://anything/at/all")


def test_the_first_grant_closes_what_it_does_not_open(world: World) -> None:
    world.grant("user:ada", "select", "table:sales.orders")
    assert world.access(ADA).visible(ORDERS) is None
    assert world.access(ADA).visible(STAFF) == ()
    assert world.access(BOB).visible(ORDERS) == ()
    assert world.access(ROOT).visible(STAFF) is None
    assert not world.access(BOB).sees_database(DatabaseName("awsdatacatalog", "sales"))


def test_revoking_the_last_grant_opens_nothing(world: World) -> None:
    granted = world.grant("user:ada", "select", "table:sales.orders")
    world.policies.revoke(granted, ROOT)
    assert world.access(ADA).visible(ORDERS) == ()
    assert code_of(world.policies.revoke, granted, ROOT) is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("grantee", ["user:ada", "role:analyst", "key:k1", "*"])
def test_a_grant_is_to_a_user_a_role_a_key_or_everybody(world: World, grantee: str) -> None:
    world.grant(grantee, "select", "table:sales.orders")
    assert world.access(ADA).visible(ORDERS) is None
    assert (world.access(BOB).visible(ORDERS) is None) == (grantee == "*")


@pytest.mark.parametrize(
    "resource",
    [
        "table:sales.orders",
        "table:SALES.Orders",
        "table:awsdatacatalog.sales.orders",
        "table:sales.*",
        "table:*.orders",
        "table:*",
        "table:*.sales.*",
    ],
)
def test_a_pattern_covers_whole_names(world: World, resource: str) -> None:
    world.grant("user:ada", "select", resource)
    assert world.access().visible(ORDERS) is None


@pytest.mark.parametrize("resource", ["table:sales.order", "table:x.sales.*", "table:hr.*"])
def test_a_pattern_covers_nothing_else(world: World, resource: str) -> None:
    world.grant("user:ada", "select", resource)
    assert world.access().visible(ORDERS) == ()


def test_grants_add_up_and_the_contained_ones_say_nothing(world: World) -> None:
    world.grant("user:ada", "select", "table:sales.orders", "id total", "region = 'EU'")
    world.grant("role:analyst", "select", "table:sales.orders", "ID")
    world.grant("*", "select", "table:sales.*", "id", "region = 'EU'")
    assert world.access().visible(ORDERS) == (
        VisibleCells(frozenset({"id"})),
        VisibleCells(frozenset({"id", "total"}), "region = 'EU'"),
    )
    world.grant("key:k1", "select", "table:sales.orders")
    assert world.access().visible(ORDERS) is None


def test_describing_is_not_selecting(world: World) -> None:
    world.grant("user:ada", "describe", "table:sales.orders")
    assert world.access().visible(ORDERS) == ()
    assert world.access().described(ORDERS) is None


def test_partitions_are_told_of_all_rows_or_not(world: World) -> None:
    world.grant("user:ada", "select describe", "table:sales.orders", where="region = 'EU'")
    access = world.access()
    assert access.columns_of_all_rows(ORDERS) == frozenset()
    partitions = TableName("awsdatacatalog", "sales", "orders$partitions")
    assert access.visible(partitions) == ()
    world.grant("user:ada", "select", "table:sales.orders", "dt")
    assert world.access().visible(partitions) == (VisibleCells(frozenset({"dt"})),)


def test_writing_needs_its_own_action(world: World) -> None:
    world.grant("user:ada", "select insert", "table:sales.*")
    access = world.access()
    access.require(Action.INSERT, ORDERS)
    for action, words in (
        (Action.DROP, "Access Denied: Cannot drop table awsdatacatalog.sales.orders"),
        (Action.ALTER, "Access Denied: Cannot alter table awsdatacatalog.sales.orders"),
        (Action.CREATE, "Access Denied: Cannot create table awsdatacatalog.sales.orders"),
    ):
        with pytest.raises(QueryServiceError) as caught:
            access.require(action, ORDERS)
        assert (caught.value.code, caught.value.message) == (ErrorCode.PERMISSION_DENIED, words)


def test_a_database_is_changed_with_a_grant_on_all_of_it(world: World) -> None:
    sales = DatabaseName("awsdatacatalog", "sales")
    world.grant("user:ada", "create", "table:sales.orders")
    assert code_of(world.access().require_database, Action.CREATE, sales) is (
        ErrorCode.PERMISSION_DENIED
    )
    world.grant("user:ada", "create", "table:sales.*")
    world.access().require_database(Action.CREATE, sales)


@pytest.mark.parametrize(
    ("location", "is_granted"),
    [
        ("s3://lake/ada", True),
        ("s3://lake/ada/", True),
        ("s3://lake/ada/x/y", True),
        ("s3://lake/adam", False),
        ("s3://lake/", False),
        ("s3://lake/Ada/", False),
        ("s3://lake/bob/../ada/", False),
        ("s3a://lake/ada/", False),
        ("S3://lake/ada/", False),
    ],
)
def test_a_location_is_granted_by_its_prefix(
    world: World, location: str, *, is_granted: bool
) -> None:
    world.grant("user:ada", "use", "location:s3://lake/ada")
    if is_granted:
        world.access().require_locations((location, None, "no address"))
    else:
        assert code_of(world.access().require_locations, (location,)) is (
            ErrorCode.PERMISSION_DENIED
        )


def test_a_template_is_judged_by_what_stands_before_its_placeholder(world: World) -> None:
    world.grant("user:ada", "use", "location:s3://lake/ada")
    world.access().require_locations(("s3://lake/ada/${dt}/",))
    for template in ("s3://lake/${dt}/", "s3://${bucket}/ada/"):
        assert code_of(world.access().require_locations, (template,)) is (
            ErrorCode.PERMISSION_DENIED
        )


@pytest.mark.parametrize(
    ("to", "actions", "on", "columns", "where"),
    [
        ("ada", "select", "table:a.b", "", ""),
        ("user:", "select", "table:a.b", "", ""),
        ("team:x", "select", "table:a.b", "", ""),
        ("user:ada", "", "table:a.b", "", ""),
        ("user:ada", "use", "table:a.b", "", ""),
        ("user:ada", "select", "work_group:primary", "", ""),
        ("user:ada", "select", "table:a", "", ""),
        ("user:ada", "select", "table:a.b.c.d", "", ""),
        ("user:ada", "select", "table:a.b*", "", ""),
        ("user:ada", "select", "orders", "", ""),
        ("user:ada", "use", "location:lake/x", "", ""),
        ("user:ada", "use", "location:s3://", "", ""),
        ("user:ada", "select insert", "table:a.b", "x", ""),
        ("user:ada", "drop", "table:a.b", "", "x = 1"),
    ],
)
def test_a_grant_that_means_nothing_is_refused(
    world: World, to: str, actions: str, on: str, columns: str, where: str
) -> None:
    assert code_of(world.grant, to, actions, on, columns, where) is ErrorCode.INVALID_REQUEST
    assert world.state.list_grants() == ()


def test_a_row_filter_must_be_an_expression(world: World) -> None:
    for text in ("x =", "x = ?", "true; SELECT 1", "SELECT"):
        assert code_of(world.grant, "user:ada", "select", "table:a.b", "", text) in (
            ErrorCode.SYNTAX_ERROR,
            ErrorCode.INVALID_PARAMETER_USAGE,
        )


def test_only_admins_grant_and_revoke(world: World) -> None:
    granted = world.grant("user:bob", "select", "table:sales.orders")
    request = GrantRequest("user:ada", ("select",), "table:*")
    assert code_of(world.policies.create, request, ADA) is ErrorCode.PERMISSION_DENIED
    assert code_of(world.policies.revoke, granted, ADA) is ErrorCode.PERMISSION_DENIED
    assert world.policies.list(ADA) == ()
    assert [grant.id for grant in world.policies.list(BOB)] == [granted]


def test_grants_and_revocations_are_audited(world: World) -> None:
    granted = world.grant("user:ada", "select", "table:sales.orders", "id", "region = 'EU'")
    world.policies.revoke(granted, ROOT)
    world.audit.flush()
    entries, _ = world.state.list_audit()
    assert [(entry.principal, entry.action, entry.subject) for entry in entries] == [
        ("root", "revoke", granted),
        ("root", "grant", granted),
    ]
    assert entries[1].details == {
        "to": "user:ada",
        "actions": "SELECT",
        "on": "table:awsdatacatalog.sales.orders",
        "columns": "id",
        "where": "region = 'EU'",
    }


def test_work_groups_are_governed_apart_from_tables(world: World) -> None:
    world.grant("user:ada", "select", "table:sales.orders")
    assert may_use_work_group(world.policies.with_work_groups(BOB), "primary")
    world.grant("user:ada", "use", "work_group:etl")
    ada, bob = map(world.policies.with_work_groups, (ADA, BOB))
    assert may_use_work_group(ada, "etl")
    assert not may_use_work_group(ada, "primary")
    assert not may_use_work_group(bob, "etl")
    assert world.access(BOB).visible(ORDERS) == ()


def test_a_keys_own_work_groups_narrow_what_is_granted(world: World) -> None:
    world.grant("user:ada", "use", "work_group:etl")
    world.grant("user:ada", "use", "work_group:bi")
    key = Principal("ada", frozenset({"work_group:bi", "work_group:other"}))
    narrowed = world.policies.with_work_groups(key)
    usable = [name for name in ("etl", "bi", "other") if may_use_work_group(narrowed, name)]
    assert usable == ["bi"]
    world.grant("user:ada", "use", "work_group:*")
    narrowed = world.policies.with_work_groups(key)
    assert may_use_work_group(narrowed, "other")
    assert not may_use_work_group(narrowed, "etl")


def test_results_are_read_by_owner_admin_and_those_granted(world: World) -> None:
    world.grant("user:bob", "read_results", "work_group:etl")
    query = QueryExecution(
        "q", "SELECT 1", Session(), "etl", "ada", QueryState.SUCCEEDED, datetime.now(UTC)
    )
    eve, bob = map(world.policies.with_work_groups, (Principal("eve"), BOB))
    assert may_see(ADA, query)
    assert may_see(ROOT, query)
    assert may_see(bob, query)
    assert not may_see(eve, query)
    assert not may_cancel(bob, query)


def test_a_role_cannot_be_told_as_a_key_or_an_admin(world: World) -> None:
    world.grant("role:key:k1", "select", "table:sales.orders")
    assert world.access(ADA).visible(ORDERS) == ()
