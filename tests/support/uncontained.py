"""`querysvc serve` whose workers lack the layers that a variable lists: the gate alone.

No setting of the product does this; for tests that prove the gate with the other layers off.
"""

from __future__ import annotations

import json
import os
from functools import partial

from querysvc import bootstrap
from querysvc.cli import main
from querysvc.engines.duckdb.settings import SupervisorSettings
from tests.faults.escape.cages import LAYERS_OFF, without


def serve() -> None:
    """Run the command line with such workers."""
    layers = json.loads(os.environ.pop(LAYERS_OFF))
    worker = without(*layers)
    vars(bootstrap)["SupervisorSettings"] = partial(SupervisorSettings, worker=worker)
    main()


if __name__ == "__main__":
    serve()
