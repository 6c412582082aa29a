"""What was booked for model calls."""

from __future__ import annotations

from typing import Any

from re2llm.runtime.services import Services
from sqlalchemy import text


async def booked(services: Services, model: str) -> list[Any]:
    """Return the ledger's rows of a model, in order."""
    async with services.engine.connect() as connection:
        query = text("SELECT * FROM re2llm.llm_call WHERE model = :model ORDER BY id")
        return list(await connection.execute(query, {"model": model}))
