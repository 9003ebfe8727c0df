"""Patterns of Trino's regular expressions, for Python's `regex` module.

Trino runs Joni with Java's syntax: https://trino.io/docs/current/functions/regexp.html. The pattern
is parsed here and every construct written anew in the module's version 1 syntax, so that nothing
keeps another meaning by accident. What Joni refuses is INVALID_FUNCTION_ARGUMENT, what is not known
to mean the same NOT_SUPPORTED.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from querysvc.engines.duckdb.functions import java_regex_classes as classes
from querysvc.engines.duckdb.functions.java_regex_classes import bad, unknown

_INTERVAL: Final = re.compile(r"\{(\d+)(,(\d*))?\}")
_OPTIONS: Final = re.compile(r"\?([imsx]*)(?:-([imsx]*))?([:)])")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_REPEAT_MAX: Final = 100_000

_END: Final = "$"
"""`$` and `\\Z`: the end, or before a newline that ends the text."""
_LINE_START: Final = r"(?:\A|(?<=\n)(?!\Z))"
_LINE_END: Final = "(?m:$)"
_WORD: Final = r"[\p{L}\p{M}\p{N}\p{Pc}]"
_BOUNDARY: Final = rf"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))"
_NO_BOUNDARY: Final = rf"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))"
_ANCHORS: Final = {
    "A": r"\A",
    "z": r"\Z",
    "Z": _END,
    "b": _BOUNDARY,
    "B": _NO_BOUNDARY,
    "G": r"\G",
}
_LOOKS: Final = {"?=": "(?=", "?!": "(?!", "?<=": "(?<=", "?<!": "(?<!", "?>": "(?>", "?:": "(?:"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern with what replacing needs to know of its groups."""

    compiled: Any
    groups: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Options:
    ignore_case: bool = False
    multi_line: bool = False
    dot_all: bool = False
    extended: bool = False


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Pattern:
    """The pattern compiled."""
    import regex

    parser = _Parser(pattern)
    try:
        text = parser.parse()
        compiled = regex.compile(text, regex.V1)
    except regex.error as error:
        raise unknown(f"a regular expression ({error})") from error
    except RecursionError as error:
        raise unknown("a regular expression nested so deep") from error
    return Pattern(compiled, parser.groups, tuple(parser.names))


