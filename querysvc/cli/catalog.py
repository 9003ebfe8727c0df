"""Commands that show and fill the catalog: databases, tables, describe, crawl."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from querysvc.cli.connection import (
    DEFAULT_SERVER,
    ApiKeyOption,
    DatabaseOption,
    ServerOption,
    connect,
)

if TYPE_CHECKING:
    from querysvc.client import JsonObject

_CATALOG = "/v1/catalogs/awsdatacatalog"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("databases")(databases)
    app.command("tables")(tables)
    app.command("describe")(describe)
    app.command("crawl")(crawl)


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


def crawl(
    location: Annotated[str, typer.Argument(help="s3://bucket/prefix/ to look under.")],
    table: Annotated[
        str | None, typer.Option("--table", "-t", help="All under the location is this table.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the tables and register their partitions.")
    ] = False,
    database: DatabaseOption = "default",
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """Infer tables from objects: print their DDL with what is doubtful; make them with --apply."""
    body = {"location": location, "database": database, "table": table, "apply": apply}
    with connect(server, api_key) as client:
        result = client.post("/v1/crawl", body)
    for found in result["tables"]:
        typer.echo("\n".join(_crawled(found, is_applied=result["is_applied"])))


def _crawled(found: JsonObject, *, is_applied: bool) -> Iterator[str]:
    from querysvc.cli import formats

    name = f"{found['table']['database']}.{found['table']['name']}"
    size = f"{found['objects']:,} objects, {formats.byte_text(found['bytes'])}"
    yield f"-- {name}: {size}, {found['partitions']:,} partitions"
    yield from (f"-- {note}" for note in found["disagreements"])
    yield f"{found['statement']};"
    if is_applied:
        yield f"-- made, with {found['partitions']:,} partitions registered"
    elif found["partitions"]:
        yield f"MSCK REPAIR TABLE {name};"
    if found["projection"] and not is_applied:
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in found["projection"].items())
        yield "-- or, without registering partitions:"
        yield f"-- ALTER TABLE {name} SET TBLPROPERTIES ({properties});"
    yield ""
