"""CREATE TABLE AS, INSERT, UNLOAD: what is refused, as Trino 476 does it, and what is made."""

from __future__ import annotations

from typing import Any

import pytest

from querysvc.errors import StatementError
from querysvc.model import Session
from querysvc.plan import TableColumn
from querysvc.sql.metadata import MemoryMetadata, TableInfo
from querysvc.sql.parser import parse
from querysvc.sql.writes import analyse_write, check_syntax, is_create_table_as
from querysvc.sql.writes.layouts import table_layout
from querysvc.types.algebra import DATE, INTEGER, Array, Char, Decimal, Varchar
from querysvc.write_plan import Compression, CreateTableAs, InsertInto, Unload, WriteStatement
from querysvc_catalog.model import Column, SerDeInfo, StorageDescriptor, Table
from querysvc_catalog.serdes import CLASSES, StorageFormat

COLUMNS = (
    ("a", INTEGER, "int"),
    ("b", Varchar(3), "varchar(3)"),
    ("c", Decimal(5, 2), "decimal(5,2)"),
    ("d", Char(4), "char(4)"),
    ("e", Array(Varchar(3)), "array<varchar(3)>"),
)


class Metadata(MemoryMetadata):
    """A database with one table, partitioned by `day` where the name says so."""

    def __init__(self) -> None:
        super().__init__()
        self.add_schema("w")
        for name in ("t", "parted"):
            self._put(name)

    def _put(self, name: str) -> None:
        classes = CLASSES[StorageFormat.ORC]
        keys = (Column("day", "date"),) if name == "parted" else ()
        table = Table(
            name=name,
            database_name="w",
            partition_keys=keys,
            storage_descriptor=StorageDescriptor(
                columns=tuple(Column(name, hive) for name, _, hive in COLUMNS),
                location=f"s3://b/{name}",
                input_format=classes.input_format,
                output_format=classes.output_format,
                serde_info=SerDeInfo(serialization_library=classes.serialization_library),
            ),
        )
        columns = [TableColumn(name, type_) for name, type_, _ in COLUMNS]
        columns += [TableColumn("day", DATE, is_partition_key=True) for _ in keys]
        self._schemas["w"][name] = TableInfo(table, tuple(columns))


def analyse(sql: str, *parameters: str) -> WriteStatement:
    return analyse_write(parse(sql), Session(database="w"), Metadata(), parameters)


