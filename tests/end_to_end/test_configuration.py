"""Settings by file, environment and flag, and what an operator's commands tell of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from querysvc.client import ServiceError
from querysvc.settings import Settings
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, free_port

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "QUERYSVC_"))}


def querysvc(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "querysvc", *arguments]
    variables = {**CLEAN, "COLUMNS": "200", **environment}
    return subprocess.run(command, capture_output=True, timeout=120, env=variables)


def test_file_is_read_and_environment_and_flags_win_over_it(tmp_path: Path) -> None:
    """The flag wins on port, the environment on sql_bytes_max, the file stays for the last."""
    config = tmp_path / "querysvc.toml"
    config.write_text(
        f"""
        port = 1
        sql_bytes_max = 11
        guard_policy = "athena"
        s3_endpoint = "http://from-the-file:1"
        state_dir = "{tmp_path / "not-here"}"
        [s3_buckets.other]
        endpoint = "http://127.0.0.1:{free_port()}"
        """
    )
    endpoint = f"http://127.0.0.1:{free_port()}"
    given = {"config": config, "sql_bytes_max": 22, "port": 2}
    with running_service(endpoint, tmp_path / "state", **given) as service:
        assert not (tmp_path / "not-here").exists()
        with pytest.raises(ServiceError) as raised:
            service.client.submit("SELECT 'longer than that'")
        assert raised.value.code == "QUERY_TEXT_TOO_LARGE"
        assert "(22)" in raised.value.message
        groups = service.client.get("/v1/work-groups")["work_groups"]
        assert [group["guard"]["name"] for group in groups] == ["athena"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nosuch_setting = 1", ["setting nosuch_setting"]),
        ("port = 99999", ["setting port", "65535"]),
        ("auth = 'maybe'", ["setting auth", "'none' or 'keys'"]),
        ("port = ", ["is not TOML"]),
        ("[s3_buckets.b]\nendpont = 'x'", ["setting s3_buckets.b.endpont"]),
    ],
)
def test_wrong_file_is_told_by_setting_and_not_started(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    config = tmp_path / "querysvc.toml"
    config.write_text(text)
    told = querysvc("serve", "--config", str(config), "--state-dir", str(tmp_path / "state"))
    message = told.stderr.decode()
    assert told.returncode == 1, message
    for part in ("CONFIGURATION_INVALID", *parts):
        assert part in message
    assert "Traceback" not in message
    assert not (tmp_path / "state").exists()


def test_wrong_environment_flag_and_missing_file_are_told(tmp_path: Path) -> None:
    told = querysvc("serve", QUERYSVC_PORT="eighty")
    assert (told.returncode, b"setting port" in told.stderr) == (1, True)
    told = querysvc("serve", "--no-such-flag", "1")
    assert (told.returncode, b"no such option: --no-such-flag" in told.stderr) == (1, True)
    told = querysvc("serve", "--config", str(tmp_path / "nosuch.toml"))
    assert (told.returncode, b"cannot be read" in told.stderr) == (1, True)


def test_wrong_secret_is_not_repeated() -> None:
    told = querysvc("serve", QUERYSVC_S3_SECRET_ACCESS_KEY="hush-hush", QUERYSVC_PORT="x")
    assert told.returncode == 1
    assert b"hush-hush" not in told.stdout + told.stderr


def test_settings_lists_every_setting() -> None:
    told = querysvc("settings")
    names = {line.split()[0] for line in told.stdout.decode().splitlines() if line.strip()}
    assert set(Settings.model_fields) <= names


def test_state_directory_in_use_is_told(service: RunningService) -> None:
    told = querysvc("serve", "--port", "0", "--state-dir", str(service.state_dir))
    assert told.returncode == 1
    assert b"in use by another process" in told.stderr


def test_port_in_use_is_told(service: RunningService, tmp_path: Path) -> None:
    port = service.url.rpartition(":")[2]
    told = querysvc("serve", "--port", port, "--state-dir", str(tmp_path / "state"))
    assert told.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in told.stderr.decode()


def test_doctor_tells_what_is_well(s3: S3Server, tmp_path: Path) -> None:
    told = querysvc(
        "doctor",
        *("--s3-endpoint", s3.url, "--state-dir", str(tmp_path / "state")),
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
    )
    text = told.stdout.decode()
    assert told.returncode == 0, text
    for subject in (
        *("state directory", "disk", "S3", "S3 credentials", "clock", "extensions"),
        "containment",
    ):
        assert f" {subject}" in text
    assert f"{s3.url} answers" in text
    assert "✗" not in text


def test_doctor_tells_wrong_credentials(s3: S3Server, tmp_path: Path) -> None:
    told = querysvc(
        "doctor",
        *("--s3-endpoint", s3.url, "--state-dir", str(tmp_path / "state")),
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="wrong-secret",
    )
    assert told.returncode == 2
    assert "✗ S3 credentials" in told.stdout.decode()
    assert b"wrong-secret" not in told.stdout + told.stderr


def test_doctor_fails_when_s3_is_down(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    told = querysvc(
        "doctor",
        *("--s3-endpoint", endpoint, "--state-dir", str(tmp_path / "state")),
        *("--s3-retry-timeout-seconds", "1"),
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
    )
    assert told.returncode == 2
    failing = [line for line in told.stdout.decode().splitlines() if line.startswith("✗")]
    assert len(failing) == 1, "only S3 is down"
    assert endpoint.removeprefix("http://") in failing[0]
    assert b"Traceback" not in told.stderr
