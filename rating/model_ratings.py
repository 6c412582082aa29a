"""Asks a chat model for ratings that count only in the exact format."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langchain_core.messages import BaseMessage

from ..errors import Failure, ModelDownError
from ..llm.ratings.answers import strict_format, strict_rating
from ..llm.ratings.prompt import shortened_messages
from ..records import RatingScale, counted
from ..runtime.model_call import ask, keeps_answers
from ..runtime.options import RunOptions
from ..runtime.outages import OutageGuard
from ..runtime.progress import Progress
from ..runtime.reply import Purpose, Reply
from .corpus import RatingCorpus
from .splits import RatingCase

_OF_THE_PROMPT = frozenset({Failure.REFUSED, Failure.TOO_LONG})
"""Failures that the same prompt would have every time: they are invalid answers, or the work would
never end."""


async def ask_strictly(
    messages: Sequence[BaseMessage],
    options: RunOptions,
    purpose: Purpose,
    scale: RatingScale,
    *,
    shorter: Callable[[], Sequence[BaseMessage]],
) -> Reply:
    """Ask for an answer in the exact format.

    Args:
        shorter: Writes the same prompt with less in it, for a model to which it is too long.

    Raises:
        ModelDownError: The model gave no answer, and not because it declines this prompt or because
            even the shorter one is too long.
        BudgetSpentError: The budget allows no further call.
    """
    form = strict_format(scale)
    reply = await ask(messages, options, purpose, answer_format=form, shorter=shorter)
    if reply.failed and reply.failure not in _OF_THE_PROMPT:
        raise ModelDownError(options.model, reply.failure, reply.said)
    return reply


async def model_ratings(
    corpus: RatingCorpus,
    cases: Sequence[RatingCase],
    options: RunOptions,
    progress: Progress,
    *,
    samples: int = 1,
) -> list[list[float | None]]:
    """Return the ratings that the run's model gives each case, `None` for an invalid answer.

    Args:
        samples: How often it is asked; answers differ only at a temperature above 0.

    Raises:
        Re2llmError: The model is down, every prompt is too long for it, or the budget is spent. The
            message says whether the next run only asks for the rest: answers are kept at
            temperature 0 alone.
    """
    stage = f"rating with {options.model}"
    prompts = corpus.prompts(cases)
    ratings: dict[int, list[float | None]] = {}
    too_long: dict[int, Reply] = {}
    progress(stage, 0, len(prompts))

    async def rate(place: int) -> None:
        given: list[float | None] = []
        for _ in range(samples):
            reply = await ask_strictly(
                prompts[place],
                options,
                "rate",
                corpus.scale,
                shorter=lambda: shortened_messages(prompts[place]),
            )
            if reply.failure == Failure.TOO_LONG:
                too_long[place] = reply
            given.append(strict_rating(reply.text, corpus.scale))
        ratings[place] = given
        progress(stage, len(ratings), len(prompts))

    outages = OutageGuard(options, options.settings.concurrency, reflects=False)
    stopped = await outages.work_through(range(len(prompts)), rate) or outages.last
    if stopped is not None:
        left = f"{counted(len(prompts) - len(ratings), 'rating is', 'ratings are')} left"
        endpoint = await options.services.models.endpoint(options.model, reflects=False)
        left += "; paid answers are kept." if keeps_answers(endpoint, options) else "."
        raise stopped.adding(left)
    if len(too_long) == len(prompts):
        raise ModelDownError(options.model, Failure.TOO_LONG, too_long[0].said, rates=True)
    return [ratings[place] for place in range(len(prompts))]