ANY = "SELECT 1 AS x, 2 AS y"
BY_Y = "partitioned_by = ARRAY['y']"
REFUSED = [
    (f"CREATE TABLE t AS {ANY}", "Destination table 'awsdatacatalog.w.t' already exists"),
    ("CREATE TABLE n AS SELECT 1", "MISSING_COLUMN_NAME: line 1:1: Column name not specified at"),
    ("CREATE TABLE n AS SELECT 1 AS x, 2 AS X", "Column name 'x' specified more than once"),
    ("CREATE TABLE n AS SELECT NULL AS x", "COLUMN_TYPE_UNKNOWN: line 1:1: Column type is unknown"),
    ("CREATE TABLE n (a, b) AS SELECT 1 AS x", "Column alias list has 2 entries but relation"),
    (f"CREATE TABLE no.n AS {ANY}", "SCHEMA_NOT_FOUND: line 1:1: Schema 'no' does not exist"),
    (
        f"CREATE TABLE n WITH (partitioned_by = ARRAY['x']) AS {ANY}",
        "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns",
    ),
    (f"CREATE TABLE n WITH (partitioned_by = ARRAY['z']) AS {ANY}", "Partition columns [z] not"),
    (
        f"CREATE TABLE n WITH (partitioned_by = ARRAY['x', 'y']) AS {ANY}",
        "Table contains only partition columns",
    ),
    (
        "CREATE TABLE n WITH (partitioned_by = ARRAY['y']) AS SELECT 1 AS x, ARRAY[2] AS y",
        "NOT_SUPPORTED: Unsupported type [array(integer)] for partition: y",
    ),
    (f"CREATE TABLE n WITH (nope = 1) AS {ANY}", "table property 'nope' does not exist"),
    (f"CREATE TABLE n WITH (format = 'ION') AS {ANY}", "Invalid value [ION]. Valid values: "),
    (f"CREATE TABLE n WITH (format = 5) AS {ANY}", "Cannot convert [5] to varchar"),
    (
        f"CREATE TABLE n WITH (format = 'ORC', format = 'ORC') AS {ANY}",
        "DUPLICATE_PROPERTY: line 1:38: Duplicate property: format",
    ),
    (f"CREATE TABLE n WITH (write_compression = 'LZO') AS {ANY}", "NOT_SUPPORTED: compression LZO"),
    (f"CREATE TABLE n WITH (compression_level = 3) AS {ANY}", "compression_level is for ZSTD"),
    (f"CREATE TABLE n WITH (field_delimiter = ',') AS {ANY}", "field_delimiter is for text files"),
    (f"CREATE TABLE n WITH (table_type = 'DELTA') AS {ANY}", "NOT_SUPPORTED: CREATE TABLE AS of"),
    (f"CREATE TABLE n WITH (bucket_count = 3) AS {ANY}", "must be specified together"),
    (f"CREATE TABLE n WITH (bucketed_by = ARRAY['x']) AS {ANY}", "must be specified together"),
    (
        f"CREATE TABLE n WITH (bucketed_by = ARRAY['x'], bucket_count = 501) AS {ANY}",
        "[501] is not from 1 to 500",
    ),
    (
        f"CREATE TABLE n WITH (bucketed_by = ARRAY['q'], bucket_count = 3) AS {ANY}",
        "Bucketing columns [q] not present in schema",
    ),
    (
        f"CREATE TABLE n WITH (bucketed_by = ARRAY['y'], {BY_Y}, bucket_count = 3) AS {ANY}",
        "Bucketing column 'y' is a partition column",
    ),
    (
        "CREATE TABLE n WITH (bucketed_by = ARRAY['x'], bucket_count = 3) AS SELECT 1.5 AS x",
        "Cannot create a table bucketed on an unsupported type: x decimal(2,1)",
    ),
    (f"CREATE TABLE n WITH (sorted_by = ARRAY['x']) AS {ANY}", "NOT_SUPPORTED: the table property"),
    (f"CREATE TABLE n WITH (external_location = 'x') AS {ANY}", "External location is not a valid"),
    (
        "CREATE TABLE n AS SELECT TIMESTAMP '2020-01-01 00:00:00' AS x",
        "precision for timestamp(0); the configured precision is MILLISECONDS; column name: x",
    ),
    ("CREATE TABLE n AS SELECT JSON '1' AS x", "NOT_SUPPORTED: Unsupported Hive type: json"),
    ("CREATE TABLE n WITH (format = 'CSV') AS SELECT 1 AS x", "only supports VARCHAR (unbounded)"),
    ("CREATE TABLE n WITH (format = 'JSON') AS SELECT ARRAY[X'41'] AS x", "would not give back"),
    ("CREATE TABLE n AS SELECT ? AS x", "Incorrect number of parameters: expected 1 but found 0"),
    ("INSERT INTO n VALUES 1", "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.w.n' does not"),
    (
        "INSERT INTO t (a) VALUES 'x'",
        "Insert query has mismatched column types: Table: [integer], Query: [varchar(1)]",
    ),
    ("INSERT INTO t (a) VALUES (1, 2)", "Table: [integer], Query: [integer, integer]"),
    ("INSERT INTO t (e) VALUES (ARRAY['abcd'])", "Query: [array(varchar(4))]"),
    ("INSERT INTO t (no) VALUES 1", "Insert column name does not exist in target table: no"),
    ("INSERT INTO t (a, A) VALUES (1, 2)", "Insert column name is specified more than once: a"),
    (f"UNLOAD ({ANY}) TO 's3://b/x'", "INVALID_TABLE_PROPERTY: UNLOAD needs the property format"),
    (f"UNLOAD ({ANY}) TO 'x' WITH (format = 'ORC')", "External location is not a valid file"),
    (f"UNLOAD ({ANY}) TO 's3://b/x' WITH (format = 'CSV')", "Invalid value [CSV]"),
    ("UNLOAD (SELECT 1) TO 's3://b/x' WITH (format = 'ORC')", "Column name not specified at posi"),
    ("UNLOAD (SELECT NULL AS a) TO 's3://b/x' WITH (format = 'ORC')", "Column type is unknown: a"),
    ("UNLOAD (SELECT 1 AS a, 2 AS a) TO 's3://b/x' WITH (format = 'ORC')", "Column name 'a' spec"),
    ("DELETE FROM t", "Modifying Hive table rows is only supported for transactional tables"),
    ("MERGE INTO t USING t s ON true WHEN MATCHED THEN DELETE", "Modifying Hive table rows"),
]


@pytest.mark.parametrize(("sql", "message"), REFUSED)
def test_what_cannot_be_written_is_refused_by_name(sql: str, message: str) -> None:
    with pytest.raises(StatementError) as caught:
        analyse(sql)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("INSERT t VALUES 1", "line 1:8: mismatched input 't'. Expecting: 'INTO'"),
        ("CREATE TABLE n AS SELECT 1 WITH NO", "line 1:35: mismatched input '<EOF>'"),
        ("UNLOAD SELECT 1 TO 's3://b/x'", "line 1:8: mismatched input 'SELECT'"),
        ("INSERT INTO t SELECT FROM", "line 1:22: mismatched input 'FROM'"),
    ],
)
def test_broken_grammar_is_refused_before_names_are_looked_up(sql: str, message: str) -> None:
    with pytest.raises(StatementError) as caught:
        check_syntax(parse(sql))
    assert message in str(caught.value)


