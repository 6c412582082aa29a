"""A server that speaks OpenAI's protocol, with what such servers add to it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI

from ...errors import Failure
from ..errors.failures import ModelFailedError
from ..text.json_values import is_list, is_object
from ..usage import TIMINGS, Usage, read_usage
from .http_client import AnswerClient
from .openai_format import as_completion
from .shown_again import kept_fields, shown_again

_SOCKETS = "http_socket_options"
"""A field of newer versions of LangChain's model."""


def no_warning_of_parts() -> None:
    """Let nothing be printed about answers that come as a list of parts, which are read right.

    The package `openai` writes each answer out as its own type, and a text is what that expects.
    """
    expected = r"(?s)Pydantic serializer warnings:.{0,200}field_name='content'"
    warnings.filterwarnings("ignore", expected, UserWarning)


no_warning_of_parts()


def openai_server(model: str, options: Mapping[str, Any]) -> OpenAIServer:
    """Make a model on a server that may hide its errors behind the status 200, or never end.

    Args:
        model: Its name.
        options: Others of `ChatOpenAI`.
    """
    # LangChain refuses a proxy beside a client, so the client takes it.
    client = AnswerClient(proxy=os.environ.get("OPENAI_PROXY") or None)
    given: dict[str, Any] = {"http_async_client": client, "openai_proxy": "", **options}
    if _SOCKETS in OpenAIServer.model_fields:
        # Else LangChain warns that the environment's proxies are passed over, as its own client
        # would, which is never asked.
        given[_SOCKETS] = ()
    return OpenAIServer(model=model, **given)


class OpenAIServer(ChatOpenAI):
    """Keeps `reasoning_content` and `timings`, which `ChatOpenAI` drops.

    vLLM's reasoning parsers put a whole answer in JSON into the first and leave the content empty;
    llama.cpp counts cached tokens in the second.

    Attributes:
        sends_thoughts: Whether calls in a chat's history are sent with the thoughts before them.
        sends_signatures: Whether they are sent with their signatures, if need be made-up ones.
        sends_content: Whether they are sent with an empty text in place of none.
    """

    sends_thoughts: bool = False
    sends_signatures: bool = False
    sends_content: bool = False

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # a bare dict
        if "messages" in payload:
            messages = self._convert_input(input_).to_messages()
            payload["messages"] = [
                shown_again(
                    sent,
                    message,
                    thoughts=self.sends_thoughts,
                    signatures=self.sends_signatures,
                    content=self.sends_content,
                )
                for sent, message in zip(payload["messages"], messages, strict=True)
            ]
        return payload

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], *args: Any, **kwargs: Any
    ) -> ChatGenerationChunk | None:
        part = super()._convert_chunk_to_generation_chunk(chunk, *args, **kwargs)  # pyright: ignore[reportUnknownMemberType]  # a bare dict
        choices: Any = chunk.get("choices")
        if part is not None and is_list(choices) and choices:
            delta: Any = choices[0].get("delta")
            part.message.additional_kwargs.update(kept_fields(delta or {}))
        return part

    def _create_chat_result(
        self,
        response: Any,
        generation_info: dict[str, Any] | None = None,
    ) -> ChatResult:
        raw: Any = response.model_dump(warnings=False) if hasattr(response, "choices") else response
        if is_object(raw) and raw.get("choices") == []:
            raise ModelFailedError(Failure.WRONG_SHAPE, usage=self._billed(raw))
        result = super()._create_chat_result(response, generation_info)  # pyright: ignore[reportUnknownMemberType]  # a bare dict
        for generation, choice in zip(result.generations, raw.get("choices") or (), strict=False):
            message: dict[str, Any] = choice.get("message") or {}
            generation.message.additional_kwargs.update(kept_fields(message))
            if raw.get(TIMINGS):
                generation.message.response_metadata[TIMINGS] = raw[TIMINGS]
        return result

    def _billed(self, raw: dict[str, Any]) -> Usage | None:
        """Return the tokens of an answer with nothing in it."""
        empty = as_completion({**raw, "choices": [{}]})
        message = super()._create_chat_result(empty).generations[0].message  # pyright: ignore[reportUnknownMemberType]  # as above
        message.response_metadata["token_usage"] = empty.get("usage")
        return read_usage(message)
