"""How much of the disk a worker uses: DuckDB keeps its own limit, a worker taken over would not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 512
"""The unit of st_blocks (stat(2)), whatever the file system's is."""
SLACK_BYTES: Final = 16 << 20
"""What may lie beyond the limit before the worker is ended: files are seen between two writes."""


def used_bytes(directory: Path) -> int:
    """The disk space of all files below the directory."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * _BLOCK_BYTES
            except FileNotFoundError:
                continue  # it went meanwhile
    return total
