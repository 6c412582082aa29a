"""`re2llm recommend`: what comes next after the given items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, ModelDownError, failure_among
from ..records import Flag
from .console import err, out, print_json, run

if TYPE_CHECKING:
    from ..operations.results import Recommended


def recommend(
    items: Annotated[
        list[str], typer.Argument(help="What was chosen, oldest first: ids or titles.")
    ],
    domain: Annotated[
        str | None, typer.Option(help="The catalogue. Default: RE2LLM_DOMAIN.")
    ] = None,
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
        out.print(f"{item.rank:>3}. {item.title}  [{item.id}]", markup=False)
    if made.hint.text:
        out.print(f"hint: {made.hint.text}", markup=False)
    print_flags(answer)


def print_flags(result: Mapping[str, Any]) -> None:
    """Print what went wrong on the way to an answer, and what to do if the model failed."""
    flags = result["flags"]
    if flags:
        out.print(f"flags: {', '.join(flags)}", markup=False)
    if Flag.MODEL_FAILED in flags:
        why = ModelDownError(result["model"], failure_among(flags), result["model_error"])
        err.print(f"note: {why}", markup=False, soft_wrap=True)
