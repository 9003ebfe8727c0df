"""Corner values: SQL texts of every type, and of arguments that mean something to a function."""

from __future__ import annotations

from typing import Final

_INTEGERS: Final = ("0", "1", "-1", "2", "3", "7", "-5", "10", "42", "100")
_DOUBLES: Final = (
    *("0e0", "1e0", "-1.5e0", "2.5e0", "3.5e0", "1e10", "1.5e-7", "123456.789e0", "-0e0"),
    *("nan()", "infinity()", "-infinity()", "0.1e0", "9007199254740993e0", "1e-320"),
)
_WORDS: Final = (
    *("''", "'a'", "'abc'", "' a b '", "'Hello World'", "'ÄÖ ß'", "'日本語'", "'a😀b'", "'0'"),
    *(
        "'12'",
        "'-1.5'",
        "'1e3'",
        "'true'",
        "'2024-02-29'",
        "'a,b,,c'",
        "'A1b2'",
        "'e' || U&'\\0301'",
    ),
    *("'x=1,y=2'", "'İi'", "'NaN'", "'2024-02-29 12:34:56.789'", "'%a_b'", "'aaaa'"),
)
_STAMPS: Final = (
    *("2024-02-29 12:34:56", "2024-02-29 12:34:56.789", "2001-08-22 03:04:05.321"),
    *("1969-12-31 23:59:59.999", "1970-01-01 00:00:00", "2024-12-31 23:59:59.9999"),
    *("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2024-03-10 02:30:00.5"),
    *("2024-11-03 01:30:00", "1582-10-10 10:10:10.1", "2023-01-31 00:00:00.000001"),
    *("-0001-06-15 01:02:03", "2024-02-29", "1900-01-01 00:00:00.123456"),
    *("2024-02-29 12:34:56.123456789", "1969-12-31 23:59:59.999999999999"),
)
_ZONED: Final = (
    *("2024-02-29 12:34:56 UTC", "2024-03-10 03:30:00.123 America/New_York"),
    *("2024-11-03 01:30:00 America/New_York", "2024-07-01 00:00:00.123456 Europe/Berlin"),
    *("1969-07-20 20:17:40 +05:30", "2001-08-22 03:04:05.321 Asia/Kathmandu"),
    *(
        "2024-03-31 01:59:59.999 +01:00",
        "2024-02-29 00:00:00 -08:00",
        "1980-01-01 00:00 Asia/Tokyo",
    ),
    *("2024-01-01 05:00:00.5 Australia/Lord_Howe", "2024-02-29 12:34:56.123456789 Asia/Tokyo"),
)
_TIMES: Final = ("00:00:00", "12:34:56.789", "23:59:59.999999", "01:02", "03:04:05.1")
_TIMES_ZONED: Final = ("12:34:56.789 +05:30", "00:00:00 +00:00", "23:59:59.999999 -08:00")
_JSON: Final = (
    *("null", "true", "1", "-1.5", "1e3", '"a"', "[]", "{}", "[1,2,3]", '{"a":1}', '[1,"b",null]'),
    *('{"b":{"c":[1,{"d":"x"}]},"a":null}', "[[1],[2,3]]", '"ü😀"', "12345678901234567890", '""'),
    *('{"a":"x","a":"y"}', '{"x":1.50,"y":[true,false]}', '"2024-01-01"', "1.0"),
)

