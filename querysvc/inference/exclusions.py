"""Glob patterns of Glue's crawlers: which objects to pass over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError

# `*` stays within a folder and `**` does not; braces hold alternatives, which do not nest.
_TOKEN: Final = re.compile(r"\*\*|\*|\?|\[(!?)([^\]]+)\]|\{([^{}]*)\}|\\(.)|(.)", re.DOTALL)
_WILD: Final = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def excluding(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path, relative to the crawled location, is one that a pattern names."""
    compiled = [_compiled(pattern) for pattern in patterns]
    return lambda path: any(one.fullmatch(path) for one in compiled)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(_translated(pattern), re.DOTALL)
    except re.error as error:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST, f"Exclusion {pattern!r} is no glob pattern: {error}"
        ) from None


def _translated(pattern: str) -> str:
    parts = []
    for token in _TOKEN.finditer(pattern):
        negation, members, alternatives, escaped, plain = token.groups()
        if token[0] in _WILD:
            parts.append(_WILD[token[0]])
        elif members is not None:
            inner = re.sub(r"([\\^&|~\[])", r"\\\1", members)
            parts.append(f"[{'^' if negation else ''}{inner}]")
        elif alternatives is not None:
            parts.append(f"(?:{'|'.join(map(_translated, alternatives.split(',')))})")
        else:
            parts.append(re.escape(escaped or plain))
    return "".join(parts)
