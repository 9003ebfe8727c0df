"""SQL/JSON: JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_OBJECT, JSON_ARRAY.

`tree.JsonFunction.options`, all written or by default:

- JSON_EXISTS, JSON_VALUE, JSON_QUERY: arguments are the input, the path (a varchar literal), the
  PASSING values, then the DEFAULT of ON EMPTY and that of ON ERROR where there is one. Options:
  `input_format` (JSON, UTF8, UTF16 or UTF32); for each PASSING value, in order, `parameter` (its
  name) and `parameter_format` ("" when the value is a plain SQL value); `on_error`
  (TRUE FALSE UNKNOWN NULL ERROR DEFAULT, `EMPTY ARRAY`, `EMPTY OBJECT`), `on_empty` (not of
  JSON_EXISTS); of JSON_QUERY also `wrapper` (WITHOUT, CONDITIONAL, UNCONDITIONAL), `quotes` (KEEP,
  OMIT) and `output_format`.
- JSON_OBJECT: arguments are key, value, key, value …; JSON_ARRAY: the values. Options: for each
  value `value_format` ("" for a plain SQL value), `on_null` (NULL, ABSENT), of JSON_OBJECT
  `unique_keys` (WITH, WITHOUT), and `output_format`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce, coerce_to
from querysvc.sql.expressions.errors import fail, located_at, mismatch
from querysvc.sql.expressions.json_path import PathError, read_path
from querysvc.sql.expressions.literals import varchar_literal
from querysvc.types.algebra import (
    BOOLEAN,
    DATE,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.coercion import can_cast
from querysvc.types.parse import parse_type

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

_Options: TypeAlias = list[tuple[str, str]]


def path_call(analyser: Analyser, node: syntax.JsonPathCall, scope: Scope) -> tree.Expression:
    """JSON_EXISTS, JSON_VALUE, JSON_QUERY."""
    options: _Options = []
    source, input_format = _json_input(analyser, node.input, scope, is_input=True)
    options.append(("input_format", input_format))
    arguments = [source, varchar_literal(node.path.value)]
    arguments += _passing(analyser, node, scope, options)
    _check_path(node)
    clauses = _Clauses(dict(node.options), options, arguments)
    type_ = _CLAUSES[node.kind](analyser, node, scope, clauses)
    return tree.JsonFunction(type_, node.kind, tuple(arguments), tuple(options))


def _json_input(
    analyser: Analyser, node: syntax.JsonInput, scope: Scope, *, is_input: bool
) -> tuple[tree.Expression, str]:
    """A value and its format: "" where it is an SQL value and not a JSON text."""
    value = analyser.analyse(node.value, scope)
    # The result of JSON_QUERY, JSON_OBJECT and JSON_ARRAY is JSON without saying so.
    is_json = isinstance(node.value, syntax.JsonObject | syntax.JsonArray) or (
        isinstance(node.value, syntax.JsonPathCall) and node.value.kind == "JSON_QUERY"
    )
    format_ = node.format or ("JSON" if is_input or is_json else "")
    if format_ and not _is_readable(value.type, format_):
        shown = format_ if format_ == "JSON" else f"JSON ENCODING {format_}"
        message = f"Cannot read input of type {value.type} as JSON using formatting {shown}"
        raise mismatch(node.value, message)
    if format_ and value.type == UNKNOWN:
        value = coerce(value, VARCHAR)
    return value, format_


def _is_readable(type_: TrinoType, format_: str) -> bool:
    if type_ in (VARBINARY, UNKNOWN):
        return True
    return isinstance(type_, Varchar) and format_ == "JSON"


def _passing(
    analyser: Analyser, node: syntax.JsonPathCall, scope: Scope, options: _Options
) -> list[tree.Expression]:
    values = []
    names = set()
    for item in node.passing:
        name = _parameter_name(item)
        if name in names:
            message = f"{name} JSON path parameter is specified more than once"
            raise fail(ErrorCode.DUPLICATE_PARAMETER_NAME, item.name, message)
        names.add(name)
        value, format_ = _json_input(analyser, item.value, scope, is_input=False)
        if not format_ and not _is_scalar(value.type):
            message = f"Unsupported type of JSON path parameter: {value.type}"
            raise fail(ErrorCode.NOT_SUPPORTED, node, message)
        options += [("parameter", name), ("parameter_format", format_)]
        values.append(value)
    return values


def _is_scalar(type_: TrinoType) -> bool:
    """Whether SQL/JSON takes values of the type: what is no number or text it casts to text."""
    return type_ == UNKNOWN or type_.is_numeric or can_cast(type_, VARCHAR)


def _check_path(node: syntax.JsonPathCall) -> None:
    """Trino's errors about the path: its grammar, its variables, what Trino does not evaluate."""
    try:
        use = read_path(node.path.value)
    except PathError as error:
        # The path starts behind its quote.
        line, column = node.path.position
        raise StatementError(
            ErrorCode.SYNTAX_ERROR, str(error), line=line, column=column + 1 + error.offset
        ) from error
    passed = {_parameter_name(item) for item in node.passing}
    for name in use.variables:
        if name not in passed:
            message = f"no value passed for parameter {name}"
            if name.upper() in passed:
                message += f'. Try quoting "{name}" in the PASSING clause to match case'
            raise fail(ErrorCode.INVALID_PATH, node.path, message)
    for construct in use.unsupported:
        message = f"{construct} in JSON path is not yet supported"
        raise fail(ErrorCode.NOT_SUPPORTED, node.path, message)


