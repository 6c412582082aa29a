"""A model's message as the answer to a question."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from ...errors import Failure
from ...settings import AnswerMethod
from ..errors.failures import ModelFailedError
from ..ranking_prompts.letters import letters_answer
from ..responses import answer_text, cut_short, failed, refused
from ..structured import AnswerFormat
from ..usage import Usage, read_usage


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's answer.

    Attributes:
        text: The text, at most 100,000 characters.
        fits: Whether it has the form that was asked for.
        method: How the form was asked for.
        usage: Its tokens, or `None` if the model does not count them.
        cut: Whether it was cut off at its longest length, thoughts included.
    """

    text: str
    fits: bool
    method: AnswerMethod
    usage: Usage | None
    cut: bool = False


def read_answer(
    message: BaseMessage, method: AnswerMethod, answer_format: AnswerFormat | None
) -> Answered:
    """Read a model's message.

    Raises:
        ModelFailedError: It refuses to answer, or its server broke off.
    """
    if refused(message):
        raise ModelFailedError(Failure.REFUSED, usage=read_usage(message))
    if failed(message):
        raise ModelFailedError(Failure.SERVER_ERROR, usage=read_usage(message))
    in_letters = answer_format is not None and answer_format.letters
    schema = answer_format.schema if answer_format else None
    tool = str(schema.get("title", "")) if schema else ""
    text = letters_answer(message) if in_letters else answer_text(message, tool)
    fits = answer_format is None or answer_format.fits(text)
    return Answered(text, fits, method, read_usage(message), cut_short(message))
