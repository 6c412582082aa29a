"""Whether a model answers by letters, and the mean scores of its answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..llm.errors.failures import ABOUT_LETTERS
from ..runtime.options import RunOptions
from ..runtime.reply import Reply


async def lacks_letters(reply: Reply, options: RunOptions) -> bool:
    """Return whether a reply without a letter may mean that the model never gives one."""
    endpoint = await options.services.models.endpoint(options.model)
    return not endpoint.letters.proven and reply.failure in ABOUT_LETTERS


def mean_scores(answers: Sequence[tuple[Sequence[float], Sequence[int]]]) -> list[float]:
    """Average the scores of several orders of the same candidates.

    Args:
        answers: For each order, the scores in it and the candidates' numbers in the original.

    Returns:
        In the original order; empty without answers.
    """
    if not answers:
        return []
    rows = [np.array(scores)[np.argsort(numbers)] for scores, numbers in answers]
    return [float(score) for score in np.mean(rows, axis=0)]
