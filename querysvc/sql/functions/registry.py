"""The functions that exist: read from the tables, found by name, listed for SHOW FUNCTIONS."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

from querysvc.sql.functions.signature import (
    FunctionKind,
    Signature,
    names_of_line,
    parse_signature,
)
from querysvc.sql.suggestions import close_names

BUILTIN_FAMILIES: Final = (
    *("strings", "regexp", "binary", "url", "math", "datetime", "json", "arrays", "maps"),
    *("aggregates", "windows", "sketches", "system", "tables"),
)
ATHENA_FAMILIES: Final = (*BUILTIN_FAMILIES, "geospatial")
"""What Athena has: Trino's own functions and its geospatial plugin's."""
ALL_FAMILIES: Final = (*ATHENA_FAMILIES, "ml", "teradata")
OPERATORS: Final = "operators"

_SECTIONS: Final = {f"[{kind}]": kind for kind in FunctionKind}


@dataclass(frozen=True, slots=True)
class FunctionListing:
    """A row of SHOW FUNCTIONS."""

    name: str
    return_type: str
    argument_types: str
    kind: FunctionKind
    is_deterministic: bool
    description: str


@dataclass(frozen=True, slots=True)
class FunctionRegistry:
    """Signatures by lower-case name; a table's line is parsed when its name is first asked for."""

    lines: dict[str, list[tuple[str, FunctionKind]]]
    parsed: dict[str, tuple[Signature, ...]] = field(default_factory=dict)

    def overloads(self, name: str) -> tuple[Signature, ...]:
        """The signatures of this name (in any case), in Trino's order; none for no function."""
        lowered = name.lower()
        signatures = self.parsed.get(lowered)
        if signatures is None:
            lines = self.lines.get(lowered, ())
            signatures = tuple(_parsed(line, kind) for line, kind in lines)
            if signatures:
                self.parsed[lowered] = signatures
        return signatures

    def calls(self, name: str) -> tuple[Signature, ...]:
        """The signatures that a call of this name may mean: all but the table functions."""
        return tuple(s for s in self.overloads(name) if s.kind is not FunctionKind.TABLE)

    def kind(self, name: str) -> FunctionKind | None:
        """What a call of this name is; None for no function. A name has one kind of overload."""
        signatures = self.calls(name)
        return signatures[0].kind if signatures else None

    def names(self) -> tuple[str, ...]:
        """Every name that SHOW FUNCTIONS lists, with aliases, in lower case, sorted."""
        shown = (n for n in self.lines if any(not s.is_hidden for s in self.overloads(n)))
        return tuple(sorted(shown))

    def suggest(self, name: str) -> tuple[str, ...]:
        """Names like this one, the likeliest first: «did you mean»."""
        return close_names(name, self.names())

    def listing(self) -> Iterator[FunctionListing]:
        """The rows of SHOW FUNCTIONS, as Trino orders them."""
        rows = [
            FunctionListing(
                name=name,
                return_type=signature.result.text,
                argument_types=", ".join(pattern.text for pattern in signature.arguments),
                kind=signature.kind,
                is_deterministic=signature.is_deterministic,
                description=signature.description,
            )
            for signatures in map(self.overloads, self.lines)
            for signature in dict.fromkeys(signatures)
            if not signature.is_hidden
            for name in (signature.name, *signature.aliases)
        ]
        unique = dict.fromkeys(rows)
        return iter(
            sorted(unique, key=lambda r: (r.name.lower(), r.return_type, r.argument_types, r.kind))
        )


@cache
def load_registry(families: tuple[str, ...] = ATHENA_FAMILIES) -> FunctionRegistry:
    """The registry of these families' tables."""
    lines: dict[str, list[tuple[str, FunctionKind]]] = {}
    for line, kind in _lines(families):
        for name in names_of_line(line):
            lines.setdefault(name.lower(), []).append((line, kind))
    return FunctionRegistry(lines)


@cache
def _parsed(line: str, kind: FunctionKind) -> Signature:
    # Aliases share their signature: one line, one object.
    return parse_signature(line, kind)


def _lines(families: Iterable[str]) -> Iterator[tuple[str, FunctionKind]]:
    folder = resources.files(__package__) / "signatures"
    for family in families:
        kind = FunctionKind.SCALAR
        for line in (folder / f"{family}.txt").read_text(encoding="utf-8").splitlines():
            if line in _SECTIONS:
                kind = _SECTIONS[line]
            elif line and not line.startswith("#"):
                yield line, kind
