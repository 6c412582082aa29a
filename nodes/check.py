"""Node `check`: whatever the model answered, a permutation of the candidates leaves the graph."""

from __future__ import annotations

from collections.abc import Sequence

from langgraph.runtime import Runtime

from ..knowledge.recommendations import Recommendation, log_recommendation
from ..llm.answers import RankingAnswer, read_ranking
from ..llm.ranking_prompt import RANKING_PROMPT_VERSION, repair_messages
from .context import Call, Context, resolve
from .model_call import ask
from .recommend import ranking_prompt
from .state import RecommendState, Update


async def check(state: RecommendState, runtime: Runtime[Context]) -> Update:
    """Read the ranking, have it repaired once if need be, and complete what is still missing.

    Args:
        state: With the model's raw answer.
        runtime: The run's options.

    Returns:
        The final ranking, flagged if anything was wrong.
    """
    call = await resolve(runtime)
    answer, spent = await _repaired(state, call)
    ids = [item["id"] for item in state["candidate_items"]]
    ranking = [ids[number - 1] for number in complete(answer.numbers, state)]
    titles = {item["id"]: item["title"] for item in state["candidate_items"]}
    best = ranking[: state.get("k", 10)]
    update: Update = {
        **spent,
        "ranking": ranking,
        "items": [
            {"rank": rank, "id": item, "title": titles[item]}
            for rank, item in enumerate(best, start=1)
        ],
        "recommendation_id": None,
    }
    if call.record:
        update["recommendation_id"] = await _logged(state, update, call)
    return update


async def _repaired(state: RecommendState, call: Call) -> tuple[RankingAnswer, Update]:
    count = len(state["candidate_items"])
    flags = list(state["flags"])
    answer = read_ranking(state["answer"], count)
    spent: Update = {name: state[name] for name in ("llm_calls", "latency_ms", "tokens")}
    if not answer.complete and "model_failed" not in flags:
        flags += answer.flags
        messages = repair_messages(ranking_prompt(state), state["answer"], count)
        reply = await ask(messages, call)
        second = read_ranking(reply.text, count)
        answer = second if second.complete or second.missing < answer.missing else answer
        spent["llm_calls"] += 1
        spent["latency_ms"] = state["latency_ms"] + reply.latency_ms
        spent["tokens"] = {
            "in": state["tokens"]["in"] + reply.tokens_in,
            "out": state["tokens"]["out"] + reply.tokens_out,
        }
        flags.append("repaired")
    elif answer.complete:
        flags += answer.flags
    if not answer.complete:
        flags.append("completed")
    return answer, {**spent, "flags": flags}


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


async def _logged(state: RecommendState, update: Update, call: Call) -> str:
    made = Recommendation(
        domain_id=state["domain_id"],
        history=state["history"],
        candidates=[item["id"] for item in state["candidate_items"]],
        ranking=update["ranking"],
        policy=state["hint"]["policy"],
        hint_id=state["hint"]["id"],
        probability=state["hint"]["probability"],
        model=call.model,
        prompt_version=RANKING_PROMPT_VERSION,
        flags=update["flags"],
        latency_ms=update["latency_ms"],
        tokens=update["tokens"],
    )
    async with call.services.engine.begin() as connection:
        return str(await log_recommendation(connection, made))
