"""The ways to ask for a ranking: what the prompt says, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from langchain_core.messages import BaseMessage

from ...records import Item
from ...settings import RecipeName
from ..ranking_answers.answers import WANTED, RankingAnswer, is_ranking, read_ranking
from ..ranking_answers.title_answers import read_titles
from ..structured import AnswerFormat
from .letters import LETTERS, has_letters, read_letters, write_letters
from .paper_prompt import PAPER_PROMPT_VERSION, paper_answer, paper_messages, paper_repair
from .ranking_prompt import (
    LETTERS_PROMPT_VERSION,
    RANKING_PROMPT_VERSION,
    RankingTask,
    letters_messages,
    ranking_messages,
    repair_messages,
)

Repair = Callable[[Sequence[BaseMessage], str, int, int], list[BaseMessage]]
"""Takes the prompt, its answer, and the numbers of candidates that there are and that were asked
for."""


class Read(Protocol):
    """Reads an answer."""

    def __call__(
        self, text: str, candidates: Sequence[Item], wanted: int = WANTED, /
    ) -> RankingAnswer:
        """Read an answer about candidates, of which so many were asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to ask for a ranking.

    Attributes:
        name: The name of the recipe.
        version: What trials and releases are marked with.
        answer_format: The form to hold the model to, or `None` for free text.
        messages: Writes the prompt.
        repair: Writes the follow-up to an answer that is not complete; `None` where asking again
            brings nothing.
        read: Reads an answer, given the candidates in the order of their numbers, and how many of
            them were asked for.
        write: Writes a ranking, with the scores of all candidates or none, as `read` reads it.
    """

    name: RecipeName
    version: str
    answer_format: AnswerFormat | None
    messages: Callable[[RankingTask], list[BaseMessage]]
    repair: Repair | None
    read: Read
    write: Callable[[Sequence[int], Sequence[Item], Sequence[float]], str]


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


def _letters(scores: Sequence[float]) -> str:
    """Write the scores of candidates; nothing where there are none."""
    if not scores:
        return ""
    return write_letters(dict(zip(LETTERS, scores, strict=False)), min(scores))


RECIPES: Mapping[RecipeName, Recipe] = {
    "json": Recipe(
        "json",
        RANKING_PROMPT_VERSION,
        _RANKING,
        ranking_messages,
        repair_messages,
        lambda text, candidates, wanted=WANTED: read_ranking(
            text, len(candidates), candidates, wanted=wanted
        ),
        lambda numbers, _, __: json.dumps({"ranking": list(numbers)}),
    ),
    "paper": Recipe(
        "paper",
        PAPER_PROMPT_VERSION,
        None,
        paper_messages,
        paper_repair,
        read_titles,
        lambda numbers, candidates, _: paper_answer(numbers, candidates),
    ),
    "letters": Recipe(
        "letters",
        LETTERS_PROMPT_VERSION,
        AnswerFormat(None, has_letters, letters=True),
        letters_messages,
        None,
        lambda text, candidates, _=WANTED: read_letters(text, len(candidates)),
        lambda _, __, scores: _letters(scores),
    ),
}
"""The recipes by their names in the setting `prompt`."""
