"""Node `recommend`: the ranking call."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from ..errors import Re2llmError
from ..knowledge.evidence import EVIDENCE
from ..llm.ranking_prompt import RankingTask, ranking_messages
from ..records import Item
from .context import Context, resolve
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
    call = await resolve(runtime)
    try:
        reply = await ask(ranking_prompt(state), call)
    except Re2llmError as error:
        return {"error": error.as_dict()}
    return {
        "answer": reply.text,
        "flags": ["model_failed"] if reply.failed else [],
        "latency_ms": reply.latency_ms,
        "tokens": {"in": reply.tokens_in, "out": reply.tokens_out},
        "llm_calls": 1,
    }


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
