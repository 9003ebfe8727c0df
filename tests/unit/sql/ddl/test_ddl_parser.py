"""DDL and utility statements are read in Hive's and Trino's spelling, or refused by name."""

from __future__ import annotations

import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.ddl import parse_ddl
from querysvc.sql.ddl import statements as ddl
from querysvc.sql.parser import parse


def read(sql: str) -> ddl.Statement:
    return parse_ddl(parse(sql))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE DATABASE d", ddl.CreateDatabase("d")),
        ("create schema if not exists `x-Y`", ddl.CreateDatabase("x-y", if_not_exists=True)),
        (
            "CREATE DATABASE d COMMENT 'c' LOCATION 's3://b/' WITH DBPROPERTIES ('k'='v', 'l'='w')",
            ddl.CreateDatabase("d", False, "c", "s3://b/", {"k": "v", "l": "w"}),
        ),
        ("DROP SCHEMA IF EXISTS d CASCADE", ddl.DropDatabase("d", True, True)),
        ("DROP DATABASE d RESTRICT;", ddl.DropDatabase("d")),
        ('DROP TABLE "A"."B"', ddl.DropTable(ddl.ObjectName("b", "a"))),
        ("DROP TABLE IF EXISTS c.d.t", ddl.DropTable(ddl.ObjectName("t", "d", "c"), True)),
        (
            (
                "ALTER TABLE t ADD PARTITION (dt = '2024-01-01', h = 5) LOCATION 's3://b/x/'"
                " PARTITION (dt = DATE '2024-01-02', h = -1)"
            ),
            ddl.AddPartitions(
                ddl.ObjectName("t"),
                (
                    ddl.PartitionSpec((("dt", "2024-01-01"), ("h", "5")), "s3://b/x/"),
                    ddl.PartitionSpec((("dt", "2024-01-02"), ("h", "-1"))),
                ),
            ),
        ),
        (
            "ALTER TABLE t DROP IF EXISTS PARTITION (k='a'), PARTITION (k='b')",
            ddl.DropPartitions(
                ddl.ObjectName("t"),
                (ddl.PartitionSpec((("k", "a"),)), ddl.PartitionSpec((("k", "b"),))),
                True,
            ),
        ),
        ("MSCK REPAIR TABLE d.t", ddl.RepairTable(ddl.ObjectName("t", "d"))),
        ("SHOW SCHEMAS LIKE 'a*'", ddl.ShowDatabases("a*")),
        ("SHOW TABLES", ddl.ShowTables()),
        ("SHOW TABLES IN d '*x|y'", ddl.ShowTables("d", "*x|y")),
        ("SHOW PARTITIONS t", ddl.ShowPartitions(ddl.ObjectName("t"))),
        ("SHOW COLUMNS FROM t IN d", ddl.ShowColumns(ddl.ObjectName("t", "d"))),
        ("DESCRIBE formatted", ddl.DescribeTable(ddl.ObjectName("formatted"))),
        ("DESC EXTENDED t", ddl.DescribeTable(ddl.ObjectName("t"), "EXTENDED")),
    ],
)
def test_statement_is_read(sql: str, expected: ddl.Statement) -> None:
    assert read(sql) == expected


def test_create_table_keeps_every_clause() -> None:
    statement = read(
        r"""CREATE EXTERNAL TABLE IF NOT EXISTS `My-Db`.`T` (
            `A` int COMMENT 'it\'s', s struct<x:int,`y z`:array<string>>, d decimal(10, 2))
        COMMENT 'about' PARTITIONED BY (dt string, h int)
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' ESCAPED BY '\\'
            COLLECTION ITEMS TERMINATED BY '\002' MAP KEYS TERMINATED BY '\003'
            LINES TERMINATED BY '\n' NULL DEFINED AS '\\N'
        STORED AS TEXTFILE LOCATION 's3://b/p/' TBLPROPERTIES ('skip.header.line.count' = '1')"""
    )
    assert isinstance(statement, ddl.CreateTable)
    assert statement.name == ddl.ObjectName("t", "my-db")
    assert statement.if_not_exists
    assert statement.comment == "about"
    descriptor = statement.storage_descriptor
    assert [(c.name, c.type, c.comment) for c in descriptor.columns] == [
        ("a", "int", "it's"),
        ("s", "struct<x:int,y z:array<string>>", None),
        ("d", "decimal(10,2)", None),
    ]
    assert [(c.name, c.type) for c in statement.partition_keys] == [("dt", "string"), ("h", "int")]
    assert descriptor.location == "s3://b/p/"
    assert descriptor.serde_info is not None
    assert descriptor.serde_info.parameters == {
        "field.delim": "\x01",
        "serialization.format": "\x01",
        "escape.delim": "\\",
        "colelction.delim": "\x02",
        "mapkey.delim": "\x03",
        "line.delim": "\n",
        "serialization.null.format": "\\N",
    }
    assert statement.parameters == {"EXTERNAL": "TRUE", "skip.header.line.count": "1"}


