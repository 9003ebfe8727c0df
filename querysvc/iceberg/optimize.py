"""Which data files OPTIMIZE writes anew, by Athena's properties, and what they leave behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from pyiceberg.typedef import Record

from querysvc.iceberg.scan import FileScan, ScanFile
from querysvc.iceberg.table import IcebergTable

_TARGET: Final = "write.target-file-size-bytes"
_SMALL: Final = "optimize_rewrite_min_data_file_size_bytes"
_LARGE: Final = "optimize_rewrite_max_data_file_size_bytes"
_FILES: Final = "optimize_rewrite_data_file_threshold"
_DELETES: Final = "optimize_rewrite_delete_file_threshold"
_FILES_MIN: Final = 5
_DELETES_MIN: Final = 2


def files_to_rewrite(table: IcebergTable, scan: FileScan, target_bytes: int) -> frozenset[str]:
    """Files that are too small, too large, or have many delete files.

    In a partition with few of those that are merely too small or large, these stay.
    `target_bytes` is how large files are made here.
    """
    properties = table.metadata.properties
    target = min(_number(properties, _TARGET, target_bytes), target_bytes)
    small = _number(properties, _SMALL, target * 3 // 4)
    large = _number(properties, _LARGE, target * 9 // 5)
    deletes = _number(properties, _DELETES, _DELETES_MIN)
    groups: dict[tuple[int, Record], list[ScanFile]] = defaultdict(list)
    for one in scan.files:
        groups[one.file.spec_id, one.file.partition].append(one)
    chosen: set[str] = set()
    for files in groups.values():
        marked = [one for one in files if len(one.deletes) >= deletes]
        odd = [one for one in files if not small <= one.file.file_size_in_bytes <= large]
        if len({id(one) for one in (*marked, *odd)}) >= _number(properties, _FILES, _FILES_MIN):
            marked += odd
        chosen |= {one.file.file_path for one in marked}
    return frozenset(chosen)


def left_behind(scan: FileScan, chosen: frozenset[str]) -> frozenset[str]:
    """The delete files that apply to chosen files only; the scan is of all files."""
    used = {n for one in scan.files if one.file.file_path not in chosen for n in one.deletes}
    return frozenset(
        file.file_path for number, file in enumerate(scan.deletes) if number not in used
    )


def _number(properties: Mapping[str, str], name: str, default: int) -> int:
    told = properties.get(name, "")
    return int(told) if told.isdigit() else default
