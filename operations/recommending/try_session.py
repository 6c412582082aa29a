"""Ranks one session with the hint and without it, to show what the hint changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ...llm.prices import call_cost
from ...ranking.model_ranking import needs_model
from ...ranking.prompt import ranking_prompt
from ...ranking.state import RecommendState
from ...records import Flag
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..hints.pages import measured_hint
from ..results import Recommended
from .recommend import recommend

_ID = "id:"


@dataclass(frozen=True, slots=True)
class TriedRanking:
    """A ranking, and what the model was asked and said for it.

    Attributes:
        recommended: The answer.
        prompt: Role and text of each message; empty where the model was not asked.
        answer: The model's own words.
        tokens: `in`, `out`, and `cached` of those in.
        latency_ms: Latency of the model's call or calls, in milliseconds.
        cost: The cost by `RE2LLM_PRICES`; `None` without a price.
    """

    recommended: Recommended
    prompt: list[tuple[str, str]]
    answer: str
    tokens: Mapping[str, int]
    latency_ms: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A session's ranking with the hint, and without it.

    Attributes:
        hinted: The ranking as it is served.
        plain: The ranking without a hint; `None` if the served one has none either.
        moved: How many places each item has risen by the hint, by its id; negative where it fell.
    """

    hinted: TriedRanking
    plain: TriedRanking | None
    moved: Mapping[str, int] = field(default_factory=dict[str, int])


async def try_session(
    context: Context,
    history: Sequence[str],
    *,
    candidates: Sequence[str] | None = None,
    k: int = 10,
    hint: int | None = None,
) -> Comparison:
    """Rank a session as it is served, and again without a hint, if one was given.

    Only the first ranking is logged, so that feedback belongs to it. A live rollout has no part in
    it: a person who tries something out says nothing of the people that it is decided on.

    Args:
        context: The run's options; names the domain.
        history: Ids of what was chosen so far, oldest first.
        candidates: Ids of what to rank; `None` retrieves some.
        k: How many items to show.
        hint: The hint to give; `None` lets the policy choose.

    Raises:
        Re2llmError: The session cannot be ranked, or there is no such hint.
    """
    context = replace(context, in_rollout=False)
    if hint is not None:
        await measured_hint(context, hint)
        context = replace(context, hint_id=hint)
    hinted = await _tried(context, history, candidates, k)
    made = hinted.recommended
    if made.hint.text is None:
        return Comparison(hinted, None)
    without = replace(context, policy="none", hint_id=None, record=False)
    # The same candidates: first-stage scores are relative to the list they were made for.
    plain = await _tried(without, history, candidates, k)
    places = {item: place for place, item in enumerate(plain.recommended.ranking)}
    moved = {
        item: places[item] - place for place, item in enumerate(made.ranking) if item in places
    }
    return Comparison(hinted, plain, moved)


async def _tried(
    context: Context, history: Sequence[str], candidates: Sequence[str] | None, k: int
) -> TriedRanking:
    state: dict[str, Any] = {}
    made = await recommend(
        context,
        [_ID + item for item in history],
        candidates=None if candidates is None else [_ID + item for item in candidates],
        domain=context.domain,
        k=k,
        on_state=lambda _, update: state.update(update),
    )
    options = await resolve_context(context)
    tokens: dict[str, int] = state.get("tokens") or {}
    spent = (tokens.get(way, 0) for way in ("in", "out", "cached"))
    return TriedRanking(
        recommended=made,
        prompt=_prompt(cast("RecommendState", state), options),
        answer=state.get("answer", ""),
        tokens=tokens,
        latency_ms=state.get("latency_ms", 0.0),
        cost=call_cost(options.settings.prices, made.model, *spent),
    )


def _prompt(state: RecommendState, options: RunOptions) -> list[tuple[str, str]]:
    """Return what the model was asked; empty where it was not."""
    if not state["llm_calls"] and not needs_model(state, options):
        return []
    messages = ranking_prompt(
        state,
        options,
        hinted=Flag.HINT_DROPPED not in state["flags"],
        short=Flag.PROMPT_SHORTENED in state["flags"],
    )
    return [(message.type, message.text) for message in messages]
