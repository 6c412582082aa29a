"""The offline ranker as a LangChain chat model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from ..embeddings import get_embedder
from .channels import Encode, Scores, build_channels, standardised
from .following import follow
from .reading import RankingDocument, read_ranking_task

_HINT_WEIGHT = 1.5

NO_TASK = (
    "I am re2llm's offline ranker, not a language model. I rank candidates: send me a numbered "
    "list of candidates and what was chosen before, as text or as JSON with `history` and "
    "`candidates`."
)


class OfflineRanker(BaseChatModel):
    """Ranks by resemblance, attributes and evidence, and follows a hint by its meaning.

    It sees nothing but the messages, as any model would, and is deterministic.
    """

    @property
    def _llm_type(self) -> str:
        return "re2llm-offline"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  # the base class's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        answer = AIMessage(self._answer(messages), response_metadata={"model_name": "offline"})
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _answer(self, messages: Sequence[BaseMessage]) -> str:
        document = read_ranking_task(messages)
        if document is None:
            return NO_TASK
        order = np.argsort(-score(document, get_embedder().encode), kind="stable")
        if document.as_json:
            return json.dumps({"ranking": [document.numbers[place] for place in order]})
        titles = [document.candidates[place].title for place in order]
        return "\n".join(f"{rank}. {title}" for rank, title in enumerate(titles, start=1))


def score(document: RankingDocument, encode: Encode) -> Scores:
    """Score the candidates by resemblance to the history, plus what the hint says to weigh.

    Without a hint the sentence embeddings and the shared attributes count for one half each;
    evidence counts only where a hint speaks of it.

    Args:
        document: The task.
        encode: Texts to unit vectors.

    Returns:
        Shape `[candidates]`, higher is better.
    """
    channels = build_channels(document, encode)
    halves = (
        [channel.values for channel in channels if channel.resembles == half]
        for half in ("text", "attributes")
    )
    total = standardised(
        np.sum([standardised(np.sum(half, axis=0)) for half in halves if half], axis=0)
    )
    if document.hint:
        total = total + _HINT_WEIGHT * follow(document.hint, channels, encode)
    return total
