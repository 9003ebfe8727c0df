"""What a listing costs: 100,000 keys through our parser, 10,000 through botocore's own.

The pages come ready-made from a small server process, so only the client is measured.
Run: .venv/bin/python benchmarks/listing.py
"""

from __future__ import annotations

import asyncio
import http.server
import multiprocessing
import resource
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support import record

from querysvc.storage.botocore_client import open_client
from querysvc.storage.client import StorageClient
from querysvc.storage.configuration import Credentials, StorageConfiguration
from querysvc.storage.credentials import CredentialChain
from querysvc.storage.s3_connection import S3Connection

KEYS = 100_000
PAGE = 1000
ENTRY = (
    "<Contents><Key>warehouse/lineitem/shipdate%%3D1995-01-%02d/part-%06d-c000.snappy.parquet"
    "</Key><LastModified>2024-05-01T12:34:56.000Z</LastModified>"
    "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>%d</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        start = int(asked.get("continuation-token", ["0"])[0])
        total = KEYS if url.path.strip("/") == "bucket-large" else KEYS // 10
        end = min(start + PAGE, total)
        rest = end < total
        entries = "".join(ENTRY % (n % 28 + 1, n, n) for n in range(start, end))
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
            'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
            f"<KeyCount>{end - start}</KeyCount><IsTruncated>{str(rest).lower()}</IsTruncated>"
            + (f"<NextContinuationToken>{end}</NextContinuationToken>" if rest else "")
            + entries
            + "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(port: Any) -> None:
    """Serve pages until killed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    port.value = server.server_port
    server.serve_forever()


def ours(configuration: StorageConfiguration) -> dict[str, float]:
    """List KEYS keys."""
    connection = S3Connection(configuration)
    client = StorageClient(connection)
    client.list_objects("s3://bucket-small/warehouse")  # warm
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    objects = client.list_objects("s3://bucket-large/warehouse")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert len(objects) == KEYS
    connection.close()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "keys": KEYS,
        "wall_seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "memory_mebibytes": round((after - before) / 1024, 1),
    }


async def botocores(configuration: StorageConfiguration) -> dict[str, float]:
    """List a tenth of the keys with botocore's parser."""
    endpoint = configuration.endpoint("bucket-small")
    async with open_client(configuration, endpoint, CredentialChain(), attempts=1) as client:
        wall, cpu = time.perf_counter(), time.process_time()
        count = 0
        arguments: dict[str, str] = {}
        while True:
            page = await client.list_objects_v2(Bucket="bucket-small", **arguments)
            count += len(page["Contents"])
            if not page["IsTruncated"]:
                break
            arguments["ContinuationToken"] = page["NextContinuationToken"]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert count == KEYS // 10
    return {"keys": count, "wall_seconds": round(wall, 3), "cpu_seconds": round(cpu, 3)}


def main() -> None:
    """Measure and record."""
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    configuration = StorageConfiguration(
        endpoint_url=f"http://127.0.0.1:{port.value}", credentials=Credentials("a", "b")
    )
    lean = ours(configuration)
    plain = asyncio.run(botocores(configuration))
    server.terminate()
    per_key = (lean["cpu_seconds"] / lean["keys"]) / (plain["cpu_seconds"] / plain["keys"])
    record(
        "listing",
        {"ours": lean, "botocore_parser": plain, "cpu_ratio_per_key": round(per_key, 3)},
        {"100,000 keys within 3 s of CPU": lean["cpu_seconds"] < 3},
    )


if __name__ == "__main__":
    main()
