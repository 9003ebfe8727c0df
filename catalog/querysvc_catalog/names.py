"""Names as Glue accepts them, and partition values as Hive writes them into paths.

Glue lower-cases the names of databases, tables and columns on write and compares them in lower
case; it bounds them to 255 characters and refuses control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from querysvc_catalog.errors import EntityKind, InvalidInputError

NAME_LENGTH_MAX: Final = 255
VALUE_LENGTH_MAX: Final = 1024
DEFAULT_PARTITION_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"

_FORBIDDEN_IN_NAMES: Final = re.compile(r"[\x00-\x08\x0a-\x1f\ud800-\udfff]")
_FORBIDDEN_IN_VALUES: Final = re.compile(r"[\x00\ud800-\udfff]")
# Hive's FileUtils.charToEscape, and NUL.
_ESCAPED_IN_PATHS: Final = re.compile(r"[\x00-\x1f\"#%'*/:=?\\\x7f{\[\]^]")
_PATH_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")


def normalize_name(kind: EntityKind, name: str) -> str:
    """Check a name of a database, table, column … and return it in lower case."""
    lowered = name.lower()
    if not 1 <= max(len(name), len(lowered)) <= NAME_LENGTH_MAX:
        raise InvalidInputError(
            f"{kind} name must have 1 to {NAME_LENGTH_MAX} characters, but has {len(name)}"
        )
    if _FORBIDDEN_IN_NAMES.search(name):
        raise InvalidInputError(f"{kind} name {name!r} holds a character that is not allowed")
    return lowered


def check_partition_values(values: Sequence[str], keys_count: int) -> tuple[str, ...]:
    """Check the values of one partition against the number of partition keys."""
    if len(values) != keys_count:
        raise InvalidInputError(
            f"the number of partition values ({len(values)}) does not match "
            f"the number of partition keys ({keys_count})"
        )
    for value in values:
        if len(value) > VALUE_LENGTH_MAX:
            raise InvalidInputError(
                f"a partition value has {len(value)} characters, more than {VALUE_LENGTH_MAX}"
            )
        if _FORBIDDEN_IN_VALUES.search(value):
            raise InvalidInputError(
                f"partition value {value!r} holds a character that is not allowed"
            )
    return tuple(values)


def escape_path_name(text: str) -> str:
    """Escape a key or value for a path, as Hive does; an empty one is the default partition."""
    if not text:
        return DEFAULT_PARTITION_VALUE
    return _ESCAPED_IN_PATHS.sub(lambda match: f"%{ord(match[0]):02X}", text)


def unescape_path_name(text: str) -> str:
    """Undo `escape_path_name`; a `%` that begins no escape stands for itself, as in Hive."""
    return _PATH_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def partition_path(keys: Iterable[str], values: Iterable[str]) -> str:
    """Print a partition as the path Hive gives it: `dt=2024-01-01/hour=05`."""
    return "/".join(
        f"{escape_path_name(key)}={escape_path_name(value)}"
        for key, value in zip(keys, values, strict=True)
    )


def parse_partition_path(path: str) -> tuple[tuple[str, str], ...] | None:
    """Read `dt=2024-01-01/hour=05` as (key, value) pairs, or None if any part is not of that form.

    Keys come in lower case, as the catalog keeps them.
    """
    pairs: list[tuple[str, str]] = []
    for part in path.strip("/").split("/"):
        key, equals, value = part.partition("=")
        if not key or not equals:
            return None
        pairs.append((unescape_path_name(key).lower(), unescape_path_name(value)))
    return tuple(pairs)
