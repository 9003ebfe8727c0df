import pytest

from querysvc.types.algebra import (
    BIGINT,
    BING_TILE,
    BOOLEAN,
    COLOR,
    DATE,
    DOUBLE,
    GEOMETRY,
    HYPERLOGLOG,
    INTEGER,
    INTERVAL_DAY_TO_SECOND,
    IPADDRESS,
    JSON,
    REAL,
    UNKNOWN,
    UUID,
    VARBINARY,
    VARCHAR,
    Array,
    Char,
    Decimal,
    Function,
    Map,
    QDigest,
    Row,
    RowField,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)


def row(*fields: tuple[str | None, TrinoType]) -> Row:
    return Row(tuple(RowField(*field) for field in fields))


# typeof, the result column's type, and the resolver's messages, asked of Trino 476.
PRINTED = [
    (VARCHAR, "varchar", "varchar", "varchar"),
    (Varchar(5), "varchar(5)", "varchar(5)", "varchar(5)"),
    (Char(3), "char(3)", "char(3)", "char(3)"),
    (Decimal(5, 2), "decimal(5,2)", "decimal(5, 2)", "decimal(5,2)"),
    (Timestamp(3), "timestamp(3)", "timestamp(3)", "timestamp(3)"),
    (
        TimestampTz(0),
        "timestamp(0) with time zone",
        "timestamp(0) with time zone",
        "timestamp(0) with time zone",
    ),
    (TimeTz(6), *("time(6) with time zone",) * 3),
    (
        INTERVAL_DAY_TO_SECOND,
        "interval day to second",
        "INTERVAL DAY TO SECOND",
        "interval day to second",
    ),
    (HYPERLOGLOG, "HyperLogLog", "HyperLogLog", "HyperLogLog"),
    (
        Map(Decimal(2, 1), Array(INTERVAL_DAY_TO_SECOND)),
        "map(decimal(2,1), array(interval day to second))",
        "map(decimal(2, 1), array(INTERVAL DAY TO SECOND))",
        "map(decimal(2,1),array(interval day to second))",
    ),
    (
        row(("b c", INTEGER), (None, Varchar(1))),
        "row(b c integer, varchar(1))",
        'row("b c" integer, varchar(1))',
        'row("b c" integer,varchar(1))',
    ),
    (
        row(("AbC", INTEGER), ("select", INTEGER), ("1a", INTEGER), ('a"b', INTEGER)),
        'row(AbC integer, select integer, 1a integer, a"b integer)',
        'row(AbC integer, "select" integer, "1a" integer, "a""b" integer)',
        'row("AbC" integer,"select" integer,"1a" integer,"a""b" integer)',
    ),
    (
        row(("_x", INTEGER), ("date", DATE), ("a1", DATE)),
        "row(_x integer, date date, a1 date)",
        'row("_x" integer, date date, a1 date)',
        'row("_x" integer,"date" date,"a1" date)',
    ),
    (QDigest(DOUBLE), *("qdigest(double)",) * 3),
]


@pytest.mark.parametrize(("type_", "display", "wire", "signature"), PRINTED)
def test_a_type_prints_in_the_three_ways_trino_prints_it(
    type_: TrinoType, display: str, wire: str, signature: str
) -> None:
    assert (str(type_), type_.wire_name, type_.signature_text) == (display, wire, signature)


def test_a_functions_type_prints_as_in_signatures() -> None:
    assert str(Function((BIGINT, VARCHAR), BOOLEAN)) == "function(bigint,varchar,boolean)"


def test_equal_types_hash_alike() -> None:
    assert {row(("a", Array(BIGINT))): 1}[row(("a", Array(BIGINT)))] == 1
    assert row(("a", BIGINT)) != row((None, BIGINT))
    assert Timestamp(3) != TimestampTz(3)
    assert Time(3) != TimeTz(3)


COMPARABLE = [
    (VARCHAR, True, True),
    (UNKNOWN, True, True),
    (UUID, True, True),
    (IPADDRESS, True, True),
    (VARBINARY, True, True),
    (JSON, True, False),
    (COLOR, True, False),
    (GEOMETRY, True, False),
    (BING_TILE, True, False),
    (HYPERLOGLOG, False, False),
    (Map(VARCHAR, BIGINT), True, False),
    (Map(VARCHAR, HYPERLOGLOG), False, False),
    (Array(JSON), True, False),
    (Array(HYPERLOGLOG), False, False),
    (row(("a", BIGINT), ("b", VARCHAR)), True, True),
    (row(("a", BIGINT), ("b", JSON)), True, False),
    (row(("a", HYPERLOGLOG)), False, False),
    (QDigest(DOUBLE), False, False),
    (Function((BIGINT,), BIGINT), False, False),
]


@pytest.mark.parametrize(("type_", "comparable", "orderable"), COMPARABLE)
def test_comparable_and_orderable_are_inherited_from_the_parts(
    type_: TrinoType, comparable: bool, orderable: bool
) -> None:
    assert (type_.is_comparable, type_.is_orderable) == (comparable, orderable)


def test_numbers_are_told_apart() -> None:
    assert [t.is_integer for t in (BIGINT, Decimal(5, 0), REAL)] == [True, False, False]
    assert [t.is_exact for t in (BIGINT, Decimal(5, 0), REAL)] == [True, True, False]
    assert [t.is_floating for t in (DOUBLE, REAL, Decimal(5, 0))] == [True, True, False]
    assert [t.is_numeric for t in (DOUBLE, BIGINT, Decimal(5, 0), VARCHAR)] == [True] * 3 + [False]


def test_character_and_datetime_types_are_told_apart() -> None:
    assert [t.is_character for t in (VARCHAR, Char(3), VARBINARY)] == [True, True, False]
    datetimes = (DATE, Time(3), TimeTz(3), Timestamp(3), TimestampTz(3), INTERVAL_DAY_TO_SECOND)
    assert [t.is_datetime for t in datetimes] == [True] * 5 + [False]
