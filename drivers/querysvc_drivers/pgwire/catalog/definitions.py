"""What PostgreSQL's own relations and types are, read from lists of a real one's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from querysvc_drivers.pgwire.types import ELEMENTS, Oid

PG_CATALOG: Final = "pg_catalog"
INFORMATION_SCHEMA: Final = "information_schema"
HEADER_BYTES: Final = 4
"""What PostgreSQL counts into the modifiers of texts and numbers."""


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column of a system relation."""

    name: str
    type_oid: int
    is_not_null: bool

    @property
    def default(self) -> Any:
        """What stands in it when nothing else is known."""
        if not self.is_not_null:
            return None
        return "" if self.type_oid in _TEXTUAL else 0


@dataclass(frozen=True, slots=True)
class SystemType:
    """A line of pg_type."""

    values: Mapping[str, Any]

    @property
    def oid(self) -> int:
        """Its number."""
        return int(self.values["oid"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.values["typname"])


_TEXTUAL: Final = frozenset({int(Oid.TEXT), int(Oid.NAME), int(Oid.CHAR), int(Oid.VARCHAR)})
_FUNCTION_COLUMNS: Final = (
    *("typinput", "typoutput", "typreceive", "typsend", "typmodin", "typmodout", "typsubscript"),
)
_NUMBERS: Final = frozenset({"oid", "typlen", "typelem", "typarray", "typcollation"})
_FIRST_PROCEDURE: Final = 1_000


@cache
def system_types() -> tuple[SystemType, ...]:
    """PostgreSQL's own types."""
    lines = _lines("pg_types.txt")
    names = next(lines).split()
    procedures = {name: oid for oid, name in procedures_by_oid().items()}
    return tuple(
        SystemType(
            {n: _type_value(n, v, procedures) for n, v in zip(names, line.split(), strict=True)}
        )
        for line in lines
    )


def _type_value(name: str, value: str, procedures: Mapping[str, int]) -> Any:
    if name in _FUNCTION_COLUMNS:
        return procedures.get(value, 0)
    if name in _NUMBERS:
        return int(value)
    return {"t": 1, "f": 0}[value] if name in ("typbyval", "typispreferred") else value


@cache
def procedures_by_oid() -> Mapping[int, str]:
    """The functions that types name, with numbers of our own."""
    lines = _lines("pg_types.txt")
    names = next(lines).split()
    wanted = [names.index(column) for column in _FUNCTION_COLUMNS]
    found = {line.split()[index] for line in lines for index in wanted} - {"-"}
    return dict(enumerate(sorted(found), _FIRST_PROCEDURE))


@cache
def types_by_oid() -> Mapping[int, SystemType]:
    """PostgreSQL's own types by number."""
    return {type_.oid: type_ for type_ in system_types()}


@cache
def types_by_name() -> Mapping[str, SystemType]:
    """PostgreSQL's own types by name."""
    return {type_.name: type_ for type_ in system_types()}


@cache
def definitions() -> Mapping[str, tuple[ColumnDefinition, ...]]:
    """The columns of each relation; those of information_schema have its name before theirs."""
    oids = {type_.name: type_.oid for type_ in system_types()}
    found = {}
    for line in _lines("pg_relations.txt"):
        name, _, columns = line.partition(": ")
        schema, _, relation = name.partition(".")
        key = relation if schema == PG_CATALOG else name
        found[key] = tuple(_column(text, oids) for text in columns.split(", "))
    return found


def _column(text: str, oids: Mapping[str, int]) -> ColumnDefinition:
    name, _, type_name = text.rstrip("!").rpartition(" ")
    return ColumnDefinition(name, oids[type_name], text.endswith("!"))


def _lines(resource: str) -> Iterator[str]:
    text = resources.files(__package__).joinpath(resource).read_text()
    return (line for line in text.splitlines() if line and not line.startswith("#"))


_SQL_NAMES: Final = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bpchar": "character",
    "varchar": "character varying",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "char": '"char"',
}


def data_type(oid: int) -> str:
    """A type as information_schema names it."""
    if oid in ELEMENTS:
        return "ARRAY"
    name = types_by_oid()[oid].name
    return _SQL_NAMES.get(name, name)


def format_type(oid: int | None, modifier: int | None) -> str | None:
    """A type with its parameters, as PostgreSQL's format_type writes it."""
    if oid is None:
        return None
    type_ = types_by_oid().get(oid)
    if type_ is None:
        return "-" if oid == 0 else "???"
    if type_.values["typcategory"] == "A" and type_.values["typelem"]:
        return f"{format_type(type_.values['typelem'], modifier)}[]"
    name = _SQL_NAMES.get(type_.name, type_.name)
    if modifier is None or modifier < 0:
        # A character without a length is not the same as character(1).
        return "bpchar" if modifier is not None and name == "character" else name
    return _with_modifier(oid, name, modifier)


def _with_modifier(oid: int, name: str, modifier: int) -> str:
    if oid == Oid.NUMERIC:
        packed = modifier - HEADER_BYTES
        return f"{name}({packed >> 16},{packed & 0xFFFF})"
    if oid in (Oid.VARCHAR, Oid.BPCHAR):
        return f"{name}({modifier - HEADER_BYTES})"
    if oid in (Oid.TIME, Oid.TIMETZ, Oid.TIMESTAMP, Oid.TIMESTAMPTZ):
        first, space, rest = name.partition(" ")
        return f"{first}({modifier}){space}{rest}"
    return name
