"""JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_OBJECT and JSON_ARRAY.

A path is evaluated by one Python function whose result is a text with a tag: what was found, that
nothing was (`E`), or what failed (`X` and a letter). SQL makes of it the value or what the clauses
ON EMPTY and ON ERROR ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from querysvc.engines.duckdb.functions import native_json as native
from querysvc.engines.duckdb.functions.json_evaluation import json_text, read_input
from querysvc.engines.duckdb.functions.json_results import (
    decoded_json,
    encoded_json,
    path_result,
    path_result_with,
)
from querysvc.engines.duckdb.functions.json_text import MalformedError
from querysvc.engines.duckdb.functions.native_json_forms import NativeResult, native_result
from querysvc.engines.duckdb.functions.registry import call_python
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.casts.convert import convert, try_convert
from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    TRUE,
    Sql,
    array,
    bind,
    case,
    cast,
    fail,
    text_literal,
    typed_null,
)
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.errors import ErrorCode
from querysvc.tree import Expression, JsonFunction
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER_TYPES,
    JSON,
    REAL,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Array,
    Char,
    Decimal,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.coercion import can_cast

_TEXTS: Final = Array(VARCHAR)
_ENCODINGS: Final = {"JSON": "utf-8", "UTF8": "utf-8", "UTF16": "utf-16-le", "UTF32": "utf-32-le"}
_FAILURES: Final[Mapping[str, tuple[ErrorCode, str]]] = {
    "XI": (ErrorCode.JSON_INPUT_CONVERSION_ERROR, "conversion to JSON failed: "),
    "XP": (ErrorCode.PATH_EVALUATION_ERROR, "path evaluation failed: "),
    "XV": (ErrorCode.JSON_VALUE_RESULT_ERROR, "cannot extract SQL scalar from JSON: "),
    "XO": (ErrorCode.JSON_OUTPUT_CONVERSION_ERROR, "conversion from JSON failed: "),
}
_WIDE: Final = Decimal(38, 9)


def lower_json_function(context: Context, node: JsonFunction) -> Sql:
    """A SQL/JSON special form."""
    return _FORMS[node.name](context, node)


# Clauses.


@dataclass(frozen=True, slots=True)
class _Clauses:
    """The options of a form, in reading order."""

    node: JsonFunction

    def one(self, name: str) -> str:
        """The option of the name."""
        return dict(self.node.options)[name]

    def all(self, name: str) -> list[str]:
        """The options of the name, in order."""
        return [value for key, value in self.node.options if key == name]


def _input(context: Context, node: Expression, format_: str) -> Sql:
    """A JSON text."""
    value = context.lower(node)
    if node.type == UNKNOWN:
        return typed_null("VARCHAR")
    if node.type != VARBINARY:
        return value
    encoding = (text_literal(_ENCODINGS[format_]), VARCHAR)
    return call_python(context, decoded_json, [(value, VARBINARY), encoding], VARCHAR)


def _path_call(
    context: Context, node: JsonFunction, clauses: _Clauses, mode: str, input_: Sql
) -> Sql:
    text = (input_, VARCHAR)
    path = (context.lower(node.arguments[1]), VARCHAR)
    mode_ = (text_literal(mode), VARCHAR)
    names = clauses.all("parameter")
    if not names:
        return call_python(context, path_result, [text, path, mode_], VARCHAR)
    values = [
        _tagged(context, argument, format_)
        for argument, format_ in zip(
            node.arguments[2 : 2 + len(names)], clauses.all("parameter_format"), strict=True
        )
    ]
    lists = [(array([text_literal(name) for name in names]), _TEXTS), (array(values), _TEXTS)]
    return call_python(context, path_result_with, [text, path, *lists, mode_], VARCHAR)


def _tagged(context: Context, node: Expression, format_: str) -> Sql:
    """A passed value as text behind its kind."""
    if format_:
        return Sql(f"('json:' || {_input(context, node, format_)})")
    type_ = node.type
    value = context.lower(node)
    if type_ == UNKNOWN:
        return typed_null("VARCHAR")
    if isinstance(type_, Char):
        return Sql(f"('char:' || {padded(value, type_)})")
    if isinstance(type_, Varchar):
        return Sql(f"('string:' || {value})")
    if type_ in INTEGER_TYPES or type_ in (BOOLEAN, DOUBLE, REAL) or isinstance(type_, Decimal):
        kind = "decimal" if isinstance(type_, Decimal) else str(type_)
        return Sql(f"('{kind}:' || CAST({value} AS VARCHAR))")
    text = convert(context, value, type_, VARCHAR)
    return Sql(f"({text_literal(_opaque_kind(type_) + ':')} || {text})")


def _opaque_kind(type_: TrinoType) -> str:
    if type_ == DATE:
        return "date"
    for kind, name in (
        (TimestampTz, "timestamp with time zone"),
        (Timestamp, "timestamp without time zone"),
        (TimeTz, "time with time zone"),
        (Time, "time without time zone"),
    ):
        if isinstance(type_, kind):
            return name
    return "string"


def _failed(tag: Sql) -> Sql:
    """The failure that a tag tells."""
    branches = [
        (Sql(f"({tag} = '{letters}')"), fail(code, message))
        for letters, (code, message) in _FAILURES.items()
    ]
    return case(branches[:-1], branches[-1][1])


# JSON_EXISTS.


def _json_exists(context: Context, node: JsonFunction) -> Sql:
    clauses = _Clauses(node)
    outcome = clauses.one("on_error")

    def found(tag: Sql) -> Sql:
        on_error = {"TRUE": TRUE, "FALSE": FALSE, "ERROR": _failed(tag)}.get(outcome)
        return case(
            [
                (Sql(f"({tag} IS NULL)"), typed_null("BOOLEAN")),
                (Sql(f"({tag}[1] = 'X')"), on_error or typed_null("BOOLEAN")),
            ],
            Sql(f"({tag} = 'T')"),
        )

    def body(text: Sql) -> Sql:
        general = bind([_path_call(context, node, clauses, "exists", text)], found)
        plain = native_result(text, node, slice(-1))
        if plain is None:
            return general
        exists = Sql(f"({plain.kind} <> 'MISSING')")
        return case([(exists, TRUE), (plain.is_missing, FALSE)], general)

    return bind([_input(context, node.arguments[0], clauses.one("input_format"))], body)


# JSON_VALUE.


def _json_value(context: Context, node: JsonFunction) -> Sql:
    clauses = _Clauses(node)
    storage = storage_type(node.type)
    null = typed_null(storage)
    defaults = [context.lower(item) for item in node.arguments[2 + len(clauses.all("parameter")) :]]
    on_empty, on_error = clauses.one("on_empty"), clauses.one("on_error")
    empty_default = defaults.pop(0) if on_empty == "DEFAULT" else null
    error_default = defaults.pop(0) if on_error == "DEFAULT" else null

    def error(tag: Sql) -> Sql:
        return _failed(tag) if on_error == "ERROR" else error_default

    def converted(tag: Sql) -> Sql:
        code, message = _FAILURES["XV"]
        missing = fail(code, f"{message}JSON path found no items")
        found = bind(
            [_converted(context, tag, node.type)],
            lambda value: case([(Sql(f"({value} IS NULL)"), error(Sql("'XV'")))], value),
        )
        return case(
            [
                (Sql(f"({tag} IS NULL OR {tag}[1] = 'Z')"), null),
                (Sql(f"({tag}[1] = 'E')"), missing if on_empty == "ERROR" else empty_default),
                (Sql(f"({tag}[1] = 'X')"), error(tag)),
            ],
            found,
        )

    def body(text: Sql) -> Sql:
        general = bind([_path_call(context, node, clauses, "value", text)], converted)
        plain = native_result(text, node, slice(None)) if node.type in _NATIVE_VALUES else None
        if plain is None:
            return general
        value = cast(plain.value(), storage)
        branches = [(one, value) for one in _NATIVE_VALUES[node.type](plain)]
        if on_empty == "NULL":
            branches.append((plain.is_missing, null))
        return case(branches, general)

    return bind([_input(context, node.arguments[0], clauses.one("input_format"))], body)


def _is_text(plain: NativeResult) -> Sql:
    return Sql(f"({plain.kind} IN ('VARCHAR', 'BOOLEAN', 'NULL'))")


def _is_long(plain: NativeResult) -> Sql:
    # A whole number beyond bigint is no scalar to Trino.
    return Sql(f"({plain.kind} = 'UBIGINT' AND strlen({plain.value()}) < 19)")


_NATIVE_VALUES: Final[Mapping[TrinoType, Callable[[NativeResult], Sequence[Sql]]]] = {
    VARCHAR: lambda plain: (_is_text(plain), _is_long(plain)),
    BIGINT: lambda plain: (_is_long(plain),),
}
"""By the type returned, when DuckDB's text of the value is its text."""


