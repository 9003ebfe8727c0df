"""Regular expressions. https://trino.io/docs/current/functions/regexp.html"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from querysvc.engines.duckdb.functions.java_regex import Pattern, compile_pattern
from querysvc.engines.duckdb.functions.java_regex_classes import bad
from querysvc.engines.duckdb.functions.native_regexps import (
    NativePattern,
    native_pattern,
    native_replacement,
)
from querysvc.engines.duckdb.functions.registry import (
    CallSite,
    ScalarEntry,
    ScalarTable,
)
from querysvc.engines.duckdb.functions.vectorised import by_row
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, text_literal
from querysvc.types.algebra import Array, Row, RowField, Varchar

_TEXT: Final = Varchar(None)
_PIECES: Final = Row(
    (RowField(None, Array(_TEXT)), RowField(None, Array(Array(_TEXT))), RowField(None, _TEXT))
)


def _matches(pattern: Pattern, text: str, start: int = 0) -> Iterator[Any]:
    """The matches from left to right; after an empty one the next starts a character later."""
    while start <= len(text):
        for match in pattern.compiled.finditer(text, start):
            yield match
            if match.end() == match.start():
                start = match.end() + 1
                break
        else:
            return


def _checked_group(pattern: Pattern, group: int) -> int:
    if not 0 <= group <= pattern.groups:
        if group < 0:
            raise bad("Group cannot be negative")
        raise bad(f"Pattern has {pattern.groups} groups. Cannot access group {group}")
    return group


def _like(text: str, source: str) -> bool:
    return compile_pattern(source).compiled.search(text) is not None


def _count(text: str, source: str) -> int:
    return sum(1 for _ in _matches(compile_pattern(source), text))


def _extract(text: str, source: str, group: int = 0) -> str | None:
    pattern = compile_pattern(source)
    group = _checked_group(pattern, group)
    match = pattern.compiled.search(text)
    return None if match is None else match.group(group)


def _extract_all(text: str, source: str, group: int = 0) -> list[str | None]:
    pattern = compile_pattern(source)
    group = _checked_group(pattern, group)
    return [match.group(group) for match in _matches(pattern, text)]


def _position(text: str, source: str, start: int = 1, occurrence: int = 1) -> int:
    pattern = compile_pattern(source)
    if start < 1:
        raise bad("start position cannot be smaller than 1")
    if occurrence < 1:
        raise bad("occurrence cannot be smaller than 1")
    if start > len(text):
        return -1
    for number, match in enumerate(_matches(pattern, text, start - 1), 1):
        if number == occurrence:
            return int(match.start()) + 1
    return -1


def _split(text: str, source: str) -> list[str]:
    pieces, last = [], 0
    for match in _matches(compile_pattern(source), text):
        pieces.append(text[last : match.start()])
        last = match.end()
    return [*pieces, text[last:]]


class _EmptyMatchError(Exception):
    """A match without characters, after which the module goes on differently."""


def _replace(text: str, source: str, replacement: str = "") -> str:
    pattern = compile_pattern(source)

    def fill(match: Any) -> str:
        if match.end() == match.start():
            raise _EmptyMatchError
        return _expanded(replacement, pattern, match)

    try:
        return str(pattern.compiled.sub(fill, text))
    except _EmptyMatchError:
        pass
    pieces, last = [], 0
    for match in _matches(pattern, text):
        pieces.append(text[last : match.start()])
        pieces.append(_expanded(replacement, pattern, match))
        last = match.end()
    return "".join([*pieces, text[last:]])


def _expanded(replacement: str, pattern: Pattern, match: Any) -> str:
    """The replacement with `$1` and `${name}` filled in; a backslash quotes what follows."""
    if "$" not in replacement and "\\" not in replacement:
        return replacement
    pieces, at = [], 0
    while at < len(replacement):
        character = replacement[at]
        at += 1
        if character == "\\":
            if at == len(replacement):
                raise bad(f"Illegal replacement sequence: {replacement}")
            pieces.append(replacement[at])
            at += 1
        elif character == "$":
            text, at = _reference(replacement, at, pattern, match)
            pieces.append(text)
        else:
            pieces.append(character)
    return "".join(pieces)


def _reference(replacement: str, at: int, pattern: Pattern, match: Any) -> tuple[str, int]:
    if replacement.startswith("{", at):
        end = replacement.find("}", at)
        name = replacement[at + 1 : end] if end >= 0 else ""
        if name not in pattern.names:
            raise bad(f"Illegal replacement sequence: unknown group {{ {name} }}")
        return match.group(name) or "", end + 1
    digit = replacement[at : at + 1]
    if not (digit.isascii() and digit.isdigit()):
        raise bad(f"Illegal replacement sequence: {replacement}")
    group, at = int(digit), at + 1
    if group > pattern.groups:
        raise bad(f"Illegal replacement sequence: unknown group {group}")
    while replacement[at : at + 1].isdigit() and replacement[at].isascii():
        longer = group * 10 + int(replacement[at])
        if longer > pattern.groups:
            break
        group, at = longer, at + 1
    return match.group(group) or "", at


def _pieces(text: str, source: str) -> dict[str, Any]:
    """The texts before the matches, the matches' groups, and the text after the last."""
    before, groups, last = [], [], 0
    for match in _matches(compile_pattern(source), text):
        before.append(text[last : match.start()])
        groups.append(list(match.groups()))
        last = match.end()
    return {"f0": before, "f1": groups, "f2": text[last:]}


