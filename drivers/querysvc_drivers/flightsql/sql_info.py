"""GetSqlInfo and GetXdbcTypeInfo: what the server is and can."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from querysvc import __version__
from querysvc_drivers.flightsql import schemas

_STRING, _BOOL, _BIGINT, _BITMASK = range(4)
_TRANSACTIONS: Final = 1
"""Begun and ended: no savepoints."""
_CASE_INSENSITIVE: Final = 1
# Codes of the specification's SqlInfo.
_INFO: Final[dict[int, str | bool | int]] = {
    0: "querysvc",
    1: __version__,
    2: pa.__version__,
    3: False,  # read only
    4: True,  # SQL
    5: False,  # Substrait
    9: True,  # cancel
    500: False,  # creates catalogs
    501: True,  # creates schemas
    502: True,  # creates tables
    503: _CASE_INSENSITIVE,
    504: '"',
    505: _CASE_INSENSITIVE,
    506: False,  # all tables are selectable to all
}
_BITMASKS: Final = {8: _TRANSACTIONS}


def sql_info(wanted: frozenset[int]) -> pa.Table:
    """The rows of GetSqlInfo; all of them for none wanted."""
    rows = {
        code: value
        for code, value in sorted({**_INFO, **_BITMASKS}.items())
        if not wanted or code in wanted
    }
    kinds, offsets = [], []
    children: tuple[list[object], ...] = ([], [], [], [])
    for code, value in rows.items():
        kind = _kind(code, value)
        kinds.append(kind)
        offsets.append(len(children[kind]))
        children[kind].append(value)
    union = schemas.SQL_INFO.field("value").type
    fields = [union.field(index) for index in range(union.num_fields)]
    values = [
        pa.array(children[index] if index < len(children) else [], field.type)
        for index, field in enumerate(fields)
    ]
    array = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()),
        pa.array(offsets, pa.int32()),
        values,
        field_names=[field.name for field in fields],
    )
    names = pa.array(list(rows), pa.uint32())
    return pa.Table.from_arrays([names, array], schema=schemas.SQL_INFO)


def _kind(code: int, value: object) -> int:
    if code in _BITMASKS:
        return _BITMASK
    if isinstance(value, bool):
        return _BOOL
    return _STRING if isinstance(value, str) else _BIGINT


_VARCHAR, _DATE, _TIMESTAMP = 12, 91, 93
# (name, JDBC type, size, prefix, suffix, radix)
_XDBC: Final = (
    ("boolean", -7, 1, None, None, None),
    ("tinyint", -6, 3, None, None, 10),
    ("smallint", 5, 5, None, None, 10),
    ("integer", 4, 10, None, None, 10),
    ("bigint", -5, 19, None, None, 10),
    ("real", 7, 24, None, None, 2),
    ("double", 8, 53, None, None, 2),
    ("decimal", 3, 38, "DECIMAL '", "'", 10),
    ("char", 1, 65536, "'", "'", None),
    ("varchar", _VARCHAR, 2147483647, "'", "'", None),
    ("varbinary", -3, 2147483647, "X'", "'", None),
    ("date", _DATE, 10, "DATE '", "'", None),
    ("time", 92, 15, "TIME '", "'", None),
    ("timestamp", _TIMESTAMP, 26, "TIMESTAMP '", "'", None),
    ("timestamp with time zone", 2014, 32, "TIMESTAMP '", "'", None),
)


def xdbc_types(data_type: int | None) -> pa.Table:
    """The rows of GetXdbcTypeInfo, of one JDBC type or all."""
    rows = [
        {
            "type_name": name,
            "data_type": code,
            "column_size": size,
            "literal_prefix": prefix,
            "literal_suffix": suffix,
            "nullable": 1,
            "case_sensitive": code in (1, _VARCHAR),
            "searchable": 3,
            "unsigned_attribute": False,
            "fixed_prec_scale": False,
            "auto_increment": False,
            "local_type_name": name,
            "sql_data_type": code,
            "num_prec_radix": radix,
        }
        for name, code, size, prefix, suffix, radix in _XDBC
        if data_type in (None, code)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.XDBC_TYPES)
