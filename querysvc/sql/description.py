"""What a statement is before its parameters have values: their types, and its columns."""

from __future__ import annotations

from dataclasses import dataclass

from querysvc.model import ResultColumn, Session
from querysvc.sql.analyser import analyse_query
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.origins import ColumnOrigin, column_origins
from querysvc.sql.parameters import inferred_types, row_counts
from querysvc.sql.parser import QUERY, parse
from querysvc.types.algebra import TrinoType


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """What a statement's parameters and columns are; a parameter of any type is None.

    `columns` is None for a statement that is no query: it has columns only when it has run.
    """

    parameters: tuple[TrinoType | None, ...]
    columns: tuple[ResultColumn, ...] | None
    origins: tuple[ColumnOrigin, ...] = ()


def describe_parameters(
    sql: str, session: Session, metadata: MetadataReader, declared: tuple[str | None, ...]
) -> ParameterDescription:
    """What the gate does: `declared` are expressions, or None for what is to be inferred."""
    parsed = parse(sql)
    if parsed.kind != QUERY or parsed.query is None:
        return ParameterDescription((None,) * len(declared), None)
    # A count must be a number at once, and a declared one is only a NULL yet.
    counts = row_counts(parsed.query)
    padded = (*declared, *(None,) * (parsed.parameters - len(declared)))
    given = tuple(None if index in counts else text for index, text in enumerate(padded))
    analysed = analyse_query(parsed.query, session, metadata, given)
    types = inferred_types(parsed.query, analysed.query, parsed.parameters)
    origins = column_origins(parsed.query, analysed)
    return ParameterDescription(types, analysed.columns, origins)
