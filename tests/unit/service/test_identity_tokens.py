"""JWTs of an identity provider, whose keys a real server gives."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.auth import Authenticator, KeyRequest, SecretBox
from querysvc.service.identity_tokens import IdentityProvider, IdentityTokens, check_provider
from querysvc.state.memory import MemoryState
from tests.support.fakes import ManualClock

ISSUER, AUDIENCE = "https://login.example", "querysvc"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
R1, R2 = (rsa.generate_private_key(65537, 2048) for _ in range(2))
E1 = ec.generate_private_key(ec.SECP256R1())


class Provider:
    """An identity provider: its keys, its JWKS over HTTP, the tokens that it signs."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKey] = {"r1": R1, "e1": E1}
        self.published = ["r1", "e1"]
        self.is_down = False
        self.fetches = 0
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.fetches += 1
                self.send_response(503 if provider.is_down else 200)
                self.end_headers()
                self.wfile.write(provider.jwks())

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def jwks(self) -> bytes:
        documents = []
        for name in self.published:
            key = self.keys[name]
            # One of two classes, whose overloads mypy cannot follow: hence Any.
            algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            document = algorithm.to_jwk(key.public_key(), as_dict=True)
            documents.append({**document, "kid": name, "use": "sig"})
        return json.dumps({"keys": documents}).encode()

    def token(self, kid: str = "r1", signed_by: str | None = None, **claims: Any) -> str:
        now = datetime.now(UTC)
        told = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": now + timedelta(minutes=5),
            **claims,
        }
        key = self.keys[signed_by or kid]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        told = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(told, key, algorithm, headers={"kid": kid})


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def tokens(provider: Provider, clock: ManualClock, **changes: Any) -> IdentityTokens:
    values = {"issuer": ISSUER, "audience": AUDIENCE, "keys": provider.url, **changes}
    return IdentityTokens(IdentityProvider(**values), clock)


def refusal(checked: IdentityTokens, token: str) -> str:
    with pytest.raises(QueryServiceError) as caught:
        checked.principal(token)
    assert caught.value.code is ErrorCode.AUTHENTICATION_FAILED
    assert token not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("kid", ["r1", "e1"])
def test_a_signed_token_tells_who_calls(provider: Provider, clock: ManualClock, kid: str) -> None:
    assert tokens(provider, clock).principal(provider.token(kid)) == Principal("ada")


def test_groups_become_roles_except_those_of_ours(provider: Provider, clock: ManualClock) -> None:
    token = provider.token(groups=["analyst", "admin", "work_group:x", "key:k1", "", 7])
    assert tokens(provider, clock).principal(token).roles == {"analyst"}
    boss = provider.token(groups=["data-admins", "analyst"])
    checked = tokens(provider, clock, admin_group="data-admins")
    assert checked.principal(boss).roles == {"data-admins", "analyst", "admin"}
    assert checked.principal(token).roles == {"analyst"}


def test_other_claims_can_name_user_and_groups(provider: Provider, clock: ManualClock) -> None:
    checked = tokens(provider, clock, user_claim="email", groups_claim="team")
    token = provider.token(email="ada@example.org", team="analyst")
    assert checked.principal(token) == Principal("ada@example.org", frozenset({"analyst"}))
    assert "no claim email" in refusal(checked, provider.token())


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": datetime(2020, 1, 1, tzinfo=UTC)}, "it has expired"),
        ({"exp": None}, "lacks a claim"),
        ({"iss": "https://other.example"}, "another issuer"),
        ({"iss": None}, "lacks a claim"),
        ({"aud": "other"}, "another audience"),
        ({"aud": None}, "lacks a claim"),
        ({"nbf": datetime.now(UTC) + timedelta(hours=1)}, "not valid yet"),
        ({"sub": None}, "no claim sub"),
        ({"sub": ""}, "no claim sub"),
    ],
)
def test_a_wrong_claim_is_refused(
    provider: Provider, clock: ManualClock, claims: dict[str, Any], reason: str
) -> None:
    assert reason in refusal(tokens(provider, clock), provider.token(**claims))


