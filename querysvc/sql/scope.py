"""Trino's name resolution: the columns in sight, from the innermost scope outwards.

Names match without regard to case, delimited or not. A scope's parent is either more of the same
query (the columns of FROM behind the outputs in ORDER BY, the scope around a lambda) or the
enclosing query, whose columns make a subquery correlated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import syntax
from querysvc.sql.suggestions import close_names
from querysvc.types.algebra import Row


@dataclass(frozen=True, slots=True)
class ScopeField:
    """A column in sight: `name` as written (None when it has none), its relation's qualified
    name in lower case (None when it has none), and the expression that it stands for.

    `denied_in` names the table or view whose column it is, when it may not be read.
    """

    name: str | None
    expression: tree.Expression
    relation: tuple[str, ...] | None = None
    is_hidden: bool = False
    denied_in: str | None = None

    def matches(self, prefix: tuple[str, ...]) -> bool:
        """Whether `prefix.name` can mean this field: the prefix is a suffix of the relation."""
        if not prefix:
            return True
        return self.relation is not None and self.relation[-len(prefix) :] == prefix


def fail(
    code: ErrorCode, node: syntax.Node, message: str, suggestions: tuple[str, ...] = ()
) -> StatementError:
    """The error of a node, with its position; to be raised."""
    line, column = node.position
    return StatementError(code, message, line=line, column=column, suggestions=suggestions)


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query of a WITH clause: its CTE's id and its columns.

    `is_open` marks a recursive query that must not be referred to where it stands.
    """

    cte: int
    fields: tuple[tree.Field, ...]
    is_open: bool = False


@dataclass(slots=True, eq=False)
class Scope:
    """The columns of one level, and the scope around it.

    `windows` are the WINDOW clause's definitions of the SELECT that the scope belongs to.
    `grouping` resolves GROUPING(…). `named_queries` are a WITH clause's, by name in lower case.
    """

    fields: tuple[ScopeField, ...] = ()
    parent: Scope | None = None
    windows: Mapping[str, syntax.WindowSpecification] = field(default_factory=dict)
    grouping: Callable[[syntax.Grouping], tree.Expression] | None = None
    named_queries: Mapping[str, NamedQuery] = field(default_factory=dict)
    _by_name: dict[str, list[ScopeField]] | None = field(default=None, repr=False)

    def candidates(self, parts: tuple[str, ...]) -> list[ScopeField]:
        """The fields of this level alone that the name (lower case parts) can mean."""
        if self._by_name is None:
            self._by_name = {}
            for item in self.fields:
                if item.name is not None:
                    self._by_name.setdefault(item.name.lower(), []).append(item)
        named = self._by_name.get(parts[-1], ())
        prefix = parts[:-1]
        return [item for item in named if item.matches(prefix)]

    def _names_a_column(self, parts: tuple[str, ...]) -> bool:
        return any(self.candidates(parts[:end]) for end in range(len(parts) - 1, 0, -1))

    def find(self, parts: tuple[str, ...], node: syntax.Node) -> ScopeField | None:
        """The field that the whole name means, here or outside; None when there is none.

        A level where a prefix of the name is a column hides the levels around it.
        """
        scope: Scope | None = self
        lowered = tuple(part.lower() for part in parts)
        while scope is not None:
            found = scope.candidates(lowered)
            if len(found) > 1:
                name = ".".join(lowered)
                raise fail(ErrorCode.AMBIGUOUS_NAME, node, f"Column '{name}' is ambiguous")
            if found:
                return _readable(found[0])
            if scope._names_a_column(lowered):
                return None
            scope = scope.parent
        return None

    def _column_names(self) -> Iterator[str]:
        scope: Scope | None = self
        while scope is not None:
            for item in scope.fields:
                if item.name is not None and not item.is_hidden:
                    yield item.name.lower()
            scope = scope.parent

    def is_column_reference(self, parts: tuple[str, ...]) -> bool:
        """Whether some proper prefix of the name is a column, here or outside."""
        lowered = tuple(part.lower() for part in parts)
        scope: Scope | None = self
        while scope is not None:
            if scope._names_a_column(lowered):
                return True
            scope = scope.parent
        return False

    def resolve_column(self, parts: tuple[str, ...], node: syntax.Node) -> tree.Expression:
        """What the name means: a column, or a field of a column that is a row.

        Raises COLUMN_NOT_FOUND, AMBIGUOUS_NAME, or TYPE_MISMATCH for a field of what is no row.
        """
        found = self.find(parts, node)
        if found is not None:
            return found.expression
        if len(parts) == 1 or not self.is_column_reference(parts):
            raise missing_column(parts, node, close_names(parts[-1], self._column_names()))
        base = self.resolve_column(parts[:-1], _base(node))
        return dereference(base, parts[-1], node, text=".".join(parts))

    def named_query(self, name: str) -> NamedQuery | None:
        """The query of that name in the innermost WITH clause that has one."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.named_queries.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def with_lambda(self, parameters: Mapping[str, tree.Expression]) -> Scope:
        """A scope in which lambda parameters hide the columns of the same names."""
        fields = tuple(ScopeField(name, value) for name, value in parameters.items())
        return Scope(fields, parent=self, windows=self.windows, grouping=self.grouping)

    def all_fields(self, prefix: tuple[str, ...] = ()) -> list[ScopeField]:
        """What `*` or `prefix.*` means at this level: the visible fields in order."""
        lowered = tuple(part.lower() for part in prefix)
        return [item for item in self.fields if not item.is_hidden and item.matches(lowered)]

    def window(
        self, node: syntax.WindowReference | syntax.WindowSpecification
    ) -> syntax.WindowSpecification:
        """The window of an OVER, with the named window that it refers to folded in."""
        if isinstance(node, syntax.WindowReference):
            return self._named_window(node.name)
        if node.existing is None:
            return node
        base = self._named_window(node.existing)
        _check_extension(node, base)
        return syntax.WindowSpecification(
            node.position,
            None,
            base.partition_by,
            base.order_by or node.order_by,
            node.frame,
        )

    def _named_window(self, name: syntax.Identifier) -> syntax.WindowSpecification:
        found = self.windows.get(name.name.lower())
        if found is None:
            message = f"Cannot resolve WINDOW name {name.name}"
            raise fail(ErrorCode.INVALID_WINDOW_REFERENCE, name, message)
        return found


def _check_extension(node: syntax.WindowSpecification, base: syntax.WindowSpecification) -> None:
    """SQL's rules for OVER (existing …)."""
    if node.partition_by:
        message = "WINDOW specification with named WINDOW reference cannot specify PARTITION BY"
        raise fail(ErrorCode.INVALID_PARTITION_BY, node.partition_by[0], message)
    if node.order_by and base.order_by:
        message = "Cannot specify ORDER BY if referenced named WINDOW specifies ORDER BY"
        raise fail(ErrorCode.INVALID_ORDER_BY, node.order_by[0], message)
    if base.frame is not None:
        message = "Cannot reference named WINDOW containing frame specification"
        raise fail(ErrorCode.INVALID_WINDOW_REFERENCE, node.existing or node, message)


