"""Which training sessions hints are learned from and tried on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..knowledge.domains import find_domain
from ..runtime.domain_cache import evidence_of
from ..runtime.options import RunOptions


def learning_order(keys: list[int], seed: int) -> list[int]:
    """Return the seeded order in which training sessions are learnt from.

    Args:
        keys: Of the sessions to learn from, in the order they were loaded.
        seed: Of the shuffle.
    """
    return random.Random(seed).sample(keys, len(keys))


def random_sessions(keys: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw the sessions on which hints are tried.

    A smaller draw is the start of a larger one, and a session added later pushes none out but the
    last: so trials stay shared.

    Args:
        keys: Of training sessions, in the order they were loaded.
        count: How many to draw.
        seed: Of the draw.
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

    Args:
        domain: The catalogue's name.
        state: With the training session and its history.
        options: The run's options.

    Returns:
        Random sessions and then near ones; and further random ones, for a hint in doubt.
    """
    own = state["training_session"]
    settings = options.settings
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        index = await evidence_of(options.services, connection, found)
    if index is None or own is None:
        raise InputError("domain", "It has no training sessions.", "Load some.")
    few = settings.verify_random
    drawn = random_sessions(index.keys, few * settings.verify_doubtful, settings.seed)
    near = index.neighbours(state["history"], leave_out=own, count=settings.verify_near)
    first = dict.fromkeys(key for key in [*drawn[:few], *near] if key != own)
    return list(first), [key for key in drawn[few:] if key != own and key not in first]
