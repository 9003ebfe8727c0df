"""pg_catalog's functions, as SQLite calls them; arrays come and go as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_drivers.pgwire.catalog.array_functions import (
    array_concat,
    array_element,
    array_in,
    array_length,
    array_out,
    array_position,
    array_remove,
    array_to_string,
    contains,
    items_of,
    series,
)
from querysvc_drivers.pgwire.catalog.definitions import (
    INFORMATION_SCHEMA,
    PG_CATALOG,
    format_type,
    procedures_by_oid,
    types_by_name,
)
from querysvc_drivers.pgwire.catalog.relations import CLASS_OID, OWNER_OID
from querysvc_drivers.pgwire.catalog.snapshot import Relation, Snapshot
from querysvc_drivers.pgwire.types import Oid

BOOL, INT4, INT8, TEXT, NAME, OID = (
    int(oid) for oid in (Oid.BOOL, Oid.INT4, Oid.INT8, Oid.TEXT, Oid.NAME, Oid.OID)
)
TEXTS: Final = 1009
OIDS: Final = 1028
NAMES: Final = 1003
_TYPE_ALIASES: Final = {
    "int": "int4",
    "integer": "int4",
    "bigint": "int8",
    "smallint": "int2",
    "boolean": "bool",
    "real": "float4",
    "double precision": "float8",
    "decimal": "numeric",
    "character varying": "varchar",
    "character": "bpchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "time with time zone": "timetz",
}


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments it takes, the type of its result, what it does."""

    arguments: tuple[int, int]
    type_oid: int
    call: Callable[..., Any]


