"""What the typed trees look like: explicit coercions, constants, calls and their keys."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Session
from querysvc.sql import syntax
from querysvc.sql.parser import parse_expression
from querysvc.sql.scope import Scope, ScopeField
from querysvc.types.algebra import BIGINT, BOOLEAN, DATE, DOUBLE, INTEGER, VARCHAR, Row, Varchar
from querysvc.types.parse import parse_type
from tests.support.expressions import expression, make_analyser, select, wire_value


def column(type_text: str, field: int = 0) -> tree.ColumnReference:
    return tree.ColumnReference(parse_type(type_text), 0, field)


def scope(**types: str) -> Scope:
    return Scope(
        tuple(
            ScopeField(name, column(text, index), ("t",))
            for index, (name, text) in enumerate(types.items())
        )
    )


def error(sql: str, **types: str) -> StatementError:
    with pytest.raises(StatementError) as caught:
        expression(sql, scope(**types))
    return caught.value


def test_a_column_is_cast_to_the_type_that_the_operator_asks_for() -> None:
    typed = expression("a + 1", scope(a="bigint"))
    assert typed == tree.Call(
        BIGINT, "+", "+(bigint,bigint)", (column("bigint"), tree.Literal(BIGINT, 1))
    )
    typed = expression("a = b", scope(a="integer", b="bigint"))
    assert isinstance(typed, tree.Call)
    assert typed.arguments[0] == tree.Cast(BIGINT, column("integer"))


@pytest.mark.parametrize(
    ("sql", "type_", "value"),
    [
        ("COALESCE(a, 1)", "decimal(12,2)", Decimal("1.00")),
        ("COALESCE(a, 1.5)", "decimal(12,2)", Decimal("1.50")),
        ("COALESCE(b, 1)", "double", 1.0),
        ("COALESCE(c, 'x')", "varchar(5)", "x"),
        ("COALESCE(c, NULL)", "varchar(5)", None),
        ("COALESCE(d, TIMESTAMP '1970-01-01 00:00:01')", "timestamp(6)", 10**12),
    ],
)
def test_a_constant_is_converted_where_that_is_exact(sql: str, type_: str, value: object) -> None:
    typed = expression(sql, scope(a="decimal(12,2)", b="double", c="varchar(5)", d="timestamp(6)"))
    assert isinstance(typed, tree.Coalesce)
    assert typed.arguments[1] == tree.Literal(parse_type(type_), value)  # type: ignore[arg-type]


def test_a_constant_that_would_lose_digits_is_cast_when_the_query_runs() -> None:
    typed = expression("COALESCE(a, 9007199254740993)", scope(a="double"))
    assert isinstance(typed, tree.Coalesce)
    assert typed.arguments[1] == tree.Cast(DOUBLE, tree.Literal(BIGINT, 9007199254740993))


def test_lambdas_written_twice_are_equal() -> None:
    sql = "transform(a, x -> x + 1)"
    columns = scope(a="array(integer)")
    assert expression(sql, columns) == expression(sql, columns)
    analyser = make_analyser()
    assert not analyser.is_in_lambda


def test_nested_lambdas_have_parameters_of_their_own() -> None:
    typed = expression("transform(a, x -> transform(a, y -> x + y))", scope(a="array(bigint)"))
    assert isinstance(typed, tree.Call)
    outer = typed.arguments[1]
    assert isinstance(outer, tree.Lambda)
    assert isinstance(outer.body, tree.Call)
    inner = outer.body.arguments[1]
    assert isinstance(inner, tree.Lambda)
    assert (outer.parameters, inner.parameters) == (((0, BIGINT),), ((1, BIGINT),))
    assert inner.body == tree.Call(
        BIGINT,
        "+",
        "+(bigint,bigint)",
        (tree.LambdaReference(BIGINT, 0), tree.LambdaReference(BIGINT, 1)),
    )


def test_a_lambda_parameter_hides_a_column() -> None:
    typed = expression("transform(a, A -> A)", scope(a="array(bigint)"))
    assert isinstance(typed, tree.Call)
    body = typed.arguments[1]
    assert isinstance(body, tree.Lambda)
    assert body.body == tree.LambdaReference(BIGINT, 0)


def test_nested_lambdas_are_typed_in_linear_time() -> None:
    depth = 18
    (typed,) = select("SELECT " + "transform(ARRAY[1], x -> " * depth + "x" + ")" * depth)
    assert str(typed.type).startswith("array(array(")


def test_the_session_time_is_a_constant_and_makes_the_statement_time_dependent() -> None:
    started = datetime(2024, 5, 6, 22, 30, 0, 999_600, tzinfo=UTC)
    session = Session(started_at=started, time_zone="Asia/Tokyo")
    items = select(
        "SELECT current_date, current_timestamp, now(), localtimestamp(6), localtime(0), "
        "current_time, current_timezone()",
        session=session,
    )
    values = [wire_value(item) for item in items if isinstance(item, tree.Literal)]
    assert values == [
        "2024-05-07",
        "2024-05-07 07:30:01.000 Asia/Tokyo",
        "2024-05-07 07:30:01.000 Asia/Tokyo",
        "2024-05-07 07:30:00.999600",
        "07:30:01",
        "07:30:01.000+09:00",
        "Asia/Tokyo",
    ]


@pytest.mark.parametrize(
    ("sql", "is_deterministic"),
    [("random()", False), ("uuid()", False), ("now()", False), ("abs(1)", True)],
)
def test_calls_tell_whether_the_statement_is_deterministic(
    sql: str, is_deterministic: bool
) -> None:
    analyser = make_analyser()
    analyser.analyse(parse_expression(sql), Scope())
    assert analyser.context.is_deterministic is is_deterministic


def test_parameters_stand_for_the_given_expressions() -> None:
    assert expression("? + 1", parameters=("41",)).type == INTEGER
    with pytest.raises(StatementError) as caught:
        expression("? + ?", parameters=("41",))
    assert caught.value.code is ErrorCode.INVALID_PARAMETER_USAGE


def test_a_parameter_sees_no_columns() -> None:
    with pytest.raises(StatementError) as caught:
        expression("?", scope(a="bigint"), parameters=("a",))
    assert caught.value.code is ErrorCode.COLUMN_NOT_FOUND


def test_row_fields_are_found_by_name_and_by_position() -> None:
    columns = scope(r="row(a bigint, b varchar)")
    base = column("row(a bigint, b varchar)")
    assert expression("r.B", columns) == tree.Dereference(VARCHAR, base, 1)
    assert expression("t.r.b", columns) == tree.Dereference(VARCHAR, base, 1)
    assert expression("r[2]", columns) == tree.Dereference(VARCHAR, base, 1)
    assert error("r[3]", r="row(a bigint)").code is ErrorCode.INVALID_FUNCTION_ARGUMENT
    assert error("r[a]", r="row(a bigint)", a="integer").code is ErrorCode.EXPRESSION_NOT_CONSTANT


def test_long_chains_need_no_recursion() -> None:
    typed = expression(" AND ".join(["a"] * 5000), scope(a="boolean"))
    assert isinstance(typed, tree.Logical)
    assert len(typed.terms) == 5000
    typed = expression(" || ".join(["a"] * 400), scope(a="varchar"))
    assert isinstance(typed, tree.Call)
    assert len(typed.arguments) == 400


def test_short_concatenations_keep_their_parts() -> None:
    columns = scope(a="varchar", b="varchar")
    whole = expression("a || b || 'x'", columns)
    assert isinstance(whole, tree.Call)
    assert whole.arguments[0] == expression("a || b", columns)


def test_nesting_beyond_the_limit_is_stack_overflow() -> None:
    sql = "abs(" * 20 + "1" + ")" * 20
    assert expression(sql).type == INTEGER
    analyser = make_analyser()
    analyser._depth = 990
    with pytest.raises(StatementError) as caught:
        analyser.analyse(parse_expression(sql), Scope())
    assert caught.value.code is ErrorCode.STACK_OVERFLOW


def test_in_subquery_brings_value_and_query_to_one_type() -> None:
    (typed,) = select("SELECT 1 IN (SELECT BIGINT '2')")
    assert isinstance(typed, tree.InSubquery)
    assert typed.value == tree.Literal(BIGINT, 1)
    (typed,) = select("SELECT BIGINT '1' IN (SELECT 2)")
    assert isinstance(typed, tree.InSubquery)
    (output,) = typed.query.output
    assert output.type == BIGINT
    assert isinstance(typed.query.body, tree.Select)
    assert typed.query.body.items == (tree.Literal(BIGINT, 2),)


def test_rows_are_compared_with_the_columns_of_a_query() -> None:
    (typed,) = select("SELECT (1, 'a') IN (SELECT BIGINT '1', 'abc')")
    assert isinstance(typed, tree.InSubquery)
    assert isinstance(typed.value, tree.RowConstructor)
    assert [item.type for item in typed.value.items] == [BIGINT, Varchar(3)]
    assert [field.type for field in typed.query.output] == [typed.value.type]


def test_a_scalar_subquery_of_several_columns_is_a_row() -> None:
    (typed,) = select("SELECT (SELECT 1 AS a, 'x')")
    assert str(typed.type) == "row(a integer, varchar(1))"
    assert isinstance(typed, tree.Cast)
    assert isinstance(typed.value, tree.ScalarSubquery)
    assert isinstance(typed.value.type, Row)


def test_json_options_are_all_written() -> None:
    (typed,) = select(
        "SELECT json_value(X'7B7D' FORMAT JSON ENCODING UTF16, 'lax $.a + $B' "
        "PASSING 1 AS b RETURNING bigint DEFAULT 3 ON EMPTY ERROR ON ERROR)"
    )
    assert isinstance(typed, tree.JsonFunction)
    assert typed.type == BIGINT
    assert typed.options == (
        ("input_format", "UTF16"),
        ("parameter", "B"),
        ("parameter_format", ""),
        ("on_empty", "DEFAULT"),
        ("on_error", "ERROR"),
    )
    assert typed.arguments[1:] == (
        tree.Literal(Varchar(12), "lax $.a + $B"),
        tree.Literal(INTEGER, 1),
        tree.Literal(BIGINT, 3),
    )


def test_json_made_by_a_json_form_is_json_inside_another() -> None:
    (typed,) = select("SELECT json_array(json_object('a' : 1), '[1]')")
    assert isinstance(typed, tree.JsonFunction)
    assert typed.options == (
        ("value_format", "JSON"),
        ("value_format", ""),
        ("on_null", "ABSENT"),
        ("output_format", "JSON"),
    )


def test_aggregates_keep_their_clauses() -> None:
    typed = expression(
        "array_agg(DISTINCT a ORDER BY a DESC NULLS FIRST) FILTER (WHERE b)",
        scope(a="bigint", b="boolean"),
    )
    assert typed == tree.Aggregate(
        parse_type("array(bigint)"),
        "array_agg",
        "array_agg(t)",
        (column("bigint"),),
        is_distinct=True,
        filter=column("boolean", 1),
        order_by=(tree.SortItem(column("bigint"), is_descending=True, nulls_first=True),),
    )


def test_listagg_keeps_its_overflow_clause() -> None:
    typed = expression(
        "listagg(a, ', ' ON OVERFLOW TRUNCATE '…' WITH COUNT) WITHIN GROUP (ORDER BY a)",
        scope(a="varchar(3)"),
    )
    assert isinstance(typed, tree.Aggregate)
    assert [argument.type for argument in typed.arguments] == [VARCHAR, VARCHAR]
    assert typed.options == (("overflow", "TRUNCATE"), ("filler", "…"), ("count", "WITH"))


def test_a_range_frame_computes_in_one_type() -> None:
    typed = expression(
        "sum(a) OVER (ORDER BY a RANGE BETWEEN 1.5 PRECEDING AND CURRENT ROW)",
        scope(a="integer"),
    )
    assert isinstance(typed, tree.WindowCall)
    (key,) = typed.window.order_by
    assert key.value == tree.Cast(parse_type("decimal(10,0)"), column("integer"))
    assert typed.window.frame is not None
    assert typed.window.frame.start.value == tree.Literal(
        parse_type("decimal(2,1)"), Decimal("1.5")
    )


def test_rows_offsets_are_bigint_and_a_missing_end_is_the_current_row() -> None:
    typed = expression("sum(a) OVER (ROWS 2 PRECEDING)", scope(a="bigint"))
    assert isinstance(typed, tree.WindowCall)
    frame = typed.window.frame
    assert frame is not None
    assert frame.start.value == tree.Literal(BIGINT, 2)
    assert frame.end == tree.FrameBound(tree.BoundKind.CURRENT_ROW)


def test_special_forms_become_the_functions_that_they_are() -> None:
    items = select(
        "SELECT EXTRACT(DOW FROM DATE '2020-01-01'), TRIM(LEADING 'a' FROM 'ab'), "
        "TIMESTAMP '2020-01-01 00:00:00' AT TIME ZONE 'UTC', format('%s', 1), typeof(1.5)"
    )
    calls = [(item.name, item.key) for item in items if isinstance(item, tree.Call)]
    assert calls == [
        ("day_of_week", "day_of_week(date)"),
        ("ltrim", "ltrim(varchar(x),codepoints)"),
        ("at_timezone", "at_timezone(timestamp(p) with time zone,varchar(x))"),
        ("format", "format(varchar,...)"),
    ]
    assert items[-1] == tree.Literal(VARCHAR, "decimal(2,1)")


def test_if_is_a_case_without_an_operand() -> None:
    typed = expression("IF(a, 1)", scope(a="boolean"))
    branch = (column("boolean"), tree.Literal(INTEGER, 1))
    assert typed == tree.Case(INTEGER, None, (branch,), None)


def test_nullif_keeps_the_first_type_and_names_the_common_one() -> None:
    typed = expression("NULLIF(a, b)", scope(a="integer", b="bigint"))
    assert typed == tree.NullIf(INTEGER, column("integer"), column("bigint", 1), BIGINT)


def test_null_conditions_are_boolean() -> None:
    typed = expression("NULL AND a", scope(a="boolean"))
    assert isinstance(typed, tree.Logical)
    assert typed.terms[0] == tree.Literal(BOOLEAN, None)


def test_every_visited_node_is_recorded_before_its_coercion() -> None:
    analyser = make_analyser()
    node = parse_expression("DATE '2020-01-01' = TIMESTAMP '2020-01-01 00:00:00'")
    analyser.analyse(node, Scope())
    assert isinstance(node, syntax.Comparison)
    left = analyser.context.type_of(node.left)
    assert left is not None
    assert left.type == DATE
