"""Where tables lie: folders named `key=value` are partitions, other folders are tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from querysvc.inference.hive_types import merged, of_text
from querysvc.plan import StoredObject
from querysvc_catalog.names import DEFAULT_PARTITION_VALUE, parse_partition_path

_FOLDER: Final = re.compile(r"[^/=]+=[^/]*")
_ENUM_MAX: Final = 20
_PROJECTED: Final = frozenset({"int", "bigint", "date"})


@dataclass(frozen=True, slots=True)
class TableFolder:
    """One table's objects: its prefix (closed by a slash), partition keys, values, folders."""

    bucket: str
    prefix: str
    objects: tuple[StoredObject, ...]
    keys: tuple[str, ...] = ()
    partitions: tuple[tuple[tuple[str, ...], str], ...] = ()
    """(values, location) of each."""
    strays: tuple[str, ...] = ()
    """Objects whose folders are not those of the other objects' partition keys."""

    @property
    def location(self) -> str:
        """`s3://bucket/prefix/`."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def name(self) -> str:
        """A table's name after the last folder."""
        last = self.prefix.rstrip("/").rpartition("/")[2] or self.bucket
        return re.sub(r"\W+", "_", last).strip("_").lower() or "table"


def table_folders(
    prefix: str, objects: Sequence[StoredObject], *, is_one_table: bool = False
) -> tuple[TableFolder, ...]:
    """The tables under a prefix: itself, or where no object lies in it, each of its folders."""
    groups: dict[str, list[StoredObject]] = {}
    rests = (one.key.removeprefix(prefix) for one in objects)
    is_one_table = is_one_table or any(map(_is_of_table, rests))
    for one in objects:
        folder = "" if is_one_table else one.key.removeprefix(prefix).partition("/")[0] + "/"
        groups.setdefault(prefix + folder, []).append(one)
    return tuple(_table(folder, members) for folder, members in sorted(groups.items()))


def _is_of_table(rest: str) -> bool:
    first, slash, _ = rest.partition("/")
    return not slash or _FOLDER.fullmatch(first) is not None


def _table(prefix: str, objects: Sequence[StoredObject]) -> TableFolder:
    folders = {one.key: one.key.removeprefix(prefix).rpartition("/")[0] for one in objects}
    specs = {folder: _spec(folder) for folder in set(folders.values())}
    found = [spec for spec in specs.values() if spec]
    bucket = objects[0].bucket
    if not found:
        return TableFolder(bucket, prefix, tuple(objects))
    keys = tuple(key for key, _ in max(found, key=len))
    strays = [one for one in objects if tuple(k for k, _ in specs[folders[one.key]]) != keys]
    stray_keys = {one.key for one in strays}
    partitions = sorted(
        (tuple(value for _, value in spec), f"s3://{bucket}/{prefix}{folder}/")
        for folder, spec in specs.items()
        if tuple(key for key, _ in spec) == keys
    )
    return TableFolder(
        bucket,
        prefix,
        tuple(one for one in objects if one.key not in stray_keys),
        tuple(key.lower() for key in keys),
        tuple(partitions),
        tuple(one.address for one in strays),
    )


def _spec(folder: str) -> tuple[tuple[str, str], ...]:
    parts = folder.split("/")
    return parse_partition_path(folder) or () if all(map(_FOLDER.fullmatch, parts)) else ()


def key_types(folder: TableFolder) -> tuple[tuple[str, str], ...]:
    """The partition keys with the type that holds all their values."""
    return tuple(
        (key, merged(map(of_text, _values(folder, index))) or "string")
        for index, key in enumerate(folder.keys)
    )


def projection(folder: TableFolder) -> tuple[tuple[str, str], ...]:
    """Properties that spare registering partitions; none when a key follows no pattern."""
    properties = {"projection.enabled": "true"}
    for index, (key, kind) in enumerate(key_types(folder)):
        values = sorted(set(_values(folder, index)), key=int if kind in ("int", "bigint") else str)
        if not values:
            return ()
        if kind in _PROJECTED:
            properties[f"projection.{key}.type"] = "date" if kind == "date" else "integer"
            properties[f"projection.{key}.range"] = f"{values[0]},{values[-1]}"
            if kind == "date":
                properties[f"projection.{key}.format"] = "yyyy-MM-dd"
        elif len(values) <= _ENUM_MAX and not any("," in value for value in values):
            properties[f"projection.{key}.type"] = "enum"
            properties[f"projection.{key}.values"] = ",".join(values)
        else:
            return ()
    return tuple(properties.items()) if folder.keys else ()


def _values(folder: TableFolder, index: int) -> Iterable[str]:
    found = (values[index] for values, _ in folder.partitions)
    return (value for value in found if value != DEFAULT_PARTITION_VALUE)
