"""The ways to ask for a ranking: what the prompt says, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from ..records import Item
from ..settings import PromptRecipe
from .answers import RankingAnswer, is_ranking, read_ranking
from .paper_prompt import PAPER_PROMPT_VERSION, paper_answer, paper_messages, paper_repair
from .ranking_prompt import (
    RANKING_PROMPT_VERSION,
    RankingTask,
    ranking_messages,
    repair_messages,
)
from .structured import AnswerFormat
from .title_answers import read_titles


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to ask for a ranking.

    Attributes:
        version: What trials and releases are marked with.
        answer_format: The form to hold the model to, or `None` for free text.
        messages: Writes the prompt.
        repair: Writes the follow-up to an answer that is not complete.
        read: Reads an answer, given the candidates in the order of their numbers.
        write: Writes a ranking as the prompt asks for it.
    """

    version: str
    answer_format: AnswerFormat | None
    messages: Callable[[RankingTask], list[BaseMessage]]
    repair: Callable[[Sequence[BaseMessage], str, int], list[BaseMessage]]
    read: Callable[[str, Sequence[Item]], RankingAnswer]
    write: Callable[[Sequence[int], Sequence[Item]], str]


_RANKING = AnswerFormat(
    {
        "title": "ranking",
        "description": "The best candidates, ranked.",
        "type": "object",
        "properties": {
            "ranking": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "Numbers of the best candidates, each once, the likeliest first.",
            }
        },
        "required": ["ranking"],
        "additionalProperties": False,
    },
    is_ranking,
)

RECIPES: Mapping[PromptRecipe, Recipe] = {
    "json": Recipe(
        RANKING_PROMPT_VERSION,
        _RANKING,
        ranking_messages,
        repair_messages,
        lambda text, candidates: read_ranking(text, len(candidates), candidates),
        lambda numbers, _: json.dumps({"ranking": list(numbers)}),
    ),
    "paper": Recipe(
        PAPER_PROMPT_VERSION, None, paper_messages, paper_repair, read_titles, paper_answer
    ),
}
"""By the name that the setting `prompt` has."""
