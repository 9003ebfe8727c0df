"""URLs. https://trino.io/docs/current/functions/url.html"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from querysvc.engines.duckdb.functions.java_uri import Uri, parse_uri
from querysvc.engines.duckdb.functions.registry import ArrowFunction, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.errors import ErrorCode

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


def _decoded(text: str) -> str:
    return _utf8(unquote_to_bytes(text))


def _component(read: Callable[[Uri], str | int | None], name: str) -> ArrowFunction:
    """A component; a URI that lacks it has the empty text, a text that is no URI has NULL."""

    def component(text: str) -> str | int | None:
        uri = parse_uri(text)
        return None if uri is None else read(uri)

    component.__name__ = name
    return ArrowFunction(by_row(component))


def _parameter(text: str, name: str) -> str | None:
    """The value of the first parameter of the name; '' when it has none."""
    uri = parse_uri(text)
    if uri is None or uri.query is None:
        return None
    for item in uri.query.split("&"):  # the name is compared raw, the value is a form's
        key, _, value = item.partition("=")
        if key == name:
            return _decode(value)
    return None


def _encode(text: str) -> str:
    # Java's form encoding keeps `*`, and not `~`.
    return quote_plus(text, safe="*").replace("~", "%7E")


def _decode(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        message = "URLDecoder: Illegal hex characters in escape (%) pattern"
        raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    return _utf8(unquote_to_bytes(text.replace("+", " ")))


def _utf8(value: bytes) -> str:
    """Java's decoding: an encoded surrogate is one wrong character, not three."""
    return _SURROGATE.sub(b"\xef\xbf\xbd", value).decode("utf-8", "replace")


SCALARS: Final[ScalarTable] = {
    "url_decode": ArrowFunction(by_row(_decode)),
    "url_encode": ArrowFunction(by_row(_encode)),
    "url_extract_fragment": _component(lambda uri: _decoded(uri.fragment or ""), "url_fragment"),
    "url_extract_host": _component(lambda uri: uri.host or "", "url_host"),
    "url_extract_parameter": ArrowFunction(by_row(_parameter)),
    "url_extract_path": _component(lambda uri: _decoded(uri.path or ""), "url_path"),
    "url_extract_port": _component(lambda uri: uri.port, "url_port"),
    "url_extract_protocol": _component(lambda uri: uri.scheme or "", "url_protocol"),
    "url_extract_query": _component(lambda uri: _decoded(uri.query or ""), "url_query"),
}
