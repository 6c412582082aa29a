"""The chat assistant's model with no key: fixed rules over the same tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Self

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from . import speech
from .conversation import SHOWN, Conversation, Found, Recommendation

_MOST = 100


class OfflineAssistant(BaseChatModel):
    """Looks titles up, recommends, and takes feedback, by rules; it says that it is no LLM.

    Like any model it sees nothing but the messages, answers with tool calls or text, and is
    deterministic.

    Args:
        note: Stands before its first words, such as why it answers instead of another model.
    """

    note: str = ""

    @property
    def _llm_type(self) -> str:
        return "re2llm-offline-assistant"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Self:
        """Return the assistant itself: it knows its tools.

        Args:
            tools: Those of the chat graph.
        """
        del tools
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  # the base class's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages)
        calls = [
            tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=place)
            for place, c in enumerate(reply.tool_calls)
        ]
        for word in reply.text.splitlines(keepends=True) if not calls else [""]:
            for piece in _pieces(word):
                chunk = ChatGenerationChunk(
                    message=AIMessageChunk(content=piece, tool_call_chunks=calls)
                )
                if run_manager is not None:
                    run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        talk = Conversation(messages)
        result = talk.result
        if result is not None:
            return self._after(result, talk)
        said = talk.said
        if talk.recommended is not None and (said.none or said.picks):
            return self._feedback(talk.recommended, talk)
        if talk.question is not None:
            chosen = talk.question.item(said)
            if chosen is not None:
                return self._recommend([*talk.question.settled, chosen], talk)
        if said.more and talk.recommended is not None:
            return self._recommend([], talk)
        if said.greets or not said.titles:
            return self._say(speech.introduction())
        return self._call("find_titles", {"titles": said.titles}, talk)

    def _feedback(self, recommended: Recommendation, talk: Conversation) -> AIMessage:
        picked = None if talk.said.none else recommended.item(talk.said)
        if picked is None and not talk.said.none:
            return self._say(speech.no_such_place(len(recommended.items)))
        arguments = {"recommendation_id": recommended.id, "picked": picked}
        return self._call("feedback", arguments, talk)

    def _after(self, result: ToolMessage, talk: Conversation) -> AIMessage:
        if result.status == "error":
            return self._say(speech.trouble(result.text))
        answer: dict[str, Any] = json.loads(result.text)
        if result.name == "find_titles":
            return self._with(Found(answer["titles"]), talk)
        if result.name == "feedback":
            return self._say(speech.thanks(answer))
        said = None if talk.said.more else talk.said.text
        return self._say(speech.recommendation(answer, said, talk.new(answer)))

    def _with(self, found: Found, talk: Conversation) -> AIMessage:
        if found.ambiguous:
            return self._say(speech.which(found.ambiguous))
        if not found.ids:
            return self._say(speech.unknown(found.unknown))
        return self._recommend(found.ids, talk)

    def _recommend(self, ids: Sequence[str], talk: Conversation) -> AIMessage:
        # Once each, at the latest mention.
        history = list(dict.fromkeys([*talk.liked, *ids][::-1]))[::-1]
        count = min(_MOST, len(talk.seen) + SHOWN)
        return self._call("recommend", {"history": history, "k": count}, talk)

    def _call(self, name: str, arguments: dict[str, Any], talk: Conversation) -> AIMessage:
        call = tool_call(name=name, args=arguments, id=f"call-{talk.length}")
        return AIMessage("", tool_calls=[call])

    def _say(self, text: str) -> AIMessage:
        return AIMessage(f"{self.note}\n\n{text}" if self.note else text)


def _pieces(line: str) -> list[str]:
    words = line.split(" ")
    return [*(f"{word} " for word in words[:-1]), words[-1]]
