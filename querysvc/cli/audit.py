"""The audit log on the command line: who ran, read and changed what."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from querysvc.cli.server import ConfigOption, StateDirOption, load, named_errors


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("audit")(audit)


def audit(
    principal: Annotated[str | None, typer.Option(help="Only what this principal did.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many entries.")] = 100,
    page_token: Annotated[str | None, typer.Option(help="From the page before.")] = None,
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Print the audit log, newest first, as JSON lines; the next page's token goes to stderr."""
    from querysvc.server import open_audit

    settings = load(config, {"state_dir": state_dir})
    with named_errors(), open_audit(settings) as entries:
        found, token = entries.list_audit(principal=principal, page_token=page_token, limit=limit)
    for entry in found:
        told = {
            "at": entry.occurred_at.isoformat(),
            "principal": entry.principal,
            "action": entry.action,
            "subject": entry.subject,
            "work_group": entry.work_group,
            **entry.details,
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
    if token is not None:
        typer.echo(f"next page: --page-token {token}", err=True)
