"""Turns the model's answer into a permutation of the candidates, whatever it was."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from ..knowledge.hints import hint_key
from ..knowledge.trials import Trial, hit_ranks, store_trial
from ..llm.answers import RankingAnswer
from ..records import Flag
from ..runtime.model_call import ask
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .ask import joined
from .prompt import candidates, ranking_prompt
from .state import RecommendState


async def settle_ranking(state: RecommendState, options: RunOptions) -> Update:
    """Turn the model's answer into a permutation; of a training session, keep it as a trial.

    Raises:
        BudgetSpentError: The answer needs a repair that the budget does not allow.
    """
    answer, spent = await _repaired(state, options)
    numbers = complete(answer.numbers, state)
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
        update["rank"] = ranking.index(target) + 1
        update["missed"] = update["rank"] > hit_ranks(len(ranking))
        update["answer"] = options.prompt.write(numbers, candidates(state))
        await _keep_trial(state, update, options)
    return update


async def _keep_trial(state: RecommendState, update: Update, options: RunOptions) -> None:
    session = state.get("training_session")
    # A model that was down says nothing about a hint.
    if session is None or Flag.MODEL_FAILED in update["flags"] or state.get("replayed"):
        return
    trial = Trial(
        session_id=session,
        hint_key=hint_key(state["hint"]["text"]),
        model=options.model,
        prompt_version=options.prompt_version,
        rank=update["rank"],
        answer=update["answer"],
        flags=update["flags"],
        tokens=update["tokens"],
    )
    async with options.services.engine.begin() as connection:
        await store_trial(connection, state["domain_id"], trial)


async def _repaired(state: RecommendState, options: RunOptions) -> tuple[RankingAnswer, Update]:
    listed = candidates(state)
    flags = list(state["flags"])
    answer = options.prompt.read(state["answer"], listed)
    failed = Flag.MODEL_FAILED in flags
    update: Update = {name: state[name] for name in ("llm_calls", "latency_ms", "tokens")}
    # Those of several orders were counted before they were fused.
    update["faults"] = state["faults"] or ({} if failed else answer.faults)
    if answer.complete or not failed:
        flags += answer.flags
    if not answer.complete and not failed:
        messages, repair = _second_prompt(state, answer, options)
        until = state.get("deadline_at")
        reply = await ask(
            messages, options, "repair", answer_format=options.prompt.answer_format, until=until
        )
        second = options.prompt.read(reply.text, listed)
        answer = second if second.complete or second.missing < answer.missing else answer
        update = joined(update, reply)
        flags += [repair, *([reply.failure] if reply.failed else [])]
    if not answer.complete:
        flags.append(Flag.COMPLETED)
    return answer, {**update, "flags": list(dict.fromkeys(flags))}


def _second_prompt(
    state: RecommendState, answer: RankingAnswer, options: RunOptions
) -> tuple[list[BaseMessage], str]:
    """Write what is asked after an incomplete answer, and name it for the flags."""
    if not answer.numbers and state["hint"]["text"] and Flag.HINT_DROPPED not in state["flags"]:
        # An answer without any candidate refuses the task, and the hint may be why.
        return ranking_prompt(state, options, hinted=False), Flag.HINT_DROPPED
    hinted = Flag.HINT_DROPPED not in state["flags"]
    messages = ranking_prompt(state, options, hinted=hinted)
    count = len(state["candidate_items"])
    return options.prompt.repair(messages, state["answer"], count), Flag.REPAIRED


def complete(numbers: Sequence[int], state: RecommendState) -> list[int]:
    """Append the candidates that the model left out: the most chosen first.

    Args:
        numbers: Valid candidate numbers, best first, none twice.

    Returns:
        Every number from 1 to the number of candidates, once.
    """
    ranked = set(numbers)
    missing = [n for n in range(1, len(state["candidate_items"]) + 1) if n not in ranked]
    evidence = state["evidence"]
    if evidence:
        missing.sort(key=lambda number: -evidence[number - 1]["chosen_by"])
    return [*numbers, *missing]
