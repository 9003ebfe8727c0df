"""What a statement is: the session's own business, a question to pg_catalog, or a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.prepared import WRITE_WORDS
from querysvc_drivers.pgwire.copying import CopyOptions, read_copy_options
from querysvc_drivers.pgwire.lexer import Cursor, Kind, Token, string_value, text_of
from querysvc_drivers.pgwire.translate import Translated, translate


@dataclass(frozen=True, slots=True)
class UserQuery:
    """A statement for the core; `word` is its first."""

    translated: Translated
    word: str

    @property
    def is_write(self) -> bool:
        """Whether it changes something and gives no rows."""
        return self.word in WRITE_WORDS

    @property
    def may_write(self) -> bool:
        """Whether a transaction might have to undo it: what EXECUTE runs is not known here."""
        return self.is_write or self.word == "EXECUTE"


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """A query that names pg_catalog's things; whether it is one, its tables tell."""

    sql: str
    parameters: int
    """The highest number of a `$n`."""
    otherwise: UserQuery | StatementError
    """What it is if it asks nothing of pg_catalog."""


@dataclass(frozen=True, slots=True)
class SetVariable:
    """SET, or RESET when the value is None (of all variables when the name is None too)."""

    name: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class ShowVariable:
    """SHOW name, or SHOW ALL."""

    name: str | None


class TransactionVerb(Enum):
    """What a statement does to the transaction; the value is its command tag."""

    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK "


@dataclass(frozen=True, slots=True)
class Transaction:
    """A statement about transactions."""

    verb: TransactionVerb


@dataclass(frozen=True, slots=True)
class Discard:
    """DISCARD; ALL or a part, of which there is nothing."""

    is_all: bool
    tag: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE name, or ALL when it is None."""

    name: str | None


@dataclass(frozen=True, slots=True)
class DeclareCursor:
    """DECLARE name CURSOR FOR query."""

    name: str
    query: UserQuery | CatalogQuery
    is_binary: bool
    is_held: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or MOVE forward in a cursor; no count is all."""

    name: str
    count: int | None
    is_move: bool


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """CLOSE name, or ALL when it is None."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY (query) TO STDOUT."""

    query: UserQuery | CatalogQuery
    options: CopyOptions


@dataclass(frozen=True, slots=True)
class Nothing:
    """A statement with nothing to do here."""

    tag: str


Statement: TypeAlias = (
    UserQuery
    | CatalogQuery
    | SetVariable
    | ShowVariable
    | Transaction
    | Discard
    | Deallocate
    | DeclareCursor
    | Fetch
    | CloseCursor
    | Copy
    | Nothing
)

_CATALOG_NAMES: Final = frozenset(
    {
        *("information_schema", "version", "current_schema", "current_schemas", "session_user"),
        *("current_database", "current_setting", "set_config", "format_type", "obj_description"),
        *("col_description", "to_regclass", "to_regtype", "regclass", "regtype", "regproc"),
        *("regnamespace", "quote_ident", "has_table_privilege", "has_schema_privilege"),
        *("has_database_privilege", "inet_server_addr", "inet_server_port", "inet_client_addr"),
        *("txid_current", "current_catalog", "shobj_description", "current_role"),
    }
)
_QUERY_WORDS: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
_TRINO_SHOWS: Final = frozenset(
    {
        *("CATALOGS", "COLUMNS", "CREATE", "DATABASES", "FUNCTIONS", "GRANTS", "PARTITIONS"),
        *("ROLES", "SCHEMAS", "SESSION", "STATS", "TABLES", "TBLPROPERTIES", "VIEWS", "CURRENT"),
    }
)


def read(tokens: Sequence[Token]) -> Statement:
    """Read one statement; SYNTAX_ERROR or NOT_SUPPORTED when it cannot be."""
    cursor = Cursor(tokens)
    first = cursor.peek()
    assert first is not None, "an empty statement is none"
    reader = _READERS.get(first.key)
    if reader is None:
        return _query(tokens)
    cursor.take_any()
    found = reader(cursor)
    return _query(tokens) if found is None else found


def _query(tokens: Sequence[Token]) -> UserQuery | CatalogQuery:
    first = Cursor(tokens).peek()
    if first is None:
        raise StatementError(ErrorCode.SYNTAX_ERROR, "syntax error at end of input")
    may_be_catalog = first.key in _QUERY_WORDS and any(map(_is_catalog_name, tokens))
    if not may_be_catalog:
        return UserQuery(translate(tokens), first.key)
    otherwise: UserQuery | StatementError
    try:
        otherwise = UserQuery(translate(tokens), first.key)
    except StatementError as error:
        otherwise = error
    numbers = (int(token.text[1:]) for token in tokens if token.kind is Kind.PARAMETER)
    return CatalogQuery(text_of(list(tokens)), max(numbers, default=0), otherwise)


def _is_catalog_name(token: Token) -> bool:
    if token.kind not in (Kind.WORD, Kind.QUOTED):
        return False
    name = token.name
    return name.startswith(("pg_", "_pg_")) or name in _CATALOG_NAMES


