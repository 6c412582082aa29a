"""Leaves out of a request's candidates what the catalogue offers no more."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..knowledge.domains import Domain
from ..runtime.domain_cache import withdrawn_of
from ..runtime.services import Services


async def offered(
    services: Services, domain: Domain, candidates: Sequence[str] | None
) -> list[str] | None:
    """Return a request's candidates without withdrawn items; none stays none.

    Raises:
        InputError: Withdrawn items leave fewer than two.
    """
    if candidates is None:
        return None
    withdrawn = await withdrawn_of(services, domain)
    left = [item for item in candidates if item not in withdrawn]
    if len(left) < len(candidates) and len(set(left)) <= 1:
        raise InputError(
            "candidates",
            "Without items that were withdrawn, they are fewer than two.",
            "Send others, or none, or load the items again.",
        )
    return left
