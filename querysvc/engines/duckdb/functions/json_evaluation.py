"""Evaluation of SQL/JSON paths, lax and strict, as Trino evaluates them.

Items are Python's values: dict, list, str, bool, None, `Numeric`; `Opaque` for what SQL/JSON has no
JSON form of. A predicate is True, False or None (unknown).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypeAlias

from querysvc.engines.duckdb.functions.json_numbers import (
    ComputationError,
    Numeric,
    absolute,
    arithmetic,
    compared,
    negated,
    rounded,
    whole_number,
)
from querysvc.engines.duckdb.functions.json_path import Node
from querysvc.engines.duckdb.functions.json_text import MalformedError, skip_space
from querysvc.engines.duckdb.lowering.casts.java_text import json_string

Items: TypeAlias = list[Any]


class PathError(ValueError):
    """The path cannot be evaluated on this input."""


class Padded(str):
    """A char(n): its trailing spaces do not count in comparisons."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """A passed value that JSON cannot hold: its type() and its text."""

    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Huge:
    """A whole number beyond bigint: it can be shown, not computed with."""

    text: str


def _whole(text: str) -> Numeric | Huge:
    value = int(text) if len(text) < 25 else 2**63
    return whole_number(value) if -(2**63) <= value < 2**63 else Huge(text)


def _no_constant(name: str) -> Any:
    raise MalformedError(name)


_DECODER: Final = json.JSONDecoder(
    parse_int=_whole,
    parse_float=lambda text: Numeric("double", float(text)),
    parse_constant=_no_constant,
)


def read_input(text: str) -> Any:
    """The first value of a JSON text; a blank text is null, as with Jackson's tree reader."""
    start = skip_space(text, 0)
    if start == len(text):
        return None
    try:
        value, end = _DECODER.scan_once(text, start)  # type: ignore[attr-defined]  # not in stubs
    except (StopIteration, ValueError, RecursionError) as error:
        raise MalformedError(text) from error
    is_number = isinstance(value, Numeric | Huge)
    if is_number and end < len(text) and text[end] not in " \t\n\r":
        raise MalformedError(text)
    return value


def json_text(item: Any) -> str:
    """The item as JSON text; PathError for what has none."""
    if isinstance(item, dict):
        members = (f"{json_string(name)}:{json_text(value)}" for name, value in item.items())
        return "{" + ",".join(members) + "}"
    if isinstance(item, list):
        return f"[{','.join(map(json_text, item))}]"
    if isinstance(item, str):
        return json_string(item)
    if isinstance(item, Numeric):
        return item.json_text()
    if isinstance(item, Huge):
        return item.text
    if isinstance(item, Opaque):
        raise PathError(item.type)
    return "null" if item is None else "true" if item else "false"


@dataclass(slots=True)
class Evaluation:
    """One evaluation: its input, parameters and mode."""

    root: Any
    parameters: Mapping[str, Any]
    is_lax: bool
    objects_seen: int = 0

    def items(self, node: Node, current: Any = None, last: int = -1) -> Items:
        """The items that the path gives."""
        return _EVALUATORS[node[0]](self, node, current, last)

    def unwrapped(self, node: Node, current: Any, last: int) -> Iterator[Any]:
        """The items; in lax mode those of arrays instead of the arrays."""
        for item in self.items(node, current, last):
            if self.is_lax and isinstance(item, list):
                yield from item
            else:
                yield item

    def single_number(self, node: Node, current: Any, last: int) -> Numeric:
        """The one number that the path gives."""
        found = list(self.unwrapped(node, current, last))
        if len(found) != 1:
            raise PathError("not a single item")
        return _number(found[0])


def _number(item: Any) -> Numeric:
    if not isinstance(item, Numeric):
        raise PathError("not a number")
    return item


