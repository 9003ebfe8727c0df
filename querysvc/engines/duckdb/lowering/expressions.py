"""Lowering of scalar expressions, by node type."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal as DecimalValue
from operator import add, mul, sub
from typing import Final

from querysvc.engines.duckdb.functions.catalog import scalar_entry
from querysvc.engines.duckdb.functions.fine_timestamps import apply_fine, is_fine_call
from querysvc.engines.duckdb.functions.registry import CallSite, apply_scalar
from querysvc.engines.duckdb.lowering.attempts import attempt
from querysvc.engines.duckdb.lowering.casts.convert import convert, try_convert
from querysvc.engines.duckdb.lowering.comparisons import compare, equal
from querysvc.engines.duckdb.lowering.context import Context, Handler
from querysvc.engines.duckdb.lowering.fragments import (
    FAILURE_MARK,
    FALSE,
    NULL,
    TRUE,
    Sql,
    array,
    bind,
    case,
    cast,
    field,
    identifier,
    is_untyped,
    lambda_,
    operation,
    struct,
    typed_null,
)
from querysvc.engines.duckdb.lowering.like import like
from querysvc.engines.duckdb.lowering.literals import literal
from querysvc.engines.duckdb.lowering.total import is_total
from querysvc.engines.duckdb.lowering.types import contains, contains_type, storage_type
from querysvc.tree import (
    ArrayConstructor,
    Between,
    Call,
    Case,
    Cast,
    Coalesce,
    ColumnReference,
    Dereference,
    Expression,
    InList,
    InSubquery,
    IsNull,
    JsonFunction,
    Lambda,
    LambdaReference,
    Like,
    Literal,
    Logical,
    LogicalOperator,
    Not,
    NullIf,
    RowConstructor,
    Try,
)
from querysvc.types.algebra import (
    DOUBLE,
    INTEGER_TYPES,
    REAL,
    Array,
    Decimal,
    Map,
    Row,
    TrinoType,
)

# What may fail at run time, or is dear: such a term must not run when an earlier one decides.
_INTEGER_ARITHMETIC: Final = {"+": add, "-": sub, "*": mul}
_MAY_FAIL: Final = re.compile(
    r"\[NULL\]\[CAST\(|" + re.escape(FAILURE_MARK) + r'|"py_|//|[-+*] |CAST\("|"m_|AS DECIMAL'
)
# Only literals are written so, and only in types that hold them; a varchar's cast names VARCHAR.
_DECIMAL_CONSTANT: Final = re.compile(r"CAST\('-?[0-9.]+' AS DECIMAL\(\d+,\d+\)\)")
_EXACT_INTEGERS: Final[Mapping[TrinoType, int]] = {DOUBLE: 2**53, REAL: 2**24}
_VOLATILE: Final = re.compile(r"random\(|uuid\(")
_READS: Final = re.compile(r'"[rlg]\d+"|\(SELECT ')


def _literal(_context: Context, node: Literal) -> Sql:
    return literal(node.value, node.type)


def _column(_context: Context, node: ColumnReference) -> Sql:
    return identifier(f"r{node.relation}", f"c{node.field}")


def _lambda_reference(_context: Context, node: LambdaReference) -> Sql:
    return identifier(f"l{node.parameter}")


def _lambda(context: Context, node: Lambda) -> Sql:
    names = [f"l{parameter}" for parameter, _ in node.parameters]
    return lambda_(names, context.lower(node.body))


def _call(context: Context, node: Call) -> Sql:
    constant = _computed(node)
    if isinstance(constant, Literal):
        return context.lower(constant)
    site = CallSite(
        name=node.name,
        key=node.key,
        arguments=context.lower_all(node.arguments),
        nodes=node.arguments,
        type=node.type,
        context=context,
    )
    apply = apply_fine if is_fine_call(site) else apply_scalar
    result = apply(scalar_entry(node.name, node.key), site)
    return cast(result, site.result_type) if is_untyped(result) else result


def _cast(context: Context, node: Cast) -> Sql:
    folded = _folded(node)
    if folded is not None:
        return folded
    value = context.lower(node.value)
    source = node.value.type
    if node.is_try:
        return try_convert(context, value, source, node.type)
    return convert(context, value, source, node.type)


def _computed(node: Expression) -> Expression:
    """Integer constants' sum, difference or product as a constant, where it does not overflow.

    It cannot fail then, so that it keeps no OR from being split into the condition of a join.
    """
    if not isinstance(node, Call) or node.name not in _INTEGER_ARITHMETIC:
        return node
    if node.type not in INTEGER_TYPES or len(node.arguments) != 2:
        return node
    first, second = map(_computed, node.arguments)
    if not (isinstance(first, Literal) and isinstance(second, Literal)):
        return node
    if not (isinstance(first.value, int) and isinstance(second.value, int)):
        return node
    if {first.type, second.type} != {node.type}:
        return node
    value = _INTEGER_ARITHMETIC[node.name](first.value, second.value)
    limit = 1 << ((8 << INTEGER_TYPES.index(node.type)) - 1)
    return Literal(value=value, type=node.type) if -limit <= value < limit else node


def _folded(node: Cast) -> Sql | None:
    """A number's constant in a wider number's type: it is compared with bare columns."""
    inner, target = _computed(node.value), node.type
    if not isinstance(inner, Literal) or inner.value is None:
        return None
    value = inner.value
    if isinstance(value, DecimalValue) and target.is_floating:
        return Sql(f"CAST('{value:f}' AS {storage_type(target)})")
    if inner.type not in INTEGER_TYPES:
        return None
    assert isinstance(value, int)
    if target in INTEGER_TYPES:
        is_wider = INTEGER_TYPES.index(target) >= INTEGER_TYPES.index(inner.type)
        return literal(value, target) if is_wider else None
    if abs(value) < _EXACT_INTEGERS.get(target, 0):
        return literal(float(value), target)
    if isinstance(target, Decimal) and len(str(abs(value))) <= target.precision - target.scale:
        return Sql(f"CAST('{value}' AS {storage_type(target)})")
    return None


def _not(context: Context, node: Not) -> Sql:
    return Sql(f"(NOT {context.lower(node.value)})")


def _logical(context: Context, node: Logical) -> Sql:
    """AND and OR: where a later term may fail, it runs only if the earlier ones leave it open.

    DuckDB evaluates every term of a projected AND for every row, Trino stops at the first FALSE.
    """
    decisive = node.operator is LogicalOperator.OR
    if any(isinstance(one, Literal) and one.value is decisive for one in node.terms):
        return TRUE if decisive else FALSE  # whatever the others are, or fail with
    terms = context.lower_all(node.terms)
    plain = operation(node.operator.value, *terms)
    if not any(map(may_fail, node.terms[1:], terms[1:])):
        return plain
    return _short_circuit(node.operator, list(terms))


def may_fail(node: Expression, lowered: Sql) -> bool:
    """Whether the expression may fail at run time, or is dear."""
    return not is_total(node) and bool(_MAY_FAIL.search(_DECIMAL_CONSTANT.sub("0", lowered)))


def _short_circuit(operator: LogicalOperator, terms: list[Sql]) -> Sql:
    decisive, template = (FALSE, "(NOT {})") if operator is LogicalOperator.AND else (TRUE, "{}")

    def body(first: Sql) -> Sql:
        rest = terms[1:]
        remaining = rest[0] if len(rest) == 1 else _short_circuit(operator, rest)
        return case(
            [(Sql(template.format(first)), decisive)], operation(operator.value, first, remaining)
        )

    return bind([terms[0]], body)


def filter_terms(context: Context, node: Expression) -> list[Sql]:
    """The conjuncts of a filter, bare: DuckDB filters by one after the other, in order."""
    if isinstance(node, Logical) and node.operator is LogicalOperator.AND:
        return [sql for term in node.terms for sql in filter_terms(context, term)]
    terms = [context.lower(node)]
    if isinstance(node, InSubquery):
        type_ = node.value.type
        if contains(type_, Array, Row, Map) or contains_type(type_, DOUBLE, REAL):
            # As a filter, Trino joins: by `=`, by which NaN and what holds NULL equal nothing.
            value = context.lower(node.value)
            terms.append(equal(value, value, type_))
    return terms


def _is_null(context: Context, node: IsNull) -> Sql:
    return operation("IS", context.lower(node.value), NULL)


def _between(context: Context, node: Between) -> Sql:
    type_ = node.value.type

    def body(value: Sql) -> Sql:
        low = compare(">=", value, context.lower(node.low), type_)
        high = compare("<=", value, context.lower(node.high), type_)
        return operation("AND", low, high)

    return bind([context.lower(node.value)], body)


def _in_list(context: Context, node: InList) -> Sql:
    type_ = node.value.type
    items = context.lower_all(node.items)
    is_plain = not type_.children and not type_.is_floating and storage_type(type_)[:6] != "STRUCT"
    if is_plain or (type_.is_floating and all(isinstance(item, Literal) for item in node.items)):
        return Sql(f"({context.lower(node.value)} IN ({', '.join(items)}))")

    value = context.lower(node.value)
    is_itself = value in items and _is_same_each_row(value)
    if type_.is_floating and is_itself and _cannot_fail(node.items):
        # Trino finds a value among itself without a comparison, so NaN too.
        return case([(Sql(f"({value} IS NOT NULL)"), TRUE)], typed_null("BOOLEAN"))

    def body(value: Sql) -> Sql:
        terms = [equal(value, item, type_) for item in items]
        return operation("OR", *terms) if len(terms) > 1 else terms[0]

    return bind([value], body)


def _cannot_fail(items: tuple[Expression, ...]) -> bool:
    """Whether the items are columns and constants."""
    return all(
        isinstance(item, ColumnReference | Literal)
        or (isinstance(item, Call) and not item.arguments)
        or (isinstance(item, Cast) and _cannot_fail((item.value,)))
        for item in items
    )


def _like(context: Context, node: Like) -> Sql:
    return like(context, node)


def _case(context: Context, node: Case) -> Sql:
    default = (
        typed_null(storage_type(node.type)) if node.default is None else context.lower(node.default)
    )
    if node.operand is None:
        branches = [(context.lower(when), context.lower(then)) for when, then in node.branches]
        return case(branches, default)
    operand, lowered = node.operand, context.lower(node.operand)
    branches = []
    for when, then in node.branches:
        condition, result = context.lower(when), context.lower(then)
        if condition == lowered and _is_same_each_row(lowered):
            # Trino takes an operand for equal to itself, without a look at NULL and NaN.
            default = result
            break
        branches.append((condition, result))
    if not branches:
        return default

    def body(value: Sql) -> Sql:
        return case([(equal(value, when, operand.type), then) for when, then in branches], default)

    return bind([lowered], body)


def _is_same_each_row(value: Sql) -> bool:
    """Whether the fragment reads something, and is the same when it is evaluated again.

    What reads nothing is a constant, which Trino has computed before it compares.
    """
    return _READS.search(value) is not None and _VOLATILE.search(value) is None


def _coalesce(context: Context, node: Coalesce) -> Sql:
    """A later value that may fail stands in CASE: DuckDB takes repeated ones out of coalesce()."""
    values = context.lower_all(node.arguments)
    if any(map(may_fail, node.arguments[1:], values[1:])):
        return _first_known(list(values))
    return Sql(f"coalesce({', '.join(values)})")


def _first_known(values: list[Sql]) -> Sql:
    def body(first: Sql) -> Sql:
        return case([(Sql(f"({first} IS NOT NULL)"), first)], _first_known(values[1:]))

    return bind(values[:1], body) if len(values) > 1 else values[0]


def _null_if(context: Context, node: NullIf) -> Sql:
    first_type, type_ = node.first.type, node.comparison_type
    second = convert(context, context.lower(node.second), node.second.type, type_)

    def body(first: Sql) -> Sql:
        same = equal(convert(context, first, first_type, type_), second, type_)
        return case([(same, typed_null(storage_type(node.type)))], first)

    return bind([context.lower(node.first)], body)


def _try(context: Context, node: Try) -> Sql:
    """TRY, with subqueries moved out: DuckDB's TRY takes neither them nor volatile functions."""
    if isinstance(node.value, ColumnReference | Literal):
        return context.lower(node.value)
    if isinstance(node.value, Cast):  # a failing cast is NULL at once: nothing has to be caught
        inside = Try(type=node.value.value.type, value=node.value.value)
        return context.lower(replace(node.value, value=inside, is_try=True))
    hoisted: list[Sql] = []
    name = f"t{hashlib.blake2b(repr(node).encode(), digest_size=5).hexdigest()}"
    inner = replace(context, hoisted=hoisted, hoist_name=name).lower(node.value)
    if _VOLATILE.search(inner):
        inner = Sql(f"list_transform([0], {lambda_(['u'], inner)})[1]")
    tried = attempt(context, inner)
    if not hoisted:
        return tried
    values = struct([(f"v{i}", value) for i, value in enumerate(hoisted)])
    return Sql(f"list_transform([{values}], {lambda_([name], tried)})[1]")


