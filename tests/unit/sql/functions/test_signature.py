import pytest

from querysvc.sql.functions.calculation import parse_calculation
from querysvc.sql.functions.pattern import PatternKind, parse_pattern
from querysvc.sql.functions.registry import ALL_FAMILIES, OPERATORS, load_registry
from querysvc.sql.functions.signature import (
    FunctionKind,
    Signature,
    names_of_line,
    parse_signature,
)
from querysvc.types.algebra import INTEGER, VARCHAR, Decimal, Row, RowField


def scalar(line: str) -> Signature:
    return parse_signature(line, FunctionKind.SCALAR)


def test_a_line_gives_every_part_of_a_signature() -> None:
    line = (
        "f<T:orderable, K:comparable>(array(T), K?, varchar(x)...) -> varchar(u)? "
        "where u = min(9, x + 1) !alias=g,h !nondeterministic !hidden -- What f - does"
    )
    signature = scalar(line)
    assert signature.key == "f(array(T),K,varchar(x)...)"
    assert [str(variable) for variable in signature.type_variables] == [
        "T:orderable",
        "K:comparable",
    ]
    assert [pattern.text for pattern in signature.arguments] == ["array(T)", "K", "varchar(x)"]
    assert [signature.accepts_null(index) for index in range(5)] == [False, True] + [False] * 3
    assert (signature.is_variadic, signature.is_result_nullable) == (True, True)
    assert (signature.is_deterministic, signature.is_hidden) == (False, True)
    assert signature.aliases == ("g", "h")
    assert signature.description == "What f - does"
    assert names_of_line(line) == ("f", "g", "h")


def test_operators_named_by_comparison_signs_keep_their_names() -> None:
    less = scalar("<<T:orderable>(T, T) -> boolean")
    assert (less.name, less.key, str(less.type_variables[0])) == ("<", "<(T,T)", "T:orderable")
    assert names_of_line("<=<T:orderable>(T, T) -> boolean") == ("<=",)


def test_a_function_without_arguments_has_an_empty_list_of_them() -> None:
    signature = scalar("now() -> timestamp(3) with time zone")
    assert (signature.key, signature.arguments) == ("now()", ())
    assert signature.expanded(0) == ()
    assert signature.expanded(1) is None


def test_a_variadic_signature_takes_its_last_argument_any_number_of_times() -> None:
    signature = scalar("concat_ws(varchar, bigint...) -> varchar")
    counts = {n: signature.expanded(n) for n in range(5)}
    assert counts[0] is None
    assert [pattern.text for pattern in counts[1] or ()] == ["varchar"]
    assert [pattern.text for pattern in counts[4] or ()] == ["varchar"] + ["bigint"] * 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("T", PatternKind.VARIABLE),
        ("bigint", PatternKind.GROUND),
        ("varchar(3)", PatternKind.GROUND),
        ("decimal(p,s)", PatternKind.SIZED),
        ("timestamp(p) with time zone", PatternKind.SIZED),
        ("interval day to second", PatternKind.GROUND),
        ("array(bigint)", PatternKind.GROUND),
        ("map(t,array(bigint))", PatternKind.NESTED),
        ("function(T,boolean)", PatternKind.FUNCTION),
    ],
)
def test_a_pattern_knows_how_it_binds(text: str, kind: PatternKind) -> None:
    assert parse_pattern(text, frozenset({"t"})).kind is kind


def test_a_pattern_binds_to_a_type() -> None:
    pattern = parse_pattern('array(row("x" T,"y" decimal(p,2)))', frozenset({"t"}))
    bound = pattern.bind({"t": INTEGER}, {"p": 5})
    row = Row((RowField("x", INTEGER), RowField("y", Decimal(5, 2))))
    assert bound.children == (row,)
    assert parse_pattern("varchar(x)", frozenset()).bind({}, {"x": 2147483647}) == VARCHAR


def test_an_unknown_type_in_a_table_is_a_bug() -> None:
    with pytest.raises(ValueError, match="unknown type: strnig"):
        parse_pattern("strnig", frozenset())


def test_formulas_are_computed() -> None:
    values = {"a_p": 10, "b_s": 3, "x": 7}
    assert parse_calculation("min(38, A_p + b_s + max(b_s - x, 0))")(values) == 13
    assert parse_calculation("x * 3 / 2")(values) == 10
    assert parse_calculation("0")({}) == 0


@pytest.mark.parametrize("text", ["open('f')", "x ** 2", "x.real", "'a'"])
def test_a_formula_is_arithmetic_only(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_calculation(text)({"x": 1, "f": 1})


def _all_signatures() -> list[Signature]:
    registry = load_registry((*ALL_FAMILIES, OPERATORS))
    return list(dict.fromkeys(s for name in registry.lines for s in registry.overloads(name)))


def test_keys_are_unique_among_all_calls_and_operators() -> None:
    keys = [s.key for s in _all_signatures() if s.kind is not FunctionKind.TABLE]
    assert len(keys) == len(set(keys))
    assert len(keys) > 830
    assert {"abs(decimal(p,s))", "concat(array(E)...)", "[](array(E),bigint)"} <= set(keys)


def test_every_variable_of_a_result_is_bound_by_an_argument_or_a_formula() -> None:
    for signature in _all_signatures():
        bound = {variable.name.lower() for variable in signature.long_variables}
        bound = bound.union(*(pattern.variables for pattern in signature.arguments))
        # A current timestamp's precision comes from its special form, not from an argument.
        if not signature.name.startswith("$"):
            assert signature.result.variables <= bound, signature.key


def test_the_names_of_a_signature_share_it() -> None:
    registry = load_registry(ALL_FAMILIES)
    assert registry.overloads("rand") == registry.overloads("RANDOM")
    assert registry.overloads("rand")[0].aliases == ("rand",)
