"""Asks the model for a ranking, in one order of the candidates or in several."""

from __future__ import annotations

import asyncio
from typing import cast

from ..errors import Failure
from ..knowledge.hint_store.hints import set_key
from ..knowledge.hint_store.trials import Trial, find_trial
from ..llm.errors.failures import ABOUT_LETTERS, ABOUT_THE_PROMPT
from ..llm.ranking_prompts.letters import has_letters
from ..records import Flag
from ..runtime.model_call import ask
from ..runtime.node import Update
from ..runtime.options import RunOptions
from ..runtime.reply import Reply
from .given import given_texts
from .opinion import fusion_of, learned_fusion
from .orders import added_up, combined, reordered
from .prompt import ranking_prompt, recipe_of
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
    paid = await paid_trial(state, options) if needs_model(state, options) else None
    if paid is None:
        return await request_new_ranking(state, options)
    return {
        "answer": paid.answer,
        "flags": list(paid.flags),
        "latency_ms": 0.0,
        "tokens": dict(paid.tokens),
        "full_usage": {},
        "llm_calls": 0,
        "faults": {},
        "model_error": "",
        "paid_rank": paid.rank,
        "recipe": options.prompt.name,
    }


async def request_new_ranking(state: RecommendState, options: RunOptions) -> Update:
    """Ask the model for a ranking, whatever was paid for before; see `request_ranking`."""
    recipe = options.prompt.name
    state = cast("RecommendState", {**state, "recipe": recipe})
    if not needs_model(state, options):
        nothing = _answered(Reply("", failed=False, latency_ms=0.0, calls=0))
        return {**nothing, "recipe": recipe}
    update = await (_one_order if options.orders == 1 else _fused)(state, options)
    if options.lacks_logprobs and Flag.NO_LOGPROBS not in update["flags"]:
        update["flags"] = [*update["flags"], Flag.NO_LOGPROBS]
    return update


async def _one_order(state: RecommendState, options: RunOptions) -> Update:
    reply = await _once(state, options, hinted=True)
    if recipe_of(state, options).name == "letters":
        if has_letters(reply.text):
            await options.services.models.note_logprobs(options.model, given=True)
        elif await _lacks_letters(reply, options):
            return await _listed(state, reply, options)
    return await _unhinted_if_refused(state, reply, options)


async def _lacks_letters(reply: Reply, options: RunOptions) -> bool:
    """Return whether a reply without a letter may mean that the model never gives one."""
    endpoint = await options.services.models.endpoint(options.model)
    return not endpoint.letters.proven and reply.failure in ABOUT_LETTERS


async def _listed(state: RecommendState, first: Reply, options: RunOptions) -> Update:
    """Ask for a list, since the model's server gives no log-probabilities of letters."""
    listed = cast("RecommendState", {**state, "recipe": "json"})
    second = await _once(listed, options, hinted=True)
    update = {**await _unhinted_if_refused(listed, second, options)}
    if not _failed(update):  # else the letters need not be to blame
        keep = not first.text and first.failure in {"", Failure.REJECTED}
        await options.services.models.note_logprobs(options.model, given=False, keep=keep)
        update["flags"] = [*update["flags"], Flag.NO_LOGPROBS]
    if state.get("fusion") is not None:  # it was learned from letters
        domain, hint = state["domain"], state["hint"]
        update |= await learned_fusion(domain, hint["policy"], options, hinted=bool(hint["text"]))
    return joined(update, first)


async def _once(state: RecommendState, options: RunOptions, *, hinted: bool) -> Reply:
    return await ask(
        ranking_prompt(state, options, hinted=hinted),
        options,
        answer_format=recipe_of(state, options).answer_format,
        until=state.get("deadline_at"),
        shorter=lambda: ranking_prompt(state, options, hinted=hinted, short=True),
    )


async def _unhinted_if_refused(state: RecommendState, reply: Reply, options: RunOptions) -> Update:
    """Return what was answered; where the prompt was refused, to one without the hint."""
    update = {**_answered(reply), "recipe": recipe_of(state, options).name}
    if reply.failure in ABOUT_THE_PROMPT and state["hint"]["text"]:
        second = await _once(state, options, hinted=False)
        update = joined(update, second)
        update["answer"] = second.text
        update["model_error"] = second.said
        update["flags"] = [Flag.HINT_DROPPED, *_faulty(second)]
    return update


async def _fused(state: RecommendState, options: RunOptions) -> Update:
    """Ask in several orders of the candidates, and fuse the answers into one."""
    states = [reordered(state, order) for order in range(options.orders)]
    updates = await asyncio.gather(*(_one_order(inner, options) for inner, _ in states))
    found = combined(updates, states)
    if len({update["recipe"] for update in updates}) == 1:
        return found
    # Some were asked for a letter before it was known that this does not work.
    again = await _fused(cast("RecommendState", {**state, "recipe": "json"}), options)
    return added_up(again, found)


def _answered(reply: Reply) -> Update:
    return {
        "answer": reply.text,
        "flags": _faulty(reply),
        "latency_ms": reply.latency_ms,
        "tokens": _tokens(reply),
        "full_usage": _full_usage(reply),
        "llm_calls": reply.calls,
        "faults": {},
        "model_error": reply.said,
        "paid_rank": None,
    }


def _failed(update: Update) -> bool:
    return Flag.MODEL_FAILED in update["flags"]


def joined(spent: Update, reply: Reply) -> Update:
    """Add what another call has taken.

    Args:
        spent: Latency, tokens and calls so far.
    """
    return added_up(spent, _answered(reply))


def _tokens(reply: Reply) -> dict[str, int]:
    return {"in": reply.tokens_in, "out": reply.tokens_out, "cached": reply.tokens_cached}


def _full_usage(reply: Reply) -> dict[str, float]:
    """Return what the answer takes where it has not been paid for before."""
    taken = reply if reply.paid is None else reply.paid
    counts = {"in": taken.tokens_in, "out": taken.tokens_out, "cached": taken.tokens_cached}
    return {"latency_ms": taken.latency_ms, **counts}


def _faulty(reply: Reply) -> list[str]:
    shortened = [Flag.PROMPT_SHORTENED] if reply.shortened else []
    return [*shortened, *([Flag.MODEL_FAILED, reply.failure] if reply.failed else [])]


async def paid_trial(state: RecommendState, options: RunOptions) -> Trial | None:
    """Return what a training session's prompt was answered before; `None` if it was not asked."""
    session = state.get("training_session")
    if session is None:
        return None
    key = set_key(given_texts(state))
    async with options.services.autocommit.connect() as connection:
        return await find_trial(connection, session, key, options.prompted_model)
