"""What inference is given and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from querysvc_catalog.serdes import StorageFormat


@dataclass(frozen=True, slots=True)
class Sample:
    """The first and the last bytes of one object; of a small one both are the whole object."""

    key: str
    size: int
    head: bytes
    tail: bytes

    @property
    def is_whole(self) -> bool:
        """Whether the head is the whole object."""
        return len(self.head) >= self.size


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of one object or of all: (name, Hive's type) in order."""

    storage_format: StorageFormat
    columns: tuple[tuple[str, str], ...]
    serde_parameters: tuple[tuple[str, str], ...] = ()
    table_parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Inferred:
    """The merged schema, and where the samples disagree or cannot be read."""

    schema: Schema
    disagreements: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    """Keys and reasons; they stand among the disagreements, too."""


class UnreadableError(Exception):
    """The bytes are of no format that is known here; says why."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One sample's schema with what makes it doubtful."""

    schema: Schema
    notes: tuple[str, ...] = field(default=())
