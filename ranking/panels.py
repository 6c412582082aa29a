"""Which training sessions hints are learned from and tried on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.domains import find_domain
from ..knowledge.reflections import settled_sessions
from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION
from ..runtime.domain_cache import evidence_of
from ..runtime.options import RunOptions


async def sessions_to_learn(
    connection: AsyncConnection, domain_id: int, keys: Sequence[int], options: RunOptions
) -> list[int]:
    """Return the training sessions among `keys` that were not learned from yet, in seeded order."""
    settled = await settled_sessions(
        connection,
        domain_id,
        options.model,
        options.prompt_version,
        REFLECTION_PROMPT_VERSION,
        retrieved=options.settings.candidates,
        among=keys[0] if len(keys) == 1 else None,
    )
    order = random.Random(options.seed).sample(keys, len(keys))
    return [key for key in order if key not in settled]


def random_sessions(keys: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw the sessions on which hints are tried.

    A smaller draw is the start of a larger one, and a session added later pushes none out but the
    last: so trials stay shared.

    Args:
        keys: Of training sessions, in the order they were loaded.
    """

    def place(key: int) -> bytes:
        return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()

    return sorted(keys, key=place)[:count]


async def panel(
    domain: str, state: Mapping[str, Any], options: RunOptions
) -> tuple[list[int], list[int]]:
    """Return the *other* training sessions on which a hint is tried.

    The random ones are the same for every hint of a seed, which makes hints comparable and their
    rankings without a hint paid once.

    Returns:
        Random sessions and then near ones; and further random ones, for a hint in doubt.
    """
    own = state["training_session"]
    settings = options.settings
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        index = await evidence_of(options.services, connection, found)
    if index is None or own is None:
        raise InputError("domain", "It has no training sessions.", "Load some first.")
    few = settings.verify_random
    drawn = random_sessions(index.keys, few * settings.verify_doubtful, settings.seed)
    near = index.neighbours(state["history"], leave_out=own, count=settings.verify_near)
    first = dict.fromkeys(key for key in [*drawn[:few], *near] if key != own)
    return list(first), [key for key in drawn[few:] if key != own and key not in first]
