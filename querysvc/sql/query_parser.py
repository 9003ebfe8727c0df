"""Trino's query grammar: WITH, set operations, SELECT, FROM, and the tail of ORDER BY and LIMIT."""

from __future__ import annotations

from typing import Final

from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.expression_parser import ExpressionParser
from querysvc.sql.lexer import Kind, Token
from querysvc.sql.syntax import Expression, Identifier, Position
from querysvc.sql.token_stream import CHAIN_MAX
from querysvc.sql.trino_only import TrinoOnly

_SAMPLE_METHODS: Final = ("BERNOULLI", "SYSTEM")
_AFTER_NAME: Final = frozenset(
    {
        *(",", ".", ")", "[", "||", "=", "<>", "!=", "<", "<=", ">", ">=", "/", "%"),
        *("AS", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH"),
        *("UNION", "EXCEPT", "INTERSECT", "WINDOW", "IS", "IN", "LIKE", "BETWEEN", "AND", "OR"),
    }
)
# SYSTEM_… is how Athena's engine version 2 spelt it.
_PERIODS: Final = {
    "TIMESTAMP": "TIMESTAMP",
    "VERSION": "VERSION",
    "SYSTEM_TIME": "TIMESTAMP",
    "SYSTEM_VERSION": "VERSION",
}
_JOIN_KINDS: Final = ("INNER", "LEFT", "RIGHT", "FULL")


class QueryParser(ExpressionParser):
    """Reads whole queries.

    Bodies are remembered by where they start: what turns out to be an expression around a query in
    parentheses is read again, and its query must not be, at every level.
    """

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        super().__init__(sql, tokens)
        self._bodies: dict[int, tuple[qs.QueryBody, int, int]] = {}

    def query(self) -> qs.Query:
        """query: with? queryNoWith."""
        self.enter()
        try:
            start = self.position
            with_ = self._with() if self.at("WITH") else None
            return self._query_no_with(start, with_)
        finally:
            self.leave()

    def _with(self) -> qs.With:
        start = self.position
        self.expect("WITH")
        if self.at("FUNCTION") and self.at_identifier(1) and self.peek(2).key in ("(", "."):
            raise TrinoOnly.INLINE_FUNCTION.refusal(self.position)
        is_recursive = self.take("RECURSIVE")
        queries = [self._named_query()]
        while self.take(","):
            queries.append(self._named_query())
        return qs.With(start, tuple(queries), is_recursive)

    def _named_query(self) -> qs.WithQuery:
        start = self.position
        name = self.identifier()
        columns = self.identifiers() if self.at("(") else None
        self.expect("AS")
        return qs.WithQuery(start, name, self.parenthesized_query(), columns)

    def _query_no_with(self, start: Position, with_: qs.With | None) -> qs.Query:
        body = self._union()
        order_by = self.sort_items() if self.take("ORDER", "BY") else ()
        offset = None
        if self.at("OFFSET"):
            offset = self._clause_count()
            self.take_any("ROW", "ROWS")
        limit: qs.RowCount | None
        if self.at("FETCH"):
            limit, with_ties = self._fetch()
            return qs.Query(start, body, with_, order_by, offset, limit, True, with_ties)
        limit = self._limit() if self.at("LIMIT") else None
        return qs.Query(start, body, with_, order_by, offset, limit)

    def _limit(self) -> qs.RowCount:
        start = self.position
        if self.take("LIMIT", "ALL"):
            return qs.RowCount(start, None)
        return self._clause_count()

    def _clause_count(self) -> qs.RowCount:
        """The clause's word and its count; the position is the word's."""
        start = self.position
        self.advance()
        return qs.RowCount(start, self._row_count().value)

    def _row_count(self) -> qs.RowCount:
        start = self.position
        if self.take("?"):
            return qs.RowCount(start, syntax.Parameter(start, self.next_parameter()))
        if self.token.kind is not Kind.INTEGER:
            self.mismatched("'?'", "<integer>")
        return qs.RowCount(start, self.integer())

    def _fetch(self) -> tuple[qs.RowCount, bool]:
        start = self.position
        self.expect("FETCH")
        if self.take_any("FIRST", "NEXT") is None:
            self.mismatched("'FIRST'", "'NEXT'")
        is_counted = not self.at("ROW") and not self.at("ROWS")
        count = qs.RowCount(start, self._row_count().value if is_counted else 1)
        if self.take_any("ROW", "ROWS") is None:
            self.mismatched("'ROW'", "'ROWS'")
        if self.take("ONLY"):
            return count, False
        self.expect("WITH", "TIES")
        return count, True

    # Bodies.

    def _union(self) -> qs.QueryBody:
        left = self._intersect()
        for _ in range(CHAIN_MAX):
            start = self.position
            operator = self.take_any("UNION", "EXCEPT")
            if operator is None:
                return left
            is_all = self._set_quantifier()
            left = qs.SetOperation(start, operator, is_all, left, self._intersect())
        raise self.too_deep()

    def _intersect(self) -> qs.QueryBody:
        left = self._query_primary()
        for _ in range(CHAIN_MAX):
            start = self.position
            if not self.take("INTERSECT"):
                return left
            is_all = self._set_quantifier()
            left = qs.SetOperation(start, "INTERSECT", is_all, left, self._query_primary())
        raise self.too_deep()

    def _set_quantifier(self) -> bool:
        return self.take_any("DISTINCT", "ALL") == "ALL"

    def _query_primary(self) -> qs.QueryBody:
        start = self.position
        if self.take("("):
            self.enter()
            query = self._query_no_with(self.position, None)
            self.leave()
            self.expect(")")
            return qs.TableSubquery(start, query)
        place = self.mark()
        known = self._bodies.get(place)
        if known is None:
            body = self._simple_body(start)
            self._bodies[place] = body, self.mark(), self._parameters
            return body
        self.rewind(known[1])
        self._parameters = known[2]
        return known[0]

    def _simple_body(self, start: Position) -> qs.QueryBody:
        if self.at("SELECT"):
            return self._select()
        if self.take("TABLE"):
            return qs.Table(start, self.qualified_name())
        if self.take("VALUES"):
            return qs.Values(start, self.expressions())
        raise self.mismatch("'('", "'SELECT'", "'TABLE'", "'VALUES'")

    def _select(self) -> qs.QuerySpecification:
        start = self.position
        self.expect("SELECT")
        is_distinct = self.take("DISTINCT")
        if not is_distinct and self.at("ALL") and not self._all_is_a_name():
            self.advance()
        items = [self._select_item()]
        while self.take(","):
            items.append(self._select_item())
        source = self._from() if self.take("FROM") else None
        where = self.expression() if self.take("WHERE") else None
        group_by = self._group_by() if self.at("GROUP") else None
        having = self.expression() if self.take("HAVING") else None
        windows = self._windows() if self._at_windows() else ()
        return qs.QuerySpecification(
            start, tuple(items), is_distinct, source, where, group_by, having, windows
        )

    def _all_is_a_name(self) -> bool:
        following = self.peek()
        return following.kind is Kind.END or following.key in _AFTER_NAME

    def _select_item(self) -> qs.SelectItem:
        start = self.position
        if self.take("*"):
            return qs.AllColumns(start)
        value = self.expression()
        if self.at(".", "*"):
            self._check_primary(value)
            self.advance()
            self.advance()
            aliases = self.identifiers() if self.take("AS") else ()
            return qs.AllColumns(start, value, aliases)
        return qs.SingleColumn(start, value, self._alias())

    def _check_primary(self, value: Expression) -> None:
        is_parenthesized = self.previous().key == ")"
        if not is_parenthesized and not isinstance(value, _BEFORE_STAR):
            self.mismatched()

    def _alias(self) -> Identifier | None:
        if self.take("AS"):
            return self.identifier()
        if self.at_identifier() and not self._at_clause():
            return self.identifier()
        return None

    def _at_clause(self) -> bool:
        """Whether the identifier that comes opens a clause rather than being an alias."""
        key, following = self.key, self.peek()
        if key in ("LIMIT", "OFFSET"):
            is_count = following.kind is Kind.INTEGER or following.key == "?"
            return is_count or (key == "LIMIT" and following.key == "ALL")
        if key == "FETCH":
            return following.key in ("FIRST", "NEXT")
        if key == "WINDOW":
            return self._at_windows()
        if key == "TABLESAMPLE":
            return following.key in _SAMPLE_METHODS
        return key == "MATCH_RECOGNIZE" and following.key == "("

    def _at_windows(self) -> bool:
        return self.at("WINDOW") and self.at_identifier(1) and self.peek(2).key == "AS"

    def _windows(self) -> tuple[qs.WindowDefinition, ...]:
        self.expect("WINDOW")
        windows = [self._window()]
        while self.take(","):
            windows.append(self._window())
        return tuple(windows)

    def _window(self) -> qs.WindowDefinition:
        start = self.position
        name = self.identifier()
        self.expect("AS", "(")
        window = self.window_specification()
        self.expect(")")
        return qs.WindowDefinition(start, name, window)

    # GROUP BY.

    def _group_by(self) -> qs.GroupBy:
        start = self.position
        self.expect("GROUP", "BY")
        if self.take("AUTO"):
            return qs.GroupBy(start, (), is_auto=True)
        is_distinct = self.take("DISTINCT")
        if not is_distinct and self.at("ALL") and not self._all_is_a_name():
            self.advance()
        elements = [self._grouping_element()]
        while self.take(","):
            elements.append(self._grouping_element())
        return qs.GroupBy(start, tuple(elements), is_distinct)

    def _grouping_element(self) -> qs.GroupingElement:
        start = self.position
        if self.key in ("ROLLUP", "CUBE"):
            kind = self.advance().key
            self.expect("(")
            sets = () if self.at(")") else self._grouping_sets()
            self.expect(")")
            return qs.GroupingElement(start, kind, sets)
        if self.at("GROUPING", "SETS"):
            self.expect("GROUPING", "SETS", "(")
            sets = self._grouping_sets()
            self.expect(")")
            return qs.GroupingElement(start, "GROUPING SETS", sets)
        return qs.GroupingElement(start, "SIMPLE", (self._grouping_set(),))

    def _grouping_sets(self) -> tuple[tuple[Expression, ...], ...]:
        sets = [self._grouping_set()]
        while self.take(","):
            sets.append(self._grouping_set())
        return tuple(sets)

    def _grouping_set(self) -> tuple[Expression, ...]:
        if self.at("(", ")") and self.peek(2).key != "->":
            self.expect("(", ")")
            return ()
        is_parenthesized = self.at("(")
        value = self.expression()
        if is_parenthesized and isinstance(value, syntax.RowConstructor):
            return value.items
        return (value,)

    # FROM.

    def _from(self) -> qs.Relation:
        start = self.position
        source = self.relation()
        for _ in range(CHAIN_MAX):
            if not self.take(","):
                return source
            right = self.relation()
            source = qs.Join(start, "CROSS", source, right, is_implicit=True)
        raise self.too_deep()

    def relation(self) -> qs.Relation:
        """A relation with the joins that follow it."""
        self.enter()
        try:
            start = self.position
            left = self._sampled()
            for _ in range(CHAIN_MAX):
                joined = self._join(start, left)
                if joined is None:
                    return left
                left = joined
        finally:
            self.leave()
        raise self.too_deep()

    def _join(self, start: Position, left: qs.Relation) -> qs.Relation | None:
        if self.take("CROSS"):
            self.expect("JOIN")
            return qs.Join(start, "CROSS", left, self._sampled())
        if self.take("NATURAL"):
            kind = self._join_kind()
            self.expect("JOIN")
            return qs.Join(start, kind, left, self._sampled(), is_natural=True)
        if not self.at("JOIN") and self.key not in _JOIN_KINDS:
            return None
        kind = self._join_kind()
        self.expect("JOIN")
        right = self.relation()
        if self.take("ON"):
            return qs.Join(start, kind, left, right, condition=self.expression())
        if self.take("USING"):
            return qs.Join(start, kind, left, right, using=self.identifiers())
        raise self.mismatch("'ON'", "'USING'")

    def _join_kind(self) -> str:
        kind = self.take_any(*_JOIN_KINDS)
        if kind is not None and kind != "INNER":
            self.take("OUTER")
        return kind or "INNER"

    def _sampled(self) -> qs.Relation:
        start = self.position
        relation = self._aliased()
        if not self.take("TABLESAMPLE"):
            return relation
        method = self.take_any(*_SAMPLE_METHODS)
        if method is None:
            self.mismatched("'BERNOULLI'", "'SYSTEM'")
        self.expect("(")
        percentage = self.expression()
        self.expect(")")
        return qs.SampledRelation(start, relation, method, percentage)

    def _aliased(self) -> qs.Relation:
        start = self.position
        relation = self._relation_primary()
        if self.at("MATCH_RECOGNIZE", "("):
            raise TrinoOnly.MATCH_RECOGNIZE.refusal(self.position)
        alias = self._alias()
        if alias is None:
            return relation
        columns = self.identifiers() if self.at("(") else None
        if self.at("MATCH_RECOGNIZE", "("):
            raise TrinoOnly.MATCH_RECOGNIZE.refusal(self.position)
        return qs.AliasedRelation(start, relation, alias, columns)

    def _relation_primary(self) -> qs.Relation:
        start = self.position
        if self.at("("):
            return self._parenthesized_relation(start)
        if self.at("UNNEST"):
            return self._unnest(start)
        if self.at("LATERAL", "("):
            self.advance()
            return qs.Lateral(start, self.parenthesized_query())
        if self.at("TABLE", "("):
            return self._table_function(start)
        if self.at("JSON_TABLE"):
            raise TrinoOnly.JSON_TABLE.refusal(self.position)
        name = self.qualified_name()
        period = self._period() if self.at("FOR") else None
        return qs.Table(start, name, period)

    def _period(self) -> qs.QueryPeriod:
        start = self.position
        self.expect("FOR")
        word = self.take_any(*_PERIODS)
        if word is None:
            self.mismatched("'TIMESTAMP'", "'VERSION'")
        self.expect("AS", "OF")
        return qs.QueryPeriod(start, _PERIODS[word], self.value_expression())

    def _parenthesized_relation(self, start: Position) -> qs.Relation:
        if not self.at("(", "TABLE", "("):
            query = self.try_parenthesized_query()
            if query is not None:
                return qs.TableSubquery(start, query)
        self.expect("(")
        relation = self.relation()
        self.expect(")")
        return relation

    def _unnest(self, start: Position) -> qs.Relation:
        self.expect("UNNEST", "(")
        arguments = self.expressions()
        self.expect(")")
        return qs.Unnest(start, arguments, self.take("WITH", "ORDINALITY"))

    def _table_function(self, start: Position) -> qs.Relation:
        self.expect("TABLE", "(")
        name = self.qualified_name()
        self.expect("(")
        arguments = []
        if not self.at(")"):
            arguments.append(self._table_function_argument())
            while self.take(","):
                arguments.append(self._table_function_argument())
        self.expect(")")
        self.expect(")")
        return qs.TableFunctionCall(start, name, tuple(arguments))

    def _table_function_argument(
        self,
    ) -> tuple[Identifier | None, Expression | qs.TableArgument | qs.Descriptor]:
        name = None
        if self.at_identifier() and self.peek().key == "=>":
            name = self.identifier()
            self.advance()
        start = self.position
        if self.at("DESCRIPTOR", "("):
            self.advance()
            return name, qs.Descriptor(start, self.identifiers())
        if self.at("TABLE", "("):
            return name, self._table_argument(start)
        return name, self.expression()

    def _table_argument(self, start: Position) -> qs.TableArgument:
        self.advance()
        query = self.try_parenthesized_query()
        if query is not None:
            return qs.TableArgument(start, qs.TableSubquery(start, query))
        self.expect("(")
        table = qs.Table(self.position, self.qualified_name())
        self.expect(")")
        return qs.TableArgument(start, table)


_BEFORE_STAR: Final = (
    *(syntax.Identifier, syntax.Dereference, syntax.Subscript, syntax.FunctionCall),
    *(syntax.Cast, syntax.RowConstructor, syntax.SubqueryExpression, syntax.If),
    *(syntax.Coalesce, syntax.NullIf, syntax.Try, syntax.Case, syntax.ArrayConstructor),
)
