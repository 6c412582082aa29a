"""Asks the model for a ranking, in one order of the candidates or in several."""

from __future__ import annotations

import asyncio
from collections import Counter

from ..knowledge.hints import hint_key
from ..knowledge.trials import Trial, find_trial
from ..llm.failures import ABOUT_THE_PROMPT
from ..records import Flag
from ..runtime.model_call import Reply, ask
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .fusion import fuse, reordered
from .opinion import fusion_of
from .prompt import candidates, ranking_prompt
from .state import RecommendState


def needs_model(state: RecommendState, options: RunOptions) -> bool:
    """Return whether the model's answer can change the ranking.

    It cannot where the first stage decides alone, or where the model was measured to add nothing.
    """
    if options.fuse == "llm" or state.get("target") is not None:
        return options.asks_model
    return options.asks_model and fusion_of(state).counts


async def request_ranking(state: RecommendState, options: RunOptions) -> Update:
    """Ask the model for a ranking, unless this cell of the reward table was paid for already.

    Raises:
        InputError: The model's name or key cannot be used at all.
        BudgetSpentError: The budget allows no further call.
    """
    if not needs_model(state, options):
        return _answered(Reply("", failed=False, latency_ms=0.0, calls=0))
    paid = await _paid_trial(state, options)
    if paid is not None:
        return {
            "answer": paid.answer,
            "flags": list(paid.flags),
            "latency_ms": 0.0,
            "tokens": dict(paid.tokens),
            "llm_calls": 0,
            "faults": {},
            "model_error": "",
            "replayed": True,
        }
    if options.orders == 1:
        return await _one_order(state, options)
    return await _fused(state, options)


async def _one_order(state: RecommendState, options: RunOptions) -> Update:
    until = state.get("deadline_at")
    answer_format = options.prompt.answer_format

    async def once(*, hinted: bool) -> Reply:
        return await ask(
            ranking_prompt(state, options, hinted=hinted),
            options,
            answer_format=answer_format,
            until=until,
            shorter=lambda: ranking_prompt(state, options, hinted=hinted, short=True),
        )

    reply = await once(hinted=True)
    update = _answered(reply)
    if reply.failure in ABOUT_THE_PROMPT and state["hint"]["text"]:
        second = await once(hinted=False)
        update = joined(update, second)
        update["answer"] = second.text
        update["model_error"] = second.said
        update["flags"] = [Flag.HINT_DROPPED, *_faulty(second)]
    return update


async def _fused(state: RecommendState, options: RunOptions) -> Update:
    """Ask in several orders of the candidates, and fuse the answers into one."""
    states = [reordered(state, order) for order in range(options.orders)]
    updates = await asyncio.gather(*(_one_order(inner, options) for inner, _ in states))
    reads = [
        options.prompt.read(update["answer"], candidates(inner))
        for update, (inner, _) in zip(updates, states, strict=True)
    ]
    rankings = [
        [places[number - 1] for number in read.numbers]
        for read, (_, places) in zip(reads, states, strict=True)
        if read.numbers
    ]
    flags = dict.fromkeys(
        flag
        for update, read in zip(updates, reads, strict=True)
        for flag in (update["flags"] if _failed(update) else [*update["flags"], *read.flags])
    )
    if rankings:  # the others have answered for those that failed
        flags.pop(Flag.MODEL_FAILED, None)
    faults: Counter[str] = Counter()
    for update, read in zip(updates, reads, strict=True):
        if not _failed(update):
            faults.update(read.faults)
    fused = fuse(rankings)
    tokens = [update["tokens"] for update in updates]
    return {
        "answer": options.prompt.write(fused, candidates(state)) if fused else updates[0]["answer"],
        "flags": list(flags),
        "latency_ms": max(update["latency_ms"] for update in updates),
        "tokens": {way: sum(counted[way] for counted in tokens) for way in tokens[0]},
        "llm_calls": sum(update["llm_calls"] for update in updates),
        "faults": dict(faults),
        "model_error": next((u["model_error"] for u in updates if u["model_error"]), ""),
        "replayed": False,
    }


def _answered(reply: Reply) -> Update:
    return {
        "answer": reply.text,
        "flags": _faulty(reply),
        "latency_ms": reply.latency_ms,
        "tokens": _tokens(reply),
        "llm_calls": reply.calls,
        "faults": {},
        "model_error": reply.said,
        "replayed": False,
    }


def _failed(update: Update) -> bool:
    return Flag.MODEL_FAILED in update["flags"]


def joined(spent: Update, reply: Reply) -> Update:
    """Add what another call has taken.

    Args:
        spent: Latency, tokens and calls so far.
    """
    return {
        **spent,
        "latency_ms": spent["latency_ms"] + reply.latency_ms,
        # Trials of earlier versions did not count cached tokens.
        "tokens": {way: spent["tokens"].get(way, 0) + n for way, n in _tokens(reply).items()},
        "llm_calls": spent["llm_calls"] + reply.calls,
    }


def _tokens(reply: Reply) -> dict[str, int]:
    return {"in": reply.tokens_in, "out": reply.tokens_out, "cached": reply.tokens_cached}


def _faulty(reply: Reply) -> list[str]:
    shortened = [Flag.PROMPT_SHORTENED] if reply.shortened else []
    return [*shortened, *([Flag.MODEL_FAILED, reply.failure] if reply.failed else [])]


async def _paid_trial(state: RecommendState, options: RunOptions) -> Trial | None:
    session = state.get("training_session")
    if session is None:
        return None
    key = hint_key(state["hint"]["text"])
    async with options.services.autocommit.connect() as connection:
        return await find_trial(connection, session, key, options.model, options.prompt_version)
