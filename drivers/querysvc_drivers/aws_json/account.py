"""The one account of a service, and names in AWS's form."""

from __future__ import annotations

from typing import Final

ACCOUNT_ID: Final = "000000000000"
"""Clients take it from STS and send it back as Glue's CatalogId."""


def user_arn(name: str) -> str:
    """The ARN of a principal."""
    return f"arn:aws:iam::{ACCOUNT_ID}:user/{name}"
