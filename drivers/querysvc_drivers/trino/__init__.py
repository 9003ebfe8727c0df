"""The Trino client protocol (`/v1/statement`): what stock Trino drivers and tools speak."""

from querysvc_drivers.trino.router import TrinoServices, TrinoSettings, router

__all__ = ["TrinoServices", "TrinoSettings", "router"]
