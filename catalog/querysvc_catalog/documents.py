"""The catalog's values as JSON documents, as the SQL store keeps them.

orjson prints the dataclasses as they are; reading names each member, and a member that a later
version adds reads as its default from an older document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias

import orjson

from querysvc_catalog.errors import InvalidInputError
from querysvc_catalog.model import (
    Column,
    ColumnStatistics,
    ColumnStatisticsType,
    Database,
    DatabaseName,
    DataCatalog,
    DataCatalogType,
    Partition,
    PartitionIndex,
    PartitionValues,
    SerDeInfo,
    SortColumn,
    StorageDescriptor,
    Table,
    TableName,
    UserDefinedFunction,
)

# Read back from our own store: the members are those that `dump` wrote.
Document: TypeAlias = dict[str, Any]

_TABLE_TEXTS: Final = (
    "owner",
    "description",
    "table_type",
    "view_original_text",
    "view_expanded_text",
    "created_by",
)
_PARTITION_TIMES: Final = ("creation_time", "last_access_time", "last_analyzed_time")


def dump(value: object) -> str:
    """Print a value, or raise InvalidInputError if it holds what JSON or UTF-8 cannot."""
    try:
        return orjson.dumps(value, default=_default).decode()
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidInputError(f"a value cannot be stored: {error}") from error


def _default(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def load(text: str) -> Document:
    """Read a document."""
    document: Document = orjson.loads(text)
    return document


def load_data_catalog(text: str) -> DataCatalog:
    """Read a data catalog."""
    document = load(text)
    return DataCatalog(
        name=document["name"],
        type=DataCatalogType(document["type"]),
        description=document.get("description"),
        parameters=document.get("parameters", {}),
    )


def load_database(name: DatabaseName, text: str) -> Database:
    """Read a database."""
    document = load(text)
    return Database(
        name=name.name,
        catalog_name=name.catalog_name,
        description=document.get("description"),
        location_uri=document.get("location_uri"),
        parameters=document.get("parameters", {}),
        create_time=_time(document, "create_time"),
    )


def load_table(name: TableName, version_id: int, text: str) -> Table:
    """Read a table; its name and version are columns of the store, not of the document."""
    document = load(text)
    descriptor = document.get("storage_descriptor")
    return Table(
        name=name.name,
        database_name=name.database_name,
        catalog_name=name.catalog_name,
        storage_descriptor=None if descriptor is None else _descriptor(descriptor),
        partition_keys=_columns(document.get("partition_keys", [])),
        parameters=document.get("parameters", {}),
        retention=document.get("retention", 0),
        version_id=version_id,
        **{member: document.get(member) for member in _TABLE_TEXTS},
        create_time=_time(document, "create_time"),
        update_time=_time(document, "update_time"),
        last_access_time=_time(document, "last_access_time"),
        last_analyzed_time=_time(document, "last_analyzed_time"),
        partition_indexes=tuple(
            PartitionIndex(index["name"], tuple(index["keys"]))
            for index in document.get("partition_indexes", ())
        ),
    )


def load_column_statistics(text: str) -> ColumnStatistics:
    """Read the statistics of one column."""
    document = load(text)
    return ColumnStatistics(
        column_name=document["column_name"],
        column_type=document["column_type"],
        statistics_type=ColumnStatisticsType(document["statistics_type"]),
        data=document["data"],
        analyzed_time=_time(document, "analyzed_time"),
    )


def load_function(text: str) -> UserDefinedFunction:
    """Read a function."""
    document = load(text)
    return UserDefinedFunction(
        function_name=document["function_name"],
        database_name=document["database_name"],
        catalog_name=document["catalog_name"],
        class_name=document.get("class_name"),
        owner_name=document.get("owner_name"),
        owner_type=document.get("owner_type"),
        resource_uris=tuple((kind, uri) for kind, uri in document.get("resource_uris", [])),
        create_time=_time(document, "create_time"),
    )


def dump_shape(descriptor: StorageDescriptor | None) -> tuple[str, str]:
    """Print a descriptor without its location, and give a digest that identifies the text.

    The partitions of a table mostly differ by location alone, so stores keep one shape for all.
    """
    text = dump(None if descriptor is None else replace(descriptor, location=None))
    return hashlib.sha256(text.encode()).hexdigest()[:32], text


def load_shape(text: str) -> StorageDescriptor | None:
    """Read a descriptor without location."""
    document = orjson.loads(text)
    return None if document is None else _descriptor(document)


def dump_partition(partition: Partition) -> str:
    """Print what differs from partition to partition, besides the values."""
    members: dict[str, object] = {
        "location": partition.location,
        "parameters": partition.parameters or None,
        **{member: getattr(partition, member) for member in _PARTITION_TIMES},
    }
    return dump({name: value for name, value in members.items() if value is not None})


def load_partition(
    values: PartitionValues, shape: StorageDescriptor | None, text: str
) -> Partition:
    """Read a partition from its document and its shape."""
    document = load(text)
    location = document.get("location")
    return Partition(
        values=values,
        storage_descriptor=shape if shape is None else _located(shape, location),
        parameters=document.get("parameters", {}),
        creation_time=_time(document, "creation_time"),
        last_access_time=_time(document, "last_access_time"),
        last_analyzed_time=_time(document, "last_analyzed_time"),
    )


def _located(shape: StorageDescriptor, location: str | None) -> StorageDescriptor:
    return shape if location is None else replace(shape, location=location)


def _time(document: Document, member: str) -> datetime | None:
    text = document.get(member)
    return None if text is None else datetime.fromisoformat(text)


def _columns(documents: list[Document]) -> tuple[Column, ...]:
    return tuple(
        Column(
            name=document["name"],
            type=document.get("type"),
            comment=document.get("comment"),
            parameters=document.get("parameters", {}),
        )
        for document in documents
    )


def _descriptor(document: Document) -> StorageDescriptor:
    serde = document.get("serde_info")
    return StorageDescriptor(
        columns=_columns(document.get("columns", [])),
        location=document.get("location"),
        input_format=document.get("input_format"),
        output_format=document.get("output_format"),
        compressed=document.get("compressed", False),
        number_of_buckets=document.get("number_of_buckets"),
        serde_info=None
        if serde is None
        else SerDeInfo(
            name=serde.get("name"),
            serialization_library=serde.get("serialization_library"),
            parameters=serde.get("parameters", {}),
        ),
        bucket_columns=tuple(document.get("bucket_columns", [])),
        sort_columns=tuple(
            SortColumn(column["column"], is_ascending=column.get("is_ascending", True))
            for column in document.get("sort_columns", [])
        ),
        parameters=document.get("parameters", {}),
        stored_as_sub_directories=document.get("stored_as_sub_directories", False),
    )
