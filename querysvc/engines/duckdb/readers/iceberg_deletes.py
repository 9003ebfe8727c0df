"""The rows that Iceberg's delete files leave of data files, as conditions of SQL.

Deletes are anti-joins: of (file, position) pairs, and of rows that are equal in the delete file's
fields. Which deletes apply to which files was planned (ADR-0024): files to which the same deletes
apply are a set, and a delete counts for the sets that it is paired with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol  # Parquet's metadata is untyped

from querysvc.engines.duckdb.readers.base import File, IcebergFiles, ReaderContext
from querysvc.engines.duckdb.readers.iceberg_fields import each, field_ids, matching, value_of
from querysvc.engines.duckdb.readers.parquet import (
    SchemaGroup,
    by_schema,
    chunk_of,
    describe,
    leaves_of,
)
from querysvc.engines.duckdb.readers.physical import Source, TypeMismatchError
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import IcebergField

_PAIRS_MAX: Final = 1_000_000
_PATH, _POSITIONS = "file_path", "pos"

Ranges = tuple[tuple[int, int, int], ...]


class DataColumns(Protocol):
    """Finds the data files' values by which rows are deleted."""

    def equality(self, wanted: IcebergField) -> tuple[str, str | None]:
        """SQL of a field's value, and the file's column that it reads."""
        ...


@dataclass(frozen=True, slots=True)
class Deleted:
    """Which rows of a part are not deleted, and what must be read to know it."""

    conditions: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """The data files' columns that the conditions read."""
    ranges: Ranges = ()
    row_numbers: bool = False


class Deletes:
    """The delete files of one scan."""

    def __init__(self, files: IcebergFiles, context: ReaderContext) -> None:
        self._files = files
        self._context = context
        self._told: set[int] = set()
        """Delete files whose ranges were told with an earlier part."""

    def of(self, part: SchemaGroup, columns: DataColumns) -> Deleted:
        """What is deleted of a part's rows."""
        applying = [self._files.about(file).deletes for file in part.files]
        used = sorted({number for numbers in applying for number in numbers})
        if not used:
            return Deleted()
        sets = {numbers: index for index, numbers in enumerate(dict.fromkeys(applying))}
        if sum(map(len, sets)) > _PAIRS_MAX:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"more than {_PAIRS_MAX} pairs of data files and delete files; rewrite the table's"
                " data files (OPTIMIZE)",
            )
        by_fields: dict[tuple[IcebergField, ...], list[int]] = defaultdict(list)
        for number in used:
            by_fields[self._files.scan.deletes[number].equality].append(number)
        made = _Made(self._context, self._files, part, sets, applying)
        for fields, numbers in by_fields.items():
            if fields:
                made.add_equality(fields, numbers, columns)
            else:
                made.add_positions(numbers)
        ranges = tuple(one for one in made.ranges if one[0] not in self._told)
        self._told |= {index for index, _, _ in ranges}
        return Deleted(
            tuple(made.conditions), tuple(made.others), ranges, row_numbers=made.row_numbers
        )


