"""`querysvc doctor`: one line for each thing that the service needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from querysvc.errors import QueryServiceError
from querysvc.settings import Settings

if TYPE_CHECKING:
    from querysvc.client import Client

CLOCK_SKEW_SECONDS_MAX: Final = 300.0
"""S3 refuses signatures that are 15 minutes off; a third of it is worth a warning."""
FREE_BYTES_MIN: Final = 1 << 30
_EXTENSIONS: Final = ("icu", "json", "parquet")
_EXTENSION_CHECK: Final = (
    "import duckdb; print(' '.join(r[0] for r in duckdb.sql("
    '"SELECT extension_name FROM duckdb_extensions() WHERE installed").fetchall()))'
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and what was found; `is_bad` fails the check, `is_note` warns."""

    subject: str
    text: str
    is_bad: bool = False
    is_note: bool = False


def run(settings: Settings) -> bool:
    """Print all findings; whether any is bad."""
    is_bad = False
    for check in (_state_dir, _disk, _storage, _extensions, _containment):
        for finding in _guarded(check, settings):
            mark = "✗" if finding.is_bad else "!" if finding.is_note else "✓"
            color = "red" if finding.is_bad else "yellow" if finding.is_note else "green"
            typer.secho(mark, fg=color, nl=False)
            typer.echo(f" {finding.subject}: {finding.text}")
            is_bad = is_bad or finding.is_bad
    return is_bad


def table(client: Client, name: str) -> int:
    """Print what a service finds wrong with a table; the exit code, 1 when there is something."""
    database, _, table_name = name.rpartition(".")
    path = f"/v1/catalogs/awsdatacatalog/databases/{database or 'default'}/tables/{table_name}"
    findings = client.get(f"{path}/checkup")["findings"]
    for finding in findings:
        typer.secho("!", fg="yellow", nl=False)
        typer.echo(f" {finding['problem']}: {finding['detail']}")
        if finding["statement"]:
            typer.echo(f"    {finding['statement']};")
    if not findings:
        typer.secho("✓", fg="green", nl=False)
        typer.echo(f" {name}: nothing is wrong")
    return 1 if findings else 0


def _guarded(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    try:
        return list(check(settings))
    except (QueryServiceError, OSError, subprocess.SubprocessError) as error:
        return [Finding(check.__name__.strip("_").replace("_", " "), str(error), is_bad=True)]


def _state_dir(settings: Settings) -> Iterator[Finding]:
    path = settings.state_dir
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path):
        yield Finding("state directory", f"{path} can be written")


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.state_dir).free
    wanted = max(FREE_BYTES_MIN, settings.query_spill_bytes)
    text = f"{free / 1e9:.1f} GB free under {settings.state_dir}"
    if free < wanted:
        text += f"; one query may spill {settings.query_spill_bytes / 1e9:.1f} GB"
    yield Finding("disk", text, is_bad=free < FREE_BYTES_MIN, is_note=free < wanted)


def _storage(settings: Settings) -> Iterator[Finding]:
    from querysvc.server import open_storage_connection
    from querysvc.storage.s3_connection import S3RefusalError

    # A person waits for the answer: a store that is down is told after the second try.
    quick = settings.model_copy(update={"s3_attempts_max": 2})
    with open_storage_connection(quick) as connection:
        where = settings.s3_endpoint or f"AWS in {settings.s3_region}"
        try:
            answer = connection.run(connection.call("list_buckets", bucket=None, what=where))
        except S3RefusalError as error:
            yield Finding("S3", f"{where} answers")
            is_denied = error.s3_code == "AccessDenied"
            text = "accepted; they may not list buckets" if is_denied else str(error)
            yield Finding("S3 credentials", text, is_bad=not is_denied)
            return
        buckets = answer.get("Buckets", ())
        yield Finding("S3", f"{where} answers")
        yield Finding("S3 credentials", f"accepted; {len(buckets)} buckets are visible")
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date:
            skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
            is_note = skew > CLOCK_SKEW_SECONDS_MAX
            yield Finding("clock", f"{skew:.0f} s off the endpoint's", is_note=is_note)


def _extensions(_: Settings) -> Iterator[Finding]:
    told = subprocess.run(  # noqa: S603 our own interpreter: this process never imports duckdb
        [sys.executable, "-c", _EXTENSION_CHECK], capture_output=True, text=True, timeout=60
    )
    missing = [name for name in _EXTENSIONS if name not in told.stdout.split()]
    text = f"DuckDB has {', '.join(_EXTENSIONS)} built in"
    yield Finding(
        "extensions",
        f"DuckDB lacks {', '.join(missing)}: {told.stderr.strip()[-200:]}" if missing else text,
        is_bad=bool(missing),
    )


def _containment(settings: Settings) -> Iterator[Finding]:
    from querysvc.server import containment_layers

    with tempfile.TemporaryDirectory(dir=settings.state_dir) as scratch:
        for layer in containment_layers(settings, Path(scratch)):
            holds = layer.is_available and layer.is_applied
            text = "holds in the workers" if holds else "the kernel does not offer it"
            detail = f" ({layer.detail})" if layer.detail else ""
            yield Finding(f"containment: {layer.name}", text + detail, is_note=not holds)
    if os.geteuid() == 0:
        yield Finding("user", "running as root; a user of its own is safer", is_note=True)
