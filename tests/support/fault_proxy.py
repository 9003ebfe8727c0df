"""An HTTP proxy that does to an S3 server's answers what networks and servers do."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class Fault(StrEnum):
    """What happens to an answer."""

    STATUS = "status"
    RESET = "reset"
    TRUNCATE = "truncate"
    STALL_HEAD = "stall before the head"
    STALL_BODY = "stall in the body"
    WRONG_ETAG = "another ETag"
    HTML = "a web page with status 200"
    SHORT = "a shorter body that claims to be whole"
    NO_RANGE = "status 200 without a Content-Range"
    LOST_KEYS = "a listing that lost its last key"
    LOST_PAGE = "a listing that ends before its next page"


@dataclass(eq=False)
class Rule:
    """A fault for the next `times` requests that match (None: all)."""

    fault: Fault
    times: int | None = 1
    status: int = 503
    body: bytes = b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
    matches: Callable[[str, str], bool] = field(default=lambda method, path: method == "GET")


class FaultProxy:
    """Forwards to one upstream; keeps what was asked."""

    def __init__(self, upstream: str) -> None:
        self._host = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.requests: list[tuple[str, str, str]] = []
        """Method, path, range."""
        self.delay_seconds = 0.0
        self.released = threading.Event()
        """Stalled answers end when this is set."""
        self.stalled = threading.Semaphore(0)
        """Released once for each answer that begins to stall."""
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def forward(self) -> None:
                proxy._forward(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def add(self, rule: Rule) -> None:
        """Apply a fault from now on."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forget faults and requests."""
        with self._lock:
            self._rules.clear()
            self.requests.clear()
        self.delay_seconds = 0.0

    def _take(self, method: str, path: str) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.matches(method, path):
                    if rule.times is not None:
                        rule.times -= 1
                        if rule.times <= 0:
                            self._rules.remove(rule)
                    return rule
        return None

    def _forward(self, request: http.server.BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        method, path = request.command, request.path
        with self._lock:
            self.requests.append((method, path, request.headers.get("Range", "")))
        rule = self._take(method, path)
        if self.delay_seconds:
            threading.Event().wait(self.delay_seconds)
        if rule is not None and self._answer_itself(request, rule):
            return
        headers = dict(request.headers)
        upstream = http.client.HTTPConnection(self._host, timeout=30)
        try:
            upstream.request(method, path, body=body, headers=headers)
            response = upstream.getresponse()
            data = response.read()
        finally:
            upstream.close()
        self._answer(request, rule, response, data)

    def _answer_itself(self, request: http.server.BaseHTTPRequestHandler, rule: Rule) -> bool:
        if rule.fault is Fault.STATUS:
            _send(request, rule.status, [("Content-Type", "application/xml")], rule.body)
        elif rule.fault is Fault.HTML:
            _send(request, 200, [("Content-Type", "text/html")], b"<html>Please log in</html>")
        elif rule.fault is Fault.RESET:
            _reset(request)
        elif rule.fault is Fault.STALL_HEAD:
            self.stalled.release()
            self.released.wait(60)
            request.close_connection = True
        else:
            return False
        return True

    def _answer(
        self,
        request: http.server.BaseHTTPRequestHandler,
        rule: Rule | None,
        response: http.client.HTTPResponse,
        data: bytes,
    ) -> None:
        skip = {"content-length", "transfer-encoding", "connection", "date", "server"}
        headers = [(k, v) for k, v in response.getheaders() if k.lower() not in skip]
        fault = rule.fault if rule else None
        if fault is Fault.WRONG_ETAG:
            headers = [(k, '"other"' if k.lower() == "etag" else v) for k, v in headers]
        status = response.status
        if fault is Fault.NO_RANGE:
            status = 200
            headers = [(k, v) for k, v in headers if k.lower() != "content-range"]
        if fault in _BODIES:
            data = _BODIES[fault](data)
        if fault not in (Fault.TRUNCATE, Fault.STALL_BODY):
            told = response.getheader("Content-Length") if request.command == "HEAD" else None
            _send(request, status, headers, data, length=told)
            return
        _send(request, status, headers, data[: len(data) // 2], length=str(len(data)))
        request.wfile.flush()
        if fault is Fault.STALL_BODY:
            self.stalled.release()
            self.released.wait(60)
        request.close_connection = True

    @contextmanager
    def running(self) -> Iterator[FaultProxy]:
        """Serve in a thread."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _without_last_key(data: bytes) -> bytes:
    start, end = data.rfind(b"<Contents>"), data.rfind(b"</Contents>")
    return data if start < 0 else data[:start] + data[end + len(b"</Contents>") :]


def _without_next_page(data: bytes) -> bytes:
    truncated = data.replace(b"<IsTruncated>false<", b"<IsTruncated>true<")
    return re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", truncated)


_BODIES: Final[dict[Fault, Callable[[bytes], bytes]]] = {
    Fault.SHORT: _half,
    Fault.LOST_KEYS: _without_last_key,
    Fault.LOST_PAGE: _without_next_page,
}


def _send(
    request: http.server.BaseHTTPRequestHandler,
    status: int,
    headers: list[tuple[str, str]],
    body: bytes,
    length: str | None = None,
) -> None:
    request.send_response_only(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("Content-Length", length or str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


def _reset(request: http.server.BaseHTTPRequestHandler) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.shutdown(socket.SHUT_RD)
    request.close_connection = True
