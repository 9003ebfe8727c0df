"""The state's tables. A change here needs a migration (a test compares both)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcTimestamp(TypeDecorator[datetime]):
    """An aware time, stored as microseconds since the epoch: exact and alike in every store."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite gives out ascending numbers only for a column that is exactly INTEGER PRIMARY KEY.
_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

query_executions = Table(
    "query_executions",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("work_group", String(128), nullable=False),
    Column("principal", String(256), nullable=False),
    Column("sql", Text, nullable=False),
    Column("submission", Text, nullable=False),
    Column("statement_type", String(16)),
    Column("substatement_type", String(64)),
    Column("submitted_at", UtcTimestamp, nullable=False),
    Column("started_at", UtcTimestamp),
    Column("completed_at", UtcTimestamp),
    Column("outcome", Text),
    Column("lease_owner", String(128)),
    Column("lease_expires_at", UtcTimestamp),
    Column("fencing_token", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("results_exposed", Boolean, nullable=False),
    Column("results_expired", Boolean, nullable=False),
    Column("result_key", String(64)),
    Column("running_per_user_max", Integer),
    Index(None, "state", "work_group", "principal"),
    Index(None, "work_group", "sequence"),
    Index(None, "principal", "sequence"),
    Index(None, "state", "completed_at"),
    Index(None, "result_key"),
    sqlite_autoincrement=True,
)

client_tokens = Table(
    "client_tokens",
    metadata,
    Column("principal", String(256), primary_key=True),
    Column("token", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("query_id", String(36), nullable=False),
    Column("created_at", UtcTimestamp, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("principal", String(256), primary_key=True),
    Column("turn", BigInteger, nullable=False),
    comment="When each principal's last query was claimed: who waited longest is next.",
)

writes = Table(
    "writes",
    metadata,
    Column("query_id", String(36), primary_key=True),
    Column("has_data", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("commit_sequence", BigInteger),
    Column("committed_at", UtcTimestamp),
    Index(None, "commit_sequence"),
)

write_clock = Table(
    "write_clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commits", BigInteger, nullable=False),
    comment="One row: how many writes were committed. Its lock puts commits in order.",
)

work_groups = Table(
    "work_groups",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("running_max", Integer),
    Column("document", Text, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("document", Text, nullable=False),
)

key_pairs = Table(
    "key_pairs",
    metadata,
    Column("access_key_id", String(64), primary_key=True),
    Column("encrypted_secret", LargeBinary, nullable=False),
    Column("document", Text, nullable=False),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("scope", String(320), primary_key=True),
    Column("hour", UtcTimestamp, primary_key=True),
    Column("scanned_bytes", BigInteger, nullable=False),
    comment="Bytes that were read, or are about to be, by work group and by principal.",
)

grants = Table(
    "grants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("grantee", String(320), nullable=False),
    Column("is_revoked", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "grantee", "is_revoked"),
    Index(None, "kind"),
)

named_queries = Table(
    "named_queries",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("work_group", String(128), nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "work_group", "sequence"),
    sqlite_autoincrement=True,
)

prepared_statements = Table(
    "prepared_statements",
    metadata,
    Column("work_group", String(128), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("document", Text, nullable=False),
)

crawlers = Table(
    "crawlers",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("document", Text, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    Column("resource", String(512), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("occurred_at", UtcTimestamp, nullable=False),
    Column("principal", String(256), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(512), nullable=False),
    Column("work_group", String(128)),
    Column("details", Text, nullable=False),
    Index(None, "occurred_at"),
    Index(None, "principal", "sequence"),
    sqlite_autoincrement=True,
)
