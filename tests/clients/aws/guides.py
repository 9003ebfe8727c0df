"""The blocks of docs/clients, as tests run them: with the test's own addresses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.clients.aws.conftest import BUCKET

GUIDES: Final = Path(__file__).parents[3] / "docs" / "clients"
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(guide: str, language: str, service_url: str, s3_url: str) -> list[str]:
    """The guide's blocks in a language, about this service and this S3."""
    text = (GUIDES / f"{guide}.md").read_text()
    for there, here in (
        ("http://localhost:8080", service_url),
        ("http://localhost:9000", s3_url),
        ("s3://bucket/", f"s3://{BUCKET}/guides/{guide}/"),
    ):
        text = text.replace(there, here)
    found = [body for name, body in _BLOCK.findall(text) if name == language]
    assert found, f"{guide} has no block in {language}"
    return found
