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

from ..json_values import is_object
from . import speech
from .conversation import SHOWN, Conversation
from .lists import Item
from .memory import Found, Question, Recommendation

_MOST = 100


class OfflineAssistant(BaseChatModel):
    """Looks titles up, recommends, predicts ratings and takes feedback, by rules; it says so.

    Like any model it sees nothing but the messages, answers with tool calls or text, and is
    deterministic.

    Args:
        note: Stands before its first words, such as why it answers instead of another model.
    """

    note: str = ""
    tools: frozenset[str] | None = None
    """Names of those that it may call; `None` for all."""

    @property
    def _llm_type(self) -> str:
        return "re2llm-offline-assistant"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Self:
        """Return an assistant that calls no other tools.

        Args:
            tools: Of those of the chat graph.
        """
        names = (tool["name"] if is_object(tool) else str(tool.name) for tool in tools)
        return self.model_copy(update={"tools": frozenset(names)})

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
        if talk.result is not None:
            return self._after(talk.result, talk)
        if talk.question is not None and talk.said.none:
            return self._say(speech.other_words())
        if talk.recommended is not None and talk.recommended.concerns(talk.said):
            return self._feedback(talk.recommended, talk)
        answer = talk.question.item(talk.said) if talk.question is not None else None
        if talk.question is not None and answer is not None:
            return self._answered(talk.question, answer, talk)
        return self._listen(talk)

    def _listen(self, talk: Conversation) -> AIMessage:
        if talk.said.more and talk.liked:
            return self._recommend([], talk)
        if talk.said.off_topic:
            return self._say(speech.beyond())
        if talk.said.more or not talk.titles:
            return self._say(speech.introduction())
        return self._call("find_titles", {"titles": talk.titles}, talk)

    def _feedback(self, recommended: Recommendation, talk: Conversation) -> AIMessage:
        picked = None if talk.said.none else recommended.item(talk.said)
        if picked is None and not talk.said.none:
            return self._say(speech.no_such_place(len(recommended.items)))
        arguments = {"recommendation_id": recommended.id, "picked": picked}
        return self._call("feedback", arguments, talk)

    def _answered(self, question: Question, answer: Item, talk: Conversation) -> AIMessage:
        if question.waiting:
            titles = [item["title"] for item in (*question.settled, answer)]
            return self._call("find_titles", {"titles": [*titles, *question.waiting]}, talk)
        if talk.target is not None:
            return self._rate(talk.target, talk)
        return self._recommend([item["id"] for item in (*question.settled, answer)], talk)

    def _after(self, result: ToolMessage, talk: Conversation) -> AIMessage:
        if result.status == "error":
            return self._say(speech.trouble(result.text))
        answer: dict[str, Any] = json.loads(result.text)
        if result.name == "find_titles":
            return self._with(Found(answer["titles"]), talk)
        if result.name == "feedback":
            items = talk.recommended.items if talk.recommended else ()
            titles = {item["id"]: item["title"] for item in items}
            return self._say(speech.thanks(answer, titles.get(answer["picked"], "it")))
        if result.name == "rate" and talk.target is not None:
            ratings = talk.ratings(talk.target)
            return self._say(speech.expected(answer, talk.target, ratings))
        new = set(answer["history"]) - set(talk.liked)
        return self._say(
            speech.recommendation(answer, talk.new(answer), talk.opinions, new, talk.unknown)
        )

    def _with(self, found: Found, talk: Conversation) -> AIMessage:
        if found.ambiguous:
            return self._say(speech.which(found.ambiguous[0], found.unknown))
        asked_in_vain = talk.asked is not None and talk.asked not in found.items
        if asked_in_vain or not found.items:
            return self._say(speech.unknown(found.unknown))
        if talk.target is not None:
            return (
                self._rate(talk.target, talk)
                if talk.said.looks_up is None
                else self._say(speech.known(talk.target))
            )
        liked = [item["id"] for item in found.items.values() if talk.favours(item)]
        if not liked:
            return self._say(speech.unpopular([item["title"] for item in found.items.values()]))
        return self._recommend(liked, talk)

    def _rate(self, item: Item, talk: Conversation) -> AIMessage:
        told = talk.opinions.get(item["id"])
        if told is not None and told.verdict.rating is not None:
            return self._say(speech.told_before(told))
        ratings = talk.ratings(item)
        if self.tools is not None and "rate" not in self.tools:
            return self._say(speech.cannot_rate())
        if not ratings:
            return self._say(speech.no_ratings(item))
        history = [{**_rated(o.item), "rating": o.verdict.rating} for o in ratings]
        return self._call("rate", {"item": _rated(item), "history": history}, talk)

    def _recommend(self, ids: Sequence[str], talk: Conversation) -> AIMessage:
        # Once each, at the latest mention.
        history = list(dict.fromkeys([*talk.liked, *ids][::-1]))[::-1]
        count = min(_MOST, len(talk.known) + SHOWN)
        return self._call("recommend", {"history": history, "k": count}, talk)

    def _call(self, name: str, arguments: dict[str, Any], talk: Conversation) -> AIMessage:
        call = tool_call(name=name, args=arguments, id=f"call-{talk.length}")
        return AIMessage("", tool_calls=[call])

    def _say(self, text: str) -> AIMessage:
        return AIMessage(f"{self.note}\n\n{text}" if self.note else text)


def _rated(item: Item) -> dict[str, Any]:
    facts = {"about": item["about"]} if item.get("about") else {}
    return {"title": item["title"], "attributes": facts}


def _pieces(line: str) -> list[str]:
    words = line.split(" ")
    return [*(f"{word} " for word in words[:-1]), words[-1]]
