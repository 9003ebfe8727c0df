"""Character strings. https://trino.io/docs/current/functions/string.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from querysvc.engines.duckdb.functions import human_readable, java_format, string_algorithms
from querysvc.engines.duckdb.functions.registry import (
    ArrowFunction,
    CallSite,
    ScalarTable,
    Unsupported,
)
from querysvc.engines.duckdb.functions.vectorised import by_row
from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    bind,
    case,
    cast,
    fail,
    integer_literal,
    operation,
    part,
    template,
    text_literal,
)
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types.algebra import BIGINT, Array, Char, Varchar

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT
_INTEGER_MAX: Final = 2**31 - 1
_SLICE_BYTES_MAX: Final = 2_147_483_639
_LONG_MAX: Final = 2**63 - 1
_UNBOUNDED: Final = Varchar(None)

_WHITESPACE: Final = text_literal(
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009"
    "\u200a\u2028\u2029\u205f\u3000"
)
"""What Trino's trim removes: Java's whitespace, without the no-break spaces."""

# Letters that Java 24 (Unicode 16) maps and DuckDB does not yet: capital and small.
_LATE_CAPITALS: Final = "\ua7dc\ua7cb\u1c89\ua7cc\ua7da" + "".join(
    map(chr, range(0x10D50, 0x10D66))
)
_LATE_SMALL: Final = "\u019b\u0264\u1c8a\ua7cd\ua7db" + "".join(map(chr, range(0x10D70, 0x10D86)))


def strict(values: tuple[Sql, ...] | list[Sql], body: Callable[..., Sql]) -> Sql:
    """`body` of the values, each evaluated once; NULL where one is, before the body's checks."""

    def guarded(*bound: Sql) -> Sql:
        unknown = " OR ".join(f"{value} IS NULL" for value in bound)
        return case([(Sql(f"({unknown})"), NULL)], body(*bound))

    return bind(values, guarded)


def joined(parts: Sql, separator: Sql) -> Sql:
    """The texts of a list without NULLs, with the separator between them, which may vary."""
    pieces = f"list_transform({parts}, lambda p: {separator} || p)"
    return Sql(f"substring(array_to_string({pieces}, ''), length({separator}) + 1)")


def is_ascii(value: Sql) -> Sql:
    """Whether a text has one byte a character."""
    return Sql(f"(strlen({value}) = length({value}))")


def text_argument(site: CallSite, index: int = 0) -> Sql:
    """An argument's text: a char's with its trailing spaces."""
    kind = site.types[index]
    value = site.arguments[index]
    return padded(value, kind) if isinstance(kind, Char) else value


def _length(site: CallSite) -> Sql:
    kind = site.types[0]
    if isinstance(kind, Char):
        text = f"CASE WHEN {{0}} IS NOT NULL THEN {integer_literal(kind.length)} END"
        return template(text, *site.arguments)
    return template("CAST(length({0}) AS BIGINT)", *site.arguments)


def _upper(site: CallSite) -> Sql:
    """Code point by code point, as Java's Character does it: ß has no capital."""

    def body(value: Sql) -> Sql:
        sharp = "array_to_string(list_transform(string_split({0}, 'ß'), lambda p: upper(p)), 'ß')"
        parts = template(sharp, value)
        late = f"translate({parts}, '{_LATE_SMALL}', '{_LATE_CAPITALS}')"
        return case([(is_ascii(value), Sql(f"upper({value})"))], Sql(late))

    return bind(site.arguments, body)


def _lower(site: CallSite) -> Sql:
    def body(value: Sql) -> Sql:
        late = f"translate(lower({value}), '{_LATE_CAPITALS}', '{_LATE_SMALL}')"
        return case([(is_ascii(value), Sql(f"lower({value})"))], Sql(late))

    return bind(site.arguments, body)


def _reverse_text(value: Sql) -> Sql:
    """By code points: DuckDB's reverse keeps grapheme clusters together."""
    points = f"array_to_string(list_reverse(string_split({value}, '')), '')"
    return case([(is_ascii(value), Sql(f"reverse({value})"))], Sql(points))


def _reverse(site: CallSite) -> Sql:
    return bind(site.arguments, _reverse_text)


