"""Asks a model for JSON in the strictest way that it understands, and remembers which that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableSequence

from ..settings import AnswerMethod

METHODS: tuple[AnswerMethod, ...] = ("json_schema", "function_calling", "json_mode", "plain")
"""The strictest first; a plain answer is read tolerantly."""

ALTERNATIVES = 20
"""Alternatives to a token, as many as OpenAI's servers give."""

_PATIENCE = 3
"""Misshapen answers or refusals in a row after which a way that has worked is given up."""


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The answer that a prompt asks for.

    Attributes:
        schema: JSON schema with a `title`, for models that can be held to one; `None` for text.
        fits: Whether an answer's text has that form.
        letters: Whether one letter is asked for, with the log-probabilities of all.
    """

    schema: Mapping[str, Any] | None
    fits: Callable[[str], bool]
    letters: bool = False

    @property
    def in_json(self) -> bool:
        """Whether a model can be held to it."""
        return self.schema is not None


class MethodMemory:
    """Which method works with one model. Starts with the strictest and steps down.

    Args:
        methods: To choose from, strictest first.
    """

    def __init__(self, methods: tuple[AnswerMethod, ...] = METHODS) -> None:
        self._methods = methods
        self._place = 0
        self._proven = False
        self._misfits = 0
        self._refusals = 0

    @property
    def current(self) -> AnswerMethod:
        """The method to use."""
        return self._methods[self._place]

    @property
    def proven(self) -> bool:
        """Whether the current method has led to an answer of the right form."""
        return self._proven

    def unsupported(self, method: AnswerMethod) -> bool:
        """Step down from a method that the model does not know.

        Args:
            method: Which one; another than the current one was given up already.

        Returns:
            Whether there is another method to try.
        """
        if method != self.current:
            return True
        last = self._place + 1 == len(self._methods)
        self._place = 0 if last else self._place + 1  # after the last, none of them is to blame
        self._proven, self._misfits, self._refusals = False, 0, 0
        return not last

    def refused(self, method: AnswerMethod, *, named: bool) -> bool:
        """Step down from a method that may be why the server refuses a request.

        One that has worked is given up if the server names it, or refuses several in a row: servers
        change, and the next one behind the same address may know less.

        Args:
            method: How it was asked.
            named: Whether the refusal names that way of asking.

        Returns:
            Whether there is another method to try.
        """
        if method == self.current and self._proven:
            self._refusals += 1
            if method == "plain" or not (named or self._refusals >= _PATIENCE):
                return False
        return self.unsupported(method)

    def judged(self, method: AnswerMethod, *, fits: bool) -> None:
        """Note an answer; no error and a wrong form is a failure of the method, too.

        Args:
            fits: Whether it had the right form.
        """
        if method != self.current:
            return
        self._refusals = 0
        if fits:
            self._proven, self._misfits = True, 0
            return
        self._misfits += 1
        last = self._place + 1 == len(self._methods)
        if not last and self._misfits >= (_PATIENCE if self._proven else 1):
            self.unsupported(method)


def methods_for(choice: str) -> tuple[AnswerMethod, ...]:
    """Return the methods that a setting allows.

    Args:
        choice: A method, or `auto` for all.
    """
    return METHODS if choice == "auto" else tuple(m for m in METHODS if m in {choice, "plain"})


def bind_format(
    model: BaseChatModel,
    method: AnswerMethod,
    answer_format: AnswerFormat | None,
    *,
    old_limit: bool = False,
) -> Runnable[Any, BaseMessage]:
    """Return a model that is held to an answer's form.

    Args:
        answer_format: The form; `None` for free text.
        old_limit: Whether to write the length of one letter in OpenAI's old spelling.

    Raises:
        NotImplementedError: The model's package does not know the method.
    """
    if answer_format is not None and answer_format.letters:
        return model.bind(**_one_letter(model, old_limit=old_limit))
    if answer_format is None or answer_format.schema is None or method == "plain":
        return model
    try:
        bound: Any = model.with_structured_output(dict(answer_format.schema), method=method)
    except (ValueError, TypeError) as error:
        raise NotImplementedError from error
    # LangChain appends a parser of its own, stricter than ours: only the model before it is used.
    if not isinstance(bound, RunnableSequence):
        raise NotImplementedError
    return bound.first  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # open type arguments


def _one_letter(model: BaseChatModel, *, old_limit: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"logprobs": True, "top_logprobs": ALTERNATIVES}
    extra: Any = getattr(model, "extra_body", None) or {}
    if not old_limit and "max_tokens" not in extra:
        return {**options, "max_tokens": 1}
    return {**options, "extra_body": {**extra, "max_tokens": 1}}


class LetterMemory:
    """Whether one model gives the log-probabilities of letters, and how to ask it.

    Attributes:
        proven: Whether it has done so in this process.
        old_limit: Whether its server takes the length of an answer in OpenAI's old spelling only.
    """

    def __init__(self) -> None:
        self.proven = False
        self.old_limit = False
        self._misfits = 0

    def judged(self, *, fits: bool) -> None:
        """Note an answer. Several without a letter in a row disprove what was proven.

        Args:
            fits: Whether there was a letter among the alternatives.
        """
        self._misfits = 0 if fits else self._misfits + 1
        self.proven = fits or (self.proven and self._misfits < _PATIENCE)

    def refused(self, *, named: bool) -> None:
        """Note that the server has refused a request for a letter.

        Args:
            named: Whether it says that it gives no log-probabilities; else it may be the prompt.
        """
        self.judged(fits=False)
        self.proven = self.proven and not named

    def respell(self, model: BaseChatModel, *, old_limit: bool) -> bool:
        """Use the old spelling of the limit, after one was refused.

        Args:
            old_limit: Whether it was the old one.

        Returns:
            Whether asking again may help.
        """
        if old_limit or not hasattr(model, "extra_body"):
            return False
        self.old_limit = True
        return True
