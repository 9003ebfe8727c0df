from typing import Any

import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.functions.binding import LambdaArgument
from querysvc.sql.functions.registry import ALL_FAMILIES, load_registry
from querysvc.sql.functions.resolve import resolve
from querysvc.sql.functions.signature import FunctionKind
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER,
    UNKNOWN,
    VARCHAR,
    Array,
    Char,
    TrinoType,
    Varchar,
)
from querysvc.types.coercion import common_super_type
from querysvc.types.parse import parse_type


def types(*texts: str) -> list[TrinoType]:
    return [parse_type(text) for text in texts]


# Asked of Trino 476.
CALLS = [
    ("substr", ["varchar(5)", "integer"], "substring(varchar(x),bigint)", "varchar(5)"),
    ("lower", ["char(3)"], "lower(char(x))", "char(3)"),
    ("concat", ["varchar(1)", "varchar(2)"], "concat(varchar...)", "varchar"),
    ("concat", ["char(1)", "char(2)"], "concat(char(x),char(y))", "char(3)"),
    ("concat", ["array(integer)", "bigint"], "concat(array(E),E)", "array(bigint)"),
    ("round", ["decimal(5,2)"], "round(decimal(p,s))", "decimal(4, 0)"),
    ("round", ["decimal(5,2)", "integer"], "round(decimal(p,s),integer)", "decimal(6, 2)"),
    ("abs", ["decimal(5,2)"], "abs(decimal(p,s))", "decimal(5, 2)"),
    ("avg", ["decimal(5,2)"], "avg(decimal(p,s))", "decimal(5, 2)"),
    ("sum", ["decimal(5,2)"], "sum(decimal(p,s))", "decimal(38, 2)"),
    ("sum", ["integer"], "sum(bigint)", "bigint"),
    ("replace", ["varchar(3)", "varchar(1)", "varchar(2)"], None, "varchar(11)"),
    ("url_encode", ["varchar(3)"], "url_encode(varchar(x))", "varchar(36)"),
    ("regexp_like", ["varchar", "varchar(3)"], "regexp_like(varchar(x),joniregexp)", "boolean"),
    ("greatest", ["integer", "decimal(5,2)", "bigint"], "greatest(E...)", "decimal(21, 2)"),
    ("date_trunc", ["varchar(3)", "timestamp(6)"], None, "timestamp(6)"),
    ("to_iso8601", ["timestamp(3)"], "to_iso8601(timestamp(p))", "varchar(26)"),
    ("lag", ["date", "integer", "date"], "lag(t,bigint,t)", "date"),
    ("zip", ["array(integer)", "array(date)"], None, "array(row(integer, date))"),
    ("map_agg", ["varchar(3)", "date"], None, "map(varchar(3), date)"),
    ("now", [], "now()", "timestamp(3) with time zone"),
]


@pytest.mark.parametrize(("name", "arguments", "key", "result"), CALLS)
def test_a_call_finds_its_overload(
    name: str, arguments: list[str], key: str | None, result: str
) -> None:
    resolution = resolve(name, types(*arguments))
    assert key is None or resolution.key == key
    assert resolution.return_type.wire_name == result


def test_arguments_are_coerced_to_what_the_overload_takes() -> None:
    resolution = resolve("SUBSTR", types("varchar(5)", "tinyint"))
    assert resolution.argument_types == (Varchar(5), BIGINT)


def test_names_are_found_in_any_case_and_kinds_are_told() -> None:
    assert resolve("ABS", [BIGINT]).kind is FunctionKind.SCALAR
    assert resolve("st_area", types("geometry")).key == "ST_Area(geometry)"
    assert resolve("Sum", [BIGINT]).kind is FunctionKind.AGGREGATE
    assert resolve("rank", []).kind is FunctionKind.WINDOW
    assert not resolve("random", []).is_deterministic


def not_found(name: str, *arguments: Any) -> str:
    with pytest.raises(StatementError) as caught:
        resolve(name, arguments)
    assert caught.value.code is ErrorCode.FUNCTION_NOT_FOUND
    return caught.value.message


def test_an_unknown_function_is_not_registered() -> None:
    assert not_found("FOO", BIGINT) == "Function 'foo' not registered"


def test_functions_of_plugins_that_athena_lacks_are_not_registered() -> None:
    assert not_found("to_char", *types("timestamp(3)", "varchar")) == (
        "Function 'to_char' not registered"
    )
    everything = load_registry(ALL_FAMILIES)
    found = resolve("to_char", types("timestamp(3)", "varchar"), registry=everything)
    assert found.return_type == VARCHAR


