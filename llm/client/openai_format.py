"""Answers in the form that OpenAI's servers give them, whatever their own servers make of it.

The packages that read answers raise over a list where a text should be, or a name that is missing;
an answer that any person could read would be asked for again, and paid for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..text.call_signatures import EXTRAS, signature_in
from ..text.json_values import is_list, is_object
from ..usage import as_count
from .openai_messages import decoded, is_text, usual_message

_TEXTS = ("id", "object", "model", "system_fingerprint", "service_tier")
_MESSAGES = ("message", "delta", "text")
"""Keys of a choice that hold its text: the whole, a part, or the old form before chats."""
_DIGITS = 12
_COUNTED = ("prompt_tokens", "completion_tokens")
"""Keys without which an answer's tokens are unknown."""


def as_completion(body: Any) -> Any:
    """Return a whole answer in the usual form; anything else stays as it is.

    Args:
        body: Decoded JSON, which is not changed.
    """
    if is_list(body) and len(body) == 1:
        body = body[0]
    if not is_object(body) or "choices" not in body:
        return body
    choices = _choices(body["choices"])
    return {
        **_around(body),
        "choices": [_choice(one, "message", _whole(one), at) for at, one in enumerate(choices)],
    }


class Chunks:
    """Brings the parts of one streamed answer into the usual form, in their order.

    Attributes:
        tokens: What it has cost so far; empty if its server has not said so.
    """

    def __init__(self) -> None:
        self.tokens: dict[str, Any] = {}
        self._said = False
        self._held: dict[tuple[str, int | None], _Place] = {}
        self._free: dict[str, int] = {}
        self._signed: set[tuple[str, int]] = set()

    def usual(self, body: Any) -> Any:
        """Return a part of an answer in the usual form; anything else stays as it is.

        Args:
            body: Decoded JSON, which is not changed.
        """
        if not is_object(body) or "choices" not in body:
            return body
        around, choices = _around(body), _choices(body["choices"])
        if around.get("usage"):
            # Each counts from the beginning, and LangChain adds all that come.
            around["usage"], self.tokens = _beyond(around["usage"], self.tokens)
        parts = [_choice(one, "delta", self._delta(one), at) for at, one in enumerate(choices)]
        return {**around, "choices": parts}

    def _delta(self, choice: dict[str, Any]) -> dict[str, Any]:
        delta: Any = choice.get("delta")
        if not delta and not self._said:  # some servers say all of it again at the end
            delta = _held(choice)
        if not is_object(delta):
            return {}
        made = usual_message(delta, whole=False)
        if made.get("tool_calls"):
            said_by = choice.get("index")
            placed = [self._placed(call, str(said_by)) for call in made["tool_calls"]]
            made["tool_calls"] = [self._signed_once(call, str(said_by)) for call in placed]
        self._said = self._said or bool(made.get("content") or made.get("tool_calls"))
        return made

    def _placed(self, call: dict[str, Any], choice: str) -> dict[str, Any]:
        """Return a part of a call with an index of that call alone: some servers give all the same.

        Args:
            call: The call in the usual form.
            choice: What it is a part of.
        """
        given = call.get("index")
        given = given if isinstance(given, int) and not isinstance(given, bool) else None
        held = self._held.get((choice, given))
        if held is None or held.is_other(call, numbered=given is not None):
            free = self._free.get(choice, 0)
            at = free if given is None else max(free, given)
            self._free[choice] = at + 1
            held = self._held[choice, given] = _Place.of(call, at)
        return call if call.get("index") == held.at else {**call, "index": held.at}

    def _signed_once(self, call: dict[str, Any], choice: str) -> dict[str, Any]:
        """Return a part of a call without a signature that came before, which would be added to it.

        Args:
            call: The call with its index.
            choice: What it is a part of.
        """
        place = choice, call["index"]
        if signature_in(call.get(EXTRAS)) is not None and place not in self._signed:
            self._signed.add(place)
            return call
        return {key: value for key, value in call.items() if key != EXTRAS}


@dataclass(frozen=True)
class _Place:
    """Where a call stands among those of its answer.

    Attributes:
        at: Its index.
        id: Empty if its server gave none.
        whole: Whether its first part held all of its arguments.
    """

    at: int
    id: str
    whole: bool

    @classmethod
    def of(cls, call: dict[str, Any], at: int) -> Self:
        return cls(at, str(call.get("id") or ""), whole=_is_whole(call))

    def is_other(self, call: dict[str, Any], *, numbered: bool) -> bool:
        """Return whether another call begins with a part that has the same index, or none."""
        named = bool(_asked(call).get("name"))
        if not (named and numbered):
            return named
        if (id_ := call.get("id")) and self.id:
            return id_ != self.id
        return self.whole and _is_whole(call)


def _is_whole(call: dict[str, Any]) -> bool:
    written = _asked(call).get("arguments")
    return isinstance(written, str) and is_object(decoded(written))


def _asked(call: dict[str, Any]) -> dict[str, Any]:
    function: Any = call.get("function")
    return function if is_object(function) else {}


def _choice(choice: dict[str, Any], name: str, said: dict[str, Any], place: int) -> dict[str, Any]:
    rest = {key: value for key, value in choice.items() if key not in _MESSAGES}
    if not is_text(rest.get("finish_reason")):
        rest["finish_reason"] = str(rest["finish_reason"])
    return {"index": place, "finish_reason": None, **rest, name: said}


def _choices(value: Any) -> list[dict[str, Any]]:
    if is_object(value):
        value = [value] if any(name in value for name in _MESSAGES) else list(value.values())
    return [one for one in value if is_object(one)] if is_list(value) else []


def _whole(choice: dict[str, Any]) -> dict[str, Any]:
    held = _held(choice)
    return usual_message(held if is_object(held) else {"content": ""}, whole=True)


def _held(choice: dict[str, Any]) -> Any:
    held: Any = next((choice[name] for name in _MESSAGES if choice.get(name)), None)
    return {"content": held} if isinstance(held, str) else held


def _around(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without its choices."""
    made = {key: value for key, value in body.items() if key not in _TEXTS or is_text(value)}
    if not isinstance(made.get("created", 0), int):
        del made["created"]
    if "usage" in made:
        usage = _usage(made["usage"]) if is_object(made["usage"]) else {}
        unknown = any(usage.get(name, 0) is None for name in _COUNTED)
        made["usage"] = None if unknown or not usage else usage  # then it is estimated
    return made


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in usage.items():
        if name.endswith("_details"):
            held = value.items() if is_object(value) else ()
            made[name] = {one: _tokens(count) for one, count in held}
        else:
            made[name] = _tokens(value) if "token" in name.lower() else value
    return made


def _tokens(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:_DIGITS])
    return as_count(value)


def _beyond(usage: dict[str, Any], before: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a count of tokens adds to one before it, and the higher of both."""
    added, most = dict(usage), dict(before)
    for name, value in usage.items():
        old: Any = before.get(name)
        if name.endswith("_details"):
            added[name], most[name] = _beyond(value, old or {})
        elif isinstance(value, int):
            most[name] = max(value, old or 0)
            added[name] = most[name] - (old or 0)
    return added, most
