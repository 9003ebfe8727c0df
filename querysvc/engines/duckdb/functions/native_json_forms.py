"""JSON_EXISTS, JSON_VALUE and JSON_QUERY natively: constant paths of names and indexes, texts in
which no name of the path is there twice."""

from __future__ import annotations

from dataclasses import dataclass

from querysvc.engines.duckdb.functions import native_json as native
from querysvc.engines.duckdb.functions.json_numbers import Numeric
from querysvc.engines.duckdb.functions.json_path import Node, parse_path
from querysvc.engines.duckdb.functions.registry import constant_node
from querysvc.engines.duckdb.lowering.fragments import FALSE, Sql
from querysvc.tree import JsonFunction
from querysvc.types.algebra import VARBINARY


@dataclass(frozen=True, slots=True)
class NativeResult:
    """What DuckDB finds at a form's path, where it is what Trino finds."""

    text: Sql
    path: Sql
    kind: Sql
    is_missing: Sql

    def value(self) -> Sql:
        """The text of the value found."""
        return Sql(f"json_extract_string({self.text}, {self.path})")

    def json(self) -> Sql:
        """The JSON text of the value found."""
        return Sql(f"CAST(json_extract({self.text}, {self.path}) AS VARCHAR)")


def native_result(text: Sql, node: JsonFunction, names_once: slice) -> NativeResult | None:
    """The native reading of a form; `names_once` are those of the path that may not repeat."""
    steps = _plain_steps(node)
    if steps is None:
        return None
    names = [step for step in steps[names_once] if isinstance(step, str)]
    path = native.path(steps)
    kind = native.kind(text, path, condition=native.is_once(text, names))
    # An array is unwrapped, and what is no array wrapped: either may be found all the same.
    is_lax = all(isinstance(step, str) for step in steps)
    absent = Sql(f"({kind} = 'MISSING' AND NOT contains({text}, '['))") if is_lax else FALSE
    return NativeResult(text, path, kind, absent)


def _plain_steps(node: JsonFunction) -> tuple[str | int, ...] | None:
    """The names and indexes of a lax path that has nothing else."""
    path = constant_node(node.arguments[1])
    has_parameters = any(name == "parameter" for name, _ in node.options)
    if path is None or has_parameters or node.arguments[0].type == VARBINARY:
        return None
    is_lax, tree = parse_path(str(path.value))
    steps: list[str | int] = []
    while tree != ("root",):
        step = _plain_step(tree)
        if step is None:
            return None
        steps.append(step)
        tree = tree[1]
    return tuple(reversed(steps)) if is_lax and steps else None


def _plain_step(tree: Node) -> str | int | None:
    match tree:
        case ("member", _, str(name)) if native.PLAIN_NAME.fullmatch(name):
            return name
        case ("items", _, ((("literal", Numeric(kind="integer", value=int(index))), None),)):
            return index
    return None
