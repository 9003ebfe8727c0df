"""What only Trino runs is refused by the entry's name, at its place."""

import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.parser import parse
from querysvc.sql.trino_only import TrinoOnly

_EXAMPLES = {
    TrinoOnly.INLINE_FUNCTION: (
        "WITH FUNCTION f(x bigint) RETURNS bigint RETURN x + 1 SELECT f(1)",
        (1, 6),
    ),
    TrinoOnly.JSON_TABLE: (
        "SELECT * FROM JSON_TABLE('{}', 'lax $' COLUMNS(a varchar PATH 'lax $.a'))",
        (1, 15),
    ),
    TrinoOnly.MATCH_RECOGNIZE: (
        "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)",
        (1, 17),
    ),
    TrinoOnly.PATTERN_IN_WINDOW: (
        "SELECT sum(x) OVER (ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING PATTERN (A) DEFINE A AS 1)",
        (1, 62),
    ),
}


@pytest.mark.parametrize("construct", TrinoOnly)
def test_each_construct_is_refused_by_its_name_and_place(construct: TrinoOnly) -> None:
    sql, position = _EXAMPLES[construct]
    with pytest.raises(
        StatementError, match=f"{construct.construct[:10]}.* is not supported"
    ) as told:
        parse(sql)
    assert told.value.code is ErrorCode.NOT_SUPPORTED
    assert (told.value.line, told.value.column) == position
