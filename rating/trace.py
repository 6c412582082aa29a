"""Cold-start traces: a teacher's answers with the true rating, worth imitating.

Source: RecOne, arXiv 2510.23077, section 3.3: an answer with the right rating is kept; a teacher
who errs is shown the truth and writes anew, which is kept if it is right then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import BaseMessage

from ..errors import Failure, ModelDownError
from ..llm.rating_answers import strict_rating
from ..llm.rating_prompt import rewrite_messages
from ..llm.structured import AnswerFormat
from ..records import RatingScale
from ..runtime.model_call import Reply, ask
from ..runtime.options import RunOptions

TraceOutcome = Literal["aligned", "rewritten", "rejected"]
"""The teacher was right at once, right after being shown the truth, or not even then."""


@dataclass(frozen=True, slots=True)
class TracedAnswer:
    """What a teacher made of one rating.

    Attributes:
        answer: The last answer.
        outcome: What it is good for; only what is not `rejected` is imitated.
        llm_calls: Calls made, retries included; 0 where all was paid before.
    """

    answer: str
    outcome: TraceOutcome
    llm_calls: int


async def trace_rating(
    messages: Sequence[BaseMessage], truth: float, scale: RatingScale, options: RunOptions
) -> TracedAnswer:
    """Have a teacher reason towards a known rating.

    Args:
        messages: The prompt, without the truth.
        truth: The rating that the user gave.
        scale: The ratings that can be given.
        options: The run's options; its model is the teacher.

    Raises:
        ModelDownError: The teacher gave no answer. One that declines this very prompt is
            `rejected` instead, or the work would stop there again and again.
        BudgetSpentError: No further call may be paid.
    """
    valid = AnswerFormat(None, lambda text: strict_rating(text, scale) is not None)
    first = await _asked(messages, options, valid)
    if strict_rating(first.text, scale) == truth:
        return TracedAnswer(first.text, "aligned", first.calls)
    second = await _asked(rewrite_messages(messages, first.text, truth), options, valid)
    right = strict_rating(second.text, scale) == truth
    outcome = "rewritten" if right else "rejected"
    return TracedAnswer(second.text, outcome, first.calls + second.calls)


async def _asked(
    messages: Sequence[BaseMessage], options: RunOptions, answer_format: AnswerFormat
) -> Reply:
    reply = await ask(messages, options, "trace", answer_format=answer_format)
    if reply.failed and reply.failure != Failure.REFUSED:
        raise ModelDownError(options.model, reply.failure)
    return reply
