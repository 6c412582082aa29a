"""Which page of a long list is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

PAGE_SIZE = 50
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class Paging:
    """A page of a list.

    Attributes:
        number: The number, from 1.
        total: Rows on all pages.
        size: Rows on one.
    """

    number: int
    total: int
    size: int = PAGE_SIZE

    @property
    def count(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def beyond(self) -> bool:
        """Whether it comes after the last page: the address is older than the list."""
        return self.number > self.count

    @property
    def previous(self) -> int:
        """The page before this one that there is; 0 before the first."""
        return min(self.number - 1, self.count)


def skipped(number: int, size: int = PAGE_SIZE) -> int:
    """Return how many rows come before a page.

    Args:
        number: The page's number, from 1.
        size: Rows on one page.
    """
    return (number - 1) * size
