"""Every escape over every wire, and past the gate with each layer of the workers off in turn.

python -m benchmarks.escapes     (about ten minutes)
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.support import record
from tests.faults.escape import corpus, native
from tests.faults.escape.cages import (
    MARK,
    MODES,
    NOTHING,
    Canary,
    cage_without,
    canary_in,
    escapes,
)
from tests.faults.escape.wires import WIRES, fill, service_without
from tests.support.s3 import S3Server, versitygw

SERVICES = {
    "all layers": (),
    "gate, system": ("engine", "files"),
    "gate alone": NOTHING,
}


def main() -> None:
    """Send them all and record."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "host").mkdir()
        with canary_in(root / "host") as canary, versitygw(root / "s3") as s3:
            fill(s3)
            found = _past_the_gate(root, canary, figures)
            found += _over_wires(root, canary, s3, figures)
    record("escapes", figures | {"found": found}, {"nothing got out": not found})


def _past_the_gate(root: Path, canary: Canary, figures: dict[str, object]) -> list[str]:
    """DuckDB's SQL in a worker, without the gate and the layers of each mode."""
    statements = [*native.attacks(), *corpus.refused(), *corpus.HARMLESS]
    found = []
    for mode, layers in {"nothing holds": NOTHING, **MODES}.items():
        (root / mode).mkdir()
        with cage_without(layers, root / mode) as cage:
            # Without any layer only what harms nothing but the canary: the proof that it bites.
            sent = list(native.READS) if layers == NOTHING else statements
            got_out = escapes(cage, canary, sent)
        figures[f"without {mode}"] = {"statements": len(sent), "got out": len(got_out)}
        found += [] if layers == NOTHING else got_out
    return found


def _over_wires(root: Path, canary: Canary, s3: S3Server, figures: dict[str, object]) -> list[str]:
    """The corpus in Trino's SQL over every wire, the gate on and other layers off."""
    found = []
    statements = [canary.filled(one) for one in (*corpus.refused(), *corpus.HARMLESS)]
    for name, layers in SERVICES.items():
        with service_without(layers, s3, root / f"state of {name}") as service:
            for wire, ask in WIRES.items():
                got_out = [
                    sql
                    for sql in statements
                    if MARK in ask(service, sql).replace(sql, "") or canary.harm()
                ]
                figures[f"{name}, {wire}"] = {
                    "statements": len(statements),
                    "got out": len(got_out),
                }
                found += got_out
    return found


if __name__ == "__main__":
    main()
