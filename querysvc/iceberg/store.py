"""Our access to S3 as pyiceberg's FileIO: whole objects, for its metadata files are small."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream


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
    """Objects as pyiceberg's files."""

    def __init__(self, objects: ObjectBytes) -> None:
        super().__init__({})
        self._objects = objects

    def new_input(self, location: str) -> InputFile:
        """An object to read."""
        return ObjectInput(location, self._objects)

    def new_output(self, location: str) -> OutputFile:
        """An object to write."""
        return ObjectOutput(location, self._objects)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete an object."""
        self._objects.delete([location if isinstance(location, str) else location.location])


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
        """Its bytes."""
        return io.BytesIO(self._objects.read_object(self.location))


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
