"""Cold-start traces: a teacher's answers with the true rating, worth imitating.

Source: RecOne, arXiv 2510.23077, section 3.3: an answer with the right rating is kept; a teacher
who errs is shown the truth and writes anew, which is kept if it is right then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import BaseMessage

from ..errors import ModelDownError
from ..llm.rating_answers import strict_rating
from ..llm.rating_prompt import rewrite_messages
from ..records import RatingScale
from .context import Call
from .model_call import ask

TraceOutcome = Literal["aligned", "rewritten", "rejected"]
"""The teacher was right at once, right after being shown the truth, or not even then."""


@dataclass(frozen=True, slots=True)
class TracedAnswer:
    """What a teacher made of one rating.

    Attributes:
        answer: The last answer.
        outcome: What it is good for; only what is not `rejected` is imitated.
        llm_calls: Calls made: 1 or 2.
    """

    answer: str
    outcome: TraceOutcome
    llm_calls: int


async def trace_rating(
    messages: Sequence[BaseMessage], truth: float, scale: RatingScale, call: Call
) -> TracedAnswer:
    """Have a teacher reason towards a known rating.

    Args:
        messages: The prompt, without the truth.
        truth: The rating that the user gave.
        scale: The ratings that can be given.
        call: The run's options; its model is the teacher.

    Raises:
        ModelDownError: The teacher gave no answer.
        BudgetSpentError: No further call may be paid.
    """
    first = await _asked(messages, call)
    if strict_rating(first, scale) == truth:
        return TracedAnswer(first, "aligned", 1)
    second = await _asked(rewrite_messages(messages, first, truth), call)
    right = strict_rating(second, scale) == truth
    return TracedAnswer(second, "rewritten" if right else "rejected", 2)


async def _asked(messages: Sequence[BaseMessage], call: Call) -> str:
    reply = await ask(messages, call)
    if reply.failed:
        raise ModelDownError(call.model)
    return reply.text
