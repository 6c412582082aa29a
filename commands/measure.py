"""`re2llm measure`: tells what the model adds to the first stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..records import counted
from .console import out, print_json, progress_bars, run
from .forgotten import print_forgotten
from .options import DomainOption, MaxCalls, MaxCost
from .stopped import say_stopped

if TYPE_CHECKING:
    from ..operations.first_stage.measure import Measured


def measure(
    domain: DomainOption = None,
    sessions: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="At most this many training sessions, drawn at random. It takes 30 or more.",
        ),
    ] = 300,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The ranking model. Default: RE2LLM_MODEL.")
    ] = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Measure what the model adds to the first stage.

    From then on, the model counts as much as it was found to add. One call per session, without
    a hint. Run it before you pay for learning.

    Example: re2llm measure --domain films --sessions 100
    """
    from ..operations.first_stage import measure as operation
    from ..runtime.context import Context

    async def work() -> Measured:
        with progress_bars() as progress:
            return await operation.measure(
                Context(domain=domain, model=model),
                sessions=sessions,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )

    measured = run(work)
    if as_json:
        print_json(measured.as_dict())
    else:
        out.print_line(f"{measured.model}, without a hint: {measured.says}")
        print_forgotten(measured, measured=["none"])
        cost = f", cost {measured.cost:.4f}" if measured.cost else ""
        out.print(f"{counted(measured.llm_calls, 'model call')}{cost}.")
    say_stopped(measured.stopped, "")
