"""Every operation that the AWS wire serves, walked by boto3: it answers, and tells each error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

STORAGE = {
    "Columns": [{"Name": "id", "Type": "int"}],
    "Location": "s3://lake/t/",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
}
ARN = "arn:aws:athena:us-east-1:000000000000:workgroup/"
MISSING = "00000000-0000-4000-8000-000000000000"
STATISTICS = {
    "ColumnName": "id",
    "ColumnType": "int",
    "AnalyzedTime": 1,
    "StatisticsData": {
        "Type": "LONG",
        "LongColumnStatisticsData": {"NumberOfNulls": 0, "NumberOfDistinctValues": 1},
    },
}


@dataclass
class Walk:
    """Calls of one client, and what each operation has answered."""

    client: Any
    answered: set[str] = field(default_factory=set)
    failed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def ok(self, operation: str, /, **request: Any) -> dict[str, Any]:
        """The answer to a call."""
        found: dict[str, Any] = self._method(operation)(**request)
        self.answered.add(operation)
        return found

    def bad(self, code: str, operation: str, /, **request: Any) -> None:
        """A call that must fail with this exception."""
        try:
            self._method(operation)(**request)
        except ClientError as error:
            told = error.response["Error"]
            assert told["Code"] == code, (operation, request, told)
            assert told["Message"], operation
            self.failed[operation].add(code)
        else:
            raise AssertionError(f"{operation} {request} did not fail with {code}")

    def missing(self, operations: str, /, **given: Any) -> None:
        """Operations of Glue, named in one text, that must not find what they are asked for."""
        self.all_bad("EntityNotFoundException", operations, **given)

    def all_bad(self, code: str, operations: str, /, **given: Any) -> None:
        """Operations, named in one text, that must fail with this exception."""
        for operation in operations.split():
            self.bad(code, operation, **given)

    def _method(self, operation: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self.client, xform_name(operation))
        return found


def athena(walk: Walk, wait: Callable[[str], None], fill_queue: Callable[[], None]) -> None:
    """Athena's operations; `wait` waits for a query, `fill_queue` lets no query in any more."""
    _executions(walk, wait)
    _work_groups(walk)
    _saved(walk)
    _athena_catalog(walk)
    fill_queue()
    query = {"QueryString": "SELECT 1", "ResultConfiguration": OUTPUT}
    walk.bad("TooManyRequestsException", "StartQueryExecution", **query)


def _executions(walk: Walk, wait: Callable[[str], None]) -> None:
    query = walk.ok("StartQueryExecution", QueryString="SELECT 1", ResultConfiguration=OUTPUT)
    name = {"QueryExecutionId": query["QueryExecutionId"]}
    wait(name["QueryExecutionId"])
    for operation in ("GetQueryExecution", "GetQueryResults", "GetQueryRuntimeStatistics"):
        walk.ok(operation, **name)
    walk.ok("StopQueryExecution", **name)
    walk.ok("ListQueryExecutions")
    walk.ok("BatchGetQueryExecution", QueryExecutionIds=[name["QueryExecutionId"], MISSING])
    walk.all_bad(
        INVALID,
        "GetQueryExecution GetQueryResults GetQueryRuntimeStatistics StopQueryExecution",
        QueryExecutionId=MISSING,
    )
    walk.bad(INVALID, "StartQueryExecution", QueryString="SELEC 1", ResultConfiguration=OUTPUT)
    walk.bad(INVALID, "StartQueryExecution", QueryString="SELECT 1", WorkGroup="none")
    walk.bad(INVALID, "ListQueryExecutions", WorkGroup="none")
    walk.ok("ListEngineVersions")


INVALID = "InvalidRequestException"
OUTPUT = {"OutputLocation": "s3://lake/results/"}


def _work_groups(walk: Walk) -> None:
    walk.ok("CreateWorkGroup", Name="etl", Tags=[{"Key": "a", "Value": "b"}])
    walk.bad(INVALID, "CreateWorkGroup", Name="etl")
    for operation in ("GetWorkGroup", "UpdateWorkGroup"):
        walk.ok(operation, WorkGroup="etl")
    walk.ok("ListWorkGroups")
    walk.bad(INVALID, "ListWorkGroups", NextToken="forged")
    walk.ok("TagResource", ResourceARN=ARN + "etl", Tags=[{"Key": "c", "Value": "d"}])
    walk.ok("ListTagsForResource", ResourceARN=ARN + "etl")
    walk.ok("UntagResource", ResourceARN=ARN + "etl", TagKeys=["c"])
    for operation, more in (
        ("TagResource", {"Tags": [{"Key": "c", "Value": "d"}]}),
        ("UntagResource", {"TagKeys": ["c"]}),
        ("ListTagsForResource", {}),
    ):
        walk.bad("ResourceNotFoundException", operation, ResourceARN=ARN + "none", **more)
        walk.bad(INVALID, operation, ResourceARN="arn:aws:s3:::bucket", **more)
    walk.ok("DeleteWorkGroup", WorkGroup="etl")
    walk.all_bad(INVALID, "GetWorkGroup UpdateWorkGroup DeleteWorkGroup", WorkGroup="etl")


