"""Casts to and from json, whose storage form is canonical text."""

from __future__ import annotations

from querysvc.engines.duckdb.lowering.casts.site import CastSite
from querysvc.engines.duckdb.lowering.fragments import Sql
from querysvc.engines.duckdb.lowering.types import not_supported


def to_json(site: CastSite) -> Sql:
    """CAST(value AS json)."""
    raise not_supported(f"cast from {site.source} to json")


def from_json(site: CastSite) -> Sql:
    """CAST(json AS type)."""
    raise not_supported(f"cast from json to {site.target}")