def test_serde_names_its_formats_classes() -> None:
    statement = read(
        "CREATE EXTERNAL TABLE t (a string)"
        " ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
        """ WITH SERDEPROPERTIES ('separatorChar' = ';', 'quoteChar' = '"')"""
        " LOCATION 's3://b/'"
    )
    assert isinstance(statement, ddl.CreateTable)
    descriptor = statement.storage_descriptor
    assert descriptor.input_format == "org.apache.hadoop.mapred.TextInputFormat"
    assert descriptor.serde_info is not None
    assert descriptor.serde_info.serialization_library.endswith("OpenCSVSerde")
    assert descriptor.serde_info.parameters == {
        "separatorChar": ";",
        "quoteChar": '"',
        "serialization.format": "1",
    }


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("CREATE TABLE t AS SELECT 1", ErrorCode.NOT_SUPPORTED),
        ("CREATE TABLE t (a int) LOCATION 's3://b/'", ErrorCode.NOT_SUPPORTED),
        ("CREATE EXTERNAL TABLE t (a int)", ErrorCode.INVALID_TABLE_PROPERTY),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION '/etc'", ErrorCode.INVALID_TABLE_PROPERTY),
        ("CREATE EXTERNAL TABLE t (a nosuch) LOCATION 's3://b/'", ErrorCode.SYNTAX_ERROR),
        (
            "CREATE EXTERNAL TABLE t (a int, A int) LOCATION 's3://b/'",
            ErrorCode.DUPLICATE_COLUMN_NAME,
        ),
        ("CREATE EXTERNAL TABLE t (a int LOCATION 's3://b/'", ErrorCode.SYNTAX_ERROR),
        (
            "CREATE EXTERNAL TABLE t (a int) STORED AS XML LOCATION 's3://b/'",
            ErrorCode.HIVE_UNSUPPORTED_FORMAT,
        ),
        ("ALTER TABLE IF EXISTS t ADD COLUMN a int", ErrorCode.NOT_SUPPORTED),
        ("ALTER TABLE t PARTITION (k=1) CHANGE a b int", ErrorCode.NOT_SUPPORTED),
        ("ALTER TABLE t EXCHANGE PARTITION (k=1) WITH TABLE u", ErrorCode.NOT_SUPPORTED),
        ("ALTER TABLE t ADD COLUMNS (a int) CASCADE", ErrorCode.SYNTAX_ERROR),
        ("ALTER TABLE t DROP PARTITION (k > 5)", ErrorCode.NOT_SUPPORTED),
        ("SHOW CREATE TABLE t u", ErrorCode.SYNTAX_ERROR),
        ("CREATE EXTERNAL TABLE t LIKE u LOCATION 's3://b/'", ErrorCode.NOT_SUPPORTED),
        (
            "CREATE EXTERNAL TABLE t (a int) STORED BY 'x' LOCATION 's3://b/'",
            ErrorCode.NOT_SUPPORTED,
        ),
        (
            "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/' TBLPROPERTIES ('x'='1','x'='2')",
            ErrorCode.SYNTAX_ERROR,
        ),
        (
            "CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (b) LOCATION 's3://b/'",
            ErrorCode.SYNTAX_ERROR,
        ),
        ("SHOW TABLES x y", ErrorCode.SYNTAX_ERROR),
        ("DROP TABLE", ErrorCode.SYNTAX_ERROR),
        ("DROP TABLE a.b.c.d", ErrorCode.SYNTAX_ERROR),
    ],
)
def test_what_is_wrong_or_not_supported_is_named(sql: str, code: ErrorCode) -> None:
    with pytest.raises(StatementError) as raised:
        read(sql)
    assert raised.value.code is code
