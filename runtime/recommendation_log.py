"""Logs what was recommended, with the release of a rollout that served it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..knowledge.autocommit import Autocommit
from ..knowledge.log.recommendations import Recommendation, log_recommendations
from ..knowledge.rollouts.exposures import Exposure, log_exposures
from .coalescing import GroupedWrites

Answered = tuple[Recommendation, Exposure | None]
"""What was recommended, and which release of a rollout served."""


def recommendation_log(
    engine: AsyncEngine, timeout: Callable[[], float]
) -> GroupedWrites[Answered]:
    """Return a log that writes together what is handed in while it is writing.

    Args:
        engine: The database.
        timeout: Returns the seconds that the database may take.
    """
    autocommit = Autocommit(engine)

    async def write(answered: Sequence[Answered]) -> None:
        exposures = {made.id: exposure for made, exposure in answered if exposure is not None}
        # Of several rows, all are stored or none; one alone is spared a transaction.
        alone = len(answered) == 1 and not exposures
        opened = autocommit.connect() if alone else engine.begin()
        # Waiting for a connection is not counted: where many requests share a few, it may be long.
        async with opened as connection, asyncio.timeout(timeout()):
            await log_recommendations(connection, [made for made, _ in answered])
            if exposures:
                await log_exposures(connection, exposures)

    return GroupedWrites(write, (IntegrityError, DataError))
