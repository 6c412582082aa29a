"""Finds out by a few short calls what a chat model can do. Each call has a time limit."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage

from ...errors import Failure, ModelDownError
from ...records import Item, counted
from ..errors.failures import ABOUT_LETTERS, ModelFailedError
from ..errors.unsupported_options import Part, refused_and_wanted
from ..ranking_prompts.letters import alternatives
from ..ranking_prompts.ranking_prompt import RankingTask
from ..ranking_prompts.recipes import RECIPES
from ..structured import METHODS, bind_format
from ..text.json_values import is_object
from ..text.thoughts import REASONING
from .answer import read_answer
from .probe_questions import Prober

Status = Literal["ok", "note", "failed", "skipped"]
"""`note`: re2llm works without it, but should be told."""

USUAL_CALLS = 6
"""Calls that all probes of one model make if its server refuses nothing."""
MOST_REFUSED = 3
"""Calls that are repeated without what the server refuses: temperature, length, system message."""
MOST_CALLS = 2 * len(METHODS) - 1 + USUAL_CALLS + MOST_REFUSED
"""Most calls that the probes make: each way to ask for JSON may be refused, or bring none."""
_LONGER = "Answers are cut off at their longest length: set RE2LLM_MAX_ANSWER_TOKENS to more."
_DIGIT = "Answer with one digit: 7"
_TOOL = {
    "type": "function",
    "function": {
        "name": "find_titles",
        "description": "Looks up titles in the catalogue.",
        "parameters": {
            "type": "object",
            "properties": {"titles": {"type": "array", "items": {"type": "string"}}},
            "required": ["titles"],
        },
    },
}
_LONG_PROMPT = (
    "These are lines of a film catalogue, to see whether a repeated prompt is cached. "
    + " ".join(f"Line {n}: a film about a harbour in winter, in colour." for n in range(150))
    + " Answer with the word yes."
)
"""About 2,000 tokens: providers cache no prompt below 1,024."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe has found.

    Attributes:
        name: What was looked at.
        status: How it is.
        found: What was found, for a person.
        remedy: What to do about it; empty if nothing.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


