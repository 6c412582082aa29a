"""Node `check`: whatever the model answered, a permutation of the candidates leaves the graph."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from ..errors import ModelDownError, failure_among
from ..knowledge.hints import hint_key
from ..knowledge.recommendations import Recommendation, log_recommendation
from ..knowledge.trials import CUTOFF, Trial, store_trial
from ..llm.answers import RankingAnswer
from ..ranking.state import RecommendState, Update
from ..runtime.model_call import ask
from ..runtime.options import Context, RunOptions, resolve
from .recommend import HINT_DROPPED, candidates, joined, ranking_prompt


async def check(state: RecommendState, runtime: Runtime[Context]) -> Update:
    """Read the ranking, have it repaired once if need be, and complete what is still missing.

    Args:
        state: With the model's raw answer.
        runtime: The run's options.

    Returns:
        The final ranking, flagged if anything was wrong; with a known target, an `error` if the
        model was down, since it missed nothing.
    """
    options = await resolve(runtime)
    update = await settle_ranking(state, options)
    if "missed" in update and "model_failed" in update["flags"]:
        down = ModelDownError(options.model, failure_among(update["flags"]))
        return {"error": down.as_dict()}
    if options.record and state.get("training_session") is None:
        update["recommendation_id"] = await _logged(state, update, options)
    return update


async def settle_ranking(state: RecommendState, options: RunOptions) -> Update:
    """Turn the model's answer into a permutation; of a training session, keep it as a trial.

    Args:
        state: With the model's raw answer.
        options: The run's options.

    Raises:
        BudgetSpentError: The answer needs a repair that may not be paid.
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
        update["missed"] = update["rank"] > CUTOFF
        update["answer"] = options.prompt.write(numbers, candidates(state))
        await _keep_trial(state, update, options)
    return update


async def _keep_trial(state: RecommendState, update: Update, options: RunOptions) -> None:
    session = state.get("training_session")
    # A model that was down says nothing about a hint.
    if session is None or "model_failed" in update["flags"] or state.get("replayed"):
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
    failed = "model_failed" in flags
    update: Update = {name: state[name] for name in ("llm_calls", "latency_ms", "tokens")}
    # Those of several orders were counted before they were fused.
    update["faults"] = state["faults"] or ({} if failed else answer.faults)
    if answer.complete or not failed:
        flags += answer.flags
    if not answer.complete and not failed:
        messages, repair = _second_prompt(state, answer, options)
        waited = state["latency_ms"]
        reply = await ask(
            messages, options, "repair", wanted=options.prompt.wanted, waited_ms=waited
        )
        second = options.prompt.read(reply.text, listed)
        answer = second if second.complete or second.missing < answer.missing else answer
        update = joined(update, reply)
        flags += [repair, *([reply.failure] if reply.failed else [])]
    if not answer.complete:
        flags.append("completed")
    return answer, {**update, "flags": list(dict.fromkeys(flags))}


def _second_prompt(
    state: RecommendState, answer: RankingAnswer, options: RunOptions
) -> tuple[list[BaseMessage], str]:
    """Write what is asked after an incomplete answer, and name it for the flags."""
    if not answer.numbers and state["hint"]["text"] and HINT_DROPPED not in state["flags"]:
        # An answer without any candidate refuses the task, and the hint may be why.
        return ranking_prompt(state, options, hinted=False), HINT_DROPPED
    hinted = HINT_DROPPED not in state["flags"]
    messages = ranking_prompt(state, options, hinted=hinted)
    count = len(state["candidate_items"])
    return options.prompt.repair(messages, state["answer"], count), "repaired"


def complete(numbers: Sequence[int], state: RecommendState) -> list[int]:
    """Append the candidates that the model left out: the most chosen first.

    Args:
        numbers: Valid candidate numbers, best first, none twice.
        state: With the candidates and their evidence.

    Returns:
        Every number from 1 to the number of candidates, once.
    """
    ranked = set(numbers)
    missing = [n for n in range(1, len(state["candidate_items"]) + 1) if n not in ranked]
    evidence = state["evidence"]
    if evidence:
        missing.sort(key=lambda number: -evidence[number - 1]["chosen_by"])
    return [*numbers, *missing]


async def _logged(state: RecommendState, update: Update, options: RunOptions) -> str:
    made = Recommendation(
        domain_id=state["domain_id"],
        history=state["history"],
        candidates=[item["id"] for item in state["candidate_items"]],
        ranking=update["ranking"],
        policy=state["hint"]["policy"],
        hint_id=state["hint"]["id"],
        probability=state["hint"]["probability"],
        model=options.model,
        prompt_version=options.prompt_version,
        flags=update["flags"],
        latency_ms=update["latency_ms"],
        tokens=update["tokens"],
    )
    async with options.services.engine.begin() as connection:
        return str(await log_recommendation(connection, made))
