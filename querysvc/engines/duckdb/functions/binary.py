"""Binary strings, encodings and hashes. https://trino.io/docs/current/functions/binary.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions import encodings
from querysvc.engines.duckdb.functions.registry import ArrowFunction, CallSite, ScalarTable
from querysvc.engines.duckdb.functions.strings import concat, strict, text_argument
from querysvc.engines.duckdb.functions.vectorised import by_row
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, call, case, fail
from querysvc.errors import ErrorCode
from querysvc.types.algebra import VARBINARY

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT


def _to_utf8(site: CallSite) -> Sql:
    return call("encode", text_argument(site))


def _from_hex(site: CallSite) -> Sql:
    def body(text: Sql) -> Sql:
        length = fail(_INVALID, "invalid input length")
        digit = fail(_INVALID, "not a hexadecimal digit")
        return case(
            [
                (Sql(f"(strlen({text}) % 2 = 1)"), length),
                (Sql(f"(NOT regexp_full_match({text}, '[0-9A-Fa-f]*'))"), digit),
            ],
            Sql(f"unhex({text})"),
        )

    return bind(site.arguments, body)


def _substring(site: CallSite) -> Sql:
    """By the digits of the bytes: DuckDB has no substring of a BLOB."""

    def body(value: Sql, start: Sql, *length: Sql) -> Sql:
        size = Sql(f"octet_length({value})")
        first = Sql(f"(CASE WHEN {start} < 0 THEN {size} + {start} + 1 ELSE {start} END)")
        count = f", 2 * greatest(least({length[0]}, {size}), 0)" if length else ""
        empty = Sql(f"({first} < 1 OR {first} > {size})")
        part = Sql(f"unhex(substring(hex({value}), 2 * {first} - 1{count}))")
        branches = [(empty, Sql("''::BLOB"))]
        if length:  # Java's sum of the two overflows
            over = Sql(f"({first} > 1 AND {length[0]} > {2**63 - 1} - {first} + 1)")
            code = ErrorCode.GENERIC_INTERNAL_ERROR
            branches.append((over, fail(code, "Range out of bounds for length")))
        return case(branches, part)

    return strict(site.arguments, body)


def _from_utf8(site: CallSite) -> Sql:
    """ASCII natively; of other bytes DuckDB's decode() lets some through that are not UTF-8."""

    def body(value: Sql) -> Sql:
        general = site.call_python(encodings.from_utf8, (value, VARBINARY))
        text = f"TRY(decode({value}))"
        return case([(Sql(f"(length({text}) = octet_length({value}))"), Sql(text))], general)

    return bind(site.arguments, body)


def _from_base64(site: CallSite) -> Sql:
    """Texts with whole padding natively."""

    def body(text: Sql) -> Sql:
        general = site.call_python(by_row(encodings.from_base64), (text, site.types[0]))
        if not site.types[0].is_character:
            return general
        is_plain = Sql(f"regexp_full_match({text}, {_BASE64})")
        return case([(is_plain, Sql(f"from_base64({text})"))], general)

    return bind(site.arguments, body)


_BASE64: Final = "'([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?'"

SCALARS: Final[ScalarTable] = {
    "concat(varbinary...)": concat,
    "crc32": ArrowFunction(by_row(encodings.crc32)),
    "from_base32": ArrowFunction(by_row(encodings.from_base32)),
    "from_base64": _from_base64,
    "from_base64url": ArrowFunction(by_row(encodings.from_base64url)),
    "from_big_endian_32": ArrowFunction(by_row(encodings.from_big_endian_32)),
    "from_big_endian_64": ArrowFunction(by_row(encodings.from_big_endian_64)),
    "from_hex(varbinary)": ArrowFunction(by_row(encodings.from_hex)),
    "from_hex(varchar(x))": _from_hex,
    "from_ieee754_32": ArrowFunction(by_row(encodings.from_ieee754_32)),
    "from_ieee754_64": ArrowFunction(by_row(encodings.from_ieee754_64)),
    "from_utf8(varbinary)": _from_utf8,
    "from_utf8(varbinary,bigint)": ArrowFunction(by_row(encodings.from_utf8_point)),
    "from_utf8(varbinary,varchar(x))": ArrowFunction(by_row(encodings.from_utf8_text)),
    "hmac_md5": ArrowFunction(by_row(encodings.hmac_md5)),
    "hmac_sha1": ArrowFunction(by_row(encodings.hmac_sha1)),
    "hmac_sha256": ArrowFunction(by_row(encodings.hmac_sha256)),
    "hmac_sha512": ArrowFunction(by_row(encodings.hmac_sha512)),
    "length(varbinary)": "octet_length({0})",
    "lpad(varbinary,bigint,varbinary)": ArrowFunction(by_row(encodings.lpad)),
    "md5": "unhex(md5({0}))",
    "murmur3": ArrowFunction(by_row(encodings.murmur3)),
    "reverse(varbinary)": ArrowFunction(by_row(encodings.reverse)),
    "rpad(varbinary,bigint,varbinary)": ArrowFunction(by_row(encodings.rpad)),
    "sha1": "unhex(sha1({0}))",
    "sha256": "unhex(sha256({0}))",
    "sha512": ArrowFunction(by_row(encodings.sha512)),
    "spooky_hash_v2_32": ArrowFunction(by_row(encodings.spooky_32)),
    "spooky_hash_v2_64": ArrowFunction(by_row(encodings.spooky_64)),
    "substr(varbinary,bigint)": _substring,
    "substr(varbinary,bigint,bigint)": _substring,
    "to_base32": ArrowFunction(by_row(encodings.to_base32)),
    "to_base64": "to_base64({0})",
    "to_base64url": "translate(to_base64({0}), '+/', '-_')",
    "to_big_endian_32": ArrowFunction(by_row(encodings.to_big_endian_32)),
    "to_big_endian_64": ArrowFunction(by_row(encodings.to_big_endian_64)),
    "to_hex": "hex({0})",
    "to_ieee754_32": ArrowFunction(by_row(encodings.to_ieee754_32)),
    "to_ieee754_64": ArrowFunction(by_row(encodings.to_ieee754_64)),
    "to_utf8": _to_utf8,
    "xxhash64": ArrowFunction(by_row(encodings.xxhash64)),
}
