"""Asks a model the questions of probes, each within a time limit and entered into the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from ..errors.failures import ModelFailedError
from ..prices import usage_or_estimate
from ..structured import AnswerFormat
from ..usage import NOTHING, Usage
from .attempts import Claim
from .endpoint import Answered, Endpoint

_Answer = TypeVar("_Answer")
_QUIET: Any = {"tags": ["langsmith:nostream"]}


class ProbeQuestion(Protocol):
    """One question of a probe."""

    async def claim(self) -> None:
        """Count one request, before it is sent; may refuse it by raising."""
        ...

    async def close(self, outcome: str, method: str, usage: Usage) -> None:
        """Enter the question into the ledger, even if the caller leaves.

        Args:
            outcome: `ok`, `misshapen`, or the kind of failure.
            method: How an answer was held to its form; empty where there was none.
            usage: Its tokens.
        """
        ...


class UnbookedQuestion:
    """One question where there is no ledger."""

    async def claim(self) -> None:
        """Allow the request."""

    async def close(self, outcome: str, method: str, usage: Usage) -> None:
        """Forget the question."""


class Prober:
    """Asks one model and counts.

    Args:
        endpoint: The model; without retries.
        limit: Seconds that one question may take.
        opened: Makes the question that a prompt asks.

    Attributes:
        calls: Requests sent so far.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        limit: float,
        opened: Callable[[Sequence[BaseMessage]], ProbeQuestion],
    ) -> None:
        self.calls = 0
        self.endpoint = endpoint
        self._limit = limit
        self._opened = opened

    async def say(
        self, text: str, prepare: Callable[[BaseChatModel], Any] = lambda model: model
    ) -> BaseMessage:
        """Ask in words.

        Args:
            prepare: Sets what else is asked for.

        Raises:
            ModelFailedError: There is no answer.
        """
        messages = [HumanMessage(text)]

        def ask(claim: Claim) -> Awaitable[BaseMessage]:
            return self.endpoint.relay(
                lambda model: prepare(model).ainvoke(messages, _QUIET),
                within=self._limit,
                on_attempt=claim,
                on_lost=_uncounted,
                may_repeat=lambda: True,
            )

        return await self._ask(
            messages, ask, lambda said: ("ok", "plain", usage_or_estimate(messages, said))
        )

    async def answer(
        self, messages: Sequence[BaseMessage], answer_format: AnswerFormat | None
    ) -> Answered:
        """Ask for an answer of a form.

        Raises:
            ModelFailedError: There is no answer.
        """

        def ask(claim: Claim) -> Awaitable[Answered]:
            return self.endpoint.answer(
                messages,
                answer_format=answer_format,
                within=self._limit,
                on_attempt=claim,
                on_lost=_uncounted,
            )

        def entry(answered: Answered) -> tuple[str, str, Usage]:
            usage = answered.usage or usage_or_estimate(messages, AIMessage(answered.text))
            return "ok" if answered.fits else "misshapen", answered.method, usage

        return await self._ask(messages, ask, entry)

    async def _ask(
        self,
        messages: Sequence[BaseMessage],
        ask: Callable[[Claim], Awaitable[_Answer]],
        entry_of: Callable[[_Answer], tuple[str, str, Usage]],
    ) -> _Answer:
        """Ask a question, and enter it into the ledger if anything was sent.

        Args:
            entry_of: Returns an answer's outcome, method and tokens.
        """
        question = self._opened(messages)
        before = self.calls

        async def claim() -> None:
            await question.claim()
            self.calls += 1

        entry = "cancelled", "", NOTHING
        try:
            answer = await ask(claim)
            entry = entry_of(answer)
        except ModelFailedError as error:
            entry = error.failure.value, "", NOTHING
            raise
        finally:
            if self.calls > before:
                await question.close(*entry)
        return answer


def _uncounted(usage: Usage | None) -> None:
    """Count nothing for a request without an answer: a probe is a few tokens."""
    del usage
