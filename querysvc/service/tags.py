"""Tags: of work groups, which keep their own, and of resources of the catalog, kept by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.permissions import require_admin
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.repository import TagRepository
from querysvc.state.values import WorkGroupUpdate

WORK_GROUP: Final = "workgroup"


class ResourceTags:
    """Reads and changes tags; a resource is named by its kind and its name."""

    def __init__(self, tags: TagRepository, groups: WorkGroupService) -> None:
        self._tags = tags
        self._groups = groups

    def list(self, kind: str, name: str) -> Mapping[str, str]:
        """The tags of a resource; NOT_FOUND for a work group that does not exist."""
        if kind == WORK_GROUP:
            return self._of_group(name)
        return self._tags.tags(f"{kind}/{name}")

    def add(self, kind: str, name: str, tags: Mapping[str, str], principal: Principal) -> None:
        """Add or replace tags (admin role)."""
        require_admin(principal, "tagging")
        if kind == WORK_GROUP:
            changed = {**self._of_group(name), **tags}
            self._groups.update(name, WorkGroupUpdate(tags=changed), principal)
        else:
            self._tags.set_tags(f"{kind}/{name}", tags)

    def give(self, kind: str, name: str, tags: Mapping[str, str]) -> None:
        """The tags of a new resource, whose maker may name them; it has no others."""
        self.forget(kind, name)
        self._tags.set_tags(f"{kind}/{name}", tags)

    def forget(self, kind: str, name: str) -> None:
        """Drop the tags of a resource that was deleted."""
        resource = f"{kind}/{name}"
        self._tags.remove_tags(resource, list(self._tags.tags(resource)))

    def remove(self, kind: str, name: str, keys: Iterable[str], principal: Principal) -> None:
        """Remove tags (admin role)."""
        require_admin(principal, "tagging")
        if kind == WORK_GROUP:
            gone = set(keys)
            kept = {key: text for key, text in self._of_group(name).items() if key not in gone}
            self._groups.update(name, WorkGroupUpdate(tags=kept), principal)
        else:
            self._tags.remove_tags(f"{kind}/{name}", keys)

    def _of_group(self, name: str) -> Mapping[str, str]:
        try:
            return self._groups.get(name).tags
        except QueryServiceError as error:
            if error.code is ErrorCode.WORK_GROUP_NOT_FOUND:
                raise QueryServiceError(ErrorCode.NOT_FOUND, error.message) from error
            raise