class Probes:
    """Probes of one model.

    Args:
        asking: Asks the model and counts.

    Attributes:
        gives_logprobs: Whether the model gives log-probabilities; `None` if that is not known.
    """

    def __init__(self, asking: Prober) -> None:
        self.gives_logprobs: bool | None = None
        self._asking = asking
        self._endpoint = asking.endpoint

    async def answers(self) -> list[Finding]:
        """Tell whether the server is there, takes the key, and has a model that says a word."""
        try:
            said = await self._asking.say("Answer with the word yes.")
            answered = read_answer(said, "plain", None)
        except ModelFailedError as error:
            return self._unanswered(error)
        # Some servers take a whole answer for thoughts; what it is good for is for the next probes.
        thought = bool(said.additional_kwargs.get(REASONING)) and not answered.cut
        if answered.text.strip() or thought:
            model = Finding("model", "ok", f"{self._endpoint.name} answers")
        else:
            model = self._silent("model", cut=answered.cut)
        return [model, Finding("key", "ok", "accepted")]

    def _silent(self, name: str, *, cut: bool) -> Finding:
        """Say what to do about a model that answers without a word."""
        down = ModelDownError(self._endpoint.name, Failure.WRONG_SHAPE)
        return Finding(name, "failed", down.problem, _LONGER if cut else down.remedy)

    def _unanswered(self, error: ModelFailedError) -> list[Finding]:
        down = ModelDownError(self._endpoint.name, error.failure, error.said)
        failed = Finding("model", "failed", down.problem, down.remedy)
        if error.failure is Failure.DENIED:
            reached = Finding("model", "ok", f"the server of {self._endpoint.name} answers")
            return [reached, Finding("key", "failed", down.problem, down.remedy)]
        return [failed, Finding("key", "skipped", "unknown: the model gives no answer")]

    async def json(self) -> Finding:
        """Find the way in which the model answers with the JSON of a ranking."""
        recipe = RECIPES["json"]
        films = [Item("1", "Alien"), Item("2", "Heat"), Item("3", "Room")]
        messages = recipe.messages(RankingTask(history=[Item("0", "Aliens")], candidates=films))
        cut = said = False
        for _ in METHODS:
            try:
                answered = await self._asking.answer(messages, recipe.answer_format)
            except ModelFailedError as error:
                if error.failure is Failure.WRONG_SHAPE:
                    continue  # the server rejected what the model wrote
                down = ModelDownError(self._endpoint.name, error.failure, error.said)
                return Finding("json", "failed", down.problem, down.remedy)
            if answered.fits:
                way = f"{_WAYS[answered.method]} ({answered.method})"
                return Finding("json", "ok", way)
            cut = cut or answered.cut
            said = said or bool(answered.text.strip())
        if not said:
            return self._silent("json", cut=cut)
        return Finding(
            "json",
            "note",
            "no way of asking brought the JSON that was asked for",
            _LONGER
            if cut
            else "Rankings are read from the text as well as can be; a larger model may do better.",
        )

    async def tools(self) -> Finding:
        """Tell whether the model can call tools, which the chat needs."""
        try:
            said = await self._asking.say(
                "Look up the title Alien with the tool.",
                lambda model: model.bind_tools([_TOOL]),
            )
        except ModelFailedError as error:
            return _without("tools", error, "A stand-in answers in the chat; rankings need none.")
        if getattr(said, "tool_calls", None):
            return Finding("tools", "ok", "called")
        return Finding(
            "tools",
            "note",
            "accepted, but not called when asked to",
            "The chat may be unable to look things up; rankings need none.",
        )

    async def logprobs(self) -> Finding:
        """Tell whether the model gives the probabilities of 20 alternatives to its first token."""
        letters = RECIPES["letters"].answer_format

        def say(*, old_limit: bool) -> Awaitable[BaseMessage]:
            return self._asking.say(
                _DIGIT, lambda model: bind_format(model, "plain", letters, old_limit=old_limit)
            )

        try:
            try:
                said = await say(old_limit=False)
            except ModelFailedError as error:
                if Part.MAX_TOKENS not in error.refuses:
                    raise
                said = await say(old_limit=True)
        except ModelFailedError as error:
            self.gives_logprobs = False if error.failure in ABOUT_LETTERS else None
            return _without("logprobs", error, "")
        count = alternatives(said)
        self.gives_logprobs = bool(count)
        if not count:
            return Finding("logprobs", "note", "accepted, but none came back")
        return Finding("logprobs", "ok", f"supported, alternatives to a token: {count}")

    async def cache(self) -> Finding:
        """Tell whether a prompt that was sent before is cheaper the second time."""
        try:
            await self._asking.say(_LONG_PROMPT)
            said = await self._asking.say(_LONG_PROMPT)
        except ModelFailedError as error:
            return _without("prompt cache", error, "")
        cached = cached_tokens(said)
        if cached is None:
            return Finding("prompt cache", "note", "the usage says nothing about cached tokens")
        if not cached:
            return Finding("prompt cache", "note", "reported, but a repeated prompt hit none")
        found = f"{counted(cached, 'token')} of a repeated prompt came from it"
        return Finding("prompt cache", "ok", found)

    def left_out(self) -> Finding | None:
        """Tell what the server has refused in the probes so far, `None` if nothing."""
        refused, wanted = refused_and_wanted(self._endpoint.refused)
        told: list[str] = []
        if refused:
            named = refused.replace("_", " ")
            told.append(f"the server refuses {named}; re2llm asks without")
        if wanted:
            told.append(f"the server wants {wanted}; re2llm asks so")
        return Finding("options", "note", "; ".join(told)) if told else None


def cached_tokens(message: BaseMessage) -> int | None:
    """Return how many prompt tokens came from a cache, or `None` if the usage does not say."""
    usage: Any = message.response_metadata.get("token_usage")
    if is_object(usage):
        details: Any = usage.get("prompt_tokens_details")
        for holder, name in (
            (details, "cached_tokens"),
            (usage, "prompt_cache_hit_tokens"),
            (usage, "cache_read_input_tokens"),
        ):
            count = holder.get(name) if is_object(holder) else None
            if isinstance(count, int):
                return count
    counted = message.usage_metadata if isinstance(message, AIMessage) else None
    return counted.get("input_token_details", {}).get("cache_read") if counted else None


def _without(name: str, error: ModelFailedError, remedy: str) -> Finding:
    why = error.said or error.failure.replace("_", " ")
    if error.failure is Failure.TIMEOUT:
        again = "Raise RE2LLM_REQUEST_TIMEOUT, and run it again."
        return Finding(name, "note", "not known: no answer in time", again)
    if error.failure in _SAYS_NOTHING:
        return Finding(name, "note", f"not known, no answer: {why}", "Run it again.")
    return Finding(name, "note", f"not supported: {why}", remedy)


_SAYS_NOTHING = frozenset(
    {
        *(Failure.CONNECTION, Failure.RATE_LIMITED),
        *(Failure.BUSY, Failure.CIRCUIT_OPEN),
    }
)
"""Failures that are not about what was asked for."""


_WAYS = {
    "json_schema": "held to a JSON schema",
    "function_calling": "by function calling",
    "json_mode": "in JSON mode",
    "plain": "because the prompt asks for it",
}
