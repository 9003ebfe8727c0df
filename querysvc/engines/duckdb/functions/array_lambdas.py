"""Lambdas over arrays. https://trino.io/docs/current/functions/lambda.html"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Final

from querysvc.engines.duckdb.functions import lists
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.registry import (
    CallSite,
    ScalarBuilder,
    ScalarTable,
)
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.lowering.expressions import _MAY_FAIL
from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    call,
    case,
    cast,
    field,
    identifier,
    lambda_,
    struct,
    typed_null,
)
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.errors import ErrorCode
from querysvc.types.algebra import BIGINT, INTEGER, Array, TrinoType

INSERTION_SORT_BELOW: Final = 32
"""Java sorts shorter arrays by binary insertion, whatever the comparator says."""
_NO_ANSWER: Final = 2


def _element(site: CallSite, index: int = 0) -> TrinoType:
    type_ = site.types[index]
    assert isinstance(type_, Array)
    return type_.element


def _match(decide: str, decided: Sql, otherwise: Sql) -> ScalarBuilder:
    """any_match and its kin: they stop at the first element that decides."""

    def build(site: CallSite) -> Sql:
        name = parameter = lists.parameter_name(site, 1, "w")
        body = lists.applied(site, 1, identifier(parameter))
        if _MAY_FAIL.search(body):
            return _step_by_step(site, decide, decided, otherwise)
        results = call("list_transform", site.arguments[0], lambda_([name], body))

        def answer(bound: Sql) -> Sql:
            unknown = Sql(f"({bound} IS NULL OR {lists.has_null(bound)})")
            found = Sql(f"list_contains({bound}, {decide})")
            return case([(found, decided), (unknown, NULL)], otherwise)

        return lists.held([results], answer)

    return build


def _step_by_step(site: CallSite, decide: str, decided: Sql, otherwise: Sql) -> Sql:
    """A fold whose state is 0 so far, 1 when decided, 2 after a NULL."""
    left, right = (lists.parameter_name(site, 1, letter) for letter in "wy")
    state = identifier(left, "s")
    result = lists.applied(site, 1, identifier(right, "v"))

    def step(one: Sql) -> Sql:
        is_decisive = Sql(f"({one} = {decide})")
        return case([(is_decisive, Sql("1")), (Sql(f"({one} IS NULL)"), Sql("2"))], state)

    following = case([(Sql(f"({state} = 1)"), state)], lists.held([result], step))
    fold = lambda_(
        [left, right],
        struct([("v", identifier(right, "v")), ("s", cast(following, "INTEGER"))]),
    )

    def body(values: Sql) -> Sql:
        none = typed_null(storage_type(_element(site)))
        first = struct([("v", none), ("s", Sql("CAST(0 AS INTEGER)"))])
        item = struct([("v", Sql('"e"')), ("s", Sql("CAST(0 AS INTEGER)"))])
        items = call("list_transform", values, lambda_(["e"], item))
        end = field(call("list_reduce", items, fold, first), "s")
        return lists.unless_null(
            (values,),
            Sql(f"(CASE {end} WHEN 1 THEN {decided} WHEN 2 THEN NULL ELSE {otherwise} END)"),
        )

    return lists.held([site.arguments[0]], body)


def _reduce(site: CallSite) -> Sql:
    """DuckDB's fold keeps one type: its items are the element beside the state."""
    state_type = storage_type(site.types[1])
    left, right = (lists.parameter_name(site, 2, letter) for letter in "wy")
    element = identifier(right, "x")
    following = lists.applied(site, 2, identifier(left, "s"), element)
    fold = lambda_([left, right], struct([("x", element), ("s", cast(following, state_type))]))
    item = struct([("x", Sql('"e"')), ("s", typed_null(state_type))])
    items = call("list_transform", site.arguments[0], lambda_(["e"], item))
    none = typed_null(storage_type(_element(site)))
    first = struct([("x", none), ("s", cast(site.arguments[1], state_type))])
    end = field(call("list_reduce", items, fold, first), "s")
    result = _output(site, end)
    return lists.unless_null((site.arguments[0],), cast(result, site.result_type))


