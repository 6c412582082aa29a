"""Has a teacher write traces: answers with the true rating, for a cold start."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ...rating.corpus import ReviewSource
from ...rating.traces import Traced, cases_to_trace, write_traces
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ...runtime.progress import Progress, silent


async def trace_ratings(
    context: Context,
    source: ReviewSource,
    file: Path,
    *,
    limit: int = 1000,
    progress: Progress = silent,
) -> Traced:
    """Have a teacher reason towards known ratings, and write its answers to a file.

    The ratings are drawn at random from those to train on; a larger draw starts with the ratings of
    a smaller one.

    Args:
        context: The run's options; its model is the teacher.
        file: JSONL; traces that it already holds are not paid for again.
        progress: Called after each trace with the stage `tracing`.

    Returns:
        The traces, and why some are missing, if so.

    Raises:
        Re2llmError: The reviews or the file cannot be used, or cost is limited and the model has no
            price.
    """
    corpus = await asyncio.to_thread(source.corpus, source.limits())
    options = await resolve_context(context)
    if options.budget is not None:
        options.budget.require_prices(options.settings.prices, [options.model])
    cases = cases_to_trace(corpus, limit, source.seed)
    return await write_traces(corpus, cases, file, options, progress)
