"""/v1/grants: who may do what on tables, locations and work groups."""

from __future__ import annotations

import asyncio
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from querysvc.rest.security import Caller
from querysvc.service.policies import GrantRequest, Policies
from querysvc.state.values import Grant


class NewGrant(BaseModel):
    """A grant to make."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(description="`user:<name>`, `role:<name>`, `key:<id>`, or `*` for everybody.")
    actions: list[str] = Field(
        description="On a table: SELECT, DESCRIBE, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP."
        " On a location: USE. On a work group: USE, READ_RESULTS."
    )
    on: str = Field(
        description="`table:database.table` (`*` for all of a part), `location:s3://bucket/prefix`"
        " or `work_group:name`."
    )
    columns: list[str] | None = Field(None, description="Only these columns (SELECT, DESCRIBE).")
    row_filter: str | None = Field(
        None, description="Only rows of which this SQL expression is true (SELECT, DESCRIBE)."
    )

    def request(self) -> GrantRequest:
        """The grant as the core takes it."""
        columns = None if self.columns is None else tuple(self.columns)
        return GrantRequest(self.to, tuple(self.actions), self.on, columns, self.row_filter)


class GrantResource(BaseModel):
    """A grant."""

    id: str
    to: str
    actions: list[str]
    on: str
    columns: list[str] | None
    row_filter: str | None
    created_at: datetime | None
    created_by: str | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> GrantResource:
        """From the core's value."""
        return cls(
            id=grant.id,
            to=grant.grantee,
            actions=sorted(grant.actions),
            on=f"{grant.kind}:{grant.resource}",
            columns=None if grant.columns is None else list(grant.columns),
            row_filter=grant.row_filter,
            created_at=grant.created_at,
            created_by=grant.created_by,
            revoked_at=grant.revoked_at,
        )


class GrantList(BaseModel):
    """Grants by the times that they were made."""

    grants: list[GrantResource]


def router(policies: Policies) -> APIRouter:
    """The routes over the grants."""
    routes = APIRouter(prefix="/v1/grants", tags=["grants"])

    @routes.get("", operation_id="listGrants")
    async def list_all(caller: Caller) -> GrantList:
        """List all grants, revoked ones too; without the role admin, one's own valid ones."""
        found = await asyncio.to_thread(policies.list, caller)
        return GrantList(grants=[GrantResource.of(grant) for grant in found])

    @routes.post("", status_code=201, operation_id="createGrant")
    async def create(body: NewGrant, caller: Caller) -> GrantResource:
        """Grant actions on a resource; a kind of resource is open until its first grant."""
        return GrantResource.of(await asyncio.to_thread(policies.create, body.request(), caller))

    @routes.delete("/{grant_id}", status_code=204, operation_id="revokeGrant")
    async def revoke(grant_id: str, caller: Caller) -> Response:
        """Revoke a grant at once."""
        await asyncio.to_thread(policies.revoke, grant_id, caller)
        return Response(status_code=204)

    return routes
