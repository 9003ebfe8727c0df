"""Named queries and prepared statements in Athena's form."""

from __future__ import annotations

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.saved import SavedStatements
from querysvc.state.values import NamedQuery, PreparedStatement
from querysvc_drivers.athena.decode import PRIMARY
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.aws_json.paging import paged, with_token


def named_queries(saved: SavedStatements) -> dict[str, Operation]:
    """The operations on named queries."""

    def create(request: Document, caller: Caller) -> Document:
        query = NamedQuery(
            id="",
            name=request["Name"],
            sql=request["QueryString"],
            database=request["Database"],
            work_group=request.get("WorkGroup", PRIMARY),
            description=request.get("Description"),
        )
        return {"NamedQueryId": saved.create_named_query(query, caller.principal).id}

    def get(request: Document, caller: Caller) -> Document:
        found = saved.get_named_query(request["NamedQueryId"], caller.principal)
        return {"NamedQuery": _named(found)}

    def get_many(request: Document, caller: Caller) -> Document:
        found, missing = [], []
        for query_id in request["NamedQueryIds"]:
            try:
                found.append(_named(saved.get_named_query(query_id, caller.principal)))
            except QueryServiceError as error:
                missing.append({"NamedQueryId": query_id, **_unprocessed(error)})
        return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}

    def list_ids(request: Document, caller: Caller) -> Document:
        group = request.get("WorkGroup", PRIMARY)
        queries = saved.list_named_queries(group, caller.principal)
        page = paged("namedqueries", queries, lambda query: query.id, request)
        return with_token({"NamedQueryIds": [query.id for query in page.items]}, page)

    def update(request: Document, caller: Caller) -> Document:
        query = NamedQuery(
            id=request["NamedQueryId"],
            name=request["Name"],
            sql=request["QueryString"],
            database="",
            description=request.get("Description"),
        )
        saved.update_named_query(query, caller.principal)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        saved.delete_named_query(request["NamedQueryId"], caller.principal)
        return {}

    return {
        "CreateNamedQuery": create,
        "GetNamedQuery": get,
        "BatchGetNamedQuery": get_many,
        "ListNamedQueries": list_ids,
        "UpdateNamedQuery": update,
        "DeleteNamedQuery": delete,
    }


def prepared_statements(saved: SavedStatements) -> dict[str, Operation]:
    """The operations on prepared statements."""

    def create(request: Document, caller: Caller) -> Document:
        saved.create_prepared_statement(_statement(request), caller.principal)
        return {}

    def get(request: Document, caller: Caller) -> Document:
        name, group = request["StatementName"], request["WorkGroup"]
        found = saved.get_prepared_statement(group, name, caller.principal)
        return {"PreparedStatement": _prepared(found)}

    def get_many(request: Document, caller: Caller) -> Document:
        found, missing = [], []
        group = request["WorkGroup"]
        for name in request["PreparedStatementNames"]:
            try:
                statement = saved.get_prepared_statement(group, name, caller.principal)
                found.append(_prepared(statement))
            except QueryServiceError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
                missing.append({"StatementName": name, **_unprocessed(error)})
        return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}

    def list_all(request: Document, caller: Caller) -> Document:
        statements = saved.list_prepared_statements(request["WorkGroup"], caller.principal)
        page = paged("prepared", statements, lambda statement: statement.name, request)
        found = [_summary(statement) for statement in page.items]
        return with_token({"PreparedStatements": found}, page)

    def update(request: Document, caller: Caller) -> Document:
        saved.update_prepared_statement(_statement(request), caller.principal)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        name, group = request["StatementName"], request["WorkGroup"]
        saved.delete_prepared_statement(group, name, caller.principal)
        return {}

    return {
        "CreatePreparedStatement": create,
        "GetPreparedStatement": get,
        "BatchGetPreparedStatement": get_many,
        "ListPreparedStatements": list_all,
        "UpdatePreparedStatement": update,
        "DeletePreparedStatement": delete,
    }


def _named(query: NamedQuery) -> Document:
    document = {
        "NamedQueryId": query.id,
        "Name": query.name,
        "Database": query.database,
        "QueryString": query.sql,
        "WorkGroup": query.work_group,
    }
    return document if query.description is None else {**document, "Description": query.description}


def _statement(request: Document) -> PreparedStatement:
    return PreparedStatement(
        name=request["StatementName"],
        work_group=request["WorkGroup"],
        sql=request["QueryStatement"],
        description=request.get("Description"),
    )


def _prepared(statement: PreparedStatement) -> Document:
    document = {
        **_summary(statement),
        "QueryStatement": statement.sql,
        "WorkGroupName": statement.work_group,
    }
    if statement.description is not None:
        document["Description"] = statement.description
    return document


def _summary(statement: PreparedStatement) -> Document:
    document: Document = {"StatementName": statement.name}
    if statement.modified_at is not None:
        document["LastModifiedTime"] = statement.modified_at.timestamp()
    return document


def _unprocessed(error: QueryServiceError) -> Document:
    return {"ErrorCode": error.code.name, "ErrorMessage": error.message}
