"""Every setting: its name (unit last), default and one sentence of help.

Flags win over the environment (QUERYSVC_…), that over the file (querysvc.toml), that over defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from querysvc.errors import ErrorCode, QueryServiceError

ENVIRONMENT_PREFIX = "QUERYSVC_"


def _default_state_dir() -> Path:
    """`querysvc` under the XDG state directory, or `.querysvc` here when there is no home."""
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "querysvc"
    home = os.environ.get("HOME")
    return Path(home) / ".local" / "state" / "querysvc" if home else Path(".querysvc")


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


class BucketSettings(BaseModel):
    """What differs for one bucket; what is not given is as for all buckets."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str | None = Field(None, description="URL of the endpoint that has the bucket.")
    region: str | None = Field(None, description="The bucket's region.")
    path_style: bool | None = Field(None, description="Put the bucket in the path, not the host.")
    access_key_id: SecretStr | None = Field(None, description="Access key for this bucket.")
    secret_access_key: SecretStr | None = Field(None, description="Secret for this bucket.")


class Settings(BaseSettings):
    """All settings of a service."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    pg_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the PostgreSQL wire; 0 takes a free one; without it there is none.",
    )
    flight_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the Flight SQL wire (extra: flightsql); 0 takes a free one; without it"
        " there is none.",
    )
    trino_segments_bytes_max: int = Field(
        1 << 30,
        ge=0,
        description="Bytes of spooled segments that lie on disk for Trino's clients; beyond it"
        " rows are sent inside the pages, which takes more of the client's time.",
    )
    state_dir: Path = Field(
        default_factory=_default_state_dir,
        description="Directory of the SQLite state, results, keys and scratch space.",
    )
    auth: Literal["none", "keys"] = Field(
        "none", description="Who may call: anyone (none), or holders of API keys (keys)."
    )
    oidc_issuer: str | None = Field(
        None, description="Issuer whose JWTs are taken beside API keys (OIDC); needs auth = keys."
    )
    oidc_audience: str | None = Field(None, description="Audience that JWTs must be for.")
    oidc_keys: str | None = Field(
        None, description="The issuer's JWKS: an https:// address, or the path of a file."
    )
    oidc_algorithms: str = Field(
        "RS256 ES256", description="Algorithms of signatures that are taken, with spaces between."
    )
    oidc_user_claim: str = Field("sub", description="The claim that names the user.")
    oidc_groups_claim: str = Field("groups", description="The claim whose groups become roles.")
    oidc_admin_group: str | None = Field(None, description="The group whose members are admins.")
    oidc_clock_skew_seconds: float = Field(
        30.0, ge=0, le=300, description="How far the issuer's clock may be from ours."
    )
    exposes_without_auth: bool = Field(
        False, description="Allow listening beyond loopback without authentication."
    )
    tls_certificate_file: Path | None = Field(
        None, description="PEM certificate chain; with it the service speaks HTTPS."
    )
    tls_key_file: Path | None = Field(None, description="PEM private key of the certificate.")
    log_format: Literal["console", "json"] = Field(
        "console", description="Log lines for people (console) or for machines (json)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )

    database_url: SecretStr | None = Field(
        None,
        description="State and catalog database, postgresql://… for several nodes; default is"
        " SQLite in the state directory.",
    )
    node_name: str | None = Field(
        None, description="This node's name among several; default is kept in the state directory."
    )
    lease_seconds: float = Field(
        30.0, gt=1, description="How long a node that is gone keeps its running queries."
    )
    shutdown_grace_seconds: float = Field(
        10.0, ge=0, description="How long running queries may go on when the service stops."
    )
    result_retention_seconds: float = Field(
        7 * 86400.0, gt=0, description="How long results are kept in the state directory."
    )

    running_queries_max: int = Field(
        default_factory=lambda: max(4, 2 * _cores()),
        ge=1,
        description="Queries that run at once on this node.",
    )
    work_group_running_max: int = Field(
        1000, ge=1, description="Queries of one work group that run at once, where it sets none."
    )
    queued_queries_max: int = Field(
        1000, ge=1, description="Queries of one work group that wait, where it sets none."
    )
    queued_queries_total_max: int = Field(
        10_000, ge=1, description="Queries of all work groups that wait."
    )
    submissions_per_second_max: float | None = Field(
        None, gt=0, description="Submissions a second to one work group, where it sets none."
    )
    submissions_burst_max: int = Field(
        100, ge=1, description="Submissions at once to one work group, where it sets none."
    )
    sql_bytes_max: int = Field(262_144, ge=1, description="Longest statement, in UTF-8.")

    query_timeout_seconds: float = Field(
        1800.0, gt=0, description="Longest run of one query, where its work group sets none."
    )
    query_memory_bytes: int = Field(
        2 << 30, ge=64 << 20, description="Memory of one query, where its work group sets none."
    )
    query_spill_bytes: int = Field(
        16 << 30, ge=0, description="Scratch space of one query, where its work group sets none."
    )
    query_scanned_bytes_max: int | None = Field(
        None, ge=1, description="Bytes that one query may read, where its work group sets none."
    )
    query_result_bytes_max: int | None = Field(
        None, ge=1, description="Size of one query's result, where its work group sets none."
    )
    query_threads: int = Field(
        default_factory=lambda: min(8, _cores()), ge=1, description="Threads of one query."
    )
    query_fetch_window_bytes: int = Field(
        256 << 20, ge=1 << 20, description="Fetched and not yet read bytes of one query."
    )
    idle_workers: int = Field(
        default_factory=lambda: max(2, _cores()),
        ge=1,
        description="Engine processes that wait for the next query.",
    )

    write_partitions_max: int = Field(
        10_000, ge=1, description="Partitions that one CREATE TABLE AS, INSERT or UNLOAD may write."
    )
    write_file_bytes: int = Field(
        256 << 20, ge=1 << 20, description="Size at which a written file ends and the next begins."
    )
    write_staging_bytes_max: int = Field(
        64 << 30, ge=1 << 20, description="Local disk that the rows of one write may take."
    )
    write_sweep_seconds: float = Field(
        15.0, gt=0, description="How often what lost writes left in S3 is looked for and removed."
    )

    analysis_processes: int = Field(
        default_factory=lambda: max(2, _cores()),
        ge=1,
        description="Processes that parse and check statements.",
    )
    analysis_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest parse and check of one statement."
    )
    analysis_memory_bytes: int = Field(
        1 << 30, ge=256 << 20, description="Address space of one process that checks statements."
    )

    output_location: str | None = Field(
        None, description="s3:// location of results for a new `primary` work group."
    )
    guard_policy: Literal["strict", "athena"] = Field(
        "strict", description="Storage rules of a new `primary` work group."
    )

    s3_endpoint: str | None = Field(
        None, description="URL of an S3-compatible endpoint; default is AWS itself."
    )
    s3_region: str = Field(
        "us-east-1", description="The region that queries run in; the storage rules compare it."
    )
    s3_path_style: bool | None = Field(
        None, description="Bucket in the path, not in the host; default: where an endpoint is set."
    )
    s3_tls_verify: bool = Field(True, description="Check the endpoint's certificate.")
    s3_ca_bundle_file: Path | None = Field(
        None, description="PEM certificates to trust beside the system's."
    )
    s3_access_key_id: SecretStr | None = Field(
        None, description="Access key; default is the ordinary AWS chain."
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret of the access key.")
    s3_session_token: SecretStr | None = Field(None, description="Session token of the key.")
    s3_anonymous: bool = Field(False, description="Send unsigned requests, for public buckets.")
    s3_unanswered_bucket_facts: Literal["auto", "fail", "pass"] = Field(
        "auto",
        description="When S3 does not answer request-payment or encryption calls: refuse (fail),"
        " take the bucket as harmless (pass), or pass on compatible endpoints only (auto).",
    )
    s3_bucket_facts_ttl_seconds: float = Field(
        300.0, ge=0, description="How long regions, encryption and payment of buckets are cached."
    )
    s3_requests_max: int = Field(192, ge=1, description="GET requests in flight on this node.")
    s3_query_requests_max: int = Field(96, ge=1, description="GET requests in flight for a query.")
    s3_listing_requests_max: int = Field(32, ge=1, description="Listing requests in flight.")
    partition_discovery_validity_seconds: float = Field(
        5.0,
        ge=0,
        description="How long a listing of folders serves tables with partition_discovery = auto;"
        " a query that used one tells its age in a warning.",
    )
    s3_range_cache_bytes: int = Field(
        512 << 20, ge=0, description="Memory for fetched ranges that later queries may share."
    )
    s3_connect_timeout_seconds: float = Field(5.0, gt=0, description="Time to connect to S3.")
    s3_stall_timeout_seconds: float = Field(
        20.0, gt=0, description="A GET that delivers nothing for this long is tried again."
    )
    s3_attempts_max: int = Field(
        12, ge=1, description="Tries of one GET; a listing or HEAD has 6 at most."
    )
    s3_retry_timeout_seconds: float = Field(
        120.0, gt=0, description="From a request's first try to the last time it is tried again."
    )
    s3_buckets: dict[str, BucketSettings] = Field(
        default_factory=dict,
        description="What differs for single buckets: endpoint, region, path_style, keys.",
    )


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """A setting as `querysvc settings` lists it."""

    name: str
    type: str
    default: str
    help: str

    @property
    def environment(self) -> str:
        """The environment variable."""
        return f"{ENVIRONMENT_PREFIX}{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The flag of `querysvc serve`."""
        return f"--{self.name.replace('_', '-')}"


