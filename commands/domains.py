"""`re2llm domains`: the domains in the database."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import InputError
from ..records import counted
from .completion import complete_domain
from .console import out, print_json, run
from .groups import CommandGroup
from .options import JsonOption
from .tables import print_table

domains = CommandGroup(help="List and delete domains.", no_args_is_help=True)


@domains.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the domains with counts of what each holds.

    Example: re2llm domains list
    """
    run(lambda: _list(as_json))


async def _list(as_json: bool) -> None:
    from ..operations.catalogue.domains import list_domains
    from ..runtime.context import Context

    listed = await list_domains(Context())
    if as_json:
        print_json([domain.model_dump() for domain in listed])
        return
    if not listed:
        out.print("There are no domains yet: `re2llm load` makes one, and `re2llm demo` another.")
        return
    counts = ("items", "sessions", "hints", "releases", "recommendations")
    rows = [[one.name, *(f"{getattr(one, name):,}" for name in counts)] for one in listed]
    print_table(("domain", *counts), rows, right=counts)


@domains.command("delete")
def delete(
    domain: Annotated[
        str,
        typer.Argument(metavar="DOMAIN", help="The domain's name.", autocompletion=complete_domain),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a domain with everything in it.

    That is its items, sessions, hints, releases and recommendations.

    Example: re2llm domains delete films
    """
    run(lambda: _delete(domain, yes, as_json))


async def _delete(name: str, yes: bool, as_json: bool) -> None:
    from ..operations.catalogue.domains import delete_domain, show_domain
    from ..runtime.context import Context

    if not yes:
        there = await show_domain(Context(), name)
        question = (
            f"Delete {name!r} with {counted(there.items, 'item')}, "
            f"{counted(there.sessions, 'training session')}, {counted(there.hints, 'hint')} and "
            f"{counted(there.recommendations, 'recommendation')}?"
        )
        try:
            typer.confirm(question, abort=True, err=True)
        except typer.Abort:
            if not as_json:
                raise
            problem = "It was not confirmed, so nothing was deleted."
            raise InputError("yes", problem, "Give `yes`.") from None
    deleted = await delete_domain(Context(), name)
    if as_json:
        print_json(deleted.model_dump())
    else:
        out.print(f"{name} was deleted.")
