"""`re2llm hints`: the lessons that may be given to the model."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ..settings import get_settings
from .console import out, print_json, run

hints = typer.Typer(help="List and add hints.", no_args_is_help=True)


@hints.command("add")
def add(
    text: Annotated[list[str], typer.Argument(help="A hint: one imperative sentence or two.")],
    domain: Annotated[str | None, typer.Option(help="Default: RE2LLM_DOMAIN.")] = None,
) -> None:
    """Store hints; a text that is there already is not stored again.

    Example: re2llm hints add --domain films "Prefer films by directors from the history."
    """
    run(lambda: _add(text, domain or get_settings().domain))


async def _add(texts: list[str], domain: str) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import add_hint, clean_hint
    from ..nodes.services import shared_services

    cleaned = [clean_hint(text) for text in texts]
    services = await shared_services()
    vectors = await asyncio.to_thread(services.embedder.encode, cleaned)
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for text, vector in zip(cleaned, vectors, strict=True):
            key, new = await add_hint(
                connection, found.id, text, vector, provenance={"source": "person"}
            )
            out.print(f"{'added' if new else 'known'} {key}: {text}", markup=False)


@hints.command("list")
def list_(
    domain: Annotated[str | None, typer.Option(help="Default: RE2LLM_DOMAIN.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List a domain's hints.

    Example: re2llm hints list --domain films
    """
    run(lambda: _list(domain or get_settings().domain, as_json))


async def _list(domain: str, as_json: bool) -> None:
    from dataclasses import asdict

    from ..knowledge.domains import find_domain
    from ..knowledge.hints import list_hints
    from ..nodes.services import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        stored = await list_hints(connection, found.id)
    if as_json:
        print_json([asdict(hint) for hint in stored])
        return
    for hint in stored:
        out.print(f"{hint.id:>5}  {hint.status:<8} {hint.text}", markup=False)
    if not stored:
        out.print(f"{domain} has no hints yet; add one with `re2llm hints add`.")
