"""`re2llm hints verify` and `try`: the gains of hints, measured on training sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ...records import counted
from ...runtime.request_limits import LARGEST_KEY
from ..completion import complete_hint
from ..console import note, out, print_json, progress_bars, run
from ..detach import Detach, submit_job
from ..options import DomainOption, JsonOption, MaxCalls, MaxCost
from ..stopped import say_stopped
from ..tables import print_retired
from .options import ModelOption

if TYPE_CHECKING:
    from ...operations.hints.results import TriedHint, VerifiedHints
    from ...runtime.context import Context


def verify(
    hints: Annotated[
        list[int] | None,
        typer.Argument(
            max=LARGEST_KEY,
            metavar="HINT",
            help="Numbers of hints. Default: those not tried on this model.",
            autocompletion=complete_hint,
        ),
    ] = None,
    domain: DomainOption = None,
    model: ModelOption = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    detach: Detach = False,
    as_json: JsonOption = False,
) -> None:
    """Try hints on training sessions, and decide on each.

    The trials use the current model. A pending hint that helps becomes active (with
    RE2LLM_APPROVE_HINTS it waits for a person), and one that clearly harms is retired. Past
    trials are not paid for again.

    Example: re2llm hints verify --domain films
    """
    from ...runtime.context import Context

    context = Context(domain=domain, model=model)
    if detach:
        limits = {"max_llm_calls": max_llm_calls, "max_cost": max_cost}
        submit_job(context, "verify", {"hints": hints}, as_json=as_json, **limits)
        return
    found = run(
        lambda: verified(context, hints or [], max_llm_calls=max_llm_calls, max_cost=max_cost)
    )
    if as_json:
        print_json(found.model_dump())
    else:
        print_verified(found)
    say_stopped(found.stopped, f"{counted(found.left, 'hint is', 'hints are')} left.")


async def verified(
    context: Context,
    hints: Sequence[int],
    *,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
) -> VerifiedHints:
    """Verify hints under a progress bar."""
    from ...operations.hints.verify import verify_hints

    with progress_bars() as progress:
        return await verify_hints(
            context, hints, max_llm_calls=max_llm_calls, max_cost=max_cost, progress=progress
        )


def print_verified(found: VerifiedHints) -> None:
    """Print each hint's gain and what was decided on it."""
    for hint in found.hints:
        out.print_line(f"hint {hint.id}: {hint.text}")
        out.print(f"  {hint.gain} {_OUTCOMES[hint.outcome]} and {hint.decision}.")
    shown = {hint.id for hint in found.hints}
    print_retired([hint for hint in found.retired_hints if hint.id not in shown])
    if not found.kept and not found.hints:
        out.print(
            f"{found.domain} has no active or pending hints: `re2llm learn` finds some, and "
            "`re2llm hints add` adds yours."
        )
    elif not found.hints and not found.left:
        out.print(
            f"{found.domain}: every active and pending hint was tried on {found.model} already.",
        )
    elif found.hints:
        out.print(f"{counted(found.llm_calls, 'model call')} on {found.model}.")


_OUTCOMES = {
    "helps": "It helps",
    "no_gain": "It brings no gain that could be measured",
    "harms": "It harms",
}


def try_(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="A hint: one or two imperative sentences.")
    ],
    domain: DomainOption = None,
    sessions: Annotated[
        int,
        typer.Option(min=2, metavar="N", help="Training sessions to try it on, drawn at random."),
    ] = 40,
    model: ModelOption = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the gain of a hint, without storing it.

    Example: re2llm hints try "Prefer the same director as in the history." --domain films
    """
    from ...runtime.context import Context

    context = Context(domain=domain, model=model)

    async def work() -> TriedHint:
        from ...operations.hints.try_hint import try_hint

        with progress_bars() as progress:
            return await try_hint(
                context,
                text,
                sessions=sessions,
                max_llm_calls=max_llm_calls,
                max_cost=max_cost,
                progress=progress,
            )

    tried = run(work)
    if as_json:
        print_json(tried.model_dump())
        return
    if tried.understood is not None:
        reading = "; ".join(tried.understood) or "nothing: it mentions no attribute or evidence"
        out.print(f"The offline model weighs {reading}.")
    out.print(str(tried.gain))
    if tried.leak is not None:
        note(f"note: it cannot be stored: {tried.leak}")
