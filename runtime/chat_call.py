"""One call of a chat model by an agent: repeated where that can help, limited and booked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from ..errors import Failure
from ..knowledge.llm_calls import LlmCall
from ..llm.failures import ModelFailedError
from ..llm.prices import estimated_tokens, prompt_key
from ..llm.responses import refused
from .ledger import book, charge
from .options import RunOptions

_Result = TypeVar("_Result")


async def converse(
    options: RunOptions,
    messages: Sequence[BaseMessage],
    ask: Callable[[BaseChatModel], Awaitable[_Result]],
    message_of: Callable[[_Result], BaseMessage],
) -> _Result:
    """Let the run's model speak.

    Once somebody has heard a word of an answer, it is not asked for anew.

    Args:
        options: The run's options.
        messages: The prompt, for the ledger.
        ask: Asks a model once, in whatever way.
        message_of: Returns the model's message.

    Raises:
        ModelFailedError: The model gives no answer.
        InputError: The model's name or key cannot be used at all.
        BudgetSpentError: No further call may be paid.
    """
    endpoint = await options.services.endpoint(options.model)
    ear = _Ear()
    started = time.perf_counter()
    sent = 0

    async def once(model: BaseChatModel) -> _Result:
        result = await ask(_heard_by(ear, model))
        message = message_of(result)
        if not message.text and not getattr(message, "tool_calls", None):
            # Nobody can go on from an answer with nothing in it.
            raise ModelFailedError(Failure.REFUSED if refused(message) else Failure.WRONG_SHAPE)
        return result

    def claim() -> None:
        nonlocal sent
        if options.budget is not None:
            options.budget.claim_call()
        sent += 1

    def entry(message: BaseMessage | None, outcome: str) -> LlmCall:
        tokens_in, tokens_out, estimated = _tokens(messages, message)
        cost = charge(options, options.model, tokens_in, tokens_out)
        return LlmCall(
            key=prompt_key(options.model, endpoint.server, messages),
            command=options.command,
            purpose="chat",
            model=options.model,
            method="plain",
            outcome=outcome,
            answer=None,
            requests=sent,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            estimated=estimated,
            latency_ms=(time.perf_counter() - started) * 1000,
            cost=cost,
        )

    try:
        result = await endpoint.relay(
            once,
            within=options.settings.deadline,
            on_attempt=claim,
            may_repeat=lambda: not ear.heard,
        )
    except ModelFailedError as error:
        if sent:
            await book(options, entry(None, error.failure.value))
        raise
    await book(options, entry(message_of(result), "ok"))
    return result


def _tokens(prompt: Sequence[BaseMessage], message: BaseMessage | None) -> tuple[int, int, bool]:
    """Return tokens in and out, and whether they are estimated."""
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    if usage is not None:
        return usage["input_tokens"], usage["output_tokens"], False
    if message is None:
        return 0, 0, False
    written = [message.text, *(str(c["args"]) for c in getattr(message, "tool_calls", ()))]
    return estimated_tokens(*(one.text for one in prompt)), estimated_tokens(*written), True


def _heard_by(ear: _Ear, model: BaseChatModel) -> BaseChatModel:
    known = model.callbacks
    if isinstance(known, BaseCallbackManager):
        hearing = known.copy()
        hearing.add_handler(ear)
    else:
        hearing = [*(known or ()), ear]
    return model.model_copy(update={"callbacks": hearing})


class _Ear(BaseCallbackHandler):
    """Knows whether a word of an answer has been streamed.

    Attributes:
        heard: Whether it has.
    """

    def __init__(self) -> None:
        self.heard = False

    def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **_: Any) -> None:
        """Note a word."""
        self.heard = self.heard or bool(token)
