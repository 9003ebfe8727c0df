"""Encodings and hashes of one row's bytes, as Trino's libraries compute them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.errors import ErrorCode

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT
_INTEGER_MAX: Final = 2**31 - 1
_STANDARD: Final = re.compile(rb"[A-Za-z0-9+/]*")
_URL_SAFE: Final = re.compile(rb"[A-Za-z0-9_-]*")
_BASE32: Final = re.compile(rb"[A-Z2-7]*")
_HEXADECIMAL: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})*")


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def from_base64(value: str | bytes) -> bytes:
    """The decoded bytes; the padding may be missing, not wrong."""
    return _from_base64(_bytes(value), _STANDARD, b"+/")


def from_base64url(value: str | bytes) -> bytes:
    """The same over the alphabet that is safe in URLs."""
    return _from_base64(_bytes(value), _URL_SAFE, b"-_")


def _from_base64(value: bytes, alphabet: re.Pattern[bytes], extra: bytes) -> bytes:
    match = alphabet.match(value)
    assert match is not None
    digits, padding = match[0], value[match.end() :]
    left = len(digits) % 4
    if left == 1 or padding not in (b"", {2: b"==", 3: b"="}.get(left, b"")):
        raise failure(_INVALID, "Illegal base64 text")
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), altchars=extra)


def to_base32(value: bytes) -> str:
    """The text in base 32, padded."""
    return base64.b32encode(value).decode()


def from_base32(value: str | bytes) -> bytes:
    """The decoded bytes; any padding at the end is skipped."""
    digits = _bytes(value).rstrip(b"=")
    if len(digits) % 8 not in (0, 2, 4, 5, 7) or not _BASE32.fullmatch(digits):
        raise failure(_INVALID, "Invalid base32 text")
    bits = "".join(f"{(c - 65 if c >= 65 else c - 24):05b}" for c in digits)
    size = len(bits) // 8
    return int(bits[: 8 * size] or "0", 2).to_bytes(size, "big")


def from_hex(value: bytes) -> bytes:
    """The bytes of pairs of digits."""
    if not _HEXADECIMAL.fullmatch(value):
        raise failure(_INVALID, "not a hexadecimal text")
    return bytes.fromhex(value.decode())


def crc32(value: bytes) -> int:
    """CRC-32 as a positive number."""
    return zlib.crc32(value)


def sha512(value: bytes) -> bytes:
    """SHA-512."""
    return hashlib.sha512(value).digest()


def _hmac(name: str) -> Callable[[bytes, bytes], bytes]:
    def digest(value: bytes, key: bytes) -> bytes:
        if not key:
            raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "Empty key")
        return hmac.digest(key, value, name)

    digest.__name__ = f"hmac_{name}"
    return digest


hmac_md5 = _hmac("md5")
hmac_sha1 = _hmac("sha1")
hmac_sha256 = _hmac("sha256")
hmac_sha512 = _hmac("sha512")


def xxhash64(value: bytes) -> bytes:
    """XXH64 with seed 0, big-endian."""
    import xxhash

    return xxhash.xxh64_digest(value)


def murmur3(value: bytes) -> bytes:
    """MurmurHash3's 128 bits, of the form for 64-bit machines."""
    import mmh3

    return mmh3.hash_bytes(value, 0, True)


def spooky_32(value: bytes) -> bytes:
    """SpookyHash V2's low 32 bits, big-endian."""
    import spookyhash  # type: ignore[import-untyped]  # it has no stubs

    return int(spookyhash.hash32(value)).to_bytes(4, "big")


def spooky_64(value: bytes) -> bytes:
    """SpookyHash V2's first 64 bits, big-endian."""
    import spookyhash

    return int(spookyhash.hash64(value)).to_bytes(8, "big")


def reverse(value: bytes) -> bytes:
    """The bytes from the last to the first."""
    return value[::-1]


def lpad(value: bytes, size: int, pad: bytes) -> bytes:
    """The bytes cut or filled from the left to a size."""
    filling = _filling(value, size, pad)
    return filling + value if filling else value[:size]