def _output(site: CallSite, state: Sql) -> Sql:
    name = lists.parameter_name(site, 3, "w")
    output = lists.applied(site, 3, identifier(name))
    if output == identifier(name):
        return state
    return Sql(f"list_transform([{state}], {lambda_([name], output)})[1]")


def _zip_with(site: CallSite) -> Sql:
    name = lists.parameter_name(site, 2, "w")
    pair = identifier(name)
    fields = [cast(Sql(f"{pair}[{i + 1}]"), storage_type(_element(site, i))) for i in range(2)]
    result = lists.applied(site, 2, *fields)

    def body(first: Sql, second: Sql) -> Sql:
        pairs = call("list_zip", first, second)
        zipped = call("list_transform", pairs, lambda_([name], result))
        return lists.unless_null((first, second), cast(zipped, site.result_type))

    return lists.held(site.arguments[:2], body)


def sorted_positions(matrices: Any) -> list[list[int] | None]:
    """The order of an array's positions by its comparator's answers for each pair of them."""
    return [None if rows is None else _sorted(rows) for rows in matrices.to_pylist()]


def _sorted(rows: list[list[int]]) -> list[int]:
    def compare(first: int, second: int) -> int:
        answer = rows[first][second]
        if answer not in (-1, 0, 1):
            raise failure(INVALID, "Lambda comparator must return either -1, 0, or 1")
        return answer

    size = len(rows)
    if size < INSERTION_SORT_BELOW:
        return [position + 1 for position in _binary_insertion(size, compare)]
    if any(rows[i][j] != -rows[j][i] for i in range(size) for j in range(i)):
        raise failure(
            ErrorCode.NOT_SUPPORTED, "an inconsistent comparator of array_sort is not supported"
        )
    return [position + 1 for position in sorted(range(size), key=cmp_to_key(compare))]


def _binary_insertion(size: int, compare: Any) -> list[int]:
    """java.util.TimSort of fewer than 32 elements: the first run, then binary insertion."""
    order = list(range(size))
    if size < 2:
        return order
    run = 2
    if compare(order[1], order[0]) < 0:
        while run < size and compare(order[run], order[run - 1]) < 0:
            run += 1
        order[:run] = reversed(order[:run])
    else:
        while run < size and compare(order[run], order[run - 1]) >= 0:
            run += 1
    for start in range(run, size):
        pivot, left, right = order[start], 0, start
        while left < right:
            middle = (left + right) // 2
            if compare(pivot, order[middle]) < 0:
                right = middle
            else:
                left = middle + 1
        order.insert(left, order.pop(start))
    return order


def _array_sort(site: CallSite) -> Sql:
    """The comparator's answers for all pairs are computed here, the order of them in Python."""
    first, second = (lists.parameter_name(site, 1, letter) for letter in "wy")
    answer = lists.applied(site, 1, identifier(first), identifier(second))
    cell = case(
        [(Sql(f"({identifier(first + 'a')} = {identifier(second + 'a')})"), Sql("0"))],
        Sql(f"coalesce({answer}, {_NO_ANSWER})"),
    )

    def body(values: Sql) -> Sql:
        row = call("list_transform", values, lambda_([second, second + "a"], cell))
        matrix = call("list_transform", values, lambda_([first, first + "a"], row))
        positions = site.call_python(
            sorted_positions,
            (cast(matrix, "INTEGER[][]"), Array(Array(INTEGER))),
            result=Array(BIGINT),
        )
        return Sql(f'list_transform({positions}, lambda "i": {values}["i"])')

    return lists.held([site.arguments[0]], body)


SCALARS: Final[ScalarTable] = {
    "all_match": _match("false", FALSE, TRUE),
    "any_match": _match("true", TRUE, FALSE),
    "array_sort(array(t),function(t,t,integer))": _array_sort,
    "filter": "list_filter({0}, {1})",
    "none_match": _match("true", FALSE, TRUE),
    "reduce": _reduce,
    "transform": "list_transform({0}, {1})",
    "zip_with": _zip_with,
}
