"""What the exit code of a command says."""

from __future__ import annotations

from typing import NoReturn

import typer

USER_ERROR = 1
SYSTEM_ERROR = 2
STORAGE_RULE = 3
CANCELLED = 130


def of_error(code: str, error_type: str) -> int:
    """The exit code for an error's code and type, as the REST API tells them."""
    from querysvc.errors import STORAGE_RULES

    if code in {rule.name for rule in STORAGE_RULES}:
        return STORAGE_RULE
    if code == "USER_CANCELED":
        return CANCELLED
    return USER_ERROR if error_type == "USER_ERROR" else SYSTEM_ERROR


def fail(message: str, exit_code: int) -> NoReturn:
    """Print the message on stderr and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(exit_code)
