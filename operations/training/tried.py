"""Tries hints on training sessions, until enough is known to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...knowledge.hint_store.hints import HintAndEmbedding
from ...policies.cell_search import CellSearch
from ...policies.recipes import PolicyRecipe
from ...ranking.hints.rewards import RewardTable
from ...ranking.hints.trials import resolve_session
from ...ranking.state import RecommendState
from ...runtime.batch_calls import ask_ahead
from ...runtime.options import RunOptions
from ...runtime.progress import Progress
from .few_cells import Stopped, panel_size, pay_for_few, pays_for_every_cell
from .own_cells import own_cells
from .panel import ask_every_hint, try_on_panel
from .training_set import TrainingSet, promising_hints, too_little_to_train


@dataclass(frozen=True, slots=True)
class Tried:
    """Hints, and the sessions that they were tried on.

    Attributes:
        states: Of the sessions, in random order, the panel first.
        hints: In the order of their actions.
        table: What hints earn in sessions; it asks the model for what it does not know.
        own: From `own_cells`.
        search: Chose the cells beyond the panel; `None` if training pays for every cell that it
            visits.
        stopped: Why it chose no more.
    """

    states: Sequence[RecommendState]
    hints: Sequence[HintAndEmbedding]
    table: RewardTable
    own: NDArray[np.bool_]
    search: CellSearch | None
    stopped: Stopped | None

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows of `states` to train on."""
        if self.search is None:
            return np.arange(len(self.states), dtype=np.int64)
        return self.search.rows


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
        every_cell: Leave the trials beyond the panel to training, which pays for all it visits.
        batch: First ask the panel's questions in provider batches.
        progress: As for `train`.

    Raises:
        InputError: No hint is active any more.
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model has been down for long; paid trials are kept.
    """
    states = await _resolved(drawn.sessions, options, progress)
    every = pays_for_every_cell(len(states), options.settings, recipe, asked=every_cell)
    panel = states[: panel_size(len(states), options.settings, every_cell=every)]
    if batch:
        pieces = [partial(ask_every_hint, state, drawn.hints, options) for state in panel]
        await ask_ahead(pieces, options, progress)
    table = await RewardTable.of(drawn.domain_id, states, drawn.hints, options)
    await try_on_panel(table, len(panel), len(drawn.hints), progress)
    _, hints = await promising_hints(options)
    if not hints:  # all were retired meanwhile
        raise too_little_to_train(options.domain, 0, len(states))
    table = await RewardTable.of(drawn.domain_id, states, [hint for hint, _ in hints], options)
    own = await own_cells(states, hints, options)
    search, stopped = None, None
    if not every:
        search, stopped = await pay_for_few(table, states, hints, own, options, progress)
    return Tried(states, hints, table, own, search, stopped)


async def _resolved(
    keys: Sequence[int], options: RunOptions, progress: Progress
) -> list[RecommendState]:
    states: list[RecommendState] = []
    for done, key in enumerate(keys):
        progress("reading sessions", done, len(keys))
        states.append(await resolve_session(options.domain, key, options))
    progress("reading sessions", len(keys), len(keys))
    return states