def _arithmetic(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, operator, left, right = node
    first = run.single_number(left, current, last)
    second = run.single_number(right, current, last)
    return [_computed(lambda: arithmetic(operator, first, second))]


def _computed(compute: Callable[[], Numeric]) -> Numeric:
    try:
        return compute()
    except ComputationError as error:
        raise PathError(str(error)) from error


def _sign(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, sign, inner = node
    numbers = [_number(item) for item in run.unwrapped(inner, current, last)]
    if sign == "+":
        return list(numbers)
    return [_computed(lambda number=number: negated(number)) for number in numbers]  # type: ignore[misc]  # bound now


def _member(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, inner, name = node
    found: Items = []
    for item in run.unwrapped(inner, current, last):
        if not isinstance(item, dict):
            if not run.is_lax:
                raise PathError("not an object")
        elif name is None:
            found += item.values()
        elif name in item:
            found.append(item[name])
        elif not run.is_lax:
            raise PathError(f"missing member {name}")
    return found


def _descendants(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, inner, name = node
    found: Items = []
    for item in run.items(inner, current, last):
        _descend(item, name, found)
    return found


def _descend(item: Any, name: str, found: Items) -> None:
    if isinstance(item, dict):
        if name in item:
            found.append(item[name])
        for value in item.values():
            _descend(value, name, found)
    elif isinstance(item, list):
        for value in item:
            _descend(value, name, found)


def _items(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, inner, ranges = node
    found: Items = []
    for item in run.items(inner, current, last):
        if not isinstance(item, list) and not run.is_lax:
            raise PathError("not an array")
        array = item if isinstance(item, list) else [item]
        if not ranges:
            found += array
        for start, end in ranges:
            found += _range(run, array, start, end, current)
    return found


def _range(run: Evaluation, array: Items, start: Node, end: Node | None, current: Any) -> Items:
    inner_last = len(array) - 1
    first = _index(run.single_number(start, current, inner_last))
    final = first if end is None else _index(run.single_number(end, current, inner_last))
    if not run.is_lax and not 0 <= first <= final <= inner_last:
        raise PathError("index out of bounds")
    return array[max(first, 0) : final + 1] if final >= 0 else []


def _index(number: Numeric) -> int:
    value = number.value
    if isinstance(value, int):
        return value
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise PathError("not an index")
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def _filter(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, inner, predicate = node
    return [
        item for item in run.unwrapped(inner, current, last) if _truth(run, predicate, item) is True
    ]


def _variable(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    return [run.parameters[node[1]]]


# Methods.


def _method(run: Evaluation, node: Node, current: Any, last: int) -> Items:
    _, name, inner = node
    if name == "type":
        return [_type_of(item) for item in run.items(inner, current, last)]
    if name == "size":
        return [_size(run, item) for item in run.items(inner, current, last)]
    if name == "keyvalue":
        return [pair for item in run.unwrapped(inner, current, last) for pair in _pairs(run, item)]
    apply = _NUMERIC_METHODS[name]
    return [apply(item) for item in run.unwrapped(inner, current, last)]


def _size(run: Evaluation, item: Any) -> Numeric:
    if isinstance(item, list):
        return whole_number(len(item))
    if not run.is_lax:
        raise PathError("not an array")
    return whole_number(1)


def _pairs(run: Evaluation, item: Any) -> Items:
    if not isinstance(item, dict):
        raise PathError("not an object")
    id_ = whole_number(run.objects_seen)
    run.objects_seen += 1
    return [{"name": name, "value": value, "id": id_} for name, value in item.items()]


def _type_of(item: Any) -> str:
    if isinstance(item, Opaque):
        return item.type
    if item is None:
        return "null"
    for kind, name in _TYPE_NAMES:
        if isinstance(item, kind):
            return name
    return "number"


_TYPE_NAMES: Final = ((bool, "boolean"), (str, "string"), (list, "array"), (dict, "object"))


def _double(item: Any) -> Numeric:
    if isinstance(item, str):
        try:
            return Numeric("double", float(item.strip().rstrip("dDfF")))
        except ValueError:
            raise PathError("not a number") from None
    return Numeric("double", float(_number(item).value))


_NUMERIC_METHODS: Final[Mapping[str, Callable[[Any], Numeric]]] = {
    "abs": lambda item: _computed(lambda: absolute(_number(item))),
    "ceiling": lambda item: rounded(_number(item), up=True),
    "floor": lambda item: rounded(_number(item), up=False),
    "double": _double,
}

_EVALUATORS: Final[Mapping[str, Callable[[Evaluation, Node, Any, int], Items]]] = {
    "arithmetic": _arithmetic,
    "sign": _sign,
    "literal": lambda run, node, current, last: [node[1]],
    "root": lambda run, node, current, last: [run.root],
    "current": lambda run, node, current, last: [current],
    "last": lambda run, node, current, last: [whole_number(last)],
    "variable": _variable,
    "member": _member,
    "descendants": _descendants,
    "items": _items,
    "filter": _filter,
    "method": _method,
}


# Predicates.


def _truth(run: Evaluation, node: Node, current: Any) -> bool | None:
    return _PREDICATES[node[0]](run, node, current)


def _operands(run: Evaluation, node: Node, current: Any) -> Items | None:
    """The items of an operand, None when its path fails."""
    try:
        return list(run.unwrapped(node, current, -1))
    except PathError:
        return None


def _comparison(run: Evaluation, node: Node, current: Any) -> bool | None:
    _, operator, left_node, right_node = node
    left, right = _operands(run, left_node, current), _operands(run, right_node, current)
    if left is None or right is None:
        return None
    if any(isinstance(item, list | dict) for item in (*left, *right)):
        return None
    pairs = (_compared(operator, first, second) for first in left for second in right)
    return _any(run, pairs)


def _any(run: Evaluation, results: Iterator[bool | None]) -> bool | None:
    """Lax: what the first success or error says. Strict: unknown if there is any error."""
    found = False
    for result in results:
        if result is None:
            return None
        if result and run.is_lax:
            return True
        found = found or result
    return found


def _compared(operator: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        same = left is None and right is None
        return same if operator == "==" else not same if operator == "<>" else False
    order = _order(left, right)
    if order is None:
        return None
    return _TESTS[operator](order)


def _order(left: Any, right: Any) -> int | None:
    if isinstance(left, Numeric) and isinstance(right, Numeric):
        return compared(left, right)
    if isinstance(left, bool) and isinstance(right, bool):
        return int(left) - int(right)
    if isinstance(left, str) and isinstance(right, str):
        is_padded = isinstance(left, Padded) or isinstance(right, Padded)
        first, second = (str(text).rstrip(" ") if is_padded else text for text in (left, right))
        return int(first > second) - int(first < second)
    return None


_TESTS: Final[Mapping[str, Callable[[int], bool]]] = {
    "==": lambda order: order == 0,
    "<>": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _starts_with(run: Evaluation, node: Node, current: Any) -> bool | None:
    left, prefix = _operands(run, node[1], current), _operands(run, node[2], current)
    if left is None or prefix is None or len(prefix) != 1 or not isinstance(prefix[0], str):
        return None
    start = prefix[0]
    return _any(run, (item.startswith(start) if isinstance(item, str) else None for item in left))


def _exists(run: Evaluation, node: Node, current: Any) -> bool | None:
    try:
        return bool(run.items(node[1], current))
    except PathError:
        return None


def _and(run: Evaluation, node: Node, current: Any) -> bool | None:
    left = _truth(run, node[1], current)
    if left is False:
        return False
    right = _truth(run, node[2], current)
    return right if left or right is False else None


def _or(run: Evaluation, node: Node, current: Any) -> bool | None:
    left = _truth(run, node[1], current)
    if left:
        return True
    right = _truth(run, node[2], current)
    return right if left is False or right else None


def _not(run: Evaluation, node: Node, current: Any) -> bool | None:
    inner = _truth(run, node[1], current)
    return None if inner is None else not inner


_PREDICATES: Final[Mapping[str, Callable[[Evaluation, Node, Any], bool | None]]] = {
    "compare": _comparison,
    "starts with": _starts_with,
    "exists": _exists,
    "and": _and,
    "or": _or,
    "not": _not,
    "is unknown": lambda run, node, current: _truth(run, node[1], current) is None,
}