def _row(context: Context, node: RowConstructor) -> Sql:
    return struct([(f"f{i}", context.lower(item)) for i, item in enumerate(node.items)])


def _array(context: Context, node: ArrayConstructor) -> Sql:
    items = array(context.lower_all(node.items))
    return items if node.items else cast(items, storage_type(node.type))


def _dereference(context: Context, node: Dereference) -> Sql:
    return field(context.lower(node.value), f"f{node.index}")


def _json_function(context: Context, node: JsonFunction) -> Sql:
    # The forms' module refers to the lowering: it is imported at first use.
    from querysvc.engines.duckdb.functions.json_forms import lower_json_function

    return lower_json_function(context, node)


HANDLERS: Final[Mapping[type[Expression], Handler]] = {
    Literal: _literal,
    ColumnReference: _column,
    LambdaReference: _lambda_reference,
    Lambda: _lambda,
    Call: _call,
    Cast: _cast,
    Not: _not,
    Logical: _logical,
    IsNull: _is_null,
    Between: _between,
    InList: _in_list,
    Like: _like,
    Case: _case,
    Coalesce: _coalesce,
    NullIf: _null_if,
    Try: _try,
    RowConstructor: _row,
    ArrayConstructor: _array,
    Dereference: _dereference,
    JsonFunction: _json_function,
}
