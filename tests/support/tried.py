"""Hints with trials, as if a model had been paid for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint, hint_key
from re2llm.knowledge.hint_store.trials import Trial, store_trial
from re2llm.knowledge.sessions.training_sessions import session_keys
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services


async def keys_of(services: Services, domain: str) -> list[int]:
    async with services.engine.connect() as connection:
        return await session_keys(connection, (await find_domain(connection, domain)).id)


async def stored(services: Services, domain: str, *texts: str, status: str = "active") -> list[int]:
    """Store hints and return their ids."""
    vectors = services.embedder.encode(list(texts))
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        return [
            (await add_hint(connection, found.id, text, vector, provenance={}, status=status))[0]
            for text, vector in zip(texts, vectors, strict=True)
        ]


async def tried(
    services: Services, domain: str, text: str | None, ranks: Sequence[int], **options: Any
) -> None:
    """Let a hint have put the target at these ranks in the first sessions; `None` is no hint."""
    asked = await resolve_context(Context(domain=domain, **options))
    keys = await keys_of(services, domain)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for key, rank in zip(keys, ranks, strict=False):
            trial = Trial(key, hint_key(text), asked.model, asked.prompt_version, rank, "")
            await store_trial(connection, found.id, trial)
