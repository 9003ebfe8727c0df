"""Characters, escapes and bracketed classes of Trino's regular expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from querysvc.engines.duckdb.functions.vectorised import FunctionError, failure
from querysvc.errors import ErrorCode

# Shorthands are of ASCII, the POSIX names of Unicode.
SHORTHANDS: Final[Mapping[str, str]] = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": r"[\t-\r\ ]",
    "S": r"[^\t-\r\ ]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
}
_POSIX: Final[Mapping[str, str]] = {
    "alnum": r"\p{Alphabetic}\p{Nd}",
    "alpha": r"\p{Alphabetic}",
    "ascii": r"\x00-\x7f",
    "blank": r"\t\p{Zs}",
    "cntrl": r"\p{Cc}",
    "digit": r"\p{Nd}",
    "graph": r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}",
    "lower": r"\p{Lowercase}",
    "print": r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}\p{Zs}",
    "punct": r"\p{P}",
    "space": r"\p{White_Space}",
    "upper": r"\p{Uppercase}",
    "xdigit": "0-9A-Fa-f",
    "word": r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}",
}
_PROPERTIES: Final[Mapping[str, str]] = {
    **_POSIX,
    "any": r"\x00-\U0010ffff",
    "alphabetic": r"\p{Alphabetic}",
    "lowercase": r"\p{Lowercase}",
    "uppercase": r"\p{Uppercase}",
    "whitespace": r"\p{White_Space}",
    "inbasiclatin": r"\x00-\x7f",
}
_CATEGORY_NAMES: Final = """
    l lu ll lt lm lo m mn mc me n nd nl no p pc pd ps pe pi pf po s sm sc sk so z zs zl zp
    c cc cf co
"""
_CATEGORIES: Final = frozenset(_CATEGORY_NAMES.split())
_SCRIPT_NAMES: Final = """
    arabic armenian bengali bopomofo cherokee common coptic cyrillic devanagari ethiopic georgian
    gothic greek gujarati gurmukhi han hangul hebrew hiragana inherited kannada katakana khmer lao
    latin malayalam mongolian myanmar ogham oriya runic sinhala syriac tamil telugu thaana thai
    tibetan
"""
_SCRIPTS: Final = frozenset(_SCRIPT_NAMES.split())
_CONTROLS: Final[Mapping[str, str]] = {
    "t": "\t",
    "n": "\n",
    "r": "\r",
    "f": "\f",
    "v": "\v",
    "a": "\a",
    "e": "\x1b",
}
_HEX: Final = re.compile(r"x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})")
_OCTAL: Final = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{0,2}")
_PROPERTY: Final = re.compile(r"[pP]\{([^}]*)\}|[pP]([A-Za-z])")
_BRACKET: Final = re.compile(r"\[:(\^?)([a-zA-Z]+):\]")


def bad(message: str) -> FunctionError:
    """The error of a pattern that Joni refuses."""
    return failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)


def unknown(what: str) -> FunctionError:
    """The refusal of a construct whose meaning is not known to be kept."""
    return failure(ErrorCode.NOT_SUPPORTED, f"{what} is not supported by the DuckDB engine")


def literal(character: str) -> str:
    """The character as itself, within and without brackets."""
    if character.isalnum() or character == "_":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\U{code:08x}"


def any_case(character: str) -> str:
    """The character in any case: the module's own folding loses characters like the sharp s."""
    same = _same_fold().get(_fold(character), character)
    return literal(character) if len(same) == 1 else f"[{''.join(map(literal, same))}]"


def _fold(character: str) -> str:
    folded = character.casefold()
    return folded if len(folded) == 1 else character.lower()


@cache
def _same_fold() -> dict[str, str]:
    groups: dict[str, str] = {}
    for code in range(0x1E944):
        if not 0xD800 <= code <= 0xDFFF:
            key = _fold(chr(code))
            groups[key] = groups.get(key, "") + chr(code)
    return groups


def parse_property(text: str, at: int) -> tuple[str, int]:
    """The class `p{name}` after a backslash, and where it ends."""
    match = _PROPERTY.match(text, at)
    if match is None:
        raise unknown(f"\\{text[at]} in a regular expression")
    return f"[{'^' if text[at] == 'P' else ''}{_property(match[1] or match[2])}]", match.end()


def _property(name: str) -> str:
    """The characters of a Unicode property, category or script."""
    folded = name.lower().replace(" ", "").replace("-", "")
    if folded in _PROPERTIES:
        return _PROPERTIES[folded]
    if folded in _CATEGORIES or folded in _SCRIPTS:
        return f"\\p{{{folded}}}"
    is_refused = "_" in name or "=" in name or "^" in name or folded.startswith("is")
    if is_refused or not _is_known(folded):
        raise bad(f"invalid character property name <{name}>")
    raise unknown(f"\\p{{{name}}} in a regular expression")