def _reverse_char(site: CallSite) -> Sql:
    """A reversed char must not end in spaces: Trino fails where one does."""
    kind = site.types[0]
    assert isinstance(kind, Char)

    def body(value: Sql) -> Sql:
        code = ErrorCode.GENERIC_INTERNAL_ERROR
        message = fail(code, "Slice representing Char should not have trailing spaces")
        wrong = Sql(f"(starts_with({value}, ' ') OR {value} = '')")
        return case([(wrong, message)], _reverse_text(padded(value, kind)))

    return bind(site.arguments, body)


def _substring(site: CallSite) -> Sql:
    """1-based; below 1 counts from the end, and then a start before the text gives ''."""
    source = text_argument(site)

    def body(text: Sql, start: Sql, *length: Sql) -> Sql:
        first = Sql(f"(CASE WHEN {start} < 0 THEN length({text}) + {start} + 1 ELSE {start} END)")
        size = f", greatest(least({length[0]}, {_INTEGER_MAX}), 0)" if length else ""
        empty = Sql(f"({first} < 1 OR {first} > length({text}))")
        branches = [(empty, Sql("''"))]
        if length:  # Java's sum of the two overflows
            over = Sql(f"({start} < 0 AND {length[0]} > {_LONG_MAX} - {first} + 1)")
            code = ErrorCode.GENERIC_INTERNAL_ERROR
            branches.append((over, fail(code, "Range out of bounds for length")))
        return case(branches, Sql(f"substring({text}, {first}{size})"))

    return strict([source, *site.arguments[1:]], body)


def _pad(name: str) -> Callable[[CallSite], Sql]:
    def build(site: CallSite) -> Sql:
        def body(text: Sql, size: Sql, pad: Sql) -> Sql:
            # Trino fails with GENERIC_INTERNAL_ERROR, which TRY would have to let through.
            message = f"Cannot allocate slice larger than {_SLICE_BYTES_MAX} bytes"
            too_large = fail(_INVALID, message)
            range_ = Sql(f"({size} NOT BETWEEN 0 AND {_INTEGER_MAX})")
            return case(
                [
                    (range_, fail(_INVALID, "Target length must be in the range [0..2147483647]")),
                    (Sql(f"({pad} = '')"), fail(_INVALID, "Padding string must not be empty")),
                    (Sql(f"({size} > {_SLICE_BYTES_MAX})"), too_large),
                ],
                Sql(f"{name}({text}, CAST({size} AS INTEGER), {pad})"),
            )

        return strict([text_argument(site), *site.arguments[1:]], body)

    return build


def _trim(name: str) -> Callable[[CallSite], Sql]:
    """trim, ltrim, rtrim: of whitespace, or of the second argument's characters."""

    def build(site: CallSite) -> Sql:
        characters = site.arguments[1] if len(site.arguments) > 1 else _WHITESPACE
        trimmed = Sql(f"{name}({site.arguments[0]}, {characters})")
        # What is left of a char loses its trailing spaces, as every char.
        return Sql(f"rtrim({trimmed}, ' ')") if isinstance(site.types[0], Char) else trimmed

    return build


def _replace(site: CallSite) -> Sql:
    """Replacing the empty text puts the new one around every character."""

    def body(text: Sql, old: Sql, new: Sql) -> Sql:
        # DuckDB joins only by constants.
        pieces = f"list_transform(string_split({text}, ''), lambda p: p || {new})"
        around = f"{new} || array_to_string({pieces}, '')"
        edges = case([(Sql(f"({text} = '')"), new)], Sql(f"({around})"))
        return case([(Sql(f"({old} = '')"), edges)], Sql(f"replace({text}, {old}, {new})"))

    return strict([*site.arguments, Sql("''")][:3], body)


def _split(site: CallSite) -> Sql:
    def body(text: Sql, delimiter: Sql, *limit: Sql) -> Sql:
        parts = Sql(f"string_split({text}, {delimiter})")
        checks = [
            (
                Sql(f"({delimiter} = '')"),
                fail(_INVALID, "The delimiter may not be the empty string"),
            )
        ]
        if not limit:
            return case(checks, parts)
        (count,) = limit
        checks.append((Sql(f"({count} <= 0)"), fail(_INVALID, "Limit must be positive")))
        checks.append((Sql(f"({count} > {_INTEGER_MAX})"), fail(_INVALID, "Limit is too large")))
        rest = joined(Sql(f"{parts}[{count}:]"), delimiter)
        return case(
            [*checks, (Sql(f"(len({parts}) <= {count})"), parts)],
            Sql(f"list_append({parts}[1:{count} - 1], {rest})"),
        )

    return strict(site.arguments, body)


