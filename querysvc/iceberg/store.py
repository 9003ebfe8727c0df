"""Our access to S3 as pyiceberg's FileIO: whole objects, for its metadata files are small."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.unpacked import check_unpacked


class ObjectBytes(Protocol):
    """Reads, writes and deletes small objects, named `s3://bucket/key`."""

    def read_object(self, address: str) -> bytes:
        """The whole object."""
        ...

    def put_bytes(self, address: str, data: bytes) -> None:
        """Write an object."""
        ...

    def delete(self, addresses: Sequence[str]) -> None:
        """Delete objects; those that do not exist are no error."""
        ...


class ObjectFiles(FileIO):
    """Objects as pyiceberg's files: those under some prefixes, for metadata may name any object.

    Grants are checked on what a catalog's entry names (ADR-0015); the rest must lie beneath.
    """

    def __init__(self, objects: ObjectBytes, prefixes: Sequence[str] | None = None) -> None:
        super().__init__({})
        self._objects = objects
        self._prefixes = None if prefixes is None else tuple(map(_folder, prefixes))

    def holds(self, location: str) -> bool:
        """Whether an object lies under the prefixes."""
        address = address_of(location)
        return self._prefixes is None or address.startswith(self._prefixes)

    def require(self, location: str) -> None:
        """PERMISSION_DENIED of objects elsewhere."""
        if not self.holds(location):
            raise QueryServiceError(
                ErrorCode.PERMISSION_DENIED,
                f"Access Denied: {location} lies outside of its Iceberg table's location; name its"
                " folder in the table's parameter write.data.path or write.metadata.path",
            )

    def new_input(self, location: str) -> InputFile:
        """An object to read."""
        self.require(location)
        return ObjectInput(location, self._objects)

    def new_output(self, location: str) -> OutputFile:
        """An object to write."""
        self.require(location)
        return ObjectOutput(location, self._objects)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete an object."""
        self._objects.delete([location if isinstance(location, str) else location.location])


def address_of(location: str) -> str:
    """The object's address, `s3://bucket/key`, of a path in metadata."""
    scheme, separator, rest = location.partition("://")
    return f"s3://{rest}" if separator and scheme.lower() in ("s3a", "s3n") else location


def _folder(prefix: str) -> str:
    return f"{address_of(prefix).rstrip('/')}/"


class ObjectInput(InputFile):
    """An object that is read whole when it is opened."""

    def __init__(self, location: str, objects: ObjectBytes) -> None:
        super().__init__(location)
        self._objects = objects

    def __len__(self) -> int:
        return len(self._objects.read_object(self.location))

    def exists(self) -> bool:
        """Not asked: names are never used twice."""
        return False

    def open(self, seekable: bool = True) -> InputStream:
        """Its bytes, once it is known that they do not unpack to more than they may."""
        data = self._objects.read_object(self.location)
        check_unpacked(data, self.location)
        return io.BytesIO(data)


class ObjectOutput(OutputFile):
    """An object that comes to exist when its stream is closed."""

    def __init__(self, location: str, objects: ObjectBytes) -> None:
        super().__init__(location)
        self._objects = objects
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def exists(self) -> bool:
        """Not asked: names are never used twice."""
        return False

    def to_input_file(self) -> InputFile:
        """The object to read."""
        return ObjectInput(self.location, self._objects)

    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream of its bytes."""
        return _Upload(self)

    def put(self, data: bytes) -> None:
        """Write the object."""
        self._size = len(data)
        self._objects.put_bytes(self.location, data)


class _Upload(io.BytesIO):
    """Bytes that are uploaded when the stream is closed."""

    def __init__(self, target: ObjectOutput) -> None:
        super().__init__()
        self._target = target

    def close(self) -> None:
        """Upload, once; a stream that is left by an exception uploads nothing."""
        if not self.closed:
            self._target.put(self.getvalue())
        super().close()

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is not None:
            super().close()
        self.close()
