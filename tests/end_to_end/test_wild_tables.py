"""Tables as they lie in people's buckets: odd objects, partitions of another make, many of them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc_catalog.serdes import CLASSES, StorageFormat
from tests.end_to_end.conftest import BUCKET
from tests.support.running_service import RunningService
from tests.support.s3 import REGION, S3Server

ROOT = f"s3://{BUCKET}/wild"


@dataclass(frozen=True, slots=True)
class Wild:
    """A database over odd objects."""

    service: RunningService
    s3: S3Server

    def put(self, objects: dict[str, bytes]) -> None:
        store = self.s3.client()
        for key, body in objects.items():
            store.put_object(Bucket=BUCKET, Key=f"wild/{key}", Body=body)

    def run(self, sql: str) -> list[list[Any]]:
        execution = self.service.client.run(sql, database="wild")
        return list(self.service.client.rows(execution["id"])) if execution["columns"] else []


@pytest.fixture(scope="module")
def wild(service: RunningService, s3: S3Server) -> Iterator[Wild]:
    service.client.run(f"CREATE DATABASE wild LOCATION '{ROOT}/'")
    yield Wild(service, s3)
    service.client.run("DROP DATABASE wild CASCADE")


def test_sub_folders_are_read_and_hidden_names_are_not(wild: Wild) -> None:
    wild.put(
        {
            "odd/no_extension": b"1,a\n",
            "odd/year/month/deep.csv": b"2,b\n",
            "odd/deep/packed.gz": gzip.compress(b"3,c\n"),
            "odd/empty.csv": b"",
            "odd/empty_folder/": b"",
            "odd/_SUCCESS": b"junk",
            "odd/_temporary/0/part": b"junk",
            "odd/.hidden": b"junk",
            "odd/.crc/x": b"junk",
            "oddly/neighbour.csv": b"9,z\n",
        }
    )
    wild.run(
        "CREATE EXTERNAL TABLE odd (n int, s string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
        f" LOCATION '{ROOT}/odd'"
    )
    assert wild.run("SELECT n, s FROM odd ORDER BY n") == [[1, "a"], [2, "b"], [3, "c"]]


def test_partitions_may_have_serdes_of_their_own(wild: Wild) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": [3], "s": ["parquet"]}), sink)
    wild.put(
        {
            "mixed/form=text/f": b"1;text\n",
            "mixed/form=json/f": b'{"n": 2, "s": "json"}\n',
            "mixed/form=parquet/f": sink.getvalue(),
        }
    )
    wild.run(
        "CREATE EXTERNAL TABLE mixed (n bigint, s string) PARTITIONED BY (form string)"
        f" ROW FORMAT DELIMITED FIELDS TERMINATED BY ';' LOCATION '{ROOT}/mixed/'"
    )
    wild.run("MSCK REPAIR TABLE mixed")
    glue = boto3.client(
        "glue",
        endpoint_url=wild.service.url,
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    formats = {"json": StorageFormat.OPENX_JSON, "parquet": StorageFormat.PARQUET}
    for value, storage_format in formats.items():
        name = {"DatabaseName": "wild", "TableName": "mixed"}
        found = glue.get_partition(**name, PartitionValues=[value])["Partition"]
        classes = CLASSES[storage_format]
        descriptor = {
            **found["StorageDescriptor"],
            "InputFormat": classes.input_format,
            "OutputFormat": classes.output_format,
            "SerdeInfo": {"SerializationLibrary": classes.serialization_library},
        }
        changed = {"Values": [value], "StorageDescriptor": descriptor}
        glue.update_partition(**name, PartitionValueList=[value], PartitionInput=changed)
    assert wild.run("SELECT n, s, form FROM mixed WHERE n > 0 ORDER BY n") == [
        [1, "text", "text"],
        [2, "json", "json"],
        [3, "parquet", "parquet"],
    ]


def test_a_write_is_not_held_to_a_hundred_partitions(wild: Wild) -> None:
    wild.run(
        "CREATE TABLE many WITH (format = 'JSON', partitioned_by = ARRAY['p']) AS"
        " SELECT x AS n, x % 101 AS p FROM UNNEST(sequence(1, 202)) AS t (x)"
    )
    assert wild.run("SELECT count(*), count(DISTINCT p), sum(n) FROM many") == [[202, 101, 20503]]
    assert len(wild.run("SHOW PARTITIONS many")) == 101


PROPERTIES = {
    "format = 'PARQUET', parquet_compression = 'SNAPPY'": "ParquetHiveSerDe",
    "format = 'ORC', orc_compression = 'ZSTD', compression_level = 5": "OrcSerde",
    "format = 'AVRO', write_compression = 'SNAPPY'": "AvroSerDe",
    "format = 'JSON', write_compression = 'GZIP'": "JsonSerDe",
    "format = 'TEXTFILE', field_delimiter = '|', write_compression = 'NONE'": "TERMINATED BY '|'",
    "format = 'ORC', bucketed_by = ARRAY['n'], bucket_count = 3": "OrcSerde",
    "format = 'PARQUET', partitioned_by = ARRAY['p'], is_external = true": "ParquetHiveSerDe",
}


@pytest.mark.parametrize("number", range(len(PROPERTIES)))
def test_athenas_properties_of_create_table_as_are_followed(wild: Wild, number: int) -> None:
    properties, serde = list(PROPERTIES.items())[number]
    place = f"{ROOT}/made/{number}/"
    wild.run(
        f"CREATE TABLE made{number} WITH ({properties}, external_location = '{place}')"
        " AS SELECT * FROM (VALUES (1, 'a', 10), (2, NULL, 20)) AS t (n, s, p)"
    )
    assert wild.run(f"SELECT n, s, p FROM made{number} ORDER BY n") == [[1, "a", 10], [2, None, 20]]
    told = "\n".join(row[0] for row in wild.run(f"SHOW CREATE TABLE made{number}"))
    assert serde in told
    assert place.rstrip("/") in told
