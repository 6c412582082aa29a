"""`re2llm recommend`: what comes next after the given items."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import InputError, ModelDownError, failure_among
from ..records import Flag
from ..runtime.request_limits import MOST_SHOWN
from .console import fail, note, out, print_json, run
from .options import DomainOption, MaxCalls, MaxCost
from .recommend_batch import recommend_rows

if TYPE_CHECKING:
    from ..operations.results import Recommended, RecommendedItem
    from ..ranking.state import RecommendState
    from ..runtime.context import Context


def recommend(
    history: Annotated[
        list[str] | None,
        typer.Argument(metavar="ITEM", help="What was chosen, oldest first: ids or titles."),
    ] = None,
    domain: DomainOption = None,
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            "--candidate",
            metavar="ITEM",
            help="An item to rank, id or title; repeatable. Default: retrieved.",
        ),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", min=1, max=MOST_SHOWN, metavar="N", help="How many to show.")
    ] = 10,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Any stable name of the person, for rollouts."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="How a hint is chosen: none, random, similar, static or ppo."
        ),
    ] = None,
    requests: Annotated[
        Path | None,
        typer.Option(
            "--requests",
            metavar="FILE",
            help="Recommend for every row of this JSONL or Parquet file.",
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Where the answers to --requests go: JSONL or .parquet."
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Rows of --requests at the same time. Default: RE2LLM_CONCURRENCY.",
        ),
    ] = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as JSON.")
    ] = False,
) -> None:
    """Recommend what to choose next.

    It does so for one person, or with --requests for every row of a file.

    Example: re2llm recommend --domain films "Alien" "Blade Runner" -k 5
    """
    if requests is not None or answers is not None:
        recommend_rows(
            requests,
            answers,
            others=[*(history or []), *(candidates or [])],
            domain=domain,
            k=k,
            user=user,
            policy=policy,
            concurrency=concurrency,
            max_llm_calls=max_llm_calls,
            max_cost=max_cost,
            as_json=as_json,
        )
        return
    _refuse_those_of_a_batch(
        {"--concurrency": concurrency, "--max-llm-calls": max_llm_calls, "--max-cost": max_cost}
    )
    if not history:
        fail(InputError("ITEM", "It is missing.", "Name what was chosen, or give --requests FILE."))

    async def work() -> tuple[Recommended, str]:
        from ..operations.recommending.recommend import recommend
        from ..ranking.choosers import hint_choice
        from ..runtime.context import Context

        context = Context(
            policy=None if policy is None else hint_choice(policy), command="recommend"
        )
        state: dict[str, Any] = {}
        made = await recommend(
            context,
            history,
            candidates=candidates,
            domain=domain,
            k=k,
            user=user,
            on_state=None if as_json else lambda _, update: state.update(update),
        )
        return made, "" if as_json else await _why_not_asked(made, context, state)

    made, not_asked = run(work)
    _note_what_was_taken(history, made)
    if as_json:
        print_json(made.model_dump())
        return
    _print(made)
    if not_asked:
        note(f"note: {made.model} was not asked: {not_asked}")


def _note_what_was_taken(typed: list[str], made: Recommended) -> None:
    """Tell which items the titles are taken for, as far as that is not plain."""
    last = typed[-len(made.history) :]
    for text, title, id_ in zip(last, made.history_titles, made.history, strict=True):
        if text.casefold().removeprefix("id:") not in {title.casefold(), id_.casefold()}:
            note(f"note: {text!r} is taken as {title} [{id_}]")


async def _why_not_asked(made: Recommended, context: Context, state: Mapping[str, Any]) -> str:
    """Return why the model that somebody has set was not asked; empty if it was."""
    from ..ranking.model_ranking import needs_model
    from ..runtime.options import resolve_context
    from ..settings import OFFLINE_MODEL

    options = await resolve_context(context)
    if made.model == OFFLINE_MODEL or needs_model(cast("RecommendState", state), options):
        return ""
    if not options.asks_model:
        return f"with RE2LLM_FUSE={options.fuse}, no model is."
    domain = shlex.quote(made.domain)
    again = f"`re2llm measure --domain {domain}` measures again"
    if state.get("weight_of") not in {"none", None}:
        # What is measured without hints says nothing about it.
        again = f"`re2llm train --domain {domain}` measures again, for a new release"
    return (
        f"it was measured to add nothing to the first stage. {again}; "
        "with RE2LLM_FUSE=llm it decides alone."
    )


def _refuse_those_of_a_batch(options: Mapping[str, float | None]) -> None:
    for option, value in options.items():
        if value is not None:
            problem = "Without --requests there is one question to the model."
            fail(InputError(option, problem, "Leave it out, or give --requests FILE."))


def _print(made: Recommended) -> None:
    for item in made.items:
        because = f"  ({'; '.join(item.because)})" if item.because else ""
        out.print(f"{item.rank:>3}. {_titled(item)}  [{item.id}]{because}")
    for hint in made.hints:
        out.print(f"hint: {hint.text}")
    print_flags(made.model_dump())
    if made.recommendation_id is not None:
        out.print_line(
            f"What was picked? re2llm feedback {made.recommendation_id} ITEM "
            f"--domain {shlex.quote(made.domain)}  (or --none)"
        )


_UNUSABLE = frozenset({Flag.COMPLETED, Flag.FALLBACK})
"""Flags of what replaces the model's answer if even a second one cannot be used."""


def _titled(item: RecommendedItem) -> str:
    year = item.year
    return item.title if year is None or str(year) in item.title else f"{item.title} ({year})"


def print_flags(result: Mapping[str, Any]) -> None:
    """Print what went wrong on the way to an answer, and what to do if the model is why."""
    flags = result["flags"]
    if flags:
        out.print(f"flags: {', '.join(flags)}")
    if Flag.MODEL_FAILED in flags:
        why = ModelDownError(
            result["model"],
            failure_among(flags),
            result["model_error"],
            rates="rating" in result,
        )
        note(f"note: {why}")
    elif _UNUSABLE.intersection(flags):
        note(
            f"note: {result['model']} gave no complete answer, so it was completed without the "
            "model. `re2llm doctor` tries what the model can do; another RE2LLM_MODEL or "
            "RE2LLM_STRUCTURED may do better."
        )
    if Flag.RELEASE_SKIPPED in flags:
        domain = shlex.quote(result["domain"])
        note(
            "note: the active release was trained for another model or prompt. For "
            f"{result['model']}, run `re2llm hints verify --domain {domain}` and then "
            f"`re2llm train --domain {domain}`."
        )
