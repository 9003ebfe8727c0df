"""Pages of listings that grants narrow: full ones, whose tokens name nothing that is hidden."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from querysvc.service.access import Access, Action, TableGrant
from querysvc.service.permitted_catalog import PermittedRepository
from querysvc_catalog.model import Database, DatabaseName, Table
from querysvc_catalog.paging import Page
from querysvc_catalog.repository import CatalogRepository
from querysvc_catalog.service import CatalogService

SEEN = ("a", "c", "d", "f")
HIDDEN = ("hidden_b", "hidden_e", "zhidden")
READ = frozenset({Action.SELECT})
DATABASES = ("apple", "hidden_db", "pear", "zhidden_db")


@pytest.fixture
def permitted(repository: CatalogRepository, clock: Callable[[], datetime]) -> CatalogService:
    everything = CatalogService(repository, clock)
    everything.ensure_defaults()
    for name in DATABASES:
        everything.create_database(Database(name))
    for name in SEEN + HIDDEN:
        everything.create_table(Table(name, "apple"))
    grants = [TableGrant(READ, ("awsdatacatalog", "apple", name)) for name in SEEN]
    grants.append(TableGrant(READ, ("awsdatacatalog", "pear", "x")))
    access = Access(is_unrestricted=False, tables=tuple(grants))
    return CatalogService(PermittedRepository(repository, access), clock)


def pages(read: Callable[[str | None], Page[Table] | Page[Database]]) -> Iterator[list[str]]:
    token: str | None = None
    while True:
        page = read(token)
        yield [item.name for item in page.items]
        if page.next_token is None:
            return
        padded = page.next_token + "=" * (-len(page.next_token) % 4)
        assert b"hidden" not in base64.urlsafe_b64decode(padded)
        token = page.next_token


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_of_tables_are_full_and_their_tokens_tell_nothing(
    permitted: CatalogService, size: int
) -> None:
    place = DatabaseName("awsdatacatalog", "apple")
    found = list(pages(lambda t: permitted.list_tables(place, page_size=size, token=t)))
    assert found == [list(SEEN[at : at + size]) for at in range(0, len(SEEN), size)]


def test_tokens_of_a_search_tell_nothing(permitted: CatalogService) -> None:
    searched = pages(lambda token: permitted.search_tables("", page_size=1, token=token))
    assert list(searched) == [[name] for name in SEEN]


def test_pages_of_databases_are_full_and_their_tokens_tell_nothing(
    permitted: CatalogService,
) -> None:
    found = list(pages(lambda token: permitted.list_databases(page_size=1, token=token)))
    assert found == [["apple"], ["pear"]]
