"""Node `recommend`: the ranking call."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from ..errors import InputError
from ..knowledge.evidence import EVIDENCE
from ..knowledge.hints import hint_key
from ..knowledge.trials import Trial, find_trial
from ..llm.ranking_prompt import RANKING_PROMPT_VERSION, RankingTask, ranking_messages
from ..records import Item
from .context import Call, Context, resolve
from .model_call import ask
from .state import ItemView, RecommendState, Update


async def recommend(state: RecommendState, runtime: Runtime[Context]) -> Update:
    """Ask the model for a ranking.

    A model that fails leaves an empty answer and the flag `model_failed`; `check` completes it.

    Args:
        state: The resolved request and its hint.
        runtime: The run's options.

    Returns:
        The raw answer, with its latency and tokens.
    """
    try:
        return await request_ranking(state, await resolve(runtime))
    except InputError as error:
        return {"error": error.as_dict()}


async def request_ranking(state: RecommendState, call: Call) -> Update:
    """Ask the model for a ranking, unless this cell of the reward table was paid already.

    Args:
        state: The resolved request and its hint.
        call: The run's options.

    Raises:
        InputError: The model's name or key cannot be used at all.
        BudgetSpentError: No further call may be paid.
    """
    paid = await _paid_trial(state, call)
    if paid is not None:
        return {
            "answer": paid.answer,
            "flags": list(paid.flags),
            "latency_ms": 0.0,
            "tokens": dict(paid.tokens),
            "llm_calls": 0,
        }
    reply = await ask(ranking_prompt(state), call)
    return {
        "answer": reply.text,
        "flags": ["model_failed"] if reply.failed else [],
        "latency_ms": reply.latency_ms,
        "tokens": {"in": reply.tokens_in, "out": reply.tokens_out},
        "llm_calls": 1,
    }


async def _paid_trial(state: RecommendState, call: Call) -> Trial | None:
    session = state.get("training_session")
    if session is None:
        return None
    key = hint_key(state["hint"]["text"])
    async with call.services.engine.connect() as connection:
        return await find_trial(connection, session, key, call.model, RANKING_PROMPT_VERSION)


def ranking_prompt(state: RecommendState) -> list[BaseMessage]:
    """Write the prompt of a resolved request.

    Args:
        state: The resolved request and its hint.
    """
    task = RankingTask(
        history=_items(state["history_items"]),
        candidates=_items(state["candidate_items"]),
        evidence=state["evidence"],
        evidence_meaning=EVIDENCE,
        hint=state["hint"]["text"],
    )
    return ranking_messages(task)


def _items(views: Sequence[ItemView]) -> list[Item]:
    return [Item(view["id"], view["title"], view["attributes"]) for view in views]
