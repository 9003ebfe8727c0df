"""Arrays. https://trino.io/docs/current/functions/array.html"""

from __future__ import annotations

import random
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any, Final

from querysvc.engines.duckdb.functions import lists
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.functions.strings import joined
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.casts.convert import convert
from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    call,
    case,
    cast,
    fail,
    lambda_,
    operation,
    part,
    struct,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.operators import map_value
from querysvc.types.algebra import BIGINT, INTEGER, VARCHAR, Array, Map, TrinoType

REPEAT_MAX: Final = 10_000
COMBINATION_LENGTH_MAX: Final = 5
COMBINATIONS_MAX: Final = 100_000


def _element(site: CallSite, index: int = 0) -> TrinoType:
    type_ = site.types[index]
    assert isinstance(type_, Array)
    return type_.element


def _element_at(site: CallSite) -> Sql:
    if isinstance(site.types[0], Map):
        return map_value(site, lambda _key: NULL)

    def body(value: Sql, index: Sql) -> Sql:
        zero = fail(INVALID, "SQL array indices start at 1")
        return case([(Sql(f"({index} = 0)"), zero)], Sql(f"{value}[{index}]"))

    return lists.held(site.arguments, body)


def _cardinality(site: CallSite) -> Sql:
    name = "cardinality" if isinstance(site.types[0], Map) else "len"
    return Sql(f"CAST({call(name, site.arguments[0])} AS BIGINT)")


def _array_sort(site: CallSite) -> Sql:
    return lists.ascending(site.arguments[0], _element(site))


def _array_distinct(site: CallSite) -> Sql:
    return lists.distinct(site.arguments[0], _element(site))


def _array_union(site: CallSite) -> Sql:
    def body(first: Sql, second: Sql) -> Sql:
        both = call("list_concat", first, second)
        return lists.unless_null((first, second), lists.distinct(both, _element(site)))

    return lists.held(site.arguments, body)


def _kept(values: Sql, others: Sql, type_: TrinoType, *, present: bool) -> Sql:
    """The elements of the first list that are, or are not, in the second."""
    position = call("list_position", lists.keys_of(others, type_), key_form(Sql('"e"'), type_))
    condition = Sql(f"({position} IS {'NOT ' if present else ''}NULL)")
    return call("list_filter", values, lambda_(["e"], condition))


def _array_except(site: CallSite) -> Sql:
    def body(first: Sql, second: Sql) -> Sql:
        rest = lists.distinct(_kept(first, second, _element(site), present=False), _element(site))
        # Without anything to leave out Trino hands the array through, with what it repeats.
        all_ = case([(Sql(f"(len({second}) = 0)"), first)], rest)
        return lists.unless_null((first, second), all_)

    return lists.held(site.arguments, body)


def _array_intersect(site: CallSite) -> Sql:
    """Common elements in the longer array's order; in the first's when they are as long."""
    type_ = _element(site)

    def body(first: Sql, second: Sql) -> Sql:
        is_longer = Sql(f"(len({first}) < len({second}))")
        longer, shorter = case([(is_longer, second)], first), case([(is_longer, first)], second)

        def common(values: Sql, others: Sql) -> Sql:
            return lists.distinct(_kept(values, others, type_, present=True), type_)

        return lists.unless_null((first, second), lists.held([longer, shorter], common))

    return lists.held(site.arguments, body)


def _arrays_overlap(site: CallSite) -> Sql:
    type_ = _element(site)

    def body(first: Sql, second: Sql) -> Sql:
        common = call("list_has_any", lists.keys_of(first, type_), lists.keys_of(second, type_))
        is_empty = Sql(f"(len({first}) = 0 OR len({second}) = 0)")
        unknown = Sql(f"({lists.has_null(first)} OR {lists.has_null(second)})")
        return case(
            [
                (lists.any_null(first, second), NULL),
                (common, TRUE),
                (is_empty, FALSE),
                (unknown, NULL),
            ],
            FALSE,
        )

    return lists.held(site.arguments, body)


