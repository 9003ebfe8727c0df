"""GetQueryResults: pages of texts, addressed by their token alone."""

from __future__ import annotations

from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryExecution, QueryState, ResultColumn, StatementType
from querysvc.results.column_info import column_info
from querysvc.results.files import is_write
from querysvc.results.hive_layout import hive_row
from querysvc.results.pages import encode_page_token
from querysvc.service.queries import QueryService

Document = dict[str, Any]

_PAGE_DEFAULT: Final = 1000
_ROWS_COLUMN: Final = {
    "CatalogName": "hive",
    "SchemaName": "",
    "TableName": "",
    "Name": "rows",
    "Label": "rows",
    "Type": "bigint",
    "Precision": 19,
    "Scale": 0,
    "Nullable": "UNKNOWN",
    "CaseSensitive": False,
}


def results_document(
    queries: QueryService, execution: QueryExecution, principal: Principal, request: Document
) -> Document:
    """A page of a query's result; the first one of a SELECT begins with the columns' names."""
    if execution.state in (QueryState.FAILED, QueryState.CANCELLED):
        # GetQueryExecution tells why; an error of the query is no error of this request.
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST,
            "Query did not finish successfully. Final query state: " + execution.state.value,
        )
    token = request.get("NextToken")
    size = request.get("MaxResults", _PAGE_DEFAULT)
    has_header = token is None and has_header_row(execution)
    rows_max = size - 1 if has_header else size
    page = queries.results(execution.id, principal, page_token=token, rows_max=max(1, rows_max))
    if is_write(execution.substatement_type):
        return _document(execution, [_ROWS_COLUMN], [], None)
    columns = [_column(column, execution) for column in page.columns]
    is_text = execution.statement_type is not StatementType.DML
    rows = [
        list(map(_datum, hive_row(page.columns, row) if is_text else row))
        for row in page.text_rows()
    ]
    following = page.next_token
    if rows_max == 0 and rows:
        rows, following = [], encode_page_token(page.first_row)
    if has_header:
        rows.insert(0, [{"VarCharValue": column["Label"]} for column in columns])
    return _document(execution, columns, rows, following)


def has_header_row(execution: QueryExecution) -> bool:
    """Whether the first row is the columns' names: of queries, not of what DDL and SHOW tell."""
    is_query = execution.statement_type is StatementType.DML
    return is_query and not is_write(execution.substatement_type)


def _document(
    execution: QueryExecution,
    columns: list[Document],
    rows: list[list[Document]],
    token: str | None,
) -> Document:
    document: Document = {
        "UpdateCount": execution.update_count or 0,
        "ResultSet": {
            "Rows": [{"Data": row} for row in rows],
            "ResultSetMetadata": {"ColumnInfo": columns},
        },
    }
    if token is not None:
        document["NextToken"] = token
    return document


def _column(column: ResultColumn, execution: QueryExecution) -> Document:
    info = column_info(column)
    is_text = execution.statement_type is not StatementType.DML
    if is_text and execution.substatement_type != "EXPLAIN":
        # What Hive's part of Athena prints (DDL, SHOW, DESCRIBE) has Hive's type.
        kind, precision = "string", 0
    else:
        kind, precision = info.type, info.precision
    return {
        **_ROWS_COLUMN,
        "Name": info.name,
        "Label": info.name,
        "Type": kind,
        "Precision": precision,
        "Scale": info.scale,
        "CaseSensitive": info.is_case_sensitive,
    }


def _datum(value: str | None) -> Document:
    return {} if value is None else {"VarCharValue": value}
