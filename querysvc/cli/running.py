"""Runs a statement for the command line: progress, Ctrl-C, output, exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer

from querysvc.cli import exit_codes, formats
from querysvc.cli.formats import OutputFormat

if TYPE_CHECKING:
    from querysvc.client import Client, JsonObject

FIRST_WAIT_SECONDS = 0.5


def run(
    client: Client,
    statement: str,
    options: JsonObject,
    *,
    output: OutputFormat = OutputFormat.TABLE,
    quiet: bool = False,
) -> None:
    """Run to the end and print the rows; raises ServiceError when the query fails."""
    from querysvc.client import raise_if_failed

    if output is OutputFormat.PARQUET and sys.stdout.isatty():
        exit_codes.fail(
            "Parquet is binary: redirect stdout to a file (> result.parquet)", exit_codes.USER_ERROR
        )
    execution = client.submit(statement, **options)
    try:  # from here on there is a query to cancel
        execution = client.query(execution["id"], wait_seconds=FIRST_WAIT_SECONDS)
        execution = _watch(client, execution, quiet=quiet)
    except KeyboardInterrupt:
        client.cancel(execution["id"])
        exit_codes.fail(f"cancelled {execution['id']}", exit_codes.CANCELLED)
    raise_if_failed(execution)
    _print_rows(client, execution, output)
    if not quiet:
        for warning in execution.get("warnings", ()):
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(formats.summary(execution), err=True)


def describe(client: Client, statement: str, options: JsonObject, *, what: str) -> None:
    """Print the answer of /v1/estimate or /v1/validate."""
    import json

    body = {"sql": statement, **{k: v for k, v in options.items() if v is not None}}
    typer.echo(json.dumps(client.post(f"/v1/{what}", body), indent=2, ensure_ascii=False))


def _watch(client: Client, execution: JsonObject, *, quiet: bool) -> JsonObject:
    with _progress(quiet=quiet) as show:
        for current in client.wait(execution):
            show(current)
    return current


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """Yields a function that shows an execution's progress on stderr (a terminal only)."""
    if quiet or not sys.stderr.isatty():
        yield lambda execution: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("queued") as status:
        yield lambda execution: status.update(_progress_text(execution))


def _progress_text(execution: JsonObject) -> str:
    if execution["state"] == "QUEUED":
        position = execution.get("queue_position")
        return f"queued, position {position}" if position else "queued"
    progress = execution["progress"]
    share = "" if progress["fraction"] is None else f" {progress['fraction']:.0%}"
    planned = progress["planned_bytes"]
    of = f" of {formats.byte_text(planned)}" if planned else ""
    rejected = f", {progress['rejected_rows']:,} set aside" if progress["rejected_rows"] else ""
    return f"running{share}: {formats.byte_text(progress['scanned_bytes'])}{of} scanned{rejected}"


def _print_rows(client: Client, execution: JsonObject, output: OutputFormat) -> None:
    if output is not OutputFormat.TABLE:
        for chunk in client.stream(execution["id"], formats.MEDIA_TYPES[output]):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    columns = execution.get("columns") or []
    if not columns:
        return
    rows = client.rows(execution["id"], page_size=formats.TABLE_ROWS_MAX)
    formats.print_table(columns, islice(rows, formats.TABLE_ROWS_MAX))
    total = execution["statistics"]["result_rows"]
    if total > formats.TABLE_ROWS_MAX:
        typer.echo(
            f"(the first {formats.TABLE_ROWS_MAX:,} of {total:,} rows; -o csv writes all)", err=True
        )
