"""DDL of Iceberg tables whose metadata are in memory."""

from __future__ import annotations

import pytest

from querysvc.errors import QueryServiceError
from tests.support.catalog_world import World

CREATE = """CREATE TABLE made (id bigint COMMENT 'the id', at timestamp, tags array<string>)
PARTITIONED BY (bucket(16, id), day(at), truncate(3, id)) LOCATION 's3://b/made/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'vacuum_min_snapshots_to_keep' = '2')"""
SHOWN = [
    "CREATE TABLE `default`.`made` (",
    "  `id` bigint COMMENT 'the id', ",
    "  `at` timestamp, ",
    "  `tags` array<string>)",
    "PARTITIONED BY (bucket(16, `id`), day(`at`), truncate(3, `id`))",
    "LOCATION 's3://b/made'",
    "TBLPROPERTIES (",
    "  'table_type'='iceberg', ",
    "  'history.expire.min-snapshots-to-keep'='2', ",
    "  'write.format.default'='parquet')",
]


def test_show_create_table_makes_the_same_table_again() -> None:
    world = World()
    world.run(CREATE)
    shown = world.column("SHOW CREATE TABLE made")
    assert shown == SHOWN
    again = World()
    again.run("\n".join(line or "" for line in shown))
    assert again.column("SHOW CREATE TABLE made") == shown
    assert again.run("DESCRIBE made") == world.run("DESCRIBE made")


@pytest.mark.parametrize("sql", ["SHOW PARTITIONS made", "MSCK REPAIR TABLE made"])
def test_what_is_of_hive_tables_is_refused_by_its_name(sql: str) -> None:
    world = World()
    world.run(CREATE)
    with pytest.raises(
        QueryServiceError, match=f"{sql.removesuffix(' made')} of the Iceberg table"
    ):
        world.run(sql)
