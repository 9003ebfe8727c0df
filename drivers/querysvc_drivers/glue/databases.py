"""Databases, data catalogs and functions on Glue's wire."""

from __future__ import annotations

from functools import partial
from typing import Final

from querysvc_catalog.errors import EntityKind, EntityNotFoundError, InvalidInputError
from querysvc_catalog.model import DEFAULT_CATALOG, DataCatalog
from querysvc_catalog.paging import all_items
from querysvc_catalog.service import CatalogService
from querysvc_drivers.aws_json.account import ACCOUNT_ID
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.glue import decode, encode
from querysvc_drivers.glue.names import catalog_of, database_of

PAGE_DEFAULT: Final = 100


def databases(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on databases."""

    def create(request: Document, caller: Caller) -> Document:
        name = catalog_of(request.get("CatalogId"))
        catalog.create_database(decode.database(request["DatabaseInput"], name))
        return {}

    def get(request: Document, caller: Caller) -> Document:
        return {"Database": encode.database(catalog.get_database(database_of(request, "Name")))}

    def list_all(request: Document, caller: Caller) -> Document:
        page = catalog.list_databases(
            catalog_of(request.get("CatalogId")),
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [encode.database(item) for item in page.items]
        if request.get("AttributesToGet") == ["NAME"]:
            found = [{"Name": item["Name"]} for item in found]
        return with_token({"DatabaseList": found}, page.next_token)

    def update(request: Document, caller: Caller) -> Document:
        name = database_of(request, "Name")
        changed = decode.database(request["DatabaseInput"], name.catalog_name)
        if changed.name.lower() != name.name.lower():
            raise InvalidInputError("A database cannot be renamed")
        catalog.update_database(changed)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        catalog.delete_database(database_of(request, "Name"), cascade=True)
        return {}

    return {
        "CreateDatabase": create,
        "GetDatabase": get,
        "GetDatabases": list_all,
        "UpdateDatabase": update,
        "DeleteDatabase": delete,
    }


def catalogs(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on data catalogs: the account's own, and those beside it."""

    def get(request: Document, caller: Caller) -> Document:
        found = catalog.get_data_catalog(catalog_of(request["CatalogId"]))
        return {"Catalog": _catalog(found)}

    def list_all(request: Document, caller: Caller) -> Document:
        parent = catalog.get_data_catalog(catalog_of(request.get("ParentCatalogId")))
        if parent.name != DEFAULT_CATALOG:
            return {"CatalogList": []}
        page = catalog.list_data_catalogs(
            page_size=request.get("MaxResults", PAGE_DEFAULT), token=request.get("NextToken")
        )
        has_root = request.get("IncludeRoot", False)
        found = [_catalog(item) for item in page.items if has_root or item.name != DEFAULT_CATALOG]
        return with_token({"CatalogList": found}, page.next_token)

    return {"GetCatalog": get, "GetCatalogs": list_all}


def functions(catalog: CatalogService) -> dict[str, Operation]:
    """The operations on user-defined functions, which Trino keeps its routines in."""

    def create(request: Document, caller: Caller) -> Document:
        name = database_of(request)
        catalog.create_function(decode.function(request["FunctionInput"], name))
        return {}

    def get(request: Document, caller: Caller) -> Document:
        found = catalog.get_function(database_of(request), request["FunctionName"])
        return {"UserDefinedFunction": encode.function(found)}

    def list_some(request: Document, caller: Caller) -> Document:
        if "DatabaseName" not in request:
            return _of_all_databases(catalog, request)
        page = catalog.list_functions(
            database_of(request),
            pattern=request["Pattern"],
            page_size=request.get("MaxResults", PAGE_DEFAULT),
            token=request.get("NextToken"),
        )
        found = [encode.function(item) for item in page.items]
        return with_token({"UserDefinedFunctions": found}, page.next_token)

    def update(request: Document, caller: Caller) -> Document:
        name = database_of(request)
        changed = decode.function(request["FunctionInput"], name)
        if changed.function_name.lower() != request["FunctionName"].lower():
            raise InvalidInputError("A function cannot be renamed")
        catalog.update_function(changed)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        catalog.delete_function(database_of(request), request["FunctionName"])
        return {}

    return {
        "CreateUserDefinedFunction": create,
        "GetUserDefinedFunction": get,
        "GetUserDefinedFunctions": list_some,
        "UpdateUserDefinedFunction": update,
        "DeleteUserDefinedFunction": delete,
    }


def with_token(document: Document, token: str | None) -> Document:
    """The answer with its NextToken, which is absent on the last page."""
    return document if token is None else {**document, "NextToken": token}


def _of_all_databases(catalog: CatalogService, request: Document) -> Document:
    """Functions of every database, in one page: they are few."""
    found: list[Document] = []
    for database in catalog.iter_databases(catalog_of(request.get("CatalogId"))):
        functions_of = partial(
            catalog.list_functions, database.full_name, pattern=request["Pattern"]
        )
        pages = all_items(lambda token, page=functions_of: page(token=token))  # type: ignore[misc]
        found.extend(map(encode.function, pages))
    return {"UserDefinedFunctions": found}


def _catalog(value: DataCatalog) -> Document:
    document = encode.catalog(value)
    return document | {"CatalogId": ACCOUNT_ID} if value.name == DEFAULT_CATALOG else document


def missing(kind: str, name: str) -> EntityNotFoundError:
    """What the catalog has none of is not found."""
    return EntityNotFoundError(EntityKind.DATA_CATALOG, name, f"{kind} {name} not found.")
