import subprocess
import sys

from querysvc.sql.functions.registry import load_registry
from querysvc.sql.functions.signature import FunctionKind

REGISTRY = load_registry()


def test_every_function_name_has_one_kind_of_call() -> None:
    for name in REGISTRY.lines:
        assert len({signature.kind for signature in REGISTRY.calls(name)}) <= 1, name


def test_a_kind_is_known_by_name() -> None:
    assert REGISTRY.kind("COUNT") is FunctionKind.AGGREGATE
    assert REGISTRY.kind("row_number") is FunctionKind.WINDOW
    assert REGISTRY.kind("sequence") is FunctionKind.SCALAR
    assert REGISTRY.kind("exclude_columns") is None
    assert REGISTRY.kind("nothing") is None


def test_names_are_those_that_show_functions_lists() -> None:
    names = REGISTRY.names()
    assert {"abs", "substr", "substring", "st_area", "exclude_columns"} <= set(names)
    assert not {"version", "$at_timezone", "to_char"} & set(names)


def test_hidden_functions_can_be_called() -> None:
    assert REGISTRY.calls("version")
    assert REGISTRY.calls("$at_timezone")


def test_misspelt_names_are_corrected() -> None:
    assert REGISTRY.suggest("SUBSTRIN")[0] == "substring"
    assert REGISTRY.suggest("aproxdistinct")[0] == "approx_distinct"
    assert REGISTRY.suggest("zzzzzzzz") == ()


def test_a_listing_has_a_row_for_each_name_of_a_signature() -> None:
    rows = [row for row in REGISTRY.listing() if row.name in ("substr", "substring")]
    assert {row.name for row in rows} == {"substr", "substring"}
    first = next(row for row in REGISTRY.listing() if row.name == "abs")
    assert (first.return_type, first.argument_types) == ("bigint", "bigint")
    assert (first.kind, first.is_deterministic) == (FunctionKind.SCALAR, True)
    assert first.description == "Absolute value"


def test_resolution_needs_neither_the_parser_nor_the_engine() -> None:
    code = (
        "import sys; import querysvc.sql.functions.operators, querysvc.types.hive; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'sqlglot', 'duckdb'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