def _set(cursor: Cursor) -> Statement:
    is_session = cursor.take_one("SESSION", "LOCAL") == "SESSION"
    if is_session and cursor.take("AUTHORIZATION"):
        raise _unsupported("SET SESSION AUTHORIZATION")
    if is_session and cursor.take("CHARACTERISTICS", "AS", "TRANSACTION"):
        return _transaction_modes(cursor, "SET")
    if cursor.take("TRANSACTION"):
        return _transaction_modes(cursor, "SET")
    if cursor.take("ROLE"):
        return _set_role(cursor)
    if cursor.take("TIME", "ZONE"):
        name = "timezone"
    elif cursor.take("NAMES"):
        name = "client_encoding"
    else:
        name = _dotted(cursor)
        if not (cursor.take("TO") or cursor.take("=")):
            raise cursor.wrong()
    value = _values(cursor)
    return SetVariable(name, None if value.upper() == "DEFAULT" else value)


def _set_role(cursor: Cursor) -> Statement:
    if not cursor.take("NONE"):
        raise _unsupported("SET ROLE")
    return Nothing("SET")


def _dotted(cursor: Cursor) -> str:
    name = cursor.name()
    while cursor.take("."):
        name += f".{cursor.name()}"
    return name


def _values(cursor: Cursor) -> str:
    values: list[str] = []
    sign = ""
    while (token := cursor.take_any()) is not None:
        if token.key in ("-", "+"):
            sign = token.key
        elif token.key != ",":
            is_text = token.kind in (Kind.STRING, Kind.ESCAPED, Kind.DOLLAR)
            values.append(sign + (string_value(token) if is_text else token.name))
            sign = ""
    if not values:
        raise cursor.wrong()
    return ", ".join(values)


def _reset(cursor: Cursor) -> Statement:
    if cursor.take("ALL"):
        cursor.end()
        return SetVariable(None, None)
    if cursor.take("SESSION", "AUTHORIZATION") or cursor.take("ROLE"):
        return Nothing("RESET")
    name = "timezone" if cursor.take("TIME", "ZONE") else _dotted(cursor)
    cursor.end()
    return SetVariable(name, None)


def _show(cursor: Cursor) -> Statement | None:
    token = cursor.peek()
    if token is None or token.key in _TRINO_SHOWS:
        return None
    if cursor.take("ALL"):
        return ShowVariable(None)
    for words, name in _SPELLED_OUT.items():
        if cursor.take(*words):
            return ShowVariable(name)
    name = _dotted(cursor)
    cursor.end()
    return ShowVariable(name)


_SPELLED_OUT: Final[Mapping[tuple[str, ...], str]] = {
    ("TIME", "ZONE"): "timezone",
    ("TRANSACTION", "ISOLATION", "LEVEL"): "transaction_isolation",
    ("SESSION", "AUTHORIZATION"): "session_authorization",
}


def _begin(cursor: Cursor) -> Statement:
    cursor.take_one("WORK", "TRANSACTION")
    _transaction_modes(cursor, "BEGIN")
    return Transaction(TransactionVerb.BEGIN)


def _start(cursor: Cursor) -> Statement:
    if not cursor.take("TRANSACTION"):
        raise cursor.wrong()
    return _begin(cursor)


_MODE_WORDS: Final = frozenset(
    {
        *("ISOLATION", "LEVEL", "READ", "ONLY", "WRITE", "COMMITTED", "UNCOMMITTED", "REPEATABLE"),
        *("SERIALIZABLE", "DEFERRABLE", "NOT", ","),
    }
)


def _transaction_modes(cursor: Cursor, tag: str) -> Statement:
    """Modes change nothing: every statement reads what is there when it runs."""
    while cursor.take_one(*_MODE_WORDS) is not None:
        pass
    cursor.end()
    return Nothing(tag)


def _commit(cursor: Cursor) -> Statement:
    cursor.take_one("WORK", "TRANSACTION")
    cursor.take("AND", "NO", "CHAIN")
    cursor.end()
    return Transaction(TransactionVerb.COMMIT)


def _rollback(cursor: Cursor) -> Statement:
    cursor.take_one("WORK", "TRANSACTION")
    if cursor.take("TO"):
        cursor.take("SAVEPOINT")
        cursor.name()
        cursor.end()
        return Transaction(TransactionVerb.ROLLBACK_TO)
    cursor.take("AND", "NO", "CHAIN")
    cursor.end()
    return Transaction(TransactionVerb.ROLLBACK)


def _savepoint(cursor: Cursor) -> Statement:
    cursor.name()
    cursor.end()
    return Transaction(TransactionVerb.SAVEPOINT)


def _release(cursor: Cursor) -> Statement:
    cursor.take("SAVEPOINT")
    cursor.name()
    cursor.end()
    return Transaction(TransactionVerb.RELEASE)


