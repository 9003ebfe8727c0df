"""Hive type texts: parsing, printing, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc_catalog.errors import TypeSyntaxError, UnsupportedTypeError
from querysvc_catalog.types import (
    NESTING_LEVELS_MAX,
    ArrayType,
    CharType,
    DecimalType,
    HiveType,
    MapType,
    Primitive,
    PrimitiveType,
    StructField,
    StructType,
    VarcharType,
    format_type,
    parse_type,
)

_decimals = st.integers(1, 38).flatmap(
    lambda precision: st.builds(DecimalType, st.just(precision), st.integers(0, precision))
)
_leaves: st.SearchStrategy[HiveType] = st.one_of(
    st.sampled_from(Primitive).map(PrimitiveType),
    st.integers(1, 65_535).map(VarcharType),
    st.integers(1, 255).map(CharType),
    _decimals,
)
_field_names = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8
)
_types: st.SearchStrategy[HiveType] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        inner.map(ArrayType),
        st.builds(MapType, inner, inner),
        st.lists(st.builds(StructField, _field_names, inner), min_size=1, max_size=4).map(
            lambda fields: StructType(tuple(fields))
        ),
    ),
    max_leaves=12,
)


@given(_types)
def test_every_type_prints_to_a_text_that_parses_back(hive_type: HiveType) -> None:
    assert parse_type(format_type(hive_type)) == hive_type


@given(st.text(st.sampled_from("structmaparyin<>:,()`' 12\t_é"), max_size=40))
def test_any_text_is_a_type_or_a_named_error(text: str) -> None:
    position = 1
    try:
        parsed = parse_type(text)
    except TypeSyntaxError as error:
        position = error.position
    except UnsupportedTypeError:
        pass
    else:
        assert parse_type(format_type(parsed)) == parsed
    assert 1 <= position <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("INT", "int"),
        ("integer", "int"),
        ("long", "bigint"),
        ("  Array < Map< string , DECIMAL ( 5 ,2 ) > >\n", "array<map<string,decimal(5,2)>>"),
        ("decimal", "decimal(10,0)"),
        ("decimal(7)", "decimal(7,0)"),
        ("numeric(7,1)", "decimal(7,1)"),
        ("Double  Precision", "double"),
        ("struct<double precision:double precision>", "struct<double precision:double>"),
        ("struct<UserId:int, `a:b`:string>", "struct<UserId:int,`a:b`:string>"),
        ("struct<a:int comment 'it\\'s',b:date>", "struct<a:int,b:date>"),
        ("struct<`x``y`:int>", "struct<`x``y`:int>"),
        ("struct<a.b$c-d:binary>", "struct<a.b$c-d:binary>"),
        ("VARCHAR(10)", "varchar(10)"),
        ("char(255)", "char(255)"),
    ],
)
def test_spellings_have_one_canonical_form(text: str, canonical: str) -> None:
    assert format_type(parse_type(text)) == canonical


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("foo", 1),
        ("array<foo>", 7),
        ("array<int", 10),
        ("array<int>>", 11),
        ("map<int>", 8),
        ("struct<>", 8),
        ("struct<:int>", 8),
        ("struct<`a:int>", 8),
        ("struct<``:int>", 8),
        ("struct<a int>", 13),
        ("varchar", 8),
        ("varchar(0)", 9),
        ("varchar(65536)", 9),
        ("char(256)", 6),
        ("decimal(39)", 9),
        ("decimal(5,6)", 9),
        ("decimal(0,0)", 9),
        ("int(4)", 4),
    ],
)
def test_a_wrong_text_is_refused_at_its_position(text: str, position: int) -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("uniontype<int,string>", "uniontype"),
        ("array<UNIONTYPE<int>>", "uniontype"),
        ("timestamp with local time zone", "timestamp with local time zone"),
        ("struct<a:Timestamp  With Local Time Zone>", "timestamp with local time zone"),
        ("void", "void"),
    ],
)
def test_types_we_cannot_read_are_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(UnsupportedTypeError) as caught:
        parse_type(text)
    assert caught.value.type_name == name


def test_nesting_is_allowed_up_to_the_limit_and_refused_above_it() -> None:
    def nested(levels: int) -> str:
        return "array<" * levels + "int" + ">" * levels

    assert format_type(parse_type(nested(NESTING_LEVELS_MAX))) == nested(NESTING_LEVELS_MAX)
    for levels in (NESTING_LEVELS_MAX + 1, 18_000):
        with pytest.raises(TypeSyntaxError, match="deeper than 64"):
            parse_type(nested(levels))


def test_sibling_types_do_not_count_as_nesting() -> None:
    text = "struct<" + ",".join(f"f{n}:array<int>" for n in range(200)) + ">"
    assert format_type(parse_type(text)) == text


def test_a_text_longer_than_glue_allows_is_refused() -> None:
    with pytest.raises(TypeSyntaxError, match="longer than"):
        parse_type("int" + " " * 131_072)
