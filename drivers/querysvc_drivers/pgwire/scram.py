"""The server's side of SCRAM-SHA-256, without I/O (RFC 5802, RFC 7677); -PLUS over TLS.

A proof is checked against every valid key of the principal: they share a salt (ADR-0014).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from querysvc.model import Principal
from querysvc.service.auth import ScramKey
from querysvc.service.scram import ITERATIONS, salt_of
from querysvc_drivers.pgwire.errors import PROTOCOL_VIOLATION, WireError

PLAIN: Final = "SCRAM-SHA-256"
PLUS: Final = "SCRAM-SHA-256-PLUS"
_BINDING: Final = "tls-server-end-point"
_NONCE_BYTES: Final = 18


class ScramServer:
    """One exchange: `first`, then `final`."""

    def __init__(self, user: str, keys: Sequence[ScramKey], binding: bytes | None) -> None:
        self._user = user
        self._keys = keys
        self._binding = binding
        self._header = ""
        self._signed = ""
        self._nonce = ""
        self._mechanism = ""

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What is offered."""
        return (PLAIN,) if self._binding is None else (PLUS, PLAIN)

    def first(self, mechanism: str, message: bytes) -> str:
        """The server's first message."""
        if mechanism not in self.mechanisms:
            raise _malformed("client selected an invalid SASL authentication mechanism")
        self._mechanism = mechanism
        flag, _, rest = _decoded(message).partition(",")
        authorized, _, bare = rest.partition(",")
        self._header = f"{flag},{authorized},"
        self._check_flag(flag)
        if authorized:
            raise WireError("0A000", "client uses authorization identity, but it is not supported")
        nonce = _attribute(bare.partition(",")[2].split(",")[0], "r")
        self._nonce = nonce + base64.b64encode(secrets.token_bytes(_NONCE_BYTES)).decode()
        salt = base64.b64encode(salt_of(self._user)).decode()
        answer = f"r={self._nonce},s={salt},i={ITERATIONS}"
        self._signed = f"{bare},{answer}"
        return answer

    def final(self, message: bytes) -> tuple[Principal, str] | None:
        """Whose proof it is and the server's last message; None when it is nobody's."""
        text = _decoded(message)
        without_proof, separator, proof_text = text.rpartition(",p=")
        channel, _, rest = without_proof.partition(",")
        if not separator or not hmac.compare_digest(
            _attribute(rest.split(",")[0], "r").encode(), self._nonce.encode()
        ):
            raise _malformed("malformed SCRAM message")
        if _base64(_attribute(channel, "c")) != self._channel():
            raise WireError("28000", "SCRAM channel binding check failed")
        proof = _base64(proof_text)
        signed = f"{self._signed},{without_proof}".encode()
        found = None
        for key in self._keys:
            verifier = key.verifier
            if verifier is None or len(proof) != len(verifier.stored_key):
                continue
            signature = hmac.digest(verifier.stored_key, signed, "sha256")
            client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
            if hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key):
                server = hmac.digest(verifier.server_key, signed, "sha256")
                found = key.principal, f"v={base64.b64encode(server).decode()}"
        return found

    def _check_flag(self, flag: str) -> None:
        if self._mechanism == PLUS:
            if flag != f"p={_BINDING}":
                raise _malformed("unsupported SCRAM channel-binding type")
        elif flag == "y" and self._binding is not None:
            # The client believes that we offer no binding: somebody took our offer away.
            raise WireError("28000", "SCRAM channel binding negotiation error")
        elif flag not in ("n", "y"):
            raise _malformed("malformed SCRAM message")

    def _channel(self) -> bytes:
        bound = self._binding if self._mechanism == PLUS else b""
        return self._header.encode() + (bound or b"")


def end_point_binding(certificate: bytes) -> bytes:
    """RFC 5929's tls-server-end-point: the hash of the server's certificate (PEM)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    loaded = x509.load_pem_x509_certificate(certificate)
    algorithm = loaded.signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return loaded.fingerprint(algorithm)


def _decoded(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise _malformed("malformed SCRAM message") from None


def _attribute(text: str, name: str) -> str:
    if not text.startswith(f"{name}=") or len(text) == 2:
        raise _malformed("malformed SCRAM message")
    return text[2:]


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("malformed SCRAM message") from None


def _malformed(message: str) -> WireError:
    return WireError(PROTOCOL_VIOLATION, message)