LITERALS: Final[dict[str, tuple[str, ...]]] = {
    "unknown": ("NULL",),
    "boolean": ("true", "false", "1 = 1", "CAST(NULL AS boolean)"),
    "tinyint": tuple(f"TINYINT '{v}'" for v in (0, 1, -1, 7, 127, -128)),
    "smallint": tuple(f"SMALLINT '{v}'" for v in (0, 1, -7, 300, 32767, -32768)),
    "integer": (*_INTEGERS, "2147483647", "-2147483648", "65536", "CAST(NULL AS integer)"),
    "bigint": tuple(
        f"BIGINT '{v}'"
        for v in (0, 1, -1, 3, 12, 64, 255, 1700000000, 9223372036854775807, -9223372036854775808)
    ),
    "real": tuple(f"REAL '{v}'" for v in ("0", "1.5", "-2.25", "3.4028235E38", "1e-7", "NaN")),
    "double": _DOUBLES,
    "decimal": (
        *("0.0", "1.5", "-2.50", "123.456", "99.995", "DECIMAL '12345678901234567890.123'", "0.5"),
        *("-0.05", "DECIMAL '10'", "DECIMAL '9999999999999999999'", "2.5"),
        *("DECIMAL '0.0000000001'", "CAST(7 AS decimal(18,4))"),
        "CAST(NULL AS decimal(5,2))",
    ),
    "varchar": (*_WORDS, "CAST('abc' AS varchar)", "CAST(NULL AS varchar)"),
    "char": (
        *("CAST('a' AS char(3))", "CAST('abc' AS char(3))", "CAST('' AS char(2))"),
        *("CAST(' b' AS char(4))", "CAST('日本' AS char(3))", "CAST(NULL AS char(2))"),
    ),
    "varbinary": (
        *("X''", "X'00'", "X'616263'", "to_utf8('日本語')", "X'FFFE80'", "X'4142434445464748'"),
        *("X'00000001'", "X'3FC00000'", "X'F09F9880'", "CAST(NULL AS varbinary)"),
    ),
    "date": tuple(
        f"DATE '{v}'"
        for v in (
            *("2024-02-29", "1970-01-01", "1969-12-31", "2023-12-31", "0001-01-01", "9999-12-31"),
            *("2021-01-03", "2024-03-31", "1582-10-10", "-0001-03-01"),
        )
    ),
    "time": tuple(f"TIME '{v}'" for v in _TIMES),
    "time with time zone": tuple(f"TIME '{v}'" for v in _TIMES_ZONED),
    "timestamp": tuple(f"TIMESTAMP '{v}'" for v in _STAMPS),
    "timestamp with time zone": tuple(f"TIMESTAMP '{v}'" for v in _ZONED),
    "interval day to second": (
        *("INTERVAL '1' DAY", "INTERVAL '-2' HOUR", "INTERVAL '1 02:03:04.567' DAY TO SECOND"),
        *("INTERVAL '90' MINUTE", "INTERVAL '0' SECOND", "INTERVAL '0.5' SECOND"),
    ),
    "interval year to month": (
        *("INTERVAL '1' YEAR", "INTERVAL '-13' MONTH", "INTERVAL '2-3' YEAR TO MONTH"),
        "INTERVAL '0' MONTH",
    ),
    "json": tuple(f"JSON '{v}'" for v in _JSON),
    "uuid": (
        "UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'",
        "UUID '00000000-0000-0000-0000-000000000000'",
        "UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ),
    "ipaddress": (
        *("IPADDRESS '10.0.0.1'", "IPADDRESS '2001:db8::1'", "IPADDRESS '255.255.255.255'"),
        "IPADDRESS '::1'",
    ),
}
"""Literals by base type."""

DECLARED: Final = {
    "decimal": ("decimal(10,2)", "decimal(38,0)", "decimal(5,1)", "decimal(18,6)", "decimal(3,3)"),
    "varchar": ("varchar", "varchar(3)", "varchar(20)"),
    "char": ("char(3)", "char(1)", "char(20)"),
    "time": ("time(3)", "time(0)", "time(6)"),
    "time with time zone": ("time(3) with time zone", "time(6) with time zone"),
    "timestamp": ("timestamp(3)", "timestamp(0)", "timestamp(6)", "timestamp", "timestamp(9)"),
    "timestamp with time zone": ("timestamp(3) with time zone", "timestamp(6) with time zone"),
}
"""Types with parameters, as casts name them; other types are named by their base."""

_PATTERNS: Final = (
    *("'a'", "'[a-z]+'", "'(\\w)(\\w)?'", "'^\\s*'", "'\\d+'", "''", "'(?i)HELLO'", "'b|c'", "'.'"),
    *("'a*'", "'(a)|(b)'", "'[^,]*'", "'\\p{L}+'", "'$'", "'\\bW'", "'(?<n>l+)o'"),
)
_PATHS: Final = (
    *("'$'", "'$.a'", "'$[0]'", "'$.b.c[1].d'", "'$.*'", "'$[1]'", "'$[\"a\"]'", "'$.x'"),
    *("'$[*]'", "'$..a'", "'$.a.b'", "'$[10]'"),
)
_UNITS: Final = tuple(
    f"'{unit}'"
    for unit in (
        *("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"),
        *("MONTH", "decade"),
    )
)
_ZONES: Final = (
    *(
        "'UTC'",
        "'America/New_York'",
        "'Europe/Berlin'",
        "'+05:30'",
        "'Asia/Kathmandu'",
        "'Nowhere'",
    ),
    *("'Asia/Tokyo'", "'-08:00'", "'Z'"),
)
_MYSQL_FORMATS: Final = (
    *(
        "'%Y-%m-%d'",
        "'%Y-%m-%d %H:%i:%s'",
        "'%a %b %e %Y'",
        "'%W %M %D'",
        "'%j %y %c'",
        "'%h:%i %p'",
    ),
    *("'%T.%f'", "'%r'", "'%x-%v'", "'%%Y'", "'%k %l'", "'%d/%m/%Y'", "'%Q'"),
)
_JODA_FORMATS: Final = (
    *(
        "'yyyy-MM-dd'",
        "'yyyy-MM-dd HH:mm:ss'",
        "'EEE, d MMM yyyy'",
        "'hh:mm a'",
        "'D w e'",
        "'SSS'",
    ),
    *("'yyyy-MM-dd''T''HH:mm:ss.SSSZZ'", "'G yy'", "'xxxx-ww'", "'z'", "'ZZZ'", "'EEEE MMMM'"),
)
_URLS: Final = (
    *("'https://ex.com:8080/p/a?x=1&y=2#frag'", "'http://user@h/p%20q?k=%C3%BC'", "'not a url'"),
    *(
        "'ftp://[::1]/x'",
        "'mailto:a@b.c'",
        "'https://ex.com'",
        "'/rel?x=1'",
        "'http://a/b?x&y=&x=2'",
    ),
)
_FRACTIONS: Final = ("0.5e0", "0e0", "1e0", "0.99e0", "0.1e0")
_SMALL: Final = ("0", "1", "2", "3", "-1", "5", "-2")
_TEXT_JSON: Final = tuple(f"'{text}'" for text in (*_JSON, "{", "[1,", "abc", "{a:1}"))

HINTS: Final[dict[str, tuple[str, ...]]] = {
    "joniregexp": _PATTERNS,
    "jsonpath": _PATHS,
    "codepoints": ("' '", "'ab'", "'日'", "'xyz'", "''"),
}
"""Arguments of types that only literals have."""

_UNIT_FUNCTIONS: Final = ("date_trunc", "date_diff", "date_add")
_COUNTED: Final = (
    *("repeat", "lpad", "rpad", "combinations", "ngrams", "slice", "split", "split_part", "substr"),
    *("substring", "element_at", "trim_array", "strpos", "regexp_extract", "regexp_extract_all"),
    *("regexp_position", "round", "truncate", "json_array_get", "nth_value", "lag", "lead"),
)
ARGUMENTS: Final[dict[tuple[str, int], tuple[str, ...]]] = {
    **{(name, 0): _UNITS for name in _UNIT_FUNCTIONS},
    **{(name, i): _SMALL for name in _COUNTED for i in (1, 2, 3)},
    ("at_timezone", 1): _ZONES,
    ("with_timezone", 1): _ZONES,
    ("from_unixtime", 1): _ZONES,
    ("from_unixtime", 0): (
        "0e0",
        "1.7e9",
        "1700000000.5e0",
        "-1.2345e0",
        "1e15",
        "nan()",
        "253402300800e0",
    ),
    ("date_format", 1): _MYSQL_FORMATS,
    ("date_parse", 1): _MYSQL_FORMATS,
    ("format_datetime", 1): _JODA_FORMATS,
    ("parse_datetime", 1): _JODA_FORMATS,
    **{
        (f"url_extract_{part}", 0): _URLS
        for part in ("fragment", "host", "parameter", "path", "port", "protocol", "query")
    },
    ("url_extract_parameter", 1): ("'x'", "'k'", "'z'", "''"),
    ("url_decode", 0): ("'a%20b+c'", "'%C3%BC'", "'%'", "'%zz'", "'abc'", "'%FF'"),
    **{
        (name, 0): _TEXT_JSON
        for name in (
            *("json_parse", "json_extract", "json_extract_scalar", "json_array_length"),
            *("json_array_get", "json_array_contains", "json_size", "is_json_scalar"),
        )
    },
    ("json_array_contains", 1): ("1", "'b'", "true", "2.0e0", "NULL"),
    ("from_iso8601_timestamp", 0): (
        *("'2024-02-29'", "'2024-02-29T12:34:56Z'", "'2024-02-29T12:34:56.123456+05:30'", "'2024'"),
        *(
            "'2024-W09-4'",
            "'2024-060'",
            "'12:34'",
            "'2024-02-30'",
            "'2024-02-29T12'",
            "'T12:34:56'",
        ),
    ),
    ("from_iso8601_date", 0): (
        *("'2024-02-29'", "'2024-W09-4'", "'2024-060'", "'2024'", "'2024-02'", "'20240229'", "'x'"),
        "'+2024-02-29'",
    ),
    ("from_hex", 0): ("'6162'", "'616'", "'zz'", "''", "X'3631'", "'aBcD'"),
    ("from_base64", 0): ("'YWJj'", "'YQ=='", "'YQ'", "'*'", "''", "X'59513D3D'"),
    ("from_base64url", 0): ("'YWJj'", "'_-8='", "'_-8'", "''", "'+/8='"),
    ("from_base32", 0): ("'MFRGG==='", "'MFRGG'", "''", "'1'", "'mfrgg==='"),
    ("from_base", 0): ("'ff'", "'-101'", "'zz'", "''", "'9223372036854775808'", "'+7'"),
    ("from_base", 1): ("2", "10", "16", "36", "37", "1"),
    ("to_base", 1): ("2", "10", "16", "36", "37", "1"),
    ("normalize", 1): ("NFC", "NFD", "NFKC", "NFKD"),
    ("from_utf8", 1): ("'?'", "''", "'xy'", "63", "65533", "1114112"),
    ("word_stem", 0): ("'running'", "'generalizations'", "'Flies'", "'cats'", "''", "'häuser'"),
    ("word_stem", 1): ("'en'", "'de'", "'fr'", "'es'", "'xx'"),
    ("parse_duration", 0): (
        "'1d'",
        "'42.8ms'",
        "'3.81 d'",
        "'5m'",
        "'x'",
        "'1.5h'",
        "'100ns'",
        "'1us'",
    ),
    ("parse_data_size", 0): ("'1B'", "'1kB'", "'2.3MB'", "'5YB'", "'x'", "'1.5GB'", "'10'"),
    ("parse_presto_data_size", 0): ("'1B'", "'1kB'", "'2.3MB'"),
    ("luhn_check", 0): ("'4242424242424242'", "'1234'", "''", "'a'", "'79927398713'"),
    ("human_readable_seconds", 0): ("0e0", "96e0", "3762e0", "56363463e0", "-1.5e0", "nan()"),
    ("chr", 0): ("65", "128512", "0", "-1", "1114112", "55296"),
    ("codepoint", 0): ("'a'", "'日'", "'😀'", "''", "'ab'"),
    ("split_to_map", 0): ("'a=1,b=2'", "'a=1,a=2'", "''", "'a'", "'a=1,'", "'=,b='"),
    ("split_to_map", 1): ("','", "''", "'='"),
    ("split_to_map", 2): ("'='", "','", "''"),
    ("split_to_multimap", 0): ("'a=1,b=2'", "'a=1,a=2'", "''", "'a'"),
    ("split_to_multimap", 1): ("','",),
    ("split_to_multimap", 2): ("'='",),
    ("contains", 0): ("'10.0.0.0/8'", "'2001:db8::/32'", "'x'", "'10.0.0.0/33'", "'10.0.0.1/32'"),
    ("sequence", 2): (
        "1",
        "2",
        "-1",
        "0",
        "INTERVAL '1' DAY",
        "INTERVAL '1' MONTH",
        "INTERVAL '-1' DAY",
    ),
    ("approx_percentile", 1): _FRACTIONS,
    ("approx_distinct", 1): ("0.023e0", "0.1e0", "0.3e0", "0.001e0"),
    **{(name, 0): ("2", "1", "3", "0", "100") for name in ("numeric_histogram", "ntile")},
    ("approx_most_frequent", 0): ("2", "3"),
    ("approx_most_frequent", 2): ("10", "15"),
    **{
        (name, i): ("0.5e0", "2e0", "1e0", "10e0", "0e0", "-1e0", "0.999e0")
        for name in ("beta_cdf", "inverse_beta_cdf", "normal_cdf", "inverse_normal_cdf", "t_cdf")
        for i in (0, 1, 2)
    },
    ("soundex", 0): ("'Robert'", "'Tymczak'", "''", "'jim'", "'日'", "'12'"),
    ("bit_count", 1): ("8", "64", "2", "65", "1"),
    **{
        (name, 1): ("0", "1", "7", "31", "63", "64", "-1")
        for name in ("bitwise_left_shift", "bitwise_right_shift", "bitwise_right_shift_arithmetic")
    },
}
"""What a function takes at a place, for it to mean something: tried more often than any value."""

# sequence(start, stop) without a hint makes arrays that are too long.
SMALL_FUNCTIONS: Final = {
    "sequence": {
        "bigint": ("1", "5", "-3", "BIGINT '0'"),
        "date": ("DATE '2024-02-27'", "DATE '2024-03-02'", "DATE '2024-02-29'"),
        "timestamp": ("TIMESTAMP '2024-02-27 00:00:00'", "TIMESTAMP '2024-03-01 12:00:00.5'"),
    },
    "repeat": {},
}
"""Functions whose arguments come only from these, by base type."""