def describe_settings() -> tuple[SettingDescription, ...]:
    """All settings, in their order of declaration."""
    return tuple(
        SettingDescription(
            name=name,
            type=_type_text(field.annotation),
            default=_default_text(field.get_default(call_default_factory=True)),
            help=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    )


def load_settings(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings from flags, environment, file and defaults; CONFIGURATION_INVALID if wrong.

    Flags that are None are not given.
    """
    from_file = _read(config) if config is not None else {}

    class _Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)

    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return _Layered(**given)
    except ValidationError as error:
        raise _invalid(error) from None


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise _configuration_error(f"{config} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _configuration_error(f"{config} is not TOML: {error}") from error


def _invalid(error: ValidationError) -> QueryServiceError:
    """Names the settings and what is wrong, never their values: some are secrets."""
    parts = [
        f"setting {'.'.join(map(str, detail['loc']))}: {detail['msg']}"
        for detail in error.errors(include_input=False, include_url=False)
    ]
    return _configuration_error("; ".join(parts))


def _configuration_error(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.CONFIGURATION_INVALID, message)


def _type_text(annotation: Any) -> str:
    choices = get_args(annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return " | ".join(choices)
    if choices and not hasattr(annotation, "__origin__"):
        return " | ".join(_type_text(choice) for choice in choices if choice is not type(None))
    return _TYPE_NAMES.get(annotation, "table")


_TYPE_NAMES: dict[Any, str] = {
    str: "text",
    SecretStr: "text (secret)",
    int: "number",
    float: "number",
    bool: "true | false",
    Path: "path",
}


def _default_text(value: Any) -> str:
    if value is None or value == {}:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
