"""`re2llm learn`: reflects on misses and keeps the hints that measurably help."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BudgetSpentError, Re2llmError
from .console import err, out, print_json, progress, run
from .selection import selected_sessions

if TYPE_CHECKING:
    from ..nodes.budget import Budget
    from ..nodes.services import Services


def learn(
    domain: Annotated[str, typer.Option(help="The catalogue.")],
    sessions: Annotated[
        list[Path] | None,
        typer.Option(help="Learn from these loaded training sessions only; JSONL, repeatable."),
    ] = None,
    max_hints: Annotated[
        int, typer.Option(min=1, help="Stop when this many hints are active or pending.")
    ] = 30,
    max_llm_calls: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Sessions at a time. Default: RE2LLM_CONCURRENCY.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Default: RE2LLM_SEED.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Learn hints from the misses on training sessions; stop and resume at any point.

    Example: re2llm learn --domain movies --max-hints 20
    """
    from ..nodes.budget import Budget

    budget = Budget(max_calls=max_llm_calls, max_tokens=max_tokens)
    run(lambda: _learn(domain, sessions or [], max_hints, budget, concurrency, seed, as_json))


async def _learn(
    domain: str,
    files: list[Path],
    max_hints: int,
    budget: Budget,
    concurrency: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    from ..nodes.services import shared_services

    services = await shared_services()
    seed = services.settings.seed if seed is None else seed
    todo = await unsettled_sessions(services, domain, files, seed)
    counts, spent = await learn_from(
        services,
        domain,
        todo,
        max_hints=max_hints,
        budget=budget,
        concurrency=concurrency or services.settings.concurrency,
        seed=seed,
    )
    hints = await count_hints(services, domain)
    document = {
        "domain": domain,
        "sessions_left": len(todo) - counts["sessions"],
        **counts,
        "llm_calls": budget.calls,
        "tokens": budget.tokens,
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
    if spent is not None:
        err.print(f"stopped: {spent}", markup=False, soft_wrap=True)


async def unsettled_sessions(
    services: Services, domain: str, files: list[Path], seed: int
) -> list[int]:
    """Return the keys of the sessions that were not learnt from yet, in seeded order.

    Args:
        services: The database.
        domain: The catalogue.
        files: Only the loaded sessions that these files hold; empty for all.
        seed: Of the order.
    """
    from ..knowledge.domains import find_domain
    from ..knowledge.reflections import settled_sessions
    from ..llm.ranking_prompt import RANKING_PROMPT_VERSION
    from ..llm.reflection_prompt import REFLECTION_PROMPT_VERSION
    from ..nodes.pick_session import learning_order

    keys = await selected_sessions(services, domain, files)
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        settled = await settled_sessions(
            connection,
            found.id,
            services.settings.model,
            RANKING_PROMPT_VERSION,
            REFLECTION_PROMPT_VERSION,
        )
    return [key for key in learning_order(keys, seed) if key not in settled]


async def learn_from(
    services: Services,
    domain: str,
    todo: list[int],
    *,
    max_hints: int,
    budget: Budget,
    concurrency: int,
    seed: int,
) -> tuple[Counter[str], BudgetSpentError | None]:
    """Run the `learn` graph over sessions until the hints or the budget are full.

    Args:
        services: Database, models and caches.
        domain: The catalogue.
        todo: Keys of training sessions, in order.
        max_hints: Active and pending hints at which to stop.
        budget: What may be spent.
        concurrency: Sessions at a time.
        seed: Of every random choice.

    Returns:
        Counts of sessions, misses and what became of the proposals; and the budget's error if it
        ran out.
    """
    from ..graph.learn import graph
    from ..nodes.context import Context

    counts: Counter[str] = Counter()
    context = Context(domain=domain, budget=budget, seed=seed)
    queue = iter(todo)
    spent: list[BudgetSpentError] = []

    async def worker() -> None:
        for key in queue:
            if spent or await count_hints(services, domain) >= max_hints:
                return
            request: Any = {"session": key, "domain": domain}
            try:
                result: dict[str, Any] = await graph.ainvoke(  # pyright: ignore[reportUnknownMemberType]  # LangGraph leaves it open
                    request, context=context
                )
            except BudgetSpentError as error:
                spent.append(error)
                return
            if result.get("error"):
                raise Re2llmError(**result["error"])
            counts["sessions"] += 1
            counts["missed"] += bool(result["missed"])
            for proposal in result.get("proposals", []):
                counts["proposed"] += 1
                counts[proposal["outcome"]] += 1
            stored = await count_hints(services, domain)
            bar.update(
                task,
                advance=1,
                description=f"learning: {counts['missed']} misses, {stored} hints, "
                f"{budget.calls} calls",
            )

    with progress(counts=True) as bar:
        task = bar.add_task("learning", total=len(todo))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(worker())
        finally:
            # After an interruption, too, the hints so far can be chosen by what they brought.
            counts["retired"] = await _settle_figures(services, domain)
    return counts, spent[0] if spent else None


async def count_hints(services: Services, domain: str) -> int:
    """Return how many hints are active or pending.

    Args:
        services: The database.
        domain: The catalogue.
    """
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import list_hints

    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        hints = await list_hints(connection, found.id)
    return sum(hint.status != "retired" for hint in hints)


async def _settle_figures(services: Services, domain: str) -> int:
    """Sum the trials up beside the hints; return how many were retired for measured harm."""
    from ..knowledge.domains import find_domain
    from ..knowledge.hint_figures import refresh_figures, retire_harmful
    from ..llm.ranking_prompt import RANKING_PROMPT_VERSION

    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        model = services.settings.model
        await refresh_figures(connection, found.id, model, RANKING_PROMPT_VERSION)
        return len(await retire_harmful(connection, found.id))
