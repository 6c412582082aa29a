"""`re2llm learn`: reflects on misses and keeps the hints that measurably help."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..records import counted
from .console import note, out, print_json, progress_bars, run
from .detach import Detach, submit_job
from .forgotten import print_forgotten
from .hints.tidy import print_changed
from .options import DomainOption, Fuse, MaxCalls, MaxCost, MaxTokens, SeedOption
from .stopped import say_stopped
from .tables import print_retired

if TYPE_CHECKING:
    from ..operations.learning.results import Learned


def learn(
    domain: DomainOption = None,
    sessions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Learn from these loaded training sessions only; JSONL, repeatable.",
        ),
    ] = None,
    max_hints: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Stop when this many hints are active or pending; at most RE2LLM_HINTS_MAX.",
        ),
    ] = 30,
    max_llm_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Sessions to work on at the same time. Default: RE2LLM_CONCURRENCY, "
            "or one for each 400 calls of a limit.",
        ),
    ] = None,
    reflection_batch: Annotated[
        int | None,
        typer.Option(
            "--reflection-batch",
            min=1,
            max=12,
            metavar="N",
            help="Reflect on up to N misses with a common cause at once; 1: on each alone. "
            "Default: RE2LLM_REFLECTION_BATCH.",
        ),
    ] = None,
    tidy: Annotated[
        bool,
        typer.Option(help="Tidy the hints at the end, by the trials so far: no model call."),
    ] = True,
    fuse: Fuse = None,
    seed: SeedOption = None,
    detach: Detach = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Learn hints from the misses on training sessions.

    Stop it at any time, and run it again to continue.

    Example: re2llm learn --domain movies --max-hints 20
    """
    from ..operations.learning import learn as operation
    from ..runtime.context import Context

    context = Context(
        domain=domain,
        seed=seed,
        fuse=fuse,
        reflection_batch=reflection_batch,
    )
    limits: dict[str, Any] = {
        "max_llm_calls": max_llm_calls,
        "max_tokens": max_tokens,
        "max_cost": max_cost,
    }
    how: dict[str, Any] = {"max_hints": max_hints, "concurrency": concurrency, "tidy": tidy}
    if detach:
        submit_job(context, "learn", {"files": sessions, **how}, as_json=as_json, **limits)
        return

    async def work() -> Learned:
        with progress_bars() as progress:
            return await operation.learn(
                context, sessions=sessions or [], progress=progress, **how, **limits
            )

    learned = run(work)
    if learned.sessions_before and learned.sessions:
        note(
            f"{learned.domain}: {counted(learned.sessions_before, 'session was', 'sessions were')} "
            "done before."
        )
    if as_json:
        print_json(learned.as_dict())
    else:
        _print(learned)
    _say_what_is_left(learned, max_hints)


def _say_what_is_left(learned: Learned, max_hints: int) -> None:
    left = f"{counted(learned.sessions_left, 'session is', 'sessions are')} left."
    if learned.stopped is not None:
        say_stopped(learned.stopped, left)
    elif learned.full:
        from ..settings import get_settings

        most = get_settings().hints_max
        more = "--max-hints" if max_hints <= most else "RE2LLM_HINTS_MAX"
        note(
            f"stopped: there is room for {counted(min(max_hints, most), 'hint')}; "
            f"{more} allows more. {left}"
        )
    elif not learned.sessions and not learned.sessions_left:
        note(
            f"{learned.domain}: nothing is left to learn from: this model is done "
            "with every training session. More sessions (`re2llm load`), feedback or another "
            f"model would help; `re2llm train --domain {shlex.quote(learned.domain)}` uses the "
            "hints there are."
        )


def _print(learned: Learned) -> None:
    out.print(
        f"{learned.domain}: {counted(learned.sessions, 'session')}, {learned.missed:,} missed; "
        f"proposed {counted(learned.proposed, 'hint')}: {learned.stored} stored, "
        f"{counted(learned.duplicate, 'repeat')}, "
        f"{counted(learned.leak, 'leak')}, {learned.ineffective} without measured gain, "
        f"{learned.surplus} without room. "
        f"{counted(learned.llm_calls, 'model call')}. Hints: {learned.hints}."
    )
    if learned.advice:
        out.print_line(learned.advice)
    if learned.failed:
        out.print(
            f"The model left {counted(learned.failed, 'session')} unanswered; run again to retry."
        )
    if learned.declined:
        out.print(
            f"The reflecting model declined {counted(learned.declined, 'miss', 'misses')}; "
            "another RE2LLM_REFLECT_MODEL may answer."
        )
    print_forgotten(learned)
    print_retired(learned.retired_hints)
    print_changed(learned.tidied)
