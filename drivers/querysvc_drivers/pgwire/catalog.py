"""Questions to pg_catalog (to come)."""

from dataclasses import dataclass
from typing import Any

GATE_OPERATIONS: dict[str, str] = {}


@dataclass
class SessionFacts:
    database: str
    schema: str
    user: str
    process_id: int
    settings: Any


class CatalogQueries:
    def __init__(self, gate: Any, listing_of: Any) -> None: ...
    def answer(self, sql: Any, literals: Any, facts: Any, principal: Any) -> Any:
        return None

    def parameter_types(self, sql: Any) -> Any:
        return None
