"""EXPLAIN (TYPE IO): what a query would read, in the members of Trino's JSON and a few of ours."""

from __future__ import annotations

import json
from typing import Any, Final

from querysvc.plan import Domain, ExecutionPlan, Range, ReadEstimate, TableScan
from querysvc.service.plan_expressions import value_text
from querysvc.service.plan_nodes import restricted_tables
from querysvc.service.running import refusal

_UNKNOWN: Final = {
    "outputRowCount": "NaN",
    "outputSizeInBytes": "NaN",
    "cpuCost": "NaN",
    "maxMemory": "NaN",
    "networkCost": "NaN",
}


def io_text(plan: ExecutionPlan, estimate: ReadEstimate) -> str:
    """The document, of which `scanned` is ours: files, partitions, bytes, the limit's verdict."""
    restricted = restricted_tables(plan.query)
    document = {
        "inputTableColumnInfos": [
            _table(scan, is_restricted=index in restricted) for index, scan in enumerate(plan.scans)
        ],
        "estimate": _UNKNOWN,
        "scanned": {
            "bytes": estimate.scanned_bytes,
            "files": estimate.files,
            "rowGroups": estimate.row_groups,
            "totalRowGroups": estimate.total_row_groups,
            "isExact": estimate.is_exact,
            "reason": estimate.reason,
            "bytesLimit": plan.limits.scanned_bytes_max,
            "isWithinLimit": is_within_limit(plan, estimate),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def is_within_limit(plan: ExecutionPlan, estimate: ReadEstimate) -> bool:
    """Whether the work group's limit lets the query read so much."""
    return refusal(estimate, plan.limits.scanned_bytes_max) is None


def _table(scan: TableScan, *, is_restricted: bool) -> dict[str, Any]:
    reference = scan.reference
    objects = [one for partition in scan.partitions for one in partition.objects]
    # A policy's filter would show in the constraints: they are not told then.
    domains = {} if is_restricted else reference.domains
    return {
        "table": {
            "catalog": reference.catalog,
            "schemaTable": {"schema": reference.database, "table": reference.table.name},
        },
        "constraint": {
            "none": any(not d.ranges and not d.allows_null for d in domains.values()),
            "columnConstraints": [
                {
                    "columnName": reference.columns[index].name,
                    "type": str(domain.type),
                    "domain": _domain(domain),
                }
                for index, domain in sorted(domains.items())
            ],
        },
        "estimate": _UNKNOWN,
        "partitions": len(scan.partitions),
        "totalPartitions": scan.total_partitions,
        "files": len(objects),
        "bytes": sum(one.size for one in objects),
    }


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "nullsAllowed": domain.allows_null,
        "ranges": [_range(item, domain) for item in domain.ranges],
    }


def _range(item: Range, domain: Domain) -> dict[str, Any]:
    return {
        "low": _bound(item.low, domain, is_closed=item.low_inclusive, side="ABOVE"),
        "high": _bound(item.high, domain, is_closed=item.high_inclusive, side="BELOW"),
    }


def _bound(value: Any, domain: Domain, *, is_closed: bool, side: str) -> dict[str, str]:
    if value is None:
        return {"bound": side}
    return {
        "value": value_text(value, domain.type),
        "bound": "EXACTLY" if is_closed else side,
    }
