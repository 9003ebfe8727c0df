import pytest

from querysvc.types.algebra import BIGINT, JSON, REAL, UNKNOWN, TrinoType
from querysvc.types.coercion import can_cast, can_coerce, coerce_base, common_super_type
from querysvc.types.parse import parse_type


def types(*texts: str) -> list[TrinoType]:
    return [parse_type(text) for text in texts]


COERCIONS = [
    ("tinyint", "bigint", True),
    ("bigint", "integer", False),
    ("bigint", "real", True),
    ("bigint", "decimal(18,0)", False),
    ("bigint", "decimal(19,0)", True),
    ("decimal(5,2)", "decimal(6,2)", True),
    ("decimal(5,2)", "decimal(6,4)", False),
    ("decimal(5,2)", "real", True),
    ("double", "real", False),
    ("varchar(5)", "varchar(4)", False),
    ("varchar(5)", "varchar", True),
    ("varchar(5)", "char(5)", True),
    ("char(5)", "varchar", False),
    ("date", "timestamp(0)", True),
    ("timestamp(3)", "timestamp(0)", False),
    ("timestamp(3)", "timestamp(6) with time zone", True),
    ("varchar", "integer", False),
    ("array(integer)", "array(bigint)", True),
    ("array(varchar)", "array(varchar(3))", False),
    ("map(integer,date)", "map(bigint,timestamp(3))", True),
    ("row(a integer)", "row(b bigint)", True),
    ("row(integer)", "row(integer,integer)", False),
    ("P4HyperLogLog", "HyperLogLog", True),
    ("HyperLogLog", "P4HyperLogLog", False),
    ("qdigest(real)", "qdigest(double)", False),
]


@pytest.mark.parametrize(("source", "target", "coerces"), COERCIONS)
def test_a_type_coerces_only_where_nothing_is_lost(source: str, target: str, coerces: bool) -> None:
    assert can_coerce(*types(source, target)) is coerces


SUPERTYPES = [
    ("decimal(5,2)", "bigint", "decimal(21,2)"),
    ("decimal(38,10)", "decimal(38,0)", "decimal(38,10)"),
    ("varchar(5)", "char(3)", "char(5)"),
    ("row(a integer, b date)", "row(a bigint, c date)", "row(a bigint, date)"),
    ("array(map(varchar(1),real))", "array(map(varchar,double))", "array(map(varchar,double))"),
    ("date", "timestamp(6) with time zone", "timestamp(6) with time zone"),
]


@pytest.mark.parametrize(("first", "second", "common"), SUPERTYPES)
def test_the_common_supertype_is_the_same_from_both_sides(
    first: str, second: str, common: str
) -> None:
    one, other, expected = types(first, second, common)
    assert common_super_type(one, other) == common_super_type(other, one) == expected


def test_unknown_coerces_to_everything_and_nothing_to_it() -> None:
    assert can_coerce(UNKNOWN, parse_type("map(varchar,HyperLogLog)"))
    assert not can_coerce(BIGINT, UNKNOWN)
    assert common_super_type(BIGINT, UNKNOWN) == BIGINT


def test_a_base_alone_gives_the_narrowest_type() -> None:
    assert str(coerce_base(parse_type("smallint"), "decimal")) == "decimal(5,0)"
    assert str(coerce_base(UNKNOWN, "varchar")) == "varchar(0)"
    assert str(coerce_base(UNKNOWN, "timestamp")) == "timestamp(3)"
    assert coerce_base(REAL, "decimal") is None


# Asked of Trino 476.
CASTS = [
    ("uuid", "varchar", True),
    ("uuid", "varchar(36)", False),
    ("ipaddress", "varbinary", True),
    ("varchar(3)", "varbinary", True),
    ("char(3)", "integer", False),
    ("integer", "char(3)", False),
    ("array(integer)", "array(varchar)", True),
    ("array(integer)", "array(char(3))", False),
    ("map(integer,array(integer))", "map(integer,array(char(3)))", False),
    ("row(integer)", "row(integer,integer)", False),
    ("json", "array(array(date))", False),
    ("json", "row(a integer, b array(varchar))", True),
    ("json", "map(uuid,integer)", True),
    ("json", "map(array(integer),integer)", False),
    ("array(uuid)", "json", False),
    ("map(double,timestamp(3))", "json", True),
    ("map(array(integer),integer)", "json", False),
    ("qdigest(bigint)", "varbinary", True),
    ("HyperLogLog", "bigint", False),
    ("timestamp(3)", "time(6)", True),
    ("interval day to second", "varchar(5)", True),
]


@pytest.mark.parametrize(("source", "target", "exists"), CASTS)
def test_a_cast_exists_where_trino_has_it(source: str, target: str, exists: bool) -> None:
    assert can_cast(*types(source, target)) is exists


def test_every_type_casts_to_itself() -> None:
    for type_ in types("tdigest", "color", "qdigest(bigint)", "map(varchar,tdigest)"):
        assert can_cast(type_, type_)
    assert can_cast(JSON, JSON)
