"""Views, prepared statements, EXPLAIN and DESCRIBE as boto3 sees them through Athena and Glue."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.clients.aws.test_athena import rows_of

Run = Callable[..., dict[str, Any]]


def test_a_view_is_what_glue_tells_of_athenas_views(
    run: Run, athena: Any, glue: Any, shop: str
) -> None:
    context = {"Database": shop}
    made = run("CREATE OR REPLACE VIEW told AS SELECT 1 AS n", QueryExecutionContext=context)
    assert (made["StatementType"], made["SubstatementType"]) == ("DDL", "CREATE_VIEW")
    table = glue.get_table(DatabaseName=shop, Name="told")["Table"]
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Owner"]
    assert table["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
    assert table["StorageDescriptor"]["Columns"] == [{"Name": "n", "Type": "int"}]
    encoded = table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    assert json.loads(base64.b64decode(encoded))["originalSql"] == "SELECT 1 AS n"
    described = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName=shop, TableName="told"
    )["TableMetadata"]
    assert described["TableType"] == "VIRTUAL_VIEW"
    assert rows_of(athena, run("SELECT * FROM told", QueryExecutionContext=context)) == [
        ["n"],
        ["1"],
    ]
    run("DROP VIEW told", QueryExecutionContext=context)


def test_a_prepared_statement_takes_parameters_either_way(run: Run, athena: Any) -> None:
    athena.create_prepared_statement(
        StatementName="pair", WorkGroup="primary", QueryStatement="SELECT ? AS a, ? AS b"
    )
    executed = run("EXECUTE pair USING 1, 'it''s'")
    assert rows_of(athena, executed) == [["a", "b"], ["1", "it's"]]
    assert executed["SubstatementType"] == "SELECT"
    assert executed["ResultConfiguration"]["OutputLocation"].endswith(".csv")
    given = run("EXECUTE pair", ExecutionParameters=["2", "'x'"])
    assert given["ExecutionParameters"] == ["2", "'x'"]
    assert rows_of(athena, given) == [["a", "b"], ["2", "x"]]
    assert run("DEALLOCATE PREPARE pair")["Status"]["State"] == "SUCCEEDED"
    assert not athena.list_prepared_statements(WorkGroup="primary").get("PreparedStatements")


def test_describe_gives_one_padded_text_for_each_row(run: Run, athena: Any, shop: str) -> None:
    context = {"Database": shop}
    run("CREATE OR REPLACE VIEW told AS SELECT 1 AS n", QueryExecutionContext=context)
    described = run("DESCRIBE told", QueryExecutionContext=context)
    assert rows_of(athena, described) == [
        ["n                   \tint                 \t                    "]
    ]
    run("DROP VIEW told", QueryExecutionContext=context)


def test_explain_is_a_utility(run: Run, athena: Any) -> None:
    told = run("EXPLAIN (TYPE IO, FORMAT JSON) SELECT 1")
    assert (told["StatementType"], told["SubstatementType"]) == ("UTILITY", "EXPLAIN")
    ((text,),) = rows_of(athena, told)
    assert json.loads(text or "")["inputTableColumnInfos"] == []
