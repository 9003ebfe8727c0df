"""The gate's operations in the test's own process."""

from __future__ import annotations

import importlib
from typing import Any

from querysvc.service.gate_process import METADATA, OPERATIONS
from querysvc.sql.metadata import MetadataReader
from querysvc_drivers.pgwire.catalog import GATE_OPERATIONS


class CallableGate:
    """Runs operations of the gate in this process."""

    def call(
        self, operation: str, *arguments: object, metadata: MetadataReader | None = None
    ) -> Any:
        module, _, function = {**OPERATIONS, **GATE_OPERATIONS}[operation].partition(":")
        given = [metadata if argument == METADATA else argument for argument in arguments]
        return getattr(importlib.import_module(module), function)(*given)
