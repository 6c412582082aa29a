"""Node `verify_hint`: refuses leaks and repeats, and tries what is left on other sessions."""

from __future__ import annotations

from typing import Any

from langgraph.config import get_stream_writer

from ..errors import InputError
from ..knowledge.domains import find_domain
from ..knowledge.hints import Hint, clean_hint, hint_key, nearest_hints
from ..knowledge.reflections import Outcome
from ..knowledge.trials import gains as paid_gains
from ..knowledge.trials import hit_ranks
from ..ranking.panels import panel
from ..ranking.repeats import CLOSE, COMPARED, embed, repeated_hint
from ..ranking.trials import gain_of, run_trial
from ..ranking.verification import Verification, verification
from ..records import Item
from ..runtime.domain_cache import leak_filter_of
from ..runtime.node import Update, node
from ..runtime.options import RunOptions
from .learn_state import LearnState, ProposalView

_CLEAR_HARM_AFTER = 12
"""Sessions after which a hint is given up whose interval lies below 0."""
_NO_GAIN_AFTER = 40
"""Sessions after which a hint is given up that has brought nothing."""


@node
async def verify_hint(state: LearnState, options: RunOptions) -> Update:
    """Decide on each proposed hint; those that pass keep the outcome `None` for `store_hint`.

    Returns:
        The proposals with outcome, reason and measured gain.
    """
    write = get_stream_writer()
    decided: list[ProposalView] = []
    for proposal in state["proposals"]:
        passed = [Hint(0, p["text"], "active") for p in decided if p["outcome"] is None]
        judged = await _judge(proposal, passed, state, options)
        write(
            {
                "event": "verified",
                "text": judged["text"],
                "outcome": judged["outcome"] or "effective",
                "reason": judged["reason"],
                **judged["verification"],
            }
        )
        decided.append(judged)
    return {"proposals": decided}


async def _judge(
    proposal: ProposalView, passed: list[Hint], state: LearnState, options: RunOptions
) -> ProposalView:
    try:
        text = clean_hint(proposal["text"])
    except InputError as error:
        return _refused(proposal, "ineffective", error.problem)
    leak = await _leak(text, state, options)
    if leak is not None:
        return _refused(proposal, "leak", leak)
    known = await _known(text, state, options)
    repeated = await repeated_hint(text, [*known, *passed], options)
    if repeated is not None:
        # Its evidence goes to the hint that it repeats.
        await run_trial(state["domain"], _session(state), repeated.text, options)
        reason = f"It says the same as: {repeated.text}"
        refused = _refused(proposal, "duplicate", reason)
        return {**refused, "hint_id": repeated.id or None, "repeats": repeated.text}
    return await _tried({**proposal, "text": text}, state, options)


async def _tried(proposal: ProposalView, state: LearnState, options: RunOptions) -> ProposalView:
    domain, session, text = state["domain"], _session(state), proposal["text"]
    own = await run_trial(domain, session, text, options)
    if options.settings.verify_rule == "paper":
        if own.rank > hit_ranks(len(state["candidate_items"])):
            return _refused(proposal, "ineffective", f"The target stays at rank {own.rank}.")
        return {**proposal, "reason": f"The target rose to rank {own.rank}."}
    if own.rank >= state["rank"]:
        return _refused(proposal, "ineffective", "It does not lift the target of its own session.")
    stats = verification(await _gains(text, state, options))
    shown: dict[str, Any] = {**stats.as_dict(), "own_rank": [state["rank"], own.rank]}
    if stats.low <= 0:
        return {**_refused(proposal, "ineffective", _summary(stats)), "verification": shown}
    return {**proposal, "reason": _summary(stats), "verification": shown}


async def _gains(text: str, state: LearnState, options: RunOptions) -> list[float]:
    """Try a hint on other sessions until they show whether it helps."""
    few, more = await panel(state["domain"], state, options)
    async with options.services.engine.connect() as connection:
        paid = await paid_gains(
            connection, state["domain_id"], options.model, options.prompt_version, [hint_key(text)]
        )
    known = {gain.session_id: gain.gain for gain in paid}
    gains: list[float] = []
    for other in [*few, *more]:
        if other not in known:
            known[other] = await gain_of(state["domain"], other, text, options)
        gains.append(known[other])
        if _settled(gains, len(few)):
            break
    return gains


def _settled(gains: list[float], few: int) -> bool:
    """Whether no further session need be tried; asked at set counts of sessions only."""
    tried = len(gains)
    if tried not in {_CLEAR_HARM_AFTER, _NO_GAIN_AFTER, few}:
        return False
    stats = verification(gains)
    return (
        (tried == _CLEAR_HARM_AFTER and stats.high <= 0)
        or (tried == _NO_GAIN_AFTER and stats.mean <= 0)
        or (tried == few and (stats.mean <= 0 or stats.low > 0))
    )


def _summary(stats: Verification) -> str:
    return (
        f"Gain {stats.mean:+.3f} NDCG@10 (90 % interval {stats.low:+.3f} to "
        f"{stats.high:+.3f}) on {stats.sessions} other sessions: helped {stats.helped}, "
        f"harmed {stats.harmed}."
    )


def _refused(proposal: ProposalView, outcome: Outcome, reason: str) -> ProposalView:
    return {**proposal, "outcome": outcome, "reason": reason}


def _session(state: LearnState) -> int:
    session = state.get("training_session")
    if session is None:
        raise InputError("training_session", "It is missing.", "Learn from a stored session.")
    return session


async def _leak(text: str, state: LearnState, options: RunOptions) -> str | None:
    async with options.services.engine.connect() as connection:
        domain = await find_domain(connection, state["domain"], among=options.domains)
        leaks = await leak_filter_of(options.services, connection, domain)
    ids = [item["id"] for item in state["candidate_items"]]
    target = next(i for i in state["candidate_items"] if i["id"] == state.get("target"))
    return leaks.leak(text, target=Item(target["id"], target["title"]), ids=ids)


async def _known(text: str, state: LearnState, options: RunOptions) -> list[Hint]:
    embedding = await embed(text, options)
    async with options.services.engine.connect() as connection:
        near = await nearest_hints(
            connection,
            state["domain_id"],
            embedding,
            count=COMPARED,
            statuses=("active", "pending", "retired"),
        )
    return [hint for hint, cosine in near if cosine >= CLOSE]
