"""The catalog's error tree, named as Glue names its exceptions.

CatalogError
├── EntityNotFoundError                a database, table, partition … does not exist
├── AlreadyExistsError                 … exists already
├── InvalidInputError                  a name, value, type or expression cannot be accepted
│   ├── TypeSyntaxError                a Hive type text cannot be parsed (has a position)
│   └── ExpressionSyntaxError          a partition expression cannot be parsed (has a position)
├── ConcurrentModificationError        another writer was first; read again and retry
├── ResourceNumberLimitExceededError   a configured limit is reached
├── UnsupportedTypeError               a Hive type that exists but that we do not support
├── UnsupportedFormatError             a SerDe or input format that we do not support
└── ProjectionError                    a partition projection is wrong or cannot be enumerated
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class EntityKind(StrEnum):
    """What an error is about, in Glue's words."""

    DATA_CATALOG = "DataCatalog"
    DATABASE = "Database"
    TABLE = "Table"
    TABLE_VERSION = "TableVersion"
    PARTITION = "Partition"
    PARTITION_INDEX = "PartitionIndex"
    COLUMN = "Column"
    COLUMN_STATISTICS = "ColumnStatistics"
    USER_DEFINED_FUNCTION = "UserDefinedFunction"


class CatalogError(Exception):
    """Anything that the catalog refuses; `message` is a full sentence for the user."""

    glue_name: ClassVar[str] = "InternalServiceException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _EntityError(CatalogError):
    """An error about one named entity."""

    _verb: ClassVar[str] = "is wrong"

    def __init__(self, kind: EntityKind, name: str, message: str | None = None) -> None:
        super().__init__(message or f"{kind} {name} {self._verb}")
        self.kind = kind
        self.name = name

    def __reduce__(self) -> tuple[type[_EntityError], tuple[EntityKind, str, str]]:
        return type(self), (self.kind, self.name, self.message)


class EntityNotFoundError(_EntityError):
    """The named entity does not exist."""

    glue_name = "EntityNotFoundException"
    _verb = "not found."


class AlreadyExistsError(_EntityError):
    """The named entity exists already."""

    glue_name = "AlreadyExistsException"
    _verb = "already exists."


class ConcurrentModificationError(_EntityError):
    """Another writer changed the entity first: read it again and retry."""

    glue_name = "ConcurrentModificationException"
    _verb = "was modified by another writer; read it again and retry."


class ResourceNumberLimitExceededError(_EntityError):
    """A configured limit on the number of entities is reached."""

    glue_name = "ResourceNumberLimitExceededException"
    _verb = "cannot be created: the limit on their number is reached."


class InvalidInputError(CatalogError):
    """A name, a value or a text cannot be accepted."""

    glue_name = "InvalidInputException"


class _PositionedError(InvalidInputError):
    """A text cannot be parsed at `position`, counted from 1."""

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(message)
        self.text = text
        self.position = position

    def __reduce__(self) -> tuple[type[_PositionedError], tuple[str, str, int]]:
        return type(self), (self.message, self.text, self.position)


class TypeSyntaxError(_PositionedError):
    """A Hive type text cannot be parsed."""


class ExpressionSyntaxError(_PositionedError):
    """A partition expression cannot be parsed."""


class UnsupportedTypeError(CatalogError):
    """The type is one of Hive's that this catalog cannot describe to an engine."""

    glue_name = "InvalidInputException"

    def __init__(self, type_name: str) -> None:
        super().__init__(f"Hive type {type_name} is not supported")
        self.type_name = type_name

    def __reduce__(self) -> tuple[type[UnsupportedTypeError], tuple[str]]:
        return type(self), (self.type_name,)


class UnsupportedFormatError(CatalogError):
    """The SerDe, input format or one of its properties is not supported."""

    glue_name = "InvalidInputException"


class ProjectionError(CatalogError):
    """A partition projection is misconfigured or lacks a condition; `code` is Athena's name."""

    glue_name = "InvalidInputException"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[ProjectionError], tuple[str, str]]:
        return type(self), (self.code, self.message)
