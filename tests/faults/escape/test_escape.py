"""The escape corpus against every wire: nobody reads the canary file or calls its server.

Each statement is sent over REST, and every seventh over each other wire; `python -m
benchmarks.escapes` sends all of them over all wires, with the workers' other layers off too.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from querysvc.engines.duckdb.sandbox import LAYERS
from tests.faults.escape import corpus
from tests.faults.escape.cages import MARK, NOTHING, Canary
from tests.faults.escape.wires import WIRES, asked, service_without
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

INTERNAL = "GENERIC_INTERNAL_ERROR"
OTHER_WIRES = [name for name in WIRES if name != "rest"]
SAMPLE = 7
GATE_ALONE = 9


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with service_without((), s3, tmp_path_factory.mktemp("state")) as running:
        yield running


def test_the_corpus_is_large() -> None:
    assert len(set(corpus.refused())) + len(corpus.HARMLESS) + len(corpus.TABLES) >= 300


def test_rest_refuses_every_escape_by_name(service: RunningService, canary: Canary) -> None:
    leaks, answered, internal = [], [], []
    for statement in corpus.refused():
        sql = canary.filled(statement)
        code, text = asked(service, sql)
        if MARK in text.replace(sql, ""):
            leaks.append(sql)
        if code is None:
            answered.append(sql)
        elif code == INTERNAL:
            internal.append((sql, text))
    assert leaks == []
    assert internal == []
    assert {canary.filled(one) for one in MAY_ANSWER} >= set(answered)
    assert canary.harm() == []


MAY_ANSWER = (
    "SELECT version()",
    "BEGIN TRANSACTION",
    "USE stolen",
    "SELECT 'a' 'b', content FROM read_text('{file}')",
)
"""What Trino has too, and what means something else to it."""


def test_what_only_looks_dangerous_is_answered(service: RunningService, canary: Canary) -> None:
    failed = {
        sql: answer
        for sql in map(canary.filled, corpus.HARMLESS)
        if (answer := asked(service, sql))[0] not in (None, "INVALID_FUNCTION_ARGUMENT")
    }
    assert failed == {}
    assert canary.harm() == []


def test_tables_reach_only_their_own_objects(service: RunningService, canary: Canary) -> None:
    for number, end in enumerate(corpus.TABLES):
        name = f"odd_{number}"
        made, text = asked(service, canary.filled(f"CREATE EXTERNAL TABLE {name} (a string) {end}"))
        read, rows = asked(service, f"SELECT * FROM {name}")
        assert MARK not in text + rows, end
        assert INTERNAL not in (made, read), (end, text, rows)
    assert canary.harm() == []


def test_keys_are_opaque(service: RunningService) -> None:
    asked(service, "CREATE EXTERNAL TABLE odd_keys (a string) LOCATION 's3://lake/odd/'")
    code, text = asked(service, 'SELECT a, "$path" FROM odd_keys')
    assert code is None, text
    assert "brackets" in text
    assert "s3://lake/odd/b[12].csv" in text


@pytest.mark.parametrize("wire", OTHER_WIRES)
def test_the_other_wires_tell_nothing_either(
    service: RunningService, canary: Canary, wire: str
) -> None:
    # Each wire has its own share of the corpus: each statement's turn comes over some of them.
    for statement in corpus.refused()[OTHER_WIRES.index(wire) :: SAMPLE]:
        sql = canary.filled(statement)
        text = WIRES[wire](service, sql)
        assert MARK not in text.replace(sql, ""), sql
        assert "Traceback" not in text, sql
    assert canary.harm() == []


def test_the_service_is_still_well(service: RunningService) -> None:
    assert asked(service, "SELECT b FROM t")[1].count("Ada") == 1
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), 5):
        pass


def test_the_gate_alone_holds_over_every_wire(s3: S3Server, canary: Canary, tmp_path: Path) -> None:
    with service_without(NOTHING, s3, tmp_path) as service:
        assert service.log().count("containment_layer_missing") == len(LAYERS)
        for number, statement in enumerate(corpus.refused()[::GATE_ALONE]):
            sql = canary.filled(statement)
            ask = list(WIRES.values())[number % len(WIRES)]
            assert MARK not in ask(service, sql).replace(sql, ""), sql
        assert canary.harm() == []
