"""What every store of work groups, keys, saved statements, tags and audit entries does."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from querysvc.model import ResultConfiguration
from querysvc.state.repository import State, UsageCap
from querysvc.state.values import (
    ApiKey,
    AuditEntry,
    CrawlEnd,
    CrawlerState,
    CrawlTarget,
    Grant,
    GuardPolicy,
    GuardPolicyName,
    KeyPair,
    NamedQuery,
    PreparedStatement,
    StoredCrawler,
    WorkGroup,
    WorkGroupLimits,
    WorkGroupState,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
GROUP = WorkGroup(
    "etl",
    state=WorkGroupState.DISABLED,
    description="d",
    enforces_configuration=False,
    result_configuration=ResultConfiguration(output_location="s3://b/"),
    guard=GuardPolicy(GuardPolicyName.ATHENA, allows_requester_pays=True),
    limits=WorkGroupLimits(running_max=3, scanned_bytes_max=10 << 40),
    tags={"team": "x"},
    created_at=NOW,
)


def test_a_work_group_comes_back_as_stored(state: State) -> None:
    assert state.add_work_group(GROUP)
    assert state.get_work_group("etl") == GROUP
    assert state.get_work_group("other") is None
    assert not state.add_work_group(dataclasses.replace(GROUP, description="second"))
    assert state.get_work_group("etl") == GROUP


def test_a_work_group_is_replaced_only_as_expected(state: State) -> None:
    state.add_work_group(GROUP)
    changed = dataclasses.replace(GROUP, description="changed")
    assert state.replace_work_group(GROUP, changed)
    assert not state.replace_work_group(GROUP, dataclasses.replace(GROUP, description="late"))
    assert state.get_work_group("etl") == changed


def test_work_groups_are_listed_by_name_and_deleted(state: State) -> None:
    state.add_work_group(GROUP)
    state.add_work_group(WorkGroup("abc"))
    assert [group.name for group in state.list_work_groups()] == ["abc", "etl"]
    assert state.delete_work_group("etl")
    assert not state.delete_work_group("etl")


def test_api_keys_keep_their_first_revocation(state: State) -> None:
    key = ApiKey("id", "hash", "ada", frozenset({"admin"}), frozenset({"w"}), "d", NOW, NOW)
    state.add_api_key(key)
    assert state.get_api_key("id") == key
    assert state.get_api_key("no") is None
    assert state.revoke_api_key("id", revoked_at=NOW)
    assert state.revoke_api_key("id", revoked_at=NOW + timedelta(1))
    assert not state.revoke_api_key("no", revoked_at=NOW)
    assert state.list_api_keys() == (dataclasses.replace(key, revoked_at=NOW),)


def test_key_pairs_keep_their_bytes(state: State) -> None:
    pair = KeyPair("AKIA", bytes(range(256)), "ada", frozenset({"r"}), None, NOW, NOW)
    state.add_key_pair(pair)
    assert state.get_key_pair("AKIA") == pair
    assert state.get_key_pair("no") is None
    assert state.revoke_key_pair("AKIA", revoked_at=NOW)
    assert not state.revoke_key_pair("no", revoked_at=NOW)
    assert state.list_key_pairs() == (dataclasses.replace(pair, revoked_at=NOW),)


def grant(number: int, grantee: str = "user:ada", kind: str = "table") -> Grant:
    return Grant(
        f"g{number}",
        grantee,
        frozenset({"SELECT", "DESCRIBE"}),
        kind,
        "c.d.t",
        columns=("a", "b"),
        row_filter="a > 1",
        created_at=NOW + timedelta(seconds=number),
        created_by="root",
    )


def test_grants_come_back_as_stored_and_in_order(state: State) -> None:
    for number in (2, 1, 3):
        state.add_grant(grant(number))
    assert state.list_grants() == (grant(1), grant(2), grant(3))


def test_only_valid_grants_of_those_asked_for_hold(state: State) -> None:
    assert state.grants_of({"user:ada"}) == (frozenset(), ())
    state.add_grant(grant(1))
    state.add_grant(grant(2, "role:analyst", "work_group"))
    state.add_grant(grant(3, "user:bob"))
    kinds, found = state.grants_of({"user:ada", "role:analyst"})
    assert (kinds, found) == (
        {"table", "work_group"},
        (grant(1), grant(2, "role:analyst", "work_group")),
    )


def test_a_kind_stays_governed_when_its_last_grant_is_revoked(state: State) -> None:
    state.add_grant(grant(1))
    assert state.revoke_grant("g1", revoked_at=NOW)
    assert not state.revoke_grant("g1", revoked_at=NOW + timedelta(days=1))
    assert not state.revoke_grant("g2", revoked_at=NOW)
    assert state.grants_of({"user:ada"}) == (frozenset({"table"}), ())
    assert state.list_grants() == (dataclasses.replace(grant(1), revoked_at=NOW),)


def test_bytes_are_added_up_to_a_cap(state: State) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    cap = UsageCap(hour - timedelta(hours=2), 100)
    assert state.add_usage("user:ada", hour - timedelta(hours=3), 1000, ()) is None
    assert state.add_usage("user:ada", hour - timedelta(hours=2), 60, (cap,)) is None
    assert state.add_usage("user:bob", hour, 90, (cap,)) is None
    assert state.add_usage("user:ada", hour, 40, (cap,)) is None
    assert state.add_usage("user:ada", hour, 1, (UsageCap(hour, 1000), cap)) == cap
    assert state.usage_since("user:ada", cap.since) == 100
    assert state.add_usage("user:ada", hour, -30, (cap,)) is None
    assert state.usage_since("user:ada", hour) == 10
    assert state.add_usage("user:ada", hour, 30, (cap,)) is None


def test_bytes_added_at_once_never_exceed_the_cap(state: State) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    cap = UsageCap(hour, 50)
    with ThreadPoolExecutor(8) as pool:
        refused = list(pool.map(lambda _: state.add_usage("user:ada", hour, 10, (cap,)), range(16)))
    assert refused.count(None) == 5
    assert state.usage_since("user:ada", hour) == 50


def test_named_queries(state: State) -> None:
    first = NamedQuery("1", "zeta", "SELECT 1", "db", "etl", "d", NOW)
    second = NamedQuery("2", "alpha", "SELECT 2", "db", "etl")
    for query in (first, second, NamedQuery("3", "other", "SELECT 3", "db")):
        state.add_named_query(query)
    assert state.list_named_queries("etl") == (first, second)
    changed = dataclasses.replace(first, sql="SELECT 9")
    assert state.replace_named_query(changed)
    assert state.get_named_query("1") == changed
    assert state.delete_named_query("1")
    assert not state.delete_named_query("1")
    assert not state.replace_named_query(changed)
    assert state.get_named_query("1") is None


def test_crawlers_are_changed_only_as_expected(state: State) -> None:
    target = CrawlTarget("s3://b/p/", ("**.tmp",))
    crawler = StoredCrawler("c", "ada", "role", (target,), "db", created_at=NOW)
    assert state.add_crawler(crawler)
    assert not state.add_crawler(dataclasses.replace(crawler, owner="bob"))
    assert state.add_crawler(dataclasses.replace(crawler, name="b"))
    assert [one.name for one in state.list_crawlers()] == ["b", "c"]
    end = CrawlEnd("SUCCEEDED", NOW, 1.5, tables_created=2)
    changed = dataclasses.replace(crawler, state=CrawlerState.RUNNING, node="n", crawls=(end,))
    assert state.replace_crawler(crawler, changed)
    assert not state.replace_crawler(crawler, crawler)
    assert not state.delete_crawler(crawler)
    assert state.get_crawler("c") == changed
    assert state.delete_crawler(changed)
    assert state.get_crawler("c") is None


def test_prepared_statements(state: State) -> None:
    first = PreparedStatement("zeta", "etl", "SELECT ?", None, NOW)
    second = PreparedStatement("alpha", "etl", "SELECT 2")
    elsewhere = PreparedStatement("zeta", "primary", "SELECT 3")
    assert state.add_prepared_statement(first)
    assert state.add_prepared_statement(second)
    assert state.add_prepared_statement(elsewhere)
    assert not state.add_prepared_statement(first)
    assert state.list_prepared_statements("etl") == (second, first)
    changed = dataclasses.replace(first, sql="SELECT 9")
    assert state.replace_prepared_statement(changed)
    assert state.get_prepared_statement("etl", "zeta") == changed
    assert state.get_prepared_statement("primary", "zeta") == elsewhere
    assert state.delete_prepared_statement("etl", "zeta")
    assert not state.delete_prepared_statement("etl", "zeta")
    assert not state.replace_prepared_statement(changed)


def test_what_is_saved_in_a_work_group_is_deleted_with_it(state: State) -> None:
    state.add_named_query(NamedQuery("1", "a", "SELECT 1", "db", "etl"))
    state.add_named_query(NamedQuery("2", "a", "SELECT 1", "db", "primary"))
    state.add_prepared_statement(PreparedStatement("p", "etl", "SELECT 1"))
    state.add_prepared_statement(PreparedStatement("p", "primary", "SELECT 1"))
    state.delete_saved("etl")
    assert state.list_named_queries("etl") == ()
    assert state.list_prepared_statements("etl") == ()
    assert len(state.list_named_queries("primary")) == 1
    assert len(state.list_prepared_statements("primary")) == 1


def test_tags_are_merged_and_removed(state: State) -> None:
    state.set_tags("r", {"b": "1", "a": "1"})
    state.set_tags("r", {"b": "2"})
    state.set_tags("other", {"b": "3"})
    state.set_tags("r", {})
    assert state.tags("r") == {"a": "1", "b": "2"}
    state.remove_tags("r", ["b", "missing"])
    assert state.tags("r") == {"a": "1"}
    assert state.tags("other") == {"b": "3"}


def test_audit_entries_come_newest_first_in_pages(state: State) -> None:
    entries = [
        AuditEntry(NOW, "ada" if n % 2 else "bob", "submit", str(n), "etl", {"sql": "x"})
        for n in range(5)
    ]
    state.append_audit(entries)
    state.append_audit([])
    page, token = state.list_audit(limit=3)
    rest, end = state.list_audit(limit=3, page_token=token)
    assert [*page, *rest] == list(reversed(entries))
    assert end is None
    mine, _ = state.list_audit(principal="ada")
    assert [entry.subject for entry in mine] == ["3", "1"]
