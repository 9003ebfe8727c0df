"""Every parser of bytes or texts from outside, with samples to change and the errors it may raise.

pgwire and Flight SQL have tests of their own; whole objects go through a worker in test_objects.
"""

from __future__ import annotations

import atexit
import base64
import bz2
import gzip
import io
import json
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp

import orjson
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import api_jws as jws
from jwt.algorithms import ECAlgorithm

from querysvc.engines.duckdb.functions.java_regex import compile_pattern
from querysvc.engines.duckdb.functions.vectorised import FunctionError
from querysvc.engines.duckdb.messages import ReportBuffer
from querysvc.engines.duckdb.readers import avro_container, orc_metadata, raw_codecs
from querysvc.engines.duckdb.readers.avro_types import SchemaReader, UnsupportedAvroError
from querysvc.engines.duckdb.readers.compression import unpacked
from querysvc.engines.duckdb.readers.damage import DamagedFileError
from querysvc.engines.duckdb.readers.grok import expand
from querysvc.engines.duckdb.readers.protobuf import Message
from querysvc.engines.duckdb.readers.thrift import ThriftError, read_struct
from querysvc.errors import QueryServiceError
from querysvc.inference.infer import infer
from querysvc.inference.model import Sample
from querysvc.model import Principal
from querysvc.planning.views import view_definition, view_table
from querysvc.results.pages import decode_page_token, encode_page_token
from querysvc.results.spool import SpoolDirectory, write_rows
from querysvc.service.identity_tokens import IdentityProvider, IdentityTokens
from querysvc.settings import load_settings
from querysvc.sql import parser as sql_parser
from querysvc.sql import prepared
from querysvc.sql.ddl.parser import parse_ddl
from querysvc.sql.expressions.json_path import PathError, read_path
from querysvc.storage.locations import parse_location
from querysvc.types import parse as trino_types
from querysvc_catalog import paging, projection_values, serde_options
from querysvc_catalog import types as hive_types
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.expression import parse_expression
from querysvc_catalog.model import Column, DatabaseName, Table, TableName
from querysvc_catalog.name_patterns import compile_name_pattern
from querysvc_catalog.partition_values import partition_keys
from querysvc_drivers.aws_json import model as aws_model
from querysvc_drivers.aws_json import sts
from querysvc_drivers.aws_json.errors import AwsError
from querysvc_drivers.aws_json.sigv4 import SignedRequest, signature, verify
from querysvc_drivers.glue import decode as glue_decode
from querysvc_drivers.trino.client_request import ClientHeaders, client_request, data_size
from tests.support.fakes import ManualClock
from tests.support.format_cases import FORMATS

ADA = Principal("ada")
NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
OBJECTS = FORMATS / "objects"


@dataclass(frozen=True)
class Parser:
    """What reads the bytes, samples that it takes, and what it may say of others."""

    name: str
    read: Callable[[bytes], object]
    samples: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...]


