"""A second corpus: attacks on what lies round the statement, each by a way of its own.

Texts that the catalog keeps (views, SerDes, projection, names), the wires' own members (headers,
tokens, tickets, start-up options, paths), and statements whose values become SQL or patterns.
`{file}`, `{url}` and `{mark}` as in `corpus`.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

BREAK: Final = "x') UNION ALL SELECT content FROM read_text('{file}') --"
"""What would end a text or a bracket of generated SQL."""
QUOTED: Final = "x\" FROM read_text('{file}') --"
_LAKE: Final = "LOCATION 's3://lake/people/'"

VALUES: Final = (
    "SELECT date_format(TIMESTAMP '2024-01-01 00:00:00', '{b}')",
    "SELECT date_parse('2024', '%Y{b}')",
    "SELECT format_datetime(TIMESTAMP '2024-01-01 00:00:00', '''{b}''')",
    "SELECT parse_datetime('2024', 'yyyy''{b}''')",
    "SELECT TIMESTAMP '2024-01-01 00:00:00 {b}'",
    "SELECT current_timestamp AT TIME ZONE '{b}'",
    "SELECT CAST('{b}' AS timestamp with time zone)",
    "SELECT INTERVAL '{b}' DAY",
    "SELECT DATE '{b}'",
    "SELECT TIME '{b}'",
    "SELECT DECIMAL '{b}'",
    "SELECT IPADDRESS '{b}'",
    "SELECT UUID '{b}'",
    "SELECT X'{b}'",
    "SELECT date_trunc('{b}', current_date)",
    "SELECT date_add('{b}', 1, current_date)",
    "SELECT date_diff('{b}', current_date, current_date)",
    "SELECT EXTRACT({q} FROM current_date)",
    "SELECT json_query('{{}}', 'lax $.\"{q}\"')",
    "SELECT json_value('{{}}', 'strict $[{b}]')",
    "SELECT JSON_OBJECT('{b}' : 1)",
    "SELECT CAST(JSON '{{\"{b2}\": 1}}' AS map(varchar, integer))",
    "SELECT regexp_extract('a', '{b}')",
    "SELECT regexp_replace('aaa', '(a)', '$1{b}\\\\')",
    "SELECT 'a' LIKE '%{b}' ESCAPE '''' ",
    "SELECT 'a' LIKE 'x' ESCAPE '{b}'",
    "SELECT split_to_map('a=1', '{b}', '=')",
    "SELECT listagg(b, '{b}') WITHIN GROUP (ORDER BY b) FROM t",
    "SELECT array_join(ARRAY['a'], '{b}', '{b}')",
    "SELECT translate('a', '{b}', '{b}')",
    "SELECT normalize('a', {q})",
    "SELECT to_char(current_timestamp, '{b}')",
    "SELECT * FROM UNNEST(ARRAY['{b}']) AS t(\"{q2}\")",
    "SELECT b AS \"{q2}\" FROM t GROUP BY 1 HAVING max(b) <> '{b}'",
    'SELECT row_number() OVER "{q2}" FROM t WINDOW "{q2}" AS (ORDER BY b)',
    'WITH "{q2}" AS (SELECT 1 AS "{q2}") SELECT "{q2}" FROM "{q2}"',
    (
        'WITH RECURSIVE "{q2}"(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM "{q2}" WHERE n < 3)'
        ' SELECT * FROM "{q2}"'
    ),
    'SELECT CAST(ROW(1) AS ROW("{q2}" integer))."{q2}"',
    'SELECT transform(ARRAY[1], "{q2}" -> "{q2}" + 1)',
    "SELECT * FROM t TABLESAMPLE BERNOULLI ('{b}')",
    "SELECT * FROM t ORDER BY b LIMIT '{b}'",
    "SELECT * FROM t OFFSET {q} ROWS",
    'SELECT "$path" FROM t WHERE "$path" = \'{b}\'',
    'SELECT "$properties" FROM t',
    'SELECT * FROM "t$properties"',
    'SELECT * FROM "t$files"',
    'SELECT * FROM "t${q2}"',
    'SELECT * FROM "system"."runtime"."{q2}"',
    "SELECT * FROM information_schema.tables WHERE table_schema = '{b}'",
    "SHOW TABLES LIKE '{b}'",
    'SHOW COLUMNS FROM "{q2}"',
    "SHOW PARTITIONS t PARTITION (a = '{b}')",
    "DESCRIBE `{b}`",
    'EXPLAIN (TYPE "{q2}") SELECT 1',
    "EXPLAIN (FORMAT JSON) SELECT '{b}' AS \"{q2}\" FROM t",
    'PREPARE "{q2}" FROM SELECT ?',
    "EXECUTE \"{q2}\" USING '{b}'",
    "EXECUTE IMMEDIATE 'SELECT ?' USING '{b}'",
    "SET SESSION \"{q2}\" = '{b}'",
    "SET TIME ZONE '{b}'",
    "ALTER TABLE t ADD PARTITION (a = '{b}') LOCATION 's3://lake/secret/?{url}'",
    "ALTER TABLE t SET LOCATION 'file://{file}'",
    "ALTER TABLE t SET TBLPROPERTIES ('{b}' = '{b}')",
    "CREATE DATABASE `{b}` LOCATION 'file:///etc/'",
    'CREATE VIEW "{q2}" AS SELECT b FROM t',
    "CREATE TABLE c WITH (format = '{b}') AS SELECT 1 a",
    "CREATE TABLE c WITH (field_delimiter = '{b}', format = 'TEXTFILE') AS SELECT 1 a",
    "CREATE TABLE c WITH (partitioned_by = ARRAY['{b}']) AS SELECT 1 a",
    "CREATE TABLE c WITH (bucketed_by = ARRAY['a'], bucket_count = 99999999) AS SELECT 1 a",
    "UNLOAD (SELECT 1 a) TO 's3://lake/../../{file}/' WITH (format = 'CSV')",
    "SELECT format('%2000000000d', 1)",
    "SELECT format('%.2000000000f{b}', 1.5)",
    "SELECT lpad('x', 2147483647, 'yz')",
    "SELECT CAST('1e999999999' AS decimal(38,2))",
    "SELECT levenshtein_distance(lpad('', 50000, 'a'), lpad('', 50000, 'b'))",
    "SELECT json_parse(CAST(lpad('', 100000, '[') AS varchar))",
    "SELECT regexp_like(lpad('', 100000, 'a') || '!', '^(a|aa)+$')",
    "UNLOAD (SELECT 1 a) TO 's3://lake/u/' WITH (format = 'CSV', field_delimiter = '{b}')",
)
"""Statements with a text or a name that breaks out of whatever would splice it."""

TABLES: Final = (
    (
        f"PARTITIONED BY (p string) {_LAKE} TBLPROPERTIES ('projection.enabled' = 'true',"
        " 'projection.p.type' = 'enum', 'projection.p.values' = '../secret,{b}',"
        " 'storage.location.template' = 's3://lake/${{p}}/')"
    ),
    (
        f"PARTITIONED BY (p string) {_LAKE} TBLPROPERTIES ('projection.enabled' = 'true',"
        " 'projection.p.type' = 'enum', 'projection.p.values' = 'x',"
        " 'storage.location.template' = 'file:///etc/${{p}}')"
    ),
    (
        f"PARTITIONED BY (p int) {_LAKE} TBLPROPERTIES ('projection.enabled' = 'true',"
        " 'projection.p.type' = 'integer', 'projection.p.range' = '0,999999999999')"
    ),
    (
        f"PARTITIONED BY (p string) {_LAKE} TBLPROPERTIES ('projection.enabled' = 'true',"
        " 'projection.p.type' = 'date', 'projection.p.range' = 'NOW-9999999YEARS,NOW',"
        " 'projection.p.format' = '{b}')"
    ),
    (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES"
        f" ('input.regex' = '(?:(?:a|aa)+)+$') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES"
        f" ('input.regex' = '(([a-z0-9]+)*,?)*!') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe' WITH SERDEPROPERTIES"
        f" ('input.format' = '%{{{{A}}}}', 'input.grokCustomPatterns' = 'A %{{{{A}}}}') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe' WITH SERDEPROPERTIES"
        f" ('input.format' = '%{{{{DATA:{{b}}}}}}') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES"
        f" ('mapping.a' = '{{b}}', 'timestamp.formats' = '{{b}}') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES"
        f" ('separatorChar' = '{{b}}', 'quoteChar' = '\\\\', 'escapeChar' = '\\\\') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.avro.AvroSerDe' WITH SERDEPROPERTIES"
        f" ('avro.schema.url' = 'file://{{file}}') {_LAKE}"
    ),
    (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.avro.AvroSerDe' WITH SERDEPROPERTIES"
        f" ('avro.schema.url' = '{{url}}/x') {_LAKE}"
    ),
    f"ROW FORMAT DELIMITED NULL DEFINED AS '{{b}}' {_LAKE}",
    f"ROW FORMAT DELIMITED LINES TERMINATED BY '{{b}}' {_LAKE}",
    f"ROW FORMAT DELIMITED ESCAPED BY '{{b}}' {_LAKE}",
    (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' WITH SERDEPROPERTIES"
        f" ('serialization.encoding' = '{{b}}') {_LAKE}"
    ),
    f"{_LAKE} TBLPROPERTIES ('skip.header.line.count' = '99999999999999999999')",
    f"{_LAKE} TBLPROPERTIES ('querysvc.on_bad_record' = '{{b}}')",
    f"{_LAKE} TBLPROPERTIES ('parquet.compression' = '{{b}}', 'orc.compress' = '{{b}}')",
    "LOCATION 's3://lake/people/\\u0000/../secret/'",
    "LOCATION 's3://lake//secret/'",
    "LOCATION 's3://lake/people/../secret/'",
    "LOCATION 's3://LAKE/secret/'",
    "LOCATION 's3://lake:443/people/'",
    "LOCATION 's3://lake@{url}/people/'",
    "LOCATION 's3://127.0.0.1/people/'",
    "LOCATION 's3://lake/people/#{file}'",
    "LOCATION 's3a://lake/people/?list-type=2&prefix=secret'",
    "LOCATION 's3://arn:aws:s3:::lake/people/'",
    "LOCATION 's3://lake/people/%00'",
    "LOCATION 's3:///lake/people/'",
    "LOCATION 'S3://lake/people/;{b}'",
    "STORED AS PARQUET LOCATION 's3://lake/people/'",
    "STORED AS ORC LOCATION 's3://lake/people/'",
    "STORED AS AVRO LOCATION 's3://lake/people/'",
)
"""Ends of CREATE EXTERNAL TABLE: none may read a byte that is not under its own location."""


def filled_in(statement: str) -> str:
    """The statement with its breaks in it, still to be told the canary's addresses."""
    quoted = BREAK.replace("'", "''")
    return (
        statement.replace("{b2}", quoted.replace('"', ""))
        .replace("{b}", quoted)
        .replace("{q2}", QUOTED.replace('"', '""'))
        .replace("{q}", QUOTED)
    )


