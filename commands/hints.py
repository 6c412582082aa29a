"""`re2llm hints`: the lessons that may be given to the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import InputError
from ..settings import get_settings
from .console import out, print_json, run

if TYPE_CHECKING:
    from ..operations.add_hint import Added

hints = typer.Typer(help="List, show, add, approve and retire hints.", no_args_is_help=True)

_Domain = Annotated[str | None, typer.Option(help="Default: RE2LLM_DOMAIN.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@hints.command("add")
def add(
    text: Annotated[
        list[str] | None, typer.Argument(help="A hint: one imperative sentence or two.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A JSON list of hints; empty ones are passed over.")
    ] = None,
    domain: _Domain = None,
    as_json: _AsJson = False,
) -> None:
    """Store hints of your own; one that names a catalogue item is refused.

    Example: re2llm hints add --domain films "Prefer films by directors from the history."
    """
    run(lambda: _add([*(text or []), *_listed(file)], domain or get_settings().domain, as_json))


def _listed(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "--file", f"{file} cannot be read ({error}).", "Name a JSON list."
        ) from error
    if not isinstance(value, list):
        raise InputError("--file", f"{file} is no JSON list.", 'Write ["first hint", "second"].')
    return [text for text in cast("list[Any]", value) if isinstance(text, str) and text.strip()]


async def _add(texts: list[str], domain: str, as_json: bool) -> None:
    from dataclasses import asdict

    from ..operations.add_hint import add_persons_hint
    from ..runtime.options import Context, resolve_context

    if not texts:
        raise InputError("text", "There is no hint to add.", "Write one, or name a --file.")
    options = await resolve_context(Context(domain=domain))
    added = [await add_persons_hint(domain, text, options) for text in texts]
    if as_json:
        print_json([asdict(one) for one in added])
    else:
        for one in added:
            _print_added(one)
    if all(one.outcome == "leak" for one in added):
        raise typer.Exit(1)


def _print_added(added: Added) -> None:
    shown = f"{added.outcome:<9} {added.hint_id or '-':>5}  {added.text}"
    out.print(shown, markup=False, soft_wrap=True)
    if added.reason:
        out.print(f"{'':17}{added.reason}", markup=False, soft_wrap=True)
    if added.understood is not None:
        reading = "; ".join(added.understood) or "nothing: no attribute or evidence it speaks of"
        out.print(f"{'':17}the offline model weighs {reading}", markup=False, soft_wrap=True)


@hints.command("list")
def list_(domain: _Domain = None, as_json: _AsJson = False) -> None:
    """List a domain's hints with their measured gain in NDCG@10.

    Example: re2llm hints list --domain films
    """
    run(lambda: _list(domain or get_settings().domain, as_json))


async def _list(domain: str, as_json: bool) -> None:
    from dataclasses import asdict

    from ..knowledge.domains import find_domain
    from ..knowledge.hints import list_hints
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        stored = await list_hints(connection, found.id)
    if as_json:
        print_json([asdict(hint) for hint in stored])
        return
    for hint in stored:
        gain = f"{hint.mean_gain:+.3f} on {hint.trials:>4}" if hint.trials else "not tried"
        out.print(
            f"{hint.id:>5}  {hint.status:<8} {gain:<15}  {hint.text}", markup=False, soft_wrap=True
        )
    if not stored:
        out.print(f"{domain} has no hints yet: `re2llm learn` finds some, `re2llm hints add` too.")


@hints.command("show")
def show(
    hint: Annotated[int, typer.Argument(help="The hint's number.")],
    domain: _Domain = None,
    conversation: Annotated[
        bool, typer.Option("--conversation", help="With every message of the reflections.")
    ] = False,
) -> None:
    """Print a hint's lineage as JSON: the miss, the diagnosis, the trials, the uses.

    Example: re2llm hints show 3 --domain films
    """
    run(lambda: _show(hint, domain or get_settings().domain, conversation))


async def _show(hint: int, domain: str, conversation: bool) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.lineage import hint_lineage
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        print_json(await hint_lineage(connection, found, hint, conversation=conversation))


@hints.command("approve")
def approve(
    hint: Annotated[list[int], typer.Argument(help="Numbers of hints.")], domain: _Domain = None
) -> None:
    """Let pending or retired hints be given to the model.

    Example: re2llm hints approve 3 4 --domain films
    """
    run(lambda: _set(hint, domain or get_settings().domain, "active", "A person approved it."))


@hints.command("retire")
def retire(
    hint: Annotated[list[int], typer.Argument(help="Numbers of hints.")],
    domain: _Domain = None,
    reason: Annotated[str, typer.Option(help="Kept with the hint.")] = "A person retired it.",
) -> None:
    """Keep hints from being given to the model; their trials stay.

    Example: re2llm hints retire 3 --domain films --reason "too vague"
    """
    run(lambda: _set(hint, domain or get_settings().domain, "retired", reason))


async def _set(numbers: list[int], domain: str, status: str, reason: str) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import set_status
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        for number in numbers:
            await set_status(connection, found.id, number, status, reason)
    out.print(f"{status}: {', '.join(map(str, numbers))}")
