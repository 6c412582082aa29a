"""`re2llm feedback`: what a person did with a recommendation."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import InputError
from ..records import counted
from .console import err, out, print_json, run
from .options import DomainOption
from .tables import print_retired


def feedback(
    recommendation_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The `recommendation_id` of an answer; see recommend --json."
        ),
    ],
    picked: Annotated[
        str | None,
        typer.Argument(metavar="ITEM", help="What was picked: an id or a title of the catalogue."),
    ] = None,
    none: Annotated[
        bool, typer.Option("--none", help="None of the recommended items was picked.")
    ] = False,
    domain: DomainOption = None,
    learn: Annotated[
        bool,
        typer.Option("--learn", help="Learn now from this miss and earlier ones that are waiting."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Store what a person picked. Repeating it changes nothing.

    Example: re2llm feedback 0b5e4a8e-3f0e-4c7e-9a57-2f8f5c1b7d10 "Blade Runner" --domain films
    """
    run(lambda: _feedback(recommendation_id, picked, none, domain, learn, as_json))


async def _feedback(
    recommendation_id: str,
    picked: str | None,
    none: bool,
    domain: str | None,
    learn: bool,
    as_json: bool,
) -> None:
    from ..operations.learning.from_feedback import learn_from_feedback
    from ..operations.recommending.feedback import give_feedback
    from ..runtime.context import Context
    from ..runtime.sharing import shared_services

    if none == (picked is not None):
        problem = "It says that nothing was picked." if none else "Say what was picked."
        raise InputError("none" if none else "picked", problem, "Give an item, or --none.")
    stored = await give_feedback(Context(), recommendation_id, picked, domain=domain, learn=False)
    if not as_json:
        item = "none of these" if stored.picked is None else f"{stored.title} [{stored.picked}]"
        where = "" if stored.rank is None else f", at rank {stored.rank}"
        out.print(
            f"{'Stored' if stored.new else 'Stored already'}: {item}{where}; "
            f"reward {stored.reward:.3f}.",
        )
    if learn:
        services = await shared_services()
        with err.status("learning from misses"):
            retired = await learn_from_feedback(services, everyones=True)
        spent = services.feedback_budget.llm_calls
        if not as_json:
            out.print(f"Learned with {counted(spent, 'model call')}.")
            print_retired(retired)
    if as_json:
        print_json(stored.model_dump())