class _Parser:
    """A recursive descent over the pattern; it writes the module's syntax as it reads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0
        self.names: list[str] = []
        self.references: list[int] = []
        self.named_references: list[str] = []
        self.depth = 0

    def parse(self) -> str:
        result = self._alternatives(_Options())
        if self.at < len(self.text):
            raise bad("unmatched close parenthesis")
        if any(number > self.groups for number in self.references):
            raise bad("invalid backref number/name")
        if set(self.named_references) - set(self.names):
            raise bad("undefined name reference")
        return result

    def _alternatives(self, options: _Options) -> str:
        """Alternatives up to a closing parenthesis or the end."""
        self.depth += 1
        if self.depth > 200:
            raise unknown("a regular expression nested so deeply")
        branches, current = [], ""
        is_isolated = False
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                if is_isolated:  # an option in the middle binds differently there
                    raise unknown("a regular expression with options before an alternative")
                self.at += 1
                branches.append(current)
                current = ""
                continue
            changed = self._changed_options(options)
            if changed is not None:
                is_isolated = is_isolated or bool(current or branches)
                options = changed
                continue
            current += self._quantified(options)
        self.depth -= 1
        return "|".join([*branches, current])

    def _changed_options(self, options: _Options) -> _Options | None:
        """The options after `(?i)`; None where the text is something else."""
        if not self.text.startswith("(", self.at):
            return None
        match = _OPTIONS.match(self.text, self.at + 1)
        if match is None or match[3] != ")":
            return None
        self.at = match.end()
        return _with(options, match)

    def _quantified(self, options: _Options) -> str:
        atom = self._atom(options)
        if atom is None:
            return ""
        while self.at < len(self.text):
            mark = self._quantifier(options)
            if mark is None:
                break
            atom = f"(?:{atom}){mark}"
        return atom

    def _quantifier(self, options: _Options) -> str | None:
        self._skip_space(options)
        character = self.text[self.at : self.at + 1]
        if character and character in "*+?":
            self.at += 1
            return character + self._suffix()
        match = _INTERVAL.match(self.text, self.at) if character == "{" else None
        if match is None:
            return None
        low, high = int(match[1]), int(match[3]) if match[3] else None
        if max(low, high or 0) > _REPEAT_MAX:
            raise bad("too big number for repeat range")
        if high is not None and high < low:
            raise bad("too big wide range in repeat")
        self.at = match.end()
        return match[0] + self._suffix()

    def _suffix(self) -> str:
        """Lazy or possessive."""
        if self.text[self.at : self.at + 1] in ("?", "+"):
            self.at += 1
            return self.text[self.at - 1]
        return ""

    def _skip_space(self, options: _Options) -> None:
        while options.extended and self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end + 1
            elif self.text[self.at] in " \t\n\r\f\v":
                self.at += 1
            else:
                break

    def _atom(self, options: _Options) -> str | None:
        self._skip_space(options)
        if self.at >= len(self.text) or self.text[self.at] in "|)":
            return None
        character = self.text[self.at]
        if character == "(":
            return self._group(options)
        if character == "[":
            text, self.at = classes.parse_class(self.text, self.at)
            return _folded(text, options)
        self.at += 1
        if character == "\\":
            return self._escape(options)
        if character == ".":
            return "(?s:.)" if options.dot_all else r"[^\n]"
        if character == "^":
            return _LINE_START if options.multi_line else r"\A"
        if character == "$":
            return _LINE_END if options.multi_line else _END
        if character in "*+?" or (
            character == "{" and _INTERVAL.match(self.text, self.at - 1) is not None
        ):
            raise bad("target of repeat operator is not specified")
        return _literal(character, options)

    def _group(self, options: _Options) -> str | None:
        self.at += 1
        text, at = self.text, self.at
        if text.startswith("?#", at):
            end = text.find(")", at)
            if end < 0:
                raise bad("end pattern in group")
            self.at = end + 1
            return None
        if not text.startswith("?", at):
            self.groups += 1
            return self._closed("(", options)
        for mark in ("?<=", "?<!", "?=", "?!", "?>", "?:"):
            if text.startswith(mark, at):
                self.at += len(mark)
                return self._closed(_LOOKS[mark], options)
        if text.startswith("?<", at):
            return self._named(options)
        match = _OPTIONS.match(text, at)
        if match is None:
            raise bad("undefined group option")
        self.at = match.end()
        return self._closed("(?:", _with(options, match))

    def _named(self, options: _Options) -> str:
        end = self.text.find(">", self.at)
        name = self.text[self.at + 2 : end] if end >= 0 else ""
        if not _NAME.fullmatch(name):
            raise bad(f"group name is invalid: {name}")
        if name in self.names:
            raise bad(f"multiplex defined name <{name}>")
        self.at = end + 1
        self.groups += 1
        self.names.append(name)
        return self._closed(f"(?P<{name}>", options)

    def _closed(self, opening: str, options: _Options) -> str:
        inner = self._alternatives(options)
        if self.at >= len(self.text):
            raise bad("end pattern with unmatched parenthesis")
        self.at += 1
        return f"{opening}{inner})"

    def _escape(self, options: _Options) -> str | None:
        if self.at >= len(self.text):
            raise bad("end pattern at escape")
        character = self.text[self.at]
        if character in _ANCHORS:
            self.at += 1
            return _ANCHORS[character]
        if character == "Q":
            return self._quoted(options)
        if character == "k":
            return self._named_reference(options)
        if character in "123456789":
            reference = self._reference()
            if reference is not None:
                return _folded(f"(?:\\g<{reference}>)", options)
        if character in classes.SHORTHANDS:  # of ASCII, whatever the case
            self.at += 1
            return classes.SHORTHANDS[character]
        if character in "pP":
            text, self.at = classes.parse_property(self.text, self.at)
            return _folded(text, options)
        plain, self.at = classes.parse_character(self.text, self.at)
        return _literal(plain, options)

    def _quoted(self, options: _Options) -> str | None:
        end = self.text.find("\\E", self.at)
        quoted = self.text[self.at + 1 : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        if len(quoted) > 1 and self.at < len(self.text) and self.text[self.at] in "*+?{":
            raise unknown("a repeated \\Q…\\E in a regular expression")
        return "".join(_literal(character, options) for character in quoted) or None

    def _named_reference(self, options: _Options) -> str:
        match = re.compile(r"k<([^>]*)>").match(self.text, self.at)
        if match is None:
            raise unknown("\\k in a regular expression")
        if not _NAME.fullmatch(match[1]):
            raise unknown(f"\\k<{match[1]}> in a regular expression")
        self.named_references.append(match[1])
        self.at = match.end()
        return _folded(f"(?P={match[1]})", options)

    def _reference(self) -> int | None:
        """A back reference; more digits than groups are an octal character."""
        match = re.compile(r"\d+").match(self.text, self.at)
        assert match is not None
        number = int(match[0])
        if number > 9 and number > self.groups:
            return None
        self.at = match.end()
        self.references.append(number)
        return number


def _with(options: _Options, match: re.Match[str]) -> _Options:
    names = {"i": "ignore_case", "m": "multi_line", "s": "dot_all", "x": "extended"}
    changes = {names[letter]: True for letter in match[1]}
    changes.update({names[letter]: False for letter in match[2] or ""})
    return replace(options, **changes)


def _folded(text: str, options: _Options) -> str:
    return f"(?i:{text})" if options.ignore_case else text


def _literal(character: str, options: _Options) -> str:
    return classes.any_case(character) if options.ignore_case else classes.literal(character)
