"""`re2llm hints tidy`: keeps a domain's hints few and good."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ...records import counted
from ...runtime.request_limits import LARGEST_KEY
from ..console import fail, note, out, print_json, progress_bars, run
from ..detach import Detach, submit_job
from ..options import DomainOption, JsonOption, MaxCost
from ..stopped import say_stopped
from .options import ModelOption

if TYPE_CHECKING:
    from ...operations.hints.tidy_results import TidiedHint, TidiedHints


def tidy(
    domain: DomainOption = None,
    model: ModelOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Change no hint. Makes no model call, unless --max-llm-calls allows some.",
        ),
    ] = False,
    max_llm_calls: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_KEY,
            metavar="N",
            help="Stop after this many model calls; 0 decides by past trials.",
        ),
    ] = None,
    max_cost: MaxCost = None,
    detach: Detach = False,
    as_json: JsonOption = False,
) -> None:
    """Merge hints that say the same; retire those that do not help.

    Hints are tried on the newest training sessions and on random ones, those that look hopeless
    only on a few. Nothing is deleted: `hints show` tells why a hint was retired, and `hints
    approve` brings it back. Stop it at any time, and run it again to continue.

    Example: re2llm hints tidy --domain films --dry-run
    """
    from ...operations.hints.tidy import tidy_hints
    from ...runtime.context import Context

    context = Context(domain=domain, model=model)
    if detach:
        if dry_run or max_llm_calls == 0:
            fail(InputError("--detach", "Nothing is to be paid for.", "Leave it out."))
        limits = {"max_llm_calls": max_llm_calls, "max_cost": max_cost}
        submit_job(context, "tidy", {}, as_json=as_json, **limits)
        return

    async def work() -> TidiedHints:
        with progress_bars() as progress:
            return await tidy_hints(
                context,
                dry_run=dry_run,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )

    found = run(work)
    if as_json:
        print_json(found.model_dump())
    else:
        free = max_llm_calls == 0 or (dry_run and max_llm_calls is None and max_cost is None)
        _print(found, free=free)
    say_stopped(found.stopped, f"Undecided: {counted(found.undecided, 'hint')}.")


def print_changed(hints: list[TidiedHint]) -> None:
    """Print what became of each hint, and why."""
    for hint in hints:
        changed = f"{hint.before} -> {hint.status}"
        out.print_line(f"hint {hint.id}: {hint.text}")
        out.print_line(f"  {changed}: {hint.reason}")


def _print(found: TidiedHints, *, free: bool) -> None:
    print_changed(found.changed)
    counts = Counter(hint.verdict for hint in found.changed if hint.status == "retired")
    retired = ", ".join(f"{verdict} {count:,}" for verdict, count in sorted(counts.items()))
    would = "would be " if found.dry_run else ""
    out.print_line(
        f"{found.domain}: {counted(counts.total(), 'hint')} {would}retired"
        f"{f' ({retired})' if retired else ''}; "
        f"{len(found.kept):,} {'stays' if len(found.kept) == 1 else 'stay'}, "
        f"{found.undecided:,} of them undecided. "
        f"{counted(found.llm_calls, 'model call')} on {found.model}."
    )
    if not found.undecided or found.stopped is not None or found.trials:
        return
    if not free:
        more = "re2llm load … --sessions FILE"
        note(f"note: Too few sessions to decide on those that are undecided. Load more: {more}")
    else:
        limit = "--dry-run" if found.dry_run else "--max-llm-calls 0"
        note(f"note: `re2llm hints tidy` without {limit} tries those that are undecided.")
