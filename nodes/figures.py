"""Keeps the figures beside the hints up to date with the trials."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from ..knowledge.hint_figures import refresh_figures
from ..knowledge.training_sessions import session_keys
from ..llm.ranking_prompt import RANKING_PROMPT_VERSION
from ..settings import Settings
from .trials import random_sessions


async def update_figures(
    connection: AsyncConnection, domain_id: int, model: str, settings: Settings
) -> None:
    """Sum up the trials on the sessions that verification and training draw at random.

    Args:
        connection: In a transaction.
        domain_id: Which domain.
        model: Name of the ranking model whose trials count.
        settings: How many sessions are drawn.
    """
    keys = await session_keys(connection, domain_id)
    drawn = random_sessions(keys, max(settings.verify_random, settings.train_panel), settings.seed)
    await refresh_figures(connection, domain_id, model, RANKING_PROMPT_VERSION, drawn)
