"""What pg_catalog shows: relations with their columns, as values that go to the gate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.system_listing import Listing, TableEntry, Wanted
from querysvc.service.system_metadata import INFORMATION_SCHEMA, SYSTEM
from querysvc_drivers.pgwire.types import Oid, PgType, pg_type

COLUMNS_MAX: Final = 200_000
"""More columns than this are not put into one answer."""
_FIRST_OID: Final = 16_384
_OIDS: Final = (1 << 31) - _FIRST_OID


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column as pg_attribute shows it."""

    name: str
    type_oid: int
    type_modifier: int
    type_size: int
    trino_type: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view; `columns` are only there when they were asked for."""

    oid: int
    schema: str
    name: str
    is_view: bool
    comment: str | None
    definition: str | None
    columns: tuple[RelationColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What functions about the session answer."""

    database: str
    schema: str
    user: str
    process_id: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one query on pg_catalog reads; schemas with their OIDs."""

    facts: SessionFacts
    databases: tuple[str, ...] = ()
    schemas: tuple[tuple[int, str], ...] = ()
    relations: tuple[Relation, ...] = ()


def take_snapshot(
    listing: Listing, facts: SessionFacts, *, has_relations: bool, has_columns: bool
) -> Snapshot:
    """What the catalog holds now, as far as it is asked for."""
    wanted = Wanted(catalogs=frozenset({facts.database}))
    databases = tuple(name for name in listing.catalogs(Wanted()) if name != SYSTEM)
    oids = _Oids()
    schemas = tuple(
        (oids.of("schema", schema), schema)
        for _, schema in listing.schemas(wanted)
        if schema != INFORMATION_SCHEMA
    )
    relations: tuple[Relation, ...] = ()
    if has_relations or has_columns:
        relations = tuple(_relations(listing, wanted, oids, has_columns=has_columns))
    return Snapshot(facts, databases, schemas, relations)


def _relations(
    listing: Listing, wanted: Wanted, oids: _Oids, *, has_columns: bool
) -> Iterator[Relation]:
    total = 0
    for entry in listing.tables(wanted):
        _, schema, name = entry.name
        if schema == INFORMATION_SCHEMA:
            continue
        columns = tuple(_columns(listing, entry)) if has_columns else ()
        total += len(columns)
        if total > COLUMNS_MAX:
            raise QueryServiceError(
                ErrorCode.EXCEEDED_SCAN_LIMIT,
                f"the database {wanted.catalogs} has more than {COLUMNS_MAX} columns",
            )
        definition = listing.view_definition(entry) if entry.is_view else None
        oid = oids.of("relation", f"{schema}.{name}")
        yield Relation(oid, schema, name, entry.is_view, entry.comment, definition, columns)


def _columns(listing: Listing, entry: TableEntry) -> Iterator[RelationColumn]:
    for column in listing.columns(entry):
        try:
            shown = pg_type(column.type)
        except QueryServiceError:
            shown = PgType(Oid.TEXT)
        yield RelationColumn(
            column.name,
            int(shown.oid),
            shown.modifier,
            shown.size,
            str(column.type),
            column.comment,
        )


class _Oids:
    """Numbers that stay the same as long as names do: hashes, apart where two collide."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def of(self, kind: str, name: str) -> int:
        digest = hashlib.sha256(f"{kind}\0{name}".encode()).digest()
        number = int.from_bytes(digest[:8]) % _OIDS
        while number in self._taken:
            number = (number + 1) % _OIDS
        self._taken.add(number)
        return _FIRST_OID + number
