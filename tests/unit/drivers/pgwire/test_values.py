"""Values to the wire and back."""

from __future__ import annotations

import struct
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from querysvc.model import ResultColumn
from querysvc.types import algebra
from querysvc_drivers.pgwire.binary_format import binary_payloads, numeric_payload
from querysvc_drivers.pgwire.errors import WireError
from querysvc_drivers.pgwire.parameters import literal, text_items, value_text
from querysvc_drivers.pgwire.rows import RowFormat, data_rows
from querysvc_drivers.pgwire.text_format import text_payloads
from querysvc_drivers.pgwire.types import Oid, column


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=-(10**20)))
def test_a_numeric_comes_back_as_it_went(number: Decimal) -> None:
    text = value_text(numeric_payload(number), Oid.NUMERIC, is_binary=True)
    assert text is not None
    assert Decimal(text) == number


@settings(deadline=None)
@given(
    st.integers(1, 15).flatmap(
        lambda precision: st.tuples(
            st.just(precision),
            st.integers(0, precision),
            st.lists(st.none() | st.integers(1 - 10**precision, 10**precision - 1), max_size=5),
        )
    )
)
def test_narrow_numerics_are_made_as_wide_ones(drawn: tuple[int, int, list[int | None]]) -> None:
    precision, scale, integers = drawn
    numbers = [None if i is None else Decimal(i).scaleb(-scale) for i in integers]
    array = pa.array([Decimal(0), *numbers], pa.decimal128(precision, scale)).slice(1)
    shown = column(ResultColumn("x", algebra.Decimal(precision, scale)))
    assert binary_payloads(shown, array, "UTC").to_pylist() == [
        None if number is None else numeric_payload(number) for number in array.to_pylist()
    ]


@pytest.mark.parametrize(
    ("number", "payload"),
    [
        ("0.00", (0, 0, 0, 2)),
        ("1.50", (2, 0, 0, 2, 1, 5000)),
        ("-12345.67", (3, 1, 0x4000, 2, 1, 2345, 6700)),
        ("10000", (1, 1, 0, 0, 1)),
        ("0.00012", (2, -1, 0, 5, 1, 2000)),
    ],
)
def test_numerics_are_groups_of_four_digits(number: str, payload: tuple[int, ...]) -> None:
    count, *rest = payload
    expected = struct.pack(f">hhHh{count}h", count, *rest)
    assert numeric_payload(Decimal(number)) == expected


@pytest.mark.parametrize(
    ("type_", "storage", "values", "texts"),
    [
        (algebra.BOOLEAN, pa.bool_(), [True, False, None], [b"t", b"f", None]),
        (algebra.TINYINT, pa.int8(), [-128, None], [b"-128", None]),
        (algebra.DOUBLE, pa.float64(), [1.0, float("nan"), float("-inf")], [b"1", b"NaN", b"-Infinity"]),  # noqa: E501
        (algebra.VARBINARY, pa.binary(), [b"\0\xff", b""], [b"\\x00ff", b"\\x"]),
        (algebra.DATE, pa.date32(), [0, -719_529, 2_932_897], [b"1970-01-01", b"0002-12-31 BC", b"10000-01-01"]),  # noqa: E501
        (algebra.Decimal(20, 10), pa.decimal128(20, 10), [Decimal("1E-10")], [b"0.0000000001"]),
        (algebra.INTERVAL_DAY_TO_SECOND, pa.int64(), [-93_784_005, 0, 86_400_000], [b"-1 days -02:03:04.005", b"00:00:00", b"1 days"]),  # noqa: E501
        (algebra.INTERVAL_YEAR_TO_MONTH, pa.int32(), [14, -1, 0], [b"1 years 2 mons", b"-1 mons", b"00:00:00"]),  # noqa: E501
        (algebra.Array(algebra.VARCHAR), pa.list_(pa.string()), [["a", None, "", 'q"\\', "null", "x,y"], [], None], [b'{a,NULL,"","q\\"\\\\","null","x,y"}', b"{}", None]),  # noqa: E501
        (algebra.Array(algebra.Array(algebra.INTEGER)), pa.list_(pa.list_(pa.int32())), [[[1], [2, 3]]], [b"[[1],[2,3]]"]),  # noqa: E501
        (algebra.UNKNOWN, pa.null(), [None], [None]),
    ],
    ids=str,
)  # fmt: skip
def test_values_have_postgresqls_texts(
    type_: algebra.TrinoType, storage: pa.DataType, values: list[object], texts: list[bytes | None]
) -> None:
    array = pa.array(values, storage)
    shown = column(ResultColumn("x", type_))
    assert text_payloads(shown, array, "UTC").to_pylist() == texts
    sliced = pa.concat_arrays([array, array]).slice(len(array))
    assert text_payloads(shown, sliced, "UTC").to_pylist() == texts


