"""Work groups in Athena's form, and changes to them."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from querysvc.model import ResultConfiguration
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.values import WorkGroup, WorkGroupState, WorkGroupUpdate
from querysvc_drivers.athena import decode, tags
from querysvc_drivers.athena.executions import configuration_document, engine_document
from querysvc_drivers.aws_json.dispatch import Caller, Document, Operation
from querysvc_drivers.aws_json.paging import paged, with_token

_UNSUPPORTED: Final = frozenset(
    {
        "AdditionalConfiguration",
        "CustomerContentEncryptionConfiguration",
        "EngineConfiguration",
        "ExecutionRole",
        "MonitoringConfiguration",
    }
)
_ENABLED_UNSUPPORTED: Final = frozenset(
    {"IdentityCenterConfiguration", "QueryResultsS3AccessGrantsConfiguration"}
)
_UPDATED: Final = {
    "OutputLocation": "output_location",
    "EncryptionConfiguration": "encryption_option",
    "ExpectedBucketOwner": "expected_bucket_owner",
    "AclConfiguration": "acl_option",
}


def operations(groups: WorkGroupService) -> dict[str, Operation]:
    """The operations on work groups."""

    def create(request: Document, caller: Caller) -> Document:
        group = _group(request["Name"], request.get("Configuration", {}))
        described = dataclasses.replace(
            group, description=request.get("Description"), tags=tags.given(request)
        )
        groups.create(described, caller.principal)
        return {}

    def get(request: Document, caller: Caller) -> Document:
        return {"WorkGroup": group_document(groups.get(request["WorkGroup"]))}

    def list_all(request: Document, caller: Caller) -> Document:
        page = paged("workgroups", groups.list(), lambda group: group.name, request)
        return with_token({"WorkGroups": [_summary(group) for group in page.items]}, page)

    def update(request: Document, caller: Caller) -> Document:
        name = request["WorkGroup"]
        changes = _update(groups.get(name), request)
        groups.update(name, changes, caller.principal)
        return {}

    def delete(request: Document, caller: Caller) -> Document:
        recursive = request.get("RecursiveDeleteOption", False)
        groups.delete(request["WorkGroup"], caller.principal, recursive=recursive)
        return {}

    return {
        "CreateWorkGroup": create,
        "GetWorkGroup": get,
        "ListWorkGroups": list_all,
        "UpdateWorkGroup": update,
        "DeleteWorkGroup": delete,
    }


def group_document(group: WorkGroup) -> Document:
    """A WorkGroup; whether it enforces its configuration is always told."""
    configuration: Document = {
        "EnforceWorkGroupConfiguration": group.enforces_configuration,
        "PublishCloudWatchMetricsEnabled": group.publishes_metrics,
        "RequesterPaysEnabled": group.guard.allows_requester_pays,
        "EngineVersion": engine_document(group.engine_version),
        "ResultConfiguration": configuration_document(group.result_configuration),
        "ManagedQueryResultsConfiguration": {"Enabled": group.managed_results_enabled},
    }
    if group.limits.scanned_bytes_max is not None:
        configuration["BytesScannedCutoffPerQuery"] = group.limits.scanned_bytes_max
    return _described(group) | {"Configuration": configuration}


def _summary(group: WorkGroup) -> Document:
    return _described(group) | {"EngineVersion": engine_document(group.engine_version)}


def _described(group: WorkGroup) -> Document:
    document: Document = {"Name": group.name, "State": group.state.value}
    if group.description is not None:
        document["Description"] = group.description
    if group.created_at is not None:
        document["CreationTime"] = group.created_at.timestamp()
    return document


def _group(name: str, configuration: Document) -> WorkGroup:
    _check_supported(configuration)
    base = WorkGroup(name, publishes_metrics=False)
    result = decode.result_configuration(configuration.get("ResultConfiguration", {}))
    managed = configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
    if managed and result.output_location is not None:
        raise decode.invalid("Managed query results and an output location exclude each other.")
    return dataclasses.replace(
        base,
        enforces_configuration=configuration.get("EnforceWorkGroupConfiguration", True),
        result_configuration=result,
        guard=dataclasses.replace(
            base.guard, allows_requester_pays=configuration.get("RequesterPaysEnabled", False)
        ),
        limits=dataclasses.replace(
            base.limits, scanned_bytes_max=configuration.get("BytesScannedCutoffPerQuery")
        ),
        publishes_metrics=configuration.get("PublishCloudWatchMetricsEnabled", False),
        managed_results_enabled=managed,
        engine_version=decode.engine_version(configuration.get("EngineVersion", {})) or decode.AUTO,
    )


def _update(group: WorkGroup, request: Document) -> WorkGroupUpdate:
    changes = request.get("ConfigurationUpdates", {})
    _check_supported(changes)
    limits, guard = group.limits, group.guard
    if "BytesScannedCutoffPerQuery" in changes:
        cutoff = changes["BytesScannedCutoffPerQuery"]
        limits = dataclasses.replace(limits, scanned_bytes_max=cutoff)
    if changes.get("RemoveBytesScannedCutoffPerQuery"):
        limits = dataclasses.replace(limits, scanned_bytes_max=None)
    if "RequesterPaysEnabled" in changes:
        pays = changes["RequesterPaysEnabled"]
        guard = dataclasses.replace(guard, allows_requester_pays=pays)
    result = _updated(group.result_configuration, changes.get("ResultConfigurationUpdates", {}))
    managed = changes.get("ManagedQueryResultsConfigurationUpdates", {})
    state = request.get("State")
    return WorkGroupUpdate(
        state=None if state is None else WorkGroupState(state),
        description=request.get("Description"),
        enforces_configuration=changes.get("EnforceWorkGroupConfiguration"),
        result_configuration=None if result == group.result_configuration else result,
        guard=None if guard == group.guard else guard,
        limits=None if limits == group.limits else limits,
        publishes_metrics=changes.get("PublishCloudWatchMetricsEnabled"),
        managed_results_enabled=managed.get("Enabled"),
        engine_version=decode.engine_version(changes.get("EngineVersion", {})),
    )


def _updated(own: ResultConfiguration, updates: Document) -> ResultConfiguration:
    given = decode.result_configuration(updates)
    changed: dict[str, Any] = {}
    for member, attribute in _UPDATED.items():
        if updates.get(f"Remove{member}"):
            changed[attribute] = None
        elif member in updates:
            changed[attribute] = getattr(given, attribute)
    if "encryption_option" in changed:
        changed["kms_key"] = given.kms_key
    return dataclasses.replace(own, **changed)


def _check_supported(configuration: Document) -> None:
    decode.refuse(configuration, _UNSUPPORTED, "Configuration")
    for name in sorted(_ENABLED_UNSUPPORTED):
        if any(value is True for value in configuration.get(name, {}).values()):
            raise decode.invalid(f"Configuration.{name} is not supported.")
