"""Who calls: API keys, and AWS-style key pairs for wires that sign requests.

An API key is `qsvc_<id>_<secret>`. The secret has 256 bits of chance, so that its SHA-256 is all
that needs to be kept, beside what checks a SCRAM proof of it (ADR-0014). A key pair's secret must
be known to check a signature: it is kept encrypted (AES-256-GCM) under the key file of the state
directory.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.audit import AuditLog
from querysvc.service.clock import Clock
from querysvc.service.identity_tokens import IdentityTokens, looks_like_token
from querysvc.service.permissions import ADMIN, KEY_ROLE, WORK_GROUP_ROLE
from querysvc.service.scram import Verifier, make_verifier, parse_verifier
from querysvc.state.repository import KeyRepository
from querysvc.state.values import ApiKey, KeyLimits, KeyPair

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PREFIX = "qsvc"
_PAIR_PREFIX = "AKQS"
_NONCE_BYTES = 12

_OPERATOR = Principal("operator")
ANONYMOUS = Principal("anonymous", frozenset({ADMIN}))
"""Who everyone is when the service runs without authentication."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only time that its secret is told."""

    key: ApiKey
    secret_text: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class NewKeyPair:
    """A key pair just made, with its secret."""

    pair: KeyPair
    secret_access_key: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class ScramKey:
    """A valid API key as SCRAM needs it; `verifier` is None for keys made before there were any."""

    principal: Principal
    verifier: Verifier | None


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key or key pair is to be."""

    principal: str
    roles: frozenset[str] = frozenset()
    work_groups: frozenset[str] | None = None
    description: str | None = None
    expires_at: datetime | None = None
    limits: KeyLimits = dataclasses.field(default_factory=KeyLimits)


class SecretBox:
    """Encrypts secrets under a key file, which is made (mode 600) when it does not exist."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def seal(self, name: str, secret: str) -> bytes:
        """Encrypt a secret, bound to its name."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, secret.encode(), name.encode())

    def open(self, name: str, sealed: bytes) -> str:
        """Decrypt a secret; INVALID_CREDENTIALS when the key file is not the one that sealed it."""
        from cryptography.exceptions import InvalidTag

        try:
            nonce, data = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._cipher().decrypt(nonce, data, name.encode()).decode()
        except InvalidTag:
            raise QueryServiceError(
                ErrorCode.INVALID_CREDENTIALS,
                f"The secret of {name} was sealed with another key file than {self._key_file}.",
            ) from None

    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key())

    def _key(self) -> bytes:
        try:
            descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return base64.b64decode(self._key_file.read_bytes())
        key = secrets.token_bytes(32)
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(base64.b64encode(key))
            sink.flush()
            os.fsync(sink.fileno())
        return key


class Authenticator:
    """Makes, checks and revokes keys."""

    def __init__(
        self,
        keys: KeyRepository,
        box: SecretBox,
        clock: Clock,
        *,
        is_required: bool,
        rights_of: Callable[[Principal], Principal] = lambda principal: principal,
        tokens: IdentityTokens | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        """`rights_of` adds the roles that grants give; `tokens` are an identity provider's.

        Keys are made and revoked by operators, which `audit` is told.
        """
        self._keys = keys
        self._box = box
        self._clock = clock
        self._rights_of = rights_of
        self._tokens = tokens
        self._audit = audit
        self.is_required = is_required

    def authenticate(self, text: str | None) -> Principal:
        """The principal of an API key or token; without authentication, all are `ANONYMOUS`."""
        if not self.is_required:
            return ANONYMOUS
        if text is None:
            raise _failed("An API key is needed: Authorization: Bearer qsvc_…")
        if self._tokens is not None and looks_like_token(text):
            return self._rights_of(self._tokens.principal(text))
        return self._rights_of(_principal(self._checked(text)))

    @property
    def takes_tokens(self) -> bool:
        """Whether an identity provider's tokens are taken beside keys."""
        return self._tokens is not None

    def scram_keys(self, user: str) -> tuple[ScramKey, ...]:
        """The valid keys of a principal."""
        return tuple(
            ScramKey(self._rights_of(_principal(key)), _verifier(key))
            for key in self._keys.list_api_keys()
            if key.principal == user and self._is_valid(key.expires_at, key.revoked_at)
        )

    def create_key(self, request: KeyRequest) -> NewKey:
        """Make an API key."""
        key_id = secrets.token_hex(8)
        secret = secrets.token_urlsafe(32)
        text = f"{_PREFIX}_{key_id}_{secret}"
        key = ApiKey(
            id=key_id,
            secret_hash=_hash(secret),
            principal=request.principal,
            roles=request.roles,
            work_groups=request.work_groups,
            description=request.description,
            created_at=self._clock.now(),
            expires_at=request.expires_at,
            scram_verifier=str(make_verifier(request.principal, text)),
            limits=request.limits,
        )
        self._keys.add_api_key(key)
        self._record("create_key", key_id, request.principal)
        return NewKey(key, text)

    def list_keys(self) -> tuple[ApiKey, ...]:
        """All API keys, revoked ones too."""
        return self._keys.list_api_keys()

    def revoke_key(self, key_id: str) -> None:
        """End an API key at once; NOT_FOUND when there is none."""
        self._must_exist(self._keys.revoke_api_key, key_id)

    def create_key_pair(self, request: KeyRequest) -> NewKeyPair:
        """Make an AWS-style key pair."""
        # 16 characters of base 32, as AWS's own ids have after their prefix.
        access_key_id = _PAIR_PREFIX + base64.b32encode(secrets.token_bytes(10)).decode()
        secret = secrets.token_urlsafe(30)
        groups = request.work_groups or frozenset()
        pair = KeyPair(
            access_key_id=access_key_id,
            encrypted_secret=self._box.seal(access_key_id, secret),
            principal=request.principal,
            roles=request.roles | {WORK_GROUP_ROLE + name for name in groups},
            description=request.description,
            created_at=self._clock.now(),
            expires_at=request.expires_at,
            limits=request.limits,
        )
        self._keys.add_key_pair(pair)
        self._record("create_key", access_key_id, request.principal)
        return NewKeyPair(pair, secret)

    def list_key_pairs(self) -> tuple[KeyPair, ...]:
        """All key pairs, revoked ones too."""
        return self._keys.list_key_pairs()

    def revoke_key_pair(self, access_key_id: str) -> None:
        """End a key pair at once; NOT_FOUND when there is none."""
        self._must_exist(self._keys.revoke_key_pair, access_key_id)

    def secret_of(self, access_key_id: str) -> tuple[str, Principal]:
        """The secret that signatures of a valid key pair are checked with, and its principal."""
        pair = self._keys.get_key_pair(access_key_id)
        if pair is None or not self._is_valid(pair.expires_at, pair.revoked_at):
            raise _failed("The access key id is not valid.")
        principal = Principal(pair.principal, pair.roles | {KEY_ROLE + access_key_id})
        secret = self._box.open(access_key_id, pair.encrypted_secret)
        return secret, self._rights_of(principal)

    def _checked(self, text: str) -> ApiKey:
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get_api_key(key_id) if prefix == _PREFIX else None
        # A hash is compared whether or not the id exists, so that time does not tell which do.
        expected = key.secret_hash if key is not None else _hash("")
        matches = hmac.compare_digest(_hash(secret), expected)
        if key is None or not matches:
            raise _failed("The API key is not valid.")
        if not self._is_valid(key.expires_at, key.revoked_at):
            raise _failed("The API key has expired or was revoked.")
        return key

    def _is_valid(self, expires_at: datetime | None, revoked_at: datetime | None) -> bool:
        now = self._clock.now()
        return revoked_at is None and (expires_at is None or now < expires_at)

    def _must_exist(self, revoke: Callable[..., bool], name: str) -> None:
        if not revoke(name, revoked_at=self._clock.now()):
            raise QueryServiceError(ErrorCode.NOT_FOUND, f"There is no key {name}.")
        self._record("revoke_key", name)

    def _record(self, action: str, key_id: str, principal: str | None = None) -> None:
        if self._audit is not None:
            details = {} if principal is None else {"to": principal}
            self._audit.record(_OPERATOR, action, key_id, details=details)


def _principal(key: ApiKey) -> Principal:
    groups = key.work_groups or frozenset()
    own = {KEY_ROLE + key.id, *(WORK_GROUP_ROLE + name for name in groups)}
    return Principal(key.principal, key.roles | own)


def _verifier(key: ApiKey) -> Verifier | None:
    return None if key.scram_verifier is None else parse_verifier(key.scram_verifier)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _failed(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.AUTHENTICATION_FAILED, message)