class _Made:
    """The conditions of one part."""

    def __init__(
        self,
        context: ReaderContext,
        files: IcebergFiles,
        part: SchemaGroup,
        sets: dict[tuple[int, ...], int],
        applying: Sequence[tuple[int, ...]],
    ) -> None:
        self.conditions: list[str] = []
        self.others: dict[str, None] = {}
        self.ranges: list[tuple[int, int, int]] = []
        self.row_numbers = False
        self._context = context
        self._files = files
        self._part = part
        self._sets = sets
        self._set_of = [sets[numbers] for numbers in applying]

    def add_positions(self, numbers: Sequence[int]) -> None:
        """Rows at these files' (path, position) pairs are deleted."""
        self.row_numbers = True
        paths = _values(
            f"({index}, {quote_text(self._files.about(file).path)}, {of})"
            for index, (file, of) in enumerate(zip(self._part.files, self._set_of, strict=True))
        )
        for group, own in self._grouped(numbers):
            relation = self._relation(group, (_PATH, _POSITIONS))
            pairs = (
                f"SELECT p.i AS i, d.{_POSITIONS} AS r FROM (SELECT {_PATH}, {_POSITIONS},"
                f" file_index AS n FROM {relation}) AS d"
                f" JOIN (VALUES {paths}) AS p(i, path, g) ON d.{_PATH} = p.path"
                f" JOIN (VALUES {self._pairs(own)}) AS a(n, g) ON a.n = d.n AND a.g = p.g"
            )
            self.conditions.append(
                f'NOT EXISTS (SELECT 1 FROM ({pairs}) AS "d" WHERE "d".i = "f".file_index'
                ' AND "d".r = "f".file_row_number)'
            )

    def add_equality(
        self, fields: Sequence[IcebergField], numbers: Sequence[int], columns: DataColumns
    ) -> None:
        """Rows that are equal to these files' in some fields are deleted."""
        values = []
        for field in fields:
            value, column = columns.equality(field)
            values.append(value)
            if column is not None:
                self.others[column] = None
        own_set = each([str(one) for one in self._set_of])
        for group, own in self._grouped(numbers):
            keys = ", ".join(self._keys(group, fields))
            rows = (
                f"SELECT d.*, a.g FROM (SELECT {keys}, file_index AS n"
                f' FROM {self._relation(group, self._names(group, fields))} AS "f") AS d'
                f" JOIN (VALUES {self._pairs(own)}) AS a(n, g) ON a.n = d.n"
            )
            equal = "".join(
                f' AND "d".k{index} IS NOT DISTINCT FROM {value}'
                for index, value in enumerate(values)
            )
            self.conditions.append(
                f'NOT EXISTS (SELECT 1 FROM ({rows}) AS "d" WHERE "d".g = {own_set}{equal})'
            )

    def _grouped(self, numbers: Sequence[int]) -> list[tuple[SchemaGroup, list[int]]]:
        """Delete files of equal schemas, with their numbers."""
        of = {self._files.deletes[number].index: number for number in numbers}
        files = [self._files.deletes[number] for number in numbers]
        return [
            (group, [of[file.index] for file in group.files])
            for group in by_schema(files, self._context, field_ids)
        ]

    def _pairs(self, numbers: Sequence[int]) -> str:
        """(place among the delete files, set of data files) as VALUES."""
        return _values(
            f"({place}, {of})"
            for place, number in enumerate(numbers)
            for applying, of in self._sets.items()
            if number in applying
        )

    def _relation(self, group: SchemaGroup, names: Iterable[str]) -> str:
        """The delete files as a relation; what is read of them is told."""
        leaves = leaves_of(group.schema)
        missing = [name for name in names if name not in leaves]
        if missing:
            raise _bad(group.files[0], f"has no column {missing[0]}")
        used = [leaf for name in names for leaf in leaves[name]]
        for file, footer in zip(group.files, group.footers, strict=True):
            for number in range(footer.metadata.num_row_groups):
                row_group = footer.metadata.row_group(number)
                chunks = sorted(chunk_of(row_group.column(leaf)) for leaf in used)
                self.ranges += [(file.index, *chunk) for chunk in chunks]
        paths = [self._context.path(file, ".parquet") for file in group.files]
        return f"read_parquet([{', '.join(map(quote_text, paths))}], hive_partitioning = false)"

    def _names(self, group: SchemaGroup, fields: Sequence[IcebergField]) -> list[str]:
        stored = list(group.schema.to_arrow_schema())
        return [stored[_place(group, stored, field)].name for field in fields]

    def _keys(self, group: SchemaGroup, fields: Sequence[IcebergField]) -> list[str]:
        """SQL of the values by which rows are deleted, in the fields' types."""
        stored = list(group.schema.to_arrow_schema())
        path = self._context.path(group.files[0], ".parquet")
        described = describe(group.files[0], path, self._context)
        keys = []
        for index, field in enumerate(fields):
            place = _place(group, stored, field)
            name, physical = described[place]
            source = Source(name, field.type, "NULL")
            sql = f'"f".{quote_name(name)}'
            try:
                key = value_of(sql, physical, stored[place], field, source)
            except TypeMismatchError:
                raise _bad(group.files[0], f"has a {physical} as {field.type}") from None
            keys.append(f"{key} AS k{index}")
        return keys


def _place(group: SchemaGroup, stored: Sequence[Any], field: IcebergField) -> int:
    place = matching(stored, field)
    if place is None:
        raise _bad(group.files[0], f"has no column of field {field.id}")
    return place


def _values(rows: Iterable[str]) -> str:
    return ", ".join(rows)


def _bad(file: File, what: str) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.ICEBERG_BAD_DATA, f"delete file {file.stored.address} {what}"
    )
