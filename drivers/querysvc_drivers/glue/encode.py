"""The catalog's values in Glue's form: a member without a value is absent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import (
    Column,
    ColumnStatistics,
    Database,
    DataCatalog,
    Partition,
    PartitionIndex,
    SerDeInfo,
    StorageDescriptor,
    Table,
    TableVersion,
    UserDefinedFunction,
)
from querysvc_drivers.aws_json.account import ACCOUNT_ID
from querysvc_drivers.aws_json.dispatch import Document
from querysvc_drivers.glue.decode import statistics_member


def database(value: Database) -> Document:
    """A Database."""
    return _present(
        Name=value.name,
        Description=value.description,
        LocationUri=value.location_uri,
        Parameters=dict(value.parameters),
        CreateTime=_seconds(value.create_time),
        CatalogId=ACCOUNT_ID,
    )


def table(value: Table) -> Document:
    """A Table."""
    descriptor = value.storage_descriptor
    return _present(
        Name=value.name,
        DatabaseName=value.database_name,
        Description=value.description,
        Owner=value.owner,
        CreateTime=_seconds(value.create_time),
        UpdateTime=_seconds(value.update_time),
        LastAccessTime=_seconds(value.last_access_time),
        LastAnalyzedTime=_seconds(value.last_analyzed_time),
        Retention=value.retention,
        StorageDescriptor=None if descriptor is None else storage_descriptor(descriptor),
        PartitionKeys=[_column(column) for column in value.partition_keys],
        ViewOriginalText=value.view_original_text,
        ViewExpandedText=value.view_expanded_text,
        TableType=value.table_type,
        Parameters=dict(value.parameters),
        CreatedBy=value.created_by,
        IsRegisteredWithLakeFormation=False,
        CatalogId=ACCOUNT_ID,
        VersionId=str(value.version_id),
    )


def partition_index(table: Table, value: PartitionIndex) -> Document:
    """A PartitionIndexDescriptor."""
    types = {key.name: key.type for key in table.partition_keys}
    keys = [{"Name": key, "Type": types.get(key, "string")} for key in value.keys]
    return {"IndexName": value.name, "Keys": keys, "IndexStatus": "ACTIVE"}


def table_version(value: TableVersion) -> Document:
    """A TableVersion."""
    number = str(value.version_id)
    return {"Table": table(value.table) | {"VersionId": number}, "VersionId": number}


def storage_descriptor(value: StorageDescriptor) -> Document:
    """A StorageDescriptor."""
    serde = value.serde_info
    return _present(
        Columns=[_column(column) for column in value.columns],
        Location=value.location,
        InputFormat=value.input_format,
        OutputFormat=value.output_format,
        Compressed=value.compressed,
        NumberOfBuckets=value.number_of_buckets,
        SerdeInfo=None if serde is None else _serde(serde),
        BucketColumns=list(value.bucket_columns),
        SortColumns=[
            {"Column": item.column, "SortOrder": int(item.is_ascending)}
            for item in value.sort_columns
        ],
        Parameters=dict(value.parameters),
        StoredAsSubDirectories=value.stored_as_sub_directories,
    )


def partition(value: Partition, owner: Table, *, has_columns: bool = True) -> Document:
    """A Partition of a table."""
    descriptor = value.storage_descriptor
    told = None if descriptor is None else storage_descriptor(descriptor)
    if told is not None and not has_columns:
        del told["Columns"]
    return _present(
        Values=list(value.values),
        DatabaseName=owner.database_name,
        TableName=owner.name,
        CreationTime=_seconds(value.creation_time),
        LastAccessTime=_seconds(value.last_access_time),
        LastAnalyzedTime=_seconds(value.last_analyzed_time),
        StorageDescriptor=told,
        Parameters=dict(value.parameters),
        CatalogId=ACCOUNT_ID,
    )


def column_statistics(value: ColumnStatistics) -> Document:
    """A ColumnStatistics."""
    return {
        "ColumnName": value.column_name,
        "ColumnType": value.column_type,
        "AnalyzedTime": _seconds(value.analyzed_time) or 0.0,
        "StatisticsData": {
            "Type": value.statistics_type.value,
            statistics_member(value.statistics_type): dict(value.data),
        },
    }


def function(value: UserDefinedFunction) -> Document:
    """A UserDefinedFunction."""
    return _present(
        FunctionName=value.function_name,
        DatabaseName=value.database_name,
        ClassName=value.class_name,
        OwnerName=value.owner_name,
        OwnerType=value.owner_type,
        CreateTime=_seconds(value.create_time),
        ResourceUris=[{"ResourceType": kind, "Uri": uri} for kind, uri in value.resource_uris],
        CatalogId=ACCOUNT_ID,
    )


def catalog(value: DataCatalog) -> Document:
    """A Catalog."""
    return _present(
        CatalogId=f"{ACCOUNT_ID}:{value.name}",
        Name=value.name,
        Description=value.description,
        Parameters=dict(value.parameters),
    )


def error_detail(error: CatalogError) -> Document:
    """An ErrorDetail."""
    return {"ErrorCode": error.glue_name, "ErrorMessage": error.message}


def _column(value: Column) -> Document:
    return _present(
        Name=value.name,
        Type=value.type,
        Comment=value.comment,
        Parameters=dict(value.parameters) or None,
    )


def _serde(value: SerDeInfo) -> Document:
    return _present(
        Name=value.name,
        SerializationLibrary=value.serialization_library,
        Parameters=dict(value.parameters),
    )


def _present(**members: Any) -> Document:
    return {name: value for name, value in members.items() if value is not None}


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
