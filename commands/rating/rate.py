"""`re2llm rate`: how a user would rate an item, with the reasoning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ...errors import InputError, reason_of
from ..console import out, print_json, run
from ..files import read_text
from ..recommend import print_flags
from .options import SAMPLE, ReviewsOption, ScaleOption, SkipOption, review_source

if TYPE_CHECKING:
    from ...operations.rating.results import Rated


def rate(
    user: Annotated[str | None, typer.Option(metavar="USER", help="A user of the reviews.")] = None,
    item: Annotated[
        str | None, typer.Option(metavar="ITEM", help="An item of the reviews: id or title.")
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Instead of both: a JSON file with the graph's whole input; - reads stdin.",
        ),
    ] = None,
    reviews: ReviewsOption = SAMPLE,
    scale: ScaleOption = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A chat model. Default: RE2LLM_MODEL.")
    ] = None,
    skip_malformed: SkipOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as JSON.")
    ] = False,
) -> None:
    """Predict how a user would rate an item, with the reasoning.

    Example: re2llm rate --user person-1 --item "The River Keeper"
    """

    async def work() -> Rated:
        from ...operations.rating.predict import predict_from_reviews
        from ...operations.rating.rate import rate
        from ...runtime.context import Context

        context = Context(model=model, command="rate")
        if request is not None:
            beside = {"--user": user, "--item": item, "--scale": scale}
            beside |= {"--reviews": reviews != SAMPLE, "--skip-malformed": skip_malformed}
            for option in (name for name, given in beside.items() if given):
                remedy = "Leave it out: the file holds all of it, the scale as `lowest`, `highest`."
                raise InputError(option, "does not go with --request.", remedy)
            return await rate(context, await _read(request))
        if user is None or item is None:
            raise InputError(
                "--user",
                "A user and an item are both needed.",
                "Give --user and --item, or --request.",
            )
        source = review_source(reviews, scale=scale, skip_malformed=skip_malformed)
        return await predict_from_reviews(context, source, user, item)

    result = run(work)
    if as_json:
        print_json(result.model_dump())
        return
    out.print(f"rating: {result.rating:g}   ({result.model})")
    for name, heading in (("analyze_user", "user"), ("analyze_item", "item"), ("match", "match")):
        if thought := getattr(result.reasoning, name):
            for place, line in enumerate(thought.splitlines()):
                out.print(f"{'' if place else heading + ':':<8}{line}")
    print_flags(result.model_dump())


async def _read(name: str) -> dict[str, Any]:
    """Return a request, as strictly as HTTP takes it."""
    from pydantic import ValidationError

    from ...interfaces.api.requests import RateBody
    from ...interfaces.strict_json import strict_document
    from ...rating.request import refuse_unknown_keys
    from ...runtime.request_limits import input_error

    try:
        value = strict_document((await read_text(Path(name))).encode())
    except (OSError, ValueError) as error:
        raise InputError(
            "--request",
            f"{name} cannot be read as JSON ({reason_of(error)}).",
            "See docs/rating.md.",
        ) from error
    if not isinstance(value, dict):
        raise InputError("--request", f"{name} is not a JSON object.", "See docs/rating.md.")
    refuse_unknown_keys(cast("dict[str, Any]", value))  # which names the known ones
    try:
        return RateBody.model_validate(value).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise input_error(error) from None