_PIECES_BATCH: Final = by_row(_pieces)


def _replace_by_lambda(site: CallSite) -> Sql:
    text, pattern, function = site.arguments
    found = site.call_python(
        _PIECES_BATCH, (text, site.types[0]), (pattern, site.types[1]), result=_PIECES
    )

    def body(pieces: Sql) -> Sql:
        replaced = f"list_transform({pieces}.f1, {function})"
        joined = (
            f"array_to_string(list_transform(list_zip({pieces}.f0, {replaced}),"
            " lambda p: p[1] || p[2]), '')"
        )
        # One NULL makes the answer NULL; array_to_string() would leave it out.
        is_known = f"({pieces} IS NOT NULL AND len({replaced}) = list_count({replaced}))"
        return case([(Sql(is_known), Sql(f"({joined} || {pieces}.f2)"))])

    return bind([found], body)


def _native(site: CallSite) -> NativePattern | None:
    pattern = site.constant(1) if site.is_constant(1) else None
    return native_pattern(pattern) if isinstance(pattern, str) else None


def _walked(site: CallSite) -> Sql | None:
    """The pattern for RE2 where its matches may be walked one after the other."""
    native = _native(site)
    if native is None or native.is_empty_possible or native.has_end or native.has_start:
        return None
    return text_literal(native.text)


def _native_like(site: CallSite) -> Sql | None:
    native = _native(site)
    if native is None:
        return None
    pattern = text_literal(f"(?:{native.text})\\n?\\z" if native.has_end else native.text)
    return Sql(f"regexp_matches({site.arguments[0]}, {pattern})")


def _native_extract(site: CallSite) -> Sql | None:
    native, group = _native(site), 0
    if len(site.arguments) == 3:
        constant = site.constant(2) if site.is_constant(2) else None
        if not isinstance(constant, int):
            return None
        group = constant
    if native is None or not (group == 0 or group in native.sure_groups):
        return None
    is_empty = group in native.empty_groups if group else native.is_empty_possible
    pattern, place = text_literal(native.text), group
    if native.has_end:  # the match itself is without the newline
        pattern, place = text_literal(f"({native.text})\\n?\\z"), group + 1
    if place > 9:
        return None

    def body(text: Sql) -> Sql:
        found = Sql(f"regexp_extract({text}, {pattern}, {place})")
        if not is_empty:
            return Sql(f"nullif({found}, '')")
        return case([(Sql(f"regexp_matches({text}, {pattern})"), found)])

    return bind([site.arguments[0]], body)


def _native_all(site: CallSite) -> Sql | None:
    pattern = _walked(site)
    if pattern is None or len(site.arguments) == 3:
        return None
    return Sql(f"regexp_extract_all({site.arguments[0]}, {pattern})")


def _native_count(site: CallSite) -> Sql | None:
    found = _native_all(site)
    return None if found is None else Sql(f"len({found})")


def _native_position(site: CallSite) -> Sql | None:
    """Behind what stands before the first match."""
    pattern = _walked(site)
    native = _native(site)
    if pattern is None or native is None or len(site.arguments) > 2:
        return None
    before = text_literal(f"\\A((?s:.*?))(?:{native.text})")

    def body(text: Sql) -> Sql:
        place = Sql(f"(length(regexp_extract({text}, {before}, 1)) + 1)")
        is_found = Sql(f"regexp_matches({text}, {pattern})")
        missing = Sql(f"(CASE WHEN {text} IS NOT NULL THEN CAST(-1 AS BIGINT) END)")
        return case([(is_found, place)], missing)

    return bind([site.arguments[0]], body)


def _native_split(site: CallSite) -> Sql | None:
    pattern = _walked(site)
    return pattern and Sql(f"string_split_regex({site.arguments[0]}, {pattern})")


def _native_replace(site: CallSite) -> Sql | None:
    native, pattern = _native(site), _walked(site)
    if native is None or pattern is None:
        return None
    replacement = ""
    if len(site.arguments) == 3:
        constant = site.constant(2) if site.is_constant(2) else None
        filled = native_replacement(constant, native.groups) if isinstance(constant, str) else None
        if filled is None:
            return None
        replacement = filled
    new = text_literal(replacement)
    return Sql(f"regexp_replace({site.arguments[0]}, {pattern}, {new}, 'g')")


def _either(native: Callable[[CallSite], Sql | None], function: Callable[..., Any]) -> ScalarEntry:
    """RE2 where it is exact, else Python."""
    python = by_row(function)

    def build(site: CallSite) -> Sql:
        found = native(site)
        if found is not None:
            return found
        return site.call_python(python, *zip(site.arguments, site.types, strict=True))

    return build


_LAMBDA: Final = "regexp_replace(varchar,joniregexp,function(array(varchar),varchar(x)))"

SCALARS: Final[ScalarTable] = {
    "regexp_count": _either(_native_count, _count),
    "regexp_extract": _either(_native_extract, _extract),
    "regexp_extract_all": _either(_native_all, _extract_all),
    "regexp_like": _either(_native_like, _like),
    "regexp_position": _either(_native_position, _position),
    "regexp_replace": _either(_native_replace, _replace),
    _LAMBDA: _replace_by_lambda,
    "regexp_split": _either(_native_split, _split),
}
