"""The kinds of entries by which a Trino function is lowered, and their lookup.

A family module holds `SCALARS`, `AGGREGATES` and `WINDOWS` (whichever it has): tables from a
signature's key (`querysvc.sql.functions.signature`), or from the bare canonical name where all
signatures lower alike, to an entry:

    "abs({0})"              a template; an argument that it repeats is evaluated once
    builder(site)           a function of the call site that returns a fragment
    Macro(...)              a SQL macro, installed in the sessions of queries that call it
    ArrowFunction(...)      a vectorised Python function, installed likewise
    Unsupported(reason)     refused by name

A function without an entry is refused too: nothing passes through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from querysvc.engines.duckdb.lowering.fragments import Sql, bind, call, template
from querysvc.engines.duckdb.lowering.types import (
    PATTERNS,
    contains_fine,
    not_supported,
    storage_type,
)
from querysvc.tree import Cast, Expression, Literal, LiteralValue
from querysvc.types.algebra import Char, TrinoType, Varchar

if TYPE_CHECKING:
    from querysvc.engines.duckdb.lowering.context import Context

# pyarrow arrays in, an array or a list of Python values out; pyarrow is not imported here.
BatchFunction: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Macro:
    """A SQL macro: parameters are its own names, the body a DuckDB expression over them.

    DuckDB replaces the parameters by the arguments' expressions: `call_macro` evaluates once what
    the body uses twice.
    """

    name: str
    parameters: tuple[str, ...]
    body: str
    uses: tuple[Macro, ...] = ()

    @property
    def statement(self) -> str:
        """The statement that installs the macro."""
        parameters = ", ".join(self.parameters)
        return f'CREATE OR REPLACE TEMP MACRO "{self.name}"({parameters}) AS ({self.body})'


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A Python function with its concrete DuckDB types, as the session registers it."""

    name: str
    parameters: tuple[str, ...]
    result: str
    result_type: TrinoType
    function: BatchFunction
    is_deterministic: bool = True
    is_tried: bool = False
    """Called inside TRY: what Trino's TRY lets through must be kept from DuckDB's."""


@dataclass(frozen=True, slots=True)
class ArrowFunction:
    """A vectorised function: batches of arguments in, a batch of results out.

    `function` gets one pyarrow array per argument, in storage form, NULLs included, and returns
    an array or a list. It raises `functions.vectorised.failure(code, message)` for Trino's errors.
    """

    function: BatchFunction
    is_deterministic: bool = True


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A function that the engine refuses, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class CallSite:
    """A scalar call, as builders see it: lowered arguments, and their types and nodes."""

    name: str
    key: str
    arguments: tuple[Sql, ...]
    nodes: tuple[Expression, ...]
    type: TrinoType
    context: Context

    @property
    def types(self) -> tuple[TrinoType, ...]:
        """The arguments' types."""
        return tuple(node.type for node in self.nodes)

    @property
    def result_type(self) -> str:
        """The DuckDB type of the result."""
        return storage_type(self.type)

    def is_constant(self, index: int) -> bool:
        """Whether the argument is a literal."""
        return index < len(self.nodes) and constant_node(self.nodes[index]) is not None

    def constant(self, index: int) -> LiteralValue:
        """The literal's value."""
        node = constant_node(self.nodes[index])
        assert node is not None
        return node.value

    def call_macro(self, macro: Macro, *arguments: Sql) -> Sql:
        """A call of the macro, which the session will have."""
        return call_macro(self.context, macro, *arguments)

    def call_python(
        self,
        function: BatchFunction,
        *arguments: tuple[Sql, TrinoType],
        result: TrinoType | None = None,
        is_deterministic: bool = True,
    ) -> Sql:
        """A call of the vectorised function with arguments of the given types."""
        return call_python(
            self.context,
            function,
            arguments,
            self.type if result is None else result,
            is_deterministic=is_deterministic,
        )


@dataclass(frozen=True, slots=True)
class AggregateSite:
    """An aggregate or window call, as builders see it.

    `aggregate(name, *arguments)` renders a DuckDB aggregate with the call's DISTINCT, ORDER BY,
    FILTER and OVER clauses; a builder may render several and combine them.
    """

    name: str
    key: str
    arguments: tuple[Sql, ...]
    nodes: tuple[Expression, ...]
    type: TrinoType
    context: Context
    render: Callable[..., Sql]
    is_window: bool = False
    is_distinct: bool = False
    has_order: bool = False
    options: tuple[tuple[str, str], ...] = ()

    @property
    def types(self) -> tuple[TrinoType, ...]:
        """The arguments' types."""
        return tuple(node.type for node in self.nodes)

    @property
    def result_type(self) -> str:
        """The DuckDB type of the result."""
        return storage_type(self.type)

    def is_constant(self, index: int) -> bool:
        """Whether the argument is a literal."""
        return index < len(self.nodes) and constant_node(self.nodes[index]) is not None

    def constant(self, index: int) -> LiteralValue:
        """The literal's value."""
        node = constant_node(self.nodes[index])
        assert node is not None
        return node.value

    def aggregate(
        self,
        name: str,
        *arguments: Sql,
        condition: Sql | None = None,
        order: str | None = None,
        distinct: bool = False,
    ) -> Sql:
        """The DuckDB aggregate with the call's clauses.

        `condition` is a further filter, `order` an ORDER BY list that replaces the call's own;
        `distinct` adds DISTINCT where the call has none.
        """
        prefix = "DISTINCT " if (distinct or self.is_distinct) and arguments else ""
        return self.render(name, prefix + ", ".join(arguments), condition, order)


