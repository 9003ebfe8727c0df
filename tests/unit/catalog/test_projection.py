"""Partition projection: what each property means, and how little is computed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc_catalog.errors import ProjectionError
from querysvc_catalog.expression import parse_expression
from querysvc_catalog.model import Column, StorageDescriptor, Table
from querysvc_catalog.projection import TableProjection, projection_of

NOW = datetime(2024, 3, 15, 13, 45, 30, tzinfo=UTC)


def make_table(keys: dict[str, str], properties: dict[str, str], **parameters: str) -> Table:
    named = {name.replace("_", "."): value for name, value in parameters.items()}
    projected = {f"projection.{name}": value for name, value in properties.items()}
    return Table(
        "t",
        "d",
        storage_descriptor=StorageDescriptor(
            columns=(Column("c", "int"),), location="s3://b/t/", input_format="x"
        ),
        partition_keys=tuple(Column(name, hive_type) for name, hive_type in keys.items()),
        parameters={"projection.enabled": "TRUE", **projected, **named},
    )


def project(table: Table, now: datetime = NOW) -> TableProjection:
    projection = projection_of(table, now)
    assert projection is not None
    return projection


def values(table: Table, expression: str | None = None, **options: int) -> list[str]:
    chosen = None if expression is None else parse_expression(expression, table.partition_keys)
    found = project(table).partitions(chosen, **options)
    return ["/".join(partition.values) for partition in found]


def key_table(hive_type: str, **properties: str) -> Table:
    return make_table(
        {"k": hive_type},
        {f"k.{name.replace('_', '.')}": value for name, value in properties.items()},
    )


def test_a_table_without_the_switch_has_no_projection() -> None:
    table = Table("t", "d", partition_keys=(Column("k", "int"),))
    assert projection_of(table, NOW) is None


def test_an_unpartitioned_table_cannot_be_projected() -> None:
    with pytest.raises(ProjectionError, match="not partitioned") as caught:
        projection_of(make_table({}, {}), NOW)
    assert caught.value.code == "INVALID_TABLE_PROPERTY"


def test_an_enum_keeps_white_space_and_its_order() -> None:
    table = key_table("string", type=" Enum ", values="b, a,b,c")
    assert values(table) == ["b", " a", "c"]
    assert values(table, "k = 'a'") == []
    assert values(table, "k in (' a', 'c', 'z')") == [" a", "c"]
    assert values(table, "k <> 'c'") == ["b", " a"]


def test_an_integer_range_includes_both_ends_and_steps_by_its_interval() -> None:
    table = key_table("int", type="integer", range=" -3 , 10 ", interval="4")
    assert values(table) == ["-3", "1", "5", "9"]
    assert values(table, "k = 5") == ["5"]
    assert values(table, "k = 6") == []
    assert values(table, "k > 1 and k <= 9") == ["5", "9"]


def test_digits_pad_with_zeros_in_value_and_location() -> None:
    table = key_table("int", type="integer", range="8,11", digits="3")
    assert values(table) == ["008", "009", "010", "011"]
    assert values(table, "k = 9") == ["009"]
    locations = [partition.location for partition in project(table).partitions()]
    assert locations[0] == "s3://b/t/k=008/"
    text = key_table("string", type="integer", range="8,11", digits="3")
    assert values(text, "k >= '010'") == ["010", "011"]
    assert values(text, "k = '9'") == []
    assert values(text, "k = '009'") == ["009"]


def test_integers_as_text_without_digits_compare_as_text() -> None:
    table = key_table("string", type="integer", range="1,20")
    assert values(table, "k > '18'") == [str(n) for n in (2, 3, 4, 5, 6, 7, 8, 9, 19, 20)]


def test_dates_default_to_one_day_for_daily_formats() -> None:
    table = key_table("string", type="date", format="yyyy/MM/dd", range="2024/02/27,2024/03/01")
    assert values(table) == ["2024/02/27", "2024/02/28", "2024/02/29", "2024/03/01"]
    assert values(table, "k between '2024/02/28' and '2024/02/29'") == ["2024/02/28", "2024/02/29"]


def test_dates_default_to_one_month_for_monthly_formats() -> None:
    table = key_table("string", type="date", format="yyyy-MM", range="2023-11,2024-02")
    assert values(table) == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert values(table, "k = '2024-01'") == ["2024-01"]


def test_finer_formats_need_their_unit() -> None:
    table = key_table("string", type="date", format="yyyy-MM-dd-HH", range="2024-01-01-00,NOW")
    with pytest.raises(ProjectionError, match=r"interval\.unit"):
        project(table)
    table = key_table(
        "string",
        type="date",
        format="yyyy-MM-dd-HH",
        range="NOW-5HOURS,NOW",
        interval="2",
        interval_unit="hour",
    )
    assert values(table) == ["2024-03-15-08", "2024-03-15-10", "2024-03-15-12"]


@pytest.mark.parametrize(
    ("bound", "first"),
    [
        ("NOW", "2024-03-15"),
        ("now - 1 day", "2024-03-14"),
        ("NOW-2WEEKS", "2024-03-01"),
        ("NOW-1MONTH", "2024-02-15"),
        ("NOW - 4 YEARS", "2020-03-15"),
        ("NOW-14HOURS", "2024-03-14"),
        ("2024-03-13", "2024-03-13"),
    ],
)
def test_a_bound_may_be_relative_to_now(bound: str, first: str) -> None:
    table = key_table("date", type="date", format="yyyy-MM-dd", range=f"{bound},NOW+1DAY")
    found = values(table)
    assert (found[0], found[-1]) == (first, "2024-03-16")


def test_months_from_the_end_of_a_long_month_end_in_a_short_one() -> None:
    table = key_table("date", type="date", format="yyyy-MM-dd", range="NOW-1MONTH,NOW")
    projection = project(table, datetime(2024, 3, 31, tzinfo=UTC))
    assert next(projection.partitions()).values == ("2024-02-29",)
    projection = project(table, datetime(2024, 1, 31, tzinfo=UTC))
    assert next(projection.partitions()).values == ("2023-12-31",)


def test_now_is_taken_in_utc() -> None:
    table = key_table("date", type="date", format="yyyy-MM-dd", range="NOW,NOW")
    tokyo = datetime(2024, 3, 16, 5, tzinfo=timezone(timedelta(hours=9)))
    assert [partition.values for partition in project(table, tokyo).partitions()] == [
        ("2024-03-15",)
    ]


def test_a_typed_date_has_hives_value_and_the_formats_location() -> None:
    table = key_table("date", type="date", format="dd.MM.yyyy", range="31.12.2023,02.01.2024")
    partitions = list(project(table).partitions())
    assert [partition.values for partition in partitions] == [
        ("2023-12-31",),
        ("2024-01-01",),
        ("2024-01-02",),
    ]
    assert partitions[0].location == "s3://b/t/k=31.12.2023/"
    assert values(table, "k > '2023-12-31'") == ["2024-01-01", "2024-01-02"]


def test_a_timestamp_key_has_hives_value() -> None:
    table = key_table(
        "timestamp",
        type="date",
        format="yyyyMMddHH",
        range="2024010100,2024010102",
        interval_unit="HOURS",
    )
    assert values(table) == [
        "2024-01-01 00:00:00",
        "2024-01-01 01:00:00",
        "2024-01-01 02:00:00",
    ]
    assert values(table, "k = '2024-01-01 01:00'") == ["2024-01-01 01:00:00"]


def test_formats_that_do_not_sort_are_still_filtered_rightly() -> None:
    table = key_table("string", type="date", format="dd-MM-yyyy", range="30-01-2024,02-02-2024")
    assert values(table) == ["30-01-2024", "31-01-2024", "01-02-2024", "02-02-2024"]
    assert values(table, "k < '05'") == ["01-02-2024", "02-02-2024"]
    assert values(table, "k = '31-01-2024'") == ["31-01-2024"]


def test_an_interval_below_the_formats_precision_gives_each_value_once() -> None:
    table = key_table(
        "string",
        type="date",
        format="yyyy-MM",
        range="2024-01,2024-03",
        interval="10",
        interval_unit="DAYS",
    )
    assert values(table) == ["2024-01", "2024-02", "2024-03"]
    assert values(table, "k = '2024-02'") == ["2024-02"]


def test_months_step_over_years() -> None:
    table = key_table(
        "string",
        type="date",
        format="yyyy-MM-dd",
        range="2023-11-15,2024-06-14",
        interval="2",
        interval_unit="MONTHS",
    )
    assert values(table) == ["2023-11-15", "2024-01-15", "2024-03-15", "2024-05-15"]
    yearly = key_table("int", type="date", format="yyyy", range="2020,2023", interval_unit="YEARS")
    assert values(yearly, "k >= 2022") == ["2022", "2023"]
    assert values(yearly, "k = 2021") == ["2021"]


def test_injected_values_come_from_the_query() -> None:
    table = key_table("string", type="injected")
    assert values(table, "k = 'x'") == ["x"]
    assert values(table, "k in ('y', 'x')") == ["x", "y"]
    for expression in (None, "k > 'a'", "k like 'x%'", "k = 'x' or k > 'y'"):
        with pytest.raises(ProjectionError, match="injected projected partition column k") as error:
            values(table, expression)
        assert error.value.code == "CONSTRAINT_VIOLATION"


def test_an_injected_key_is_demanded_even_where_another_key_has_no_value() -> None:
    table = make_table(
        {"a": "int", "k": "string"},
        {"a.type": "integer", "a.range": "1,2", "k.type": "injected"},
    )
    with pytest.raises(ProjectionError):
        values(table, "a = 7")
    assert values(table, "k = 'x'") == ["1/x", "2/x"]


def test_the_location_template_is_filled_in() -> None:
    table = make_table(
        {"day": "string", "h": "int"},
        {
            "day.type": "date",
            "day.format": "yyyy/MM/dd",
            "day.range": "2024/01/01,2024/01/02",
            "h.type": "integer",
            "h.range": "0,23",
            "h.digits": "2",
        },
        storage_location_template="s3://logs/${day}/x${h}y",
    )
    chosen = parse_expression("day = '2024/01/02' and h = 7", table.partition_keys)
    (partition,) = project(table).partitions(chosen)
    assert partition.values == ("2024/01/02", "07")
    assert partition.location == "s3://logs/2024/01/02/x07y/"
    assert partition.storage_descriptor is not None
    assert partition.storage_descriptor.columns == table.columns


def test_without_a_template_values_are_escaped_as_hive_does() -> None:
    table = key_table("string", type="enum", values="a/b")
    assert next(project(table).partitions()).location == "s3://b/t/k=a%2Fb/"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("s3://b/${other}/${k}/", "no partition key"),
        ("s3://b/x/", r"lacks \$\{k\}"),
    ],
)
def test_a_template_must_name_exactly_the_keys(template: str, message: str) -> None:
    table = make_table(
        {"k": "int"},
        {"k.type": "integer", "k.range": "1,2"},
        storage_location_template=template,
    )
    with pytest.raises(ProjectionError, match=message):
        project(table)


@pytest.mark.parametrize(
    ("hive_type", "properties", "message"),
    [
        ("int", {}, "k.type: it is required"),
        ("int", {"type": "range"}, "'range' is not one of"),
        ("string", {"type": "enum"}, "k.values: it is required"),
        ("int", {"type": "enum", "values": "1,x"}, "not a valid int"),
        ("date", {"type": "integer", "range": "1,2"}, "cannot project a column of type date"),
        ("boolean", {"type": "date", "range": "NOW,NOW", "format": "yyyy"}, "type boolean"),
        ("int", {"type": "integer"}, "k.range: it is required"),
        ("int", {"type": "integer", "range": "1"}, "two values"),
        ("int", {"type": "integer", "range": "1,2,3"}, "two values"),
        ("int", {"type": "integer", "range": "1,x"}, "'x' is not an integer"),
        ("int", {"type": "integer", "range": "1,9223372036854775808"}, "not an integer"),
        ("int", {"type": "integer", "range": "2,1"}, "greater"),
        ("int", {"type": "integer", "range": "1,2", "interval": "0"}, "positive"),
        ("int", {"type": "integer", "range": "1,2", "digits": "-1"}, "positive"),
        ("string", {"type": "date", "range": "NOW,NOW"}, "k.format: it is required"),
        ("string", {"type": "date", "range": "NOW,NOW", "format": "MM-dd"}, "no year"),
        ("string", {"type": "date", "range": "NOW,NOW", "format": "yyyyXX"}, "'XX'"),
        ("string", {"type": "date", "range": "NOW,x", "format": "yyyyMM"}, "'x' does not follow"),
        ("string", {"type": "date", "range": "NOW-1,NOW", "format": "yyyyMM"}, "does not follow"),
        ("string", {"type": "date", "range": "202402,202401", "format": "yyyyMM"}, "after"),
        ("string", {"type": "date", "range": "202413,202501", "format": "yyyyMM"}, "no date"),
        (
            "string",
            {"type": "date", "range": "NOW,NOW", "format": "yyyyMM", "interval.unit": "EONS"},
            "not a unit",
        ),
        (
            "string",
            {
                "type": "date",
                "range": "2024-01-31,NOW",
                "format": "yyyy-MM-dd",
                "interval.unit": "MONTHS",
            },
            "after the 28th",
        ),
        ("string", {"type": "date", "range": "NOW-9999YEARS,NOW", "format": "yyyyMM"}, "range"),
    ],
)
def test_wrong_properties_are_named(
    hive_type: str, properties: dict[str, str], message: str
) -> None:
    table = make_table({"k": hive_type}, {f"k.{name}": text for name, text in properties.items()})
    with pytest.raises(ProjectionError, match=message) as caught:
        project(table)
    assert caught.value.code == "INVALID_TABLE_PROPERTY"


def test_property_names_are_read_in_any_case() -> None:
    table = make_table({"k": "int"}, {"K.Type": "integer", "k.RANGE": "1,2"})
    assert values(table) == ["1", "2"]


def _big_table() -> Table:
    return make_table(
        {"id": "bigint", "second": "string", "region": "string"},
        {
            "id.type": "integer",
            "id.range": "0,9223372036854775807",
            "second.type": "date",
            "second.format": "yyyy-MM-dd HH:mm:ss",
            "second.range": "2000-01-01 00:00:00,NOW",
            "second.interval.unit": "SECONDS",
            "region.type": "enum",
            "region.values": "eu,us,ap",
        },
    )


def test_a_constrained_key_is_not_written_out_whole() -> None:
    found = values(
        _big_table(),
        "id = 4611686018427387904 and second >= '2024-03-15 13:45:29' and region <> 'us'",
        candidates_max=100,
    )
    assert len(found) == 4
    assert found[0] == "4611686018427387904/2024-03-15 13:45:29/eu"
    assert values(_big_table(), "id > 5 and id < 5", candidates_max=1) == []


def test_too_many_candidates_are_refused_lazily() -> None:
    partitions = project(_big_table()).partitions(candidates_max=50)
    assert next(partitions).values == ("0", "2000-01-01 00:00:00", "eu")
    with pytest.raises(ProjectionError, match="more than 50 candidates") as caught:
        list(partitions)
    assert caught.value.code == "HIVE_EXCEEDED_PARTITION_LIMIT"


_literals = st.integers(0, 40).map(lambda days: str(date(2024, 1, 20) + timedelta(days)))
_conditions = st.one_of(
    st.builds(
        "{} {} '{}'".format,
        st.just("d"),
        st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
        _literals,
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["n", "5 <> n and n"]),
        st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
        st.integers(-2, 14),
    ),
    st.builds("d in ('{}', '{}')".format, _literals, _literals),
    st.builds("d not between '{}' and '{}'".format, _literals, _literals),
    st.just("n in (2, 4, 99)"),
    st.just("d like '%-0_'"),
)
_expressions = st.recursive(
    _conditions,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)


@given(
    _expressions,
    st.sampled_from(["yyyy-MM-dd", "dd/MM/yyyy"]),
    st.sampled_from(["int", "string"]),
)
def test_a_filter_never_loses_a_projected_partition(
    expression: str, date_format: str, number_type: str
) -> None:
    bounds = {"yyyy-MM-dd": "2024-01-25,2024-02-20", "dd/MM/yyyy": "25/01/2024,20/02/2024"}
    table = make_table(
        {"d": "string", "n": number_type},
        {
            "d.type": "date",
            "d.format": date_format,
            "d.range": bounds[date_format],
            "d.interval": "2",
            "n.type": "integer",
            "n.range": "0,12",
            "n.interval": "2",
        },
    )
    chosen = parse_expression(expression, table.partition_keys)
    everything = [partition.values for partition in project(table).partitions()]
    assert len(everything) == 14 * 7
    found = [partition.values for partition in project(table).partitions(chosen)]
    assert sorted(found) == sorted(item for item in everything if chosen.matches(item))
