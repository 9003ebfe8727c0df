"""The service keeps to its OpenAPI document, whatever it is asked (schemathesis, fixed seed)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server

EXAMPLES = 8
NOT_HELD = (
    # A document cannot say which statement, location or page token is one.
    "positive_data_acceptance",
    # A cancelled query can still be looked up.
    "use_after_free",
)

load_all_checks()
_NAMED = zip(CHECKS.get_all_names(), CHECKS.get_all(), strict=True)
HELD = [check for name, check in _NAMED if name not in NOT_HELD]


@pytest.fixture(scope="module")
def key(guarded: RunningService) -> str:
    made = guarded.cli(
        *("keys", "create", "--principal", "root", "--role", "admin"),
        *("--state-dir", str(guarded.state_dir)),
    )
    return made.stdout.decode().strip()


@pytest.fixture(scope="module")
def guarded(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(s3.url, tmp_path_factory.mktemp("openapi"), auth="keys") as running:
        yield running


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_tells(
    guarded: RunningService, key: str, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_url(f"{guarded.url}/openapi.json")
    headers = {"Authorization": f"Bearer {key}"}
    failures = []
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            case.call_and_validate(headers=headers, checks=HELD)

        try:
            with suppress(Unsatisfiable):  # what takes nothing cannot be given anything wrong
                ask()
        except FailureGroup as failure:
            failures.append(f"{operation.label}: {[str(one) for one in failure.exceptions]}")
    assert not failures, "\n\n".join(failures)
