import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.types.hive import from_hive, to_hive
from querysvc.types.parse import parse_type
from querysvc_catalog import types as hive

MAPPED = [
    ("boolean", "boolean"),
    ("tinyint", "tinyint"),
    ("smallint", "smallint"),
    ("int", "integer"),
    ("bigint", "bigint"),
    ("float", "real"),
    ("double", "double"),
    ("string", "varchar"),
    ("varchar(65535)", "varchar(65535)"),
    ("char(255)", "char(255)"),
    ("binary", "varbinary"),
    ("date", "date"),
    ("timestamp", "timestamp(3)"),
    ("decimal(10,2)", "decimal(10, 2)"),
    ("array<map<string,int>>", "array(map(varchar, integer))"),
    ("struct<a:int,b c:array<date>>", 'row(a integer, "b c" array(date))'),
]


@pytest.mark.parametrize(("text", "trino"), MAPPED)
def test_a_hive_type_is_a_trino_type_and_back(text: str, trino: str) -> None:
    type_ = from_hive(hive.parse_type(text))
    assert type_.wire_name == trino
    assert str(to_hive(type_)) == text


def test_every_primitive_hive_type_has_a_trino_type() -> None:
    for primitive in hive.Primitive:
        assert to_hive(from_hive(hive.PrimitiveType(primitive))) == hive.PrimitiveType(primitive)


def test_struct_fields_are_folded_as_trino_folds_them() -> None:
    assert str(from_hive(hive.parse_type("struct<UserId:int>"))) == "row(userid integer)"


def test_an_empty_strings_type_is_stored_as_the_shortest_varchar() -> None:
    assert str(to_hive(parse_type("varchar(0)"))) == "varchar(1)"


@pytest.mark.parametrize(
    ("trino", "message"),
    [
        ("varchar(65536)", "Supported VARCHAR types"),
        ("char(256)", "Supported CHAR types"),
        ("timestamp(6)", "Incorrect timestamp precision for timestamp\\(6\\)"),
        ("timestamp(3) with time zone", "Unsupported Hive type: timestamp"),
        ("time(3)", "Unsupported Hive type: time"),
        ("json", "Unsupported Hive type: json"),
        ("array(uuid)", "Unsupported Hive type: uuid"),
        ("row(integer)", "Anonymous row type"),
        ("interval day to second", "Unsupported Hive type"),
    ],
)
def test_what_hive_cannot_store_exactly_is_refused(trino: str, message: str) -> None:
    with pytest.raises(StatementError, match=message) as caught:
        to_hive(parse_type(trino))
    assert caught.value.code is ErrorCode.NOT_SUPPORTED
