"""Java clients from Maven."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def fetch_artifact(artifact: str, target: Path) -> None:
    """Have Maven put an artifact into its local repository; without Maven the test cannot run."""
    if target.exists():
        return
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("Maven is not installed (tests/install-tools.sh installs it)")
    command = [maven, "-q", "dependency:get", "-Dtransitive=false", f"-Dartifact={artifact}"]
    subprocess.run(command, check=True, timeout=300)
