"""A chat model in production: the one place that retries, limits, and gives up in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable

from ...errors import Failure
from ...settings import AnswerMethod, Settings
from ..errors.error_words import shown
from ..errors.failures import ModelFailedError, read_failure
from ..errors.unsupported_options import WAYS, Part, refused_and_wanted
from ..offline import OfflineRanker
from ..responses import failed_generation, withheld
from ..structured import AnswerFormat, LetterMemory, MethodMemory, bind_format, methods_for
from .adapting import adapted, without_system
from .answer import Answered, read_answer
from .answer_stream import ChatTraits
from .api_keys import secrets_of
from .attempts import Attempts, Claim, Lost, Turn
from .breaker import CircuitBreaker
from .limits import Limits
from .retry import retrying

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
_CUT = "model %s: an answer reached its longest length: set RE2LLM_MAX_ANSWER_TOKENS to more"
_SUSPICIOUS = frozenset({Failure.SERVER_ERROR, Failure.WRONG_SHAPE})
_MOST_SUSPICIOUS = 2
"""After this many suspicious failures of one question, the way of asking for JSON may be to
blame."""


class Endpoint:
    """A chat model with its circuit breakers, its limits and what it understands.

    Args:
        name: The name for the log.
        model: The chat model; its own retries are off.
        limits: Shared with the other models.
        settings: Timeouts, retries and the way to ask for JSON.
        server: Its base URL, where that is not the provider's own.
        cacheable: Whether name, server and prompt tell its answer; not so for a host's own model.

    Attributes:
        methods: What it understands.
        letters: Whether it gives the log-probabilities of letters.
        chat: How it chats.
        refused: Parts of requests that its server has refused.
        too_long: Characters of the shortest prompt that was too long for it, or `None`.
    """

    def __init__(
        self,
        name: str,
        model: BaseChatModel,
        limits: Limits,
        settings: Settings,
        *,
        server: str | None = None,
        cacheable: bool = False,
    ) -> None:
        self.name = name
        self.model = model
        self.server = server
        self.cacheable = cacheable
        self.methods = MethodMemory(methods_for(settings.structured))
        self.letters = LetterMemory()
        self.chat = ChatTraits()
        self.refused: set[Part] = set()
        self.too_long: int | None = None
        self._told_of_cuts = False
        self._secrets = secrets_of(model)
        self._attempts = Attempts(name, limits, settings)
        self._settings = settings

    @property
    def breaker(self) -> CircuitBreaker:
        """What keeps runs without a key from asking a dead model."""
        return self._attempts.breaker_of("")

    @property
    def local(self) -> bool:
        """Whether it runs in this process: nothing to wait for, to retry or to pay."""
        return isinstance(self.model, OfflineRanker)

    async def answer(
        self,
        messages: Sequence[BaseMessage],
        *,
        answer_format: AnswerFormat | None,
        within: float,
        on_attempt: Claim,
        on_lost: Lost,
        owner: str = "",
    ) -> Answered:
        """Ask, and ask again where that can help.

        Args:
            answer_format: The answer's form, or `None` for free text.
            within: Seconds after which the caller waits no longer, retries and pauses included.
            on_attempt: Awaited before each request; may refuse it by raising.
            on_lost: Called for each request that may be billed without an answer.
            owner: The owner for whom the question is asked, so that owners share the limits fairly.

        Raises:
            ModelFailedError: There is no answer.
        """
        if self.local:
            await on_attempt()
            asked = bind_format(self.model, "plain", answer_format)
            return await self._request(asked, messages, "plain", answer_format)
        turn = Turn(owner, time.monotonic() + within, on_attempt, on_lost)
        tries = retrying(self._settings.model_retries, self._settings.retry_pause, within)
        in_json = answer_format is not None and answer_format.in_json
        failures = 0
        async for attempt in tries:
            with attempt:
                method = self.methods.current
                try:
                    return await self._any_method(messages, answer_format, turn)
                except ModelFailedError as error:
                    # What says itself that it is about the form has been judged already.
                    failures += error.failure in _SUSPICIOUS and not error.asks_for_less
                    suspect = in_json and not self.methods.proven
                    if suspect and failures >= _MOST_SUSPICIOUS:
                        self.methods.unsupported(method)
                    raise
        raise AssertionError  # the last attempt has raised

    async def relay(
        self,
        ask: Callable[[BaseChatModel], Awaitable[_Result]],
        *,
        within: float,
        on_attempt: Claim,
        may_repeat: Callable[[], bool],
        on_lost: Lost,
        owner: str = "",
    ) -> _Result:
        """Make a call of this model for an agent, with the same retries.

        Args:
            ask: Calls the model that it is given once.
            within: As in `answer`.
            on_attempt: As in `answer`.
            may_repeat: Whether a failed call leaves no trace, such as words that were heard.
            on_lost: As in `answer`.
            owner: As in `answer`.

        Raises:
            ModelFailedError: There is no answer.
        """
        turn = Turn(owner, time.monotonic() + within, on_attempt, on_lost)
        async for attempt in retrying(
            self._settings.model_retries, self._settings.retry_pause, within
        ):
            with attempt:
                while True:
                    model, whole = self.model, self.chat.takes_system
                    request = partial(self._read, partial(ask, model))
                    try:
                        return await self._attempts.make(request, turn)
                    except ModelFailedError as error:
                        error.final = error.final or not may_repeat()
                        if error.final or not self._adapt(error, model, folds=whole):
                            raise
        raise AssertionError  # the last attempt has raised

    async def _any_method(
        self,
        messages: Sequence[BaseMessage],
        answer_format: AnswerFormat | None,
        turn: Turn,
    ) -> Answered:
        """Make one attempt; a way to ask for JSON that the model does not know does not count."""
        in_json = answer_format is not None and answer_format.in_json
        while True:
            method: AnswerMethod = self.methods.current if in_json else "plain"
            model, whole = self.model, self.chat.takes_system
            sent = messages if whole else without_system(messages)
            old_limit = self.letters.old_limit
            try:
                asked = bind_format(model, method, answer_format, old_limit=old_limit)
            except Exception as error:
                # A host's own model may raise anything where it cannot be asked in this way.
                _log.debug("model %s: no %s (%s)", self.name, method, type(error).__name__)
                if not self.methods.unsupported(method):
                    raise
                continue
            try:
                request = partial(self._request, asked, sent, method, answer_format)
                answered = await self._attempts.make(request, turn)
            except ModelFailedError as error:
                if self._adapt(error, model, folds=whole):
                    continue
                if self._respell(error, model, answer_format, old_limit=old_limit):
                    continue
                if not self._step_down(error, method, answer_format):
                    raise
            else:
                self._judge(answered, answer_format)
                return answered

    def _step_down(
        self, error: ModelFailedError, method: AnswerMethod, answer_format: AnswerFormat | None
    ) -> bool:
        """Note what may be a refusal of how it was asked; return whether to ask in another way."""
        if not error.asks_for_less or answer_format is None:
            return False
        if answer_format.letters:
            self.letters.refused(named=Part.LOGPROBS in error.refuses)
        if not answer_format.in_json:
            return False
        if error.failure is Failure.WRONG_SHAPE:
            self.methods.judged(method, fits=False)
            return False
        return self.methods.refused(method, named=bool(error.refuses & WAYS))

    def _judge(self, answered: Answered, answer_format: AnswerFormat | None) -> None:
        letters = answer_format is not None and answer_format.letters
        if answered.cut and not (answered.fits or letters or self._told_of_cuts):
            self._told_of_cuts = True
            _log.warning(_CUT, self.name)
        if answer_format is not None and answer_format.in_json:
            self.methods.judged(answered.method, fits=answered.fits)
        if letters:
            self.letters.judged(fits=answered.fits)

    def _respell(
        self,
        error: ModelFailedError,
        asked: BaseChatModel,
        answer_format: AnswerFormat | None,
        *,
        old_limit: bool,
    ) -> bool:
        """Write the limit of a letter in another way; return whether asking again may help."""
        if answer_format is None or not answer_format.letters:
            return False
        refused = Part.MAX_TOKENS in error.refuses
        return refused and self.letters.respell(asked, old_limit=old_limit)

    def _adapt(self, error: ModelFailedError, asked: BaseChatModel, *, folds: bool) -> bool:
        """Stop sending what the server has refused; return whether asking again may now help.

        Args:
            folds: Whether the request had a system message.
        """
        model = adapted(asked, error.refuses)
        folds = folds and Part.SYSTEM_ROLE in error.refuses
        if model is None and not folds:
            return False
        # Of several calls in flight, the first to fail changes it.
        if model is not None and self.model is asked:
            self.model = model
        elif folds and self.chat.takes_system:
            self.chat.takes_system = False
        else:
            return True
        self.refused |= error.refuses
        refused, wanted = refused_and_wanted(error.refuses)
        if refused:
            _log.warning("model %s refuses %s: from now on asked without", self.name, refused)
        if wanted:
            _log.warning("model %s wants %s: from now on asked so", self.name, wanted)
        return True

    async def _request(
        self,
        asked: Runnable[Any, BaseMessage],
        messages: Sequence[BaseMessage],
        method: AnswerMethod,
        answer_format: AnswerFormat | None,
    ) -> Answered:
        # Tagged so that rankings do not leak into a chat's token stream.
        config: Any = {"tags": ["langsmith:nostream"]}
        try:
            message = await asked.ainvoke(list(messages), config)
        except Exception as error:  # noqa: BLE001  # any provider's package raises types of its own
            message = withheld(error) or failed_generation(error, answer_format)
            if message is None:
                raise self.failed(error) from None
        return read_answer(message, method, answer_format)

    async def _read(self, ask: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            return await ask()
        except Exception as error:  # noqa: BLE001  # as above
            raise self.failed(error) from None

    def words(self, text: str) -> str:
        """Return what its server says, without its key; see `shown`."""
        return shown(text, self._secrets)

    def failed(self, error: Exception) -> ModelFailedError:
        """Tell what an error of its server means, without its key in the words."""
        failed = read_failure(error, self._secrets)
        kind = type(error).__name__
        _log.info("model %s failed: %s (%s) %s", self.name, failed.failure, kind, failed.said)
        return failed
