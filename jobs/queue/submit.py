"""Submits jobs: what was asked for is checked, pinned and stored in one transaction."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...knowledge.access.keys import hold_key
from ...knowledge.jobs.jobs import Job, fetch_job, find_job, store_job
from ...knowledge.jobs.of_keys import hold_place
from ...llm.prices import require_prices
from ...operations.database import find_run_domain, with_domain
from ...operations.evaluation.compared import in_orders
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ..kinds.registry import JobKind, check_activates, job_kind, models_of
from .code_version import code_version
from .dbos_client import enqueue, queue_client


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What submits a job; by default, a person.

    Attributes:
        schedule: The name of the schedule that submits it.
        job_id: The id that it gives the job; one that is there already is not submitted again.
        autopilot: Whether it is a step of the domain's autopilot, whose budget of the day counts.
        key_id: The API key that it works for; `None` takes that of the run.
    """

    schedule: str | None = None
    job_id: str | None = None
    autopilot: bool = False
    key_id: str | None = None


_PERSON = Origin()


async def submit(
    context: Context,
    kind: JobKind,
    arguments: Mapping[str, Any],
    *,
    max_llm_calls: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    origin: Origin = _PERSON,
) -> Job:
    """Submit a job, which workers then do.

    Args:
        context: The run's options; model and mode are pinned, so that all workers do the same.
        arguments: The arguments as the operation takes them.
        max_llm_calls: Model calls that it may make, over all workers; likewise the next two.
        origin: What submits it.

    Raises:
        InputError: The arguments cannot be used.
        LimitReachedError: The key has as many jobs running as it may have.
        DatabaseError: The database failed; the job is submitted as a whole or not at all.
    """
    check_activates(kind, arguments)
    context = in_orders(await with_domain(context), arguments.get("permutations") or 1)
    options = await resolve_context(context)
    if max_cost is not None:
        require_prices(
            options.settings.prices, models_of(kind, options.model, options.reflect_model)
        )
    key_id = origin.key_id or options.key_id
    if not origin.autopilot:  # which does one step at a time
        async with options.services.engine.begin() as connection:
            await hold_place(connection, key_id)  # before what takes long
    prepared = await job_kind(kind).prepare(options, arguments)
    domain = await find_run_domain(options)
    version = await asyncio.to_thread(code_version)
    made = origin.job_id or f"{kind}-{secrets.token_hex(4)}"
    services = options.services
    async with queue_client(services) as client, services.engine.begin() as connection:
        known = None if origin.job_id is None else await find_job(connection, made)
        if known is not None:
            return known
        await hold_key(connection, key_id)
        if not origin.autopilot:
            await hold_place(connection, key_id)
        await store_job(
            connection,
            domain.id,
            id=made,
            kind=kind,
            arguments={**prepared, "context": _pinned(context, options)},
            version=version,
            max_calls=max_llm_calls,
            max_tokens=max_tokens,
            max_cost=max_cost,
            schedule=origin.schedule,
            autopilot=origin.autopilot,
            key_id=key_id,
        )
        await enqueue(connection, client, made, 1, version)
        return await fetch_job(connection, made)


def _pinned(context: Context, options: RunOptions) -> dict[str, Any]:
    return {
        "domain": options.domain,
        "seed": context.seed,  # a training without one takes the settings'
        "model": options.model,
        "reflect_model": options.reflect_model,
        "prompt": context.prompt or options.settings.prompt,
        "fuse": options.fuse,
        "prompt_order": options.prompt_order,
        "orders": options.orders,
        "reflection_batch": options.reflection_batch,
    }
