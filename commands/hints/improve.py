"""`re2llm hints improve`: makes better hints of known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...records import counted
from ..console import note, out, print_json, progress_bars, run
from ..options import DomainOption, JsonOption, MaxCalls, MaxCost
from ..stopped import say_stopped
from .options import ModelOption

if TYPE_CHECKING:
    from ...operations.hints.improve_results import ImprovedHints


def improve(
    domain: DomainOption = None,
    model: ModelOption = None,
    attempts: Annotated[
        int, typer.Option(min=1, max=1_000, metavar="N", help="Make at most this many attempts.")
    ] = 10,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    as_json: JsonOption = False,
) -> None:
    """Join hints that help in different sessions; fix those that harm.

    The reflecting model writes a new hint of one or two active ones. It is stored if it helps
    more than the better of them, beyond doubt. Stop it at any time; what is paid is kept.

    Example: re2llm hints improve --domain films --attempts 5 --max-llm-calls 2000
    """
    from ...operations.hints.improve import improve_hints
    from ...runtime.context import Context

    async def work() -> ImprovedHints:
        with progress_bars() as progress:
            return await improve_hints(
                Context(domain=domain, model=model),
                attempts=attempts,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )

    found = run(work)
    if as_json:
        print_json(found.model_dump())
    else:
        _print(found)
    say_stopped(found.stopped, "")


def _print(found: ImprovedHints) -> None:
    for child in found.tried:
        parents = " and ".join(str(number) for number in child.parents)
        outcome = f"hint {child.hint_id}" if child.hint_id else child.outcome.replace("_", " ")
        out.print_line(f"{child.way} {parents}: {outcome}")
        if child.text:
            out.print_line(f"  {child.text}")
        out.print_line(f"  {child.reason}")
    if not found.tried:
        note(
            "note: no attempt is left. Hints need trials on the same 24 sessions or more, see "
            "`hints verify`; what failed before is not attempted again."
        )
    out.print_line(
        f"{found.domain}: {counted(found.stored, 'better hint')} stored. "
        f"{counted(found.llm_calls, 'model call')} on {found.model}."
    )
