"""Crawlers on Glue's wire: over S3, on demand; what else Glue's crawlers do is refused by name."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from querysvc.service.crawlers import Crawlers
from querysvc.service.tags import ResourceTags
from querysvc.state.values import CrawlerState, CrawlTarget, StoredCrawler
from querysvc_catalog.errors import CatalogError, InvalidInputError
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.aws_json.errors import AwsError
from querysvc_drivers.aws_json.paging import paged, with_token
from querysvc_drivers.glue import decode
from querysvc_drivers.glue.tags import KIND

_PAGE_DEFAULT: Final = 100
_UNSUPPORTED: Final = ("Schedule", "Classifiers", "CrawlerSecurityConfiguration")
_TARGET_UNSUPPORTED: Final = ("ConnectionName", "SampleSize", "EventQueueArn", "DlqEventQueueArn")
_OTHER_TARGETS: Final = (
    "JdbcTargets",
    "MongoDBTargets",
    "DynamoDBTargets",
    "CatalogTargets",
    "DeltaTargets",
    "IcebergTargets",
    "HudiTargets",
)
# What a crawler's Configuration may hold, and the field of ours that it sets, if any.
_CONFIGURATIONS: Final[dict[tuple[str, ...], dict[Any, str | None]]] = {
    ("Version",): {1: None},
    ("Grouping", "TableGroupingPolicy"): {"CombineCompatibleSchemas": "is_one_table"},
    ("CrawlerOutput", "Partitions", "AddOrUpdateBehavior"): {"InheritFromTable": None},
    ("CrawlerOutput", "Tables", "AddOrUpdateBehavior"): {"MergeNewColumns": "merges_columns"},
}


def operations(crawlers: Crawlers, tags: ResourceTags) -> dict[str, Operation]:
    """The operations on crawlers."""

    def create(request: Document, caller: Caller) -> Document:
        name = request["Name"]
        blank = StoredCrawler(name, caller.principal.name, "", (), "")
        crawlers.create(dataclasses.replace(blank, **_definition(request)), caller.principal)
        tags.give(KIND, f"crawler/{name}", request.get("Tags", {}))
        return {}

    def update(request: Document, caller: Caller) -> Document:
        changes = _definition(request)
        crawlers.update(
            request["Name"], lambda found: dataclasses.replace(found, **changes), caller.principal
        )
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        crawlers.delete(request["Name"], caller.principal)
        tags.forget(KIND, f"crawler/{request['Name']}")
        return {}

    def start(request: Document, caller: Caller) -> Document:
        crawlers.start(request["Name"], caller.principal)
        return {}

    def stop(request: Document, caller: Caller) -> Document:
        crawlers.stop(request["Name"], caller.principal)
        return {}

    return {
        "CreateCrawler": create,
        "UpdateCrawler": update,
        "DeleteCrawler": delete,
        "StartCrawler": start,
        "StopCrawler": stop,
    } | _readings(crawlers, tags)


def _readings(crawlers: Crawlers, tags: ResourceTags) -> dict[str, Operation]:
    def get(request: Document, caller: Caller) -> Document:
        return {"Crawler": _document(crawlers.get(request["Name"]))}

    def get_all(request: Document, caller: Caller) -> Document:
        page = paged("crawlers", crawlers.list(), _name, request, _PAGE_DEFAULT)
        return with_token({"Crawlers": [_document(one) for one in page.items]}, page)

    def list_names(request: Document, caller: Caller) -> Document:
        wanted = request.get("Tags", {}).items()
        found = [
            one
            for one in crawlers.list()
            if not wanted or wanted <= tags.list(KIND, f"crawler/{one.name}").items()
        ]
        page = paged("crawlers", found, _name, request, _PAGE_DEFAULT)
        return with_token({"CrawlerNames": [one.name for one in page.items]}, page)

    def get_many(request: Document, caller: Caller) -> Document:
        known = {one.name: one for one in crawlers.list()}
        names = dict.fromkeys(request["CrawlerNames"])
        return {
            "Crawlers": [_document(known[name]) for name in names if name in known],
            "CrawlersNotFound": [name for name in names if name not in known],
        }

    def metrics(request: Document, caller: Caller) -> Document:
        names = request.get("CrawlerNameList")
        found = [one for one in crawlers.list() if not names or one.name in names]
        page = paged("crawlers", found, _name, request, _PAGE_DEFAULT)
        return with_token({"CrawlerMetricsList": [_metrics(one) for one in page.items]}, page)

    return {
        "GetCrawler": get,
        "GetCrawlers": get_all,
        "ListCrawlers": list_names,
        "BatchGetCrawlers": get_many,
        "GetCrawlerMetrics": metrics,
    } | _schedules(crawlers)


def _schedules(crawlers: Crawlers) -> dict[str, Operation]:
    """No crawler has a schedule: the operations on schedules say so in Glue's own errors."""

    def refusing(error: AwsError | CatalogError) -> Operation:
        def call(request: Document, caller: Caller) -> Document:
            crawlers.get(request["CrawlerName"])
            raise error

        return call

    return {
        "UpdateCrawlerSchedule": refusing(InvalidInputError(_NO_SCHEDULES)),
        "StartCrawlerSchedule": refusing(AwsError("NoScheduleException", _NO_SCHEDULES)),
        "StopCrawlerSchedule": refusing(AwsError("SchedulerNotRunningException", _NO_SCHEDULES)),
    }


