"""`re2llm items`: what is in a catalogue, and what it offers no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..records import counted, spoken
from ..runtime.request_limits import MOST_SHOWN
from .console import out, print_json, run
from .groups import CommandGroup
from .options import DomainOption, JsonOption
from .tables import print_table

if TYPE_CHECKING:
    from ..operations.catalogue.results import ItemShown, RelatedItem

items = CommandGroup(
    help="Search a catalogue, show an item, and withdraw items.", no_args_is_help=True
)


@items.command("search")
def search(
    query: Annotated[
        str, typer.Argument(metavar="TEXT", help="A title or a part of one, or a description.")
    ],
    domain: DomainOption = None,
    count: Annotated[
        int,
        typer.Option("--count", "-n", min=1, max=MOST_SHOWN, metavar="N", help="How many to show."),
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find items by title, despite typos.

    If no title is similar, items are found by meaning. Withdrawn items are marked.

    Example: re2llm items search "blade runer" --domain films
    """
    run(lambda: _search(query, domain, count, as_json))


async def _search(query: str, domain: str | None, count: int, as_json: bool) -> None:
    from ..operations.catalogue.items import search_items
    from ..runtime.context import Context

    found = await search_items(Context(), query, domain=domain, count=count, every=True)
    if as_json:
        print_json(found.model_dump())
        return
    if found.by_meaning and found.items:
        out.print("No title is like it. Near in meaning:")
    if not found.items:
        out.print("Nothing was found.")
        return
    marks = ["withdrawn; " if item.withdrawn else "" for item in found.items]
    rows = [
        [item.id, item.title, mark + item.about if item.about else mark.rstrip("; ")]
        for item, mark in zip(found.items, marks, strict=True)
    ]
    print_table(("id", "title", "about"), rows)


@items.command("show")
def show(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Its id or title.")],
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an item.

    Its attributes, its popularity, what sessions chose with it, and its neighbours.

    Example: re2llm items show "Blade Runner" --domain films
    """
    run(lambda: _show(item, domain, as_json))


async def _show(item: str, domain: str | None, as_json: bool) -> None:
    from ..operations.catalogue.items import show_item
    from ..runtime.context import Context

    shown = await show_item(Context(), item, domain=domain)
    if as_json:
        print_json(shown.model_dump())
    else:
        _print(shown)


@items.command("withdraw")
def withdraw(
    items: Annotated[list[str], typer.Argument(metavar="ITEM", help="Their ids or exact titles.")],
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw items: they are recommended no more.

    They stay known, for the histories and past sessions that name them. Loading them again brings
    them back.

    Example: re2llm items withdraw 1201 1202 --domain shop
    """
    run(lambda: _withdraw(items, domain, as_json))


async def _withdraw(items: list[str], domain: str | None, as_json: bool) -> None:
    from ..operations.catalogue.withdraw import withdraw_items
    from ..runtime.context import Context

    done = await withdraw_items(Context(), items, domain=domain)
    if as_json:
        print_json(done.model_dump())
        return
    for item in done.items:
        out.print_line(f"{item.title}  [{item.id}]")
    before = len(done.items) - done.withdrawn
    already = f", {before:,} of them already before" if before else ""
    out.print(f"Withdrawn from {done.domain}: {counted(len(done.items), 'item')}{already}.")


def _print(shown: ItemShown) -> None:
    lines = [f"{shown.title}  [{shown.id}]"]
    lines += [f"  {name}: {spoken(value)}" for name, value in shown.attributes.items()]
    lines.append(f"  in {counted(shown.popularity, 'training session')}")
    if shown.withdrawn:
        lines.append("  withdrawn: it is not recommended until it is loaded again")
    lines += _listed("chosen with it or next to it", shown.goes_with)
    lines += _listed("near in meaning", shown.neighbours)
    for line in lines:
        out.print_line(line)


def _listed(heading: str, related: list[RelatedItem]) -> list[str]:
    if not related:
        return []
    return [f"{heading}:", *(f"  {other.title}  [{other.id}]" for other in related)]
