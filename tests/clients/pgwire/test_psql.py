"""psql's commands."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.pg_stack import PgStack

pytestmark = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")

COMMANDS = (
    *("\\dt", "\\d", "\\d nation", "\\d+ nation", "\\dn", "\\dn+", "\\l", "\\l+", "\\dv", "\\dp"),
    *("\\dt+ tiny.*", "\\dt *.*", "\\di", "\\ds", "\\dm", "\\du", "\\df", "\\dT", "\\dx", "\\db"),
    *("\\conninfo", "\\dC", "\\dL", "\\dD", "\\da", "\\do", "\\det", "\\dtv", "\\encoding"),
)


def psql(stack: PgStack, *commands: str) -> subprocess.CompletedProcess[str]:
    options = [part for command in commands for part in ("-c", command)]
    dsn = stack.dsn(options="-c search_path=tiny")
    arguments = ["psql", "-X", "-w", "-v", "ON_ERROR_STOP=1", dsn, *options]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def test_every_command_ends_well(stack: PgStack) -> None:
    done = psql(stack, *COMMANDS)
    assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr


def test_tables_and_columns_are_listed(stack: PgStack) -> None:
    tables = psql(stack, "\\dt")
    assert " tiny   | nation     | table | anonymous" in tables.stdout
    columns = psql(stack, "\\d nation").stdout
    assert " nationkey | bigint                 |" in columns
    assert " name      | character varying(25)  |" in columns
    assert " tpch | anonymous | UTF8" in psql(stack, "\\l").stdout


def test_an_error_points_at_its_place(stack: PgStack) -> None:
    done = psql(stack, "SELECT nope FROM nation")
    assert done.returncode == 1
    assert (
        "Column 'nope' cannot be resolved\nLINE 1: SELECT nope FROM nation\n               ^"
        in (done.stderr)
    )


def test_a_script_is_run_statement_by_statement(stack: PgStack) -> None:
    script = "BEGIN; SELECT 1 AS one; COMMIT; \\copy (SELECT name FROM nation LIMIT 0) TO STDOUT CSV HEADER\n"  # noqa: E501
    dsn = stack.dsn(options="-c search_path=tiny")
    done = subprocess.run(
        ["psql", "-X", "-w", "-q", "-A", "-t", dsn],
        input=script.replace("; \\copy", ";\n\\copy"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("1\nname\n", "")