def views() -> list[dict[str, Any]]:
    """Views as Glue would store them: TableInputs whose texts were not written by us."""
    good = {"name": "a", "type": "varchar"}
    documents: list[object] = [
        {"originalSql": "SELECT content AS a FROM read_text('{file}')", "columns": [good]},
        {"originalSql": "SELECT 1; COPY (SELECT 1) TO '{file}.out'", "columns": [good]},
        {"originalSql": "SELECT b AS a FROM t", "columns": [{"name": QUOTED, "type": "varchar"}]},
        {"originalSql": "SELECT b AS a FROM t", "columns": [{"name": "a", "type": BREAK}]},
        {"originalSql": "SELECT b AS a FROM t", "columns": [{"name": "a", "type": QUOTED}]},
        {"originalSql": "SELECT b AS a FROM t", "columns": [good], "catalog": QUOTED},
        {"originalSql": "SELECT b AS a FROM t", "columns": [good], "schema": QUOTED},
        {"originalSql": "SELECT b AS a FROM t", "columns": [good], "owner": BREAK},
        {"originalSql": "SELECT a FROM v0", "columns": [good]},
        {"originalSql": ["SELECT 1"], "columns": [good]},
        {"originalSql": "SELECT 1 AS a", "columns": {"a": "b"}},
        {"originalSql": "DROP TABLE t", "columns": [good]},
        {"originalSql": "SELECT '" + "(" * 5000 + "' AS a", "columns": [good]},
        {"originalSql": "(" * 5000 + "SELECT 1 AS a", "columns": [good]},
        {"originalSql": "SELECT 1 AS a", "columns": [{"name": "a", "type": "array(" * 5000}]},
        [[[[]]]],
        "text",
        None,
    ]
    encoded = [base64.b64encode(json.dumps(one).encode()).decode() for one in documents]
    texts = [f"/* Presto View: {one} */" for one in encoded]
    texts += [
        "/* Presto View: not base64 */",
        "/* Presto View: " + base64.b64encode(b"[" * 20_000).decode() + " */",
        "SELECT content FROM read_text('{file}')",
        "/* Presto View: */ SELECT 1 /* */",
    ]
    return [
        {
            "Name": f"v{number}",
            "TableType": "VIRTUAL_VIEW",
            "ViewOriginalText": text,
            "ViewExpandedText": "/* Presto View */",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "string"}]},
        }
        for number, text in enumerate(texts)
    ]


