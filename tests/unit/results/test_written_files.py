"""Files that writes make, read back by other programs' readers and by Python."""

from __future__ import annotations

import bz2
import datetime
import gzip
import json
import threading
from collections.abc import Callable
from decimal import Decimal as Number
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.writing.encoder import FileEncoder
from querysvc.results.writing.files import FileSet, WriteJob, WrittenFile
from querysvc.sql.writes.codecs import CODECS
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import Compression, FileFormat, WriteLayout, WrittenColumn
from querysvc_catalog.serdes import StorageFormat as Format

ROW = algebra.Row((algebra.RowField("x", algebra.INTEGER), algebra.RowField("z", algebra.VARCHAR)))
COLUMNS: list[tuple[str, TrinoType, pa.DataType, list[Any]]] = [
    ("i", algebra.INTEGER, pa.int32(), [1, None]),
    ("v", algebra.VARCHAR, pa.string(), ["é", None]),
    ("c", algebra.Char(3), pa.string(), ["a  ", None]),
    ("d", algebra.Decimal(5, 2), pa.decimal128(5, 2), [Number("1.50"), None]),
    ("t", algebra.Timestamp(3), pa.timestamp("us"), [datetime.datetime(1960, 1, 2, 3, 4, 5), None]),
    ("day", algebra.DATE, pa.date32(), [datetime.date(2024, 2, 29), None]),
    ("f", algebra.DOUBLE, pa.float64(), [1.5, None]),
    ("b", algebra.VARBINARY, pa.binary(), [b"\x00A", None]),
    ("a", algebra.Array(algebra.BIGINT), pa.list_(pa.int64()), [[1, None], []]),
    (
        "m",
        algebra.Map(algebra.VARCHAR, algebra.BOOLEAN),
        pa.map_(pa.string(), pa.bool_()),
        [[("k", True)], None],
    ),
    ("r", ROW, pa.struct([("f0", pa.int32()), ("f1", pa.string())]), [{"f0": 1, "f1": "q"}, None]),
]


def layout(
    form: Format, codec: Compression, keys: int = 0, columns: Any = COLUMNS, **serde: str
) -> WriteLayout:
    written = tuple(WrittenColumn(name, type_, "", type_) for name, type_, *_ in columns)
    return WriteLayout(FileFormat(form, codec, None, serde), written, keys)


def batch(columns: Any = COLUMNS) -> pa.RecordBatch:
    arrays = [pa.array(values, arrow) for _, _, arrow, values in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(len(arrays))])


def write(
    plan: WriteLayout, directory: Path, *batches: pa.RecordBatch, **limits: int
) -> list[WrittenFile]:
    found: list[WrittenFile] = []
    bounds = {"file_bytes": 1 << 30, "partitions_max": 100, **limits}
    job = WriteJob("q", plan, directory / "none", directory, **bounds)
    files = FileSet(job, found.append)
    for one in batches:
        files.write(one)
    files.close()
    return found


def only(plan: WriteLayout, directory: Path, *batches: pa.RecordBatch) -> Path:
    (file,) = write(plan, directory, *batches)
    assert file.size == (directory / file.name).stat().st_size
    return directory / file.name


EXPECTED = {
    "i": 1,
    "v": "é",
    "c": "a",
    "d": Number("1.50"),
    "f": 1.5,
    "b": b"\x00A",
    "a": [1, None],
    "t": datetime.datetime(1960, 1, 2, 3, 4, 5),
    "day": datetime.date(2024, 2, 29),
    "r": {"x": 1, "z": "q"},
}


@pytest.mark.parametrize(
    ("form", "codec", "read"),
    [
        *((Format.PARQUET, codec, pq.read_table) for codec in CODECS[Format.PARQUET]),
        *((Format.ORC, codec, orc.read_table) for codec in CODECS[Format.ORC]),
    ],
)
def test_columnar_files_hold_every_type(
    tmp_path: Path, form: Format, codec: Compression, read: Callable[[Path], Any]
) -> None:
    path = only(layout(form, codec), tmp_path, batch(), batch())
    assert "." not in path.name
    rows = read(path).to_pylist()
    assert len(rows) == 4
    assert {**rows[0], "m": dict(rows[0]["m"])} == {**EXPECTED, "m": {"k": True}}
    assert rows[1] == {**dict.fromkeys(rows[1]), "a": []}