def _split_part(site: CallSite) -> Sql:
    def body(text: Sql, delimiter: Sql, index: Sql) -> Sql:
        return case(
            [
                (Sql(f"({index} <= 0)"), fail(_INVALID, "Index must be greater than zero")),
                (Sql(f"({delimiter} = '' AND {index} > length({text}))"), NULL),
                (Sql(f"({delimiter} = '')"), Sql(f"substring({text}, {index}, 1)")),
            ],
            Sql(f"string_split({text}, {delimiter})[{index}]"),
        )

    return strict(site.arguments, body)


def _chr(site: CallSite) -> Sql:
    def body(point: Sql) -> Sql:
        wrong = Sql(f"({point} NOT BETWEEN 0 AND 1114111 OR {point} BETWEEN 55296 AND 57343)")
        message = fail(_INVALID, "Not a valid Unicode code point: ", part(point))
        return case([(wrong, message)], Sql(f"chr(CAST({point} AS INTEGER))"))

    return bind(site.arguments, body)


def _codepoint(site: CallSite) -> Sql:
    def body(text: Sql) -> Sql:
        wrong = fail(_INVALID, "Input string must be a single character string")
        return case([(Sql(f"({text} = '')"), wrong)], Sql(f"unicode({text})"))

    return bind(site.arguments, body)


def _concat_ws(site: CallSite) -> Sql:
    if len(site.arguments) == 1:
        raise QueryServiceError(_INVALID, "There must be two or more arguments")
    if not isinstance(site.types[1], Array):
        return Sql(f"concat_ws({', '.join(site.arguments)})")

    def body(separator: Sql, parts: Sql) -> Sql:
        present = Sql(f"list_filter({cast(parts, 'VARCHAR[]')}, lambda p: p IS NOT NULL)")
        return Sql(f"coalesce({joined(present, separator)}, '')")

    return strict(site.arguments, body)


def concat(site: CallSite) -> Sql:
    """concat of varchars or varbinaries."""
    if len(site.arguments) == 1:
        raise QueryServiceError(_INVALID, "There must be two or more concatenation arguments")
    return operation("||", *site.arguments)


def _levenshtein(site: CallSite) -> Sql:
    def body(first: Sql, second: Sql) -> Sql:
        large = Sql(
            f"(length({first}) * (length({second}) - 1) > 1000000"
            f" AND {first} <> '' AND {second} <> '')"
        )
        message = "The combined inputs for Levenshtein distance are too large"
        ascii_ = Sql(f"({is_ascii(first)} AND {is_ascii(second)})")
        python = site.call_python(
            _LEVENSHTEIN, (first, _UNBOUNDED), (second, _UNBOUNDED), result=BIGINT
        )
        native = cast(Sql(f"levenshtein({first}, {second})"), "BIGINT")
        return case([(large, fail(_INVALID, message)), (ascii_, native)], python)

    return strict(site.arguments, body)


def _hamming(site: CallSite) -> Sql:
    def body(first: Sql, second: Sql) -> Sql:
        differ = Sql(f"(length({first}) <> length({second}))")
        message = "The input strings to hamming_distance function must have the same length"
        native = cast(Sql(f"hamming({first}, {second})"), "BIGINT")
        ascii_ = Sql(f"({is_ascii(first)} AND {is_ascii(second)} AND {first} <> '')")
        python = site.call_python(
            _HAMMING, (first, _UNBOUNDED), (second, _UNBOUNDED), result=BIGINT
        )
        return case([(differ, fail(_INVALID, message)), (ascii_, native)], python)

    return strict(site.arguments, body)


_LEVENSHTEIN: Final = by_row(string_algorithms.levenshtein)
_HAMMING: Final = by_row(string_algorithms.hamming)


