"""A file that is not what its format says."""

from __future__ import annotations


class DamagedFileError(Exception):
    """The bytes are damaged; the reader adds the file's name."""
