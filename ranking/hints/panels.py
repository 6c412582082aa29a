"""Which training sessions hints are learned from and tried on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ...knowledge.hint_store.reflections import MissQuery, settled_sessions
from ...knowledge.sessions.evidence import EvidenceIndex
from ...knowledge.sessions.sources import within_share
from ...knowledge.sessions.training_sessions import newest_sessions, session_keys
from ...llm.hints.reflection_prompt import REFLECTION_PROMPT_VERSION
from ...runtime.domain_cache import domain_of, evidence_of
from ...runtime.options import RunOptions
from ...settings import Settings
from .proof import FIRST_LOOK


def miss_query(options: RunOptions) -> MissQuery:
    """Return the query for misses that a run may learn from."""
    return MissQuery(
        prompted_model=options.prompted_model,
        retrieved=options.settings.candidates,
        asked_about=options.asked_about,
        reflect_model=options.reflect_model,
        reflect_version=REFLECTION_PROMPT_VERSION,
    )


async def sessions_to_learn(
    connection: AsyncConnection, domain_id: int, keys: Sequence[int], options: RunOptions
) -> list[int]:
    """Return the training sessions among `keys` that were not learned from yet, in seeded order."""
    among = keys[0] if len(keys) == 1 else None
    settled = await settled_sessions(connection, domain_id, miss_query(options), among=among)
    order = random.Random(options.seed).sample(keys, len(keys))
    return [key for key in order if key not in settled]


def largest_panel(settings: Settings) -> int:
    """Return on how many random sessions a hint in doubt is tried."""
    return settings.verify_random * settings.verify_doubtful


def unbiased_sessions(settings: Settings) -> int:
    """Return how many of the random sessions make the stats of hints.

    Beyond them, training tries only hints that did well on them, so those trials do not count.
    """
    return max(largest_panel(settings), settings.train_panel)


def random_sessions(keys: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw the sessions on which hints are tried.

    A smaller draw is the start of a larger one, and a session that is added later replaces only the
    last. So trials stay shared.

    Args:
        keys: The keys of training sessions, in the order they were loaded.
    """

    def place(key: int) -> bytes:
        return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()

    return sorted(keys, key=place)[:count]


async def sessions_to_tidy_by(
    connection: AsyncConnection, domain_id: int, settings: Settings
) -> tuple[list[int], int]:
    """Return the sessions that decide on stored hints; only a part of them came with any one key.

    Returns:
        Keys of the newest sessions, then of random ones; and how many are the newest.
    """
    share = settings.source_share
    newest = await newest_sessions(connection, domain_id, FIRST_LOOK, share)
    keys = await session_keys(connection, domain_id)
    trusted = await within_share(connection, domain_id, keys, share)
    drawn = random_sessions(trusted, largest_panel(settings), settings.seed)
    return list(dict.fromkeys([*newest, *drawn])), len(newest)


@dataclass(frozen=True, slots=True)
class Panel:
    """Training sessions on which a hint is tried.

    Attributes:
        first: Random ones, the same for every hint of a seed, which makes hints comparable and
            their rankings without a hint paid once; then perhaps near ones.
        more: Further random ones, for a hint in doubt.
    """

    first: Sequence[int]
    more: Sequence[int]


async def panel(domain: str, state: Mapping[str, Any], options: RunOptions) -> Panel:
    """Return the *other* training sessions on which a hint is tried, of one miss or of several.

    Args:
        domain: The domain's name.
        state: The state of the graph `learn`, with the session that was missed.

    Raises:
        InputError: The state holds no training session, or the domain has none.
    """
    own = state["training_session"]
    if own is None:
        raise InputError("training_session", "It is missing.", "Learn from a stored session.")
    misses: set[int] = {own, *(miss["session"] for miss in state.get("batch") or ())}
    index = await _evidence(domain, options)
    near = index.neighbours(state["history"], leave_out=own, count=options.settings.verify_near)
    drawn = _drawn(index.trusted_keys, options, misses)
    first = dict.fromkeys([*drawn.first, *(key for key in near if key not in misses)])
    return Panel(list(first), [key for key in drawn.more if key not in first])


async def random_panel(
    domain: str, options: RunOptions, *, leave_out: AbstractSet[int] = frozenset()
) -> Panel:
    """Return the random training sessions on which any hint of a domain is tried.

    Args:
        leave_out: Keys of the sessions on which the hint was proposed, where its gain is too high.

    Raises:
        InputError: The domain has no training sessions.
    """
    return _drawn((await _evidence(domain, options)).trusted_keys, options, leave_out)


async def drawn_sessions(domain: str, count: int, options: RunOptions) -> list[int]:
    """Return random training sessions, those of the panel first.

    Raises:
        InputError: The domain has no training sessions.
    """
    keys = (await _evidence(domain, options)).trusted_keys
    return random_sessions(keys, count, options.settings.seed)


def _drawn(keys: Sequence[int], options: RunOptions, leave_out: AbstractSet[int]) -> Panel:
    settings = options.settings
    few = settings.verify_random
    drawn = random_sessions(keys, largest_panel(settings), settings.seed)
    first = [key for key in drawn[:few] if key not in leave_out]
    return Panel(first, [key for key in drawn[few:] if key not in leave_out])


async def _evidence(domain: str, options: RunOptions) -> EvidenceIndex:
    found = await domain_of(options.services, domain, among=options.domains)
    index = await evidence_of(options.services, found)
    if index is None:
        raise InputError("domain", "It has no training sessions.", "Load some first.")
    return index
