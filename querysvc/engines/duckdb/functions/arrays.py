"""Arrays, and lambdas over them.

https://trino.io/docs/current/functions/array.html and lambda.html
"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, call, case, fail
from querysvc.engines.duckdb.lowering.operators import map_value
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Map


def _element_at(site: CallSite) -> Sql:
    if isinstance(site.types[0], Map):
        return map_value(site, lambda _key: NULL)

    def body(value: Sql, index: Sql) -> Sql:
        zero = fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, "SQL array indices start at 1")
        return case([(Sql(f"({index} = 0)"), zero)], Sql(f"{value}[{index}]"))

    return bind(site.arguments, body)


def _cardinality(site: CallSite) -> Sql:
    name = "cardinality" if isinstance(site.types[0], Map) else "len"
    return Sql(f"CAST({call(name, site.arguments[0])} AS BIGINT)")


SCALARS: Final[ScalarTable] = {
    "cardinality(array(e))": _cardinality,
    "cardinality(map(k,v))": _cardinality,
    "element_at": _element_at,
    "filter": "list_filter({0}, {1})",
    "transform": "list_transform({0}, {1})",
}
