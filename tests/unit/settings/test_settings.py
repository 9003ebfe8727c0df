"""Settings: sources and their order, units, help, errors without secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from querysvc.configuration import storage_configuration
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.settings import Settings, describe_settings, load_settings

UNITS = ("_seconds", "_bytes", "_max", "_threads", "_processes", "_workers")
PLAIN_NUMBERS = {"pg_port", "flight_port", "port"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUERYSVC_PORT", "QUERYSVC_S3_REGION", "QUERYSVC_HOST"):
        monkeypatch.delenv(name, raising=False)


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "querysvc.toml"
    path.write_text(text)
    return path


def test_flags_win_over_environment_over_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path, 'port = 1\nhost = "file"\ns3_region = "file"\nlog_level = "debug"')
    monkeypatch.setenv("QUERYSVC_PORT", "2")
    monkeypatch.setenv("QUERYSVC_HOST", "environment")
    settings = load_settings(path, {"port": 3, "s3_endpoint": None})
    assert settings.port == 3
    assert settings.host == "environment"
    assert settings.s3_region == "file"
    assert settings.log_level == "debug"
    assert settings.s3_endpoint is None
    assert settings.auth == "none"


def test_the_promised_flags_exist() -> None:
    flags = {setting.flag for setting in describe_settings()}
    promised = {"--host", "--port", "--state-dir", "--s3-endpoint", "--s3-region", "--auth"}
    assert promised <= flags
    (auth,) = [setting for setting in describe_settings() if setting.name == "auth"]
    assert auth.type == "none | keys"


@pytest.mark.parametrize("setting", describe_settings(), ids=lambda setting: setting.name)
def test_every_setting_has_one_sentence_of_help(setting: object) -> None:
    text = setting.help  # type: ignore[attr-defined]
    assert text.endswith("."), "a sentence ends"
    assert text.count(". ") == 0, "one sentence"
    assert text[0].isupper() or text.startswith("s3://")


@pytest.mark.parametrize("setting", describe_settings(), ids=lambda setting: setting.name)
def test_every_number_names_its_unit(setting: object) -> None:
    name, type_ = setting.name, setting.type  # type: ignore[attr-defined]
    if type_ == "number" and name not in PLAIN_NUMBERS:
        assert re.search(f"({'|'.join(UNITS)})$", name) or name.startswith(("idle_",)), name


def test_every_type_is_told() -> None:
    types = {setting.type for setting in describe_settings()}
    assert types <= {
        "text",
        "text (secret)",
        "number",
        "true | false",
        "path",
        "table",
        "none | keys",
        "console | json",
        "debug | info | warning | error",
        "strict | athena",
        "auto | fail | pass",
    }
    assert [setting.name for setting in describe_settings() if setting.type == "table"] == [
        "s3_buckets"
    ]


def wrong(path: Path | None, **flags: object) -> QueryServiceError:
    with pytest.raises(QueryServiceError) as caught:
        load_settings(path, flags)
    assert caught.value.code is ErrorCode.CONFIGURATION_INVALID
    return caught.value


def test_mistakes_are_named_without_their_values(tmp_path: Path) -> None:
    assert "port" in wrong(None, port="secret-port").message
    assert "secret-port" not in wrong(None, port="secret-port").message
    assert "prot" in wrong(config(tmp_path, "prot = 1")).message
    assert "not TOML" in wrong(config(tmp_path, "port = = 1")).message
    assert "cannot be read" in wrong(tmp_path / "missing.toml").message


def test_secrets_do_not_print() -> None:
    settings = load_settings(None, {"s3_access_key_id": "k", "s3_secret_access_key": "hush"})
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings.model_dump())


def test_storage_takes_every_s3_setting(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        """
        s3_endpoint = "http://s3"
        s3_access_key_id = "k"
        s3_secret_access_key = "s"
        s3_session_token = "t"
        [s3_buckets."logs"]
        region = "eu-west-1"
        path_style = false
        """,
    )
    storage = storage_configuration(load_settings(path))
    assert storage.endpoint_url == "http://s3"
    assert storage.credentials is not None
    assert storage.credentials.session_token == "t"
    assert storage.endpoint("logs").region == "eu-west-1"
    assert storage.endpoint("logs").path_style is False
    assert storage.endpoint("other").path_style is True


def test_half_a_key_pair_is_refused() -> None:
    with pytest.raises(QueryServiceError) as caught:
        storage_configuration(load_settings(None, {"s3_access_key_id": "k"}))
    assert caught.value.code is ErrorCode.CONFIGURATION_INVALID


def test_defaults_match_the_storage_layers_own() -> None:
    from querysvc.storage.configuration import StorageConfiguration

    assert storage_configuration(Settings.model_construct(s3_buckets={})) == StorageConfiguration()