def _saved(walk: Walk) -> None:
    request = {"Name": "q", "Database": "d", "QueryString": "SELECT 1"}
    query = {"NamedQueryId": walk.ok("CreateNamedQuery", **request)["NamedQueryId"]}
    walk.bad(INVALID, "CreateNamedQuery", **request, WorkGroup="none")
    walk.ok("GetNamedQuery", **query)
    walk.ok("BatchGetNamedQuery", NamedQueryIds=[query["NamedQueryId"]])
    walk.ok("ListNamedQueries")
    walk.bad(INVALID, "ListNamedQueries", WorkGroup="none")
    changed = {"Name": "q", "QueryString": "SELECT 2"}
    walk.ok("UpdateNamedQuery", **query, **changed)
    walk.ok("DeleteNamedQuery", **query)
    walk.all_bad(INVALID, "GetNamedQuery DeleteNamedQuery", **query)
    walk.bad(INVALID, "UpdateNamedQuery", **query, **changed)

    name, text = {"StatementName": "st", "WorkGroup": "primary"}, {"QueryStatement": "SELECT ?"}
    walk.ok("CreatePreparedStatement", **name, **text)
    walk.bad(INVALID, "CreatePreparedStatement", **name, **text)
    walk.ok("UpdatePreparedStatement", **name, **text)
    walk.ok("GetPreparedStatement", **name)
    some = {"PreparedStatementNames": ["st"]}
    walk.ok("BatchGetPreparedStatement", **some, WorkGroup="primary")
    walk.bad(INVALID, "BatchGetPreparedStatement", **some, WorkGroup="none")
    walk.ok("ListPreparedStatements", WorkGroup="primary")
    walk.bad(INVALID, "ListPreparedStatements", WorkGroup="none")
    walk.ok("DeletePreparedStatement", **name)
    gone = "ResourceNotFoundException"
    walk.all_bad(gone, "GetPreparedStatement DeletePreparedStatement", **name)
    walk.bad(gone, "UpdatePreparedStatement", **name, **text)
    other = {"StatementName": "st", "WorkGroup": "none"}
    walk.all_bad(INVALID, "GetPreparedStatement DeletePreparedStatement", **other)
    walk.bad(INVALID, "UpdatePreparedStatement", **other, **text)


def _athena_catalog(walk: Walk) -> None:
    walk.ok("CreateDataCatalog", Name="other", Type="GLUE")
    walk.bad(INVALID, "CreateDataCatalog", Name="other", Type="GLUE")
    walk.bad(INVALID, "CreateDataCatalog", Name="x", Type="LAMBDA")
    walk.ok("UpdateDataCatalog", Name="other", Type="GLUE")
    walk.ok("GetDataCatalog", Name="other")
    walk.ok("ListDataCatalogs")
    walk.ok("DeleteDataCatalog", Name="other")
    walk.all_bad(INVALID, "GetDataCatalog DeleteDataCatalog", Name="other")
    walk.bad(INVALID, "UpdateDataCatalog", Name="other", Type="GLUE")
    ours, none = {"CatalogName": "AwsDataCatalog"}, {"CatalogName": "none"}
    walk.ok("ListDatabases", **ours)
    walk.bad(INVALID, "ListDatabases", **none)
    shop = {**ours, "DatabaseName": "shop"}
    walk.ok("GetDatabase", **shop)
    walk.ok("ListTableMetadata", **shop)
    walk.ok("GetTableMetadata", **shop, TableName="t")
    gone = {**ours, "DatabaseName": "gone"}
    walk.all_bad("MetadataException", "GetDatabase ListTableMetadata", **gone)
    walk.bad("MetadataException", "GetTableMetadata", **shop, TableName="gone")
    walk.all_bad(INVALID, "GetDatabase ListTableMetadata", **none, DatabaseName="shop")
    walk.bad(INVALID, "GetTableMetadata", **none, DatabaseName="shop", TableName="t")


def glue(walk: Walk, wait_for_crawler: Callable[[str], None], hold: Callable[[], None]) -> None:
    """Glue's operations; `hold` makes crawls last until they are stopped."""
    _databases(walk)
    _tables(walk)
    _partitions(walk)
    _functions(walk)
    _rest(walk)
    _crawlers(walk, wait_for_crawler, hold)


