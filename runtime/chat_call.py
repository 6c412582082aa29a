"""One call of a chat model by an agent: repeated where that can help, limited and booked."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from ..errors import Failure
from ..llm.chat.length import chat_length, shortened_chat
from ..llm.client.answer_stream import AnswerOnlyModel, StreamedAnswer
from ..llm.client.endpoint import Endpoint
from ..llm.client.shown_again import unsent_fields
from ..llm.errors.failures import ModelFailedError
from ..llm.errors.unsupported_options import Part
from ..llm.message_length import without_fields
from ..llm.prices import usage_or_estimate
from ..llm.responses import refused
from ..records import Flag
from .booking import Booking
from .options import RunOptions

_log = logging.getLogger(__name__)

Ask = Callable[[BaseChatModel, Sequence[BaseMessage]], Awaitable[AIMessage]]
"""Sends a prompt with tools to a model once, in any way."""


async def call_chat_model(
    options: RunOptions, messages: Sequence[BaseMessage], ask: Ask, *, until: float
) -> AIMessage:
    """Ask the run's model in a chat, and return its answer without its thoughts.

    Once a word of an answer has been streamed, it is not asked for again. A model whose server has
    refused tools before is not asked at all. A chat that is too long for the model is shortened
    once, and at once if a chat of that length has been before; the answer's `response_metadata`
    then holds the flag.

    Args:
        messages: The prompt.
        ask: Asks the model.
        until: When it must have answered, as `time.monotonic` counts.

    Raises:
        ModelFailedError: The model gives no answer.
        InputError: The model's name or key cannot be used at all.
        BudgetSpentError: The budget allows no further call.
    """
    endpoint = await options.services.models.endpoint(options.model)
    traits = endpoint.chat
    if not traits.takes_tools:
        raise ModelFailedError(Failure.REJECTED, refuses={Part.TOOLS})
    unsent = unsent_fields(endpoint.model)
    length = chat_length(messages, unsent)
    shorter = None
    if traits.too_long is not None and length >= traits.too_long:
        shorter = shortened_chat(messages, traits.too_long, unsent)
    try:
        answer = await _ask(options, endpoint, shorter or messages, ask, until)
    except ModelFailedError as error:
        if error.failure is not Failure.TOO_LONG or error.final:
            raise
        unsent = unsent_fields(endpoint.model)  # the call may have changed it
        failed = chat_length(shorter or messages, unsent)
        traits.too_long = min(failed, traits.too_long or failed)
        shorter = None if shorter else shortened_chat(messages, failed, unsent)
        if shorter is None:
            raise
        _log.warning("model %s: a chat was too long; asked with its last turns", endpoint.name)
        answer = await _ask(options, endpoint, shorter, ask, until)
    if shorter is None:
        return answer
    flagged = {**answer.response_metadata, "flags": [Flag.PROMPT_SHORTENED.value]}
    return answer.model_copy(update={"response_metadata": flagged})


async def _ask(
    options: RunOptions,
    endpoint: Endpoint,
    messages: Sequence[BaseMessage],
    ask: Ask,
    until: float,
) -> AIMessage:
    streamed = StreamedAnswer(endpoint.chat)

    def sent() -> Sequence[BaseMessage]:
        return without_fields(messages, unsent_fields(endpoint.model))

    booking = Booking(options, endpoint, sent(), "chat")

    async def once(model: BaseChatModel) -> AIMessage:
        streamed.answer = None
        handed_on = await ask(
            AnswerOnlyModel(inner=model, streamed=streamed, cache=False), messages
        )
        # What was streamed has text and calls alone; the whole message counts tokens, too.
        answer = streamed.answer or handed_on
        if not answer.text and not answer.tool_calls:
            # An answer with nothing in it leads nowhere.
            kind = Failure.REFUSED if refused(answer) else Failure.WRONG_SHAPE
            raise ModelFailedError(kind, usage=usage_or_estimate(sent(), answer))
        return answer.model_copy(update={"id": handed_on.id})

    try:
        async with booking.closing_on_error():
            answer = await endpoint.relay(
                once,
                within=until - time.monotonic(),
                on_attempt=booking.claim,
                may_repeat=lambda: not streamed.started,
                on_lost=booking.lose,
                owner=options.owner,
            )
    except ModelFailedError as error:
        if error.no_tools:
            endpoint.chat.takes_tools = False
        if booking.made:
            await booking.close(error.failure.value)
        raise
    await booking.close("ok", "plain", usage_or_estimate(sent(), answer))
    return answer
