"""The ranking prompt of a resolved request."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from ..knowledge.evidence import EVIDENCE
from ..llm.answers import WANTED
from ..llm.ranking_prompt import RankingTask
from ..records import Item
from ..runtime.options import RunOptions
from .state import ItemView, RecommendState


def ranking_prompt(
    state: RecommendState, options: RunOptions, *, hinted: bool = True
) -> list[BaseMessage]:
    """Write the prompt of a resolved request.

    Args:
        hinted: Whether to give the hint.
    """
    task = RankingTask(
        history=_items(state["history_items"]),
        candidates=candidates(state),
        evidence=state["evidence"],
        evidence_meaning=EVIDENCE,
        hint=state["hint"]["text"] if hinted else None,
        wanted=max(WANTED, state.get("shown", WANTED)),
    )
    return options.prompt.messages(task)


def candidates(state: RecommendState) -> list[Item]:
    """Return the candidates in the order of their numbers."""
    return _items(state["candidate_items"])


def _items(views: Sequence[ItemView]) -> list[Item]:
    return [Item(view["id"], view["title"], view["attributes"]) for view in views]
