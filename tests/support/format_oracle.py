"""Record a real Trino's answers to the cases of formats.

    python -m tests.support.format_oracle --url http://127.0.0.1:18477
        --metastore /tmp/fmt/warehouse/metastore/f [formats/orc.json …]

Trino needs the hive connector with a file metastore whose directory of one schema is given: the
tables are written there as the metastore would write them, so any SerDe property can be set.
"""

from __future__ import annotations

import argparse
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.format_cases import FORMATS, Case, load

_TRINO_NAMES = {
    "TEXTFILE": "TEXTFILE",
    "CSV": "CSV",
    "OPENX_JSON": "OPENX_JSON",
    "JSON": "JSON",
    "REGEX": "REGEX",
}


def main() -> None:
    """Ask about every case whose source is Trino, and write its answer down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--metastore", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="*")
    options = parser.parse_args()
    for path in options.files or sorted(FORMATS.glob("*.json")):
        documents = []
        for case in load(path):
            if case.data.get("source", "trino-476") == "trino-476":
                case.data["source"] = "trino-476"
                case.data["expected"] = answer(case, options.url, options.metastore)
            documents.append(case.data)
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in documents)
        path.write_text(f"[\n{lines}\n]\n")


def answer(case: Case, url: str, metastore: Path) -> dict[str, Any]:
    """Trino's answer to SELECT * from the case's table."""
    table = "".join(c if c.isalnum() else "_" for c in case.name.lower())
    folder = metastore / table
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for key, content in case.objects().items():
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    parameters = {"transactional": "false", **case.data.get("table", {})}
    document = {
        "writerVersion": "476",
        "owner": "oracle",
        "tableType": "MANAGED_TABLE",
        "dataColumns": [
            {"name": name, "type": type_, "properties": {}} for name, type_ in case.data["columns"]
        ],
        "partitionColumns": [],
        "parameters": parameters,
        "storageFormat": _TRINO_NAMES.get(case.format.value, case.format.value),
        "serdeParameters": case.data.get("serde", {}),
        "columnStatistics": {},
    }
    (folder / ".trinoSchema").write_text(json.dumps(document))
    return ask(f'SELECT * FROM hive."{metastore.name}"."{table}"', url)


def ask(sql: str, url: str) -> dict[str, Any]:
    """One statement's answer."""
    headers = {
        "X-Trino-User": "oracle",
        "X-Trino-Time-Zone": "UTC",
        "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME,PATH",
    }
    request = urllib.request.Request(
        f"{url}/v1/statement", data=sql.encode(), headers=headers, method="POST"
    )
    types: list[str] = []
    rows: list[Any] = []
    while True:
        with urllib.request.urlopen(request, timeout=60) as response:
            # Trino hands bytes that are no UTF-8 through.
            page = json.loads(response.read().decode(errors="replace"))
        if "error" in page:
            error = page["error"]
            return {"error_name": error["errorName"], "error_message": error["message"][:300]}
        types = [column["type"] for column in page.get("columns") or []] or types
        rows += page.get("data") or []
        if "nextUri" not in page:
            return {"types": types, "rows": rows}
        request = urllib.request.Request(page["nextUri"], headers=headers)


if __name__ == "__main__":
    main()
