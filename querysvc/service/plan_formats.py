"""Plan nodes as text, JSON and Graphviz, laid out as Trino prints its own."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from querysvc.service.plan_nodes import PlanNode


def text_lines(node: PlanNode) -> list[str]:
    """The plan as a tree of lines."""
    return _lines(node, first="", rest="")


def _lines(node: PlanNode, *, first: str, rest: str) -> list[str]:
    head = f"{first}{node.name}[{_descriptor(node)}]"
    bar = "│   " if node.children else "    "
    details = [f"Layout: [{_layout(node)}]"] if node.outputs else []
    lines = [head, *(f"{rest}{bar}{detail}" for detail in (*details, *node.details))]
    for index, child in enumerate(node.children):
        is_last = index == len(node.children) - 1
        branch, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        lines += _lines(child, first=rest + branch, rest=rest + below)
    return lines


def json_text(node: PlanNode) -> str:
    """The plan as JSON, in the members of Trino's."""
    return json.dumps(_document(node, count()), indent=2, ensure_ascii=False)


def _document(node: PlanNode, ids: count[int]) -> dict[str, Any]:
    return {
        "id": str(next(ids)),
        "name": node.name,
        "descriptor": dict(node.descriptor),
        "outputs": [{"type": type_, "name": name} for name, type_ in node.outputs],
        "details": list(node.details),
        "estimates": [],
        "children": [_document(child, ids) for child in node.children],
    }


def graphviz_text(node: PlanNode) -> str:
    """The plan in Graphviz's DOT."""
    lines = ["digraph logical_plan {"]
    _dot(node, count(1), lines)
    return "\n".join([*lines, "}"])


def _dot(node: PlanNode, ids: count[int], lines: list[str]) -> int:
    own = next(ids)
    text = "\\n".join(map(_escaped, (f"{node.name}[{_descriptor(node)}]", *node.details)))
    lines.append(f'plannode_{own}[label="{{{text}}}", style="rounded, filled", shape=record];')
    for child in node.children:
        lines.append(f"plannode_{own} -> plannode_{_dot(child, ids, lines)};")
    return own


def _escaped(text: str) -> str:
    for character in '\\"{}|<>':
        text = text.replace(character, "\\" + character)
    return text.replace("\n", "\\n")


def _descriptor(node: PlanNode) -> str:
    return ", ".join(f"{name} = {value}" for name, value in node.descriptor.items())


def _layout(node: PlanNode) -> str:
    return ", ".join(f"{name}:{type_}" for name, type_ in node.outputs)
