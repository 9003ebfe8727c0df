"""Runs docs/clients/spark.md's block with a real Spark: python -m tests.support.spark_guide PYTHON

PYTHON is an interpreter with pyspark (`make spark` makes one); Maven brings Iceberg's jars.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.clients.aws.conftest import BUCKET, REGION
from tests.clients.aws.guides import blocks
from tests.support.running_service import running_service
from tests.support.s3 import versitygw

EXPECTED = "[Row(id=1, name='Ada')]"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="querysvc-spark-") as folder:
        root = Path(folder)
        with (
            versitygw(root / "s3") as server,
            running_service(server.url, root / "state") as service,
        ):
            server.client().create_bucket(Bucket=BUCKET)
            (block,) = blocks("spark", "python", service.url, server.url)
            environment = {
                **os.environ,
                "AWS_ACCESS_KEY_ID": server.access_key,
                "AWS_SECRET_ACCESS_KEY": server.secret_key,
                "AWS_REGION": REGION,
            }
            done = subprocess.run(
                [sys.argv[1], "-c", block],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                timeout=1200,
            )
    sys.stdout.write(done.stdout)
    return 0 if EXPECTED in done.stdout else 1


if __name__ == "__main__":
    sys.exit(main())