def glue_tables() -> list[dict[str, Any]]:
    """Tables as Glue would store them, with what no DDL statement could say."""

    def table(number: int, **changes: Any) -> dict[str, Any]:
        descriptor = {
            "Columns": [{"Name": "a", "Type": "string"}],
            "Location": "s3://lake/people/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "Parameters": {},
            },
            **changes,
        }
        return {
            "Name": f"g{number}",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {},
            "StorageDescriptor": descriptor,
        }

    serde = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
    changes: list[dict[str, Any]] = [
        {"Columns": [{"Name": QUOTED, "Type": "string"}]},
        {"Columns": [{"Name": BREAK, "Type": "string", "Comment": BREAK}]},
        {"Columns": [{"Name": "a", "Type": BREAK}]},
        {"Columns": [{"Name": "a", "Type": f"struct<`{QUOTED}`:int>"}]},
        {"Columns": [{"Name": "a", "Type": "array<" * 300 + "int" + ">" * 300}]},
        {"Columns": [{"Name": "a", "Type": "decimal(99999,3)"}]},
        {"Location": "file://{file}"},
        {"Location": "s3://lake/secret/?x=/people/"},
        {"Location": "{url}/people/"},
        {"Location": "s3://lake/people/\n/../../secret/"},
        {"InputFormat": BREAK},
        {"SerdeInfo": {"SerializationLibrary": serde, "Parameters": {"field.delim": BREAK}}},
        {"SerdeInfo": {"SerializationLibrary": serde, "Parameters": {"escape.delim": "'"}}},
        {"SerdeInfo": {"SerializationLibrary": BREAK, "Parameters": {}}},
        {
            "SerdeInfo": {
                "SerializationLibrary": serde,
                "Parameters": {"serialization.null.format": BREAK},
            }
        },
    ]
    return [table(number, **change) for number, change in enumerate(changes)]


