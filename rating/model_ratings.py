"""Asks a chat model for ratings that count only in the exact format."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from ..errors import Failure, ModelDownError, Re2llmError
from ..llm.rating_answers import strict_format, strict_rating
from ..records import RatingScale, counted
from ..runtime.model_call import ask, keeps_answers
from ..runtime.options import RunOptions
from ..runtime.outages import OutageGuard
from ..runtime.progress import Progress
from ..runtime.reply import Purpose, Reply
from .corpus import RatingCorpus
from .splits import RatingCase


async def ask_strictly(
    messages: Sequence[BaseMessage], options: RunOptions, purpose: Purpose, scale: RatingScale
) -> Reply:
    """Ask for an answer in the exact format.

    Raises:
        ModelDownError: The model gave no answer. A model that declines this prompt is different:
            that is an invalid answer, or the work would stop at the same prompt every time.
        BudgetSpentError: The budget allows no further call.
    """
    reply = await ask(messages, options, purpose, answer_format=strict_format(scale))
    if reply.failed and reply.failure != Failure.REFUSED:
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
        Re2llmError: The model is down or the budget is spent. The message says whether the next
            run only asks for the rest: answers are kept at temperature 0 alone.
    """
    stage = f"rating with {options.model}"
    prompts = corpus.prompts(cases)
    ratings: dict[int, list[float | None]] = {}
    progress(stage, 0, len(prompts))

    async def rate(place: int) -> None:
        given: list[float | None] = []
        for _ in range(samples):
            reply = await ask_strictly(prompts[place], options, "rate", corpus.scale)
            given.append(strict_rating(reply.text, corpus.scale))
        ratings[place] = given
        progress(stage, len(ratings), len(prompts))

    outages = OutageGuard(options, options.settings.concurrency, reflects=False)
    stopped = await outages.work_through(range(len(prompts)), rate) or outages.last
    if stopped is not None:
        left = f"{counted(len(prompts) - len(ratings), 'rating is', 'ratings are')} left"
        endpoint = await options.services.models.endpoint(options.model, reflects=False)
        left += "; paid answers are kept." if keeps_answers(endpoint, options) else "."
        raise Re2llmError(stopped.field, f"{stopped.problem} {left}", stopped.remedy)
    return [ratings[place] for place in range(len(prompts))]
