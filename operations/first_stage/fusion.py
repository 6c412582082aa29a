"""Learns what weight the model's opinion should have against the first stage's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import Floats
from ...knowledge.fusions import store_fusions
from ...knowledge.hint_store.hints import NO_HINT, Hint, in_order, set_key
from ...knowledge.hint_store.trials import answers
from ...knowledge.jobs.jobs import hold_running
from ...policies.fusion import FEWEST_SESSIONS, Fusion, Opinions, learn_fusion, mean_places
from ...policies.sets import Actions, hint_sets
from ...ranking.opinion import opinion
from ...ranking.prompt import candidates, prompt_size
from ...ranking.state import RecommendState
from ...records import counted
from ...runtime.options import RunOptions
from ..database import in_domain


async def learn_fusions(
    states: Sequence[RecommendState],
    hints: Sequence[Hint],
    actions: Mapping[str, Actions],
    options: RunOptions,
) -> dict[str, Fusion]:
    """Learn the weight of the model's opinion for each way to choose hints.

    It is stored at once, except for `ppo`: that belongs to the release, and is stored with it.

    Args:
        states: Training sessions whose trials are paid; a missing one is left out.
        hints: The hints in the order of their actions; action 0 is no hint.
        actions: By the way to choose: the action in each session, or several hints, `[S, K]`; -1
            where none may count.

    Returns:
        What was learned, by the way to choose.
    """
    keys = {name: _keys(chosen, hints) for name, chosen in actions.items()}
    wanted = {NO_HINT, *(key for chosen in keys.values() for key in chosen if key is not None)}
    async with in_domain(options) as (connection, domain):
        said = await answers(connection, domain.id, options.prompted_model, sorted(wanted))
    plain = [_opinion(state, said, NO_HINT, options) for state in states]
    places = mean_places([values for values in plain if values is not None])
    learned: dict[str, Fusion] = {}
    for name, chosen in keys.items():
        rows: list[tuple[Floats, Floats, int]] = []
        for state, key in zip(states, chosen, strict=True):
            values = None if key is None else _opinion(state, said, key, options)
            if values is not None:
                rows.append((np.array(state.get("first_stage", [])), values, chosen_row(state)))
        if rows:
            first, opinions, targets = zip(*rows, strict=True)
            learned[name] = learn_fusion(Opinions(first, opinions, targets), places)
    stored = {name: one.as_dict() for name, one in learned.items() if name != "ppo"}
    async with in_domain(options, write=True) as (connection, domain):
        await hold_running(connection, options.job)
        await store_fusions(connection, domain.id, options.prompted_model, stored)
    return learned


def _keys(actions: Actions, hints: Sequence[Hint]) -> list[bytes | None]:
    """Return the key of what each session was given; `None` where nothing may count."""
    counts = actions.reshape(len(actions), -1).min(axis=1) >= 0
    return [
        set_key([hint.text for hint in in_order([hints[action - 1] for action in chosen])])
        if counted
        else None
        for chosen, counted in zip(hint_sets(actions), counts, strict=True)
    ]


def _opinion(
    state: RecommendState,
    said: Mapping[tuple[int, bytes], str],
    key: bytes,
    options: RunOptions,
) -> Floats | None:
    answer = said.get((state.get("training_session") or 0, key))
    if answer is None:
        return None
    return opinion(options.prompt.read(answer, candidates(state)), prompt_size(state))


def chosen_row(state: RecommendState) -> int:
    """Return the target's place among the candidates, from 0."""
    target = state.get("target")
    return next(row for row, item in enumerate(state["candidate_items"]) if item["id"] == target)


def what_it_adds(fusion: Mapping[str, Any]) -> str:
    """Say in a sentence what a model adds to the first stage.

    Args:
        fusion: A fusion from `Fusion.as_dict`.
    """
    if not fusion["sessions"]:
        return (
            "What the model adds was not measured: too few sessions have its answers. "
            f"At least {FEWEST_SESSIONS} are needed."
        )
    interval = f"{fusion['low']:+.4f} to {fusion['high']:+.4f}"
    found = (
        f"{fusion['gain']:+.4f} NDCG@10 (95 % interval {interval}, "
        f"{counted(fusion['sessions'], 'session')})"
    )
    if not fusion["weight"]:
        return (
            f"The model adds nothing measurable to the first stage: {found}. "
            "Serve without it: RE2LLM_FUSE=first_stage."
        )
    doubt = "" if fusion["low"] > 0 else " That may be chance."
    return f"The model adds to the first stage: {found}, at weight {fusion['weight']}.{doubt}"
