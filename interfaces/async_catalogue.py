"""Looking after catalogues with a `Re2llm` object's database and models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ..operations.catalogue.domains import delete_domain, list_domains
from ..operations.catalogue.items import search_items, show_item
from ..operations.catalogue.results import ItemsFound, ItemShown, ListedDomain, WithdrawnItems
from ..operations.catalogue.withdraw import withdraw_items
from ..runtime.context import Context


class AsyncCatalogue(ABC):
    """What an editor of the catalogues does."""

    @abstractmethod
    def context(self, **options: Any) -> Context:
        """Return a context that runs on the object's database and models."""

    async def adomains(self) -> list[ListedDomain]:
        """List the domains with counts of what each holds.

        Raises:
            DatabaseError: The database failed.
        """
        return await list_domains(self.context())

    async def adelete_domain(self, domain: str) -> ListedDomain:
        """Delete a domain with all its items, sessions, hints, releases and recommendations.

        Args:
            domain: Its name; there is no default.

        Returns:
            What was deleted.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await delete_domain(self.context(), domain)

    async def asearch_items(
        self, query: str, *, domain: str | None = None, count: int = 10
    ) -> ItemsFound:
        """Find items by title, despite typing errors; without any such title, by meaning.

        Args:
            query: A title or a part of one, or a description.
            domain: Its name; `None` takes the object's.
            count: The highest number to return.

        Raises:
            Re2llmError: There is no such domain.
        """
        return await search_items(self.context(), query, domain=domain, count=count)

    async def ashow_item(
        self, item: str, *, domain: str | None = None, count: int = 5
    ) -> ItemShown:
        """Show an item with its attributes, its popularity, and the items that go with it.

        Args:
            item: Its id or title.
            domain: Its name; `None` takes the object's.
            count: How many related items of each kind.

        Raises:
            Re2llmError: There is no such domain or item, or several items of that title.
        """
        return await show_item(self.context(), item, domain=domain, count=count)

    async def awithdraw_items(
        self, items: Sequence[str], *, domain: str | None = None
    ) -> WithdrawnItems:
        """Withdraw items: they are recommended no more, until they are loaded again.

        They stay known: histories and past sessions may go on naming them. A load of the domain
        is waited for.

        Args:
            items: Ids, or titles exactly as they are; all are withdrawn, or none.
            domain: Its name; `None` takes the object's.

        Raises:
            Re2llmError: There is no such domain or item, or several items of that title.
        """
        return await withdraw_items(self.context(), items, domain=domain)