class Functions:
    """All functions, over a snapshot; `settings` collects what set_config has set."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.settings: list[tuple[str, str]] = []

    @cached_property
    def _relations(self) -> Mapping[int, Relation]:
        return {relation.oid: relation for relation in self._snapshot.relations}

    def session(self) -> Mapping[str, Function]:
        """Those that answer about the session and its catalog."""
        facts = self._snapshot.facts
        path = json.dumps([facts.schema])
        full_path = json.dumps([PG_CATALOG, facts.schema])
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        return {
            "current_database": _constant(NAME, facts.database),
            "current_catalog": _constant(NAME, facts.database),
            "current_schema": _constant(NAME, facts.schema),
            "current_schemas": Function((1, 1), NAMES, lambda all_: full_path if all_ else path),
            "current_user": _constant(NAME, facts.user),
            "session_user": _constant(NAME, facts.user),
            "user": _constant(NAME, facts.user),
            "current_role": _constant(NAME, facts.user),
            "pg_backend_pid": _constant(INT4, facts.process_id),
            "_now": _constant(TEXT, now),
            "pg_postmaster_start_time": _constant(TEXT, now),
            "current_setting": Function((1, 2), TEXT, self._setting),
            "set_config": Function((3, 3), TEXT, self._set_config),
            "obj_description": Function((1, 2), TEXT, self._object_comment),
            "col_description": Function((2, 2), TEXT, self._column_comment),
            "pg_get_userbyid": Function((1, 1), NAME, self._user),
            "pg_get_viewdef": Function((1, 2), TEXT, self._view),
            "pg_table_is_visible": Function((1, 1), BOOL, self._is_visible),
            "to_regclass": Function((1, 1), int(Oid.REGCLASS), self._relation),
            "_regclass_in": Function((1, 1), int(Oid.REGCLASS), self._relation_or_error),
            "_regclass_out": Function((1, 1), TEXT, self._relation_name),
            "_regnamespace_in": Function((1, 1), int(Oid.REGNAMESPACE), self._schema),
            "_regnamespace_out": Function((1, 1), TEXT, self._schema_name),
        }

    def _setting(self, name: str, is_missing_ok: int = 0) -> str | None:
        lowered = {key.lower(): value for key, value in self._snapshot.facts.settings.items()}
        value = lowered.get(name.lower())
        if value is None and not is_missing_ok:
            raise QueryServiceError(
                ErrorCode.NOT_FOUND, f'unrecognized configuration parameter "{name}"'
            )
        if name.lower() == "search_path" and not value:
            return self._snapshot.facts.schema
        return value

    def _set_config(self, name: str, value: str | None, _: int) -> str:
        self.settings.append((name, value or ""))
        return value or ""

    def _object_comment(self, oid: int | None, _: str = "") -> str | None:
        relation = None if oid is None else self._relations.get(oid)
        return None if relation is None else relation.comment

    def _column_comment(self, oid: int | None, number: int | None) -> str | None:
        relation = None if oid is None else self._relations.get(oid)
        if relation is None or number is None or not 1 <= number <= len(relation.columns):
            return None
        return relation.columns[number - 1].comment

    def _user(self, oid: int | None) -> str:
        return self._snapshot.facts.user if oid == OWNER_OID else f"unknown (OID={oid})"

    def _view(self, oid: int | None, _: int = 0) -> str | None:
        relation = None if oid is None else self._relations.get(oid)
        return None if relation is None else relation.definition

    def _is_visible(self, oid: int | None) -> int | None:
        relation = None if oid is None else self._relations.get(oid)
        return None if relation is None else int(relation.schema == self._snapshot.facts.schema)

    def _relation(self, text: str | None) -> int | None:
        if text is None:
            return None
        if text.isdecimal():
            return int(text)
        *qualifier, name = _name_parts(text)
        schema = qualifier[-1] if qualifier else self._snapshot.facts.schema
        if name == "pg_class" and schema in (PG_CATALOG, self._snapshot.facts.schema):
            return CLASS_OID
        for relation in self._snapshot.relations:
            if relation.schema == schema and relation.name == name:
                return relation.oid
        if schema == PG_CATALOG or not qualifier:
            return _SYSTEM_RELATIONS.get(name)
        return None

    def _relation_or_error(self, text: str | None) -> int | None:
        found = self._relation(text)
        if found is None and text is not None:
            raise QueryServiceError(ErrorCode.TABLE_NOT_FOUND, f'relation "{text}" does not exist')
        return found

    def _relation_name(self, oid: int | None) -> str | None:
        if oid is None:
            return None
        relation = self._relations.get(oid)
        if relation is None:
            return "-" if oid == 0 else str(oid)
        if relation.schema == self._snapshot.facts.schema:
            return quote_identifier(relation.name)
        return f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}"

    def _schema(self, text: str | None) -> int | None:
        if text is None:
            return None
        schemas = {name: oid for oid, name in self._snapshot.schemas}
        name = _name_parts(text)[-1]
        if name not in schemas:
            raise QueryServiceError(ErrorCode.SCHEMA_NOT_FOUND, f'schema "{text}" does not exist')
        return schemas[name]

    def _schema_name(self, oid: int | None) -> str | None:
        names = dict(self._snapshot.schemas) | {11: PG_CATALOG, 13_000: INFORMATION_SCHEMA}
        return None if oid is None else names.get(oid, str(oid))


_SYSTEM_RELATIONS: Final = {
    "pg_type": 1247,
    "pg_attribute": 1249,
    "pg_proc": 1255,
    "pg_class": CLASS_OID,
    "pg_namespace": 2615,
    "pg_constraint": 2606,
    "pg_database": 1262,
    "pg_trigger": 2620,
    "pg_index": 2610,
    "pg_extension": 3079,
}


def quote_identifier(name: str) -> str:
    """A name as SQL must write it."""
    if re.fullmatch(r"[a-z_][a-z0-9_$]*", name):
        return name
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _name_parts(text: str) -> list[str]:
    parts = re.findall(r'"((?:[^"]|"")*)"|([^."]+)', text.strip())
    return [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in parts]


def _constant(type_oid: int, value: Any) -> Function:
    return Function((0, 0), type_oid, lambda: value)


def _nothing(count: int, type_oid: int = TEXT) -> Function:
    return Function((0, count), type_oid, lambda *_: None)


def _allowed(count: int) -> Function:
    return Function((1, count), BOOL, lambda *_: 1)


@lru_cache(maxsize=256)
def _pattern(text: str, flags: int) -> re.Pattern[str]:
    try:
        return re.compile(text, flags)
    except re.error as error:
        raise QueryServiceError(
            ErrorCode.INVALID_FUNCTION_ARGUMENT, f"invalid regular expression: {error}"
        ) from None


def _matches(flags: int) -> Callable[[str | None, str | None], int | None]:
    def call(text: str | None, pattern: str | None) -> int | None:
        if text is None or pattern is None:
            return None
        return int(_pattern(pattern, flags).search(str(text)) is not None)

    return call


def _like(flags: int) -> Callable[..., int | None]:
    def call(text: Any, pattern: str | None, escape: str = "\\") -> int | None:
        if text is None or pattern is None:
            return None
        regex = _pattern(_like_regex(pattern, escape), flags | re.DOTALL)
        return int(regex.fullmatch(str(text)) is not None)

    return call


@lru_cache(maxsize=256)
def _like_regex(pattern: str, escape: str) -> str:
    parts, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == escape and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
        at += 1
    return "".join(parts)


def _regtype(text: str | None) -> int | None:
    if text is None:
        return None
    name = text.strip().lower().removeprefix("pg_catalog.").strip('"')
    if name.isdecimal():
        return int(name)
    is_array = name.endswith("[]")
    name = re.sub(r"\(.*?\)", "", name.removesuffix("[]")).strip()
    found = types_by_name().get(_TYPE_ALIASES.get(name, name))
    if found is None:
        return None
    return int(found.values["typarray"]) if is_array else found.oid


def _regtype_or_error(text: str | None) -> int | None:
    found = _regtype(text)
    if found is None and text is not None:
        raise QueryServiceError(ErrorCode.TYPE_NOT_FOUND, f'type "{text}" does not exist')
    return found


def _regproc(text: str | None) -> int | None:
    if text is None:
        return None
    name = text.removeprefix("pg_catalog.")
    for oid, known in procedures_by_oid().items():
        if known == name:
            return oid
    return None


def _regproc_name(oid: int | None) -> str | None:
    return None if oid is None else procedures_by_oid().get(oid, "-" if oid == 0 else str(oid))


def _size_pretty(size: int | None) -> str | None:
    return None if size is None else f"{size} bytes"


def _split_part(text: str | None, separator: str, number: int) -> str | None:
    if text is None:
        return None
    parts = text.split(separator)
    return parts[number - 1] if 1 <= number <= len(parts) else ""


def _string_to_array(text: str | None, separator: str | None) -> str | None:
    if text is None:
        return None
    return json.dumps(text.split(separator) if separator and text else [text] if text else [])


def _regexp_replace(text: str | None, pattern: str, new: str, flags: str = "") -> str | None:
    if text is None:
        return None
    regex = _pattern(pattern, re.IGNORECASE if "i" in flags else 0)
    return regex.sub(re.sub(r"\\(\d)", r"\\g<\1>", new), text, count=0 if "g" in flags else 1)


def _boolean_in(text: Any) -> int | None:
    if text is None or isinstance(text, int):
        return text
    return int(str(text).strip().lower() in ("t", "true", "y", "yes", "on", "1"))


def _concat(*texts: Any) -> str:
    return "".join(str(text) for text in texts if text is not None)


def _rows_in_list(*_: object) -> None:
    raise QueryServiceError(
        ErrorCode.NOT_SUPPORTED, "a function that gives rows in a SELECT list is not supported"
    )


STATIC: Final[Mapping[str, Function]] = {
    "version": _constant(TEXT, "PostgreSQL 15.0 (querysvc), Trino's dialect, 64-bit"),
    "format_type": Function((1, 2), TEXT, lambda oid, modifier=None: format_type(oid, modifier)),
    "to_regtype": Function((1, 1), int(Oid.REGTYPE), _regtype),
    "to_regproc": Function((1, 1), int(Oid.REGPROC), _regproc),
    "_regtype_in": Function((1, 1), int(Oid.REGTYPE), _regtype_or_error),
    "_regtype_out": Function((1, 1), TEXT, lambda oid: format_type(oid, None)),
    "_regproc_in": Function((1, 1), int(Oid.REGPROC), _regproc),
    "_regproc_out": Function((1, 1), TEXT, _regproc_name),
    "_array_in": Function((1, 2), TEXTS, array_in),
    "_array_out": Function((1, 1), TEXT, array_out),
    "_element": Function((2, 2), TEXT, array_element),
    "_bool_in": Function((1, 1), BOOL, _boolean_in),
    "_matches": Function((2, 2), BOOL, _matches(0)),
    "_imatches": Function((2, 2), BOOL, _matches(re.IGNORECASE)),
    "_like": Function((2, 3), BOOL, _like(0)),
    "_ilike": Function((2, 3), BOOL, _like(re.IGNORECASE)),
    "_rows": Function((0, 9), INT4, _rows_in_list),
    "_contains": Function((2, 2), BOOL, contains),
    "array_to_string": Function((2, 3), TEXT, array_to_string),
    "array_length": Function((1, 2), INT4, array_length),
    "array_size": Function((1, 2), INT4, array_length),  # as sqlglot writes array_length
    "array_upper": Function((1, 2), INT4, array_length),
    "array_lower": Function((1, 2), INT4, lambda array, _=1: 1 if items_of(array) else None),
    "cardinality": Function((1, 1), INT4, lambda array: len(items_of(array) or [])),
    "array_remove": Function((2, 2), TEXTS, array_remove),
    "array_position": Function((2, 2), INT4, array_position),
    "array_cat": Function((2, 2), TEXTS, array_concat),
    "generate_series": Function((2, 3), OIDS, series),
    "quote_ident": Function((1, 1), TEXT, lambda text: text and quote_identifier(text)),
    "parse_ident": Function((1, 2), TEXTS, lambda t, *_: t and json.dumps(_name_parts(t))),
    "quote_literal": Function((1, 1), TEXT, lambda t: t and "'" + str(t).replace("'", "''") + "'"),
    "regexp_replace": Function((3, 4), TEXT, _regexp_replace),
    "string_to_array": Function((2, 2), TEXTS, _string_to_array),
    "split_part": Function((3, 3), TEXT, _split_part),
    "concat": Function((0, 99), TEXT, _concat),
    "pg_encoding_to_char": Function((1, 1), NAME, lambda code: "UTF8" if code == 6 else ""),
    "pg_char_to_encoding": Function((1, 1), INT4, lambda _: 6),
    "getdatabaseencoding": _constant(NAME, "UTF8"),
    "pg_client_encoding": _constant(NAME, "UTF8"),
    "pg_is_in_recovery": _constant(BOOL, 0),
    "pg_type_is_visible": _allowed(1),
    "pg_function_is_visible": _allowed(1),
    "pg_operator_is_visible": _allowed(1),
    "pg_opclass_is_visible": _allowed(1),
    "pg_collation_is_visible": _allowed(1),
    "pg_conversion_is_visible": _allowed(1),
    "pg_statistics_obj_is_visible": _allowed(1),
    "pg_ts_config_is_visible": _allowed(1),
    "has_table_privilege": _allowed(3),
    "has_any_column_privilege": _allowed(3),
    "has_column_privilege": _allowed(4),
    "has_schema_privilege": _allowed(3),
    "has_database_privilege": _allowed(3),
    "has_function_privilege": _allowed(3),
    "has_sequence_privilege": _allowed(3),
    "has_tablespace_privilege": _allowed(3),
    "has_type_privilege": _allowed(3),
    "pg_has_role": _allowed(3),
    "row_security_active": Function((1, 1), BOOL, lambda _: 0),
    "pg_size_pretty": Function((1, 1), TEXT, _size_pretty),
    **{
        name: Function((1, 2), INT8, lambda *_: 0)
        for name in (
            "pg_relation_size",
            "pg_table_size",
            "pg_total_relation_size",
            "pg_indexes_size",
            "pg_database_size",
            "pg_tablespace_size",
        )
    },
    "shobj_description": _nothing(2),
    "pg_get_expr": _nothing(3),
    "pg_get_constraintdef": _nothing(2),
    "pg_get_indexdef": _nothing(3),
    "pg_get_triggerdef": _nothing(2),
    "pg_get_ruledef": _nothing(2),
    "pg_get_functiondef": _nothing(1),
    "pg_get_function_result": _nothing(1),
    "pg_get_function_arguments": _nothing(1),
    "pg_get_function_identity_arguments": _nothing(1),
    "pg_get_function_sqlbody": _nothing(1),
    "pg_get_partkeydef": _nothing(1),
    "pg_get_serial_sequence": _nothing(2),
    "pg_get_statisticsobjdef_columns": _nothing(1),
    "pg_get_statisticsobjdef": _nothing(1),
    "pg_index_column_has_property": _nothing(3, BOOL),
    "pg_indexam_has_property": _nothing(2, BOOL),
    "pg_tablespace_location": Function((1, 1), TEXT, lambda _: ""),
    "pg_relation_is_publishable": Function((1, 1), BOOL, lambda _: 0),
    "pg_relation_is_updatable": Function((2, 2), INT4, lambda *_: 0),
    "pg_column_is_updatable": Function((3, 3), BOOL, lambda *_: 0),
    "pg_stat_get_numscans": Function((1, 1), INT8, lambda _: 0),
    "pg_my_temp_schema": _constant(OID, 0),
    "pg_is_other_temp_schema": Function((1, 1), BOOL, lambda _: 0),
    "inet_server_addr": _nothing(0),
    "inet_client_addr": _nothing(0),
    "inet_server_port": _nothing(0, INT4),
    "inet_client_port": _nothing(0, INT4),
    "txid_current": _constant(INT8, 1),
    "pg_get_keywords": _nothing(0),
}
"""The functions that need no snapshot."""

NATIVE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("lower", "upper", "trim", "ltrim", "rtrim", "replace", "substr"), TEXT),
    **dict.fromkeys(("substring", "group_concat", "string_agg", "printf", "hex", "quote"), TEXT),
    **dict.fromkeys(("length", "instr", "char_length", "strpos", "abs", "sign"), INT4),
    **dict.fromkeys(("count", "sum", "row_number", "rank", "dense_rank"), INT8),
    "json_build_object": int(Oid.JSON),
    "logical_and": BOOL,
    "logical_or": BOOL,
}
"""SQLite's own functions that may be called, with the types that PostgreSQL gives them."""
