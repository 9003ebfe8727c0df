"""Commands of an operator: serve, settings, keys, doctor, demo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from querysvc.cli import exit_codes
from querysvc.cli.connection import DEFAULT_SERVER, ApiKeyOption, ServerOption, connect

if TYPE_CHECKING:
    from querysvc.service.auth import Authenticator
    from querysvc.settings import Settings

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="QUERYSVC_CONFIG", help="Settings file (querysvc.toml)."),
]
StateDirOption = Annotated[
    Path | None, typer.Option("--state-dir", help="Where state, results and keys lie.")
]
_ANY_SETTING = {"allow_extra_args": True, "ignore_unknown_options": True}

keys = typer.Typer(no_args_is_help=True, help="API keys and AWS-style key pairs.")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("serve", context_settings=_ANY_SETTING)(serve)
    app.command("settings")(settings)
    app.command("doctor", context_settings=_ANY_SETTING)(doctor)
    app.command("demo")(demo)
    app.add_typer(keys, name="keys")


def serve(
    context: typer.Context,
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    state_dir: StateDirOption = None,
    s3_endpoint: Annotated[
        str | None, typer.Option(help="URL of an S3-compatible endpoint; AWS when absent.")
    ] = None,
    s3_region: Annotated[str | None, typer.Option(help="The region that queries run in.")] = None,
    auth: Annotated[str | None, typer.Option(help="Who may call: none or keys.")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    Every setting that `querysvc settings` lists is a flag too, as --query-memory-bytes 4000000000.
    """
    from querysvc.server import serve as run

    flags = {
        "host": host,
        "port": port,
        "state_dir": state_dir,
        "s3_endpoint": s3_endpoint,
        "s3_region": s3_region,
        "auth": auth,
        **_extra_flags(context.args),
    }
    loaded = load(config, flags)
    with named_errors():
        run(loaded)


def settings() -> None:
    """List every setting with its default and what it does."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from querysvc.settings import describe_settings

    table = Table(box=SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False)
    for name in ("setting", "type", "default", "what it does"):
        table.add_column(name, overflow="fold")
    for one in describe_settings():
        table.add_row(one.name, one.type, one.default, one.help)
    Console().print(table)
    typer.echo(
        "\nA setting is given as a flag of `querysvc serve` (--name value), as QUERYSVC_NAME in the"
        " environment, or as `name = value` in the file of --config; the first of them wins."
    )


def doctor(
    context: typer.Context,
    what: Annotated[
        list[str] | None, typer.Argument(help="Nothing, or `table` and the name of one.")
    ] = None,
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
    server: ServerOption = DEFAULT_SERVER,
    api_key: ApiKeyOption = None,
) -> None:
    """Check what the service needs: S3, credentials, clock, disk, engine, containment.

    `querysvc doctor table db.name` asks a running service what is wrong with a table.
    """
    from querysvc.cli import checkup

    words = [*(what or ()), *context.args]  # settings are flags too, and may stand anywhere
    match words:
        case ["table", name]:
            with connect(server, api_key) as client:
                raise typer.Exit(checkup.table(client, name))

    loaded = load(config, {"state_dir": state_dir, **_extra_flags(words)})
    raise typer.Exit(exit_codes.SYSTEM_ERROR if checkup.run(loaded) else 0)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the queries.")] = False,
    port: Annotated[int, typer.Option(help="The service's port; 0 takes a free one.")] = 8080,
) -> None:
    """Load real flights into an embedded S3, run five queries, then keep serving."""
    from querysvc.demo import show

    raise typer.Exit(show.run(once=once, port=port))


RunningMaxOption = Annotated[int | None, typer.Option(min=1, help="Queries that run at once.")]
OpenMaxOption = Annotated[
    int | None, typer.Option(min=1, help="Queries that may wait or run at once.")
]
RateOption = Annotated[
    float | None, typer.Option(min=0.001, help="Submissions a second, on average.")
]
ScanMaxOption = Annotated[int | None, typer.Option(min=1, help="Bytes that a query may read.")]
ScanHourMaxOption = Annotated[int | None, typer.Option(min=1, help="Bytes in an hour.")]
ScanDayMaxOption = Annotated[int | None, typer.Option(min=1, help="Bytes in a day.")]
ScanMonthMaxOption = Annotated[int | None, typer.Option(min=1, help="Bytes in a month.")]
TimeoutOption = Annotated[float | None, typer.Option(min=0.1, help="Seconds of a query.")]
MemoryMaxOption = Annotated[
    int | None, typer.Option(min=64 << 20, help="Bytes of memory of a query.")
]
SpillMaxOption = Annotated[int | None, typer.Option(min=0, help="Scratch bytes of a query.")]
ResultMaxOption = Annotated[int | None, typer.Option(min=1, help="Bytes of a result.")]


@keys.command("create")
def create_key(
    principal: Annotated[str, typer.Option(help="Whom the key stands for.")],
    role: Annotated[
        list[str] | None, typer.Option(help="A role, as admin; repeat for more.")
    ] = None,
    work_group: Annotated[
        list[str] | None, typer.Option(help="Only these work groups; repeat for more.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    expires_days: Annotated[float | None, typer.Option(min=0.01, help="Days it is valid.")] = None,
    aws: Annotated[bool, typer.Option("--aws", help="An AWS-style key pair.")] = False,
    running_max: RunningMaxOption = None,
    open_max: OpenMaxOption = None,
    rate: RateOption = None,
    scan_max: ScanMaxOption = None,
    scan_hour_max: ScanHourMaxOption = None,
    scan_day_max: ScanDayMaxOption = None,
    scan_month_max: ScanMonthMaxOption = None,
    timeout: TimeoutOption = None,
    memory_max: MemoryMaxOption = None,
    spill_max: SpillMaxOption = None,
    result_max: ResultMaxOption = None,
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Make a key; its secret is shown once and cannot be read again."""
    from querysvc.service.auth import KeyRequest
    from querysvc.state.values import KeyLimits

    expires_at = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    request = KeyRequest(
        principal=principal,
        roles=frozenset(role or ()),
        work_groups=frozenset(work_group) if work_group else None,
        description=description,
        expires_at=expires_at,
        limits=KeyLimits(
            running_max=running_max,
            open_max=open_max,
            submissions_per_second=rate,
            scanned_bytes_max=scan_max,
            scanned_bytes_per_hour_max=scan_hour_max,
            scanned_bytes_per_day_max=scan_day_max,
            scanned_bytes_per_month_max=scan_month_max,
            timeout_seconds=timeout,
            memory_bytes=memory_max,
            spill_bytes=spill_max,
            result_bytes_max=result_max,
        ),
    )
    with _authenticator(config, state_dir) as authenticator:
        if aws:
            pair = authenticator.create_key_pair(request)
            typer.echo(f"AWS_ACCESS_KEY_ID={pair.pair.access_key_id}")
            typer.echo(f"AWS_SECRET_ACCESS_KEY={pair.secret_access_key}")
        else:
            typer.echo(authenticator.create_key(request).secret_text)


