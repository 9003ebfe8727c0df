"""Describing a statement whose parameters have no values yet, for wires that are asked to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from querysvc.model import Principal, QuerySubmission
from querysvc.service.clock import Clock
from querysvc.service.gate_process import METADATA
from querysvc.service.permissions import require_work_group
from querysvc.service.submission import session_user
from querysvc.sql.description import ParameterDescription
from querysvc.sql.metadata import MetadataReader


class AnalysingGate(Protocol):
    """What is needed of the gate."""

    def call(
        self, operation: str, *arguments: object, metadata: MetadataReader | None = None
    ) -> Any:
        """Run an operation; its result is as the operation's module declares it."""
        ...


class ParameterTypes:
    """Infers types in the gate's processes."""

    def __init__(
        self,
        gate: AnalysingGate,
        metadata_of: Callable[[Principal], MetadataReader],
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._metadata_of = metadata_of
        self._clock = clock

    def describe(
        self, submission: QuerySubmission, principal: Principal, declared: tuple[str | None, ...]
    ) -> ParameterDescription:
        """Analyse the statement with typed NULLs for what is declared, and infer the rest."""
        require_work_group(principal, submission.work_group)
        session = dataclasses.replace(
            submission.session,
            started_at=submission.session.started_at or self._clock.now(),
            user=session_user(submission, principal),
        )
        found: ParameterDescription = self._gate.call(
            "describe_parameters",
            submission.sql,
            session,
            METADATA,
            declared,
            metadata=self._metadata_of(principal),
        )
        return found