def _converted(context: Context, tag: Sql, type_: TrinoType) -> Sql:
    """The found scalar cast to the type; NULL where it cannot be."""
    rest = Sql(f"{tag}[2:]")
    exact: tuple[Sql, TrinoType] = (rest, VARCHAR)
    if type_ in INTEGER_TYPES or type_ == BOOLEAN:
        exact = (cast(rest, storage_type(_WIDE)), _WIDE)
    sources: Sequence[tuple[str, Sql, TrinoType]] = [
        ("s", rest, VARCHAR),
        ("i", cast(rest, "BIGINT"), BIGINT),
        ("d", cast(rest, "DOUBLE"), DOUBLE),
        ("r", cast(rest, "FLOAT"), REAL),
        ("n", *exact),
        ("b", cast(rest, "BOOLEAN"), BOOLEAN),
    ]
    branches = [
        (Sql(f"({tag}[1] = '{letter}')"), _tried(context, value, source, type_))
        for letter, value, source in sources
        if source == VARCHAR or (can_cast(source, type_) and not isinstance(type_, Char))
    ]
    return case(branches, typed_null(storage_type(type_)))


def _tried(context: Context, value: Sql, source: TrinoType, type_: TrinoType) -> Sql:
    if source == BOOLEAN and isinstance(type_, Varchar) and type_.length is not None:
        # Trino checks this one's length only as it builds the page.
        message = f"Character count exceeds length limit {type_.length}"
        too_long = fail(ErrorCode.GENERIC_INTERNAL_ERROR, message)
        text = cast(value, "VARCHAR")
        return case([(Sql(f"(length({text}) > {type_.length})"), too_long)], text)
    return try_convert(context, value, source, type_)