def test_parquet_keeps_timestamps_as_milliseconds_without_zone(tmp_path: Path) -> None:
    schema = pq.ParquetFile(
        only(layout(Format.PARQUET, Compression.GZIP), tmp_path, batch())
    ).schema
    times = str(schema.column(4).logical_type)
    assert "isAdjustedToUTC=false, timeUnit=milliseconds" in times


@pytest.mark.parametrize("codec", [Compression.NONE, Compression.DEFLATE, Compression.BZIP2])
def test_avro_files_hold_every_type(tmp_path: Path, codec: Compression) -> None:
    with only(layout(Format.AVRO, codec), tmp_path, batch()).open("rb") as source:
        first, second = fastavro.reader(source)
    expected = {**EXPECTED, "m": {"k": True}}
    expected["t"] = datetime.datetime(1960, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    assert first == expected
    assert second == {**dict.fromkeys(expected), "a": []}


def test_orc_refuses_times_that_its_writer_breaks(tmp_path: Path) -> None:
    moments = [datetime.datetime(1960, 1, 1, 0, 0, 0, 500_000), None]
    plain = ("t", algebra.Timestamp(3), pa.timestamp("us"), moments)
    nested = ("a", algebra.Array(plain[1]), pa.list_(plain[2]), [moments, None])
    for column in (plain, nested):
        with pytest.raises(QueryServiceError, match="before 1970") as caught:
            write(layout(Format.ORC, Compression.ZLIB, columns=[column]), tmp_path, batch([column]))
        assert caught.value.code is ErrorCode.HIVE_WRITER_DATA_ERROR
    late = ("t", *plain[1:3], [datetime.datetime(2024, 1, 1, 0, 0, 0, 500_000)])
    assert only(layout(Format.ORC, Compression.ZLIB, columns=[late]), tmp_path, batch([late]))


def test_avro_refuses_what_it_cannot_name_or_key(tmp_path: Path) -> None:
    for columns in (
        [("a b", algebra.INTEGER, pa.int32(), [1])],
        [("i", algebra.TINYINT, pa.int8(), [1])],
        [("m", algebra.Map(algebra.INTEGER, algebra.INTEGER), pa.map_(pa.int32(), pa.int32()), [])],
    ):
        with pytest.raises(QueryServiceError) as caught:
            write(layout(Format.AVRO, Compression.NONE, columns=columns), tmp_path, batch(columns))
        assert caught.value.code is ErrorCode.NOT_SUPPORTED


def test_json_lines_are_as_trino_writes_them(tmp_path: Path) -> None:
    path = only(layout(Format.JSON, Compression.GZIP), tmp_path, batch())
    assert path.suffix == ".gz"
    text = gzip.decompress(path.read_bytes()).decode()
    first, second = map(json.loads, text.splitlines())
    assert first == {
        "i": 1,
        "v": "é",
        "c": "a  ",
        "d": 1.5,
        "f": 1.5,
        "b": "AEE=",
        "a": [1, None],
        "t": "1960-01-02 03:04:05.000",
        "day": "2024-02-29",
        "m": {"k": True},
        "r": {"x": 1, "z": "q"},
    }
    assert '"d":1.50,' in text
    assert second == {**dict.fromkeys(first), "a": []}


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_json_refuses_numbers_that_it_has_not(tmp_path: Path, value: float) -> None:
    columns = [("f", algebra.DOUBLE, pa.float64(), [value])]
    with pytest.raises(QueryServiceError, match="Invalid value to Insert") as caught:
        write(layout(Format.JSON, Compression.NONE, columns=columns), tmp_path, batch(columns))
    assert caught.value.code is ErrorCode.HIVE_UNSERIALIZABLE_JSON_VALUE


def test_json_keys_are_those_that_the_serde_reads(tmp_path: Path) -> None:
    plan = layout(Format.OPENX_JSON, Compression.NONE, columns=KEYS[:1], **{"mapping.v": "Value"})
    assert only(plan, tmp_path, batch(KEYS[:1])).read_text().splitlines()[0] == '{"Value":1}'


def test_delimited_text_is_as_lazy_simple_serde_reads_it(tmp_path: Path) -> None:
    plan = layout(Format.TEXTFILE, Compression.BZIP2, **{"field.delim": "|"})
    lines = bz2.decompress(only(plan, tmp_path, batch()).read_bytes()).decode().splitlines()
    assert lines[0] == (
        "1|é|a  |1.50|1960-01-02 03:04:05.000|2024-02-29|1.5|AEE=|1\x02\\N|k\x03true|1\x02q"
    )
    assert lines[1] == "\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N||\\N|\\N"


TEXT = [("v", algebra.VARCHAR, pa.string(), [])]


@pytest.mark.parametrize("value", ["a,b", "a\nb", "a\rb", "\\N"])
def test_text_that_would_be_read_as_something_else_is_refused(tmp_path: Path, value: str) -> None:
    plan = layout(Format.TEXTFILE, Compression.NONE, columns=TEXT, **{"field.delim": ","})
    with pytest.raises(QueryServiceError, match="column 'v'") as caught:
        write(plan, tmp_path, batch([(*TEXT[0][:3], [value])]))
    assert caught.value.code is ErrorCode.HIVE_WRITER_DATA_ERROR


def test_an_escape_character_lets_delimiters_in(tmp_path: Path) -> None:
    serde = {"field.delim": ",", "escape.delim": "\\"}
    plan = layout(Format.TEXTFILE, Compression.NONE, columns=TEXT, **serde)
    path = only(plan, tmp_path, batch([(*TEXT[0][:3], ["a,b\\c"])]))
    assert path.read_text() == "a\\,b\\\\c\n"


def test_csv_quotes_everything_and_doubles_quotes(tmp_path: Path) -> None:
    plan = layout(Format.CSV, Compression.NONE, columns=TEXT)
    path = only(plan, tmp_path, batch([(*TEXT[0][:3], ['q"', "b\\", "", None])]))
    assert path.read_text() == '"q"""\n"b\\\\"\n""\n\n'
    with pytest.raises(QueryServiceError, match="line feed"):
        write(plan, tmp_path, batch([(*TEXT[0][:3], ["a\nb"])]))


KEYS = [
    ("v", algebra.INTEGER, pa.int32(), [1, 2, 3, 4]),
    ("d", algebra.Decimal(5, 2), pa.decimal128(5, 2), [Number("1.50"), Number("1.50"), None, None]),
    ("s", algebra.VARCHAR, pa.string(), ["x", "y", "y", ""]),
]


def test_each_partition_has_its_files(tmp_path: Path) -> None:
    files = write(layout(Format.PARQUET, Compression.NONE, 2, KEYS), tmp_path, batch(KEYS))
    default = "__HIVE_DEFAULT_PARTITION__"
    assert [(file.values, file.rows) for file in files] == [
        (("1.5", "x"), 1),
        (("1.5", "y"), 1),
        ((default, "y"), 1),
        ((default, default), 1),
    ]
    assert pq.read_table(tmp_path / files[0].name).column_names == ["v"]
    assert all(file.name.startswith("q_") for file in files)


def test_a_partition_may_come_in_several_batches(tmp_path: Path) -> None:
    whole = batch(KEYS)
    files = write(
        layout(Format.PARQUET, Compression.NONE, 1, KEYS),
        tmp_path,
        *(whole.slice(at, 1) for at in range(4)),
    )
    assert [(file.values, file.rows) for file in files] == [
        *((("x",), 1), (("y",), 2), (("__HIVE_DEFAULT_PARTITION__",), 1))
    ]


def test_partitions_are_limited_and_must_be_printable(tmp_path: Path) -> None:
    plan = layout(Format.PARQUET, Compression.NONE, 2, KEYS)
    with pytest.raises(QueryServiceError) as caught:
        write(plan, tmp_path, batch(KEYS), partitions_max=3)
    assert caught.value.code is ErrorCode.HIVE_TOO_MANY_OPEN_PARTITIONS
    strange = [KEYS[0], KEYS[1], (*KEYS[2][:3], ["é", "x", "x", "x"])]
    with pytest.raises(QueryServiceError, match="Invalid value: C3 A9"):
        write(plan, tmp_path, batch(strange))


def test_a_file_that_is_large_enough_ends(tmp_path: Path) -> None:
    plan = layout(Format.JSON, Compression.NONE, columns=KEYS)
    files = write(plan, tmp_path, batch(KEYS), batch(KEYS), file_bytes=10)
    assert [file.rows for file in files] == [4, 4]


def test_text_is_not_cut_beyond_spaces(tmp_path: Path) -> None:
    columns = (WrittenColumn("v", algebra.Varchar(3), "", algebra.Varchar(6)),)
    plan = WriteLayout(FileFormat(Format.PARQUET, Compression.NONE), columns)
    path = only(plan, tmp_path, batch([(*TEXT[0][:3], ["abc   ", "ab", None])]))
    assert pq.read_table(path).column("v").to_pylist() == ["abc", "ab", None]
    with pytest.raises(QueryServiceError, match="Cannot truncate non-space characters") as caught:
        write(plan, tmp_path, batch([(*TEXT[0][:3], ["abcd"])]))
    assert caught.value.code is ErrorCode.INVALID_CAST_ARGUMENT


@pytest.fixture
def encoder() -> Any:
    encoder = FileEncoder()
    yield encoder
    encoder.close()


def job(tmp_path: Path, rows: int) -> WriteJob:
    columns = [("v", algebra.BIGINT, pa.int64(), list(range(rows)))]
    spool = tmp_path / "rows.arrow"
    with pa.OSFile(str(spool), "wb") as sink:
        part = batch(columns)
        with pa.ipc.new_stream(sink, part.schema) as writer:
            for _ in range(20):
                writer.write_batch(part)
    plan = layout(Format.JSON, Compression.NONE, columns=columns)
    return WriteJob("q", plan, spool, tmp_path, file_bytes=1, partitions_max=10)


def test_a_process_makes_the_files_and_waits_for_them_to_be_taken(
    tmp_path: Path, encoder: FileEncoder
) -> None:
    untaken: list[Callable[[], None]] = []
    most = 0
    rows = 0

    def take(file: WrittenFile, taken: Callable[[], None]) -> None:
        nonlocal most, rows
        rows += file.rows
        untaken.append(taken)
        most = max(most, len(untaken))
        if len(untaken) == 8:
            while untaken:
                untaken.pop()()

    assert encoder.run(job(tmp_path, 5), take, lambda action: None) == rows == 100
    assert most == 8


def test_a_job_that_is_cancelled_ends(tmp_path: Path, encoder: FileEncoder) -> None:
    actions: list[Callable[[], None]] = []
    is_started = threading.Event()

    def take(file: WrittenFile, taken: Callable[[], None]) -> None:
        is_started.set()

    def cancel() -> None:
        assert is_started.wait(30)
        actions[0]()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(QueryServiceError) as caught:
        encoder.run(job(tmp_path, 5), take, actions.append)
    canceller.join()
    assert caught.value.code is ErrorCode.WORKER_CRASHED


def test_a_jobs_error_keeps_its_name(tmp_path: Path, encoder: FileEncoder) -> None:
    made = job(tmp_path, 1)
    made.spool.unlink()
    with pytest.raises(QueryServiceError) as caught:
        encoder.run(made, lambda file, taken: None, lambda action: None)
    assert caught.value.code is ErrorCode.HIVE_WRITER_DATA_ERROR
