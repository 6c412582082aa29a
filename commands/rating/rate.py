"""`re2llm rate`: how a user would rate an item, with the reasoning."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError
from ..console import out, print_json, run
from ..recommend import print_flags
from .reviews import SAMPLE, ReviewsOption, SkipOption, read_reviews


def rate(
    user: Annotated[str | None, typer.Option(help="A user of the reviews.")] = None,
    item: Annotated[str | None, typer.Option(help="An item of the reviews: id or title.")] = None,
    request: Annotated[
        str | None,
        typer.Option(help="Instead: a JSON file with the graph's whole input; - reads stdin."),
    ] = None,
    reviews: ReviewsOption = SAMPLE,
    model: Annotated[str | None, typer.Option(help="A chat model. Default: RE2LLM_MODEL.")] = None,
    skip_malformed: SkipOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as JSON.")
    ] = False,
) -> None:
    """Predict a rating, and say why.

    Example: re2llm rate --user person-1 --item "The River Keeper"
    """
    run(lambda: _rate(user, item, request, reviews, model, skip_malformed, as_json))


async def _rate(
    user: str | None,
    item: str | None,
    request: str | None,
    source: str,
    model: str | None,
    skip_malformed: bool,
    as_json: bool,
) -> None:
    from ...operations.graphs import RATE, run_graph
    from ...runtime.options import Context

    if request is not None:
        given = _read(request)
    elif user is not None and item is not None:
        given = _of_reviews(user, item, source, skip_malformed=skip_malformed)
    else:
        raise InputError("--user", "Nobody is named.", "Give --user and --item, or --request.")
    result = await run_graph(RATE, given, Context(model=model, command="rate"))
    if as_json:
        print_json(result)
        return
    out.print(f"rating: {result['rating']:g}   ({result['model']})", markup=False)
    for name, heading in (("analyze_user", "user"), ("analyze_item", "item"), ("match", "match")):
        if result["reasoning"][name]:
            out.print(f"{heading + ':':<8}{result['reasoning'][name]}", markup=False)
    print_flags(result)


def _read(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(
            "--request",
            f"{name} cannot be read as JSON ({error}).",
            "See docs/rating.md.",
        ) from error
    if not isinstance(value, dict):
        raise InputError("--request", f"{name} is no JSON object.", "See docs/rating.md.")
    return value  # pyright: ignore[reportUnknownVariableType]  # the graph checks it


def _of_reviews(user: str, item: str, source: str, *, skip_malformed: bool) -> dict[str, Any]:
    histories = read_reviews(source, skip_malformed=skip_malformed)
    mine = [review for history in histories if history.user == user for review in history.reviews]
    if not mine:
        example = histories[0].user
        raise InputError("--user", f"{user!r} wrote no review.", f"Name one, such as {example}.")
    everything = [review for history in histories for review in history.reviews]
    about = [r for r in everything if item == r.item.id or item.lower() == r.item.title.lower()]
    if not about:
        raise InputError("--item", f"{item!r} has no review.", "Give an id or a whole title.")
    wanted = about[0].item
    past = sorted((r for r in mine if r.item.id != wanted.id), key=lambda r: r.time)
    others = sorted((r for r in about if r.user != user), key=lambda r: r.time)
    ratings = [review.rating for review in everything]
    return {
        "item": {"title": wanted.title, "attributes": dict(wanted.attributes)},
        "history": [
            {
                "title": r.item.title,
                "attributes": dict(r.item.attributes),
                "rating": r.rating,
                "text": r.text,
            }
            for r in past
        ],
        "item_reviews": [{"rating": r.rating, "text": r.text} for r in others],
        "lowest": min(ratings),
        "highest": max(ratings),
    }
