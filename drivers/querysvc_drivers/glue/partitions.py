"""Partitions on Glue's wire, single and in batches; a batch's errors are told by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc_catalog import partition_indexes
from querysvc_catalog.errors import InvalidInputError
from querysvc_catalog.model import Partition, PartitionValues, Table
from querysvc_catalog.repository import BatchError, Segment
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.glue import decode, encode
from querysvc_drivers.glue.databases import with_token
from querysvc_drivers.glue.names import table_of

_PAGE_DEFAULT: Final = 1000
_UNSUPPORTED: Final = ("TransactionId", "QueryAsOfTime")


def single(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on one partition, and the listing."""

    def create(request: Document, caller: Caller) -> Document:
        catalog.create_partition(table_of(request), decode.partition(request["PartitionInput"]))
        return {}

    def get(request: Document, caller: Caller) -> Document:
        name = table_of(request)
        table = catalog.get_table(name)
        found = catalog.get_partition(name, tuple(request["PartitionValues"]))
        return {"Partition": encode.partition(found, table)}

    def list_some(request: Document, caller: Caller) -> Document:
        decode.refuse(request, _UNSUPPORTED, "GetPartitions")
        table = catalog.get_table(table_of(request))
        segment = request.get("Segment")
        page = catalog.list_partitions(
            table.full_name,
            partition_filter=request.get("Expression") or None,
            segment=None
            if segment is None
            else Segment(segment["SegmentNumber"], segment["TotalSegments"]),
            page_size=request.get("MaxResults", _PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        has_columns = not request.get("ExcludeColumnSchema", False)
        found = [encode.partition(item, table, has_columns=has_columns) for item in page.items]
        return with_token({"Partitions": found}, page.next_token)

    def update(request: Document, caller: Caller) -> Document:
        values, changed = _change(request)
        catalog.update_partition(table_of(request), values, changed)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        catalog.delete_partition(table_of(request), tuple(request["PartitionValues"]))
        return {}

    return {
        "CreatePartition": create,
        "GetPartition": get,
        "GetPartitions": list_some,
        "UpdatePartition": update,
        "DeletePartition": delete,
    }


def batches(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on many partitions."""

    def create(request: Document, caller: Caller) -> Document:
        given = [decode.partition(value) for value in request["PartitionInputList"]]
        return {"Errors": _errors(catalog.create_partitions(table_of(request), given))}

    def get(request: Document, caller: Caller) -> Document:
        table = catalog.get_table(table_of(request))
        values = [tuple(item["Values"]) for item in request["PartitionsToGet"]]
        _check_count(table, values)
        found = catalog.get_partitions(table.full_name, values)
        return {
            "Partitions": [encode.partition(item, table) for item in found],
            "UnprocessedKeys": [],
        }

    def update(request: Document, caller: Caller) -> Document:
        changes = [_change(entry) for entry in request["Entries"]]
        errors = [
            {
                "PartitionValueList": list(error.values),
                "ErrorDetail": encode.error_detail(error.error),
            }
            for error in catalog.update_partitions(table_of(request), changes)
        ]
        return {"Errors": errors}

    def delete(request: Document, caller: Caller) -> Document:
        values = [tuple(item["Values"]) for item in request["PartitionsToDelete"]]
        return {"Errors": _errors(catalog.delete_partitions(table_of(request), values))}

    return {
        "BatchCreatePartition": create,
        "BatchGetPartition": get,
        "BatchUpdatePartition": update,
        "BatchDeletePartition": delete,
    }


def indexes(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on partition indexes."""

    def create(request: Document, caller: Caller) -> Document:
        index = decode.partition_index(request["PartitionIndex"])
        partition_indexes.create(catalog, table_of(request), index)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        partition_indexes.delete(catalog, table_of(request), request["IndexName"])
        return {}

    def list_all(request: Document, caller: Caller) -> Document:
        table = catalog.get_table(table_of(request))
        found = [encode.partition_index(table, index) for index in table.partition_indexes]
        return {"PartitionIndexDescriptorList": found}

    return {
        "CreatePartitionIndex": create,
        "DeletePartitionIndex": delete,
        "GetPartitionIndexes": list_all,
    }


def _change(request: Document) -> tuple[PartitionValues, Partition]:
    """What to replace by what; an input without values keeps those of the old partition."""
    values = tuple(request["PartitionValueList"])
    given = {"Values": list(values), **request["PartitionInput"]}
    return values, decode.partition(given)


def _check_count(table: Table, values: Sequence[PartitionValues]) -> None:
    for item in values:
        if len(item) != len(table.partition_keys):
            raise InvalidInputError(
                f"the number of partition values ({len(item)}) does not match the number of"
                f" partition keys ({len(table.partition_keys)})"
            )


def _errors(errors: Sequence[BatchError]) -> list[Document]:
    return [
        {"PartitionValues": list(error.values), "ErrorDetail": encode.error_detail(error.error)}
        for error in errors
    ]
