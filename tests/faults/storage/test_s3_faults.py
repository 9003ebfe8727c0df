"""A part of the matrix of S3's faults; `python -m benchmarks.s3_faults` runs all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from querysvc.errors import ErrorCode
from tests.support.fault_proxy import Fault
from tests.support.s3 import require_versitygw
from tests.support.s3_faults import DELETED, Case, Stack, cases, fault_stack

PART = cases()[::23]
"""Every format, place and kind of fault is in it."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require_versitygw()
    with fault_stack(tmp_path_factory.mktemp("faults")) as running:
        yield running


def test_the_matrix_is_large() -> None:
    assert len(set(cases())) >= 500


@pytest.mark.parametrize("case", PART, ids=str)
def test_the_answer_is_right_or_a_named_error(stack: Stack, case: Case) -> None:
    ended = stack.run(case)
    assert ended == "right" or ended in ErrorCode.__members__
    assert ended != ErrorCode.GENERIC_INTERNAL_ERROR.name
    is_another = case.fault is Fault.WRONG_ETAG or case.status == DELETED
    if is_another and case.place != "list":
        assert ended == ErrorCode.OBJECT_CHANGED.name, "another object is never mixed in"
    elif case.status == DELETED:
        assert ended != "right"
    elif case.fault is Fault.LOST_PAGE:
        assert ended == ErrorCode.STORAGE_UNAVAILABLE.name, "it is not asked for again"
    elif case.times == 1:
        assert ended == "right", "one fault is overcome"