def _nth_position(site: CallSite) -> Sql:
    """One of the first occurrences natively; they may overlap."""
    wanted = site.constant(2) if site.is_constant(2) else None
    part_ = site.constant(1) if site.is_constant(1) else None
    if not (isinstance(wanted, int) and 1 <= wanted <= _NATIVE_OCCURRENCES and part_):
        general = by_row(string_algorithms.position)
        return site.call_python(general, *zip(site.arguments, site.types, strict=True))
    searched = site.arguments[1]

    def body(text: Sql) -> Sql:
        place = Sql(f"strpos({text}, {searched})")
        for _ in range(1, wanted):
            place = bind([place], lambda found: _next_position(text, searched, found))
        return Sql(f"CAST({place} AS BIGINT)")

    return bind([site.arguments[0]], body)


def _next_position(text: Sql, searched: Sql, found: Sql) -> Sql:
    after = Sql(f"strpos(substr({text}, {found} + 1), {searched})")
    nowhere = Sql(f"({found} = 0)")
    return bind(
        [after],
        lambda next_: Sql(
            f"(CASE WHEN {nowhere} OR {next_} = 0 THEN 0 ELSE {found} + {next_} END)"
        ),
    )


_NATIVE_OCCURRENCES: Final = 4


def _normalize(site: CallSite) -> Sql:
    """Letters before U+0300 are composed already; ASCII has one form only."""
    last = "2FF" if site.is_constant(1) and site.constant(1) == "NFC" else "7F"

    def body(text: Sql, form: Sql) -> Sql:
        is_plain = Sql(f"regexp_full_match({text}, '[\\x00-\\x{{{last}}}]*')")
        arguments = ((text, site.types[0]), (form, site.types[1]))
        general = site.call_python(by_row(string_algorithms.normalize), *arguments)
        known = Sql(f"({form} IN ('NFC', 'NFD', 'NFKC', 'NFKD') AND {is_plain})")
        return case([(known, text)], general)

    return bind(site.arguments, body)


SCALARS: Final[ScalarTable] = {
    "format": java_format.lower_format,
    "char2hexint": ArrowFunction(by_row(string_algorithms.char_to_hex)),
    "chr": _chr,
    "codepoint": _codepoint,
    "concat(varchar...)": concat,
    "concat_ws": _concat_ws,
    "format_number": human_readable.lower_format_number,
    "hamming_distance": _hamming,
    "human_readable_seconds": ArrowFunction(by_row(human_readable.seconds_text)),
    "index": "CAST(strpos({0}, {1}) AS BIGINT)",
    "length(char(x))": _length,
    "length(varchar(x))": _length,
    "levenshtein_distance": _levenshtein,
    "lower": _lower,
    "lpad(char(x),bigint,varchar(y))": _pad("lpad"),
    "lpad(varchar(x),bigint,varchar(y))": _pad("lpad"),
    "ltrim": _trim("ltrim"),
    "luhn_check": ArrowFunction(by_row(string_algorithms.luhn_check)),
    "normalize": _normalize,
    "parse_data_size": ArrowFunction(by_row(human_readable.data_size)),
    "replace": _replace,
    "reverse(char(x))": _reverse_char,
    "reverse(varchar(x))": _reverse,
    "rpad(varchar(x),bigint,varchar(y))": _pad("rpad"),
    "rtrim": _trim("rtrim"),
    "soundex": ArrowFunction(by_row(string_algorithms.soundex)),
    "split": _split,
    "split_part": _split_part,
    "split_to_map": ArrowFunction(by_row(string_algorithms.split_to_map)),
    "split_to_multimap": ArrowFunction(by_row(string_algorithms.split_to_multimap)),
    "starts_with": "starts_with({0}, {1})",
    "strpos(varchar(x),varchar(y))": "CAST(strpos({0}, {1}) AS BIGINT)",
    "strpos(varchar(x),varchar(y),bigint)": _nth_position,
    "substring": _substring,
    "translate": "translate({0}, {1}, {2})",
    "trim": _trim("trim"),
    "upper": _upper,
    "word_stem": ArrowFunction(by_row(string_algorithms.word_stem)),
    **dict.fromkeys(
        ("bar", "color", "render", "rgb"), Unsupported("colours are for terminals, not for tables")
    ),
}
