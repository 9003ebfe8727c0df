"""Regular expressions. https://trino.io/docs/current/functions/regexp.html"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from querysvc.engines.duckdb.functions.java_regex import Pattern, compile_pattern
from querysvc.engines.duckdb.functions.java_regex_classes import bad
from querysvc.engines.duckdb.functions.registry import ArrowFunction, CallSite, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import by_row
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case
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
            " lambda p: p[1] || coalesce(p[2], '')), '')"
        )
        return case([(Sql(f"({pieces} IS NOT NULL)"), Sql(f"({joined} || {pieces}.f2)"))])

    return bind([found], body)


def _arrow(function: Callable[..., Any]) -> ArrowFunction:
    return ArrowFunction(by_row(function))


_LAMBDA: Final = "regexp_replace(varchar,joniregexp,function(array(varchar),varchar(x)))"

SCALARS: Final[ScalarTable] = {
    "regexp_count": _arrow(_count),
    "regexp_extract": _arrow(_extract),
    "regexp_extract_all": _arrow(_extract_all),
    "regexp_like": _arrow(_like),
    "regexp_position": _arrow(_position),
    "regexp_replace": _arrow(_replace),
    _LAMBDA: _replace_by_lambda,
    "regexp_split": _arrow(_split),
}
