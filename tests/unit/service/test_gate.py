"""The gate: analysis in processes of its own, limited, replaced when they die."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, Session, StatementType
from querysvc.plan import AnalysedStatement, TableColumn
from querysvc.service.gate import GateLimits, GatePool
from querysvc.service.gate_process import OPERATIONS
from querysvc.sql.metadata import MemoryMetadata, TableInfo, ViewInfo
from querysvc.types.algebra import BIGINT

TOOLS = {
    **OPERATIONS,
    "sleep": "time:sleep",
    "allocate": "builtins:bytearray",
    "die": "os:abort",
    "fail": "builtins:int",
    "nest": "copy:deepcopy",
    "environment": "os:getenv",
    "modules": "importlib.util:find_spec",
    "open": "builtins:open",
    "parent": "os:getppid",
    "self": "os:getpid",
}


class Metadata(MemoryMetadata):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.add_schema("default")
        self.add_table("default", "t", [TableColumn("a", BIGINT)])

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        self.asked.append(name)
        if name == "broken":
            raise QueryServiceError(ErrorCode.HIVE_INVALID_METADATA, "broken")
        return super().relation(catalog, database, name)


ADA = Principal("ada")


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    return Metadata()


@pytest.fixture(scope="module")
def gate(metadata: Metadata) -> Iterator[GatePool]:
    pool = GatePool(
        lambda _: metadata,
        GateLimits(processes=2, timeout_seconds=2.0, memory_bytes=1 << 30, operations=TOOLS),
    )
    yield pool
    pool.close()


def code_of(run: object, *arguments: object) -> ErrorCode:
    with pytest.raises(QueryServiceError) as caught:
        run(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_a_statement_is_classified(gate: GatePool) -> None:
    assert gate.classify("SELECT 1") == (StatementType.DML, "SELECT")
    assert code_of(gate.classify, "SELEC 1") is ErrorCode.SYNTAX_ERROR


def test_a_query_is_analysed_with_metadata_from_this_process(
    gate: GatePool, metadata: Metadata
) -> None:
    metadata.asked.clear()
    statement = gate.analyse("SELECT x.a, y.a FROM t x, t y", Session(), (), ADA)
    assert isinstance(statement, AnalysedStatement)
    assert [column.name for column in statement.columns] == ["a", "a"]
    assert metadata.asked == ["t"], "each name is asked for once"


def test_errors_come_through_with_their_place(gate: GatePool) -> None:
    with pytest.raises(QueryServiceError) as caught:
        gate.analyse("SELECT b FROM t", Session(), (), ADA)
    assert (caught.value.code, caught.value.line, caught.value.column) == (
        ErrorCode.COLUMN_NOT_FOUND,
        1,
        8,
    )
    assert code_of(gate.analyse, "SELECT 1 FROM broken", Session(), (), ADA) is (
        ErrorCode.HIVE_INVALID_METADATA
    )


def test_analysis_that_takes_too_long_is_killed_and_told(gate: GatePool) -> None:
    began = time.monotonic()
    with pytest.raises(QueryServiceError, match=r"statement analysis took longer than 2 s"):
        gate.call("sleep", 60)
    assert time.monotonic() - began < 10
    assert gate.classify("SELECT 1")[1] == "SELECT"


def test_analysis_that_needs_too_much_memory_is_refused(gate: GatePool) -> None:
    assert code_of(gate.call, "allocate", 4 << 30) is ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT
    assert gate.classify("SELECT 1")[1] == "SELECT"


def test_a_process_that_dies_fails_one_statement(gate: GatePool) -> None:
    assert code_of(gate.call, "die") is ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT
    with ThreadPoolExecutor(4) as pool:
        kinds = set(pool.map(lambda _: gate.classify("SELECT 1"), range(20)))
    assert kinds == {(StatementType.DML, "SELECT")}


def test_processes_are_forks_of_one_that_sees_no_statement(gate: GatePool) -> None:
    code_of(gate.call, "die")  # so that one of them is a replacement
    parents, processes = set(), set()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            asked = [pool.submit(gate.call, "sleep", 0.1) for _ in range(2)]
            parents.add(gate.call("parent"))
            processes.add(gate.call("self"))
            for one in asked:
                one.result()
    assert len(parents) == 1
    assert parents.isdisjoint({os.getpid(), *processes})


def test_deep_nesting_is_refused_not_fatal(gate: GatePool) -> None:
    depth = 100_000
    assert code_of(gate.classify, "SELECT " + "(" * depth + "1" + ")" * depth) in (
        ErrorCode.STACK_OVERFLOW,
        ErrorCode.SYNTAX_ERROR,
        ErrorCode.QUERY_EXCEEDED_COMPILER_LIMIT,
        ErrorCode.NOT_SUPPORTED,
        ErrorCode.EXCEEDED_TIME_LIMIT,
    )


def test_a_fault_of_ours_is_internal(gate: GatePool) -> None:
    assert code_of(gate.call, "fail", "x") is ErrorCode.GENERIC_INTERNAL_ERROR


def test_the_gate_holds_no_environment_and_writes_no_files(
    gate: GatePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert gate.call("environment", "AWS_SECRET_ACCESS_KEY") is None
    assert gate.call("environment", "PATH") is None


def test_more_statements_than_processes_wait_for_their_turn(gate: GatePool) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: gate.call("sleep", 0.1), range(6)))
    assert time.monotonic() - began >= 0.3


def test_the_hop_costs_under_a_few_milliseconds(gate: GatePool) -> None:
    times = []
    for _ in range(200):
        began = time.perf_counter()
        gate.call("sleep", 0)
        times.append(time.perf_counter() - began)
    # Alone on a machine it is a tenth of a millisecond; the bound leaves room for a busy one.
    assert statistics.median(times) < 0.005


def test_closing_ends_all_processes() -> None:
    pool = GatePool(lambda _: Metadata(), GateLimits(processes=1))
    assert pool.classify("SELECT 1")[1] == "SELECT"
    thread = threading.Thread(target=pool.close)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
