"""`re2llm recommend`: what comes next after the given items."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, ModelDownError, failure_among
from ..records import Flag
from .completion import DomainOption
from .console import note, out, print_json, run

if TYPE_CHECKING:
    from ..operations.results import Recommended, RecommendedItem


def recommend(
    items: Annotated[
        list[str], typer.Argument(help="What was chosen, oldest first: ids or titles.")
    ],
    domain: DomainOption = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="An item to rank, id or title; repeatable. Default: retrieved."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many to show.")] = 10,
    policy: Annotated[
        str | None, typer.Option(help="How a hint is chosen: none, random, similar, static or ppo.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as JSON.")
    ] = False,
) -> None:
    """Recommend what to choose next.

    Example: re2llm recommend --domain films "Alien" "Blade Runner" -k 5
    """

    async def work() -> Recommended:
        from ..operations.recommend import recommend
        from ..ranking.choosers import hint_choice
        from ..runtime.options import Context

        context = Context(
            policy=None if policy is None else hint_choice(policy), command="recommend"
        )
        try:
            return await recommend(context, items, candidates=candidate, domain=domain, k=k)
        except InputError as error:
            if error.field != "history":
                raise
            raise InputError("ITEM", error.problem, error.remedy) from error

    made = run(work)
    answer = made.model_dump()
    if as_json:
        print_json(answer)
        return
    for item in made.items:
        because = f"  ({'; '.join(item.because)})" if item.because else ""
        out.print(f"{item.rank:>3}. {_titled(item)}  [{item.id}]{because}", markup=False)
    if made.hint.text:
        out.print(f"hint: {made.hint.text}", markup=False)
    print_flags(answer)
    if made.recommendation_id is not None:
        out.print(
            f"What was picked? re2llm feedback {made.recommendation_id} ITEM "
            f"--domain {shlex.quote(made.domain)}  (or --none)",
            markup=False,
            soft_wrap=True,
        )


def _titled(item: RecommendedItem) -> str:
    year = item.year
    return item.title if year is None or str(year) in item.title else f"{item.title} ({year})"


def print_flags(result: Mapping[str, Any]) -> None:
    """Print what went wrong on the way to an answer, and what to do if the model failed."""
    flags = result["flags"]
    if flags:
        out.print(f"flags: {', '.join(flags)}", markup=False)
    if Flag.MODEL_FAILED in flags:
        why = ModelDownError(result["model"], failure_among(flags), result["model_error"])
        note(f"note: {why}")
    if Flag.RELEASE_SKIPPED in flags:
        domain = shlex.quote(result["domain"])
        note(
            "note: the active release was trained for another model or prompt. For "
            f"{result['model']}, run `re2llm hints verify --domain {domain}` and then "
            f"`re2llm train --domain {domain}`."
        )
