"""moto's S3 server for tests: it keeps storage classes, KMS flags, regions and versions.

moto 5.2.5 answers GetBucketRequestPayment with a bucket listing; the server below is moto with
that one call put right (run as `python -m tests.support.moto <port>`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_XML = (
    '<?xml version="1.0" encoding="UTF-8"?><RequestPaymentConfiguration '
    'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Payer>{}</Payer>'
    "</RequestPaymentConfiguration>"
)


class RequestPayment:
    """WSGI: answers `?requestPayment` of path-style addresses, passes everything else on."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application
        self._payers: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if not environ.get("QUERY_STRING", "").startswith("requestPayment"):
            return self._application(environ, start_response)
        bucket = environ["PATH_INFO"].strip("/")
        if environ["REQUEST_METHOD"] == "PUT":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            self._payers[bucket] = "Requester" if b"Requester" in body else "BucketOwner"
            start_response("200 OK", [])
            return [b""]
        if bucket.startswith("silent-"):
            # A store that does not know the call.
            start_response("501 Not Implemented", [("Content-Type", "application/xml")])
            return [b"<Error><Code>NotImplemented</Code><Message>no</Message></Error>"]
        start_response("200 OK", [("Content-Type", "application/xml")])
        return [_XML.format(self._payers.get(bucket, "BucketOwner")).encode()]


@contextmanager
def moto_server() -> Iterator[Any]:
    """Run moto on a free port."""
    from tests.support.s3 import ROOT, S3Server, free_port, wait_until_answering

    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.moto", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_answering(f"http://127.0.0.1:{port}/", process)
        yield S3Server(f"http://127.0.0.1:{port}", process_id=process.pid)
    finally:
        process.terminate()
        process.wait(timeout=10)


def main() -> None:
    """Serve until killed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    application = RequestPayment(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)


if __name__ == "__main__":
    main()
