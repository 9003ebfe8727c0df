"""docs/compatibility.md tells what the tables decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from querysvc.errors import ErrorCode
from tests.support.catalog_world import World
from tests.support.compatibility_page import page
from tests.support.statement_reference import OTHERS, UNSUPPORTED, ReferenceStatement, refusal

DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"


def test_the_page_is_current() -> None:
    assert DOCUMENT.read_text() == page(), "python -m tests.support.compatibility_page > " + str(
        DOCUMENT.relative_to(DOCUMENT.parents[1])
    )


@pytest.mark.parametrize("statement", [*UNSUPPORTED, *OTHERS], ids=lambda one: one.title)
def test_what_athena_does_not_support_is_refused_by_its_name(statement: ReferenceStatement) -> None:
    refused = refusal(statement.example)
    assert refused is not None
    assert refused.code is ErrorCode.NOT_SUPPORTED
    assert statement.title in refused.message


def test_a_table_may_be_named_as_what_describe_tells_of() -> None:
    world = World()
    world.run("CREATE EXTERNAL TABLE `database` (a int) STORED AS ORC LOCATION 's3://b/d/'")
    assert world.column("DESCRIBE database") == ["a"]