def _parameter_name(item: syntax.JsonPassing) -> str:
    return item.name.name if item.name.is_delimited else item.name.name.upper()


_Given: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Clauses:
    """The clauses as written, and what they add to the typed call: options and arguments."""

    given: _Given
    options: _Options
    arguments: list[tree.Expression]


def _exists(_: Analyser, __: syntax.JsonPathCall, ___: Scope, clauses: _Clauses) -> TrinoType:
    clauses.options.append(("on_error", clauses.given.get("on_error", "FALSE")))
    return BOOLEAN


def _returning(node: syntax.Expression, type_name: syntax.TypeName | None) -> TrinoType:
    if type_name is None:
        return VARCHAR
    with located_at(node):
        return parse_type(type_name.text)


def _value(
    analyser: Analyser,
    node: syntax.JsonPathCall,
    scope: Scope,
    clauses: _Clauses,
) -> TrinoType:
    type_ = _returning(node, node.returning)
    if not (
        type_.is_character
        or type_.is_numeric
        or type_ in (BOOLEAN, DATE)
        or isinstance(type_, Time | TimeTz | Timestamp | TimestampTz)
    ):
        raise mismatch(node, f"Invalid return type of function JSON_VALUE: {type_.wire_name}")
    for event, default in (
        ("empty", node.default_on_empty),
        ("error", node.default_on_error),
    ):
        name = f"on_{event}"
        clauses.options.append((name, clauses.given.get(name, "NULL")))
        if default is not None:
            what = f"Function JSON_VALUE default ON {event.upper()} result"
            value = coerce_to((default, analyser.analyse(default, scope)), type_, what)
            clauses.arguments.append(value)
    return type_


def _query(_: Analyser, node: syntax.JsonPathCall, __: Scope, clauses: _Clauses) -> TrinoType:
    given = clauses.given
    wrapper = given.get("wrapper", "WITHOUT")
    if wrapper != "WITHOUT" and "quotes" in given:
        raise fail(
            ErrorCode.INVALID_FUNCTION_ARGUMENT,
            node,
            f"{given['quotes']} QUOTES behavior specified with WITH {wrapper} ARRAY WRAPPER "
            "behavior",
        )
    clauses.options.extend(
        [
            ("wrapper", wrapper),
            ("quotes", given.get("quotes", "KEEP")),
            ("on_empty", given.get("on_empty", "NULL")),
            ("on_error", given.get("on_error", "NULL")),
        ]
    )
    return _output(node, node.returning, given, clauses.options)


def _output(
    node: syntax.Expression,
    returning: syntax.TypeName | None,
    given: _Given,
    options: _Options,
) -> TrinoType:
    """The type and format of a JSON text as result."""
    type_ = _returning(node, returning)
    format_ = given.get("format", "JSON")
    if not (type_.is_character and format_ == "JSON") and type_ != VARBINARY:
        shown = format_ if format_ == "JSON" else f"JSON ENCODING {format_}"
        raise mismatch(node, f"Cannot output JSON value as {type_} using formatting {shown}")
    options.append(("output_format", format_))
    return type_


_CLAUSES: Final = {"JSON_EXISTS": _exists, "JSON_VALUE": _value, "JSON_QUERY": _query}


def json_object(analyser: Analyser, node: syntax.JsonObject, scope: Scope) -> tree.Expression:
    """JSON_OBJECT(key: value, …)."""
    given = dict(node.options)
    options: _Options = []
    arguments = []
    for key_node, value_node in node.members:
        key = analyser.analyse(key_node, scope)
        if not key.type.is_character:
            message = f"Invalid type of JSON object key: {key.type}"
            raise fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, key_node, message)
        arguments += [key, _member(analyser, node, value_node, scope, options)]
    options.append(("on_null", given.get("on_null", "NULL")))
    options.append(("unique_keys", given.get("unique_keys", "WITHOUT")))
    type_ = _output(node, node.returning, given, options)
    return tree.JsonFunction(type_, "JSON_OBJECT", tuple(arguments), tuple(options))


def json_array(analyser: Analyser, node: syntax.JsonArray, scope: Scope) -> tree.Expression:
    """JSON_ARRAY(value, …)."""
    given = dict(node.options)
    options: _Options = []
    arguments = [_member(analyser, node, item, scope, options) for item in node.items]
    options.append(("on_null", given.get("on_null", "ABSENT")))
    type_ = _output(node, node.returning, given, options)
    return tree.JsonFunction(type_, "JSON_ARRAY", tuple(arguments), tuple(options))


def _member(
    analyser: Analyser,
    node: syntax.JsonObject | syntax.JsonArray,
    item: syntax.JsonInput,
    scope: Scope,
    options: _Options,
) -> tree.Expression:
    value, format_ = _json_input(analyser, item, scope, is_input=False)
    if not format_ and not _is_scalar(value.type):
        kind = "JSON_OBJECT" if isinstance(node, syntax.JsonObject) else "JSON_ARRAY"
        message = f"Unsupported type of value passed to {kind} function: {value.type}"
        place = item.value if value.type == VARBINARY else node
        raise fail(ErrorCode.NOT_SUPPORTED, place, message)
    options.append(("value_format", format_))
    return value


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.JsonPathCall: path_call,
    syntax.JsonObject: json_object,
    syntax.JsonArray: json_array,
}
