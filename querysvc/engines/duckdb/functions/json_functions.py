"""JSON functions and Trino's JSON paths. https://trino.io/docs/current/functions/json.html"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any, Final

import orjson

from querysvc.engines.duckdb.functions import native_json as native
from querysvc.engines.duckdb.functions.json_text import (
    MalformedError,
    Number,
    copied_text,
    items_at,
    members_at,
    skip_space,
    sorted_text,
    value_at,
    varchar_text,
    whole_value,
)
from querysvc.engines.duckdb.functions.registry import ArrowFunction, CallSite, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import FunctionError, by_row, by_value, failure
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, case, text_literal
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Varchar

_ARGUMENT: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT
_LONG: Final = (-(2**63), 2**63 - 1)
_INDEX_MAX: Final = 2**31 - 1

_STEP = re.compile(r'\.(?P<name>[\w:]+)|\[(?P<bare>\w+)\]|\["(?P<quoted>(?:[^"\\]|\\["\\])*)"\]')
_MISSING: Final = object()


@lru_cache(maxsize=1024)
def path_steps(path: str) -> tuple[str, ...]:
    """The names and indexes of a path; INVALID_FUNCTION_ARGUMENT when it is none."""
    steps = []
    position = 1
    while path.startswith("$") and position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            break
        quoted = match["quoted"]
        plain = match["name"] or match["bare"]
        steps.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    if not path.startswith("$") or position < len(path):
        raise failure(_ARGUMENT, f"Invalid JSON path: '{path}'")
    return tuple(steps)


def _found_at(text: str, path: str) -> int:
    """Where the value starts that the path leads to, -1 when it leads to none."""
    position = skip_space(text, 0)
    steps = path_steps(path)
    if not steps:
        _check_root(text, position)
    for step in steps:
        position = _step(text, position, step)
        if position < 0:
            break
    return position


def _check_root(text: str, position: int) -> None:
    """A number that is the whole text ends with it or before white space, a word as words do."""
    if text[position : position + 1] not in tuple("-0123456789tfn"):
        return
    value, end = value_at(text, position)
    following = text[end : end + 1]
    is_bound = (
        following not in tuple(" \t\n\r") if isinstance(value, Number) else _is_word(following)
    )
    if following and is_bound:
        raise MalformedError(text)


def _is_word(character: str) -> bool:
    return character.isalnum() or character in tuple("_$")


def _step(text: str, position: int, step: str) -> int:
    mark = text[position : position + 1]
    if mark == "{":
        for name, start in members_at(text, position):
            if name == step:
                return start
    elif mark == "[":
        wanted = int(step) if step.isascii() and step.isdigit() else -1
        if 0 <= wanted <= _INDEX_MAX:
            for index, start in enumerate(items_at(text, position)):
                if index == wanted:
                    return start
        else:
            for _ in items_at(text, position):
                pass
    else:
        value_at(text, position)
    return -1


def _extracted(text: str, path: str) -> Any:
    """The value at the path, `_MISSING` without one or when the text up to there is no JSON."""
    try:
        position = _found_at(text, path)
        return _MISSING if position < 0 else value_at(text, position)[0]
    except MalformedError:
        return _MISSING


@by_row
def extract(text: str, path: str) -> str | None:
    """json_extract: the value's text, in the order in which it was written."""
    value = _extracted(text, path)
    return None if value is _MISSING else copied_text(value)


