"""A server that speaks OpenAI's protocol, with what such servers send beside it."""

from __future__ import annotations

from typing import Any

from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI

from .json_values import is_object
from .responses import REASONING
from .usage import TIMINGS


class OpenAIServer(ChatOpenAI):
    """Keeps `reasoning_content` and `timings`, which `ChatOpenAI` drops.

    vLLM's reasoning parsers put a whole answer in JSON into the first and leave the content empty;
    llama.cpp counts cached tokens in the second.
    """

    def _create_chat_result(
        self,
        response: Any,
        generation_info: dict[str, Any] | None = None,
    ) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)  # pyright: ignore[reportUnknownMemberType]  # a bare dict
        raw: dict[str, Any] = response if is_object(response) else response.model_dump()
        for generation, choice in zip(result.generations, raw.get("choices") or (), strict=False):
            message: dict[str, Any] = choice.get("message") or {}
            thoughts = message.get(REASONING) or message.get("reasoning")
            if thoughts:
                generation.message.additional_kwargs[REASONING] = thoughts
            if raw.get(TIMINGS):
                generation.message.response_metadata[TIMINGS] = raw[TIMINGS]
        return result
