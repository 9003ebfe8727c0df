"""The SQL store's tables, for SQLite and PostgreSQL; the service's Alembic chain includes them.

Texts that order listings or partitions are compared code point by code point in both: SQLite's
BINARY collation, PostgreSQL's "C".
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

LEADING_KEYS: Final = 4  # partition keys whose ordering texts have a column of their own

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id_type() -> TypeEngine[int]:
    return BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER makes a row id there


def _text(length: int | None = None) -> TypeEngine[str]:
    plain: TypeEngine[str] = String(length) if length else Text()
    ordered: TypeEngine[str] = String(length, collation="C") if length else Text(collation="C")
    return plain.with_variant(ordered, "postgresql")


data_catalogs = Table(
    "catalog_data_catalogs",
    metadata,
    Column("name", _text(255), primary_key=True),
    Column("generation", BigInteger, nullable=False, default=0),
    Column("document", Text, nullable=False),
)

databases = Table(
    "catalog_databases",
    metadata,
    Column("id", _id_type(), primary_key=True, autoincrement=True),
    Column("catalog_name", _text(255), ForeignKey(data_catalogs.c.name), nullable=False),
    Column("name", _text(255), nullable=False),
    Column("generation", BigInteger, nullable=False, default=0),
    Column("document", Text, nullable=False),
    UniqueConstraint("catalog_name", "name"),
    sqlite_autoincrement=True,  # an id is never used again
)

tables = Table(
    "catalog_tables",
    metadata,
    Column("id", _id_type(), primary_key=True, autoincrement=True),
    Column("database_id", _id_type(), ForeignKey(databases.c.id), nullable=False),
    Column("catalog_name", _text(255), nullable=False),
    Column("database_name", _text(255), nullable=False),
    Column("name", _text(255), nullable=False),
    Column("version_id", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False, default=0),
    Column("partition_count", BigInteger, nullable=False, default=0),
    Column("document", Text, nullable=False),
    UniqueConstraint("catalog_name", "database_name", "name"),
    Index(None, "database_id"),
    sqlite_autoincrement=True,  # cached generations rely on ids that grow
)

table_versions = Table(
    "catalog_table_versions",
    metadata,
    Column("table_id", _id_type(), ForeignKey(tables.c.id), primary_key=True),
    Column("version_id", BigInteger, primary_key=True),
    Column("document", Text, nullable=False),
)

storage_shapes = Table(
    "catalog_storage_shapes",
    metadata,
    Column("table_id", _id_type(), ForeignKey(tables.c.id), primary_key=True),
    Column("hash", _text(32), primary_key=True),
    Column("document", Text, nullable=False),
)

partitions = Table(
    "catalog_partitions",
    metadata,
    Column("table_id", _id_type(), ForeignKey(tables.c.id), primary_key=True),
    Column("identity", _text(400), primary_key=True),
    Column("values_json", Text, nullable=False),
    *(Column(f"key_{number}", _text(100)) for number in range(LEADING_KEYS)),
    Column("is_malformed", SmallInteger, nullable=False),
    Column("segment_hash", BigInteger, nullable=False),
    Column("shape_hash", _text(32), nullable=False),
    Column("document", Text, nullable=False),
)
KEY_COLUMNS: Final = tuple(partitions.c[f"key_{number}"] for number in range(LEADING_KEYS))
Index("ix_catalog_partitions_keys", partitions.c.table_id, *KEY_COLUMNS)
Index(
    "ix_catalog_partitions_malformed",
    partitions.c.table_id,
    sqlite_where=partitions.c.is_malformed == 1,
    postgresql_where=partitions.c.is_malformed == 1,
)

column_statistics = Table(
    "catalog_column_statistics",
    metadata,
    Column("table_id", _id_type(), ForeignKey(tables.c.id), primary_key=True),
    Column("partition_identity", _text(400), primary_key=True),  # empty for the table's own
    Column("column_name", _text(255), primary_key=True),
    Column("document", Text, nullable=False),
)

functions = Table(
    "catalog_functions",
    metadata,
    Column("database_id", _id_type(), ForeignKey(databases.c.id), primary_key=True),
    Column("name", _text(255), primary_key=True),
    Column("document", Text, nullable=False),
)

OWNED_BY_TABLE: Final = (column_statistics, partitions, storage_shapes, table_versions)