def changed(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some changed, left out, put in or repeated, and maybe cut."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(made) + 1)
        piece = chance.choice(PIECES)
        kind = chance.randrange(6)
        if kind == 0:
            made[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del made[at : at + chance.randint(1, 9)]
        elif kind == 2:
            made[at:at] = piece
        elif kind == 3:
            made[at : at + len(piece)] = piece
        elif kind == 4:
            end = min(len(made), at + chance.randint(1, 64))
            made[at:at] = bytes(made[at:end]) * chance.choice((1, 3, 200))
        else:
            del made[at:]
    return bytes(made[: 1 << 16])


PIECES = (
    *(b"\0", b"\xff" * 5, b"\x7f" * 9, b"\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x80\x01"),
    *(
        b"\xed\xa0\x80",
        "\u2028\uff07\u202e".encode(),
        b"\r\n",
        b"'",
        b'"',
        b"\\",
        b"%00",
        b"%2e%2e%2f",
    ),
    *(b"1e999", b"NaN", b"-9223372036854775809", b"0" * 400, b"null", b"[" * 300, b"(" * 300),
    *(b"{" * 300, b'{"a":' * 200, b"*/", b"--", b"%{A}", b"(a+)+$", b"\x19" * 100, b"\x1c" * 100),
)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode(errors="replace"))


# Wires


def _authorization(data: bytes) -> object:
    told = data.decode("latin-1")
    headers = {"authorization": told, "x-amz-date": "20240501T120000Z", "host": "h"}
    request = SignedRequest("POST", "/", "", headers, b"{}")
    return verify(request, service="glue", now=NOW, secret_of=lambda _: ("secret", ADA))


def _signed_authorization() -> bytes:
    signed, scope = ("host", "x-amz-date"), "20240501/us-east-1/glue/aws4_request"
    headers = {"x-amz-date": "20240501T120000Z", "host": "h"}
    request = SignedRequest("POST", "/", "", headers, b"{}")
    made = signature(request, scope, signed, headers["x-amz-date"])("secret")
    return (
        f"AWS4-HMAC-SHA256 Credential=QSVCAAAA/{scope}, SignedHeaders={';'.join(signed)},"
        f" Signature={made}"
    ).encode()


_TABLE_INPUT = {
    "DatabaseName": "d",
    "TableInput": {
        "Name": "t",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "csv"},
        "LastAccessTime": 1.5,
        "PartitionKeys": [{"Name": "p", "Type": "date"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "a", "Type": "struct<b:int>", "Comment": "c"}],
            "Location": "s3://b/k/",
            "SerdeInfo": {"SerializationLibrary": "x", "Parameters": {"k": "v"}},
            "BucketColumns": ["a"],
            "SortColumns": [{"Column": "a", "SortOrder": 1}],
        },
    },
}


def _aws_body(data: bytes) -> object:
    document = orjson.loads(data)
    shape = aws_model.operation("glue", "CreateTable").input_shape
    found = aws_model.checked(shape, document)
    return glue_decode.table(found["TableInput"], DatabaseName("awsdatacatalog", "d"), "ada")


def _trino_headers(data: bytes) -> object:
    pairs = [line.partition(":")[::2] for line in data.decode("latin-1").split("\n")]
    return client_request("SELECT 1", ClientHeaders(pairs))


_TRINO_HEADERS = (
    b"X-Trino-User:ada\nX-Trino-Catalog:c\nX-Trino-Schema:s\nX-Trino-Session:a=b,c=%2C\n"
    b"X-Trino-Prepared-Statement:p=SELECT+%3F,q=SELECT+1\nX-Trino-Client-Tags:a,b\n"
    b"X-Trino-Role:system=ALL\nX-Trino-Target-Result-Size:1.5MB\nX-Trino-Time-Zone:Asia/Tokyo"
)


def _signed(claims: bytes) -> object:
    """A token whose claims, whatever they are, its provider has signed."""
    tokens, key = _provider()
    return tokens.principal(jws.encode(claims, key, "ES256", {"kid": "k"}))


def _good_token() -> bytes:
    return jws.encode(_CLAIMS, _provider()[1], "ES256", {"kid": "k"}).encode()