_NO_SCHEDULES: Final = "Schedule is not supported: a crawl begins with StartCrawler"


def _definition(request: Document) -> dict[str, Any]:
    """What a request tells of a crawler, as StoredCrawler's fields."""
    if request.get("Schedule"):
        raise InvalidInputError(_NO_SCHEDULES)
    decode.refuse(request, _UNSUPPORTED, "Crawler")
    if request.get("LineageConfiguration", {}).get("CrawlerLineageSettings") == "ENABLE":
        raise InvalidInputError("LineageConfiguration is not supported")
    if request.get("LakeFormationConfiguration", {}).get("UseLakeFormationCredentials"):
        raise InvalidInputError("LakeFormationConfiguration is not supported")
    found = {field: read(request[member]) for member, field, read in _MEMBERS if member in request}
    return found | _policies(request) | _configuration(request.get("Configuration"))


def _policies(request: Document) -> dict[str, Any]:
    changes, recrawl = request.get("SchemaChangePolicy", {}), request.get("RecrawlPolicy", {})
    found: dict[str, Any] = {}
    if "UpdateBehavior" in changes:
        found["updates_tables"] = changes["UpdateBehavior"] == "UPDATE_IN_DATABASE"
    if "DeleteBehavior" in changes:
        found["delete_behavior"] = changes["DeleteBehavior"]
    if "RecrawlBehavior" in recrawl:
        if recrawl["RecrawlBehavior"] == "CRAWL_EVENT_MODE":
            raise InvalidInputError("RecrawlPolicy CRAWL_EVENT_MODE is not supported")
        found["recrawl_behavior"] = recrawl["RecrawlBehavior"]
    return found


def _targets(value: Document) -> tuple[CrawlTarget, ...]:
    decode.refuse(value, _OTHER_TARGETS, "Targets")
    targets = value.get("S3Targets", ())
    for target in targets:
        decode.refuse(target, _TARGET_UNSUPPORTED, "S3Target")
        if "Path" not in target:
            raise InvalidInputError("S3Target.Path must not be null")
    return tuple(CrawlTarget(one["Path"], tuple(one.get("Exclusions", ()))) for one in targets)


