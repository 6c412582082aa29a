"""Loads releases and the embeddings of hints, and keeps them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import ReleaseMisfitError
from ..knowledge.hint_store.hints import Hint, HintAndEmbedding
from ..knowledge.hint_store.shortlist import fetch_embeddings
from ..knowledge.prompted_model import PromptedModel
from ..knowledge.releases import fetch_release
from ..knowledge.served import active_release_number
from ..runtime.services import Services
from .served_policy import ServedPolicy, load_release


async def served_policy(
    services: Services,
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
) -> ServedPolicy | None:
    """Return a domain's active policy release, loaded once; `None` if it has none.

    Args:
        prompted_model: What gets the hints.

    Raises:
        ReleaseMisfitError: The release was trained for another encoder, prompt or model.
    """
    number = await active_release_number(connection, domain_id)
    if number is None:
        return None
    return await loaded_release(services, connection, domain_id, number, prompted_model)


async def loaded_release(
    services: Services,
    connection: AsyncConnection,
    domain_id: int,
    number: int,
    prompted_model: PromptedModel,
    *,
    slot: str = "policy",
) -> ServedPolicy:
    """Return a release, loaded once.

    Args:
        number: The release's number.
        prompted_model: What gets the hints.
        slot: The slot to keep it in; each slot of a domain keeps one release.

    Raises:
        InputError: There is no such release.
        ReleaseMisfitError: It was trained for another encoder, prompt or model.
    """

    async def build() -> ServedPolicy | ReleaseMisfitError:
        release = await fetch_release(connection, domain_id, number)
        try:
            return load_release(number, release, prompted_model)
        except ReleaseMisfitError as misfit:
            return misfit

    kept = services.caches.versions
    found = await kept.get(slot, (domain_id, prompted_model), number, build)
    if isinstance(found, ReleaseMisfitError):
        raise copy(found)  # each with a traceback of its own
    return found


async def with_embeddings(
    services: Services, connection: AsyncConnection, domain_id: int, hints: Sequence[Hint]
) -> list[HintAndEmbedding]:
    """Return a domain's hints with their embeddings, each read once."""
    kept = services.caches.hints
    known = {
        hint.id: found for hint in hints if (found := kept.get((domain_id, hint.id))) is not None
    }
    missing = [hint.id for hint in hints if hint.id not in known]
    if missing:
        fetched = await fetch_embeddings(connection, domain_id, missing)
        kept.update({(domain_id, hint): found for hint, found in fetched.items()})
        known |= fetched
    return [(hint, known[hint.id]) for hint in hints]