def rpad(value: bytes, size: int, pad: bytes) -> bytes:
    """The bytes cut or filled from the right to a size."""
    return value[:size] + _filling(value, size, pad)


def _filling(value: bytes, size: int, pad: bytes) -> bytes:
    if not 0 <= size <= _INTEGER_MAX:
        raise failure(_INVALID, "Target length must be in the range [0..2147483647]")
    if not pad:
        raise failure(_INVALID, "Padding bytes must not be empty")
    missing = max(0, size - len(value))
    return (pad * (missing // len(pad) + 1))[:missing]


def to_big_endian_32(value: int) -> bytes:
    """Four bytes of an integer."""
    return value.to_bytes(4, "big", signed=True)


def to_big_endian_64(value: int) -> bytes:
    """Eight bytes of a bigint."""
    return value.to_bytes(8, "big", signed=True)


def from_big_endian_32(value: bytes) -> int:
    """The integer of four bytes."""
    return int.from_bytes(_sized(value, 4), "big", signed=True)


def from_big_endian_64(value: bytes) -> int:
    """The bigint of eight bytes."""
    return int.from_bytes(_sized(value, 8), "big", signed=True)


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        message = f"expected {size}-byte input, but got instead: {len(value)}"
        raise failure(_INVALID, message)
    return value


def to_ieee754_32(value: float) -> bytes:
    """Four bytes of a real; there is one NaN."""
    return b"\x7f\xc0\0\0" if math.isnan(value) else struct.pack(">f", value)


def to_ieee754_64(value: float) -> bytes:
    """Eight bytes of a double; there is one NaN."""
    return b"\x7f\xf8\0\0\0\0\0\0" if math.isnan(value) else struct.pack(">d", value)


def from_ieee754_32(value: bytes) -> float:
    """The real of four bytes."""
    return float(struct.unpack(">f", _sized(value, 4))[0])


def from_ieee754_64(value: bytes) -> float:
    """The double of eight bytes."""
    return float(struct.unpack(">d", _sized(value, 8))[0])


def from_utf8(values: Any) -> Any:
    """The texts of bytes; what is not UTF-8 becomes U+FFFD."""
    import pyarrow as pa

    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return [None if v is None else decode(v, "\ufffd") for v in values.to_pylist()]


def from_utf8_text(value: bytes, replacement: str) -> str:
    """The text of bytes; each wrong sequence becomes the replacement, if any."""
    if len(replacement) > 1:
        raise failure(_INVALID, "Replacement character string must empty or a single character")
    return decode(value, replacement)


def from_utf8_point(value: bytes, replacement: int) -> str:
    """The text of bytes; each wrong sequence becomes the character."""
    if replacement < 0:
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, f"Invalid code point {replacement}")
    if replacement > 0x10FFFF or 0xD800 <= replacement <= 0xDFFF:
        raise failure(_INVALID, "Invalid replacement character")
    return decode(value, chr(replacement))


def decode(value: bytes, replacement: str) -> str:
    """UTF-8 with the wrong sequences replaced, each as long as it looks like one character."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    pieces, at = [], 0
    while at < len(value):
        size = _sequence_size(value, at)
        try:
            pieces.append(value[at : at + size].decode())
        except UnicodeDecodeError:
            pieces.append(replacement)
        at += size
    return "".join(pieces)


def _sequence_size(value: bytes, at: int) -> int:
    """The first byte and the continuations that it asks for, as far as they are there."""
    first = value[at]
    wanted = next((n for limit, n in _SIZES if first < limit), 1)
    size = 1
    while size < wanted and at + size < len(value) and value[at + size] & 0xC0 == 0x80:
        size += 1
    return size


_SIZES: Final = ((0xC0, 1), (0xE0, 2), (0xF0, 3), (0xF8, 4), (0xFC, 5), (0xFE, 6))
"""First bytes below the limit ask for so many bytes, by UTF-8's first definition."""