def test_as_inside_parentheses_makes_no_query_of_a_create_table() -> None:
    assert is_create_table_as(parse("CREATE TABLE n AS SELECT 1 AS x"))
    assert is_create_table_as(parse("CREATE TABLE IF NOT EXISTS n (a) COMMENT 'c' AS SELECT 1"))
    assert not is_create_table_as(parse("CREATE EXTERNAL TABLE n (a int) LOCATION 's3://b/'"))


def test_properties_decide_format_codec_and_keys() -> None:
    statement = analyse(
        "CREATE TABLE N (One, two) COMMENT 'it''s' WITH (format = 'orc',"
        " orc_compression = 'snappy', external_location = 's3://b/n',"
        " partitioned_by = ARRAY['TWO']) AS SELECT 1, 'x'"
    )
    assert isinstance(statement, CreateTableAs)
    assert (statement.table.name, statement.comment) == ("n", "it's")
    assert statement.layout.format.storage_format is StorageFormat.ORC
    assert statement.layout.format.compression is Compression.SNAPPY
    assert [(c.name, c.hive_type) for c in statement.layout.data_columns] == [("one", "int")]
    assert [(c.name, c.hive_type) for c in statement.layout.key_columns] == [("two", "varchar(1)")]


def test_the_default_is_parquet_in_gzip() -> None:
    statement = analyse(f"CREATE TABLE IF NOT EXISTS n AS {ANY} WITH NO DATA")
    assert isinstance(statement, CreateTableAs)
    assert (statement.with_data, statement.if_not_exists) == (False, True)
    form = statement.layout.format
    assert (form.storage_format, form.compression) == (StorageFormat.PARQUET, Compression.GZIP)


def test_an_insert_brings_the_tables_columns_in_their_order() -> None:
    statement = analyse("INSERT INTO t (c, a) SELECT 1.5e0, SMALLINT '2'")
    assert isinstance(statement, InsertInto)
    output = statement.query.query.output
    assert [field.name for field in output] == ["a", "b", "c", "d", "e"]
    assert [field.type for field in output] == [type_ for _, type_, _ in COLUMNS]
    assert statement.layout.format.storage_format is StorageFormat.ORC


def test_text_that_may_be_cut_is_left_to_the_writer() -> None:
    statement = analyse("INSERT INTO t (b) VALUES 'abcdef'")
    assert isinstance(statement, InsertInto)
    column = statement.layout.columns[1]
    assert (column.type, column.source_type) == (Varchar(3), Varchar(6))


def test_rows_of_a_partition_come_together() -> None:
    statement = analyse("INSERT INTO parted (a, day) SELECT 1, DATE '2024-01-01'")
    assert isinstance(statement, InsertInto)
    (key,) = statement.query.query.order_by
    assert key.value.type == DATE
    assert statement.layout.partition_keys == 1


@pytest.mark.parametrize(
    ("form", "columns", "parameters", "message"),
    [
        (
            *(StorageFormat.TEXTFILE, COLUMNS, {"skip.header.line.count": "1"}),
            "Inserting into Hive table with skip.header.line.count property not supported",
        ),
        (StorageFormat.TEXTFILE, COLUMNS, {"line.delim": "|"}, "line.delim property not supported"),
        (StorageFormat.CSV, COLUMNS, {}, "Hive CSV storage format only supports VARCHAR"),
        (StorageFormat.AVRO, COLUMNS, {"avro.schema.url": "s3://b/x"}, "avro.schema.url property"),
        (StorageFormat.REGEX, COLUMNS, {}, "INSERT into tables of format REGEX is not supported"),
        (StorageFormat.PARQUET, COLUMNS, {"parquet.compress": "LZO"}, "parquet.compress = LZO"),
    ],
)
def test_rows_that_would_not_be_read_as_written_are_refused(
    form: StorageFormat, columns: Any, parameters: dict[str, str], message: str
) -> None:
    classes = CLASSES[form]
    table = Table(
        name="t",
        database_name="w",
        parameters=parameters,
        storage_descriptor=StorageDescriptor(
            columns=tuple(Column(name, hive) for name, _, hive in columns),
            input_format=classes.input_format,
            serde_info=SerDeInfo(serialization_library=classes.serialization_library),
        ),
    )
    with pytest.raises(StatementError, match=message):
        table_layout(table, [TableColumn(name, type_) for name, type_, _ in columns])


def test_an_unload_takes_parameters() -> None:
    statement = analyse("UNLOAD (SELECT ? AS x) TO 's3://b/x' WITH (format = 'JSON')", "'a'")
    assert isinstance(statement, Unload)
    assert [(c.name, c.hive_type) for c in statement.layout.columns] == [("x", "varchar(1)")]
