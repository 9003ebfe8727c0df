"""Statements as dbt-athena and awswrangler write them (read in their libraries' sources)."""

from __future__ import annotations

import pytest

from tests.support.catalog_world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.run("create schema if not exists `a-b`")
    world.run(
        """create external table `awsdatacatalog`.`a-b`.`my_seed` (`id` bigint, `note` string)
        row format delimited stored as textfile location 's3://b/seed/' tblproperties (
          'skip.header.line.count'='1')"""
    )
    world.run(
        'create or replace view\n    "awsdatacatalog"."a-b"."my_view"\n  as\n    select 1 as x'
    )
    return world


@pytest.mark.parametrize(
    "sql",
    [
        "alter table `a-b`.`my_seed`\n add columns (`c` string, `d` decimal(38,0))",
        "alter table `awsdatacatalog`.`a-b`.`my_seed` drop column `note`",
        "alter table `a-b`.`my_seed` replace columns (`id` int)",
        "alter table a-b.my_seed change column id id2 bigint".replace("a-b", '"a-b"'),
        "alter table `a-b`.`my_seed` set tblproperties ('classification' = 'csv')",
        'drop view if exists "awsdatacatalog"."a-b"."my_view"',
        "drop table if exists `a-b`.`my_seed`",
        "drop schema if exists `a-b` cascade",
        "DESCRIBE `a-b`.`my_seed`;",
        "SHOW CREATE TABLE `a-b`.`my_seed`;",
        'CREATE OR REPLACE VIEW "a-b"."my_view" AS \nSELECT id FROM "a-b"."my_seed"',
        "SHOW TABLES IN `a-b`",
        "SHOW VIEWS IN `a-b`",
        "SHOW TBLPROPERTIES `a-b`.`my_seed`('skip.header.line.count')",
    ],
)
def test_a_clients_statement_runs(world: World, sql: str) -> None:
    world.run(sql)