@cache
def _provider() -> tuple[IdentityTokens, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    told = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    keys = json.dumps({"keys": [{**told, "kid": "k", "alg": "ES256"}]}).encode()
    provider = IdentityProvider("https://i", "querysvc", "https://i/keys")
    return IdentityTokens(provider, ManualClock(), lambda _: keys), key


_CLAIMS = b'{"sub":"a","iss":"https://i","aud":"querysvc","exp":9e9,"groups":["x"],"nbf":1}'


# The catalog's texts

_KEYS = (Column("dt", "date"), Column("n", "int"), Column("s", "string"))


def _expression(text: str) -> object:
    return parse_expression(text, _KEYS)


def _view(data: bytes) -> object:
    encoded = base64.b64encode(data).decode()
    text = f"/* Presto View: {encoded} */"
    table = Table("v", "d", "c", view_original_text=text, table_type="VIRTUAL_VIEW")
    view = view_definition(table)
    return view_table(TableName("c", "d", "v"), view)


_VIEW = json.dumps(
    {
        "originalSql": "SELECT 1 AS a",
        "catalog": "c",
        "schema": "s",
        "columns": [{"name": "a", "type": "row(x integer, y varchar(3))"}],
        "comment": "k",
        "owner": "o",
        "runAsInvoker": True,
    }
).encode()


def _projection(text: str) -> object:
    kind, *rest = text.split("\n")
    (key,) = partition_keys(
        (Column("k", {"date": "string", "integer": "int"}.get(kind, "string")),)
    )
    names = ("range", "interval", "interval.unit", "format", "digits", "values")
    told = {
        f"projection.k.{name}": value for name, value in zip(names, rest, strict=False) if value
    }
    sequence = projection_values.value_sequence(key, {"projection.k.type": kind, **told}, NOW)
    count = sequence.count
    return [sequence.at(number) for number in (0, count - 1)] if 0 < count < 1 << 62 else count


_SERDE_OPTIONS = (
    *(serde_options.parse_text_options, serde_options.parse_csv_options),
    *(serde_options.parse_json_options, serde_options.parse_regex_options),
    *(serde_options.parse_grok_options, serde_options.parse_avro_options),
    *(serde_options.parse_parquet_options, serde_options.parse_orc_options),
)


def _serde(text: str) -> object:
    told = dict(line.partition("=")[::2] for line in text.split("\n"))
    found = []
    for parse in _SERDE_OPTIONS:
        try:
            found.append(parse(told))
        except CatalogError:
            continue
    return found


_SERDE = (
    b"field.delim=,\nescape.delim=\\\nskip.header.line.count=1\nserialization.null.format=\\N\n"
    b'separatorChar=,\nquoteChar="\nmapping.a=B\ncase.insensitive=false\ninput.regex=(a)(b)\n'
    b"input.format=%{WORD:a}\ninput.grokCustomPatterns=A b\\nC d\ncolelction.delim=\x02\n"
    b"mapkey.delim=\x03\nserialization.encoding=UTF-8\ntimestamp.formats=yyyy,MM\n"
    b'avro.schema.literal={"type":"record"}\norc.column.index.access=true'
)


# Statements


def _statement(sql: str) -> object:
    parsed = sql_parser.parse(sql)
    return parse_ddl(parsed) if parsed.query is None else parsed


def _prepared(sql: str) -> object:
    for read in (prepared.read_prepare, prepared.read_execute, prepared.read_deallocate):
        try:
            return read(sql)
        except QueryServiceError:
            continue
    return prepared.read_describe(sql)


def _settings(text: str) -> object:
    with NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_text(text, errors="replace")
        return load_settings(Path(file.name), {})


# Objects


def _avro(data: bytes) -> object:
    source = io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]  # a raw file to it
    header = avro_container.read_header(source)
    with suppress(UnsupportedAvroError):
        SchemaReader(header.schema).form(header.schema)
    return sum(count for count, _ in avro_container.read_blocks(source, header))


def _orc(data: bytes) -> object:
    orc_metadata.tail_bytes(data, len(data))
    tail = orc_metadata.read_tail(data)
    list(tail.below(0))
    for stripe in tail.stripes:
        for number in range(len(tail.types)):
            tail.statistic(stripe, number)
    return tail


def _protobuf(data: bytes) -> object:
    message = Message(data)
    return [read(number) for number in range(12) for read in (message.all_data, message.numbers)]


def _codec(name: str) -> Callable[[bytes], object]:
    return lambda data: sum(map(len, unpacked(name, io.BytesIO(data))))  # type: ignore[arg-type]


def _hadoop(pack: Callable[[bytes], bytes]) -> bytes:
    packed = pack(_TEXT)
    return struct.pack(">II", len(_TEXT), len(packed)) + packed


def _spool(data: bytes) -> object:
    """A spool whose index is right and whose bytes are not."""
    root = _spool_directory()
    root.stream_path("fuzz").write_bytes(data)
    return [batch.to_pylist() for batch in root.open("fuzz").batches()]


