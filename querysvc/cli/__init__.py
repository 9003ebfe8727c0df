"""The `querysvc` command. Commands import what is heavy when they run: `--help` stays quick."""

from __future__ import annotations

import typer

from querysvc.cli import audit, catalog, grants, queries, server

app = typer.Typer(
    name="querysvc",
    help="SQL over objects in S3, in place: Athena's and Trino's answers, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (queries, catalog, server, grants, audit):
    module.register(app)


def main() -> None:
    """Run the command line; the process exits with one of the codes of `cli.exit_codes`."""
    app()


__all__ = ["app", "main"]
