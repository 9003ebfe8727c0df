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
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, case, text_literal
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
_HOST: Final = rf"(?:{_LABEL}\.)*[A-Za-z](?:[A-Za-z0-9]|-+[A-Za-z0-9])*"
_MARKS: Final = r"A-Za-z0-9_\-!.~'()*;/?:@&=+$,"
_PLAIN: Final = text_literal(
    rf"[A-Za-z][A-Za-z0-9+.-]*://{_HOST}(?::[0-9]{{1,8}})?"
    rf"(?:/[A-Za-z0-9_\-!.~'()*:@&=+$,;/]*)?(?:\?[{_MARKS}]*)?(?:#[{_MARKS}]*)?"
)
"""A URL without escapes; Java takes it apart as the expressions below do."""


def _part(pattern: str, general: ArrowFunction) -> ScalarEntry:
    """The pattern's group in a plain URL natively, by Java's rules in any other text."""

    def build(site: CallSite) -> Sql:
        def body(text: Sql) -> Sql:
            native = Sql(f"regexp_extract({text}, {text_literal(pattern)}, 1)")
            python = site.call_python(general.function, (text, site.types[0]))
            return case([(Sql(f"regexp_full_match({text}, {_PLAIN})"), native)], python)

        return bind(site.arguments, body)

    return build


def _url_parameter(site: CallSite) -> Sql:
    """The value of a constant plain name in a plain URL natively; NULL where the name is not."""
    arguments = tuple(zip(site.arguments, site.types, strict=True))
    name = site.constant(1) if site.is_constant(1) else None
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        return site.call_python(by_row(_parameter), *arguments)
    pattern = rf"^[^?#]*\?(?:[^&#]*&)*?{name}(?:=([^&#]*)|[&#]|$)"

    def body(text: Sql) -> Sql:
        is_plain = f"regexp_full_match({text}, {_PLAIN})"
        found = f"regexp_extract({text}, {text_literal(pattern)}, 1)"
        absent = Sql(f"({is_plain} AND NOT contains({text}, {text_literal(name)}))")
        return case(
            # An empty value is found by Java's rules: the name may be there without one.
            [
                (Sql(f"({is_plain} AND {found} <> '')"), Sql(f"replace({found}, '+', ' ')")),
                (absent, NULL),
            ],
            site.call_python(by_row(_parameter), (text, site.types[0]), arguments[1]),
        )

    return bind([site.arguments[0]], body)


_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


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
        "#(.*)", _component(lambda uri: _decoded(uri.fragment or ""), "url_fragment")
    ),
    "url_extract_host": _part("://([^:/?#]*)", _component(lambda uri: uri.host or "", "url_host")),
    "url_extract_parameter": _url_parameter,
    "url_extract_path": _part(
        r"://[^/?#]*([^?#]*)", _component(lambda uri: _decoded(uri.path or ""), "url_path")
    ),
    "url_extract_port": _component(lambda uri: uri.port, "url_port"),
    "url_extract_protocol": _part(
        "^([^:]*)", _component(lambda uri: uri.scheme or "", "url_protocol")
    ),
    "url_extract_query": _part(
        r"^[^?#]*\?([^#]*)", _component(lambda uri: _decoded(uri.query or ""), "url_query")
    ),
}
