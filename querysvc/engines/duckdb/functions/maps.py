"""Maps, and lambdas over them. https://trino.io/docs/current/functions/map.html and lambda.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, call, case, cast, fail
from querysvc.errors import ErrorCode

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT


def _map(site: CallSite) -> Sql:
    """map(keys, values); map() is empty."""
    if not site.arguments:
        return cast(Sql("MAP {}"), site.result_type)

    def body(keys: Sql, values: Sql) -> Sql:
        unequal = fail(_INVALID, "Key and value arrays must be the same length")
        return case(
            [
                (Sql(f"({keys} IS NULL OR {values} IS NULL)"), Sql("NULL")),
                (Sql(f"(len({keys}) <> len({values}))"), unequal),
            ],
            call("map", keys, values),
        )

    return bind(site.arguments, body)


SCALARS: Final[ScalarTable] = {
    "map": _map,
    "map_keys": "map_keys({0})",
    "map_values": "map_values({0})",
}
