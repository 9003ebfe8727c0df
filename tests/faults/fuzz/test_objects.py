"""Objects with changed bytes, read whole by contained workers: an answer or HIVE_BAD_DATA.

Never a crash of the worker, never an error without a name.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.format_cases import Case, all_cases
from tests.support.fuzz.parsers import changed

INPUTS = 12
UNNAMED = {"GENERIC_INTERNAL_ERROR", "WORKER_CRASHED"}
CASES = {
    kind: [case for case in all_cases() if case.format is kind and "rows" in case.expected]
    for kind in StorageFormat
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBench]:
    bench = EngineBench(tmp_path_factory.mktemp("objects"))
    yield bench
    bench.engine.close()


@pytest.mark.parametrize("kind", [kind for kind, cases in CASES.items() if cases])
def test_damaged_objects_are_read_or_refused_by_name(
    bench: EngineBench, kind: StorageFormat
) -> None:
    chance = random.Random(f"{kind} 1")
    for _ in range(INPUTS):
        case = chance.choice(CASES[kind])
        objects = {key: changed(data, chance) for key, data in case.objects().items()}
        damaged = DamagedCase(case.format, case.data, objects)
        found = damaged.ask(bench)
        assert found.get("error_name") not in UNNAMED, (case.name, found, objects)


class DamagedCase(Case):
    """A case over other objects than its own."""

    def __init__(
        self, storage_format: StorageFormat, data: dict[str, object], objects: dict[str, bytes]
    ) -> None:
        super().__init__(storage_format, data)
        object.__setattr__(self, "_objects", objects)

    def objects(self) -> dict[str, bytes]:
        found: dict[str, bytes] = vars(self)["_objects"]
        return found
