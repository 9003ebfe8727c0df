"""Commands that run and watch queries: query, estimate, validate, shell, history, cancel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from querysvc.cli import exit_codes
from querysvc.cli.connection import (
    DEFAULT_SERVER,
    ApiKeyOption,
    DatabaseOption,
    ServerOption,
    WorkGroupOption,
    connect,
)
from querysvc.cli.formats import OutputFormat

SqlArgument = Annotated[
    str | None, typer.Argument(metavar="[SQL]", help="The statement; from stdin when absent or -.")
]
FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="Read the statement from a file.", exists=True)
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("query")(query)
    app.command("shell")(shell)
    app.command("history")(history)
    app.command("cancel")(cancel)


def query(
    sql: SqlArgument = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How rows are written to stdout.")
    ] = OutputFormat.TABLE,
    file: FileOption = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A SQL literal for the next `?`.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Tell what would be read; do not run.")
    ] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="Check names and types; do not run.")
    ] = False,
    reuse_minutes: Annotated[
        int, typer.Option(min=0, max=10080, help="Accept an equal result that is this old.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
    database: DatabaseOption = "default",
    work_group: WorkGroupOption = "primary",
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """Run one statement: rows on stdout, progress and summary on stderr.

    Exit codes: 0 done, 1 the statement is at fault, 2 the system is, 3 a storage rule refused it,
    130 cancelled (Ctrl-C cancels the query).
    """
    from querysvc.cli import running

    statement = _statement(sql, file)
    options: dict[str, object] = {
        "database": database,
        "work_group": work_group,
        "parameters": parameter or None,
    }
    with connect(server, api_key) as client:
        if estimate or validate:
            running.describe(
                client, statement, options, what="estimate" if estimate else "validate"
            )
            return
        options["result_reuse_age_max_minutes"] = reuse_minutes or None
        running.run(client, statement, options, output=output, quiet=quiet)


def _statement(sql: str | None, file: Path | None) -> str:
    if file is not None:
        raw = file.read_bytes()
    elif sql not in (None, "-"):
        return str(sql)
    elif sys.stdin.isatty():
        exit_codes.fail("no statement: give it as argument, --file or stdin", exit_codes.USER_ERROR)
    else:
        raw = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        exit_codes.fail(
            f"SYNTAX_ERROR: the statement is not UTF-8: byte {error.start} is"
            f" 0x{raw[error.start]:02x}",
            exit_codes.USER_ERROR,
        )


def shell(
    database: DatabaseOption = "default",
    work_group: WorkGroupOption = "primary",
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """Type statements: completion of names from the catalog, history, Ctrl-C cancels."""
    from querysvc.cli import interactive

    with connect(server, api_key) as client:
        interactive.run(client, database=database, work_group=work_group)


def history(
    state: Annotated[str | None, typer.Option(help="QUEUED, RUNNING, SUCCEEDED …")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 20,
    work_group: Annotated[str | None, typer.Option("--work-group", "-w")] = None,
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """List past and running queries, newest first."""
    from querysvc.cli import formats

    with connect(server, api_key) as client:
        page = client.history(state=state, work_group=work_group, limit=limit)
    formats.print_history(page["queries"])


def cancel(
    query_id: Annotated[str, typer.Argument(help="The query's id (see `querysvc history`).")],
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """Cancel a query."""
    with connect(server, api_key) as client:
        execution = client.cancel(query_id)
    typer.echo(f"{execution['id']} {execution['state']}")
