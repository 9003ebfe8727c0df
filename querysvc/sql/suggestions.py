"""«Did you mean»: the names that exist and are like one that does not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_COUNT_MAX: Final = 3
_LIKENESS: Final = 0.7
_LENGTH_DIFFERENCE_MAX: Final = 4
# Comparing costs some 20 microseconds a name.
_CANDIDATES_MAX: Final = 5000


def close_names(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Names like this one, the likeliest first; the candidates are in lower case."""
    wanted = name.lower()
    similar = [one for one in candidates if abs(len(one) - len(wanted)) <= _LENGTH_DIFFERENCE_MAX]
    found = difflib.get_close_matches(
        wanted, similar[:_CANDIDATES_MAX], n=_COUNT_MAX, cutoff=_LIKENESS
    )
    return tuple(dict.fromkeys(found))
