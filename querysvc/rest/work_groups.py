"""/v1/work-groups: settings and limits that queries run under."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from querysvc.model import ResultConfiguration
from querysvc.rest.security import Caller
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.values import (
    GuardPolicy,
    GuardPolicyName,
    StorageClassScope,
    WorkGroup,
    WorkGroupLimits,
    WorkGroupState,
    WorkGroupUpdate,
)


class Guard(BaseModel):
    """The storage rules: `strict` refuses, `athena` does as Athena does and reports."""

    model_config = ConfigDict(extra="forbid")

    name: GuardPolicyName = GuardPolicyName.STRICT
    storage_class_scope: StorageClassScope = StorageClassScope.SCAN
    read_restored_glacier_objects: bool = False
    allows_requester_pays: bool = False
    counts_sse_s3_as_unencrypted: bool = False


_COUNT_MAX = (1 << 31) - 1
_BYTES_MAX = (1 << 63) - 1
Count = Annotated[int | None, Field(ge=1, le=_COUNT_MAX)]
Bytes = Annotated[int | None, Field(ge=1, le=_BYTES_MAX)]


class Limits(BaseModel):
    """What queries may take; null is the service's own limit, or none."""

    model_config = ConfigDict(extra="forbid")

    running_max: Count = None
    queued_max: int | None = Field(None, ge=0, le=_COUNT_MAX)
    submissions_per_second: float | None = Field(None, gt=0)
    submissions_burst: Count = None
    running_per_user_max: Count = None
    open_per_user_max: Count = None
    scanned_bytes_max: Bytes = None
    scanned_bytes_per_hour_max: Bytes = None
    scanned_bytes_per_day_max: Bytes = None
    scanned_bytes_per_month_max: Bytes = None
    result_bytes_max: Bytes = None
    timeout_seconds: float | None = Field(None, gt=0)
    memory_bytes: int | None = Field(None, ge=1 << 20, le=_BYTES_MAX)
    spill_bytes: int | None = Field(None, ge=0, le=_BYTES_MAX)


class WorkGroupChange(BaseModel):
    """The fields to set; those left out keep their value (or take the default on creation)."""

    model_config = ConfigDict(extra="forbid")

    state: WorkGroupState | None = None
    description: str | None = None
    enforces_configuration: bool | None = None
    output_location: str | None = None
    guard: Guard | None = None
    limits: Limits | None = None
    managed_results_enabled: bool | None = None

    def update(self) -> WorkGroupUpdate:
        """The change as the core takes it."""
        location = self.output_location
        return WorkGroupUpdate(
            state=self.state,
            description=self.description,
            enforces_configuration=self.enforces_configuration,
            result_configuration=(
                None if location is None else ResultConfiguration(output_location=location)
            ),
            guard=None if self.guard is None else GuardPolicy(**self.guard.model_dump()),
            limits=None if self.limits is None else WorkGroupLimits(**self.limits.model_dump()),
            managed_results_enabled=self.managed_results_enabled,
        )


class NewWorkGroup(WorkGroupChange):
    """A work group to create."""

    name: str = Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")

    def work_group(self) -> WorkGroup:
        """The new work group as the core takes it."""
        update = self.update()
        given = {
            field.name: value
            for field in fields(update)
            if (value := getattr(update, field.name)) is not None
        }
        return WorkGroup(name=self.name, **given)


class WorkGroupResource(BaseModel):
    """A work group."""

    name: str
    state: WorkGroupState
    description: str | None
    enforces_configuration: bool
    output_location: str | None
    guard: Guard
    limits: Limits
    managed_results_enabled: bool
    created_at: datetime | None

    @classmethod
    def of(cls, group: WorkGroup) -> WorkGroupResource:
        """From the core's value."""
        return cls(
            name=group.name,
            state=group.state,
            description=group.description,
            enforces_configuration=group.enforces_configuration,
            output_location=group.result_configuration.output_location,
            guard=Guard.model_validate(group.guard, from_attributes=True),
            limits=Limits.model_validate(group.limits, from_attributes=True),
            managed_results_enabled=group.managed_results_enabled,
            created_at=group.created_at,
        )


class WorkGroupList(BaseModel):
    """All work groups by name."""

    work_groups: list[WorkGroupResource]


def router(service: WorkGroupService) -> APIRouter:
    """The routes over the work groups."""
    routes = APIRouter(prefix="/v1/work-groups", tags=["work groups"])

    @routes.get("", operation_id="listWorkGroups")
    async def list_all(_: Caller) -> WorkGroupList:
        """List the work groups."""
        groups = await asyncio.to_thread(service.list)
        return WorkGroupList(work_groups=[WorkGroupResource.of(group) for group in groups])

    @routes.post("", status_code=201, operation_id="createWorkGroup")
    async def create(body: NewWorkGroup, caller: Caller) -> WorkGroupResource:
        """Create a work group."""
        group = await asyncio.to_thread(service.create, body.work_group(), caller)
        return WorkGroupResource.of(group)

    @routes.get("/{name}", operation_id="getWorkGroup")
    async def get(name: str, _: Caller) -> WorkGroupResource:
        """One work group."""
        return WorkGroupResource.of(await asyncio.to_thread(service.get, name))

    @routes.patch("/{name}", operation_id="updateWorkGroup")
    async def update(name: str, body: WorkGroupChange, caller: Caller) -> WorkGroupResource:
        """Change some fields of a work group."""
        group = await asyncio.to_thread(service.update, name, body.update(), caller)
        return WorkGroupResource.of(group)

    @routes.delete("/{name}", status_code=204, operation_id="deleteWorkGroup")
    async def delete(
        name: str,
        caller: Caller,
        recursive: bool = Query(False, description="Also delete the statements saved in it."),
    ) -> Response:
        """Delete a work group."""
        await asyncio.to_thread(service.delete, name, caller, recursive=recursive)
        return Response(status_code=204)

    return routes
