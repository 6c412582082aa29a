"""`re2llm learn`: reflects on misses and keeps the hints that measurably help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ModelDownError
from ..operations.learn import Learner, count_hints
from ..operations.selection import selected_sessions
from .budgets import MaxCalls, MaxCost, check_budget
from .console import err, out, print_json, run

if TYPE_CHECKING:
    from ..runtime.budget import Budget
    from ..runtime.services import Services


def learn(
    domain: Annotated[str, typer.Option(help="The catalogue.")],
    sessions: Annotated[
        list[Path] | None,
        typer.Option(help="Learn from these loaded training sessions only; JSONL, repeatable."),
    ] = None,
    max_hints: Annotated[
        int, typer.Option(min=1, help="Stop when this many hints are active or pending.")
    ] = 30,
    max_llm_calls: MaxCalls = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    max_cost: MaxCost = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Sessions at a time. Default: RE2LLM_CONCURRENCY.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Default: RE2LLM_SEED.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Learn hints from the misses on training sessions; stop and resume at any point.

    Example: re2llm learn --domain movies --max-hints 20
    """
    from ..runtime.budget import Budget

    budget = Budget(
        max_calls=max_llm_calls, max_tokens=max_tokens, max_cost=max_cost, max_hints=max_hints
    )
    run(lambda: _learn(domain, sessions or [], budget, concurrency, seed, as_json))


async def _learn(
    domain: str,
    files: list[Path],
    budget: Budget,
    concurrency: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    from ..runtime.sharing import shared_services

    check_budget(budget)
    services = await shared_services()
    seed = services.settings.seed if seed is None else seed
    keys = await selected_sessions(services, domain, files)
    todo = await unsettled_sessions(services, domain, keys, seed)
    if settled := len(keys) - len(todo):
        going_on = f"{domain}: going on; {settled:,} sessions are done, {len(todo):,} are left."
        err.print(going_on, markup=False, soft_wrap=True)
    concurrency = concurrency or services.settings.concurrency
    learner = Learner(services, domain, budget, seed)
    stopped = await learner.learn_from(todo, concurrency)
    counts = learner.counts
    hints = await count_hints(services, domain)
    # Trying hints settles sessions too: those on which nothing is missed.
    left = len(await unsettled_sessions(services, domain, keys, seed))
    document = {
        "domain": domain,
        "sessions_left": left,
        **counts,
        "llm_calls": budget.calls,
        "tokens": budget.tokens,
        "cost": round(budget.cost, 6),
        "hints": hints,
    }
    if as_json:
        print_json(document)
    else:
        out.print(
            f"{domain}: {counts['sessions']:,} sessions, {counts['missed']:,} missed; proposed "
            f"{counts['proposed']:,} hints: {counts['stored']} stored, {counts['duplicate']} "
            f"repeats, {counts['leak']} leaks, {counts['ineffective']} without measured gain. "
            f"{budget.calls:,} model calls. Hints: {hints}."
        )
        if counts["failed"]:
            out.print(
                f"The model left {counts['failed']:,} sessions unanswered; run again for them."
            )
    if stopped is not None:
        err.print(f"stopped: {stopped} {left:,} sessions are left.", markup=False, soft_wrap=True)
    if isinstance(stopped, ModelDownError):
        raise typer.Exit(1)


async def unsettled_sessions(
    services: Services, domain: str, keys: list[int], seed: int
) -> list[int]:
    """Return the keys of those sessions that were not learnt from yet, in seeded order.

    Args:
        services: The database.
        domain: The catalogue.
        keys: Of training sessions.
        seed: Of the order.
    """
    from ..knowledge.domains import find_domain
    from ..knowledge.reflections import settled_sessions
    from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION
    from ..ranking.panels import learning_order
    from ..runtime.options import Context, resolve_context

    options = await resolve_context(Context())
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        settled = await settled_sessions(
            connection,
            found.id,
            options.model,
            options.prompt_version,
            REFLECTION_PROMPT_VERSION,
        )
    return [key for key in learning_order(keys, seed) if key not in settled]
