"""Glue's inputs as the catalog's values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from querysvc_catalog.errors import InvalidInputError
from querysvc_catalog.model import (
    Column,
    ColumnStatistics,
    ColumnStatisticsType,
    Database,
    DatabaseName,
    Partition,
    PartitionIndex,
    SerDeInfo,
    SortColumn,
    StorageDescriptor,
    Table,
    UserDefinedFunction,
)
from querysvc_drivers.aws_json.dispatch import Document

_TABLE_UNSUPPORTED: Final = ("TargetTable", "FederatedTable", "ViewDefinition")
_DATABASE_UNSUPPORTED: Final = ("TargetDatabase", "FederatedDatabase")
_DESCRIPTOR_UNSUPPORTED: Final = ("AdditionalLocations", "SchemaReference")


def database(value: Document, catalog_name: str) -> Database:
    """A DatabaseInput."""
    refuse(value, _DATABASE_UNSUPPORTED, "DatabaseInput")
    return Database(
        name=value["Name"],
        catalog_name=catalog_name,
        description=value.get("Description"),
        location_uri=value.get("LocationUri"),
        parameters=value.get("Parameters", {}),
    )


def table(value: Document, name: DatabaseName, caller: str) -> Table:
    """A TableInput."""
    refuse(value, _TABLE_UNSUPPORTED, "TableInput")
    descriptor = value.get("StorageDescriptor")
    # Trino refuses a view without an owner; whoever makes one owns it.
    owner = caller if value.get("TableType") == "VIRTUAL_VIEW" else None
    return Table(
        name=value["Name"],
        database_name=name.name,
        catalog_name=name.catalog_name,
        owner=value.get("Owner", owner),
        description=value.get("Description"),
        storage_descriptor=None if descriptor is None else storage_descriptor(descriptor),
        partition_keys=_columns(value.get("PartitionKeys", ())),
        parameters=value.get("Parameters", {}),
        table_type=value.get("TableType"),
        view_original_text=value.get("ViewOriginalText"),
        view_expanded_text=value.get("ViewExpandedText"),
        retention=value.get("Retention", 0),
        last_access_time=_time(value.get("LastAccessTime")),
        last_analyzed_time=_time(value.get("LastAnalyzedTime")),
        created_by=caller,
    )


def partition_index(value: Document) -> PartitionIndex:
    """A PartitionIndex."""
    return PartitionIndex(value["IndexName"], tuple(value["Keys"]))


def storage_descriptor(value: Document) -> StorageDescriptor:
    """A StorageDescriptor."""
    refuse(value, _DESCRIPTOR_UNSUPPORTED, "StorageDescriptor")
    if any(value.get("SkewedInfo", {}).values()):
        raise InvalidInputError("StorageDescriptor.SkewedInfo is not supported")
    serde = value.get("SerdeInfo")
    return StorageDescriptor(
        columns=_columns(value.get("Columns", ())),
        location=value.get("Location"),
        input_format=value.get("InputFormat"),
        output_format=value.get("OutputFormat"),
        compressed=value.get("Compressed", False),
        number_of_buckets=value.get("NumberOfBuckets"),
        serde_info=None if serde is None else _serde(serde),
        bucket_columns=tuple(value.get("BucketColumns", ())),
        sort_columns=tuple(
            SortColumn(item["Column"], item["SortOrder"] == 1)
            for item in value.get("SortColumns", ())
        ),
        parameters=value.get("Parameters", {}),
        stored_as_sub_directories=value.get("StoredAsSubDirectories", False),
    )


def partition(value: Document) -> Partition:
    """A PartitionInput."""
    descriptor = value.get("StorageDescriptor")
    return Partition(
        values=tuple(value.get("Values", ())),
        storage_descriptor=None if descriptor is None else storage_descriptor(descriptor),
        parameters=value.get("Parameters", {}),
        last_access_time=_time(value.get("LastAccessTime")),
        last_analyzed_time=_time(value.get("LastAnalyzedTime")),
    )


def column_statistics(value: Document) -> ColumnStatistics:
    """A ColumnStatistics; its data must be of the type that it names."""
    data = value["StatisticsData"]
    kind = ColumnStatisticsType(data["Type"])
    member = statistics_member(kind)
    if set(data) != {"Type", member}:
        raise InvalidInputError(
            f"StatisticsData of column {value['ColumnName']} must hold {member}, and it alone"
        )
    return ColumnStatistics(
        column_name=value["ColumnName"],
        column_type=value["ColumnType"],
        statistics_type=kind,
        data=data[member],
        analyzed_time=_time(value["AnalyzedTime"]),
    )


def statistics_member(kind: ColumnStatisticsType) -> str:
    """The member of StatisticsData that holds statistics of a kind."""
    return f"{kind.value.title()}ColumnStatisticsData"


def function(value: Document, name: DatabaseName) -> UserDefinedFunction:
    """A UserDefinedFunctionInput."""
    if "FunctionName" not in value:
        raise InvalidInputError("FunctionInput.FunctionName must not be null")
    return UserDefinedFunction(
        function_name=value["FunctionName"],
        database_name=name.name,
        catalog_name=name.catalog_name,
        class_name=value.get("ClassName"),
        owner_name=value.get("OwnerName"),
        owner_type=value.get("OwnerType"),
        resource_uris=tuple(
            (item.get("ResourceType", "FILE"), item.get("Uri", ""))
            for item in value.get("ResourceUris", ())
        ),
    )


def refuse(value: Document, names: Iterable[str], where: str) -> None:
    """InvalidInputError where a member is set that the catalog cannot keep."""
    for name in names:
        if value.get(name):
            raise InvalidInputError(f"{where}.{name} is not supported")


def _columns(values: Iterable[Document]) -> tuple[Column, ...]:
    return tuple(
        Column(
            name=value["Name"],
            type=value.get("Type"),
            comment=value.get("Comment"),
            parameters=value.get("Parameters", {}),
        )
        for value in values
    )


def _serde(value: Document) -> SerDeInfo:
    return SerDeInfo(
        name=value.get("Name"),
        serialization_library=value.get("SerializationLibrary"),
        parameters=value.get("Parameters", {}),
    )


def _time(seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise InvalidInputError(f"{seconds} is not a time in seconds since 1970") from None
