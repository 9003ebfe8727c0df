"""What S3 does wrong when objects are asked for by HEAD: the right answer or an error by name."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from tests.support.fault_proxy import Fault, Rule

DELETED = 404
FAULTS = (
    *((Fault.STATUS, status) for status in (DELETED, 429, 500, 502, 503)),
    *((fault, 503) for fault in (Fault.RESET, Fault.STALL_HEAD, Fault.WRONG_ETAG)),
)
QUICK: dict[str, Any] = {
    "backoff_seconds": 0.01,
    "backoff_seconds_max": 0.02,
    "stall_timeout_seconds": 0.3,
    "connect_timeout_seconds": 1.0,
    "attempts_max": 3,
}


@pytest.mark.parametrize(
    ("fault", "times"), [(fault, times) for fault, times in itertools.product(FAULTS, (1, None))]
)
def test_a_head_is_right_or_a_named_error(
    s3_server: Any,
    bucket: str,
    proxy: Any,
    open_storage: Any,
    fault: tuple[Fault, int],
    times: int | None,
) -> None:
    kind, status = fault
    stored = [s3_server.put(bucket, f"k{number}", b"data") for number in range(3)]
    configuration = s3_server.configuration(endpoint_url=proxy.url, **QUICK)
    storage = open_storage(configuration)
    proxy.add(Rule(kind, times, status, b"", matches=lambda method, _: method == "HEAD"))
    is_another = kind is Fault.WRONG_ETAG or status == DELETED
    if times is not None and not is_another:
        heads = storage.client.heads(stored)
        assert [head.etag for head in heads] == [one.etag for one in stored]
        return
    with pytest.raises(QueryServiceError) as caught:
        storage.client.heads(stored)
    proxy.released.set()
    expected = ErrorCode.OBJECT_CHANGED if is_another else ErrorCode.STORAGE_UNAVAILABLE
    assert caught.value.code is expected