@keys.command("list")
def list_keys(config: ConfigOption = None, state_dir: StateDirOption = None) -> None:
    """List the keys (never their secrets)."""
    from querysvc.cli import formats

    with _authenticator(config, state_dir) as authenticator:
        rows = [[k.id, "API key", *_key_cells(k)] for k in authenticator.list_keys()]
        pairs = authenticator.list_key_pairs()
        rows += [[k.access_key_id, "key pair", *_key_cells(k)] for k in pairs]
    names = ("id", "kind", "principal", "roles", "expires", "state", "description")
    formats.print_table([{"name": name, "type": "varchar"} for name in names], rows)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")],
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Revoke a key at once."""
    with _authenticator(config, state_dir) as authenticator:
        pairs = {pair.access_key_id for pair in authenticator.list_key_pairs()}
        if key_id in pairs:
            authenticator.revoke_key_pair(key_id)
        else:
            authenticator.revoke_key(key_id)
    typer.echo(f"revoked {key_id}")


def _key_cells(key: Any) -> list[str]:  # ApiKey or KeyPair, alike in these fields
    now = datetime.now(UTC)
    state = "revoked" if key.revoked_at else "valid"
    if state == "valid" and key.expires_at and key.expires_at <= now:
        state = "expired"
    expires = key.expires_at.strftime("%Y-%m-%d %H:%M") if key.expires_at else "never"
    return [key.principal, ", ".join(sorted(key.roles)), expires, state, key.description or ""]


@contextmanager
def _authenticator(config: Path | None, state_dir: Path | None) -> Iterator[Authenticator]:
    from querysvc.server import open_authenticator

    settings = load(config, {"state_dir": state_dir})
    with named_errors(), open_authenticator(settings) as authenticator:
        yield authenticator


def load(config: Path | None, flags: Mapping[str, Any]) -> Settings:
    from querysvc.errors import QueryServiceError
    from querysvc.settings import load_settings

    try:
        return load_settings(config, flags)
    except QueryServiceError as error:
        exit_codes.fail(str(error), exit_codes.USER_ERROR)


def _extra_flags(arguments: list[str]) -> dict[str, str]:
    """`--some-setting value` and `--some-setting=value` for the settings without an own option."""
    from querysvc.settings import describe_settings

    known = {one.flag: one.name for one in describe_settings()}
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag not in known:
            exit_codes.fail(
                f"no such option: {flag}; see `querysvc settings`", exit_codes.USER_ERROR
            )
        if not equals:
            if not rest:
                exit_codes.fail(f"option {flag} needs a value", exit_codes.USER_ERROR)
            value = rest.pop(0)
        found[known[flag]] = value
    return found


@contextmanager
def named_errors() -> Iterator[None]:
    """End the command with the error's text; wrong settings are the caller's error."""
    from querysvc.errors import ErrorCode, ErrorType, QueryServiceError

    try:
        yield
    except QueryServiceError as error:
        is_callers = (
            error.code.error_type is ErrorType.USER_ERROR
            or error.code is ErrorCode.CONFIGURATION_INVALID
        )
        exit_codes.fail(
            str(error), exit_codes.USER_ERROR if is_callers else exit_codes.SYSTEM_ERROR
        )
