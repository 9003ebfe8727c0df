"""The result schemas of the metadata commands, as Flight SQL's specification has them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa


def _schema(*fields: tuple[str, pa.DataType] | tuple[str, pa.DataType, bool]) -> pa.Schema:
    return pa.schema([pa.field(field[0], field[1], nullable=len(field) == 2) for field in fields])


_UTF8: Final = pa.string()
CATALOGS: Final = _schema(("catalog_name", _UTF8, False))
DB_SCHEMAS: Final = _schema(("catalog_name", _UTF8), ("db_schema_name", _UTF8, False))
TABLES: Final = _schema(
    ("catalog_name", _UTF8),
    ("db_schema_name", _UTF8),
    ("table_name", _UTF8, False),
    ("table_type", _UTF8, False),
)
TABLES_WITH_SCHEMA: Final = TABLES.append(pa.field("table_schema", pa.binary(), nullable=False))
TABLE_TYPES: Final = _schema(("table_type", _UTF8, False))
PRIMARY_KEYS: Final = _schema(
    ("catalog_name", _UTF8),
    ("db_schema_name", _UTF8),
    ("table_name", _UTF8, False),
    ("column_name", _UTF8, False),
    ("key_name", _UTF8),
    ("key_sequence", pa.int32(), False),
)
FOREIGN_KEYS: Final = _schema(
    ("pk_catalog_name", _UTF8),
    ("pk_db_schema_name", _UTF8),
    ("pk_table_name", _UTF8, False),
    ("pk_column_name", _UTF8, False),
    ("fk_catalog_name", _UTF8),
    ("fk_db_schema_name", _UTF8),
    ("fk_table_name", _UTF8, False),
    ("fk_column_name", _UTF8, False),
    ("key_sequence", pa.int32(), False),
    ("fk_key_name", _UTF8),
    ("pk_key_name", _UTF8),
    ("update_rule", pa.uint8(), False),
    ("delete_rule", pa.uint8(), False),
)
XDBC_TYPES: Final = _schema(
    ("type_name", _UTF8, False),
    ("data_type", pa.int32(), False),
    ("column_size", pa.int32()),
    ("literal_prefix", _UTF8),
    ("literal_suffix", _UTF8),
    ("create_params", pa.list_(pa.field("item", _UTF8, nullable=False))),
    ("nullable", pa.int32(), False),
    ("case_sensitive", pa.bool_(), False),
    ("searchable", pa.int32(), False),
    ("unsigned_attribute", pa.bool_()),
    ("fixed_prec_scale", pa.bool_(), False),
    ("auto_increment", pa.bool_()),
    ("local_type_name", _UTF8),
    ("minimum_scale", pa.int32()),
    ("maximum_scale", pa.int32()),
    ("sql_data_type", pa.int32(), False),
    ("datetime_subcode", pa.int32()),
    ("num_prec_radix", pa.int32()),
    ("interval_precision", pa.int32()),
)
_INFO_VALUE: Final = pa.dense_union(
    [
        pa.field("string_value", _UTF8),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(_UTF8)),
        pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    ]
)
SQL_INFO: Final = _schema(("info_name", pa.uint32(), False), ("value", _INFO_VALUE, False))
