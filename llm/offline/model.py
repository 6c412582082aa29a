"""The offline ranker as a LangChain chat model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from ..embedding.embeddings import get_embedder
from ..ranking_prompts.letters import log_sum_exp
from ..text.json_values import is_list, is_object
from .batches import advised_for_most
from .document import RankingDocument
from .improving import improved
from .likeness import Encode
from .rating import rate, rating_document
from .reading import json_objects, read_ranking_task
from .reflecting import advise, chosen_number, explain, repeated, suspect
from .scoring import score

_ASKS_FOR_HINTS = re.compile(r"\bhints?\b", re.IGNORECASE)
_ASKS_WHY = re.compile(r"\b(?:hints?|mistakes?|explain|why|miss(?:ed)?)\b", re.IGNORECASE)

NO_TASK = (
    "I am re2llm's offline ranker, not a language model. I rank candidates: send me a numbered "
    "list of candidates and what was chosen before, as text or as JSON with `history` and "
    "`candidates`."
)


class OfflineRanker(BaseChatModel):
    """Ranks, follows a hint by its meaning, reflects on its misses, and predicts ratings.

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
        **kwargs: Any,
    ) -> ChatResult:
        said = self._answer(messages)
        metadata: dict[str, Any] = {"model_name": "offline"}
        if not isinstance(said, str):
            if kwargs.get("logprobs"):
                metadata["logprobs"] = _logprobs(said, kwargs.get("top_logprobs", 0))
            said = max(said, key=said.__getitem__)
        answer = AIMessage(said, response_metadata=metadata)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _answer(self, messages: Sequence[BaseMessage]) -> str | Mapping[str, float]:
        """Return the answer as text, or the scores of letters of which one is the answer."""
        to_rate = rating_document(messages)
        if to_rate is not None:
            return rate(to_rate, messages)
        encode = get_embedder().encode
        last = messages[-1].text if messages else ""
        advised = _about_hints(last, encode)
        if advised is not None:
            return advised
        document = read_ranking_task(messages)
        if document is None:
            return NO_TASK
        if _is_follow_up(messages):
            number = chosen_number(messages)
            if number is None or number not in document.numbers:
                return suspect(document, encode)
            answer = advise if _ASKS_FOR_HINTS.search(last) else explain
            return answer(document, number, encode)
        return _ranking(document, encode)


def _about_hints(asked: str, encode: Encode) -> str | None:
    """Answer a question about hints alone, or `None` if it is another one."""
    for document in json_objects(asked):
        if "new_hint" in document:
            known = _texts(document.get("known_hints"))
            return str(repeated(str(document["new_hint"]), known, encode))
        if "figures" in document and "misses" in document:
            return advised_for_most(document)
        if "parents" in document and "sessions" in document:
            return improved(_texts(document["parents"]), encode)
    return None


def _texts(listed: Any) -> list[str]:
    hints = listed if is_list(listed) else []
    return [str(hint.get("text", "")) if is_object(hint) else str(hint) for hint in hints]


def _is_follow_up(messages: Sequence[BaseMessage]) -> bool:
    """Tell a question about the own ranking from a request to rank (again)."""
    answered = any(message.type == "ai" for message in messages)
    return answered and _ASKS_WHY.search(messages[-1].text) is not None


def _ranking(document: RankingDocument, encode: Encode) -> str | Mapping[str, float]:
    scores = score(document, encode)
    if document.letters:
        return dict(zip(document.letters, scores.tolist(), strict=True))
    order: list[int] = np.argsort(-scores, kind="stable").tolist()[: document.wanted]
    if document.as_json:
        return json.dumps({"ranking": [document.numbers[place] for place in order]})
    titles = [document.candidates[place].title for place in order]
    return "\n".join(f"{rank}. {title}" for rank, title in enumerate(titles, start=1))


def _logprobs(scores: Mapping[str, float], count: int) -> dict[str, Any]:
    """Return what OpenAI's servers send: the likeliest alternatives to the one token."""
    total = log_sum_exp(scores.values())
    odds = sorted(((letter, value - total) for letter, value in scores.items()), key=_unlikely)
    top = [{"token": letter, "logprob": value} for letter, value in odds[:count]]
    return {"content": [{"token": odds[0][0], "logprob": odds[0][1], "top_logprobs": top}]}


def _unlikely(pair: tuple[str, float]) -> tuple[float, str]:
    letter, value = pair
    return -value, letter
