"""Commands on grants, which work on the state beside a running service."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from querysvc.cli.server import ConfigOption, StateDirOption, load, named_errors

if TYPE_CHECKING:
    from querysvc.model import Principal
    from querysvc.service.policies import Policies

grants = typer.Typer(
    no_args_is_help=True,
    help="Who may do what on tables, locations and work groups. A kind of these is open to"
    " everybody until its first grant is made.",
)
_HEADINGS = ("id", "to", "actions", "on", "columns", "where", "state")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(grants, name="grants")


@grants.command("create")
def create(
    to: Annotated[str, typer.Option(help="user:<name>, role:<name>, key:<id>, or '*'.")],
    action: Annotated[
        list[str],
        typer.Option(
            help="select, describe, insert, create, alter, drop; on a location use; on a work"
            " group use, read_results. Repeat for more."
        ),
    ],
    on: Annotated[
        str,
        typer.Option(
            help="table:<database>.<table> ('*' for all), location:s3://<bucket>/<prefix>,"
            " or work_group:<name>."
        ),
    ],
    column: Annotated[
        list[str] | None, typer.Option(help="Only this column; repeat for more.")
    ] = None,
    where: Annotated[str | None, typer.Option(help="Only rows of which this SQL is true.")] = None,
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Make a grant; it holds at once."""
    from querysvc.service.policies import GrantRequest

    columns = tuple(column) if column else None
    with _policies(config, state_dir) as (policies, operator):
        grant = policies.create(GrantRequest(to, tuple(action), on, columns, where), operator)
    typer.echo(grant.id)


@grants.command("list")
def list_all(config: ConfigOption = None, state_dir: StateDirOption = None) -> None:
    """List the grants, revoked ones too."""
    from querysvc.cli import formats
    from querysvc.service.policies import described

    with _policies(config, state_dir) as (policies, operator):
        found = policies.list(operator)
    rows = []
    for grant in found:
        told = {**described(grant), "id": grant.id}
        told["state"] = "revoked" if grant.revoked_at else "valid"
        rows.append([told.get(name, "") for name in _HEADINGS])
    formats.print_table([{"name": name, "type": "varchar"} for name in _HEADINGS], rows)


@grants.command("revoke")
def revoke(
    grant_id: Annotated[str, typer.Argument(help="The grant's id, as `grants list` shows it.")],
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Revoke a grant at once."""
    with _policies(config, state_dir) as (policies, operator):
        policies.revoke(grant_id, operator)
    typer.echo(f"revoked {grant_id}")


@contextmanager
def _policies(config: Path | None, state_dir: Path | None) -> Iterator[tuple[Policies, Principal]]:
    """The grants, and the operator: who may write the state directory is an admin."""
    from querysvc.model import Principal
    from querysvc.server import open_policies
    from querysvc.service.permissions import ADMIN

    settings = load(config, {"state_dir": state_dir})
    operator = Principal(f"operator:{getpass.getuser()}", frozenset({ADMIN}))
    with named_errors(), open_policies(settings) as policies:
        yield policies, operator