def _contains(site: CallSite) -> Sql:
    type_ = _element(site)

    def plain(values: Sql, wanted: Sql) -> Sql:
        found = call("list_contains", lists.keys_of(values, type_), key_form(wanted, type_))
        return case(
            [
                (lists.any_null(values, wanted), NULL),
                (found, TRUE),
                (lists.has_null(values), NULL),
            ],
            FALSE,
        )

    def special(values: Sql, wanted: Sql) -> Sql:
        def decide(codes: Sql) -> Sql:
            unknown = Sql(f"list_contains({codes}, {lists.IS_NULL})")
            return case(
                [
                    (lists.any_null(values, wanted), NULL),
                    (_unknown_first(codes), lists.refuse_unknown("contains")),
                    (Sql(f"list_contains({codes}, {lists.SAME})"), TRUE),
                    (unknown, NULL),
                ],
                FALSE,
            )

        return lists.held([lists.matches(values, wanted, type_)], decide)

    return lists.held(site.arguments, plain if lists.is_plain(type_) else special)


def _unknown_first(codes: Sql) -> Sql:
    """Whether an element that cannot be compared comes before any match."""
    unknown = f"list_position({codes}, {lists.UNKNOWN})"
    same = f"list_position({codes}, {lists.SAME})"
    return Sql(f"({unknown} IS NOT NULL AND ({same} IS NULL OR {same} > {unknown}))")


def _array_position(site: CallSite) -> Sql:
    type_ = _element(site)

    def plain(values: Sql, wanted: Sql) -> Sql:
        keys = lists.keys_of(values, type_)
        position = call("list_position", keys, key_form(wanted, type_))
        found = Sql(f"CAST(coalesce({position}, 0) AS BIGINT)")
        return lists.unless_null((values, wanted), found)

    def special(values: Sql, wanted: Sql) -> Sql:
        def decide(codes: Sql) -> Sql:
            position = f"CAST(coalesce(list_position({codes}, {lists.SAME}), 0) AS BIGINT)"
            refused = (_unknown_first(codes), lists.refuse_unknown("array_position"))
            return case([(lists.any_null(values, wanted), NULL), refused], Sql(position))

        return lists.held([lists.matches(values, wanted, type_)], decide)

    return lists.held(site.arguments, plain if lists.is_plain(type_) else special)


def _array_remove(site: CallSite) -> Sql:
    type_ = _element(site)

    def plain(values: Sql, wanted: Sql) -> Sql:
        key = key_form(Sql('"e"'), type_)
        different = operation("IS DISTINCT FROM", key, key_form(wanted, type_))
        rest = call("list_filter", values, lambda_(["e"], different))
        return lists.unless_null((values, wanted), rest)

    def special(values: Sql, wanted: Sql) -> Sql:
        def decide(codes: Sql) -> Sql:
            unknown = Sql(f"list_contains({codes}, {lists.UNKNOWN})")
            condition = Sql(f'({codes}["i"] <> {lists.SAME})')
            return case(
                [
                    (lists.any_null(values, wanted), NULL),
                    (unknown, lists.refuse_unknown("array_remove")),
                ],
                call("list_filter", values, lambda_(["e", "i"], condition)),
            )

        return lists.held([lists.matches(values, wanted, type_)], decide)

    return lists.held(site.arguments, plain if lists.is_plain(type_) else special)


def _extreme(name: str) -> Any:
    """array_max and array_min: NULL when an element is; NaN only when all elements are."""

    def build(site: CallSite) -> Sql:
        type_ = _element(site)

        def body(values: Sql) -> Sql:
            return case([(lists.has_null(values), NULL)], _extreme_of(values, type_, name))

        return lists.held(site.arguments, body)

    return build


def _extreme_of(values: Sql, type_: TrinoType, name: str) -> Sql:
    if type_.is_floating:
        numbers = f'list_filter({values}, lambda "e": NOT isnan("e"))'
        return Sql(
            f"coalesce(list_aggregate({numbers}, '{name}'), list_aggregate({values}, '{name}'))"
        )
    checked = lists.comparable(values, type_)
    key = lists.order_key(Sql('"e"'), type_)
    if key == '"e"':
        return Sql(f"list_aggregate({checked}, '{name}')")

    def pick(bound: Sql) -> Sql:
        keyed = call("list_transform", bound, lambda_(["e"], key))
        return Sql(f"{bound}[list_position({keyed}, list_aggregate({keyed}, '{name}'))]")

    return lists.held([checked], pick)


