"""What Hive describes is padded as Athena pads it; other results are not touched."""

from __future__ import annotations

import pytest

from querysvc.model import ResultColumn
from querysvc.results.hive_layout import Cells, hive_row
from querysvc.types.algebra import VARCHAR


@pytest.mark.parametrize(
    ("names", "row", "expected"),
    [
        (
            ("col_name", "data_type", "comment"),
            ("id", "bigint", None),
            ("id                  \tbigint              \t                    ",),
        ),
        (
            ("col_name", "data_type", "comment"),
            ("a_name_of_more_than_twenty", "int", "x"),
            ("a_name_of_more_than_twenty\tint                 \tx                   ",),
        ),
        (("field",), ("id",), ("id                  ",)),
        (("tab_name",), ("t",), ("t",)),
        (("prpt_name", "prpt_value"), ("a", "b"), ("a", "b")),
    ],
)
def test_rows_are_laid_out_as_athena_does(
    names: tuple[str, ...], row: Cells, expected: Cells
) -> None:
    assert hive_row([ResultColumn(name, VARCHAR) for name in names], row) == expected
