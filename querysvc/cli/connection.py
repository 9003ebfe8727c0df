"""The options by which commands reach a server, and the errors that all of them tell alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from querysvc.cli import exit_codes

if TYPE_CHECKING:
    from querysvc.client import Client

DEFAULT_SERVER = "http://127.0.0.1:8080"

ServerOption = Annotated[
    str, typer.Option("--server", "-s", envvar="QUERYSVC_SERVER", help="The service's URL.")
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option("--api-key", envvar="QUERYSVC_API_KEY", help="The API key, if it asks for one."),
]
DatabaseOption = Annotated[
    str, typer.Option("--database", "-d", envvar="QUERYSVC_DATABASE", help="For unqualified names.")
]
WorkGroupOption = Annotated[
    str, typer.Option("--work-group", "-w", envvar="QUERYSVC_WORK_GROUP", help="The work group.")
]


@contextmanager
def connect(server: str, api_key: str | None) -> Iterator[Client]:
    """A client whose errors end the command with a message and the right exit code."""
    from querysvc.client import Client, ServiceError, ServiceUnreachableError

    try:
        with Client(server, api_key=api_key) as client:
            yield client
    except ServiceUnreachableError as error:
        hint = "is it running? (`querysvc serve`, or give --server)"
        exit_codes.fail(f"{error}; {hint}", exit_codes.SYSTEM_ERROR)
    except ServiceError as error:
        exit_codes.fail(str(error), exit_codes.of_error(error.code, error.error_type))
