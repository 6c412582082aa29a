"""A stand-in for a chat model: it only passes titles and picks to the tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Self

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from ..text.json_values import is_list, is_object

HELP = """\
I am not a language model. I understand only this:

- Titles that you liked, in quotation marks, separated by commas, or one per line: I recommend \
what to choose next.
- A number, after a list: your pick. "None" means none of them.

To chat in your own words, set RE2LLM_MODEL, such as RE2LLM_MODEL=openai:gpt-4.1-mini, and \
RE2LLM_API_KEY."""
_WORD = re.compile(r"\S+\s*|\s+")
_COUNT, _MOST_TITLES, _LONGEST_TITLE = 5, 50, 200
_QUOTED = re.compile(r'"([^"\n]{1,200})"|“([^”\n]{1,200})”|„([^“”\n]{1,200})[“”]|«([^»\n]{1,200})»')
_NUMBER = re.compile(r"[^\w\n]{0,5}(\d{1,4})[^\w\n]{0,5}")
_NONE = re.compile(r"none(?: of (?:these|them|those))?[.!]?", re.IGNORECASE)
_BULLET = re.compile(r"\A\s*(?:[-*•]|\d{1,3}[.)])\s+")


class OfflineAssistant(BaseChatModel):
    """Recommends for titles in a fixed form, takes a number as a pick, and says what it is.

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
        """Return an assistant that calls no other tools."""
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
        for word in _WORD.findall(reply.text) or [""]:
            chunk = ChatGenerationChunk(
                message=AIMessageChunk(content=word, tool_call_chunks=calls)
            )
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        call = f"call-{len(messages)}"
        listed = _last_list(messages)
        if messages and isinstance(messages[-1], ToolMessage):
            return self._after(messages[-1], listed, call)
        said = next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "").strip()
        quoted = ["".join(groups).strip() for groups in _QUOTED.findall(said)]
        if any(quoted):
            return self._recommend(list(filter(None, quoted)), call)
        number = _NUMBER.fullmatch(said)
        if listed is not None and (number or _NONE.fullmatch(said)):
            return self._feedback(listed, int(number[1]) if number else None, call)
        titles = _titles(said)
        if len(titles) > 1:
            # Other sentences have commas, too: some of it has to be in the catalogue.
            return self._call("find_titles", {"titles": titles}, call)
        return self._say(HELP)

    def _after(self, answer: ToolMessage, listed: dict[str, Any] | None, call: str) -> AIMessage:
        if answer.status == "error":
            return self._say(answer.text)
        result = _result(answer)
        if answer.name == "recommend" and result:
            return self._say(_numbered(result))
        if answer.name == "feedback" and result:
            picked = result.get("picked")
            titles = [item["title"] for item in _items(listed or {}) if item["id"] == picked]
            return self._say(f"Noted: {[*titles, 'your pick'][0] if picked else 'none of these'}.")
        if answer.name == "find_titles":
            found = [title for title in _objects(result.get("titles")) if "typed" in title]
            if any(title.get("status") in {"found", "ambiguous"} for title in found):
                return self._recommend([str(title["typed"]) for title in found], call)
        return self._say(HELP)

    def _recommend(self, titles: list[str], call: str) -> AIMessage:
        return self._call("recommend", {"history": titles[:_MOST_TITLES], "k": _COUNT}, call)

    def _feedback(self, listed: dict[str, Any], number: int | None, call: str) -> AIMessage:
        items = _items(listed)
        if number is not None and not 1 <= number <= len(items):
            return self._say(f"My list has the numbers 1 to {len(items)}.")
        picked = None if number is None else items[number - 1]["id"]
        arguments = {"recommendation_id": listed["recommendation_id"], "picked": picked}
        return self._call("feedback", arguments, call)

    def _call(self, name: str, arguments: dict[str, Any], call: str) -> AIMessage:
        if self.tools is not None and name not in self.tools:
            no_tool = f"I have no tool here that does that ({name})."
            return self._say(no_tool if self.tools else "I look nothing more up now.")
        return AIMessage("", tool_calls=[tool_call(name=name, args=arguments, id=call)])

    def _say(self, text: str) -> AIMessage:
        return AIMessage(f"{self.note}\n\n{text}" if self.note else text)


def _titles(said: str) -> list[str]:
    parts = (_BULLET.sub("", part, count=1).strip() for part in re.split(r"[,;\n]", said))
    return [part for part in parts if 0 < len(part) <= _LONGEST_TITLE][:_MOST_TITLES]


def _last_list(messages: Sequence[BaseMessage]) -> dict[str, Any] | None:
    for message in reversed(messages):
        if isinstance(message, ToolMessage) and message.name == "recommend":
            result = _result(message)
            if message.status != "error" and _items(result) and result.get("recommendation_id"):
                return result
    return None


def _result(answer: ToolMessage) -> dict[str, Any]:
    try:
        result = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return dict(result) if is_object(result) else {}


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    listed = _objects(result.get("items"))
    return [i for i in listed if isinstance(i.get("id"), str) and isinstance(i.get("title"), str)]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [dict(entry) for entry in value if is_object(entry)] if is_list(value) else []


def _numbered(listed: dict[str, Any]) -> str:
    lines: list[str] = []
    asks = 'Answer with a number to pick one, or with "none".'
    for place, item in enumerate(_items(listed), start=1):
        reasons = "; ".join(map(str, item["because"])) if is_list(item.get("because")) else ""
        lines.append(f"{place}. {item['title']}" + (f" ({reasons})" if reasons else ""))
    if not lines:
        return "There is nothing to recommend."
    return "\n".join([*lines, "", asks] if listed.get("recommendation_id") else lines)
