"""Tables and their versions on Glue's wire."""

from __future__ import annotations

from dataclasses import replace

from querysvc_catalog.errors import CatalogError, InvalidInputError
from querysvc_catalog.model import TableName
from querysvc_catalog.partition_indexes import with_index
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.glue import decode, encode
from querysvc_drivers.glue.databases import PAGE_DEFAULT, with_token
from querysvc_drivers.glue.names import catalog_of, database_of, table_of, version_of

# What a request may ask for and the catalog has not: transactions, time travel of the catalog.
_UNSUPPORTED = ("TransactionId", "QueryAsOfTime")
_ATTRIBUTES = {"NAME": ("Name",), "TABLE_TYPE": ("TableType",), "DATABASE_NAME": ("DatabaseName",)}


def tables(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on tables."""

    def create(request: Document, caller: Caller) -> Document:
        decode.refuse(request, (*_UNSUPPORTED, "OpenTableFormatInput"), "CreateTable")
        value = _input(request)
        table = decode.table(value, database_of(request), caller.principal.name)
        for index in request.get("PartitionIndexes", ()):
            table = with_index(table, decode.partition_index(index))
        catalog.create_table(table)
        return {}

    def get(request: Document, caller: Caller) -> Document:
        decode.refuse(request, _UNSUPPORTED, "GetTable")
        return {"Table": encode.table(catalog.get_table(table_of(request, "Name")))}

    def list_some(request: Document, caller: Caller) -> Document:
        decode.refuse(request, _UNSUPPORTED, "GetTables")
        page = catalog.list_tables(
            database_of(request),
            expression=request.get("Expression"),
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [encode.table(item) for item in page.items]
        return with_token({"TableList": _attributes(found, request)}, page.next_token)

    def update(request: Document, caller: Caller) -> Document:
        decode.refuse(request, (*_UNSUPPORTED, "UpdateOpenTableFormatInput"), "UpdateTable")
        value = _input(request)
        name: str = value["Name"]
        if request.get("Name", name).lower() != name.lower():
            raise InvalidInputError("A table cannot be renamed")
        database = database_of(request)
        full_name = TableName(database.catalog_name, database.name, name)
        # No part of a TableInput: they stay as they are.
        kept = catalog.get_table(full_name).partition_indexes
        table = decode.table(value, database, caller.principal.name)
        catalog.update_table(
            replace(table, partition_indexes=kept),
            expected_version=version_of(request.get("VersionId")),
            skip_archive=request.get("SkipArchive", False),
        )
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        decode.refuse(request, _UNSUPPORTED, "DeleteTable")
        catalog.delete_table(table_of(request, "Name"))
        return {}

    return {
        "CreateTable": create,
        "GetTable": get,
        "GetTables": list_some,
        "UpdateTable": update,
        "DeleteTable": delete,
    }


def many_tables(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on tables of several names or databases."""

    def delete_many(request: Document, caller: Caller) -> Document:
        decode.refuse(request, _UNSUPPORTED, "BatchDeleteTable")
        errors = []
        for name in request["TablesToDelete"]:
            try:
                catalog.delete_table(_table(request, name))
            except CatalogError as error:
                errors.append({"TableName": name, "ErrorDetail": encode.error_detail(error)})
        return {"Errors": errors}

    def search(request: Document, caller: Caller) -> Document:
        decode.refuse(request, ("Filters", "SortCriteria"), "SearchTables")
        page = catalog.search_tables(
            _search_text(request.get("SearchText", "")),
            catalog_name=catalog_of(request.get("CatalogId")),
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [encode.table(item) for item in page.items]
        return with_token({"TableList": found}, page.next_token)

    return {"BatchDeleteTable": delete_many, "SearchTables": search}


def versions(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on versions of tables."""

    def get(request: Document, caller: Caller) -> Document:
        number = version_of(request.get("VersionId"))
        name = table_of(request)
        if number is None:
            number = catalog.get_table(name).version_id
        return {"TableVersion": encode.table_version(catalog.get_table_version(name, number))}

    def list_all(request: Document, caller: Caller) -> Document:
        page = catalog.list_table_versions(
            table_of(request),
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [encode.table_version(item) for item in page.items]
        return with_token({"TableVersions": found}, page.next_token)

    def delete(request: Document, caller: Caller) -> Document:
        _delete_version(catalog, table_of(request), request["VersionId"])
        return {}

    def delete_many(request: Document, caller: Caller) -> Document:
        errors = []
        for number in request["VersionIds"]:
            try:
                _delete_version(catalog, table_of(request), number)
            except CatalogError as error:
                errors.append(
                    {
                        "TableName": request["TableName"],
                        "VersionId": number,
                        "ErrorDetail": encode.error_detail(error),
                    }
                )
        return {"Errors": errors}

    return {
        "GetTableVersion": get,
        "GetTableVersions": list_all,
        "DeleteTableVersion": delete,
        "BatchDeleteTableVersion": delete_many,
    }


def _delete_version(catalog: CatalogService, name: TableName, text: str) -> None:
    number = version_of(text)
    assert number is not None, "the model requires a version"
    catalog.delete_table_version(name, number)


def _input(request: Document) -> Document:
    value: Document | None = request.get("TableInput")
    if value is None:
        raise InvalidInputError("TableInput must not be null")
    return value


def _table(request: Document, name: str) -> TableName:
    database = database_of(request)
    return TableName(database.catalog_name, database.name, name)


def _attributes(found: list[Document], request: Document) -> list[Document]:
    """Only the members that were asked for, when some were; the name is always told."""
    wanted = request.get("AttributesToGet")
    if not wanted:
        return found
    if not set(wanted) <= set(_ATTRIBUTES):
        raise InvalidInputError(f"AttributesToGet may hold {', '.join(_ATTRIBUTES)}")
    kept = {"Name", *(member for name in wanted for member in _ATTRIBUTES[name])}
    return [{key: item[key] for key in item if key in kept} for item in found]


def _search_text(text: str) -> str:
    """The text to look for; quotes mean «as it stands», which is how ours looks anyway."""
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text
