"""The report's pictures of the gain by the number of hints and of training sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...evaluation.report.comparison import gains_over
from ...evaluation.report.page import Picture
from ...evaluation.report.pictures import gain_by_size
from ...evaluation.report.sizes import (
    FEWEST_SESSIONS,
    Cells,
    SizePoint,
    by_hints,
    by_sessions,
    sizes_up_to,
)
from ...evaluation.session_groups import session_groups
from ...knowledge.hint_store.hints import HintAndEmbedding, hint_key
from ...knowledge.hint_store.shortlist import active_among
from ...knowledge.hint_store.trials import gains
from ...ranking.gather import gather
from ...ranking.hints.trials import resolve_session
from ...ranking.policy_inputs import session_state
from ...ranking.release_cache import with_embeddings
from ...ranking.state import RecommendState
from ...records import counted
from ...runtime.options import RunOptions
from ...runtime.progress import Progress
from ..catalogue.titles import in_catalogue
from ..database import in_domain
from .evaluate import Evaluation

_LEAST_HINTS = 2
_HEADINGS = ("Gain by the number of hints", "Gain by the number of training sessions")
_STAGE = "training for the pictures"
_SOURCE = (
    "Each point is a separate training on stored trials of {}, evaluated on the evaluated sessions "
    "from what `oracle` has paid for, with no further model calls. The default recipe, one seed, "
    "95 % intervals over sessions. The last point is not the active release, so its gain may "
    "differ from the one in the tables. "
)


async def size_pictures(
    evaluation: Evaluation, options: RunOptions, progress: Progress
) -> list[Picture]:
    """Return both pictures, or why they are missing.

    Args:
        evaluation: An evaluation with its cells, from `oracle`.
    """
    async with in_domain(options) as (connection, domain):
        tried = list(evaluation.cells)
        listed = await active_among(connection, domain.id, tried, options.prompted_model)
        hints = await with_embeddings(options.services, connection, domain.id, listed)
    if len(hints) < _LEAST_HINTS:
        return _missing("it needs `oracle` and at least two active hints.")
    train = await _training_cells(hints, options)
    if train is None:
        return _missing(
            f"it needs {FEWEST_SESSIONS} training sessions on which every active hint was tried; "
            "`re2llm train` tries them on RE2LLM_TRAIN_PANEL sessions."
        )
    test = await _test_cells(evaluation, hints, options)
    count = len(train.states)
    points = len(sizes_up_to(len(hints), 1)) + len(sizes_up_to(count, FEWEST_SESSIONS))
    loop = asyncio.get_running_loop()
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        loop.call_soon_threadsafe(progress, _STAGE, done, points)

    progress(_STAGE, 0, points)
    embeddings = np.stack([embedding for _, embedding in hints])
    hinted, trained = [
        await asyncio.to_thread(
            draw, train, test, embeddings, seed=evaluation.seed, on_point=advance
        )
        for draw in (by_hints, by_sessions)
    ]
    return _pictures(hinted, trained, hints=len(hints), sessions=count)


def _pictures(
    hinted: Sequence[SizePoint], trained: Sequence[SizePoint], *, hints: int, sessions: int
) -> list[Picture]:
    return [
        Picture(
            _HEADINGS[0],
            _SOURCE.format(counted(sessions, "training session"))
            + "Hints in the order in which they were learned.",
            gain_by_size("kb", "number of hints", hinted),
            "The gain with more hints. It is good if the line of the policy rises, and lies above "
            "that of the best single hint.",
        ),
        Picture(
            _HEADINGS[1],
            _SOURCE.format("that many training sessions, drawn at random")
            + f"{counted(hints, 'hint')}, with stats from those sessions alone; but they were "
            "learned and verified with more.",
            gain_by_size("few", "number of training sessions", trained),
            "The gain with more training sessions. It is good if the line of the policy rises; "
            "where it still rises at the end, load more sessions.",
        ),
    ]


def _missing(why: str) -> list[Picture]:
    return [Picture(heading, f"Missing: {why}") for heading in _HEADINGS]


async def _training_cells(hints: Sequence[HintAndEmbedding], options: RunOptions) -> Cells | None:
    """Return the training sessions on which every hint was tried, unless they are too few."""
    columns = {hint_key(hint.text): column for column, (hint, _) in enumerate(hints)}
    async with in_domain(options) as (connection, domain):
        paid = await gains(connection, domain.id, options.prompted_model, list(columns))
    tried: dict[int, dict[int, float]] = {}
    for gain in paid:
        tried.setdefault(gain.session_id, {})[columns[gain.hint_key]] = gain.gain
    complete = sorted(key for key, row in tried.items() if len(row) == len(hints))
    if len(complete) < FEWEST_SESSIONS:
        return None
    states = [
        session_state(await resolve_session(options.domain, key, options), "content")
        for key in complete
    ]
    table = [[tried[key][column] for column in range(len(hints))] for key in complete]
    return Cells(np.stack(states), np.array(table))


async def _test_cells(
    evaluation: Evaluation, hints: Sequence[HintAndEmbedding], options: RunOptions
) -> Cells:
    states: list[Any] = []
    async with in_catalogue(options, None) as finder:
        for session in evaluation.sessions:
            asked: dict[str, Any] = {
                "history": list(session.history),
                "candidates": list(session.candidates or ()),
            }
            resolved = await gather(finder.domain, cast("RecommendState", asked), options)
            states.append(session_state(cast("RecommendState", resolved), "content"))
    table = [gains_over(evaluation.cells[hint.id], evaluation.cells[0]) for hint, _ in hints]
    groups = session_groups(evaluation.sessions)
    return Cells(np.stack(states), np.stack(table, axis=1), groups)