def _configuration(text: str | None) -> dict[str, Any]:
    """Fields that a Configuration sets; all that it says must be something that we do."""
    if text is None:
        return {}
    try:
        document = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"Configuration is not JSON: {error}") from None
    found: dict[str, Any] = {"is_one_table": False, "merges_columns": False, "configuration": text}
    for path, value in _leaves(document, ()):
        known = _CONFIGURATIONS.get(path, {})
        if isinstance(value, list) or value not in known:
            raise InvalidInputError(f"Configuration {'.'.join(path)} = {value} is not supported")
        if (field := known[value]) is not None:
            found[field] = True
    return found


def _leaves(value: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and len(path) < _CONFIGURATION_DEPTH:
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    return [(path, str(value) if isinstance(value, dict) else value)]


_CONFIGURATION_DEPTH: Final = 4
_MEMBERS: Final[tuple[tuple[str, str, Callable[[Any], Any]], ...]] = (
    ("Role", "role", str),
    ("DatabaseName", "database", str.lower),
    ("Description", "description", str),
    ("TablePrefix", "table_prefix", str),
    ("Targets", "targets", _targets),
)


def _document(crawler: StoredCrawler) -> Document:
    """A Crawler."""
    is_ready = crawler.state is CrawlerState.READY
    document: Document = {
        "Name": crawler.name,
        "Role": crawler.role,
        "Targets": {"S3Targets": [_target(one) for one in crawler.targets]}
        | dict.fromkeys(_OTHER_TARGETS, ()),
        "DatabaseName": crawler.database,
        "Classifiers": [],
        "RecrawlPolicy": {"RecrawlBehavior": crawler.recrawl_behavior},
        "SchemaChangePolicy": {
            "UpdateBehavior": "UPDATE_IN_DATABASE" if crawler.updates_tables else "LOG",
            "DeleteBehavior": crawler.delete_behavior,
        },
        "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
        "LakeFormationConfiguration": {"UseLakeFormationCredentials": False, "AccountId": ""},
        "State": crawler.state.value,
        "CrawlElapsedTime": 0 if is_ready else int(_running_seconds(crawler) * 1000),
        "Version": crawler.version,
    }
    optional = {
        "Description": crawler.description,
        "TablePrefix": crawler.table_prefix or None,
        "Configuration": crawler.configuration,
        "CreationTime": crawler.created_at and crawler.created_at.timestamp(),
        "LastUpdated": crawler.updated_at and crawler.updated_at.timestamp(),
        "LastCrawl": _last_crawl(crawler) if crawler.crawls else None,
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def _target(target: CrawlTarget) -> Document:
    return {"Path": target.path, "Exclusions": list(target.exclusions)}


def _last_crawl(crawler: StoredCrawler) -> Document:
    last = crawler.crawls[0]
    told: Document = {"Status": last.status, "StartTime": last.started_at.timestamp()}
    return told if last.error is None else {**told, "ErrorMessage": last.error}


def _metrics(crawler: StoredCrawler) -> Document:
    """CrawlerMetrics; the tables are those of the last crawl."""
    is_ready = crawler.state is CrawlerState.READY
    seconds = [end.seconds for end in crawler.crawls]
    median = statistics.median(seconds) if seconds else 0.0
    left = 0.0 if is_ready else max(0.0, median - _running_seconds(crawler))
    document: Document = {
        "CrawlerName": crawler.name,
        "TimeLeftSeconds": left,
        "StillEstimating": not is_ready and not seconds,
        "LastRuntimeSeconds": seconds[0] if seconds else 0.0,
        "MedianRuntimeSeconds": median,
        "TablesCreated": 0,
        "TablesUpdated": 0,
        "TablesDeleted": 0,
    }
    if not crawler.crawls:
        return document
    last = crawler.crawls[0]
    return document | {
        "TablesCreated": last.tables_created,
        "TablesUpdated": last.tables_updated,
        "TablesDeleted": last.tables_deleted,
    }


def _running_seconds(crawler: StoredCrawler) -> float:
    started = crawler.started_at
    return 0.0 if started is None else (datetime.now(UTC) - started).total_seconds()


def _name(crawler: StoredCrawler) -> str:
    return crawler.name