def test_wrong_arguments_are_answered_with_the_overloads() -> None:
    assert not_found("substr", INTEGER) == (
        "Unexpected parameters (integer) for function substr. Expected: substr(char(x), bigint), "
        "substr(char(x), bigint, bigint), substr(varbinary, bigint), "
        "substr(varbinary, bigint, bigint), substr(varchar(x), bigint), "
        "substr(varchar(x), bigint, bigint)"
    )
    assert not_found("min", *types("map(varchar,integer)")) == (
        "Unexpected parameters (map(varchar,integer)) for function min. "
        "Expected: min(e, bigint) E:orderable, min(t) T:orderable"
    )
    assert not_found("sum").startswith("Unexpected parameters () for function sum. Expected: ")


def test_an_ambiguous_call_lists_its_candidates() -> None:
    with pytest.raises(StatementError) as caught:
        resolve("concat", [UNKNOWN, UNKNOWN])
    assert caught.value.code is ErrorCode.AMBIGUOUS_FUNCTION_CALL
    assert caught.value.message == (
        "Could not choose a best candidate operator. Explicit type casts must be added.\n"
        "Candidates are:\n"
        "\t * (char(0),char(0)):char(0)\n"
        "\t * (array(unknown),unknown):array(unknown)\n"
        "\t * (unknown,array(unknown)):array(unknown)\n"
        "\t * (array(unknown),array(unknown)):array(unknown)\n"
        "\t * (varchar,varchar):varchar\n"
        "\t * (varbinary,varbinary):varbinary\n"
    )


def test_a_type_too_large_for_trino_is_type_not_found() -> None:
    with pytest.raises(StatementError, match=r"Unknown type: char\(80000\)") as caught:
        resolve("concat", [Char(40000), Char(40000)])
    assert caught.value.code is ErrorCode.TYPE_NOT_FOUND


def identity(parameters: tuple[TrinoType, ...]) -> TrinoType:
    return parameters[0]


def test_a_lambdas_parameters_are_bound_before_its_body_is_typed() -> None:
    seen = []

    def body(parameters: tuple[TrinoType, ...]) -> TrinoType:
        seen.append(parameters)
        return VARCHAR

    resolution = resolve("transform", [Array(DATE), LambdaArgument(1, body)])
    assert resolution.return_type == Array(VARCHAR)
    assert [str(type_) for type_ in resolution.argument_types] == [
        "array(date)",
        "function(date,varchar)",
    ]
    assert set(seen) == {(DATE,)}


def test_a_reduction_widens_its_state_until_the_body_agrees() -> None:
    def plus(parameters: tuple[TrinoType, ...]) -> TrinoType:
        widest = common_super_type(*parameters)
        assert widest is not None
        return widest

    arguments = [Array(BIGINT), INTEGER, LambdaArgument(2, plus), LambdaArgument(1, identity)]
    resolution = resolve("reduce", arguments)
    assert resolution.argument_types[1] == BIGINT
    assert resolution.return_type == BIGINT


def test_a_reduction_that_never_settles_fails_as_in_trino() -> None:
    growing = iter(range(1, 100))

    def grow(_: tuple[TrinoType, ...]) -> TrinoType:
        return Varchar(next(growing))

    arguments = [Array(BIGINT), Varchar(0), LambdaArgument(2, grow), LambdaArgument(1, identity)]
    with pytest.raises(StatementError, match="does not converge after 4 iterations") as caught:
        resolve("reduce", arguments)
    assert caught.value.code is ErrorCode.GENERIC_INTERNAL_ERROR


def test_a_lambdas_result_is_not_coerced() -> None:
    message = not_found("filter", Array(INTEGER), LambdaArgument(1, lambda _: INTEGER))
    assert message == (
        "Unexpected parameters (array(integer), <function>) for function filter. "
        "Expected: filter(array(t), function(t,boolean)) T"
    )
    unknown = LambdaArgument(1, lambda _: UNKNOWN)
    assert not_found("filter", Array(INTEGER), unknown) == message


def test_a_lambda_with_the_wrong_number_of_parameters_is_refused_where_it_stands() -> None:
    wrong = LambdaArgument(2, lambda _: BOOLEAN, line=1, column=28)
    with pytest.raises(StatementError) as caught:
        resolve("transform", [Array(INTEGER), wrong])
    assert str(caught.value) == (
        "INVALID_PARAMETER_USAGE: line 1:28: Expected a lambda that takes 1 argument(s) but got 2"
    )


def test_a_lambda_where_none_is_taken_is_not_found() -> None:
    message = not_found("abs", LambdaArgument(1, identity))
    assert message.startswith("Unexpected parameters (<function>) for function abs. Expected: ")


def test_errors_in_a_lambdas_body_come_through() -> None:
    def fail(_: tuple[TrinoType, ...]) -> TrinoType:
        raise StatementError(ErrorCode.TYPE_MISMATCH, "in the body")

    with pytest.raises(StatementError, match="in the body"):
        resolve("transform", [Array(INTEGER), LambdaArgument(1, fail)])
