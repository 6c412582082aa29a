"""Measures what the model adds to the first stage, before anything is learned or paid for more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...errors import InputError, Re2llmError
from ...ranking.hints.panels import random_sessions
from ...ranking.hints.trials import resolve_session, try_hint
from ...ranking.state import RecommendState
from ...runtime.context import Context
from ...runtime.outages import OutageGuard
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..sessions.enough import ENOUGH_SESSIONS
from ..sessions.selection import selected_sessions
from .fit import refit_first_stage
from .fusion import learn_fusions, what_it_adds

_STAGE = "asking the model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a model adds to the first stage.

    Attributes:
        domain: Name of the domain.
        model: Name of the model.
        fusion: The weight that serves from now on, the gain in NDCG@10 and its interval.
        says: The same as a sentence.
        llm_calls: Model calls, retries included; trials that were paid before cost none.
        cost: The cost by `RE2LLM_PRICES`.
        stopped: Why it stopped before all sessions were asked about, or `None`.
        trials_forgotten: Paid rankings of what a former first stage had chosen, which a new one has
            replaced.
        weights_forgotten: How hints were chosen, of each measured weight of a model that went, too.
    """

    domain: str
    model: str
    fusion: dict[str, Any]
    says: str
    llm_calls: int
    cost: float
    stopped: Re2llmError | None
    trials_forgotten: int = 0
    weights_forgotten: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON primitives; `stopped` is an error's document, or `None`."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**found, "stopped": None if self.stopped is None else self.stopped.as_dict()}


async def measure(
    context: Context,
    *,
    sessions: int = 300,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    progress: Progress = silent,
) -> Measured:
    """Ask the model about training sessions without a hint, and learn how much it should count.

    Args:
        context: The run's options; its budget's limits are not used.
        sessions: How many random training sessions to ask about at most.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        progress: Called with the stages `fitting the first stage` and `asking the model`.

    Raises:
        InputError: There is no such domain, or it has no training sessions.
        ModelDownError: The model answered about no session.
        BudgetSpentError: The budget was spent before it did.
    """
    fused = replace(context, fuse="learned")
    _, options, budget = await budgeted(
        fused, "measure", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    _, forgotten = await refit_first_stage(options, progress=progress)
    keys = random_sessions(await selected_sessions(options), sessions, options.settings.seed)
    if not keys:
        raise InputError(
            "domain",
            f"{options.domain!r} has no training sessions, so nothing can be measured.",
            f"Load some: re2llm load … --sessions FILE. About {ENOUGH_SESSIONS} are enough.",
        )
    asked: dict[int, RecommendState] = {}

    async def ask(key: int) -> None:
        state = await resolve_session(options.domain, key, options)
        await try_hint(state, None, options)
        asked[key] = state
        progress(_STAGE, len(asked), len(keys))

    progress(_STAGE, 0, len(keys))
    outages = OutageGuard(options, options.settings.concurrency, reflects=False)
    stopped = await outages.work_through(keys, ask)
    states = [asked[key] for key in keys if key in asked]  # whichever was answered first
    learned = None
    if states:
        none = np.zeros(len(states), dtype=np.int64)
        learned = (await learn_fusions(states, [], {"none": none}, options)).get("none")
    if learned is None:
        raise (
            stopped
            or outages.last
            or InputError("model", f"{options.model} answered nothing.", "Try `re2llm doctor`.")
        )
    fusion = learned.as_dict()
    return Measured(
        domain=options.domain,
        model=options.model,
        fusion=fusion,
        says=what_it_adds(fusion),
        **spent(budget),
        **forgotten.paid(),
        stopped=stopped,
    )
