"""S3 over TLS with an authority of the operator's own, and a bucket with its own endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from querysvc.client import ServiceError
from tests.support.certificates import self_signed
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, require_versitygw, versitygw

COLUMNS = "(id int) ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"


@pytest.fixture(scope="module")
def encrypted_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require_versitygw()
    folder = tmp_path_factory.mktemp("s3-tls")
    with versitygw(folder, self_signed(folder / "s3.pem")) as server:
        client = server.client()
        for bucket in ("safe", "results"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="safe", Key="numbers/a.csv", Body=b"1\n2\n3\n")
        yield server


def declare(service: RunningService) -> None:
    service.client.run("CREATE DATABASE safe")
    service.client.run(
        f"CREATE EXTERNAL TABLE safe.numbers {COLUMNS} LOCATION 's3://safe/numbers/'"
    )


def rows(service: RunningService, sql: str) -> list[list[object]]:
    return list(service.client.rows(service.client.run(sql)["id"]))


def test_listing_reading_and_writing_by_tls(encrypted_s3: S3Server, tmp_path: Path) -> None:
    trust = {"s3_ca_bundle_file": encrypted_s3.certificate}
    location = {"output_location": "s3://results/out/"}
    with running_service(encrypted_s3.url, tmp_path, **trust, **location) as service:
        declare(service)
        service.client.run(
            "CREATE TABLE safe.copied WITH (external_location = 's3://safe/copied/') AS "
            "SELECT id FROM safe.numbers"
        )
        assert rows(service, "SELECT sum(id) FROM safe.copied") == [[6]]
    listed = encrypted_s3.client().list_objects_v2(Bucket="results")["Contents"]
    assert any(found["Key"].startswith("out/") for found in listed)


def test_a_certificate_that_is_not_trusted_is_told(encrypted_s3: S3Server, tmp_path: Path) -> None:
    with running_service(encrypted_s3.url, tmp_path, s3_attempts_max=2) as service:
        declare(service)
        with pytest.raises(ServiceError) as raised:
            service.client.run("SELECT * FROM safe.numbers")
        assert "certificate" in raised.value.message.lower()
        assert "s3_ca_bundle_file" in raised.value.message
        assert rows(service, "SELECT 1") == [[1]]


def test_a_bucket_with_an_endpoint_of_its_own(
    s3: S3Server, encrypted_s3: S3Server, tmp_path: Path
) -> None:
    config = tmp_path / "querysvc.toml"
    config.write_text(
        f"""
        s3_ca_bundle_file = "{encrypted_s3.certificate}"
        [s3_buckets.safe]
        endpoint = "{encrypted_s3.url}"
        """
    )
    with running_service(s3.url, tmp_path / "state", config=config) as service:
        declare(service)
        service.client.run(
            f"CREATE EXTERNAL TABLE safe.people (id int, name string) {COLUMNS[9:]} "
            "LOCATION 's3://data/people/' TBLPROPERTIES ('skip.header.line.count'='1')"
        )
        both = "SELECT count(*) FROM safe.numbers n JOIN safe.people p ON n.id = p.id"
        assert rows(service, both) == [[2]]
