"""Lowering of trees built by hand, and the shape of what it writes."""

from collections.abc import Iterator

import pytest

from querysvc.engines.duckdb.functions import catalog
from querysvc.engines.duckdb.functions.registry import canonical_name
from querysvc.engines.duckdb.lowering.lower import lower
from querysvc.engines.duckdb.lowering.operators import OPERATORS
from querysvc.engines.duckdb.lowering.settings import statements
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.sql.functions.registry import ALL_FAMILIES, load_registry
from querysvc.tree import Call, Cast, Expression, Field, Literal, Not, Query, Select, Try
from querysvc.types.algebra import BIGINT, BOOLEAN, DOUBLE, INTEGER, Char, Time, TrinoType
from tests.support.local_engine import LocalEngine


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


def _literal(value: int | float | str, type_: TrinoType) -> Literal:
    return Literal(type=type_, value=value)


def _divide(first: int, second: int) -> Call:
    arguments = (_literal(first, INTEGER), _literal(second, INTEGER))
    return Call(type=INTEGER, name="/", key="/(integer,integer)", arguments=arguments)


def _query(*items: Expression) -> Query:
    return Query(tuple(Field(None, item.type) for item in items), Select(items))


def test_division_truncates_and_checks(engine: LocalEngine) -> None:
    assert engine.evaluate(_divide(7, 2), _divide(-7, 2)) == [3, -3]
    with pytest.raises(QueryServiceError) as caught:
        engine.evaluate(_divide(1, 0))
    assert caught.value.code is ErrorCode.DIVISION_BY_ZERO


def test_try_turns_the_failure_into_null(engine: LocalEngine) -> None:
    assert engine.evaluate(Try(type=INTEGER, value=_divide(1, 0))) == [None]


def test_char_is_padded_only_in_the_result(engine: LocalEngine) -> None:
    assert engine.evaluate(_literal("a ", Char(3))) == ["a  "]


def test_a_function_without_entry_is_refused_by_name() -> None:
    call = Call(type=BIGINT, name="nonesuch", key="nonesuch(bigint)", arguments=())
    with pytest.raises(
        QueryServiceError, match=r"function nonesuch\(bigint\) is not supported"
    ) as c:
        lower(_query(call), {})
    assert c.value.code is ErrorCode.NOT_SUPPORTED


def test_a_time_finer_than_microseconds_is_refused_by_name() -> None:
    with pytest.raises(QueryServiceError, match=r"time\(9\)"):
        lower(_query(Literal(type=Time(9), value=0)), {})


def test_only_what_a_query_needs_is_installed() -> None:
    assert lower(_query(_divide(1, 2)), {}).macros == ()
    text = Cast(type=Char(9), value=_literal(1.5, DOUBLE))
    assert lower(_query(_divide(1, 2)), {}).functions == ()
    with pytest.raises(QueryServiceError, match="cast from double to char"):
        lower(_query(text), {})


def test_deep_nesting_is_a_clear_error_or_works() -> None:
    node: Expression = Literal(type=BOOLEAN, value=True)
    for _ in range(100_000):
        node = Not(type=BOOLEAN, value=node)
    with pytest.raises(QueryServiceError) as caught:
        lower(_query(node), {})
    assert caught.value.code is ErrorCode.STACK_OVERFLOW


def test_every_entry_belongs_to_a_signature() -> None:
    registry = load_registry(ALL_FAMILIES)
    for table in (catalog.scalar_table(), catalog.aggregate_table(), catalog.window_table()):
        for key in set(table) - set(OPERATORS):
            name = canonical_name(key)
            # A special form's entry, such as format's, stands under the form's own name.
            signatures = registry.overloads(name) or registry.overloads(f"${name}")
            assert signatures, key
            assert key in {signature.key for signature in signatures} | {name}


def test_settings_are_all_known_to_duckdb(engine: LocalEngine) -> None:
    for statement in statements():
        engine.connection.execute(statement)


def test_simple_filters_reach_the_parquet_reader(engine: LocalEngine) -> None:
    statement = engine.analyse(
        "SELECT orderkey FROM lineitem WHERE shipdate >= DATE '1994-01-01' AND quantity < 24"
        " AND shipmode = 'AIR' AND orderkey > 5 AND discount BETWEEN 0.05 AND 0.07"
    )
    plan = engine.connection.execute(f"EXPLAIN {engine.lower(statement).sql}").fetchall()[0][1]
    filters = plan[plan.index("Filters") :]
    for text in ("orderkey>5", "quantity<24.0", "shipmode='AIR'", "shipdate>='1994-01-01'"):
        assert text in "".join(filters.split()).replace("│", "").replace(" ", "")
    assert "FILTER" not in plan.upper().replace("FILTERS", "")
