"""Runs docs/clients/terraform.md with OpenTofu: python -m tests.support.terraform_guide FOLDER

FOLDER holds `tofu` and `terraform-provider-aws` (`make terraform` builds them).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.clients.aws.conftest import BUCKET
from tests.clients.aws.guides import blocks
from tests.support.running_service import running_service
from tests.support.s3 import versitygw

CHANGES: Final = (
    ('"What was sold"', '"What was sold, by day"'),
    ('"in euros"', '"in pounds"'),
    ("10485760", "20971520"),
    ('"SELECT sum(amount) FROM orders"', '"SELECT count(*) FROM orders"'),
    ("WHERE day = ?", "WHERE day > ?"),
    ("The same catalog by another name", "Ours"),
)
"""What a second apply changes."""

OVERRIDE: Final = """
provider_installation {{
  dev_overrides {{
    "hashicorp/aws" = "{folder}"
  }}
  direct {{}}
}}
"""


@dataclass(frozen=True)
class Tofu:
    """OpenTofu over one module's folder."""

    program: Path
    module: Path
    environment: Mapping[str, str]

    def run(self, command: str, *arguments: str) -> int:
        """Run one command; 2 is `plan`'s word for a difference."""
        done = subprocess.run(
            [self.program, command, "-no-color", "-input=false", *arguments],
            cwd=self.module,
            env=dict(self.environment),
            timeout=600,
        )
        if done.returncode not in (0, 2):
            raise SystemExit(f"tofu {command} failed")
        return done.returncode


def main() -> int:
    folder = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory(prefix="querysvc-terraform-") as name:
        root = Path(name)
        with (
            versitygw(root / "s3") as server,
            running_service(server.url, root / "state") as service,
        ):
            server.client().create_bucket(Bucket=BUCKET)
            (block,) = blocks("terraform", "hcl", service.url, server.url)
            (root / "tofu.rc").write_text(OVERRIDE.format(folder=folder))
            environment = {
                **os.environ,
                "TF_CLI_CONFIG_FILE": str(root / "tofu.rc"),
                "AWS_ACCESS_KEY_ID": server.access_key,
                "AWS_SECRET_ACCESS_KEY": server.secret_key,
            }
            module = root / "module"
            module.mkdir()
            _live(Tofu(folder / "tofu", module, environment), block)
            left = service.client.get("/v1/work-groups")["work_groups"]
    if [group["name"] for group in left] != ["primary"]:
        raise SystemExit("destroy left a work group")
    return 0


def _live(tofu: Tofu, block: str) -> None:
    """Apply, change and destroy; each time a second plan finds nothing to do."""
    changed = block.replace('"bucket"', f'"{BUCKET}"')
    for step in range(2):
        if step:
            for old, new in CHANGES:
                assert old in changed, f"{old} is not in the guide any more"
                changed = changed.replace(old, new)
        (tofu.module / "main.tf").write_text(changed)
        tofu.run("apply", "-auto-approve")
        if tofu.run("plan", "-detailed-exitcode") == 2:
            raise SystemExit("what was applied is planned again")
    tofu.run("destroy", "-auto-approve")


if __name__ == "__main__":
    sys.exit(main())
