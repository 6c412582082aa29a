"""Keeps the stats of hints up to date with their trials."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.hint_store.stats import refresh_stats
from ...knowledge.prompted_model import PromptedModel
from ...knowledge.sessions.sources import within_share
from ...knowledge.sessions.training_sessions import session_keys
from ...runtime.options import RunOptions
from .panels import random_sessions, unbiased_sessions


async def update_stats(
    connection: AsyncConnection,
    domain_id: int,
    options: RunOptions,
    *,
    also: Iterable[PromptedModel] = (),
) -> None:
    """Sum up the trials on the sessions that verification and training draw at random.

    Args:
        connection: A connection in a transaction.
        also: Further models and prompts to refresh.
    """
    settings = options.settings
    every = await session_keys(connection, domain_id)
    keys = await within_share(connection, domain_id, every, settings.source_share) or every
    drawn = random_sessions(keys, unbiased_sessions(settings), settings.seed)
    own = options.prompted_model
    for each in [*(other for other in also if other != own), own]:
        await refresh_stats(connection, domain_id, each, drawn)
