"""Asks a real service over REST, in the recorded answers' form: `conformance --service`."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from querysvc.client import ServiceError
from tests.support.answers import is_ordered
from tests.support.conformance_data import register, upload
from tests.support.running_service import running_service
from tests.support.s3 import versitygw

BUCKET = "tpch-tiny"


class ServiceEngine:
    """A running service over versitygw with TPC-H tiny as `awsdatacatalog.tiny`."""

    def __init__(self) -> None:
        with contextlib.ExitStack() as stack:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory("-conformance")))
            server = stack.enter_context(versitygw(root / "s3"))
            upload(server.client(), BUCKET)
            service = stack.enter_context(running_service(server.url, root / "state"))
            self._client = service.client
            register(self._client, BUCKET)
            self._stack = stack.pop_all()

    def ask(self, sql: str) -> dict[str, Any]:
        """The answer, or the error by name."""
        try:
            execution = self._client.run(sql, database="tiny")
            rows = list(self._client.rows(execution["id"]))
        except ServiceError as error:
            return {"error_name": error.code, "error_message": error.message}
        columns = execution["columns"] or []
        return {
            "columns": [column["name"] for column in columns],
            "types": [column["type"] for column in columns],
            "rows": rows,
            "ordered": is_ordered(sql),
        }

    def close(self) -> None:
        """End the service and its store."""
        self._stack.close()