def _array_join(site: CallSite) -> Sql:
    text = convert(site.context, Sql('"e"'), _element(site), VARCHAR)
    values, delimiter, *replacement = site.arguments
    if replacement:
        text = Sql(f"coalesce({text}, {replacement[0]})")
    texts = values if text == '"e"' else call("list_transform", values, lambda_(["e"], text))
    if site.is_constant(1):
        text = Sql(f"array_to_string({texts}, {delimiter})")
    else:
        present = call("list_filter", texts, lambda_(["e"], Sql('("e" IS NOT NULL)')))
        text = joined(present, delimiter)
    return case([(lists.any_null(*site.arguments), NULL)], Sql(f"coalesce({text}, '')"))


def _array_histogram(site: CallSite) -> Sql:
    type_ = _element(site)

    def body(values: Sql) -> Sql:
        present = Sql(f'list_filter({values}, lambda "e": "e" IS NOT NULL)')
        if not needs_key(type_) and lists.is_plain(type_):
            counts = Sql(f"CAST(list_aggregate({values}, 'histogram') AS {site.result_type})")
            empty = Sql(f"CAST(MAP {{}} AS {site.result_type})")
            return lists.unless_null((values,), Sql(f"coalesce({counts}, {empty})"))

        def count(some: Sql) -> Sql:
            same = lists.same_values(Sql('"y"'), Sql('"x"'), type_)
            number = Sql(f"len({call('list_filter', some, lambda_(['y'], same))})")
            return lists.held(
                [lists.distinct(some, type_)],
                lambda keys: lists.as_map(
                    keys, call("list_transform", keys, lambda_(["x"], number)), site.result_type
                ),
            )

        return lists.unless_null((values,), lists.held([present], count))

    return lists.held(site.arguments, body)


def _contains_sequence(site: CallSite) -> Sql:
    type_ = _element(site)

    def body(values: Sql, wanted: Sql) -> Sql:
        starts = f"range(1, len({values}) - len({wanted}) + 2)"
        same = f'{values}["i":"i" + len({wanted}) - 1] = {wanted}'
        found = Sql(f'(len(list_filter({starts}, lambda "i": {same})) > 0)')
        return case(
            [(lists.any_null(values, wanted), NULL), (Sql(f"(len({wanted}) = 0)"), TRUE)], found
        )

    return lists.held([lists.keys_of(argument, type_) for argument in site.arguments], body)


@lru_cache(maxsize=64)
def _choices(size: int, length: int) -> list[list[int]]:
    """Positions of the combinations, ordered by their last position, then by the one before."""
    chosen = combinations(range(1, size + 1), length)
    return [list(one) for one in sorted(chosen, key=lambda one: one[::-1])]


@by_row
def combination_positions(size: int, length: int) -> list[list[int]]:
    """The positions that each combination takes from an array of the size."""
    if length < 0:
        raise failure(INVALID, f"combination size must not be negative: {length}")
    if length > COMBINATION_LENGTH_MAX:
        raise failure(INVALID, f"combination size must not exceed {COMBINATION_LENGTH_MAX}")
    if comb(size, length) > COMBINATIONS_MAX:
        raise failure(INVALID, f"combinations exceed max size of {COMBINATIONS_MAX}")
    return _choices(size, length)


def _combinations(site: CallSite) -> Sql:
    def body(values: Sql, length: Sql) -> Sql:
        positions = site.call_python(
            combination_positions,
            (cast(call("len", values), "BIGINT"), BIGINT),
            (length, INTEGER),
            result=Array(Array(BIGINT)),
        )
        picked = Sql(f'list_transform("c", lambda "i": {values}["i"])')
        return call("list_transform", positions, lambda_(["c"], picked))

    return lists.held(site.arguments, body)


def _ngrams(site: CallSite) -> Sql:
    def body(values: Sql, length: Sql) -> Sql:
        starts = f"range(1, len({values}) - {length} + 2)"
        grams = Sql(f'list_transform({starts}, lambda "i": {values}["i":"i" + {length} - 1])')
        return case(
            [
                (lists.any_null(values, length), NULL),
                (Sql(f"({length} <= 0)"), fail(INVALID, "N must be positive")),
                (Sql(f"({length} >= len({values}))"), Sql(f"[{values}]")),
            ],
            grams,
        )

    return lists.held(site.arguments, body)


