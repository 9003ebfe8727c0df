"""Publishing a result to the output location, after success only.

    SELECT            <location>/<id>.csv  and  <id>.csv.metadata
    DDL and utility   <location>/<id>.txt  and  <id>.txt.metadata   (tab separated, no header)
    CTAS, INSERT …    <location>/<id>.csv  (empty), <id>.metadata, <id>-manifest.csv

The result object comes last: who sees it sees all. When one cannot be written, the others are
taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from querysvc.errors import QueryServiceError
from querysvc.model import ResultColumn, ResultConfiguration
from querysvc.results.metadata import encode_metadata


class ObjectWriter(Protocol):
    """Writes whole objects; an object is visible entirely or not at all."""

    def put_file(self, address: str, path: Path, options: ResultConfiguration) -> None:
        """Write a local file to `s3://bucket/key`."""
        ...

    def put_bytes(self, address: str, data: bytes, options: ResultConfiguration) -> None:
        """Write bytes to `s3://bucket/key`."""
        ...

    def delete(self, addresses: Sequence[str]) -> None:
        """Delete objects; those that do not exist are no error."""
        ...


@dataclass(frozen=True, slots=True)
class Publication:
    """What to publish: the text file, and the objects that a write made (None: it is no write)."""

    query_id: str
    columns: tuple[ResultColumn, ...]
    text: Path
    configuration: ResultConfiguration
    written_objects: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """Where the result is."""

    output_location: str
    manifest_location: str | None = None


class Publisher:
    """Writes results to their output locations."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer

    def addresses(self, publication: Publication, location: str) -> tuple[str, ...]:
        """The objects that `publish` writes."""
        base = f"{location.rstrip('/')}/{publication.query_id}"
        output = base + publication.text.suffix
        if publication.written_objects is None:
            return f"{output}.metadata", output
        return f"{base}.metadata", f"{base}-manifest.csv", output

    def publish(self, publication: Publication, location: str) -> Published:
        """Write the result's objects under `location` (s3://bucket/prefix)."""
        addresses = self.addresses(publication, location)
        metadata = encode_metadata(publication.query_id, publication.columns)
        manifest = addresses[1] if publication.written_objects is not None else None
        output = addresses[-1]
        written: list[str] = []
        try:
            self._put(addresses[0], metadata, publication, written)
            if manifest is not None:
                lines = "".join(f"{address}\n" for address in publication.written_objects or ())
                self._put(manifest, lines.encode(), publication, written)
            self._writer.put_file(output, publication.text, publication.configuration)
        except BaseException:
            self._take_back(written)
            raise
        return Published(output, manifest)

    def _put(self, address: str, data: bytes, publication: Publication, written: list[str]) -> None:
        self._writer.put_bytes(address, data, publication.configuration)
        written.append(address)

    def _take_back(self, addresses: Sequence[str]) -> None:
        try:
            self._writer.delete(addresses)
        except QueryServiceError:
            return  # the failure that made us take it back is the one to tell
