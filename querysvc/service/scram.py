"""SCRAM-SHA-256 verifiers of API keys: what a server keeps to check a password it never sees.

A client names its user before it proves anything, and is told one salt. So all keys of a principal
share a salt, made of the principal's name; a proof is checked against each of them. Secrets have
256 bits of chance: the salt and the iterations protect nothing more here (ADR-0014).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

ITERATIONS: Final = 4096
"""What PostgreSQL's own servers ask of clients."""
_MECHANISM: Final = "SCRAM-SHA-256"
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Verifier:
    """What RFC 5802 calls StoredKey and ServerKey."""

    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        """PostgreSQL's form, without the salt: it follows from the principal's name."""
        keys = ":".join(
            base64.b64encode(key).decode() for key in (self.stored_key, self.server_key)
        )
        return f"{_MECHANISM}${ITERATIONS}${keys}"


def parse_verifier(text: str) -> Verifier:
    """Read what `str` wrote."""
    _, _, keys = text.rpartition("$")
    stored_key, _, server_key = keys.partition(":")
    return Verifier(base64.b64decode(stored_key), base64.b64decode(server_key))


def salt_of(principal: str) -> bytes:
    """The salt of a principal's keys; of one that does not exist too, so that none is told."""
    digest = hashlib.sha256(b"querysvc scram\0" + principal.encode(errors="surrogatepass"))
    return digest.digest()[:_SALT_BYTES]


def make_verifier(principal: str, password: str) -> Verifier:
    """The verifier of a password."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt_of(principal), ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Verifier(
        stored_key=hashlib.sha256(client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", "sha256"),
    )