@by_row
def extract_scalar(text: str, path: str) -> str | None:
    """json_extract_scalar: a scalar as text; a number as it was written."""
    value = _extracted(text, path)
    if value is _MISSING or value is None or isinstance(value, list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return varchar_text(value)


@by_row
def size(text: str, path: str) -> int | None:
    """json_size: members or items, 0 of a scalar."""
    try:
        position = _found_at(text, path)
        if position < 0:
            return None
        # A string is not read to its end.
        value = "" if text[position : position + 1] == '"' else value_at(text, position)[0]
    except MalformedError:
        return None
    return len(value) if isinstance(value, list) else 0


_SLOW: Final = r"[0-9][eE]|[0-9]{7}\.|\.[0-9]{8}|0\.00|\\|-0|[0-9]{18}|[\x{10000}-\x{10FFFF}]"
"""What orjson and Jackson write differently, or may: exponents, long or small numbers, escapes."""


@by_value
def parse(texts: Any) -> Any:
    """json_parse: the canonical text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_slow = pc.match_substring_regex(texts, _SLOW)
    rows, sort = texts.to_pylist(), orjson.OPT_SORT_KEYS
    if pc.any(is_slow).as_py() or texts.null_count:
        parsed = list(map(_parsed, rows, is_slow.to_pylist()))
    else:
        try:
            parsed = [orjson.dumps(orjson.loads(text), option=sort) for text in rows]
        except ValueError:  # the one that failed is told by the slow way
            parsed = [_parsed(text, True) for text in rows]
    return pa.array(parsed, pa.binary()).cast(pa.string())


def _parsed(text: str | None, is_slow: bool | None) -> bytes | None:
    if text is None:
        return None
    try:
        if is_slow:
            return sorted_text(whole_value(text)).encode()
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    except (ValueError, RecursionError):
        raise failure(_ARGUMENT, f"Cannot convert value to JSON: '{text}'") from None


@by_row
def is_scalar(text: str) -> bool:
    """is_json_scalar."""
    try:
        return not isinstance(whole_value(text), list)
    except MalformedError:
        raise failure(_ARGUMENT, f"Invalid JSON value: {text}") from None


# Arrays.


@by_row
def array_length(text: str) -> int | None:
    """json_array_length: NULL when the text is no array."""
    start = skip_space(text, 0)
    if text[start : start + 1] != "[":
        return None
    try:
        return sum(1 for _ in items_at(text, start))
    except MalformedError:
        return None


@by_row
def array_get(text: str, index: int) -> str | None:
    """json_array_get: a string as its characters, which is no JSON: so is Trino's."""
    start = skip_space(text, 0)
    if text[start : start + 1] != "[":
        return None
    try:
        if index < 0:
            starts = list(items_at(text, start))
            if -index > len(starts):
                return None
            position = starts[index]
        else:
            position = next((at for i, at in enumerate(items_at(text, start)) if i == index), -1)
        value = value_at(text, position)[0] if position >= 0 else None
    except MalformedError:
        return None
    if value is None:
        if index < 0:
            raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "string is null")
        return None
    return varchar_text(value) if isinstance(value, str) else copied_text(value)


@by_row
def array_contains(text: str, wanted: Any) -> bool | None:
    """json_array_contains: a value of the same kind, not below the first level."""
    if isinstance(wanted, float) and not math.isfinite(wanted):
        return False
    start = skip_space(text, 0)
    if text[start : start + 1] != "[":
        return None
    try:
        for position in items_at(text, start):
            if _is_same(value_at(text, position)[0], wanted):
                return True
    except MalformedError:
        return None
    return False


def _is_same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    if isinstance(wanted, str):
        return type(value) is str and value == wanted
    if not isinstance(value, Number):
        return False
    if isinstance(wanted, int):
        return value.is_whole and int(value) == wanted and _LONG[0] <= int(value) <= _LONG[1]
    return not value.is_whole and math.isfinite(float(value)) and float(value) == wanted


def _extract_scalar(site: CallSite) -> Sql:
    """Strings, booleans and whole numbers natively; DuckDB would change other numbers' text."""
    arguments = tuple(zip(site.arguments, site.types, strict=True))
    path = _plain_path(site)
    if path is None:
        return site.call_python(extract_scalar, *arguments)

    def body(text: Sql) -> Sql:
        general = site.call_python(extract_scalar, (text, site.types[0]), arguments[1])
        kind = native.kind(text, path)
        return case(
            [
                (Sql(f"({kind} IN {native.TEXT_KINDS})"), _native_text(text, path)),
                (Sql(f"({kind} IN ('OBJECT', 'ARRAY', 'MISSING'))"), NULL),
            ],
            general,
        )

    return bind([site.arguments[0]], body)


def _native_text(text: Sql, path: Sql) -> Sql:
    return Sql(f"json_extract_string({text}, {path})")


def _native_value(text: Sql, path: Sql) -> Sql:
    return Sql(f"CAST(json_extract({text}, {path}) AS VARCHAR)")


def _plain_path(site: CallSite) -> Sql | None:
    """A constant path of plain names, for DuckDB."""
    path = site.constant(1) if site.is_constant(1) else None
    steps = path_steps(path) if isinstance(path, str) and _is_path(path) else ()
    if not steps or not all(native.PLAIN_NAME.fullmatch(step) for step in steps):
        return None
    return native.path(steps)


