"""docs/clients: each guide's blocks run as they stand; of programs that cannot, their calls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.aws.conftest import BUCKET, OUTPUT, REGION, Aws
from tests.clients.aws.guides import GUIDES, blocks
from tests.clients.aws.test_athena import Run
from tests.clients.aws.test_glue import code_of, partition_input, table_input
from tests.support.s3 import S3Server
from tests.support.tools import require_tool

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
ACCOUNT = "000000000000"


@pytest.fixture
def keys(aws: Aws, shared_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key pair where every AWS client looks for it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def wrangler() -> Iterator[None]:
    import awswrangler as wr

    yield
    for name in ("athena", "glue", "sts", "s3"):
        setattr(wr.config, f"{name}_endpoint_url", None)


def run_python(guide: str, aws: Aws, s3: S3Server) -> None:
    for block in blocks(guide, "python", aws.service.url, s3.url):
        exec(compile(block, f"{guide}.md", "exec"), {})


def test_boto3(aws: Aws, s3: S3Server, keys: None, capsys: pytest.CaptureFixture[str]) -> None:
    run_python("boto3", aws, s3)
    assert "['3', '9']" in capsys.readouterr().out


def test_pyathena(aws: Aws, s3: S3Server, keys: None, capsys: pytest.CaptureFixture[str]) -> None:
    run_python("pyathena", aws, s3)
    assert "[(1,)]" in capsys.readouterr().out


def test_awswrangler(
    aws: Aws, s3: S3Server, keys: None, wrangler: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run_python("awswrangler", aws, s3)
    assert capsys.readouterr().out.count("tue") == 3
    aws.client("glue").delete_database(Name="guide")


def test_aws_cli(aws: Aws, s3: S3Server, keys: None) -> None:
    program = require_tool("awscli/bin/aws")
    environment = {**os.environ, "PATH": f"{Path(program).parent}:{os.environ['PATH']}"}
    (script,) = blocks("aws-cli", "sh", aws.service.url, s3.url)
    done = subprocess.run(
        ["sh", "-euc", script], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for told in (":user/ada", '"VarCharValue": "one"', '"Name": "default"'):
        assert told in done.stdout


def test_what_is_run_by_a_target_of_its_own_says_so() -> None:
    for guide in ("spark", "terraform", "grafana"):
        assert f"make {guide}" in (GUIDES / f"{guide}.md").read_text()


def test_terraforms_athena_resources(athena: Any) -> None:
    group = {"WorkGroup": "tf"}
    configuration = {
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
        "EngineVersion": {"SelectedEngineVersion": "AUTO"},
        "ResultConfiguration": {
            "OutputLocation": OUTPUT,
            "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
        },
    }
    tags = [{"Key": "team", "Value": "x"}]
    athena.create_work_group(Name="tf", Configuration=configuration, Tags=tags)
    found = athena.get_work_group(**group)["WorkGroup"]
    assert found["Configuration"]["ResultConfiguration"] == configuration["ResultConfiguration"]
    arn = f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/tf"
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    updates = {"ResultConfigurationUpdates": {"RemoveEncryptionConfiguration": True}}
    athena.update_work_group(**group, State="DISABLED", ConfigurationUpdates=updates)
    changed = athena.get_work_group(**group)["WorkGroup"]
    assert changed["Configuration"]["ResultConfiguration"] == {"OutputLocation": OUTPUT}
    query = athena.create_named_query(Name="q", Database="d", QueryString="SELECT 1", **group)
    by_id = {"NamedQueryId": query["NamedQueryId"]}
    assert athena.get_named_query(**by_id)["NamedQuery"]["WorkGroup"] == "tf"
    athena.delete_named_query(**by_id)
    assert code_of(athena.get_named_query, **by_id) == "InvalidRequestException"
    athena.delete_work_group(**group, RecursiveDeleteOption=False)
    assert code_of(athena.get_work_group, **group) == "InvalidRequestException"


def test_terraforms_data_catalogs_keep_their_tags(athena: Any) -> None:
    tags = [{"Key": "team", "Value": "x"}]
    parameters = {"catalog-id": ACCOUNT}
    athena.create_data_catalog(Name="tf", Type="GLUE", Parameters=parameters, Tags=tags)
    assert athena.get_data_catalog(Name="tf")["DataCatalog"]["Parameters"] == parameters
    arn = f"arn:aws:athena:{REGION}:{ACCOUNT}:datacatalog/tf"
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    athena.delete_data_catalog(Name="tf")
    athena.create_data_catalog(Name="tf", Type="GLUE")
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    athena.delete_data_catalog(Name="tf")


def test_terraforms_glue_resources(glue: Any) -> None:
    database = {"Name": "tf", "CatalogId": ACCOUNT}
    value = {"Name": "tf", "Description": "d", "Parameters": {"a": "b"}}
    glue.create_database(DatabaseInput=value, CatalogId=ACCOUNT, Tags={"team": "x"})
    assert glue.get_database(**database)["Database"].items() >= value.items()
    arn = f"arn:aws:glue:{REGION}:{ACCOUNT}:database/tf"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "x"}
    glue.update_database(**database, DatabaseInput={**value, "Description": "e"})
    names = {"DatabaseName": "tf", "CatalogId": ACCOUNT}
    glue.create_table(**names, TableInput=table_input(Owner="owner", Retention=0))
    assert glue.get_partition_indexes(**names, TableName="t")["PartitionIndexDescriptorList"] == []
    glue.update_table(**names, TableInput=table_input(Description="d"), SkipArchive=True)
    assert glue.get_table(**names, Name="t")["Table"]["Description"] == "d"
    partition = {**names, "TableName": "t", "PartitionValues": ["2024-01-01", "eu"]}
    glue.create_partition(
        **names, TableName="t", PartitionInput=partition_input("2024-01-01", "eu")
    )
    assert glue.get_partition(**partition)["Partition"]["Values"] == ["2024-01-01", "eu"]
    glue.delete_partition(**partition)
    glue.delete_table(**names, Name="t")
    assert code_of(glue.get_table, **names, Name="t") == "EntityNotFoundException"
    glue.delete_database(**database)
    assert code_of(glue.get_database, **database) == "EntityNotFoundException"


def test_grafanas_calls(athena: Any, run: Run, shop: str) -> None:
    listed = athena.list_data_catalogs()
    assert "NextToken" not in listed  # the plugin asks on until there is none
    catalog = {"CatalogName": listed["DataCatalogsSummary"][0]["CatalogName"]}
    assert shop in {one["Name"] for one in athena.list_databases(**catalog)["DatabaseList"]}
    tables = athena.list_table_metadata(**catalog, DatabaseName=shop)["TableMetadataList"]
    assert "people" in {table["Name"] for table in tables}
    assert athena.list_work_groups()["WorkGroups"]
    version = athena.get_work_group(WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert version["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    context = {"QueryExecutionContext": {"Catalog": catalog["CatalogName"], "Database": shop}}
    failed = run("SELECT nothing FROM people", **context)["Status"]
    assert failed["StateChangeReason"].startswith("COLUMN_NOT_FOUND")
    execution = run("SELECT id AS n, born AS t FROM people", **context)
    page = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    types = [column["Type"] for column in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
    assert types == ["integer", "date"]
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/")
