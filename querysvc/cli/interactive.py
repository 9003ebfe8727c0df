"""The interactive shell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from querysvc.cli import running
from querysvc.client import ServiceError, ServiceUnreachableError

if TYPE_CHECKING:
    from querysvc.client import Client

KEYWORDS = [
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "WITH", "AS"),
    *("JOIN", "LEFT JOIN", "ON", "USING", "UNION ALL", "DISTINCT", "CASE", "WHEN", "THEN"),
    *("ELSE", "END", "CAST", "COUNT", "SUM", "AVG", "MIN", "MAX", "SHOW TABLES"),
    *("SHOW DATABASES", "SHOW COLUMNS FROM", "SHOW PARTITIONS", "DESCRIBE"),
    *("CREATE EXTERNAL TABLE", "MSCK REPAIR TABLE"),
]
HELP = """\
Statements end with ; and may span lines. Ctrl-C cancels a running query, Ctrl-D leaves.
  \\d           tables of the database      \\d NAME   columns of a table
  \\c DATABASE  change the database         \\h        this help     \\q   leave"""


def run(client: Client, *, database: str, work_group: str) -> None:
    """Read statements until the end of input."""
    client.get("/healthz")
    shell = _Shell(client, database, work_group)
    typer.echo(f"querysvc at {client.server}; \\h for help")
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(_history_file())), multiline=True, key_bindings=_enter_submits()
    )
    while True:
        try:
            text = session.prompt(f"{shell.database}> ", completer=shell.completer())
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if not shell.take(text.strip()):
            return


class _Shell:
    """The shell's state: which database, and the names to complete."""

    def __init__(self, client: Client, database: str, work_group: str) -> None:
        self._client = client
        self.database = database
        self._work_group = work_group
        self._words: list[str] | None = None

    def take(self, text: str) -> bool:
        """Do what was typed; false to leave."""
        command, _, argument = text.partition(" ")
        if command in ("\\q", "exit", "quit", "exit;", "quit;"):
            return False
        if command == "\\h":
            typer.echo(HELP)
        elif command == "\\c":
            self.database, self._words = argument.strip() or "default", None
        elif command == "\\d":
            name = argument.strip()
            self._statement(f"DESCRIBE {name}" if name else "SHOW TABLES")
        elif text:
            self._statement(text.rstrip("; \n"))
        return True

    def _statement(self, sql: str) -> None:
        options = {"database": self.database, "work_group": self._work_group}
        try:
            running.run(self._client, sql, options)
        except (ServiceError, ServiceUnreachableError) as error:
            typer.echo(str(error), err=True)
        except typer.Exit:
            pass  # cancelled; the message is out
        if sql.split(maxsplit=1)[0].upper() in ("CREATE", "DROP", "ALTER"):
            self._words = None

    def completer(self) -> WordCompleter:
        """Keywords, and the catalog's names as of the last change made here."""
        if self._words is None:
            self._words = KEYWORDS + self._catalog_names()
        return WordCompleter(self._words, ignore_case=True)

    def _catalog_names(self) -> list[str]:
        base = f"/v1/catalogs/awsdatacatalog/databases/{self.database}/tables"
        try:
            tables = self._client.get(base)["tables"]
        except ServiceError:
            return []
        names = {table["name"] for table in tables}
        for table in tables:
            names |= {column["name"] for column in table.get("columns", ())}
        return sorted(names)


def _enter_submits() -> KeyBindings:
    """Enter ends the input after `;`, a backslash command or nothing; else it breaks the line."""
    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        text = event.current_buffer.text.strip()
        is_complete = not text or text.startswith("\\") or text.endswith(";")
        if is_complete or text.lower() in ("exit", "quit"):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return bindings


def _history_file() -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "querysvc"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return state / "shell_history"
