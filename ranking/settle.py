"""Turns the model's answer into a permutation of the candidates, whatever it was."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from ..errors import Failure, failure_among
from ..knowledge.hint_store.hints import hint_key, set_key
from ..knowledge.hint_store.trials import Trial, store_trial
from ..llm.ranking_answers.answers import WANTED, RankingAnswer
from ..llm.ranking_prompts.recipes import Repair
from ..rank_metrics import hit_ranks
from ..records import Flag
from ..runtime.model_call import ask
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .given import given_texts
from .model_ranking import joined, needs_model
from .opinion import fused_numbers
from .prompt import candidates, prompt_size, ranking_prompt, recipe_of, wanted
from .state import RecommendState

_NOT_ASKED = RankingAnswer((), well_formed=True, repeated=0, invented=0, missing=0)
_SPENT = ("llm_calls", "latency_ms", "tokens", "model_error")


async def settle_ranking(state: RecommendState, options: RunOptions) -> Update:
    """Turn the model's answer into a permutation; of a training session, keep it as a trial.

    Raises:
        BudgetSpentError: The answer needs a repair that the budget does not allow.
    """
    answer, spent = await repaired_answer(state, options)
    recipe = recipe_of(state, options)
    count = prompt_size(state)
    fuses = options.fuse == "learned" and answer.numbers
    numbers = fused_numbers(answer, state, count) if fuses else complete(answer.numbers, state)
    ids = [item["id"] for item in state["candidate_items"]]
    titles = {item["id"]: item["title"] for item in state["candidate_items"]}
    ranking = [ids[number - 1] for number in numbers]
    update: Update = {
        **spent,
        "ranking": ranking,
        "items": [
            {"rank": rank, "id": item, "title": titles[item]}
            for rank, item in enumerate(ranking[: state.get("shown", 10)], start=1)
        ],
        "recommendation_id": None,
    }
    target = state.get("target")
    if target is not None:
        # A paid answer need not fit today's order of the candidates, its rank does.
        update["rank"] = state.get("paid_rank") or ranking.index(target) + 1
        # The model was not asked about what comes after `count`, so it can learn nothing there.
        update["missed"] = hit_ranks(len(ranking)) < update["rank"] <= count
        if Flag.MODEL_FAILED in update["flags"]:
            update["answer"] = ""
        elif recipe.name != "letters":  # whose scores say more than the order
            named = answer.numbers or numbers[:WANTED]
            update["answer"] = recipe.write(named, candidates(state), ())
        else:
            update["answer"] = state["answer"]
        await _keep_trial(state, update, options)
    return update


async def _keep_trial(state: RecommendState, update: Update, options: RunOptions) -> None:
    session = state.get("training_session")
    if session is None or model_was_down(update["flags"]) or state.get("paid_rank"):
        return
    texts = given_texts(state)
    trial = Trial(
        session_id=session,
        hint_key=set_key(texts),
        model=options.model,
        prompt_version=options.version_of(recipe_of(state, options)),
        rank=update["rank"],
        answer=update["answer"],
        flags=update["flags"],
        tokens=update["tokens"],
        hint_keys=[hint_key(text) for text in texts] if len(texts) > 1 else (),
    )
    async with options.services.autocommit.connect() as connection:
        await store_trial(connection, state["domain_id"], trial)


def model_was_down(flags: Sequence[str]) -> bool:
    """Return whether the model was down, so that the answer says nothing about the hints.

    A model that declines a prompt will do so again, and the first stage's order is what people get.
    """
    return Flag.MODEL_FAILED in flags and failure_among(flags) != Failure.REFUSED


async def repaired_answer(
    state: RecommendState, options: RunOptions
) -> tuple[RankingAnswer, Update]:
    """Read the model's answer, and ask once more if it is not complete.

    Returns:
        The better of the two, and what both took, with the faults of the first.
    """
    flags = list(state["flags"])
    update: Update = {name: state[name] for name in _SPENT}
    # A run that an older version has begun, on a thread, has none.
    update["full_usage"] = state.get("full_usage", {})
    if not needs_model(state, options):
        return _NOT_ASKED, {**update, "faults": {}, "flags": flags}
    recipe = recipe_of(state, options)
    listed = candidates(state)
    answer = recipe.read(state["answer"], listed, wanted(state))
    failed = Flag.MODEL_FAILED in flags
    # Those of several orders were counted before they were fused.
    update["faults"] = state["faults"] or ({} if failed else answer.faults)
    if answer.complete or not failed:
        flags += answer.flags
    if not answer.complete and not failed and recipe.repair is not None:
        messages, repair = _second_prompt(state, answer, options, recipe.repair)
        until = state.get("deadline_at")
        reply = await ask(
            messages, options, "repair", answer_format=recipe.answer_format, until=until
        )
        second = recipe.read(reply.text, listed, wanted(state))
        answer = second if second.complete or second.missing < answer.missing else answer
        update = {**joined(update, reply), "model_error": reply.said}
        flags += [repair, *([reply.failure] if reply.failed else [])]
    if not answer.complete:
        flags.append(Flag.COMPLETED)
    return answer, {**update, "flags": list(dict.fromkeys(flags))}


def _second_prompt(
    state: RecommendState, answer: RankingAnswer, options: RunOptions, repair: Repair
) -> tuple[list[BaseMessage], str]:
    """Write what is asked after an incomplete answer, and name it for the flags."""
    short = Flag.PROMPT_SHORTENED in state["flags"]
    if not answer.numbers and state["hint"]["text"] and Flag.HINT_DROPPED not in state["flags"]:
        # An answer without any candidate refuses the task, and the hint may be why.
        return ranking_prompt(state, options, hinted=False, short=short), Flag.HINT_DROPPED
    hinted = Flag.HINT_DROPPED not in state["flags"]
    messages = ranking_prompt(state, options, hinted=hinted, short=short)
    asked_again = repair(messages, state["answer"], prompt_size(state), wanted(state))
    return asked_again, Flag.REPAIRED


def complete(numbers: Sequence[int], state: RecommendState) -> list[int]:
    """Append the candidates that the model left out, in the first stage's order.

    Args:
        numbers: Valid candidate numbers, best first, none twice.

    Returns:
        Every number from 1 to the number of candidates, once.
    """
    ranked = set(numbers)
    missing = [n for n in range(1, len(state["candidate_items"]) + 1) if n not in ranked]
    scores = state.get("first_stage", [])
    if scores:
        missing.sort(key=lambda number: -scores[number - 1])
    return [*numbers, *missing]
