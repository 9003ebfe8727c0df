"""Data catalogs, databases and table metadata in Athena's form."""

from __future__ import annotations

from typing import Final

from querysvc_catalog.errors import EntityNotFoundError, InvalidInputError
from querysvc_catalog.model import (
    DEFAULT_CATALOG,
    Column,
    Database,
    DatabaseName,
    DataCatalog,
    DataCatalogType,
    Table,
    TableName,
)
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.account import ACCOUNT_ID
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.aws_json.paging import PAGE_DEFAULT, with_token

DEFAULT_CATALOG_SHOWN: Final = "AwsDataCatalog"


def data_catalogs(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on data catalogs."""

    def create(request: Document, caller: Caller) -> Document:
        stored = catalog.create_data_catalog(_catalog(request))
        return {"DataCatalog": _catalog_document(stored)}

    def get(request: Document, caller: Caller) -> Document:
        found = _existing_catalog(catalog, request["Name"])
        return {"DataCatalog": _catalog_document(found)}

    def list_all(request: Document, caller: Caller) -> Document:
        page = catalog.list_data_catalogs(
            page_size=request.get("MaxResults", PAGE_DEFAULT), token=request.get("NextToken")
        )
        found = [
            {"CatalogName": _shown(item.name), "Type": item.type.value, "Status": _COMPLETE}
            for item in page.items
        ]
        return with_token({"DataCatalogsSummary": found}, page)

    def update(request: Document, caller: Caller) -> Document:
        _existing_catalog(catalog, request["Name"])
        catalog.update_data_catalog(_catalog(request))
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        found = _existing_catalog(catalog, request["Name"])
        catalog.delete_data_catalog(found.name)
        return {"DataCatalog": _catalog_document(found)}

    return {
        "CreateDataCatalog": create,
        "GetDataCatalog": get,
        "ListDataCatalogs": list_all,
        "UpdateDataCatalog": update,
        "DeleteDataCatalog": delete,
    }


def metadata(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on databases and tables."""

    def get_database(request: Document, caller: Caller) -> Document:
        name = _existing_catalog(catalog, request["CatalogName"]).name
        found = catalog.get_database(DatabaseName(name, request["DatabaseName"]))
        return {"Database": _database_document(found)}

    def list_databases(request: Document, caller: Caller) -> Document:
        page = catalog.list_databases(
            _existing_catalog(catalog, request["CatalogName"]).name,
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [_database_document(item) for item in page.items]
        return with_token({"DatabaseList": found}, page)

    def get_table(request: Document, caller: Caller) -> Document:
        name = _existing_catalog(catalog, request["CatalogName"]).name
        full_name = TableName(name, request["DatabaseName"], request["TableName"])
        return {"TableMetadata": table_document(catalog.get_table(full_name))}

    def list_tables(request: Document, caller: Caller) -> Document:
        name = _existing_catalog(catalog, request["CatalogName"]).name
        page = catalog.list_tables(
            DatabaseName(name, request["DatabaseName"]),
            expression=request.get("Expression"),
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [table_document(item) for item in page.items]
        return with_token({"TableMetadataList": found}, page)

    return {
        "GetDatabase": get_database,
        "ListDatabases": list_databases,
        "GetTableMetadata": get_table,
        "ListTableMetadata": list_tables,
    }


def table_document(table: Table) -> Document:
    """A TableMetadata: the storage descriptor is told among the parameters."""
    document: Document = {
        "Name": table.name,
        "Columns": [_column_document(one) for one in table.columns if _is_current(one)],
        "PartitionKeys": [_column_document(column) for column in table.partition_keys],
        "Parameters": _parameters(table),
    }
    if table.create_time is not None:
        document["CreateTime"] = table.create_time.timestamp()
    if table.last_access_time is not None:
        document["LastAccessTime"] = table.last_access_time.timestamp()
    if table.table_type is not None:
        document["TableType"] = table.table_type
    return document


def _parameters(table: Table) -> dict[str, str]:
    descriptor = table.storage_descriptor
    described = {} if table.description is None else {"comment": table.description}
    if table.table_type == "EXTERNAL_TABLE":
        described["EXTERNAL"] = "TRUE"
    if table.create_time is not None:
        described["transient_lastDdlTime"] = str(int(table.create_time.timestamp()))
    described |= table.parameters
    told: dict[str, str | None] = {}
    if descriptor is not None:
        told["location"] = (descriptor.location or "").rstrip("/") or None
        told["inputformat"] = descriptor.input_format
        told["outputformat"] = descriptor.output_format
        serde = descriptor.serde_info
        if serde is not None:
            told["serde.serialization.lib"] = serde.serialization_library
            told |= {f"serde.param.{name}": value for name, value in serde.parameters.items()}
    # What the storage descriptor says wins over a parameter of the same name.
    return {**described, **{name: value for name, value in told.items() if value is not None}}


def _is_current(column: Column) -> bool:
    """Not a dropped or renamed column of an Iceberg table, which Glue keeps."""
    return column.parameters.get("iceberg.field.current") != "false"


def _column_document(column: Column) -> Document:
    document = {"Name": column.name}
    if column.type is not None:
        document["Type"] = column.type
    if column.comment is not None:
        document["Comment"] = column.comment
    return document


def _database_document(database: Database) -> Document:
    document: Document = {"Name": database.name}
    if database.description is not None:
        document["Description"] = database.description
    if database.parameters:
        document["Parameters"] = dict(database.parameters)
    return document


def _catalog(request: Document) -> DataCatalog:
    if request["Type"] != DataCatalogType.GLUE.value:
        raise InvalidInputError(f"Data catalogs of type {request['Type']} are not supported.")
    return DataCatalog(
        name=request["Name"],
        type=DataCatalogType.GLUE,
        description=request.get("Description"),
        parameters=request.get("Parameters", {}),
    )


def _catalog_document(catalog: DataCatalog) -> Document:
    document: Document = {
        "Name": _shown(catalog.name),
        "Type": catalog.type.value,
        "Status": _COMPLETE,
        "Parameters": dict(catalog.parameters),
    }
    if catalog.name == DEFAULT_CATALOG:
        document["Parameters"].setdefault("catalog-id", ACCOUNT_ID)
    if catalog.description is not None:
        document["Description"] = catalog.description
    return document


def _existing_catalog(catalog: CatalogService, name: str) -> DataCatalog:
    """The data catalog; Athena calls a name that is none a wrong request, not missing metadata."""
    try:
        return catalog.get_data_catalog(name)
    except EntityNotFoundError as error:
        raise InvalidInputError(f"DataCatalog {name} was not found") from error


def _shown(name: str) -> str:
    return DEFAULT_CATALOG_SHOWN if name == DEFAULT_CATALOG else name


_COMPLETE: Final = "CREATE_COMPLETE"
