"""Node `verify_hint`: refuses leaks and repeats, and tries what is left on other sessions."""

from __future__ import annotations

import re
from typing import Any

from langgraph.config import get_stream_writer

from ..errors import BudgetSpentError, InputError
from ..knowledge.hint_store.hints import Hint, clean_hint
from ..knowledge.hint_store.reflections import Outcome
from ..knowledge.hint_store.trials import Trial
from ..rank_metrics import hit_ranks
from ..ranking.hints.panel_gains import panel_gains
from ..ranking.hints.panels import panel
from ..ranking.hints.repeats import close_hints, embed, repeated_hint
from ..ranking.hints.trials import resolve_session, run_trial
from ..ranking.hints.verification import verification
from ..records import Item, counted
from ..runtime.domain_cache import domain_of, leak_filter_of
from ..runtime.node import Update, node
from ..runtime.options import RunOptions
from .learn_state import LearnState, ProposalView

_UNKNOWN = re.compile(
    r"\b(?:the|this|that) (?:chosen|target|missed|hidden|correct) "
    r"(?:items?|candidates?|movies?|films?|games?|books?|products?)\b",
    re.IGNORECASE,
)
"""Words for the chosen item, which is unknown when a hint is read. Small models mention it although
they may not."""


@node
async def verify_hint(state: LearnState, options: RunOptions) -> Update:
    """Decide on each proposed hint; those that pass keep the outcome `None` for `store_hint`.

    Returns:
        The proposals with outcome, reason and measured gain.

    Raises:
        BudgetSpentError: The budget allows no further call, and no proposal has passed yet.
    """
    write = get_stream_writer()
    decided: list[ProposalView] = []
    for proposal in state["proposals"]:
        passed = [Hint(0, p["text"], "active") for p in decided if p["outcome"] is None]
        try:
            judged = await _judge(proposal, passed, state, options)
        except BudgetSpentError as error:
            if not passed or error.by_a_person:
                raise
            # What was proven with the last calls is worth more than another try at all of them.
            judged = _refused(proposal, "surplus", f"Too few trials: {error.problem}")
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
    if _UNKNOWN.search(text):
        return _refused(proposal, "ineffective", "It speaks of the chosen item, which is unknown.")
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
    compared = [hint.id for hint in known]
    return await _tried({**proposal, "text": text, "compared": compared}, state, options)


async def _tried(proposal: ProposalView, state: LearnState, options: RunOptions) -> ProposalView:
    domain, text = state["domain"], proposal["text"]
    own = await run_trial(domain, _session(state), text, options)
    paper = options.settings.verify_rule == "paper"
    if state.get("batch"):
        refused = await _not_for_most(own, text, state, options)
    elif paper:
        hit = own.rank <= hit_ranks(len(state["candidate_items"]))
        refused = "" if hit else f"The target stays at rank {own.rank}."
    else:
        lifted = own.rank < state["rank"]
        refused = "" if lifted else "It does not lift the target of its own session."
    if refused:
        return _refused(proposal, "ineffective", refused)
    if paper:
        batch = state.get("batch") or ()
        helps = f"It helps most of its {counted(1 + len(batch), 'miss', 'misses')}."
        return {
            **proposal,
            "reason": helps if batch else f"The target rose to rank {own.rank}.",
        }
    sessions = await panel(domain, state, options)
    gains = await panel_gains(text, domain, sessions, options, frugal=True)
    stats = verification(gains)
    shown: dict[str, Any] = {**stats.as_dict(), "own_rank": [state["rank"], own.rank]}
    if stats.low <= 0:
        return {**_refused(proposal, "ineffective", str(stats)), "verification": shown}
    return {**proposal, "reason": str(stats), "verification": shown}


async def _not_for_most(own: Trial, text: str, state: LearnState, options: RunOptions) -> str:
    """Try a hint on the misses that it came from, until it is clear whether it helps most of them.

    Returns:
        Why it is refused; empty if it helps most.
    """
    batch = state["batch"]
    needed = (1 + len(batch)) // 2 + 1
    hits = hit_ranks(len(state["candidate_items"]))
    paper = options.settings.verify_rule == "paper"

    def helps(rank: int, before: int) -> bool:
        return rank <= hits if paper else rank < before

    helped, left = int(helps(own.rank, state["rank"])), len(batch)
    for miss in batch:
        if not helped < needed <= helped + left:
            break
        trial = await run_trial(state["domain"], miss["session"], text, options)
        helped, left = helped + helps(trial.rank, miss["rank"]), left - 1
    misses = counted(1 + len(batch), "miss", "misses")
    return "" if helped >= needed else f"It does not help most of its {misses}."


def _refused(proposal: ProposalView, outcome: Outcome, reason: str) -> ProposalView:
    return {**proposal, "outcome": outcome, "reason": reason}


def _session(state: LearnState) -> int:
    session = state.get("training_session")
    if session is None:
        raise InputError("training_session", "It is missing.", "Learn from a stored session.")
    return session


async def _leak(text: str, state: LearnState, options: RunOptions) -> str | None:
    """Return why a hint must be refused that any of the shown misses may give away, or `None`."""
    domain = await domain_of(options.services, state["domain"], among=options.domains)
    leaks = await leak_filter_of(options.services, domain)
    further = [
        await resolve_session(state["domain"], miss["session"], options)
        for miss in state.get("batch") or ()
    ]
    for one in [state, *further]:
        ids = [item["id"] for item in one["candidate_items"]]
        target = next(i for i in one["candidate_items"] if i["id"] == one.get("target"))
        reason = leaks.leak(text, target=Item(target["id"], target["title"]), ids=ids)
        if reason is not None:
            return reason
    return None


async def _known(text: str, state: LearnState, options: RunOptions) -> list[Hint]:
    embedding = await embed(text, options)
    async with options.services.autocommit.connect() as connection:
        return await close_hints(connection, state["domain_id"], embedding, options)
