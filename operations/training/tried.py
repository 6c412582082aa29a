"""Tries hints on training sessions, until enough is known to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...knowledge.hint_store.hints import Hint, HintAndEmbedding
from ...policies.recipes import PolicyRecipe
from ...policies.sets import Actions
from ...ranking.hints.panels import unbiased_sessions
from ...ranking.hints.proof import summary_of
from ...ranking.hints.rewards import RewardTable
from ...ranking.hints.trials import resolve_session
from ...ranking.state import RecommendState
from ...runtime.batch_calls import ask_ahead
from ...runtime.options import RunOptions
from ...runtime.progress import Progress
from .few_cells import BEST_HINTS, FewCells, panel_size, pay_for_few, tries_all_hints
from .own_cells import own_cells
from .panel import ask_every_hint, try_every_hint_on_panel
from .training_set import TrainingSet, other_hints, promising_hints, too_little_to_train


@dataclass(frozen=True, slots=True)
class Tried:
    """Hints, and the sessions that they were tried on.

    Attributes:
        states: Of the sessions, in random order, the panel first.
        hints: In the order of their actions, with the stats to train by.
        count: How many hints there are, with those that were tried on the panel alone.
        left_out: Ids of the active hints that the policy is not trained on; `None` if it may give
            any hint.
        table: What hints earn in sessions; it asks the model for what it does not know.
        own: From `own_cells`.
        few: What was paid for beyond the panel; `None` if training pays for every cell that it
            visits.
    """

    states: Sequence[RecommendState]
    hints: Sequence[HintAndEmbedding]
    count: int
    left_out: Sequence[int] | None
    table: RewardTable
    own: NDArray[np.bool_]
    few: FewCells | None

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows of `states` to train on."""
        if self.few is None:
            return np.arange(len(self.states), dtype=np.int64)
        return self.few.rows

    async def rewards(self, places: NDArray[np.int64], actions: Actions) -> Floats:
        """Return rewards, shape `[B]`; those of single hints cost nothing where `few` has them.

        Args:
            places: Of sessions in `rows`, `[B]`.
            actions: One for each, `[B]`; or several hints, `[B, K]`.

        Raises:
            BudgetSpentError: The budget is spent; paid trials are kept.
            ModelDownError: The model has been down for long; paid trials are kept.
        """
        if self.few is None:
            return await self.table.rewards(places, actions)
        return self.few.gains[places, actions]


async def try_hints(
    drawn: TrainingSet,
    recipe: PolicyRecipe,
    options: RunOptions,
    *,
    every_cell: bool,
    batch: bool,
    progress: Progress,
) -> Tried:
    """Try the hints on the panel, and then the best of them on the sessions beyond it.

    Args:
        drawn: What to train on.
        every_cell: Try all hints, and leave the trials beyond the panel to training, which pays for
            all it visits.
        batch: First ask the panel's questions in provider batches.
        progress: As for `train`.

    Raises:
        InputError: No hint is active any more.
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    states = await _resolved(drawn.sessions, options, progress)
    all_hints = tries_all_hints(len(states), options.settings, asked=every_cell)
    panel = states[: panel_size(len(states), options.settings, all_hints=all_hints)]
    if batch:
        pieces = [partial(ask_every_hint, state, drawn.hints, options) for state in panel]
        await ask_ahead(pieces, options, progress)
    table = await RewardTable.of(drawn.domain_id, states, drawn.hints, options)
    await try_every_hint_on_panel(table, len(panel), len(drawn.hints), progress)
    _, hints = await promising_hints(options)
    if not hints:  # all were retired meanwhile
        raise too_little_to_train(options.domain, 0, len(states))
    table = await RewardTable.of(drawn.domain_id, states, [hint for hint, _ in hints], options)
    own = await own_cells(states, hints, options)
    best = hints if all_hints else hints[:BEST_HINTS]
    own = own[:, : 1 + len(best)]
    several = options.settings.max_hints > 1 and recipe == "content"
    if all_hints or several:  # of sets, PPO has to try those that it learns of
        left_out = None if all_hints else await other_hints(best, options)
        return Tried(states, best, len(hints), left_out, table, own, None)
    few = await pay_for_few(table, states, [hint for hint, _ in best], own, options, progress)
    first = unbiased_sessions(options.settings)
    measured = _with_all_trials(best, table, own, few, first)
    return Tried(states, measured, len(hints), await other_hints(best, options), table, own, few)


def _with_all_trials(
    hints: Sequence[HintAndEmbedding],
    table: RewardTable,
    own: NDArray[np.bool_],
    few: FewCells,
    first: int,
) -> list[HintAndEmbedding]:
    """Return hints with the stats of all trials in random sessions, those visited included.

    Args:
        first: Rows before it count in the stored stats, too.
    """
    earlier = np.arange(min(first, len(own)))
    gains = table.known(earlier.tolist())[:, : own.shape[1]]
    gains[own[earlier]] = np.nan
    gains = np.vstack([gains, few.gains])
    return [
        (_with_trials(hint, gains[np.isfinite(gains[:, action]), action]), embedding)
        for action, (hint, embedding) in enumerate(hints, 1)
    ]


def _with_trials(hint: Hint, gains: Floats) -> Hint:
    summary = summary_of(gains)
    return replace(
        hint,
        trials=summary.n,
        mean_gain=summary.mean,
        gain_error=summary.error,
        helped=int((gains > 0).sum()),
        harmed=int((gains < 0).sum()),
    )


async def _resolved(
    keys: Sequence[int], options: RunOptions, progress: Progress
) -> list[RecommendState]:
    states: list[RecommendState] = []
    for done, key in enumerate(keys):
        progress("reading sessions", done, len(keys))
        states.append(await resolve_session(options.domain, key, options))
    progress("reading sessions", len(keys), len(keys))
    return states
