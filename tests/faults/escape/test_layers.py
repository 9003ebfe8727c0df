"""Each layer of containment proved with others off: attacks in DuckDB's SQL, past the gate.

Here each mode takes its share of all statements, so that all are sent; `python -m
benchmarks.escapes` sends all of them in every mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from querysvc.engines.duckdb.sandbox import LAYERS
from tests.faults.escape import corpus, native
from tests.faults.escape.cages import MODES, NOTHING, Cage, Canary, cage_without, canary_in, escapes

STATEMENTS = [*native.attacks(), *corpus.refused(), *corpus.HARMLESS]
Cages = Callable[[str], Cage]


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    with canary_in(tmp_path_factory.mktemp("secrets")) as made:
        yield made


@pytest.fixture(scope="module")
def cages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cages]:
    built: dict[str, Cage] = {}
    with ExitStack() as stack:

        def cage(mode: str) -> Cage:
            if mode not in built:
                folder = tmp_path_factory.mktemp("cage")
                built[mode] = stack.enter_context(cage_without(MODES[mode], folder))
            return built[mode]

        yield cage


@pytest.mark.parametrize("mode", MODES)
def test_nobody_gets_out(cages: Cages, canary: Canary, mode: str) -> None:
    share = STATEMENTS[list(MODES).index(mode) :: len(MODES)]
    assert escapes(cages(mode), canary, share) == []


def test_without_any_layer_the_same_statements_get_out(
    canary: Canary, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with cage_without(NOTHING, tmp_path_factory.mktemp("open")) as cage:
        assert len(escapes(cage, canary, list(native.READS[:12]))) >= 10
        assert escapes(cage, canary, list(native.WRITES[:2])) != []


@pytest.mark.parametrize("statement", native.SETTINGS)
def test_no_setting_is_changed(cages: Cages, statement: str) -> None:
    for mode in ("gate", "gate, system"):
        assert "the configuration has been locked" in cages(mode).attempt(statement)


@pytest.mark.parametrize("statement", native.PYTHON)
def test_no_variable_of_python_or_the_environment_is_seen(cages: Cages, statement: str) -> None:
    for mode in ("gate", "gate, system"):
        told = cages(mode).attempt(statement)
        assert "rows" not in told or "None" in told


def test_the_plan_s_own_objects_are_read(cages: Cages) -> None:
    for mode in MODES:
        assert cages(mode).run("SELECT CAST(sum(c0) AS VARCHAR) FROM t0") == [("6",)]


@pytest.mark.parametrize("statement", native.STATE)
def test_what_one_query_leaves_behind_the_next_does_not_see(cages: Cages, statement: str) -> None:
    for mode in ("gate", "gate, engine"):
        cage = cages(mode)
        before = probed(cage)
        told = cage.attempt(statement)
        assert probed(cage) == before, told


def probed(cage: Cage) -> list[tuple[object, ...]]:
    """All that the probes ask, in one query."""
    return cage.run(" UNION ALL ".join(f"SELECT CAST(({probe}) AS VARCHAR)" for probe in PROBES))


PROBES = [probe for probe in native.PROBES if "prepared" not in probe]


def test_the_report_tells_which_layers_hold(cages: Cages) -> None:
    for mode, off in MODES.items():
        report = cages(mode).engine.containment_report()
        assert [layer.name for layer in report] == [*LAYERS, "memory"]
        assert {layer.name for layer in report if not layer.is_applied} == {*off} & {*LAYERS}