def _extract(site: CallSite) -> Sql:
    """Natively unless the value holds numbers or characters that Jackson writes otherwise."""
    path = _plain_path(site)
    if path is None:
        return site.call_python(extract, *zip(site.arguments, site.types, strict=True))

    def body(text: Sql) -> Sql:
        arguments = ((text, site.types[0]), (site.arguments[1], site.types[1]))
        found = _native_value(text, path)
        is_plain = Sql(f"({native.is_strict(text)} AND {native.is_rewritten(found)} IS NOT TRUE)")
        return case([(is_plain, found)], site.call_python(extract, *arguments))

    return bind([site.arguments[0]], body)


_ROOT: Final = native.path(())


def _array_length(site: CallSite) -> Sql:
    def body(text: Sql) -> Sql:
        general = site.call_python(array_length, (text, site.types[0]))
        is_array = Sql(f"({native.kind(text, _ROOT)} = 'ARRAY')")
        return case([(is_array, Sql(f"CAST(json_array_length({text}) AS BIGINT)"))], general)

    return bind([site.arguments[0]], body)


def _array_get(site: CallSite) -> Sql:
    """By a constant index from the start; strings, booleans and whole numbers as their text."""
    arguments = tuple(zip(site.arguments, site.types, strict=True))
    index = site.constant(1) if site.is_constant(1) else None
    if not isinstance(index, int) or not 0 <= index <= _INDEX_MAX:
        return site.call_python(array_get, *arguments)
    path = native.path([index])

    def body(text: Sql) -> Sql:
        general = site.call_python(array_get, (text, site.types[0]), arguments[1])
        kind = native.kind(text, path, condition=Sql(f"(json_type({text}) = 'ARRAY')"))
        return case(
            [
                (Sql(f"({kind} IN {native.TEXT_KINDS})"), _native_text(text, path)),
                (Sql(f"({kind} = 'MISSING')"), NULL),
            ],
            general,
        )

    return bind([site.arguments[0]], body)


_UNQUOTED: Final = re.compile(r'[^"\\,\x00-\x1f\U00010000-\U0010ffff]+')


def _array_contains(site: CallSite) -> Sql:
    """A constant text natively: in an array of scalars without escapes it stands in quotes."""
    arguments = tuple(zip(site.arguments, site.types, strict=True))
    wanted = site.constant(1) if site.is_constant(1) else None
    if not isinstance(wanted, str) or not _UNQUOTED.fullmatch(wanted):
        return site.call_python(array_contains, *arguments)
    quoted = text_literal(f'"{wanted}"')

    def body(text: Sql) -> Sql:
        general = site.call_python(array_contains, (text, site.types[0]), arguments[1])
        is_flat = Sql(
            f"(NOT contains({text}, '\\') AND NOT contains({text}, '{{')"
            f" AND strpos({text}[2:], '[') = 0 AND json_type({text}) = 'ARRAY')"
        )
        is_known = Sql(f"({native.is_strict(text)} AND {is_flat})")
        return case([(is_known, Sql(f"contains({text}, {quoted})"))], general)

    return bind([site.arguments[0]], body)


def _size(site: CallSite) -> Sql:
    """Members of objects without escapes and repeated names, and items, natively."""
    arguments = tuple(zip(site.arguments, site.types, strict=True))
    is_root = site.is_constant(1) and site.constant(1) == "$"
    path = _ROOT if is_root else _plain_path(site)
    if path is None:
        return site.call_python(size, *arguments)

    def body(text: Sql) -> Sql:
        general = site.call_python(size, (text, site.types[0]), arguments[1])
        kind = native.kind(text, path)
        members = f"len(json_keys({text}, {path}))"
        items = f"json_array_length({text}, {path})"
        return case(
            [
                (Sql(f"({kind} = 'OBJECT')"), Sql(f"CAST({members} AS BIGINT)")),
                (Sql(f"({kind} = 'ARRAY')"), Sql(f"CAST({items} AS BIGINT)")),
            ],
            general,
        )

    return bind([site.arguments[0]], body)


def _is_path(text: str) -> bool:
    try:
        path_steps(text)
    except FunctionError:
        return False
    return True


def _is_scalar(site: CallSite) -> Sql:
    if isinstance(site.types[0], Varchar):
        return site.call_python(is_scalar, (site.arguments[0], site.types[0]))
    return Sql(f"({site.arguments[0]}[1] NOT IN ('{{', '['))")


SCALARS: Final[ScalarTable] = {
    "is_json_scalar": _is_scalar,
    "json_array_contains": _array_contains,
    "json_array_get": _array_get,
    "json_array_length": _array_length,
    "json_extract": _extract,
    "json_extract_scalar": _extract_scalar,
    "json_format": "{0}",
    "json_parse": ArrowFunction(parse),
    "json_size": _size,
}