EXISTS, WRONG = "AlreadyExistsException", "InvalidInputException"


def _databases(walk: Walk) -> None:
    walk.ok("CreateDatabase", DatabaseInput={"Name": "d"}, Tags={"a": "b"})
    walk.bad(EXISTS, "CreateDatabase", DatabaseInput={"Name": "d"})
    walk.ok("GetDatabase", Name="d")
    walk.ok("GetDatabases")
    walk.bad("EntityNotFoundException", "GetDatabases", CatalogId="none")
    walk.ok("UpdateDatabase", Name="d", DatabaseInput={"Name": "d"})
    walk.bad(WRONG, "UpdateDatabase", Name="d", DatabaseInput={"Name": "e"})
    walk.ok("DeleteDatabase", Name="d")
    walk.missing("GetDatabase DeleteDatabase", Name="d")
    walk.missing("UpdateDatabase", Name="d", DatabaseInput={"Name": "d"})
    walk.ok("GetCatalog", CatalogId="000000000000")
    walk.missing("GetCatalog", CatalogId="none")
    walk.ok("GetCatalogs")
    walk.missing("GetCatalogs", ParentCatalogId="none")


def _tables(walk: Walk) -> None:
    shop, gone = {"DatabaseName": "shop"}, {"DatabaseName": "gone"}
    keys = [{"Name": "day", "Type": "string"}]
    value = {"Name": "parted", "StorageDescriptor": STORAGE, "PartitionKeys": keys}
    walk.ok("CreateTable", **shop, TableInput=value)
    walk.bad(EXISTS, "CreateTable", **shop, TableInput=value)
    walk.missing("CreateTable UpdateTable", **gone, TableInput=value)
    walk.ok("UpdateTable", **shop, TableInput=value, VersionId="0")
    stale = {**shop, "TableInput": value, "VersionId": "0"}
    walk.bad("ConcurrentModificationException", "UpdateTable", **stale)
    walk.ok("GetTable", **shop, Name="parted")
    walk.ok("GetTables", **shop)
    walk.missing("GetTables", **gone)
    walk.missing("GetTable DeleteTable", **shop, Name="gone")
    walk.ok("SearchTables", SearchText="parted")
    table, none = {**shop, "TableName": "parted"}, {**shop, "TableName": "gone"}
    walk.ok("GetTableVersion", **table)
    walk.ok("GetTableVersions", **table)
    walk.missing("GetTableVersion GetTableVersions", **none)
    walk.ok("DeleteTableVersion", **table, VersionId="0")
    walk.missing("DeleteTableVersion", **table, VersionId="0")
    walk.ok("BatchDeleteTableVersion", **table, VersionIds=["0"])
    walk.ok("CreateTable", **shop, TableInput={"Name": "brief"})
    walk.ok("DeleteTable", **shop, Name="brief")
    walk.ok("BatchDeleteTable", **shop, TablesToDelete=["brief"])


def _partitions(walk: Walk) -> None:
    table = {"DatabaseName": "shop", "TableName": "parted"}
    none = {"DatabaseName": "shop", "TableName": "gone"}
    values, value = {"PartitionValues": ["1"]}, {"Values": ["1"], "StorageDescriptor": STORAGE}
    walk.ok("CreatePartition", **table, PartitionInput=value)
    walk.bad(EXISTS, "CreatePartition", **table, PartitionInput=value)
    walk.missing("CreatePartition", **none, PartitionInput=value)
    walk.ok("GetPartition", **table, **values)
    walk.ok("GetPartitions", **table)
    walk.missing("GetPartitions GetPartitionIndexes", **none)
    change = {"PartitionValueList": ["1"], "PartitionInput": value}
    walk.ok("UpdatePartition", **table, **change)
    walk.missing("UpdatePartition", **none, **change)
    batches: tuple[tuple[str, dict[str, Any]], ...] = (
        ("BatchCreatePartition", {"PartitionInputList": [value]}),
        ("BatchGetPartition", {"PartitionsToGet": [{"Values": ["1"]}]}),
        ("BatchUpdatePartition", {"Entries": [change]}),
    )
    for operation, more in batches:
        walk.ok(operation, **table, **more)
        walk.missing(operation, **none, **more)
    for what, more in (("Table", {}), ("Partition", values)):
        _statistics(walk, what, {**table, **more}, {**none, **more})
    walk.ok("DeletePartition", **table, **values)
    walk.missing("GetPartition DeletePartition", **table, **values)
    batch = {"PartitionsToDelete": [{"Values": ["1"]}]}
    walk.ok("BatchDeletePartition", **table, **batch)
    walk.missing("BatchDeletePartition", **none, **batch)
    index = {"Keys": ["day"], "IndexName": "by_day"}
    walk.ok("CreatePartitionIndex", **table, PartitionIndex=index)
    walk.bad(EXISTS, "CreatePartitionIndex", **table, PartitionIndex=index)
    unknown = {"Keys": ["nosuch"], "IndexName": "n"}
    walk.bad("InvalidInputException", "CreatePartitionIndex", **table, PartitionIndex=unknown)
    walk.missing("CreatePartitionIndex", **none, PartitionIndex=index)
    walk.ok("GetPartitionIndexes", **table)
    walk.ok("DeletePartitionIndex", **table, IndexName="by_day")
    walk.missing("DeletePartitionIndex", **table, IndexName="by_day")