def _discard(cursor: Cursor) -> Statement:
    what = cursor.take_one("ALL", "PLANS", "SEQUENCES", "TEMP", "TEMPORARY")
    if what is None:
        raise cursor.wrong()
    cursor.end()
    return Discard(what == "ALL", f"DISCARD {what}")


def _deallocate(cursor: Cursor) -> Statement:
    cursor.take("PREPARE")
    name = None if cursor.take("ALL") else cursor.name()
    cursor.end()
    return Deallocate(name)


def _declare(cursor: Cursor) -> Statement:
    name = cursor.name()
    options: list[str] = []
    while (option := cursor.take_one(*_CURSOR_WORDS)) is not None:
        options.append(option)
    if "SCROLL" in options and options[options.index("SCROLL") - 1] != "NO":
        raise _unsupported("A SCROLL cursor")
    if not cursor.take("CURSOR"):
        raise cursor.wrong()
    is_held = cursor.take("WITH", "HOLD")
    cursor.take("WITHOUT", "HOLD")
    if not cursor.take("FOR"):
        raise cursor.wrong()
    return DeclareCursor(name, _inner(cursor.rest()), "BINARY" in options, is_held)


_CURSOR_WORDS: Final = ("BINARY", "ASENSITIVE", "INSENSITIVE", "NO", "SCROLL")


def _inner(tokens: list[Token]) -> UserQuery | CatalogQuery:
    query = _query(tokens)
    if isinstance(query, UserQuery) and query.is_write:
        raise _unsupported(f"A cursor or COPY of {query.word}")
    return query


def _fetch(cursor: Cursor) -> Statement:
    return _moved(cursor, is_move=False)


def _move(cursor: Cursor) -> Statement:
    return _moved(cursor, is_move=True)


def _moved(cursor: Cursor, *, is_move: bool) -> Statement:
    if cursor.take_one("PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD") is not None:
        raise _unsupported("A cursor that goes backward or jumps")
    count: int | None = 1
    is_next = cursor.take("NEXT")
    is_forward = not is_next and cursor.take("FORWARD")
    if not is_next:
        if cursor.take("ALL"):
            count = None
        elif (token := cursor.peek()) is not None and token.kind is Kind.NUMBER:
            cursor.take_any()
            if not token.text.isdecimal():
                raise cursor.wrong()
            count = int(token.text)
        elif token is not None and token.key == "-":
            raise _unsupported("A cursor that goes backward or jumps")
        elif is_forward:
            count = 1
    cursor.take_one("FROM", "IN")
    name = cursor.name()
    cursor.end()
    return Fetch(name, count, is_move)


def _close(cursor: Cursor) -> Statement:
    name = None if cursor.take("ALL") else cursor.name()
    cursor.end()
    return CloseCursor(name)


def _copy(cursor: Cursor) -> Statement:
    query = _inner(cursor.within() if cursor.take("(") else _table_query(cursor))
    if cursor.take("FROM"):
        raise _unsupported("COPY FROM")
    if not cursor.take("TO", "STDOUT"):
        raise _unsupported("COPY to anything but STDOUT")
    return Copy(query, read_copy_options(cursor))


def _table_query(cursor: Cursor) -> list[Token]:
    name: list[Token] = []
    while (token := cursor.peek()) is not None and token.key not in ("(", "TO", "FROM"):
        name.append(token)
        cursor.take_any()
    columns = cursor.within() if cursor.take("(") else [_made("*")]
    space = _made(" ", Kind.SPACE)
    select, source = _made("SELECT", Kind.WORD), _made("FROM", Kind.WORD)
    return [select, space, *columns, space, source, space, *name]


def _made(text: str, kind: Kind = Kind.SYMBOL) -> Token:
    return Token(kind, text, text if kind is not Kind.SPACE else "", 0)


def _nothing(tag: str) -> Callable[[Cursor], Statement]:
    return lambda _: Nothing(tag)


def _prepare(cursor: Cursor) -> Statement | None:
    """PostgreSQL's PREPARE … AS; Trino's PREPARE … FROM is the core's."""
    cursor.name()
    if cursor.take("FROM"):
        return None
    raise _unsupported("PREPARE … AS (use the protocol's prepared statements)")


def _unsupported(what: str) -> StatementError:
    return StatementError(ErrorCode.NOT_SUPPORTED, f"{what} is not supported")


_READERS: Final[Mapping[str, Callable[[Cursor], Statement | None]]] = {
    "SET": _set,
    "RESET": _reset,
    "SHOW": _show,
    "BEGIN": _begin,
    "START": _start,
    "COMMIT": _commit,
    "END": _commit,
    "ROLLBACK": _rollback,
    "ABORT": _rollback,
    "SAVEPOINT": _savepoint,
    "RELEASE": _release,
    "DISCARD": _discard,
    "DEALLOCATE": _deallocate,
    "DECLARE": _declare,
    "FETCH": _fetch,
    "MOVE": _move,
    "CLOSE": _close,
    "COPY": _copy,
    "PREPARE": _prepare,
    "UNLISTEN": _nothing("UNLISTEN"),
}
