"""Draws the sessions that training works on, and takes the hints that are tried on them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from ...knowledge.first_stages import Forgotten
from ...knowledge.hint_store.hints import (
    Hint,
    HintAndEmbedding,
    active_hint_ids,
    best_hints,
    find_hints,
)
from ...ranking.hints.panels import random_sessions
from ...ranking.hints.stats import update_stats
from ...records import counted
from ...runtime.options import RunOptions
from ...runtime.progress import Progress
from ..database import in_domain
from ..first_stage.fit import refit_first_stage
from ..sessions.enough import ENOUGH_SESSIONS, FEWEST_TO_TRAIN


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What training works on.

    Attributes:
        domain_id: Key of the domain.
        sessions: Keys of the training sessions, in random order; the first ones are the panel.
        hints: The hints that are tried on the panel.
        forgotten: What went with the former first stage.
    """

    domain_id: int
    sessions: Sequence[int]
    hints: Sequence[Hint]
    forgotten: Forgotten


async def draw_training_set(
    options: RunOptions,
    sessions: Sequence[int],
    progress: Progress,
    hints: Sequence[int] | None = None,
) -> TrainingSet:
    """Return what to train on, and fit the first stage that its prompts depend on.

    Args:
        sessions: Keys to draw from.
        hints: Ids of the hints to try; `None` takes those with the most promise.

    Raises:
        InputError: There are too few sessions or active hints.
    """
    _, forgotten = await refit_first_stage(options, progress=progress)
    keys = random_sessions(sessions, options.settings.train_sessions, options.settings.seed)
    if hints is None:
        domain_id, measured = await promising_hints(options)
        chosen = [hint for hint, _ in measured]
    else:
        async with in_domain(options) as (connection, domain):
            domain_id, chosen = domain.id, await find_hints(connection, domain.id, hints)
    if not chosen or len(keys) < FEWEST_TO_TRAIN:
        raise too_little_to_train(options.domain, len(chosen), len(keys))
    return TrainingSet(domain_id, keys, chosen, forgotten)


async def require_enough_to_train(options: RunOptions, sessions: Sequence[int]) -> None:
    """Check that a training would have what `draw_training_set` needs, before it is planned.

    Args:
        sessions: Keys to draw from.

    Raises:
        InputError: There are too few sessions or active hints.
    """
    count = min(len(sessions), options.settings.train_sessions)
    async with in_domain(options) as (connection, domain):
        hints = await best_hints(connection, domain.id, count=options.settings.shortlist)
    if not hints or count < FEWEST_TO_TRAIN:
        raise too_little_to_train(options.domain, len(hints), count)


async def promising_hints(options: RunOptions) -> tuple[int, list[HintAndEmbedding]]:
    """Return a domain's key and its hints with the most promise, by all trials so far."""
    async with in_domain(options, write=True) as (connection, domain):
        await update_stats(connection, domain.id, options)
        count = options.settings.shortlist
        return domain.id, await best_hints(connection, domain.id, count=count)


async def other_hints(hints: Sequence[HintAndEmbedding], options: RunOptions) -> list[int]:
    """Return the ids of a domain's other active hints."""
    known = {hint.id for hint, _ in hints}
    async with in_domain(options) as (connection, domain):
        active = await active_hint_ids(connection, domain.id)
    return [hint for hint in active if hint not in known]


def too_little_to_train(domain: str, hints: int, sessions: int) -> InputError:
    """Return the error of a domain with too few sessions or active hints to train on."""
    remedy = (
        f"Run `re2llm learn --domain {shlex.quote(domain)}`, or add hints by hand: "
        "`re2llm hints add`. `re2llm measure` tells whether the model adds anything to learn from."
        if sessions >= ENOUGH_SESSIONS
        else f"At least {FEWEST_TO_TRAIN} sessions are needed, and about {ENOUGH_SESSIONS} are "
        "enough. Load more (`re2llm load … --sessions FILE`), then run `re2llm learn`. "
        "Until then, answers come without a hint."
    )
    return InputError(
        "domain",
        f"{domain!r} has {counted(hints, 'active hint')} and "
        f"{counted(sessions, 'training session')}.",
        remedy,
    )
