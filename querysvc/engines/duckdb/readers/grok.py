"""Grok patterns: `%{NAME:field:type}` by name, made into one regular expression.

The standard patterns are in `grok_patterns.txt`, one a line, as Logstash has them; a table's own
(`input.grokCustomPatterns`) come first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

_REFERENCE: Final = re.compile(r"%\{(\w+)(?::([^:}\s]+))?(?::(\w+))?\}")
_NAMED_GROUP: Final = re.compile(r"\(\?<(\w+)>")
_DEPTH_MAX: Final = 64
_CHARACTERS_MAX: Final = 1 << 20


@dataclass(slots=True)
class Expanded:
    """A regular expression, and its groups by the lower-case name of what they capture."""

    pattern: str = ""
    captures: dict[str, list[str]] = field(default_factory=dict)


def expand(text: str, custom: Mapping[str, str]) -> Expanded:
    """Replace all references; raises ValueError for an unknown or endless one."""
    expanded = Expanded()
    patterns = {**standard_patterns(), **custom}

    def group(name: str) -> str:
        number = sum(map(len, expanded.captures.values()))
        expanded.captures.setdefault(name.lower(), []).append(f"g{number}")
        return f"g{number}"

    def replaced(source: str, depth: int) -> str:
        if depth > _DEPTH_MAX:
            raise ValueError("grok patterns refer to each other without end")

        def reference(match: re.Match[str]) -> str:
            name, field_name, _type = match.groups()
            if name not in patterns:
                raise ValueError(f"there is no grok pattern {name}")
            opening = f"(?<{group(field_name or name)}>"
            return f"{opening}{replaced(patterns[name], depth + 1)})"

        own = _NAMED_GROUP.sub(lambda match: f"(?<{group(match[1])}>", source)
        result = _REFERENCE.sub(reference, own)
        if len(result) > _CHARACTERS_MAX:
            raise ValueError("the grok pattern is too long")
        return result

    expanded.pattern = replaced(text, 0)
    return expanded


@cache
def standard_patterns() -> Mapping[str, str]:
    """The patterns that every table may name."""
    text = resources.files(__package__).joinpath("grok_patterns.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(" ", 1) for line in lines)
