"""Builds OpenTofu and Terraform's AWS provider: python -m tests.support.terraform_build FOLDER

Both come as source from Go's module proxy. The provider is the fork that Crossplane publishes there
(its own versions are no valid ones of a Go module); of its two hundred services only Athena's and
Glue's are compiled, their code untouched: minutes instead of an hour.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

TOFU: Final = "github.com/opentofu/opentofu@v1.10.10"
PROVIDER: Final = "github.com/upbound/terraform-provider-aws@v0.0.0-20260305123303-f7691456b787"
SERVICES: Final = frozenset({"athena", "glue"})
CLIENTS: Final = SERVICES | {"iam", "s3", "sts"}
"""What the provider's own start asks beside them."""

_SERVICE: Final = re.compile(
    r'^\t"github\.com/hashicorp/terraform-provider-aws/internal/service/(\w+)"\n'
    r"|^\t\t(\w+)\.ServicePackage\(ctx\),\n",
    re.MULTILINE,
)
_CLIENT: Final = re.compile(
    r'^\t(?:\w+ )?"github\.com/aws/aws-sdk-go-v2/service/(\w+)"\n'
    r"|^func \(c \*AWSClient\) \w+\(ctx context\.Context\) \*(\w+)\.Client \{\n.*?^\}\n",
    re.MULTILINE | re.DOTALL,
)


def main() -> int:
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tofu").exists():
        source = _source(TOFU, folder)
        _go(source, "build", "-o", str(folder / "tofu"), "./cmd/tofu")
        shutil.rmtree(source)
    if not (folder / "terraform-provider-aws").exists():
        source = _source(PROVIDER, folder)
        packages = source / "internal/provider/sdkv2/service_packages_gen.go"
        _keep(packages, _SERVICE, SERVICES)
        _keep(source / "internal/conns/awsclient_gen.go", _CLIENT, CLIENTS)
        _go(source, "build", "-o", str(folder / "terraform-provider-aws"), ".")
        shutil.rmtree(source)
    return 0


def _source(module: str, folder: Path) -> Path:
    """A copy of a module's source that may be changed."""
    told = _go(folder, "mod", "download", "-json", module)
    target = folder / "source"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(json.loads(told)["Dir"], target)
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return target


def _keep(path: Path, lines: re.Pattern[str], kept: frozenset[str]) -> None:
    def replaced(match: re.Match[str]) -> str:
        return match[0] if (match[1] or match[2]) in kept else ""

    path.write_text(lines.sub(replaced, path.read_text()))


def _go(where: Path, *arguments: str) -> str:
    # Forks are not in the checksum database of every proxy; the version names the commit.
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GONOSUMDB": "github.com/upbound"}
    done = subprocess.run(
        ["go", *arguments], cwd=where, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(f"go {' '.join(arguments)} failed")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
