"""The Trino client protocol (`/v1/statement`): what stock Trino drivers and tools speak."""

from querysvc_drivers.trino.router import TrinoServices, TrinoSettings, router
from querysvc_drivers.trino.segments import SegmentLimits, SegmentStore

__all__ = ["SegmentLimits", "SegmentStore", "TrinoServices", "TrinoSettings", "router"]