def _is_known(name: str) -> bool:
    """Whether something may have the name: a block, a Java class, a property of the module."""
    if name.startswith(("in", "java")) or len(name) <= 4:
        return name not in ("foo", "bar")
    import regex

    try:
        regex.compile(f"\\p{{{name}}}")
    except regex.error:
        return False
    return True


def parse_character(text: str, at: int) -> tuple[str, int]:
    """The character that an escape stands for, and where it ends."""
    character = text[at]
    if character in _CONTROLS:
        return _CONTROLS[character], at + 1
    numbered = _numbered(text, at)
    if numbered is not None:
        return numbered
    if character == "c":
        if at + 1 >= len(text):
            raise bad("end pattern at control")
        return chr(ord(text[at + 1]) & 0x1F), at + 2
    if character in "xuCM":
        raise unknown(f"\\{character} in a regular expression")
    return character, at + 1


def _numbered(text: str, at: int) -> tuple[str, int] | None:
    """A character by its hexadecimal or octal number."""
    match = _HEX.match(text, at)
    octal = _OCTAL.match(text, at) if match is None else None
    if match is not None:
        code = int(match[1] or match[2] or match[3], 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise bad("invalid code point value")
    elif octal is not None:
        code = int(octal[0], 8)
    else:
        return None
    if code > 0x7F and (octal is not None or (match is not None and match[2])):
        raise unknown("a byte by its number in a regular expression")  # of the encoding
    found = match or octal
    assert found is not None
    return chr(code), found.end()


def parse_class(text: str, at: int) -> tuple[str, int]:
    """A bracketed class that starts at the bracket, and where it ends."""
    start = at + 1
    is_negated = text.startswith("^", start)
    start += is_negated
    parts, at = _operands(text, start)
    inner = parts[0] if len(parts) == 1 else "&&".join(f"[{part}]" for part in parts)
    return f"[{'^' if is_negated else ''}{inner}]", at


# In no character: what an empty operand of && holds.
_NOTHING: Final = r"[^\x00-\U0010ffff]"


def _operands(text: str, at: int) -> tuple[list[str], int]:
    """The operands of `&&`, up to the closing bracket."""
    operands, current = [], ""
    is_first = True
    while True:
        if at >= len(text):
            raise bad("premature end of char-class")
        character = text[at]
        if character == "]" and not is_first:
            operands.append(current or _NOTHING)
            return operands, at + 1
        if character == "]" and "]" not in text[at + 1 :]:
            raise bad("empty char-class")
        is_first = False
        if text.startswith("&&", at):
            operands.append(current or _NOTHING)
            current, at = "", at + 2
        elif character == "[":
            item, at = _nested(text, at)
            current += item
        else:
            item, at = _range(text, at)
            current += item


def _nested(text: str, at: int) -> tuple[str, int]:
    match = _BRACKET.match(text, at)
    if match is None:
        return parse_class(text, at)
    name = match[2]
    if name not in _POSIX:
        raise bad("invalid POSIX bracket type")
    return f"[{match[1]}{_POSIX[name]}]", match.end()


def _range(text: str, at: int) -> tuple[str, int]:
    """A character, a range of two, or an escape for several."""
    first, end = _item(text, at)
    if not text.startswith("-", end) or text.startswith("-]", end) or text.startswith("-&&", end):
        return first if len(first) > 1 else literal(first), end
    if len(first) > 1 or text.startswith("-[", end):
        raise unknown("a class followed by a hyphen in a regular expression")
    if end + 1 >= len(text):
        raise bad("premature end of char-class")
    last, after = _item(text, end + 1)
    if len(last) > 1:
        raise bad("char-class value at end of range")
    if ord(last) < ord(first):
        raise bad("empty range in char class")
    return f"{literal(first)}-{literal(last)}", after


def _item(text: str, at: int) -> tuple[str, int]:
    """One character as itself, or the text of a class of several."""
    if text[at] != "\\":
        return text[at], at + 1
    if at + 1 >= len(text):
        raise bad("end pattern at escape")
    character = text[at + 1]
    if character in SHORTHANDS:
        return SHORTHANDS[character], at + 2
    if character in "pP":
        return parse_property(text, at + 1)
    if character == "b":
        return "\b", at + 2
    if character in "QE":
        raise unknown(f"\\{character} in brackets of a regular expression")
    return parse_character(text, at + 1)
