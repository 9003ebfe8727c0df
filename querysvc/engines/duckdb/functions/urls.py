"""URLs. https://trino.io/docs/current/functions/url.html"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

from querysvc.engines.duckdb.functions.java_uri import Uri, parse_uri
from querysvc.engines.duckdb.functions.registry import (
    ArrowFunction,
    CallSite,
    ScalarEntry,
    ScalarTable,
)
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, text_literal
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


def _decode(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        message = "URLDecoder: Illegal hex characters in escape (%) pattern"
        raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    return _utf8(unquote_to_bytes(text.replace("+", " ")))


def _utf8(value: bytes) -> str:
    """Java's decoding: an encoded surrogate is one wrong character, not three."""
    return _SURROGATE.sub(b"\xef\xbf\xbd", value).decode("utf-8", "replace")


_LABEL: Final = "[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_PLAIN: Final = (
    r"([A-Za-z][A-Za-z0-9+.-]*)://"
    rf"((?:{_LABEL}\.)*[A-Za-z](?:[A-Za-z0-9]|-+[A-Za-z0-9])*)(?::[0-9]{{1,8}})?"
    r"(/[A-Za-z0-9_\-!.~'()*:@&=+$,;/]*)?"
    r"(?:\?([A-Za-z0-9_\-!.~'()*;/?:@&=+$,]*))?"
    r"(?:#([A-Za-z0-9_\-!.~'()*;/?:@&=+$,]*))?"
)
"""Protocol, host, path, query and fragment of a URL without escapes, as Java takes it apart too."""


def _part(group: int, general: ArrowFunction) -> ScalarEntry:
    """The group of a plain URL natively, of any other text by Java's rules."""

    def build(site: CallSite) -> Sql:
        def body(text: Sql) -> Sql:
            pattern = text_literal(_PLAIN)
            native = Sql(f"regexp_extract({text}, {pattern}, {group})")
            is_plain = Sql(f"regexp_full_match({text}, {pattern})")
            python = site.call_python(general.function, (text, site.types[0]))
            return case([(is_plain, native)], python)

        return bind(site.arguments, body)

    return build


def _url_decode(site: CallSite) -> Sql:
    """Escapes of ASCII natively."""

    def body(text: Sql) -> Sql:
        general = site.call_python(by_row(_decode), (text, site.types[0]))
        is_plain = Sql(f"regexp_full_match({text}, '([^%]|%[0-7][0-9A-Fa-f])*')")
        return case([(is_plain, Sql(f"url_decode(replace({text}, '+', ' '))"))], general)

    return bind(site.arguments, body)


SCALARS: Final[ScalarTable] = {
    "url_decode": _url_decode,
    # A form's encoding has its own space, and other marks that stay.
    "url_encode": "replace(replace(replace(url_encode({0}), '%20', '+'), '%2A', '*'), '~', '%7E')",
    "url_extract_fragment": _part(
        5, _component(lambda uri: _decoded(uri.fragment or ""), "url_fragment")
    ),
    "url_extract_host": _part(2, _component(lambda uri: uri.host or "", "url_host")),
    "url_extract_parameter": ArrowFunction(by_row(_parameter)),
    "url_extract_path": _part(3, _component(lambda uri: _decoded(uri.path or ""), "url_path")),
    "url_extract_port": _component(lambda uri: uri.port, "url_port"),
    "url_extract_protocol": _part(1, _component(lambda uri: uri.scheme or "", "url_protocol")),
    "url_extract_query": _part(4, _component(lambda uri: _decoded(uri.query or ""), "url_query")),
}
