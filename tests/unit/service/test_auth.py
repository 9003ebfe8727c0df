"""Keys: made once, told once, checked in constant time, ended at once."""

from __future__ import annotations

import dataclasses
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.auth import ANONYMOUS, Authenticator, KeyRequest, SecretBox
from querysvc.service.permissions import may_use_work_group
from querysvc.state.memory import MemoryState
from querysvc.state.repository import State
from tests.support.fakes import ManualClock

REQUEST = KeyRequest("ada", frozenset({"analyst"}), frozenset({"etl"}), "d")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys(state: State, clock: ManualClock, tmp_path: Path) -> Authenticator:
    return Authenticator(state, SecretBox(tmp_path / "secret.key"), clock, is_required=True)


def refused(keys: Authenticator, text: str | None) -> bool:
    with pytest.raises(QueryServiceError) as caught:
        keys.authenticate(text)
    return caught.value.code is ErrorCode.AUTHENTICATION_FAILED


def test_a_key_names_its_principal_and_work_groups(keys: Authenticator) -> None:
    made = keys.create_key(REQUEST)
    principal = keys.authenticate(made.secret_text)
    assert principal.name == "ada"
    assert may_use_work_group(principal, "etl")
    assert not may_use_work_group(principal, "primary")


def test_wrong_keys_are_refused(keys: Authenticator) -> None:
    made = keys.create_key(REQUEST).secret_text
    other = keys.create_key(REQUEST).secret_text
    prefix, key_id, secret = made.split("_", 2)
    wrong = [
        None, "", "x", "qsvc", "qsvc__", f"qsvc_{key_id}", f"qsvc_{key_id}_", made + "x", made[:-1],
        made.upper(), f"asvc_{key_id}_{secret}", f"{prefix}_{key_id}_{other.split('_', 2)[2]}",
        "qsvc_\x00_é\ud800",
    ]  # fmt: skip
    assert all(refused(keys, text) for text in wrong)


def test_a_key_ends_when_it_expires_or_is_revoked(keys: Authenticator, clock: ManualClock) -> None:
    ending = dataclasses.replace(REQUEST, expires_at=clock.now() + timedelta(seconds=10))
    expiring, revoked = keys.create_key(ending), keys.create_key(REQUEST)
    keys.authenticate(expiring.secret_text)
    clock.advance(10)
    assert refused(keys, expiring.secret_text)
    keys.authenticate(revoked.secret_text)
    keys.revoke_key(revoked.key.id)
    assert refused(keys, revoked.secret_text)
    with pytest.raises(QueryServiceError, match="no key"):
        keys.revoke_key("none")


def test_secrets_are_neither_stored_nor_printed(keys: Authenticator, tmp_path: Path) -> None:
    key, pair = keys.create_key(REQUEST), keys.create_key_pair(REQUEST)
    secret = key.secret_text.split("_", 2)[2]
    stored = repr((keys.list_keys(), keys.list_key_pairs())) + repr((key, pair))
    assert secret not in stored
    assert pair.secret_access_key not in stored
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert secret.encode() not in data
        assert pair.secret_access_key.encode() not in data


def test_a_key_pairs_secret_comes_back_for_signatures(keys: Authenticator, tmp_path: Path) -> None:
    made = keys.create_key_pair(REQUEST)
    secret, principal = keys.secret_of(made.pair.access_key_id)
    assert (secret, principal.name) == (made.secret_access_key, "ada")
    assert not may_use_work_group(principal, "primary")
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    keys.revoke_key_pair(made.pair.access_key_id)
    for access_key_id in (made.pair.access_key_id, "AKIAUNKNOWN"):
        with pytest.raises(QueryServiceError) as caught:
            keys.secret_of(access_key_id)
        assert caught.value.code is ErrorCode.AUTHENTICATION_FAILED


def test_a_secret_opens_only_under_its_own_name_and_key_file(tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "a.key")
    sealed = box.seal("A", "hush")
    assert box.open("A", sealed) == "hush"
    for other, name in ((box, "B"), (SecretBox(tmp_path / "b.key"), "A")):
        with pytest.raises(QueryServiceError) as caught:
            other.open(name, sealed)
        assert caught.value.code is ErrorCode.INVALID_CREDENTIALS


def test_without_authentication_everyone_is_the_anonymous_admin(tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "k")
    keys = Authenticator(MemoryState(), box, ManualClock(), is_required=False)
    assert keys.authenticate(None) == keys.authenticate("whatever") == ANONYMOUS
