"""`select 1` through POST /v1/queries?wait=10: one at a time, then 64 at once.

Tells too what each kind of process, and this client, spent on a query.

python benchmarks/latency.py [--single 200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from support import Client, median, percentile, record, s3_server, service_process

CONCURRENT = 64
WARM_UPS = 10
KINDS = {"gate_process": "gate", "zygote": "worker", "fetcher": "fetcher", "writing": "file writer"}
"""By a part of the command line; what is none of these is the API or this client."""
TICK_MILLISECONDS = 1000 / os.sysconf("SC_CLK_TCK")


def processor_milliseconds(api: int) -> dict[str, float]:
    """Milliseconds of processor time so far, by kind of process; of ended workers too."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    spent: dict[int, float] = {}
    for process in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            commands[process] = Path(f"/proc/{process}/cmdline").read_text()
        except OSError:  # it has ended meanwhile
            continue
        parents[process] = int(fields[1])
        spent[process] = sum(map(int, fields[11:15])) * TICK_MILLISECONDS
    figures = {"client": sum(os.times()[:2]) * 1000}
    for process in spent:
        line = [process]
        while line[-1] in parents:
            line.append(parents[line[-1]])
        if api in line:
            kinds = [kind for part, kind in KINDS.items() if part in commands[process]]
            kind = "api" if process == api else (kinds or ["other"])[0]
            figures[kind] = figures.get(kind, 0.0) + spent[process]
    return figures


def milliseconds(client: Client) -> float:
    """One query, to its final state and its rows."""
    start = time.perf_counter()
    execution = client.submit("select 1", wait_seconds=10)
    taken = (time.perf_counter() - start) * 1000
    if execution["state"] != "SUCCEEDED":
        raise AssertionError(f"{execution['state']}: {execution.get('error')}")
    return taken


def burst(address: str) -> list[float]:
    """Milliseconds of each of the queries that start together; any error is raised."""
    together = threading.Barrier(CONCURRENT)

    def one(_number: int) -> float:
        with Client(address, timeout_seconds=60) as client:
            client.get("/healthz")  # the connection is open before the clock runs
            together.wait()
            return milliseconds(client)

    with ThreadPoolExecutor(CONCURRENT) as pool:
        return list(pool.map(one, range(CONCURRENT)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--single", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with s3_server() as server, service_process(server.url, server) as (client, process):
        for _ in range(WARM_UPS):
            milliseconds(client)
        before = processor_milliseconds(process)
        single = [milliseconds(client) for _ in range(options.single)]
        after = processor_milliseconds(process)
        together = [taken for _ in range(options.rounds) for taken in burst(client.server)]
    figures: dict[str, Any] = {
        "single_queries": len(single),
        "single_median_milliseconds": round(median(single), 2),
        "single_p99_milliseconds": round(percentile(single, 0.99), 2),
        "concurrent_queries": CONCURRENT,
        "concurrent_rounds": options.rounds,
        "concurrent_errors": 0,
        "concurrent_median_milliseconds": round(median(together), 2),
        "concurrent_p99_milliseconds": round(percentile(together, 0.99), 2),
    }
    figures["single_processor_milliseconds"] = {
        kind: round((after[kind] - before.get(kind, 0.0)) / len(single), 2) for kind in after
    }
    ratio = percentile(together, 0.99) / median(single)
    figures["concurrent_p99_to_single_median"] = round(ratio, 2)
    bars = {
        "single median < 15 ms": median(single) < 15,
        "64 at once: no error": True,
        "64 at once: p99 < 20 x single median": ratio < 20,
    }
    record("latency", figures, bars)


if __name__ == "__main__":
    main()
