"""Trino's answers and how ours are compared with them (the rules of the shared oracle.py).

An answer is one JSON object: `columns`, `types`, `rows`, `ordered`, or `error_name` and
`error_message`. Rows are a list when ordered, else a multiset; doubles agree to 1e-9, reals to
1e-5; decimals numerically; fractions of seconds without trailing zeros; json as parsed.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

Type = tuple[str, list[Any]]
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "decimal", "double", "real")
_SIZED = ("varchar", "char", "time", "timestamp")
_TEMPORAL = re.compile(r"^(.*\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)$", re.DOTALL)


def is_ordered(sql: str) -> bool:
    """Whether ORDER BY stands at nesting depth 0."""
    text = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", " ", sql, flags=re.S)
    depth, flat = 0, []
    for character in text:
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character not in ")]":
            flat.append(character)
    return bool(re.search(r"\border\s+by\b", "".join(flat), re.I))


def parse_type(text: str) -> Type:
    """`map(varchar, row(a bigint))` as ("map", [("varchar", []), ("row", [("a", …)])])."""
    text = text.strip()
    text = text if '"' in text else text.lower()
    zoned = re.match(r"^(timestamp|time)(\(\d+\))? with time zone$", text)
    if zoned:
        return f"{zoned[1]} with time zone", [zoned[2].strip("()")] if zoned[2] else []
    start = text.find("(")
    if start < 0:
        return text, []
    name, parts = text[:start].strip(), _split(text[start + 1 : text.rindex(")")])
    if name == "row":
        return name, [_row_field(part) for part in parts]
    return (
        (name, [parse_type(part) for part in parts]) if name in ("array", "map") else (name, parts)
    )


def _row_field(part: str) -> tuple[str | None, Type]:
    match = re.match(r'^("(?:[^"]|"")*"|[A-Za-z_][A-Za-z_0-9]*)\s+(?!with time zone)(.+)$', part)
    if match and match[1].lower() not in ("interval", "double"):
        return match[1].strip('"'), parse_type(match[2])
    return None, parse_type(part)


def _split(inner: str) -> list[str]:
    parts, depth, current, quoted = [], 0, "", False
    for character in inner:
        quoted ^= character == '"'
        depth += 0 if quoted else (character == "(") - (character == ")")
        if character == "," and depth == 0 and not quoted:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()] if current.strip() else parts


def base_type(text: str) -> str:
    """The type without the parameters of varchar, char, time and timestamp."""
    return _base(parse_type(text))


def _base(type_: Type) -> str:
    name, inner = type_
    if name.removesuffix(" with time zone") in _SIZED:
        return name
    if name == "row":
        fields = ((f"{key} " if key else "") + _base(item) for key, item in inner)
        return f"row({', '.join(fields)})"
    if name in ("array", "map"):
        return f"{name}({', '.join(map(_base, inner))})"
    return f"{name}({','.join(inner)})" if inner else name


def canonical(value: Any, type_: Type) -> Any:
    """The value in a form that can be compared; floats are wrapped with their tolerance."""
    if value is None:
        return None
    try:
        return _canonical(value, *type_)
    except (ValueError, ArithmeticError, TypeError):
        return _as_it_is(value)


def _as_it_is(value: Any) -> Any:
    return ("?", json.dumps(value, sort_keys=True)) if isinstance(value, list | dict) else value


def _canonical(value: Any, name: str, inner: list[Any]) -> Any:
    if name in ("double", "real"):
        return ("f", float(value), 1e-9 if name == "double" else 1e-5)
    if name in _NUMBERS:
        return ("n", Decimal(str(value)))
    if name.startswith("time") and isinstance(value, str):
        return _temporal(value)
    if name == "interval day to second" and "." in value:
        return value.rstrip("0").rstrip(".")
    if name == "json":
        return ("j", json.dumps(json.loads(value), sort_keys=True))
    if name == "array" and isinstance(value, list):
        return ("a", *(canonical(item, inner[0] if inner else ("unknown", [])) for item in value))
    if name == "row" and isinstance(value, list):
        types = [item for _, item in inner]
        types += [("unknown", [])] * (len(value) - len(types))
        return ("r", *map(canonical, value, types))
    if name == "map" and isinstance(value, dict):
        key, item = (inner + [("unknown", [])] * 2)[:2]
        pairs = ((canonical(k, key), canonical(v, item)) for k, v in value.items())
        return ("m", *sorted(pairs, key=repr))
    return _as_it_is(value)


def _temporal(value: str) -> str:
    match = _TEMPORAL.match(value)
    if not match:
        return value
    zone = re.sub(r"^\s*(UTC|Z|\+00:00|Etc/UTC)$", " UTC", match[3])
    fraction = (match[2] or "").rstrip("0")
    return match[1] + (f".{fraction}" if fraction else "") + zone


def is_close(first: Any, second: Any) -> bool:
    """Whether two canonical values are equal, floats within their tolerance."""
    if not (isinstance(first, tuple) and isinstance(second, tuple)):
        return type(first) is type(second) and bool(first == second)
    if first and second and first[0] == "f" and second[0] in ("f", "n"):
        x, y = first[1], float(second[1])
        if math.isnan(x) or math.isnan(y):
            return math.isnan(x) and math.isnan(y)
        return x == y or math.isclose(x, y, rel_tol=first[2], abs_tol=1e-12)
    return len(first) == len(second) and all(map(is_close, first, second))


def _sort_key(value: Any) -> Any:
    if isinstance(value, tuple) and value and value[0] == "f":
        return ("f", "nan" if math.isnan(value[1]) else f"{value[1]:.6g}")
    if isinstance(value, tuple):
        return tuple(_sort_key(item) for item in value)
    return (type(value).__name__, str(value))


def difference(expected: dict[str, Any], actual: dict[str, Any]) -> str:
    """Why the values differ; empty when they do not."""
    if expected.get("error_name"):
        return "" if actual.get("error_name") else f"expected error {expected['error_name']}"
    if actual.get("error_name"):
        return f"error: {actual['error_name']}: {actual.get('error_message', '')[:300]}"
    wanted = [parse_type(text) for text in expected["types"]]
    found = [parse_type(text) for text in actual["types"]]
    if len(wanted) != len(found):
        return "column count"
    if len(expected["rows"]) != len(actual["rows"]):
        return f"row count {len(actual['rows'])} for {len(expected['rows'])}"
    blended = [_blend(w, f) for w, f in zip(wanted, found, strict=True)]
    first = [("r", *map(canonical, row, wanted)) for row in expected["rows"]]
    second = [("r", *map(canonical, row, blended)) for row in actual["rows"]]
    if expected.get("ordered") and all(map(is_close, first, second)):
        return ""
    first.sort(key=lambda row: repr(_sort_key(row)))
    second.sort(key=lambda row: repr(_sort_key(row)))
    if not all(map(is_close, first, second)):
        return "value"
    return "order" if expected.get("ordered") else ""


def levels(expected: dict[str, Any], actual: dict[str, Any]) -> dict[str, bool]:
    """Which of the four levels agree: values, base types, exact types with names, error name."""
    same = not difference(expected, actual)
    if expected.get("error_name"):
        return {"errors": same and expected["error_name"] == actual.get("error_name")}
    if not same:
        return {"values": False, "base": False, "exact": False}
    base = [*map(base_type, expected["types"])] == [*map(base_type, actual["types"])]
    exact = [*map(parse_type, expected["types"])] == [*map(parse_type, actual["types"])]
    names = [c.lower() for c in expected["columns"]] == [c.lower() for c in actual["columns"]]
    return {"values": True, "base": base, "exact": exact and names}


def _blend(wanted: Type, found: Type) -> Type:
    """The type by which an actual value is read: the expected one where the families agree."""
    if wanted[0] == found[0] or (wanted[0] in _NUMBERS and found[0] in _NUMBERS):
        return wanted
    return found if found[0] in (*_NUMBERS, "array", "map", "row") else wanted
