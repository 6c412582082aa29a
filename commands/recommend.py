"""`re2llm recommend`: what comes next after the given items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, ModelDownError, failure_among
from ..records import Flag
from ..settings import get_settings
from .console import err, out, print_json, run

if TYPE_CHECKING:
    from ..runtime.options import Context
    from ..runtime.services import Services


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
        str | None, typer.Option(help="How a hint is chosen: none, random or similar.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as JSON.")
    ] = False,
) -> None:
    """Recommend what to choose next.

    Example: re2llm recommend --domain films "Alien" "Blade Runner" -k 5
    """
    run(lambda: _recommend(items, domain, candidate, k, policy, as_json))


async def _recommend(
    items: list[str],
    domain: str | None,
    candidates: list[str] | None,
    k: int,
    policy: str | None,
    as_json: bool,
) -> None:
    from ..runtime.options import Context
    from ..runtime.sharing import shared_services

    settings = get_settings()
    name = domain or settings.domain
    services = await shared_services()
    request = {
        "domain": name,
        "history": await _ids(services, name, items, "ITEM"),
        "candidates": await _ids(services, name, candidates, "--candidate") if candidates else None,
        "k": k,
    }
    result = await ask(request, Context(policy=hint_choice(policy), command="recommend"))
    if as_json:
        print_json(result)
        return
    for item in result["items"]:
        out.print(f"{item['rank']:>3}. {item['title']}  [{item['id']}]", markup=False)
    if result["hint"]["text"]:
        out.print(f"hint: {result['hint']['text']}", markup=False)
    print_flags(result)


def print_flags(result: Mapping[str, Any]) -> None:
    """Print what went wrong on the way to an answer, and what to do if the model failed.

    Args:
        result: With its flags and its model.
    """
    flags = result["flags"]
    if flags:
        out.print(f"flags: {', '.join(flags)}", markup=False)
    if Flag.MODEL_FAILED in flags:
        why = ModelDownError(result["model"], failure_among(flags))
        err.print(f"note: {why}", markup=False, soft_wrap=True)


def hint_choice(name: str | None) -> Any:
    """Check the name of a hint policy.

    Args:
        name: As typed, or `None` for the setting.

    Raises:
        InputError: There is none of that name.
    """
    from ..ranking.choosers import CHOOSERS

    if name is not None and name not in CHOOSERS:
        raise InputError(
            "policy", f"There is no hint policy {name!r}.", f"Choose from {', '.join(CHOOSERS)}."
        )
    return name


async def ask(request: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run the `recommend` graph.

    Args:
        request: Its input.
        context: The run's options.

    Returns:
        Its answer.

    Raises:
        Re2llmError: The answer carries an error.
    """
    from ..operations.graphs import RECOMMEND, run_graph

    return await run_graph(RECOMMEND, request, context)


async def _ids(services: Services, domain: str, typed: list[str], field: str) -> list[str]:
    """Take each word for an id, or else for a title that only one item has."""
    from ..knowledge.catalogue import fetch_items, find_titles
    from ..knowledge.domains import find_domain

    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        known = await fetch_items(connection, found, typed)
        ids: list[str] = []
        for word in typed:
            if word in known:
                ids.append(word)
                continue
            matches = await find_titles(connection, found, word)
            exact = [item for item in matches if item.title.lower() == word.strip().lower()]
            if len(exact) != 1 and len(matches) != 1:
                listed = "; ".join(f"{item.title} [{item.id}]" for item in matches)
                raise InputError(
                    field,
                    f"Domain {domain!r} has no item {word!r}."
                    if not matches
                    else f"{word!r} could be: {listed}.",
                    "Give an id of the catalogue, or a title that only one item has.",
                )
            ids.append((exact or matches)[0].id)
        return ids
