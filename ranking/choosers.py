"""The ways to choose a hint for a session, or none."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError, ReleaseMisfitError
from ..knowledge.hint_stats import best_measured
from ..knowledge.hints import UNSTORED, Hint, list_hints, nearest_hints
from ..knowledge.shortlist import active_among, shortlist
from ..records import Flag
from ..runtime.options import RunOptions
from ..settings import HintChoice
from .releases import served_policy, with_embeddings
from .state import RecommendState


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a policy chose.

    Attributes:
        hint: The hint, or `None`; of several, the first that was picked.
        probability: With which it was chosen; several hints, in any order.
        policy: Says more exactly what chose, such as a release; `None` where the name says it all.
        flags: What the caller should know about the choice.
        further: Of several hints, the others in the order in which they were picked.
        steps: Probability of each step of a policy that may pick several hints.
    """

    hint: Hint | None
    probability: float
    policy: str | None = None
    flags: tuple[Flag, ...] = ()
    further: tuple[Hint, ...] = ()
    steps: tuple[float, ...] = ()

    @property
    def hints(self) -> tuple[Hint, ...]:
        """All hints that were chosen, in the order in which they were picked."""
        return () if self.hint is None else (self.hint, *self.further)


Chooser = Callable[[AsyncConnection, RecommendState, RunOptions], Awaitable[Chosen]]


async def chosen_by_caller(
    connection: AsyncConnection, state: RecommendState, options: RunOptions
) -> Chosen:
    """Return the hint that the run's options name, whatever its status, or hold as a text."""
    if options.hint is not None:
        return Chosen(Hint(UNSTORED, options.hint, "pending"), 1.0, policy="given")
    for hint in await list_hints(connection, state["domain_id"]):
        if hint.id == options.hint_id:
            return Chosen(hint, 1.0, policy="given")
    raise InputError(
        "hint_id", f"The domain has no hint {options.hint_id}.", "`re2llm hints list` shows all."
    )


async def _none(*_: object) -> Chosen:
    return Chosen(None, 1.0)


async def _random(
    connection: AsyncConnection, state: RecommendState, options: RunOptions
) -> Chosen:
    hints = await list_hints(connection, state["domain_id"], status="active")
    if not hints:
        return Chosen(None, 1.0)
    return Chosen(random.Random(_session_seed(state, options)).choice(hints), 1 / len(hints))


async def _similar(connection: AsyncConnection, state: RecommendState, _: RunOptions) -> Chosen:
    embedding = np.array(state["session_embedding"], dtype=np.float32)
    nearest = await nearest_hints(connection, state["domain_id"], embedding, count=1)
    return Chosen(nearest[0][0] if nearest else None, 1.0)


async def _static(
    connection: AsyncConnection, state: RecommendState, options: RunOptions
) -> Chosen:
    version = (options.model, options.prompt_version)
    return Chosen(await best_measured(connection, state["domain_id"], *version), 1.0)


async def _ppo(connection: AsyncConnection, state: RecommendState, options: RunOptions) -> Chosen:
    domain, version = state["domain_id"], (options.model, options.prompt_version)
    try:
        served = await served_policy(options.services, connection, domain, *version)
    except ReleaseMisfitError as misfit:
        flags = () if misfit.other_mode else (Flag.RELEASE_SKIPPED,)
        best = await best_measured(connection, domain, *version, beyond_doubt=True)
        return Chosen(best, 1.0, policy="static", flags=flags)
    if served is None:
        return replace(await _static(connection, state, options), policy="static")
    if served.release.recipe == "paper":
        listed = await active_among(connection, state["domain_id"], served.release.hint_ids)
    else:
        embedding = np.array(state["session_embedding"], dtype=np.float32)
        count = options.settings.shortlist
        listed = await shortlist(connection, state["domain_id"], embedding, count=count)
    hints = await with_embeddings(options.services, connection, listed)
    seed = _session_seed(state, options) if options.settings.explore else None
    most = options.settings.max_hints
    chosen, picked = served.pick(state, hints, most=most, explore_seed=seed)
    first, *further = chosen or [None]
    name = f"ppo:{served.number}"
    more = tuple(hint for hint in further if hint is not None)
    return Chosen(first, picked.probability, policy=name, further=more, steps=picked.steps)


def _session_seed(state: RecommendState, options: RunOptions) -> int:
    content = json.dumps(
        [options.seed, state["history"], [i["id"] for i in state["candidate_items"]]]
    )
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:6])


CHOOSERS: Mapping[HintChoice, Chooser] = {
    "none": _none,
    "random": _random,
    "similar": _similar,
    "static": _static,
    "ppo": _ppo,
}
"""Every way to choose a hint."""


def hint_choice(name: str) -> HintChoice:
    """Return the hint policy of this name.

    Raises:
        InputError: There is none.
    """
    for choice in CHOOSERS:
        if choice == name:
            return choice
    raise InputError(
        "policy", f"There is no hint policy {name!r}.", f"Choose from {', '.join(CHOOSERS)}."
    )