ScalarBuilder: TypeAlias = Callable[[CallSite], Sql]
AggregateBuilder: TypeAlias = Callable[[AggregateSite], Sql]
ScalarEntry: TypeAlias = str | ScalarBuilder | Macro | ArrowFunction | Unsupported
AggregateEntry: TypeAlias = str | AggregateBuilder | Unsupported
"""As `str`: the name of the DuckDB aggregate that is the same."""

ScalarTable: TypeAlias = Mapping[str, ScalarEntry]
AggregateTable: TypeAlias = Mapping[str, AggregateEntry]

_NAME_LENGTH_MAX: Final = 40


def constant_node(node: Expression) -> Literal | None:
    """The literal that the node is, seen through casts that keep a text as it is."""
    while isinstance(node, Cast) and node.value.type.is_character:
        if not (node.type in PATTERNS or isinstance(node.type, Varchar)):
            return None
        if isinstance(node.value.type, Char):
            return None
        if isinstance(node.type, Varchar) and node.type.length is not None:
            return None
        node = node.value
    return node if isinstance(node, Literal) else None


def canonical_name(key: str) -> str:
    """The function's name in a signature's key."""
    return key.partition("<")[0].partition("(")[0] or key


def merged(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The families' tables as one; an entry in two of them is a bug."""
    result: dict[str, Any] = {}
    for table in tables:
        twice = result.keys() & table.keys()
        assert not twice, f"defined by two families: {sorted(twice)}"
        result.update(table)
    return result


def apply_scalar(entry: ScalarEntry | None, site: CallSite) -> Sql:
    """The call lowered by its entry; NOT_SUPPORTED without one."""
    if entry is None:
        raise not_supported(f"function {site.key}")
    if isinstance(entry, Unsupported):
        raise not_supported(f"function {site.key} ({entry.reason})")
    if isinstance(entry, str):
        return template(entry, *site.arguments)
    if isinstance(entry, Macro):
        return site.call_macro(entry, *site.arguments)
    if isinstance(entry, ArrowFunction):
        arguments = tuple(zip(site.arguments, site.types, strict=True))
        return site.call_python(entry.function, *arguments, is_deterministic=entry.is_deterministic)
    return entry(site)


def apply_aggregate(entry: AggregateEntry | None, site: AggregateSite) -> Sql:
    """The aggregate lowered by its entry; NOT_SUPPORTED without one."""
    if entry is None:
        raise not_supported(f"function {site.key}")
    if isinstance(entry, Unsupported):
        raise not_supported(f"function {site.key} ({entry.reason})")
    if isinstance(entry, str):
        return site.aggregate(entry, *site.arguments)
    return entry(site)


def call_macro(context: Context, macro: Macro, *arguments: Sql) -> Sql:
    """A call of the macro, each argument evaluated once."""
    context.needs.add_macro(macro)
    if any(_count(macro.body, name) > 1 for name in macro.parameters):
        return bind(arguments, lambda *bound: call(f'"{macro.name}"', *bound))
    return call(f'"{macro.name}"', *arguments)


def call_python(
    context: Context,
    function: BatchFunction,
    arguments: Sequence[tuple[Sql, TrinoType]],
    result: TrinoType,
    *,
    is_deterministic: bool = True,
) -> Sql:
    """A call of the vectorised function, named after it and its types."""
    for _, type_ in arguments:
        if contains_fine(type_):
            raise not_supported(f"a value of type {type_} here")
    parameters = tuple(storage_type(type_) for _, type_ in arguments)
    returned = storage_type(result)
    label = getattr(function, "__name__", "function").strip("_").lower()[:_NAME_LENGTH_MAX]
    # Functions differ by Trino type even where the storage form is one: varchar and json.
    signature = repr(([type_ for _, type_ in arguments], result))
    types = hashlib.blake2b(signature.encode(), digest_size=4).hexdigest()
    module = getattr(function, "__module__", "").rpartition(".")[2]
    is_tried = context.hoisted is not None
    name = f"py_{module}_{label}_{types}{'_tried' if is_tried else ''}"
    context.needs.add_function(
        PythonFunction(name, parameters, returned, result, function, is_deterministic, is_tried)
    )
    return call(f'"{name}"', *(sql for sql, _ in arguments))


def _count(body: str, name: str) -> int:
    words = "".join(c if c.isalnum() or c == "_" else " " for c in body).split()
    return words.count(name)
