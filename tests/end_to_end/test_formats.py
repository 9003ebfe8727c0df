"""Tables of every readable format, declared by DDL and queried through the service."""

from __future__ import annotations

import gzip
import io
import json

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pytest

from querysvc.client import ServiceError
from tests.end_to_end.conftest import BUCKET
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server


def _orc() -> bytes:
    sink = io.BytesIO()
    orc.write_table(pa.table({"id": [1, 2], "name": ["a", "b"]}), sink)
    return sink.getvalue()


def _avro() -> bytes:
    sink = io.BytesIO()
    fields = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    fastavro.writer(sink, {"type": "record", "name": "R", "fields": fields}, rows)
    return sink.getvalue()


_RECORDS = {"Records": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}
_CLOUDTRAIL = "com.amazon.emr.hive.serde.CloudTrailSerde"
TABLES = {
    "orc": ("STORED AS ORC", _orc()),
    "avro": ("STORED AS AVRO", _avro()),
    "regex": (
        (
            "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'"
            " WITH SERDEPROPERTIES ('input.regex' = '([0-9]+)-(\\\\w+).*')"
        ),
        b"1-a x\n2-b y\n",
    ),
    "grok": (
        (
            "ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe' WITH SERDEPROPERTIES"
            " ('input.format' = '%{INT:id} \\\\[%{WORD:name}\\\\]')"
            " STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'"
            " OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'"
        ),
        b"1 [a]\n2 [b]\n",
    ),
    "cloudtrail": (
        (
            f"ROW FORMAT SERDE '{_CLOUDTRAIL}'"
            " STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'"
            " OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'"
        ),
        gzip.compress(json.dumps(_RECORDS).encode()),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_declared_table_is_read(service: RunningService, s3: S3Server, name: str) -> None:
    clause, body = TABLES[name]
    key = f"formats/{name}/data" + (".json.gz" if name == "cloudtrail" else "")
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=body)
    service.client.run(
        f"CREATE EXTERNAL TABLE shop.format_{name} (id int, name string) {clause}"
        f" LOCATION 's3://{BUCKET}/formats/{name}/'"
    )
    found = service.client.run(
        f'SELECT sum(id), max(name), count(DISTINCT "$path") FROM shop.format_{name}'
    )
    assert list(service.client.rows(found["id"])) == [[3, "b", 1]]


def test_a_format_that_is_not_read_is_refused_by_name(service: RunningService) -> None:
    service.client.run(
        "CREATE EXTERNAL TABLE shop.format_rc (id int) STORED AS RCFILE"
        f" LOCATION 's3://{BUCKET}/people/'"
    )
    with pytest.raises(ServiceError, match="reading RCBINARY is not supported"):
        service.client.run("SELECT * FROM shop.format_rc")
