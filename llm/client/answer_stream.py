"""A chat model that streams its answers without its thoughts, and calls tools as it means to."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    InvalidToolCall,
    message_chunk_to_message,
)
from langchain_core.messages.tool import ToolCallChunk, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from ..chat.calls import fit_answer
from ..chat.text_calls import may_be_calls
from ..errors.failures import Failure, ModelFailedError
from ..errors.unsupported_options import Part
from ..responses import generated
from ..text.json_values import is_object
from ..text.thought_marks import safe_length
from ..text.thoughts import without_thoughts
from ..text.tolerant_json import decode_tolerantly
from .adapting import without_system
from .openai_messages import arguments_text, decoded

_BEFORE_ARGUMENTS = re.compile(r"\s*+(?:```\w{0,10}\s*+)?")
_AFTER_ARGUMENTS = re.compile(r"(?:\s|```|</[\w.:-]{1,60}>)*+")
_NO_STREAM: Any = {"tags": ["nostream", "langsmith:nostream"]}


@dataclass
class ChatTraits:
    """What has been found out about how a model chats.

    Attributes:
        takes_tools: Whether its server accepts tools.
        takes_system: Whether its server accepts system messages, and several of one role in a row.
        emits_reasoning: Whether an answer's text had reasoning in it; `None` before the first.
        too_long: Bytes of the shortest chat that was too long for it, or `None`.
    """

    takes_tools: bool = True
    takes_system: bool = True
    emits_reasoning: bool | None = None
    too_long: int | None = None


@dataclass
class StreamedAnswer:
    """One answer of a model.

    Attributes:
        traits: The model's traits; updated by the answer.
        started: Whether a word of it has been streamed.
        answer: The whole message without its thoughts, once it is there.
    """

    traits: ChatTraits
    started: bool = False
    answer: AIMessage | None = None


class AnswerOnlyModel(BaseChatModel):
    """Passes on another model's answer without its thoughts.

    It streams only what can be neither a thought nor a call: up to the first mark of one. The rest
    comes in one piece at the end, with the calls. So does the whole answer if the model has shown
    thoughts before, or is asked for the first time, since some servers mark only the end of a
    thought.

    Args:
        inner: The model, or one with tools bound to it. Its tokens are hidden from the stream.
        streamed: Where to note what is answered.
        tools: Names of those bound to it.
    """

    inner: Any
    streamed: StreamedAnswer
    tools: frozenset[str] = frozenset()

    @property
    def _llm_type(self) -> str:
        return "re2llm-spoken"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Self:
        """Bind tools to the inner model.

        Args:
            tools: The tools as its own `bind_tools` takes them.

        Raises:
            ModelFailedError: It cannot take tools.
        """
        try:
            bound = self.inner.bind_tools(tools, **kwargs)
        except NotImplementedError as error:
            raise ModelFailedError(Failure.REJECTED, refuses={Part.TOOLS}) from error
        names = frozenset(str(getattr(tool, "name", "")) for tool in tools) - {""}
        return self.model_copy(update={"inner": bound, "tools": names})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # the inner one's own
        **kwargs: Any,
    ) -> ChatResult:
        return self._said(self.inner.invoke(self._sent(messages), _NO_STREAM, stop=stop, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        sent = self._sent(messages)
        try:
            message = await self.inner.ainvoke(sent, _NO_STREAM, stop=stop, **kwargs)
        except Exception as error:
            message = self._unread_calls(error)
            if message is None:
                raise
        return self._said(message)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        parts: list[AIMessage] = []
        shown, waiting = "", ""
        async with aclosing(self._parts(messages, stop, **kwargs)) as stream:
            async for part in stream:
                parts.append(part)
                waiting += part.text
                safe = 0
                unsure = not shown and may_be_calls(waiting, self.tools)
                if self.streamed.traits.emits_reasoning is False and not unsure:
                    safe = safe_length(waiting, begins=not shown)
                ready, waiting = waiting[:safe], waiting[safe:]
                shown += ready
                if ready:
                    yield self._chunk(ready, [])
        answer = self._note(_whole(parts))
        yield self._chunk(_rest(answer.text, shown), _calls(answer))

    async def _parts(
        self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any
    ) -> AsyncGenerator[AIMessage]:
        begun = False
        sent = self._sent(messages)
        try:
            stream = self.inner.astream(sent, _NO_STREAM, stop=stop, **kwargs)
            async with aclosing(stream):
                async for part in stream:
                    begun = begun or bool(part.text or getattr(part, "tool_call_chunks", None))
                    yield part
        except Exception as error:
            message = None if begun else self._unread_calls(error)
            if message is None:
                raise
            # A part, since it is added to those before it, which may hold a role alone.
            yield AIMessageChunk(content=message.content)

    def _unread_calls(self, error: Exception) -> AIMessage | None:
        """Return the calls of tools that a server could not read, as Groq sends them back."""
        message = AIMessage(generated(error))
        return message if fit_answer(message, self.tools).tool_calls else None

    def _sent(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        return messages if self.streamed.traits.takes_system else without_system(messages)

    def _chunk(self, text: str, calls: list[ToolCallChunk]) -> ChatGenerationChunk:
        self.streamed.started = self.streamed.started or bool(text)
        return ChatGenerationChunk(message=AIMessageChunk(content=text, tool_call_chunks=calls))

    def _said(self, message: AIMessage) -> ChatResult:
        answer = self._note(_readable(message))
        # Without its usage, which would be counted twice: the inner model has reported it.
        plain = AIMessage(str(answer.text), tool_calls=answer.tool_calls)
        return ChatResult(generations=[ChatGeneration(message=plain)])

    def _note(self, message: AIMessage) -> AIMessage:
        traits = self.streamed.traits
        thought = without_thoughts(str(message.text)) != message.text
        traits.emits_reasoning = bool(traits.emits_reasoning) or thought
        self.streamed.answer = fit_answer(message, self.tools)
        return self.streamed.answer


def _whole(parts: Sequence[AIMessage]) -> AIMessage:
    chunks = [part for part in parts if isinstance(part, AIMessageChunk)]
    if not chunks:
        return _readable(parts[-1]) if parts else AIMessage("")
    whole = message_chunk_to_message(chunks[0] + chunks[1:])
    return _readable(whole) if isinstance(whole, AIMessage) else AIMessage(str(whole.text))


def _readable(message: AIMessage) -> AIMessage:
    """Return a message whose calls are valid as far as their arguments can be read."""
    calls, broken = list(message.tool_calls), list[InvalidToolCall]()
    for call in message.invalid_tool_calls:
        args = _arguments(arguments_text(call.get("args")))
        if call.get("name") and args is not None:
            calls.append(tool_call(name=str(call["name"]), args=args, id=call.get("id")))
        else:
            broken.append(call)
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": broken})


def _arguments(text: str) -> dict[str, Any] | None:
    """Return the arguments of a call, if need be with slips or between marks of code.

    Words or another object around them may mean anything else.
    """
    value: Any = decoded(text)
    if is_object(value):
        return value
    begins = _BEFORE_ARGUMENTS.match(text)
    try:
        found = decode_tolerantly(text, begins.end() if begins else 0)
    except ValueError:
        return None
    alone = not found.cut and _AFTER_ARGUMENTS.fullmatch(text, found.end)
    return found.value if alone and is_object(found.value) else None


def _calls(message: AIMessage) -> list[ToolCallChunk]:
    return [
        tool_call_chunk(
            name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=place
        )
        for place, call in enumerate(message.tool_calls)
    ]


def _rest(answer: str, shown: str) -> str:
    """Return what is still to be shown; after words that were no part of it, all of it."""
    # An answer that had thoughts or calls is stripped of what stood around it.
    if answer in {shown.strip(), shown.rstrip(" \t\n`")}:
        return ""
    for start in (shown, shown.lstrip()):
        if answer.startswith(start):
            return answer[len(start) :]
    return f"\n\n{answer}"
