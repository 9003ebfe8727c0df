"""Column statistics of tables and partitions on Glue's wire."""

from __future__ import annotations

from querysvc_catalog.errors import EntityKind, EntityNotFoundError
from querysvc_catalog.model import PartitionValues
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.glue import decode, encode
from querysvc_drivers.glue.names import table_of


def statistics(catalog: CatalogService) -> dict[str, Operation]:
    """The six operations: a partition's have PartitionValues in the request, a table's none."""

    def get(request: Document, caller: Caller) -> Document:
        names = request["ColumnNames"]
        found = catalog.get_column_statistics(table_of(request), _values(request), names)
        known = {item.column_name for item in found}
        missing = [
            EntityNotFoundError(EntityKind.COLUMN_STATISTICS, name)
            for name in names
            if name.lower() not in known
        ]
        return {
            "ColumnStatisticsList": [encode.column_statistics(item) for item in found],
            "Errors": [
                {"ColumnName": error.name, "Error": encode.error_detail(error)} for error in missing
            ],
        }

    def update(request: Document, caller: Caller) -> Document:
        given = [decode.column_statistics(item) for item in request["ColumnStatisticsList"]]
        catalog.put_column_statistics(table_of(request), _values(request), given)
        return {"Errors": []}

    def delete(request: Document, caller: Caller) -> Document:
        name, values = table_of(request), _values(request)
        try:
            catalog.delete_column_statistics(name, values, request["ColumnName"])
        except EntityNotFoundError as error:
            # Trino 476 deletes what was never set when it makes a table, and takes «not found» to
            # be said of the table.
            if error.kind is not EntityKind.COLUMN_STATISTICS:
                raise
        return {}

    operations = {"Get": get, "Update": update, "Delete": delete}
    return {
        f"{verb}ColumnStatisticsFor{what}": operation
        for verb, operation in operations.items()
        for what in ("Table", "Partition")
    }


def _values(request: Document) -> PartitionValues | None:
    values = request.get("PartitionValues")
    return None if values is None else tuple(values)