def _readable(field: ScopeField) -> ScopeField:
    if field.denied_in is None:
        return field
    raise StatementError(
        ErrorCode.PERMISSION_DENIED,
        f"Access Denied: Cannot select from columns [{field.name}] in table or view"
        f" {field.denied_in}",
    )


def _base(node: syntax.Node) -> syntax.Node:
    return node.base if isinstance(node, syntax.Dereference) else node


def missing_column(
    parts: Iterable[str], node: syntax.Node, suggestions: tuple[str, ...] = ()
) -> StatementError:
    """COLUMN_NOT_FOUND, as Trino words it."""
    name = ".".join(part.lower() for part in parts)
    message = f"Column '{name}' cannot be resolved"
    return fail(ErrorCode.COLUMN_NOT_FOUND, node, message, suggestions)


def dereference(
    base: tree.Expression, name: str, node: syntax.Node, *, text: str
) -> tree.Expression:
    """base.name for a row; `text` is how an error prints the whole."""
    if not isinstance(base.type, Row):
        owner = text.rpartition(".")[0]
        raise fail(ErrorCode.TYPE_MISMATCH, node, f"Expression {owner} is not of type ROW")
    wanted = name.lower()
    matches = [
        (index, item)
        for index, item in enumerate(base.type.fields)
        if item.name is not None and item.name.lower() == wanted
    ]
    if len(matches) > 1:
        place = node.field if isinstance(node, syntax.Dereference) else node
        raise fail(ErrorCode.AMBIGUOUS_NAME, place, f"Ambiguous row field reference: {name}")
    if not matches:
        message = f"Column reference '{text.lower()}' is invalid"
        raise fail(ErrorCode.INVALID_COLUMN_REFERENCE, node, message)
    index, item = matches[0]
    return tree.Dereference(item.type, base, index)


def name_parts(node: syntax.Expression) -> tuple[str, ...] | None:
    """The parts of `a.b.c`; None when the expression is no plain name."""
    parts: list[str] = []
    while isinstance(node, syntax.Dereference):
        parts.append(node.field.name)
        node = node.base
    if not isinstance(node, syntax.Identifier):
        return None
    parts.append(node.name)
    return tuple(reversed(parts))
