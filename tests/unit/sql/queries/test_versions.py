"""FOR TIMESTAMP | VERSION AS OF: what the pointer means; Trino 476's errors where it means none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from querysvc.errors import QueryServiceError
from querysvc.model import Session
from querysvc.plan import TableColumn, TableVersion, VersionKind
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata, TableInfo
from querysvc.types.algebra import INTEGER
from querysvc_catalog.model import Table

NOW = datetime(2024, 3, 31, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 86_400_000
Y2020_MS = 1_577_836_800_000


class Metadata(MemoryMetadata):
    """The Iceberg table t and the Hive table h; the versions that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.add_table("w", "h", [TableColumn("a", INTEGER)])
        entry = Table("t", "w", parameters={"table_type": "ICEBERG"})
        self._schemas["w"]["t"] = TableInfo(entry, (TableColumn("a", INTEGER),))
        self.asked: list[TableVersion] = []

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        self.asked.append(version)
        return super().at_version(catalog, database, name, version)


def versions(sql: str, *parameters: str, zone: str = "UTC") -> list[tuple[VersionKind, object]]:
    metadata = Metadata()
    session = Session(database="w", started_at=NOW, time_zone=zone)
    analyse(sql, session, metadata, parameters)
    return [(one.kind, one.value) for one in metadata.asked]


@pytest.mark.parametrize(
    ("pointer", "milliseconds"),
    [
        ("TIMESTAMP '2020-01-01 00:00:00 UTC'", Y2020_MS),
        ("TIMESTAMP '2020-01-01 01:00:00 +01:00'", Y2020_MS),
        ("TIMESTAMP '2020-01-01 00:00:00.001'", Y2020_MS + 1),
        ("DATE '2020-01-01'", Y2020_MS),
        ("(current_timestamp - interval '1' day)", NOW_MS - DAY_MS),
        ("now() - interval '2' hour - interval '22' hour", NOW_MS - DAY_MS),
        ("current_timestamp - interval '1' month", NOW_MS - 31 * DAY_MS),
        ("current_date", NOW_MS - DAY_MS // 2),
        ("current_date - interval '1' month", NOW_MS - 31 * DAY_MS - DAY_MS // 2),
        ("current_timestamp", NOW_MS),
    ],
)
def test_a_moment_is_computed(pointer: str, milliseconds: int) -> None:
    if "month" in pointer:  # 31 March less a month is 29 February
        assert datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat() == "2024-02-29"
    for word in ("TIMESTAMP", "SYSTEM_TIME"):
        found = versions(f"SELECT * FROM t FOR {word} AS OF {pointer}")
        assert found == [(VersionKind.MOMENT, milliseconds)]


def test_a_moment_without_zone_is_of_the_sessions_zone() -> None:
    sql = "SELECT * FROM t FOR TIMESTAMP AS OF TIMESTAMP '2020-01-01 01:00:00' AS x WHERE x.a = 1"
    assert versions(sql, zone="Europe/Zurich") == [(VersionKind.MOMENT, Y2020_MS)]


def test_versions_are_snapshots_and_references() -> None:
    sql = "SELECT * FROM t FOR VERSION AS OF ? JOIN t FOR SYSTEM_VERSION AS OF 'tag' u ON true"
    assert versions(sql, "949530903748831860") == [
        (VersionKind.SNAPSHOT, 949530903748831860),
        (VersionKind.REFERENCE, "tag"),
    ]


def test_versions_of_one_table_are_read_apart() -> None:
    sql = "SELECT * FROM t, t FOR VERSION AS OF BIGINT '7' u, t FOR VERSION AS OF BIGINT '8' v"
    found = analyse(sql, Session(database="w"), Metadata())
    assert [one.snapshot_id for one in found.tables] == [None, 7, 8]


@pytest.mark.parametrize(
    ("clause", "error"),
    [
        ("t FOR VERSION AS OF 1", "NOT_SUPPORTED: Unsupported type for table version: integer"),
        ("t FOR VERSION AS OF 1e0", "NOT_SUPPORTED: Unsupported type for table version: double"),
        ("t FOR VERSION AS OF NULL", "INVALID_ARGUMENTS: line 1:17: Pointer value cannot be NULL"),
        ("t FOR TIMESTAMP AS OF NULL", "line 1:17: Pointer value cannot be NULL"),
        ("t FOR TIMESTAMP AS OF '2020-01-01'", "Type varchar(10) invalid. Temporal pointers must"),
        (
            "t FOR TIMESTAMP AS OF TIMESTAMP '2100-01-01 00:00:00 UTC'",
            "line 1:17: Pointer value '2100-01-01 00:00:00 UTC' is not in the past",
        ),
        (
            "t FOR VERSION AS OF (SELECT 1)",
            "EXPRESSION_NOT_CONSTANT: line 1:35: Constant expression cannot contain a subquery",
        ),
        ("t FOR VERSION AS OF a", "COLUMN_NOT_FOUND: line 1:35: Column 'a' cannot be resolved"),
        ("t FOR VERSION AS OF abs(BIGINT '1')", "AS OF an expression is not supported"),
        ("t FOR TIMESTAMP AS OF date_trunc('day', now())", "AS OF an expression is not supported"),
        ("h FOR VERSION AS OF BIGINT '1'", "This connector does not support versioned tables"),
    ],
)
def test_what_is_no_version_is_refused(clause: str, error: str) -> None:
    with pytest.raises(QueryServiceError) as caught:
        versions(f"SELECT * FROM {clause}")
    assert error in str(caught.value)