# JSON_QUERY.


def _json_query(context: Context, node: JsonFunction) -> Sql:
    clauses = _Clauses(node)
    on_empty, on_error = clauses.one("on_empty"), clauses.one("on_error")
    constants = {
        "EMPTY ARRAY": text_literal("[]"),
        "EMPTY OBJECT": text_literal("{}"),
        "NULL": typed_null("VARCHAR"),
    }

    def found(tag: Sql) -> Sql:
        code, message = _FAILURES["XO"]
        missing = fail(code, f"{message}JSON path found no items")
        return case(
            [
                (Sql(f"({tag} IS NULL)"), constants["NULL"]),
                (Sql(f"({tag}[1] = 'E')"), constants.get(on_empty, missing)),
                (Sql(f"({tag}[1] = 'X')"), constants.get(on_error) or _failed(tag)),
            ],
            Sql(f"{tag}[2:]"),
        )

    wrapper, quotes = clauses.one("wrapper"), clauses.one("quotes")

    def body(text: Sql) -> Sql:
        mode = f"query {wrapper} {quotes}"
        general = bind([_path_call(context, node, clauses, mode, text)], found)
        plain = native_result(text, node, slice(None))
        if plain is None or (wrapper, quotes) != ("WITHOUT", "KEEP"):
            return general
        json = plain.json()
        # Names inside of the value might repeat.
        is_plain = f"NOT contains({json}, '{{') AND NOT {native.is_rewritten(json)}"
        branches = [(Sql(f"({plain.kind} <> 'MISSING' AND {is_plain})"), json)]
        if on_empty == "NULL":
            branches.append((plain.is_missing, constants["NULL"]))
        return case(branches, general)

    text = bind([_input(context, node.arguments[0], clauses.one("input_format"))], body)
    return _output(context, text, node.type, clauses.one("output_format"))


def _output(context: Context, text: Sql, type_: TrinoType, format_: str) -> Sql:
    """A JSON text in the type that RETURNING names."""
    if type_ == VARBINARY:
        encoding = (text_literal(_ENCODINGS[format_]), VARCHAR)
        return call_python(context, encoded_json, [(text, VARCHAR), encoding], VARBINARY)
    if isinstance(type_, Char):
        return Sql(f"rtrim(substring({text}, 1, {type_.length}), ' ')")
    if isinstance(type_, Varchar) and type_.length is not None:
        return Sql(f"substring({text}, 1, {type_.length})")
    return text