HEADERS: Final[tuple[dict[str, str], ...]] = (
    {"X-Trino-Catalog": QUOTED},
    {"X-Trino-Catalog": "awsdatacatalog", "X-Trino-Schema": QUOTED},
    {"X-Trino-Catalog": "awsdatacatalog", "X-Trino-Schema": "../../etc"},
    {"X-Trino-Time-Zone": BREAK},
    {"X-Trino-User": BREAK},
    {"X-Trino-Source": BREAK, "X-Trino-Client-Info": BREAK, "X-Trino-Client-Tags": BREAK},
    {"X-Trino-Session": "query_max_run_time=%27%3B+COPY"},
    {"X-Trino-Session": "memory_limit=1TB,threads=1000,enable_external_access=true"},
    {"X-Trino-Session": "=,==,%00=%00"},
    {"X-Trino-Prepared-Statement": "p=SELECT+content+FROM+read_text('{file}')"},
    {"X-Trino-Prepared-Statement": "p=EXECUTE+p"},
    {"X-Trino-Prepared-Statement": "p=COPY+(SELECT+1)+TO+'{file}.out'"},
    {"X-Trino-Role": "system=ROLE%7Badmin%7D"},
    {"X-Trino-Transaction-Id": "../../x"},
    {"X-Trino-Query-Data-Encoding": "json+../../x"},
    {"X-Trino-Path": QUOTED},
    {"X-Trino-Extra-Credential": "key=value"},
    {"X-Trino-Original-User": "root"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "file", "X-Forwarded-Host": "{url}"},
    {"Host": "evil.example:1"},
)
"""Headers of a POST to Trino's wire whose statement is EXECUTE p, or SELECT b FROM t."""

PATHS: Final = (
    "/v1/queries/..%2f..%2fstate.db/results",
    "/v1/queries/%2e%2e%2fsecret.key",
    "/v1/queries/..%00/results",
    "/v1/statement/executing/..%2f..%2fx/y/0",
    "/v1/statement/queued/x/..%2f/0",
    "/v1/spooled/download/..%2f..%2fsecret.key",
    "/v1/segments/..%2f..%2fsecret.key",
    "/v1/query/..%2fx",
    "/v1/catalogs/..%2f/databases",
    "/v1/catalogs/awsdatacatalog/databases/%00/tables",
    "/v1/catalogs/awsdatacatalog/databases/default/tables/t%00",
    "/v1/catalogs/awsdatacatalog/databases/default/tables/t/partitions?expression=a%3D%27",
    "/v1/work-groups/..%2fprimary",
    "/docs/..%2f..%2fetc%2fpasswd",
    "/static/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
)
"""GET requests: no file of the state or the host may come back."""

STARTUP: Final = (
    "-csearch_path=pg_catalog,../../etc",
    "-c search_path='; COPY t TO PROGRAM ''id'''",
    "-cdata_directory=/etc",
    "-cshared_preload_libraries=evil",
    "-c statement_timeout=-1",
    "-c timezone=../../etc/passwd",
    "--search_path=a",
    "-c role=admin",
    "\\",
)
"""`options` of PostgreSQL's start-up message."""
