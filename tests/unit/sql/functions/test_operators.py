import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.functions.operators import resolve_between, resolve_operator
from querysvc.types.algebra import BIGINT, DOUBLE, INTEGER, JSON, TrinoType, Varchar
from querysvc.types.parse import parse_type


def types(*texts: str) -> list[TrinoType]:
    return [parse_type(text) for text in texts]


RESULTS = [
    ("/", ["integer", "integer"], "/(integer,integer)", "integer"),
    ("*", ["decimal(3,2)", "decimal(2,1)"], None, "decimal(5, 3)"),
    ("/", ["decimal(2,1)", "integer"], None, "decimal(2, 1)"),
    ("%", ["decimal(5,2)", "integer"], None, "decimal(5, 2)"),
    ("+", ["decimal(38,10)", "decimal(38,0)"], None, "decimal(38, 10)"),
    ("+", ["date", "interval day to second"], "+(date,interval day to second)", "date"),
    ("-", ["date", "date"], None, "INTERVAL DAY TO SECOND"),
    ("-", ["timestamp(6)", "date"], "-(timestamp(p),timestamp(p))", "INTERVAL DAY TO SECOND"),
    ("+", ["timestamp(0)", "interval day to second"], None, "timestamp(3)"),
    ("+", ["timestamp(0)", "interval year to month"], None, "timestamp(0)"),
    ("negate", ["decimal(5,2)"], "negate(decimal(p,s))", "decimal(5, 2)"),
    ("||", ["varchar(1)", "varchar(2)"], "concat(varchar...)", "varchar"),
    ("=", ["integer", "decimal(5,2)"], "=(T,T)", "boolean"),
    ("<>", ["integer", "bigint"], "<>(T,T)", "boolean"),
    (">", ["date", "timestamp(3)"], ">(T,T)", "boolean"),
    (">=", ["varchar(1)", "varchar(2)"], ">=(T,T)", "boolean"),
    ("IS DISTINCT FROM", ["integer", "bigint"], "IS DISTINCT FROM(T,T)", "boolean"),
    ("[]", ["array(date)", "integer"], "[](array(E),bigint)", "date"),
    ("[]", ["map(varchar,date)", "varchar(3)"], "[](map(K,V),K)", "date"),
]


@pytest.mark.parametrize(("operator", "operands", "key", "result"), RESULTS)
def test_operands_choose_the_implementation(
    operator: str, operands: list[str], key: str | None, result: str
) -> None:
    resolution = resolve_operator(operator, types(*operands))
    assert key is None or resolution.key == key
    assert resolution.return_type.wire_name == result


def test_comparisons_bring_both_sides_to_one_type() -> None:
    resolution = resolve_operator(">", (INTEGER, BIGINT))
    assert resolution.argument_types == (BIGINT, BIGINT)
    assert resolution.signature.name == ">"


MISMATCHES = [
    ("+", ["integer", "varchar(1)"], "Cannot apply operator: integer + varchar(1)"),
    # Trino makes > of <, >= of <= and <> of =, and says so.
    (">", ["varchar(1)", "integer"], "Cannot apply operator: varchar(1) < integer"),
    (">=", ["integer", "varchar(1)"], "Cannot apply operator: integer <= varchar(1)"),
    ("<>", ["integer", "varchar(1)"], "Cannot apply operator: integer = varchar(1)"),
    ("<", ["json", "json"], "Cannot apply operator: json < json"),
    ("=", ["HyperLogLog", "HyperLogLog"], "Cannot apply operator: HyperLogLog = HyperLogLog"),
    ("negate", ["varchar(1)"], "Cannot negate varchar(1)"),
    (
        "[]",
        ["array(integer)", "varchar(1)"],
        "Cannot use varchar(1) for subscript of array(integer)",
    ),
    ("[]", ["integer", "integer"], "Cannot use integer for subscript of integer"),
    (
        "IS DISTINCT FROM",
        ["integer", "varchar(1)"],
        "Cannot check if integer is identical to varchar(1)",
    ),
]


@pytest.mark.parametrize(("operator", "operands", "message"), MISMATCHES)
def test_operands_that_fit_no_implementation_are_a_type_mismatch(
    operator: str, operands: list[str], message: str
) -> None:
    with pytest.raises(StatementError) as caught:
        resolve_operator(operator, types(*operands))
    assert caught.value.code is ErrorCode.TYPE_MISMATCH
    assert caught.value.message == message


def test_concatenation_that_fits_nothing_is_concats_error() -> None:
    with pytest.raises(StatementError) as caught:
        resolve_operator("||", (INTEGER, Varchar(1)))
    assert caught.value.code is ErrorCode.FUNCTION_NOT_FOUND
    assert caught.value.message.startswith(
        "Unexpected parameters (integer, varchar(1)) for function concat. Expected: concat(E, "
    )


def test_a_product_whose_scale_has_no_type_fails_as_in_trino() -> None:
    with pytest.raises(StatementError, match="DECIMAL scale must be in range") as caught:
        resolve_operator("*", types("decimal(38,30)", "decimal(38,30)"))
    assert caught.value.code is ErrorCode.INVALID_FUNCTION_ARGUMENT


def test_an_operator_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not an operator"):
        resolve_operator("<=>", (INTEGER, INTEGER))


def test_between_compares_in_the_widest_of_three_types() -> None:
    assert resolve_between(INTEGER, parse_type("decimal(2,1)"), DOUBLE) == DOUBLE


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        (
            (INTEGER, INTEGER, Varchar(1)),
            "Cannot check if integer is BETWEEN integer and varchar(1)",
        ),
        ((JSON, JSON, JSON), "Cannot check if json is BETWEEN json and json"),
    ],
)
def test_between_needs_one_orderable_type(
    operands: tuple[TrinoType, TrinoType, TrinoType], message: str
) -> None:
    with pytest.raises(StatementError) as caught:
        resolve_between(*operands)
    assert caught.value.code is ErrorCode.TYPE_MISMATCH
    assert caught.value.message == message
