"""A small synchronous client of the REST API; the CLI and the demo are built on it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Self

import httpx

JsonObject = dict[str, Any]  # wire JSON: what the REST API documents in its OpenAPI schema

TERMINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
POLL_SECONDS_MAX = 20.0


class ServiceError(Exception):
    """The service refused a request or a query failed: a problem document's code and detail."""

    def __init__(self, code: str, message: str, *, error_type: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.error_type = error_type
        self.status = status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class ServiceUnreachableError(Exception):
    """No service answers at the address."""


class Client:
    """Talks to one querysvc server; `api_key` is sent as a bearer token."""

    def __init__(
        self, server: str, *, api_key: str | None = None, timeout_seconds: float = 60.0
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.server = server.rstrip("/")
        self._http = httpx.Client(base_url=self.server, headers=headers, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, sql: str, *, wait_seconds: float = 0.0, **options: Any) -> JsonObject:
        """Submit a statement; with `wait_seconds` the answer may already be final.

        Options are the members of the API's QueryRequest: database, work_group, parameters, …
        """
        body = {"sql": sql, **{k: v for k, v in options.items() if v is not None}}
        return self._json("POST", "/v1/queries", params={"wait": wait_seconds}, json=body)

    def query(self, query_id: str, *, wait_seconds: float = 0.0) -> JsonObject:
        """The query execution with this id; with `wait_seconds` maybe final."""
        return self._json("GET", f"/v1/queries/{query_id}", params={"wait": wait_seconds})

    def wait(self, execution: JsonObject, *, poll_seconds: float = 0.1) -> Iterator[JsonObject]:
        """Yield the execution as it changes, the last one final."""
        while execution["state"] not in TERMINAL_STATES:
            yield execution
            time.sleep(poll_seconds)
            execution = self.query(execution["id"])
        yield execution

    def run(self, sql: str, **options: Any) -> JsonObject:
        """Submit, wait for the end and return the final execution; a failed one raises."""
        *_, final = self.wait(self.submit(sql, wait_seconds=POLL_SECONDS_MAX, **options))
        raise_if_failed(final)
        return final

    def rows(self, query_id: str, *, page_size: int = 10_000) -> Iterator[list[Any]]:
        """All result rows as JSON values, page by page."""
        token: str | None = None
        while True:
            params = {"max_rows": str(page_size)} | ({"page_token": token} if token else {})
            page = self._json("GET", f"/v1/queries/{query_id}/results", params=params)
            yield from page["rows"]
            token = page.get("next_page_token")
            if not token:
                return

    def stream(self, query_id: str, media_type: str) -> Iterator[bytes]:
        """The whole result in a media type: text/csv, application/x-ndjson, Arrow, Parquet."""
        url = f"/v1/queries/{query_id}/results"
        with self._send_stream("GET", url, headers={"Accept": media_type}) as response:
            yield from response.iter_bytes()

    def cancel(self, query_id: str) -> JsonObject:
        """Cancel a query; a final one stays as it is."""
        return self._json("DELETE", f"/v1/queries/{query_id}")

    def history(self, **filters: Any) -> JsonObject:
        """A page of query executions, newest first."""
        return self._json("GET", "/v1/queries", params={k: v for k, v in filters.items() if v})

    def get(self, path: str, **params: Any) -> JsonObject:
        """Any other resource of the API."""
        return self._json("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: JsonObject) -> JsonObject:
        """Any other action of the API."""
        return self._json("POST", path, json=body)

    def _json(self, method: str, url: str, **arguments: Any) -> JsonObject:
        try:
            response = self._http.request(method, url, **arguments)
        except httpx.TransportError as error:
            raise ServiceUnreachableError(f"no answer from {self.server}: {error}") from error
        _raise_for_problem(response.status_code, response.content)
        answer: JsonObject = response.json() if response.content else {}
        return answer

    def _send_stream(self, method: str, url: str, *, headers: dict[str, str]) -> Any:
        return _CheckedStream(self._http.stream(method, url, headers=headers), self.server)


class _CheckedStream:
    """An httpx stream whose error answers are raised as ServiceError."""

    def __init__(self, context: Any, server: str) -> None:
        self._context = context
        self._server = server

    def __enter__(self) -> httpx.Response:
        try:
            response: httpx.Response = self._context.__enter__()
        except httpx.TransportError as error:
            raise ServiceUnreachableError(f"no answer from {self._server}: {error}") from error
        if response.status_code >= 400:
            content = response.read()
            self._context.__exit__(None, None, None)
            _raise_for_problem(response.status_code, content)
        return response

    def __exit__(self, *exc_info: object) -> None:
        self._context.__exit__(*exc_info)


def raise_if_failed(execution: JsonObject) -> None:
    """Raise ServiceError when the execution ended in FAILED or CANCELLED."""
    error = execution.get("error")
    if execution["state"] == "FAILED" and error:
        message = _where(error) + error["message"]
        raise ServiceError(
            error["code"], message + _suggestions(error), error_type=error.get("type", "")
        )
    if execution["state"] == "CANCELLED":
        raise ServiceError("USER_CANCELED", "Query was cancelled", error_type="USER_ERROR")


def _raise_for_problem(status: int, content: bytes) -> None:
    if status < 400:
        return
    try:
        problem = json.loads(content)
    except ValueError:
        problem = {}
    text = problem.get("detail") or problem.get("title") or f"the server answered {status}"
    raise ServiceError(
        problem.get("code", f"HTTP_{status}"),
        _where(problem) + text + _suggestions(problem),
        error_type=problem.get("error_type", ""),
        status=status,
    )


def _where(error: JsonObject) -> str:
    """`line 1:8: ` as Trino begins its messages, when the error has a place."""
    return f"line {error['line']}:{error['column']}: " if error.get("line") else ""


def _suggestions(error: JsonObject) -> str:
    names = error.get("suggestions")
    return f". Did you mean {' or '.join(names)}?" if names else ""
