"""The string functions that DuckDB lacks, each of one row's Python values."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any, Final

from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.errors import ErrorCode

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT

_SOUNDEX: Final = "01230120022455012623010202"
"""The digit of each letter from A, as the US census has it."""

_STEMMERS: Final = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}


def levenshtein(first: str, second: str) -> int:
    """The edits of one character that turn one text into the other."""
    previous = list(range(len(second) + 1))
    for row, left in enumerate(first, 1):
        current = [row]
        for column, right in enumerate(second, 1):
            change = previous[column - 1] + (left != right)
            current.append(min(change, previous[column] + 1, current[-1] + 1))
        previous = current
    return previous[-1]


def hamming(first: str, second: str) -> int:
    """The places at which two texts of one length differ."""
    return sum(left != right for left, right in zip(first, second, strict=True))


def position(text: str, part: str, instance: int) -> int:
    """Where the n-th (from the end if negative) occurrence starts, from 1; 0 if there is none."""
    if instance in (0, -(2**63)):
        raise failure(_INVALID, "'instance' must be a positive or negative number.")
    if not part:
        return 1
    if instance < 0:
        return _position_from_end(text, part, -instance)
    found = -1
    for _ in range(instance):
        found = text.find(part, found + 1)
        if found < 0:
            return 0
    return found + 1


def _position_from_end(text: str, part: str, instance: int) -> int:
    end, found = len(text), -1
    for _ in range(instance):
        found = text.rfind(part, 0, end)
        if found < 0:
            return 0
        end = found + len(part) - 1  # occurrences may overlap
    # From the end Trino counts UTF-16 units, not code points.
    return len(text[:found].encode("utf-16-le")) // 2 + 1


def soundex(text: str) -> str:
    """A letter and three digits; H and W do not part equal digits, vowels do."""
    # Java looks at UTF-16 units: halves of a pair are no letters.
    letters = "".join(c for c in text if c.isalpha() and c <= "\uffff").upper()
    if not letters:
        return ""
    code, last = letters[0], _soundex_digit(letters[0])
    for letter in letters[1:]:
        if len(code) == 4:
            break
        if letter in "HW":
            continue
        digit = _soundex_digit(letter)
        if digit not in ("0", last):
            code += digit
        last = digit
    return code.ljust(4, "0")


def _soundex_digit(letter: str) -> str:
    index = ord(letter) - ord("A")
    if not 0 <= index < len(_SOUNDEX):
        raise failure(_INVALID, f"The character is not mapped: {letter} (index={index})")
    return _SOUNDEX[index]


def luhn_check(text: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    if not text:
        return False
    if not (text.isascii() and text.isdigit()):
        raise failure(_INVALID, "Input contains non-digit character")
    total = 0
    for index, digit in enumerate(reversed(text)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def normalize(text: str, form: str) -> str:
    """The text in the Unicode normalization form."""
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise failure(_INVALID, "Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]  # checked above


def char_to_hex(text: str) -> str:
    """The hexadecimal digits of the text in UTF-16."""
    return text.encode("utf-16-be").hex().upper()


def split_to_map(text: str, entry_delimiter: str, key_delimiter: str) -> list[tuple[str, str]]:
    """The entries `key` delimiter `value` as a map; a key must not come twice."""
    entries: dict[str, str] = {}
    for key, value in _entries(text, entry_delimiter, key_delimiter):
        if key in entries:
            raise failure(_INVALID, f"Duplicate keys ({key}) are not allowed")
        entries[key] = value
    return list(entries.items())


def split_to_multimap(
    text: str, entry_delimiter: str, key_delimiter: str
) -> list[tuple[str, list[str]]]:
    """The entries as a map from each key to its values, in order."""
    entries: dict[str, list[str]] = {}
    for key, value in _entries(text, entry_delimiter, key_delimiter):
        entries.setdefault(key, []).append(value)
    return list(entries.items())


def _entries(text: str, entry_delimiter: str, key_delimiter: str) -> list[tuple[str, str]]:
    if not entry_delimiter:
        raise failure(_INVALID, "entryDelimiter is empty")
    if not key_delimiter:
        raise failure(_INVALID, "keyValueDelimiter is empty")
    if entry_delimiter == key_delimiter:
        raise failure(_INVALID, "entryDelimiter and keyValueDelimiter must not be the same")
    pieces = text.split(entry_delimiter)
    if not pieces[-1]:  # the last entry may be ended by a delimiter
        pieces.pop()
    result = []
    for piece in pieces:
        key, found, value = piece.partition(key_delimiter)
        if not found or key_delimiter in value:
            message = "Key-value delimiter must appear exactly once in each entry. Bad input: "
            raise failure(_INVALID, f"{message}'{piece}'")
        result.append((key, value))
    return result


def word_stem(text: str, language: str = "en") -> str:
    """The stem by the language's Snowball algorithm."""
    if language not in _STEMMERS:
        raise failure(_INVALID, f"Unknown stemmer language: {language}")
    return str(_stemmer(language).stemWord(text))


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer  # type: ignore[import-untyped]  # it has no stubs

    return snowballstemmer.stemmer(_STEMMERS[language])