def _repeat(site: CallSite) -> Sql:
    def body(value: Sql, count: Sql) -> Sql:
        what = "count argument of repeat function must be"
        return case(
            [
                (
                    Sql(f"({count} > {REPEAT_MAX})"),
                    fail(INVALID, f"{what} less than or equal to {REPEAT_MAX}"),
                ),
                (Sql(f"({count} < 0)"), fail(INVALID, f"{what} greater than or equal to 0")),
                (Sql(f"({count} IS NULL)"), NULL),
            ],
            cast(Sql(f'list_transform(range({count}), lambda "e": {value})'), site.result_type),
        )

    return lists.held(site.arguments, body)


def _slice(site: CallSite) -> Sql:
    """A start below 0 counts from the end; one before the array gives nothing."""

    def body(values: Sql, start: Sql, length: Sql) -> Sql:
        first = Sql(f"CASE WHEN {start} < 0 THEN len({values}) + {start} + 1 ELSE {start} END")
        wide = f"CAST({start} AS HUGEINT)"
        empty = Sql(f"{values}[2:1]")
        end = f"CAST(least(CAST(({first}) AS HUGEINT) + {length} - 1, len({values})) AS BIGINT)"
        # Trino adds start and length in 64 bits, and takes what wraps around for nothing.
        overflow = f"({wide} > 0 AND {wide} + {length} > 9223372036854775807)"
        return case(
            [
                (lists.any_null(values, start, length), NULL),
                (
                    Sql(f"({length} < 0)"),
                    fail(INVALID, "length must be greater than or equal to 0"),
                ),
                (Sql(f"({start} = 0)"), fail(INVALID, "SQL array indices start at 1")),
                (Sql(f"({wide} + len({values}) < 0 OR {overflow})"), empty),
            ],
            Sql(f"{values}[{first}:{end}]"),
        )

    return lists.held(site.arguments, body)


def _trim_array(site: CallSite) -> Sql:
    def body(values: Sql, size: Sql) -> Sql:
        negative = fail(INVALID, "size must not be negative: ", part(size))
        cardinality = part(call("len", values))
        large = fail(
            INVALID, "size must not exceed array cardinality ", cardinality, ": ", part(size)
        )
        return case(
            [
                (lists.any_null(values, size), NULL),
                (Sql(f"({size} < 0)"), negative),
                (Sql(f"({size} > len({values}))"), large),
            ],
            Sql(f"{values}[1:len({values}) - {size}]"),
        )

    return lists.held(site.arguments, body)


def _zip(site: CallSite) -> Sql:
    def body(*values: Sql) -> Sql:
        fields = [(f"f{i}", Sql(f'"e"[{i + 1}]')) for i in range(len(values))]
        pairs = call("list_transform", call("list_zip", *values), lambda_(["e"], struct(fields)))
        return lists.unless_null(values, cast(pairs, site.result_type))

    return lists.held(site.arguments, body)


def shuffled_positions(sizes: Any) -> list[list[int] | None]:
    """A random permutation of the positions of each array, for its size."""
    generator = random.SystemRandom()
    return [
        None if size is None else generator.sample(range(1, size + 1), size)
        for size in sizes.to_pylist()
    ]


def _shuffle(site: CallSite) -> Sql:
    def body(values: Sql) -> Sql:
        positions = site.call_python(
            shuffled_positions,
            (cast(call("len", values), "BIGINT"), BIGINT),
            result=Array(BIGINT),
            is_deterministic=False,
        )
        return Sql(f'list_transform({positions}, lambda "i": {values}["i"])')

    return lists.held(site.arguments, body)


SCALARS: Final[ScalarTable] = {
    "array_distinct": _array_distinct,
    "array_except": _array_except,
    "array_histogram": _array_histogram,
    "array_intersect": _array_intersect,
    "array_join": _array_join,
    "array_max": _extreme("max"),
    "array_min": _extreme("min"),
    "array_position": _array_position,
    "array_remove": _array_remove,
    "array_sort(array(e))": _array_sort,
    "array_union": _array_union,
    "arrays_overlap": _arrays_overlap,
    "cardinality(array(e))": _cardinality,
    "cardinality(map(k,v))": _cardinality,
    "combinations": _combinations,
    "contains(array(t),t)": _contains,
    "contains_sequence": _contains_sequence,
    "element_at": _element_at,
    "flatten": "flatten({0})",
    "ngrams": _ngrams,
    "repeat": _repeat,
    "reverse(array(e))": "list_reverse({0})",
    "shuffle": _shuffle,
    "slice": _slice,
    "trim_array": _trim_array,
    "zip": _zip,
}