@cache
def _spool_directory() -> SpoolDirectory:
    folder = Path(mkdtemp(prefix="querysvc-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = SpoolDirectory(folder)
    root.commit("fuzz", write_rows(root.stream_path("fuzz"), _TABLE))
    return root


_TEXT = b'1,Ada,1815-12-10\n2,"x",\n' * 20
_TABLE = pa.table(
    {"0": pa.array([1, None, 3], pa.int64()), "1": ["a", None, "ccc"], "2": [["x"], [], None]}
)
_DAMAGE = (DamagedFileError,)
_OURS = (QueryServiceError,)
_CATALOG = (CatalogError,)


def _sample(data: bytes) -> object:
    return infer((Sample("k", head=data, tail=data, size=len(data)),))


def parsers() -> tuple[Parser, ...]:
    """All of them, by name."""
    orc_tail = (OBJECTS / "pyarrow-narrow.orc").read_bytes()
    avro = tuple(
        (OBJECTS / f"fastavro-rich-{codec}.avro").read_bytes()
        for codec in ("null", "deflate", "xz")
    )
    return (
        Parser("aws authorization", _authorization, (_signed_authorization(),), (AwsError,)),
        Parser(
            "aws json body",
            _aws_body,
            (orjson.dumps(_TABLE_INPUT),),
            (orjson.JSONDecodeError, aws_model.ShapeError, CatalogError, AwsError),
        ),
        Parser(
            "sts form",
            lambda data: sts.answer(data, ADA, "r"),
            (b"Action=GetCallerIdentity&Version=2011-06-15",),
            (AwsError,),
        ),
        Parser("trino headers", _trino_headers, (_TRINO_HEADERS,), _OURS),
        Parser("trino data size", _text(data_size), (b"16MB", b"1.5kB"), ()),
        Parser(
            "token of an identity provider",
            _text(lambda t: _provider()[0].principal(t)),
            (_good_token(),),
            _OURS,
        ),
        Parser(
            "signed claims",
            _signed,
            (_CLAIMS,),
            _OURS,
        ),
        Parser("page token", _text(decode_page_token), (encode_page_token(7).encode(),), _OURS),
        Parser(
            "catalog page token",
            _text(lambda text: paging.decode_text_token("k", text)),
            (paging.encode_token("k", "name").encode(),),
            _CATALOG,
        ),
        Parser(
            "partition expression",
            _text(_expression),
            (b"dt >= '2024-01-01' AND (n IN (1, 2) OR NOT s LIKE 'a%') AND s IS NULL",),
            _CATALOG,
        ),
        Parser("view", _view, (_VIEW,), _OURS),
        Parser(
            "projection",
            _text(_projection),
            (
                b"date\n2020-01-01,NOW\n1\nDAYS\nyyyy-MM-dd",
                b"integer\n0,100\n5\n\n\n4",
                b"enum\n\n\n\n\n\na,b",
            ),
            _CATALOG,
        ),
        Parser(
            "hive type",
            _text(hive_types.parse_type),
            (b"map<string,array<struct<a:decimal(3,1)>>>",),
            _CATALOG,
        ),
        Parser(
            "trino type",
            _text(trino_types.parse_type),
            (b'map(varchar, row(a decimal(3,1), "B" timestamp(3) with time zone))',),
            (*_OURS, ValueError),
        ),
        Parser(
            "name pattern",
            _text(lambda t: compile_name_pattern(t)("a" * 50)),
            (b"sales*|[a-z]_?",),
            _CATALOG,
        ),
        Parser("serde properties", _text(_serde), (_SERDE,), ()),
        Parser("s3 location", _text(parse_location), (b"s3://bucket/a%20b/c",), _OURS),
        Parser(
            "statement",
            _text(_statement),
            (
                b"WITH a AS (SELECT x, count(*) FROM t GROUP BY 1) SELECT * FROM a WHERE x IN (1) -- c",
                b"CREATE EXTERNAL TABLE t (a struct<b:int>) PARTITIONED BY (p date) LOCATION 's3://b/k/'",
                b"ALTER TABLE t ADD PARTITION (p='1') LOCATION 's3://b/k'",
            ),
            _OURS,
        ),
        Parser(
            "prepared statement",
            _text(_prepared),
            (
                b"PREPARE p FROM SELECT ?",
                b"EXECUTE p USING 1, 'a'",
                b"DEALLOCATE PREPARE p",
                b"DESCRIBE INPUT p",
            ),
            _OURS,
        ),
        Parser(
            "json path",
            _text(read_path),
            (b"lax $.a[0 to last]?(@.b > 1 && exists(@.c)).size()",),
            (*_OURS, PathError),
        ),
        Parser(
            "settings file",
            _text(_settings),
            (
                b'port = 8080\nauth = "keys"\ns3_endpoint = "http://h"\n[s3_buckets.b]\nregion = "r"\n',
            ),
            _OURS,
        ),
        Parser(
            "java pattern",
            _text(compile_pattern),
            (rb"(?i)^(?<n>a+)[\p{L}&&[^x]]*\Q*\E(?=b)\1$",),
            (FunctionError,),
        ),
        Parser(
            "grok",
            _text(lambda t: expand(t, {})),
            (b"%{COMMONAPACHELOG} %{NUMBER:n:int} (?<x>a)",),
            (ValueError,),
        ),
        Parser("protobuf", _protobuf, (bytes.fromhex("0a03616263120108180122020506"),), _DAMAGE),
        Parser(
            "thrift",
            lambda data: read_struct(memoryview(data), 0),
            (bytes.fromhex("1500158001152c2c15061500150815061c00000019"),),
            (ThriftError,),
        ),
        Parser("orc tail", _orc, (orc_tail,), _DAMAGE),
        Parser("avro", _avro, avro, (*_DAMAGE, UnsupportedAvroError)),
        Parser("gzip", _codec("gzip"), (gzip.compress(_TEXT),), _DAMAGE),
        Parser("zstd", _codec("zstd"), (pa.Codec("zstd").compress(_TEXT, asbytes=True),), _DAMAGE),
        Parser("bzip2", _codec("bz2"), (bz2.compress(_TEXT),), _DAMAGE),
        Parser("deflate", _codec("deflate"), (zlib.compress(_TEXT),), _DAMAGE),
        Parser(
            "snappy",
            _codec("snappy"),
            (_hadoop(lambda t: pa.Codec("snappy").compress(t, asbytes=True)),),
            _DAMAGE,
        ),
        Parser(
            "lz4",
            _codec("lz4"),
            (
                _hadoop(lambda t: pa.Codec("lz4_raw").compress(t, asbytes=True)),
                pa.compress(_TEXT, "lz4", asbytes=True),
            ),
            _DAMAGE,
        ),
        Parser(
            "raw lz4",
            raw_codecs.unlz4,
            (pa.Codec("lz4_raw").compress(_TEXT, asbytes=True),),
            _DAMAGE,
        ),
        Parser(
            "raw snappy",
            raw_codecs.unsnap,
            (pa.Codec("snappy").compress(_TEXT, asbytes=True),),
            _DAMAGE,
        ),
        Parser("raw deflate", raw_codecs.inflate, (zlib.compress(_TEXT)[2:-4],), _DAMAGE),
        Parser(
            "crawled object",
            _sample,
            (
                _TEXT,
                b'{"a": 1, "b": [{"c": null}]}\n' * 5,
                orc_tail,
                *avro,
                (OBJECTS / "pyarrow-int96.parquet").read_bytes(),
            ),
            _OURS,
        ),
        Parser(
            "report of a worker",
            lambda data: ReportBuffer().feed(data),
            (struct.pack("!I", 8) + b'{"a": 1}',),
            (ValueError,),
        ),
        Parser(
            "spooled result", _spool, (_spool_directory().stream_path("fuzz").read_bytes(),), _OURS
        ),
    )