def _statistics(walk: Walk, what: str, table: dict[str, Any], none: dict[str, Any]) -> None:
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Update", {"ColumnStatisticsList": [STATISTICS]}),
        ("Get", {"ColumnNames": ["id"]}),
        ("Delete", {"ColumnName": "id"}),
    )
    for verb, more in calls:
        walk.ok(f"{verb}ColumnStatisticsFor{what}", **table, **more)
        walk.missing(f"{verb}ColumnStatisticsFor{what}", **none, **more)


def _functions(walk: Walk) -> None:
    shop, gone = {"DatabaseName": "shop"}, {"DatabaseName": "gone"}
    value = {"FunctionInput": {"FunctionName": "f", "ClassName": "C"}}
    name = {"FunctionName": "f"}
    walk.ok("CreateUserDefinedFunction", **shop, **value)
    walk.bad(EXISTS, "CreateUserDefinedFunction", **shop, **value)
    walk.missing("CreateUserDefinedFunction", **gone, **value)
    walk.ok("GetUserDefinedFunction", **shop, **name)
    walk.ok("GetUserDefinedFunctions", **shop, Pattern="*")
    walk.missing("GetUserDefinedFunctions", **gone, Pattern="*")
    walk.ok("UpdateUserDefinedFunction", **shop, **name, **value)
    walk.ok("DeleteUserDefinedFunction", **shop, **name)
    walk.missing("GetUserDefinedFunction DeleteUserDefinedFunction", **shop, **name)
    walk.missing("UpdateUserDefinedFunction", **shop, **name, **value)


def _rest(walk: Walk) -> None:
    arn = "arn:aws:glue:us-east-1:000000000000:database/shop"
    walk.ok("TagResource", ResourceArn=arn, TagsToAdd={"a": "b"})
    walk.ok("GetTags", ResourceArn=arn)
    walk.ok("UntagResource", ResourceArn=arn, TagsToRemove=["a"])
    walk.ok("GetConnections")
    walk.missing("GetConnection", Name="none")
    walk.missing("GetResourcePolicy")


def _crawlers(walk: Walk, wait: Callable[[str], None], hold: Callable[[], None]) -> None:
    name = {"Name": "c"}
    rest = {"Role": "r", "DatabaseName": "shop"}
    target = {"Targets": {"S3Targets": [{"Path": "s3://lake/x/"}]}}
    walk.ok("CreateCrawler", **name, **rest, **target)
    walk.bad(EXISTS, "CreateCrawler", **name, **rest, **target)
    for operation in ("UpdateCrawler", "GetCrawler"):
        walk.ok(operation, **name)
    for operation in ("GetCrawlers", "ListCrawlers", "GetCrawlerMetrics"):
        walk.ok(operation)
    walk.ok("BatchGetCrawlers", CrawlerNames=["c"])
    walk.bad("CrawlerNotRunningException", "StopCrawler", **name)
    hold()
    walk.ok("StartCrawler", **name)
    for operation in ("StartCrawler", "UpdateCrawler", "DeleteCrawler"):
        walk.bad("CrawlerRunningException", operation, **name)
    walk.ok("StopCrawler", **name)
    walk.bad("CrawlerStoppingException", "StopCrawler", **name)
    wait("c")
    schedule = {"CrawlerName": "c"}
    walk.bad("NoScheduleException", "StartCrawlerSchedule", **schedule)
    walk.bad("SchedulerNotRunningException", "StopCrawlerSchedule", **schedule)
    walk.bad(WRONG, "UpdateCrawlerSchedule", **schedule)
    walk.missing(
        "StartCrawlerSchedule StopCrawlerSchedule UpdateCrawlerSchedule", CrawlerName="none"
    )
    walk.ok("DeleteCrawler", **name)
    walk.missing("GetCrawler StartCrawler StopCrawler UpdateCrawler DeleteCrawler", **name)
