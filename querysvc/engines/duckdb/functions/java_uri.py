"""URIs as Java's java.net.URI parses them: RFC 2396, with that class's own deviations.

https://docs.oracle.com/en/java/javase/24/docs/api/java.base/java/net/URI.html
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_UNRESERVED: Final = r"A-Za-z0-9_\-!.~'()*"
# Escapes, and any character above ASCII that is neither a space nor a control (checked apart).
_ESCAPED: Final = r"%[0-9A-Fa-f]{2}|[^\x00-\x80]"
_URIC: Final = re.compile(rf"(?:[{_UNRESERVED};/?:@&=+$,\[\]]|{_ESCAPED})*")
_PATH: Final = re.compile(rf"(?:[{_UNRESERVED}:@&=+$,;/]|{_ESCAPED})*")
_SERVER: Final = re.compile(rf"(?:[{_UNRESERVED};:&=+$,.@\[\]]|{_ESCAPED})*")
_SERVER_PERCENT: Final = re.compile(rf"(?:[{_UNRESERVED};:&=+$,.@\[\]%]|{_ESCAPED})*")
_REGISTRY: Final = re.compile(rf"(?:[{_UNRESERVED}$,;:@&=+]|{_ESCAPED})*")
_USER: Final = re.compile(rf"(?:[{_UNRESERVED};:&=+$,]|{_ESCAPED})*")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME: Final = re.compile(r"([^:/?#]*):")
_SCHEME_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_HIERARCHY: Final = re.compile(r"(//[^/?#]*)?([^?#]*)(?:\?([^#]*))?", re.DOTALL)
_IP_V4: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)\.(\d+)(?=:|$)", re.ASCII)
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?"
_HOST: Final = re.compile(
    rf"(?:{_LABEL}|(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9\-]*[A-Za-z0-9])?)\.?(?=:|$)"
)
_PORT_MAX: Final = 2**31 - 1


class UriError(ValueError):
    """A text that is not a URI."""


@dataclass(frozen=True, slots=True)
class Uri:
    """The components, raw; an absent one is None, as is the path of an opaque URI."""

    scheme: str | None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    query: str | None = None
    fragment: str | None = None


@lru_cache(maxsize=4096)
def parse_uri(text: str) -> Uri | None:
    """The URI; None when Java refuses the text."""
    try:
        return _parse(text)
    except UriError:
        return None


def _parse(text: str) -> Uri:
    if any(c > "\x80" and _is_space_or_control(c) for c in text):
        raise UriError("space")
    rest, mark, fragment_text = text.partition("#")
    fragment = _checked(fragment_text, _URIC) if mark else None
    scheme = _SCHEME.match(rest)
    name = None
    if scheme is not None:
        name = _checked(scheme[1], _SCHEME_NAME)
        rest = rest[scheme.end() :]
        if not rest.startswith("/"):
            if not rest:
                raise UriError("no scheme-specific part")
            _checked(rest, _URIC)
            return Uri(scheme=name, fragment=fragment)
    match = _HIERARCHY.fullmatch(rest)
    assert match is not None
    authority, path, query = match.groups()
    host, port = None, None
    if authority is not None:
        if authority != "//":
            host, port = _authority(authority[2:])
        elif not path and query is None and not mark:
            raise UriError("no authority")
    _checked(path, _PATH)
    if query is not None:
        _checked(query, _URIC)
    return Uri(name, host, port, path, query, fragment)


def _is_space_or_control(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Zs", "Zl", "Zp") or "\x7f" <= character <= "\x9f"


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise UriError(text)
    return text


def _authority(text: str) -> tuple[str | None, int | None]:
    """Host and port of a server; neither for the name of a registry."""
    is_bracketed = text.find("]") > 0
    if not is_bracketed and _BAD_ESCAPE.search(text):
        raise UriError("escape")
    is_server = (_SERVER_PERCENT if is_bracketed else _SERVER).fullmatch(text) is not None
    is_registry = _REGISTRY.fullmatch(text) is not None
    if is_server:
        try:
            return _server(text)
        except UriError:
            if not is_registry:
                raise
    if not is_registry:
        raise UriError("authority")
    return None, None


def _server(text: str) -> tuple[str, int | None]:
    user, at, rest = text.partition("@")
    if at:
        _checked(user, _USER)
    else:
        rest = text
    host = _host(rest)
    rest = rest[len(host) :]
    if not rest:
        return host, None
    if not rest.startswith(":"):
        raise UriError("port")
    digits = rest[1:]
    if not digits:
        return host, None
    if not (digits.isascii() and digits.isdigit()) or int(digits) > _PORT_MAX:
        raise UriError("port")
    return host, int(digits)


def _host(text: str) -> str:
    if text.startswith("["):
        end = text.find("]")
        address, percent, scope = text[1:end].partition("%")
        if end < 2 or (percent and not re.fullmatch(r"[A-Za-z0-9_.]+", scope)):
            raise UriError("host")
        try:
            ipaddress.IPv6Address(address)
        except ValueError as error:
            raise UriError("host") from error
        return text[: end + 1]
    numbers = _IP_V4.match(text)
    if numbers is not None and all(int(part) <= 255 for part in numbers.groups()):
        return numbers[0]
    name = _HOST.match(text)
    if name is None:
        raise UriError("host")
    return name[0]
