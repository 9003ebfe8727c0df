"""Vectors: arrays of doubles, and sparse ones as maps."""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions import lists
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.registry import CallSite, ScalarBuilder, ScalarTable
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, case, fail

_LENGTHS: Final = fail(INVALID, "The arguments must have the same length")
# A NULL element counts as 0 where it does not make the answer NULL.
_P, _Q = 'coalesce("p"[1], 0)', 'coalesce("p"[2], 0)'
_ZERO: Final = fail(INVALID, "Vector magnitude cannot be zero")


def _dense(result: str, *, needs_magnitude: bool = False) -> ScalarBuilder:
    """A function of two arrays: `{a}`, `{b}`, and their dot product `{dot}`."""

    def build(site: CallSite) -> Sql:
        def body(a: Sql, b: Sql) -> Sql:
            branches = [
                (lists.any_null(a, b), NULL),
                (Sql(f"(len({a}) <> len({b}))"), _LENGTHS),
            ]
            if needs_magnitude:
                unknown = Sql(f"({lists.has_null(a)} OR {lists.has_null(b)})")
                branches.append((unknown, NULL))
                squares = " OR ".join(f"{_dot(one, one)} = 0" for one in (a, b))
                branches.append((Sql(f"({squares})"), _ZERO))
            return case(branches, Sql(f"({result.format(**_terms(a, b))})"))

        return bind(site.arguments, body)

    return build


def _terms(a: Sql, b: Sql) -> dict[str, str]:
    return {
        "dot": _dot(a, b),
        "size": f"(sqrt({_dot(a, a)}) * sqrt({_dot(b, b)}))",
        "squares": f"coalesce(list_sum(list_transform(list_zip({a}, {b}),"
        f' lambda "p": ({_P} - {_Q}) * ({_P} - {_Q}))), 0)',
    }


def _dot(a: str, b: str) -> str:
    return f'coalesce(list_sum(list_transform(list_zip({a}, {b}), lambda "p": {_P} * {_Q})), 0)'


def _sparse_similarity(site: CallSite) -> Sql:
    """Cosine of the angle of two maps from dimension to weight; NULL when one has no length."""

    def body(a: Sql, b: Sql) -> Sql:
        shared = f'list_filter(map_keys({a}), lambda "k": map_contains({b}, "k"))'
        products = f'list_transform({shared}, lambda "k": {a}["k"] * {b}["k"])'
        lengths = " * ".join(
            f'sqrt(coalesce(list_sum(list_transform(map_values({one}), lambda "v": "v" * "v")), 0))'
            for one in (a, b)
        )
        unknown = " OR ".join(str(lists.has_null(Sql(f"map_values({one})"))) for one in (a, b))
        return case(
            [(lists.any_null(a, b), NULL), (Sql(f"({unknown})"), NULL)],
            Sql(f"(coalesce(list_sum({products}), 0) / ({lengths}))"),
        )

    return bind(site.arguments, body)


SCALARS: Final[ScalarTable] = {
    "cosine_distance": _dense("1 - {dot} / {size}", needs_magnitude=True),
    "cosine_similarity(array(double),array(double))": _dense(
        "{dot} / {size}", needs_magnitude=True
    ),
    "cosine_similarity(map(varchar,double),map(varchar,double))": _sparse_similarity,
    "dot_product": _dense("{dot}"),
    "euclidean_distance": _dense("sqrt({squares})"),
}