# JSON_OBJECT and JSON_ARRAY.


@by_row
def member_text(text: str) -> str:
    """A JSON text, as it stands inside another."""
    try:
        return json_text(read_input(text))
    except MalformedError:
        message = _FAILURES["XI"][1]
        raise failure(ErrorCode.JSON_INPUT_CONVERSION_ERROR, message) from None


@by_row
def array_text(values: list[str | None], on_null: str) -> str:
    """JSON_ARRAY."""
    shown = ["null" if value is None else value for value in values if value or on_null == "NULL"]
    return f"[{','.join(shown)}]"


@by_row
def object_text(keys: list[str | None], values: list[str | None], on_null: str, unique: str) -> str:
    """JSON_OBJECT: members in the order of Java's hash map, which Trino gathers them in."""
    members: dict[str, str] = {}
    for key, value in zip(keys, values, strict=True):
        if key is None:
            message = "null value passed for JSON object key to JSON_OBJECT function"
            raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
        if value is None and on_null == "ABSENT":
            continue
        if key in members:
            raise _duplicate(unique)
        members[key] = "null" if value is None else value
    capacity = 16
    while len(members) > capacity * 3 // 4:
        capacity *= 2
    ordered = sorted(members, key=lambda key: _java_hash(key) & (capacity - 1))
    return "{" + ",".join(f"{json_text(key)}:{members[key]}" for key in ordered) + "}"


def _duplicate(unique: str) -> Exception:
    if unique == "WITH":
        message = "duplicate key passed to JSON_OBJECT function"
        return failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    message = "cannot construct a JSON object with duplicate key"
    return failure(ErrorCode.NOT_SUPPORTED, message)


def _java_hash(text: str) -> int:
    """String.hashCode, spread as HashMap does."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (value * 31 + (high << 8) + low) & 0xFFFFFFFF
    return value ^ (value >> 16)


def _member(context: Context, node: Expression, format_: str) -> Sql:
    """A value as JSON text."""
    if format_:
        text = (_input(context, node, format_), VARCHAR)
        return call_python(context, member_text, [text], VARCHAR)
    type_ = node.type
    if type_ == UNKNOWN:
        return typed_null("VARCHAR")
    value = context.lower(node)
    if type_.is_numeric or type_ == BOOLEAN or isinstance(type_, Varchar):
        return convert(context, value, type_, JSON)
    if isinstance(type_, Char):
        text_ = padded(value, type_)
    else:
        text_ = convert(context, value, type_, VARCHAR)
    return convert(context, text_, VARCHAR, JSON)


def _texts(items: Sequence[Sql]) -> Sql:
    return cast(array(items), "VARCHAR[]")


def _json_object(context: Context, node: JsonFunction) -> Sql:
    clauses = _Clauses(node)
    keys = [context.lower(key) for key in node.arguments[::2]]
    values = [
        _member(context, value, format_)
        for value, format_ in zip(node.arguments[1::2], clauses.all("value_format"), strict=True)
    ]
    options = [(text_literal(clauses.one(name)), VARCHAR) for name in ("on_null", "unique_keys")]
    arguments = [(_texts(keys), _TEXTS), (_texts(values), _TEXTS), *options]
    text = call_python(context, object_text, arguments, VARCHAR)
    return _output(context, text, node.type, clauses.one("output_format"))


def _json_array(context: Context, node: JsonFunction) -> Sql:
    clauses = _Clauses(node)
    values = [
        _member(context, value, format_)
        for value, format_ in zip(node.arguments, clauses.all("value_format"), strict=True)
    ]
    on_null = (text_literal(clauses.one("on_null")), VARCHAR)
    text = call_python(context, array_text, [(_texts(values), _TEXTS), on_null], VARCHAR)
    return _output(context, text, node.type, clauses.one("output_format"))


_FORMS: Final[Mapping[str, Callable[[Context, JsonFunction], Sql]]] = {
    "JSON_ARRAY": _json_array,
    "JSON_EXISTS": _json_exists,
    "JSON_OBJECT": _json_object,
    "JSON_QUERY": _json_query,
    "JSON_VALUE": _json_value,
}
