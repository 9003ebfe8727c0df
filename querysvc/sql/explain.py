"""EXPLAIN and EXPLAIN ANALYZE: their options, and the statement inside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from querysvc.sql.lexer import Kind
from querysvc.sql.positions import Place
from querysvc.sql.prepared import StatementTokens


class ExplainType(StrEnum):
    """What is told of the statement."""

    LOGICAL = "LOGICAL"
    DISTRIBUTED = "DISTRIBUTED"
    VALIDATE = "VALIDATE"
    IO = "IO"


class ExplainFormat(StrEnum):
    """How it is told."""

    TEXT = "TEXT"
    GRAPHVIZ = "GRAPHVIZ"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What stands before the statement, which begins at `place`."""

    sql: str
    place: Place
    type: ExplainType = ExplainType.DISTRIBUTED
    format: ExplainFormat = ExplainFormat.TEXT
    is_analyze: bool = False
    is_verbose: bool = False


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN of a checked statement (what the gate made of it)."""

    options: ExplainOptions
    statement: object


_WORDS: Final[dict[str, type[StrEnum]]] = {"FORMAT": ExplainFormat, "TYPE": ExplainType}


def read_explain(sql: str) -> ExplainOptions:
    """Read an EXPLAIN up to its statement."""
    stream = StatementTokens(sql)
    stream.expect("EXPLAIN")
    is_analyze = stream.take("ANALYZE")
    is_verbose = is_analyze and stream.take("VERBOSE")
    options: dict[str, StrEnum] = {}
    # A parenthesis may also begin the query itself.
    if stream.key == "(" and stream.peek().key in _WORDS:
        stream.advance()
        options = _options(stream)
    if is_analyze and "TYPE" in options:
        raise stream.unsupported("EXPLAIN ANALYZE with TYPE")
    if stream.key == "EXPLAIN":
        raise stream.unsupported("EXPLAIN of EXPLAIN")
    if stream.token.kind is Kind.END:
        stream.mismatched("<statement>")
    text, place = stream.rest()
    return ExplainOptions(
        text,
        place,
        ExplainType(options.get("TYPE", ExplainType.DISTRIBUTED)),
        ExplainFormat(options.get("FORMAT", ExplainFormat.TEXT)),
        is_analyze,
        is_verbose,
    )


def _options(stream: StatementTokens) -> dict[str, StrEnum]:
    """FORMAT x | TYPE y, each at most once: of two, Trino takes the last without a word."""
    found: dict[str, StrEnum] = {}
    while True:
        position = stream.position
        word = stream.take_any(*_WORDS)
        if word is None:
            stream.mismatched("'FORMAT'", "'TYPE'")
        values = _WORDS[word]
        if word in found:
            raise stream.error(f"{word} is given twice", position)
        value = stream.take_any(*values.__members__)
        if value is None:
            stream.mismatched(*(f"'{name}'" for name in sorted(values.__members__)))
        found[word] = values(value)
        if not stream.take(","):
            break
    stream.expect(")")
    return found
