import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc.errors import ErrorCode, StatementError
from querysvc.types.algebra import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    SCALAR_TYPES,
    UNKNOWN,
    VARCHAR,
    Array,
    Char,
    Decimal,
    Map,
    Row,
    RowField,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.parse import NESTING_MAX, parse_type

READ = [
    ("int", INTEGER),
    ("INTEGER", INTEGER),
    ('"int"', INTEGER),
    ("double precision", DOUBLE),
    ("decimal", Decimal(38, 0)),
    ("DECIMAL(5)", Decimal(5, 0)),
    ("decimal( 5 , 2 )", Decimal(5, 2)),
    ("varchar", VARCHAR),
    ("varchar(0)", Varchar(0)),
    ("varchar(2147483646)", Varchar(2147483646)),
    ("varchar(2147483647)", VARCHAR),
    ("char", Char(1)),
    ("char(65536)", Char(65536)),
    ("timestamp", Timestamp(3)),
    ("timestamp(12)", Timestamp(12)),
    ("timestamp(3) without time zone", Timestamp(3)),
    ("timestamp with time zone", TimestampTz(3)),
    ('"timestamp with time zone"(0)', TimestampTz(0)),
    ("time(6) with time zone", TimeTz(6)),
    ("time", Time(3)),
    ("array<array<int>>", Array(Array(INTEGER))),
    ("int array array", Array(Array(INTEGER))),
    ("map<int, varchar(3)>", Map(INTEGER, Varchar(3))),
    ('row(x int, "Y z" varchar)', Row((RowField("x", INTEGER), RowField("Y z", VARCHAR)))),
    ("row(int, varchar)", Row((RowField(None, INTEGER), RowField(None, VARCHAR)))),
    ("row(X int)", Row((RowField("x", INTEGER),))),
    ("row(double precision)", Row((RowField(None, DOUBLE),))),
    ("row(date date, double double)", Row((RowField("date", DATE), RowField("double", DOUBLE)))),
    ("row(int array)", Row((RowField(None, Array(INTEGER)),))),
    ("row(a array(int))", Row((RowField("a", Array(INTEGER)),))),
    ("row(x row(y bigint))", Row((RowField("x", Row((RowField("y", BIGINT),))),))),
]


@pytest.mark.parametrize(("text", "type_"), READ)
def test_a_type_text_names_its_type(text: str, type_: TrinoType) -> None:
    assert parse_type(text) == type_


# Asked of Trino 476: CAST(NULL AS <text>).
REFUSED = [
    ("foo", ErrorCode.TYPE_MISMATCH, "Unknown type: foo"),
    ("string", ErrorCode.TYPE_MISMATCH, "Unknown type: string"),
    ("float", ErrorCode.TYPE_MISMATCH, "Unknown type: float"),
    ("int(3)", ErrorCode.TYPE_MISMATCH, "Unknown type: int(3)"),
    ("numeric(3,2)", ErrorCode.TYPE_MISMATCH, "Unknown type: numeric(3, 2)"),
    ('"timestamp(3)"', ErrorCode.TYPE_MISMATCH, 'Unknown type: "timestamp(3)"'),
    ('foo(BAR, "Baz")', ErrorCode.TYPE_MISMATCH, 'Unknown type: foo(BAR, "Baz")'),
    ("row(x foo, INT)", ErrorCode.TYPE_MISMATCH, "Unknown type: ROW(x foo, INT)"),
    ("array(timestamp(13))", ErrorCode.TYPE_MISMATCH, "Unknown type: array(timestamp(13))"),
    ("timestamp(13) with time zone", ErrorCode.TYPE_MISMATCH, None),
    ("char(65537)", ErrorCode.TYPE_MISMATCH, None),
    ("varchar(2147483648)", ErrorCode.TYPE_MISMATCH, None),
    ("array", ErrorCode.TYPE_MISMATCH, None),
    ("map(int)", ErrorCode.TYPE_MISMATCH, None),
    ("unknown", ErrorCode.TYPE_MISMATCH, "UNKNOWN is not a valid type"),
    (
        "decimal(39,1)",
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        "DECIMAL precision must be in range [1, 38]: 39",
    ),
    (
        "decimal(10,11)",
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        "DECIMAL scale must be in range [0, precision (10)]: 11",
    ),
    ("interval day", ErrorCode.NOT_SUPPORTED, "INTERVAL DAY TO DAY type not supported"),
    ("interval day to minute", ErrorCode.NOT_SUPPORTED, None),
    ("int array[3]", ErrorCode.GENERIC_INTERNAL_ERROR, "Explicit array size not supported"),
    ("row()", ErrorCode.SYNTAX_ERROR, None),
    ("bigint unsigned", ErrorCode.SYNTAX_ERROR, None),
    ("decimal(-1)", ErrorCode.SYNTAX_ERROR, None),
    ('row("" int)', ErrorCode.SYNTAX_ERROR, None),
    ("array(int", ErrorCode.SYNTAX_ERROR, None),
    ("", ErrorCode.SYNTAX_ERROR, None),
]


@pytest.mark.parametrize(("text", "code", "message"), REFUSED)
def test_a_text_that_is_no_type_fails_as_in_trino(
    text: str, code: ErrorCode, message: str | None
) -> None:
    with pytest.raises(StatementError) as caught:
        parse_type(text)
    assert caught.value.code is code
    assert message is None or caught.value.message == message


def test_an_array_of_unknown_is_a_type() -> None:
    assert parse_type("array(unknown)") == Array(UNKNOWN)


def test_nesting_ends_with_a_clear_error() -> None:
    deepest = "array(" * (NESTING_MAX - 1) + "int" + ")" * (NESTING_MAX - 1)
    assert parse_type(deepest).is_comparable
    with pytest.raises(StatementError, match="nests more than"):
        parse_type(f"array({deepest})")


def _types() -> st.SearchStrategy[TrinoType]:
    precision = st.integers(0, 12)
    leaves = st.one_of(
        st.sampled_from([type_ for type_ in SCALAR_TYPES if type_ != UNKNOWN]),
        st.builds(Varchar, st.none() | st.integers(0, 2147483646)),
        st.builds(Char, st.integers(0, 65536)),
        st.integers(1, 38).flatmap(lambda p: st.builds(Decimal, st.just(p), st.integers(0, p))),
        *(st.builds(kind, precision) for kind in (Timestamp, TimestampTz, Time, TimeTz)),
    )
    names = st.none() | st.text('abcz_019 "äß.', min_size=1, max_size=8)

    def nested(children: st.SearchStrategy[TrinoType]) -> st.SearchStrategy[TrinoType]:
        fields = st.lists(st.builds(RowField, names, children), min_size=1, max_size=3)
        keys = children.filter(lambda type_: type_.is_comparable)
        return st.one_of(
            st.builds(Array, children),
            st.builds(Map, keys, children),
            st.builds(lambda items: Row(tuple(items)), fields),
        )

    return st.recursive(leaves, nested, max_leaves=6)


@given(_types())
def test_a_wire_name_reads_back_as_its_type(type_: TrinoType) -> None:
    assert parse_type(type_.wire_name) == type_
