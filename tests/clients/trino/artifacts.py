"""Java clients from Maven."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def fetch_artifact(artifact: str, target: Path) -> None:
    """Have Maven put an artifact into its local repository; the test is skipped without Maven."""
    if target.exists():
        return
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("Maven is needed to get the client")
    command = [maven, "-q", "dependency:get", "-Dtransitive=false", f"-Dartifact={artifact}"]
    subprocess.run(command, check=True, timeout=300)