@pytest.mark.parametrize(
    ("type_", "storage", "values", "payloads"),
    [
        (algebra.BOOLEAN, pa.bool_(), [True, None], [b"\1", None]),
        (algebra.TINYINT, pa.int8(), [-1], [b"\xff\xff"]),
        (algebra.BIGINT, pa.int64(), [None, 2**63 - 1], [None, b"\x7f" + b"\xff" * 7]),
        (algebra.DATE, pa.date32(), [10_957], [bytes(4)]),
        (algebra.Timestamp(3), pa.timestamp("us"), [946_684_800_000_001], [bytes(7) + b"\1"]),
        (algebra.INTERVAL_DAY_TO_SECOND, pa.int64(), [-86_400_001], [struct.pack(">qii", -1000, -1, 0)]),  # noqa: E501
        (algebra.Array(algebra.INTEGER), pa.list_(pa.int32()), [[7]], [struct.pack(">iiIiiii", 1, 0, 23, 1, 1, 4, 7)]),  # noqa: E501
    ],
    ids=str,
)  # fmt: skip
def test_values_have_postgresqls_bytes(
    type_: algebra.TrinoType,
    storage: pa.DataType,
    values: list[object],
    payloads: list[bytes | None],
) -> None:
    array = pa.array(values, storage)
    assert binary_payloads(column(ResultColumn("x", type_)), array, "UTC").to_pylist() == payloads


def test_an_instant_is_shown_in_the_sessions_zone() -> None:
    storage = pa.struct([("t", pa.timestamp("us")), ("z", pa.string())])
    array = pa.array([{"t": 1_582_977_600_000_000, "z": "UTC"}, None], storage)
    shown = column(ResultColumn("x", algebra.TimestampTz(0)))
    texts = {
        zone: text_payloads(shown, array, zone).to_pylist()
        for zone in ("UTC", "Asia/Kathmandu", "America/New_York")
    }
    assert texts == {
        "UTC": [b"2020-02-29 12:00:00+00", None],
        "Asia/Kathmandu": [b"2020-02-29 17:45:00+05:45", None],
        "America/New_York": [b"2020-02-29 07:00:00-05", None],
    }


def test_rows_of_a_sliced_batch_are_its_own() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["a", None, "ccc"])], ["0"]).slice(1)
    form = RowFormat((column(ResultColumn("x", algebra.VARCHAR)),), (0,))
    assert bytes(data_rows(batch, form)) == (
        b"D" + struct.pack(">ihi", 10, 1, -1) + b"D" + struct.pack(">ihi", 13, 1, 3) + b"ccc"
    )


@pytest.mark.parametrize(
    ("text", "oid", "expression"),
    [
        ("42", Oid.INT4, "INTEGER '42'"),
        (" -7 ", Oid.INT8, "BIGINT '-7'"),
        ("t", Oid.BOOL, "TRUE"),
        ("it's", Oid.TEXT, "'it''s'"),
        ("1.50", Oid.NUMERIC, "DECIMAL '1.50'"),
        ("1e3", Oid.NUMERIC, "DECIMAL '1000'"),
        ("NaN", Oid.FLOAT8, "DOUBLE 'NaN'"),
        ("\\x00ff", Oid.BYTEA, "X'00ff'"),
        ("2020-02-29 +00", Oid.DATE, "DATE '2020-02-29'"),
        ("2020-02-29 12:00:00.5+01", Oid.TIMESTAMP, "TIMESTAMP '2020-02-29 12:00:00.5'"),
        ("2020-02-29 12:00:00+01", Oid.TIMESTAMPTZ, "TIMESTAMP '2020-02-29 12:00:00 +01:00'"),
        ("2020-02-29 12:00:00", Oid.TIMESTAMPTZ, "TIMESTAMP '2020-02-29 12:00:00 Asia/Tokyo'"),
        ('{1,NULL,"3"}', 1007, "CAST(ARRAY[INTEGER '1', CAST(NULL AS integer), INTEGER '3'] AS array(integer))"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_text_value_becomes_an_expression(text: str, oid: int, expression: str) -> None:
    assert literal(text.encode(), oid, is_binary=False, zone="Asia/Tokyo") == expression


@pytest.mark.parametrize(
    ("text", "oid", "state"),
    [
        ("x", Oid.INT4, "22P02"),
        ("2147483648", Oid.INT4, "22003"),
        ("1' OR '1'='1", Oid.DATE, "22P02"),
        ("1e400", Oid.FLOAT8, "22003"),
        ("1" * 39, Oid.NUMERIC, "22003"),
        ("Infinity", Oid.NUMERIC, "0A000"),
        ("maybe", Oid.BOOL, "22P02"),
        ("{1,2", 1007, "22P02"),
        ("x", 600, "0A000"),
    ],
)
def test_a_wrong_value_is_refused(text: str, oid: int, state: str) -> None:
    with pytest.raises(WireError) as raised:
        literal(text.encode(), oid, is_binary=False, zone="UTC")
    assert raised.value.state == state


def test_elements_of_an_array_text_are_unescaped() -> None:
    assert text_items('{a,"b \\"c\\\\",NULL,"NULL",""}') == [b"a", b'b "c\\', None, b"NULL", b""]