def test_clocks_may_differ_a_little(provider: Provider, clock: ManualClock) -> None:
    late = provider.token(exp=datetime.now(UTC) - timedelta(seconds=10))
    assert tokens(provider, clock).principal(late).name == "ada"
    assert "expired" in refusal(tokens(provider, clock, clock_skew_seconds=5.0), late)


def test_a_signature_of_another_key_is_refused(provider: Provider, clock: ManualClock) -> None:
    provider.keys["mallory"] = R2
    assert "signature" in refusal(tokens(provider, clock), provider.token("r1", "mallory"))
    assert "none of the provider's" in refusal(tokens(provider, clock), provider.token("mallory"))
    head, body, signature = provider.token().split(".")
    assert "signature" in refusal(tokens(provider, clock), f"{head}.{body}.{signature[::-1]}")


def test_unsigned_and_shared_secrets_are_refused(provider: Provider, clock: ManualClock) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": 4_000_000_000}
    unsigned = jwt.encode(claims, "", "none", headers={"kid": "r1"})
    shared = jwt.encode(claims, "x" * 64, "HS256", headers={"kid": "r1"})
    for token in (unsigned, shared):
        assert "algorithm is not allowed" in refusal(tokens(provider, clock), token)


def test_an_algorithm_that_is_not_listed_is_refused(provider: Provider, clock: ManualClock) -> None:
    checked = tokens(provider, clock, algorithms=("ES256",))
    assert checked.principal(provider.token("e1")).name == "ada"
    assert "algorithm is not allowed" in refusal(checked, provider.token("r1"))


@pytest.mark.parametrize("text", ["a.b.c", "..", "eyJ.eyJ.x", "a.b.c" * 9000])
def test_what_is_no_token_is_refused(provider: Provider, clock: ManualClock, text: str) -> None:
    refusal(tokens(provider, clock), text)


def test_a_new_key_is_found_but_not_asked_for_at_will(
    provider: Provider, clock: ManualClock
) -> None:
    checked = tokens(provider, clock)
    checked.principal(provider.token())
    provider.keys["r2"] = R2
    provider.published = ["r2"]
    for _ in range(5):
        refusal(checked, provider.token("r2"))
    assert provider.fetches == 1
    clock.advance(11)
    assert checked.principal(provider.token("r2")).name == "ada"
    assert provider.fetches == 2
    assert "none of the provider's" in refusal(checked, provider.token("r1"))


def test_keys_stay_good_while_the_provider_is_away(provider: Provider, clock: ManualClock) -> None:
    checked = tokens(provider, clock)
    checked.principal(provider.token())
    provider.is_down = True
    clock.advance(1000)
    assert checked.principal(provider.token()).name == "ada"
    assert provider.fetches == 2


def test_keys_can_come_from_a_file(provider: Provider, clock: ManualClock, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(provider.jwks())
    checked = tokens(provider, clock, keys=str(file))
    assert checked.principal(provider.token()).name == "ada"
    assert provider.fetches == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": "http://login.example/jwks"},
        {"keys": ""},
        {"audience": ""},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"algorithms": ()},
    ],
)
def test_a_provider_that_cannot_be_trusted_is_refused(wrong: dict[str, Any]) -> None:
    values: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": "https://x/jwks"}
    with pytest.raises(QueryServiceError) as caught:
        check_provider(IdentityProvider(**{**values, **wrong}))
    assert caught.value.code is ErrorCode.CONFIGURATION_INVALID


def test_tokens_and_keys_are_taken_side_by_side(
    provider: Provider, clock: ManualClock, tmp_path: Path
) -> None:
    authenticator = Authenticator(
        MemoryState(),
        SecretBox(tmp_path / "secret.key"),
        clock,
        is_required=True,
        rights_of=lambda principal: Principal(principal.name, principal.roles | {"granted"}),
        tokens=tokens(provider, clock),
    )
    key = authenticator.create_key(KeyRequest("bob")).secret_text
    assert authenticator.authenticate(key).name == "bob"
    found = authenticator.authenticate(provider.token(groups=["analyst"]))
    assert found == Principal("ada", frozenset({"analyst", "granted"}))
