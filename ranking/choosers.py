"""The ways to choose a hint for a session, or none."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError, ReleaseMisfitError
from ..knowledge.hint_store.hints import UNSTORED, Hint, list_hints
from ..knowledge.hint_store.near_hints import nearest_hints
from ..knowledge.hint_store.stats import best_measured
from ..knowledge.log.feedback import HintChosen
from ..knowledge.releases import RELEASE
from ..records import Flag
from ..runtime.options import RunOptions
from ..settings import HintChoice
from .canary import with_canary
from .chosen import Chosen
from .release_cache import loaded_release
from .release_hints import release_hints
from .serving_state import serving_state_of
from .state import RecommendState

Chooser = Callable[[RecommendState, RunOptions], Awaitable[Chosen]]


async def chosen_by_caller(state: RecommendState, options: RunOptions) -> Chosen:
    """Return the hint that the run's options name, whatever its status, or hold as a text.

    Raises:
        InputError: The domain has no such hint.
    """
    if options.hint is not None:
        return Chosen(Hint(UNSTORED, options.hint, "pending"), 1.0, policy="given")
    async with options.services.autocommit.connect() as connection:
        hints = await list_hints(connection, state["domain_id"])
    for hint in hints:
        if hint.id == options.hint_id:
            return Chosen(hint, 1.0, policy="given")
    raise InputError(
        "hint_id", f"The domain has no hint {options.hint_id}.", "`re2llm hints list` shows all."
    )


async def _none(*_: object) -> Chosen:
    return Chosen(None, 1.0)


async def _random(state: RecommendState, options: RunOptions) -> Chosen:
    async with options.services.autocommit.connect() as connection:
        hints = await list_hints(connection, state["domain_id"], status="active")
    if not hints:
        return Chosen(None, 1.0)
    return Chosen(random.Random(_drawing_seed(state, options)).choice(hints), 1 / len(hints))


async def _similar(state: RecommendState, options: RunOptions) -> Chosen:
    embedding = np.array(state["session_embedding"], dtype=np.float32)
    async with options.services.autocommit.connect() as connection:
        nearest = await nearest_hints(connection, state["domain_id"], embedding, count=1)
    return Chosen(nearest[0][0] if nearest else None, 1.0)


async def _static(state: RecommendState, options: RunOptions) -> Chosen:
    return Chosen((await serving_state_of(options, state["domain"])).best, 1.0)


async def _beyond_doubt(state: RecommendState, options: RunOptions) -> Hint | None:
    domain, prompted_model = state["domain_id"], options.prompted_model

    async def read(connection: AsyncConnection) -> Hint | None:
        return await best_measured(connection, domain, prompted_model, beyond_doubt=True)

    return await options.services.read_once(("best hint", domain, prompted_model), read)


async def _ppo(state: RecommendState, options: RunOptions) -> Chosen:
    serving = await serving_state_of(options, state["domain"])
    rollout = serving.rollout
    listed: list[Hint] = []  # both releases of a rollout choose from the same ones
    seed = _drawing_seed(state, options) if options.settings.explore else None
    try:
        control = await _by_release(state, options, serving.release, listed, seed)
    except ReleaseMisfitError as misfit:
        flags = () if misfit.other_mode else (Flag.RELEASE_SKIPPED,)
        best = await _beyond_doubt(state, options)
        control = Chosen(best, 1.0, policy="static", flags=flags)
    # Requests that are not logged are evaluations, and take part in no rollout.
    if rollout is None or not options.record or not options.in_rollout:
        return control

    async def canary() -> Chosen:
        release = rollout.release
        return await _by_release(state, options, release, listed, seed, slot="canary")

    try:
        return await with_canary(rollout, state, control, canary)
    except ReleaseMisfitError:  # the request does not fit the release, so it is in no rollout
        return control


async def _by_release(
    state: RecommendState,
    options: RunOptions,
    number: int | None,
    shortlisted: list[Hint],
    seed: int | None,
    *,
    slot: str = "policy",
) -> Chosen:
    """Let a release choose; without one, take the best measured hint.

    Args:
        shortlisted: The request's shortlist, filled in by the first release that needs it.
        seed: Draws from the release's probabilities; `None` takes the likeliest hints.

    Raises:
        ReleaseMisfitError: The release was trained for another encoder, prompt or model.
    """
    if number is None:
        return replace(await _static(state, options), policy="static")
    domain, services = state["domain_id"], options.services
    async with services.autocommit.connect() as connection:
        served = await loaded_release(
            services, connection, domain, number, options.prompted_model, slot=slot
        )
        hints = await release_hints(served, state, options, connection, shortlisted=shortlisted)
    most = options.settings.max_hints
    chosen, picked = served.pick(state, hints, most=most, explore_seed=seed)
    first, *further = chosen or [None]

    def drawn(choice: HintChosen) -> float:
        return served.likelihood(state, hints, choice, most=most, sampled=True)

    return Chosen(
        first,
        picked.probability,
        policy=f"{RELEASE}{number}",
        further=tuple(hint for hint in further if hint is not None),
        steps=picked.steps,
        drawn=None if seed is None else drawn,
    )


def _drawing_seed(state: RecommendState, options: RunOptions) -> int:
    """Return the seed of a request's random choice.

    The same user gets the same hint for the same request. Anonymous requests are drawn
    independently. Otherwise a popular session would always get one hint, and the log would say
    nothing about the other hints.
    """
    who = state.get("requester")
    if not who and options.record and not options.seeded:
        who = secrets.token_hex()
    items = [item["id"] for item in state["candidate_items"]]
    content = json.dumps([options.seed, state["history"], items, *([who] if who else [])])
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
