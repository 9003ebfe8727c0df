"""Commands that show the catalog: databases, tables, describe."""

from __future__ import annotations

from typing import Annotated

import typer

from querysvc.cli.connection import (
    DEFAULT_SERVER,
    ApiKeyOption,
    DatabaseOption,
    ServerOption,
    connect,
)

_CATALOG = "/v1/catalogs/awsdatacatalog"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("databases")(databases)
    app.command("tables")(tables)
    app.command("describe")(describe)


def databases(server: ServerOption = DEFAULT_SERVER, api_key: ApiKeyOption = None) -> None:
    """List the databases."""
    with connect(server, api_key) as client:
        for database in client.get(f"{_CATALOG}/databases")["databases"]:
            typer.echo(database["name"])


def tables(
    database: DatabaseOption = "default",
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """List the tables of a database with format and location."""
    from querysvc.cli import formats

    with connect(server, api_key) as client:
        found = client.get(f"{_CATALOG}/databases/{database}/tables")["tables"]
    columns = [{"name": name, "type": "varchar"} for name in ("table", "format", "location")]
    formats.print_table(columns, [[t["name"], t["format"], t["location"]] for t in found])


def describe(
    table: Annotated[str, typer.Argument(help="The table: name, or database.name.")],
    database: DatabaseOption = "default",
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """Show a table's columns, partition keys and where it lies."""
    from querysvc.cli import formats

    head, _, name = table.rpartition(".")
    with connect(server, api_key) as client:
        found = client.get(f"{_CATALOG}/databases/{head or database}/tables/{name}")
    columns = [{"name": name, "type": "varchar"} for name in ("column", "type", "comment")]
    rows = [[c["name"], c["type"], c.get("comment") or ""] for c in found["columns"]]
    rows += [[c["name"], c["type"], "partition key"] for c in found["partition_keys"]]
    formats.print_table(columns, rows)
    typer.echo(f"{found['format']} at {found['location']}", err=True)
