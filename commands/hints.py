"""`re2llm hints`: the lessons that may be given to the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import InputError
from .console import out, print_json, run

if TYPE_CHECKING:
    from ..operations.results import AddedHint

hints = typer.Typer(help="List, show, add, approve and retire hints.", no_args_is_help=True)

_Domain = Annotated[str | None, typer.Option(help="Default: RE2LLM_DOMAIN.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@hints.command("add")
def add(
    text: Annotated[
        list[str] | None, typer.Argument(help="A hint: one or two imperative sentences.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A JSON list of hints; empty ones are skipped.")
    ] = None,
    domain: _Domain = None,
    as_json: _AsJson = False,
) -> None:
    """Store your own hints; a hint that names a catalogue item is refused.

    Example: re2llm hints add --domain films "Prefer films by directors from the history."
    """
    run(lambda: _add([*(text or []), *_listed(file)], domain, as_json))


def _listed(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "--file", f"{file} cannot be read ({error}).", "Name a file with a JSON list."
        ) from error
    if not isinstance(value, list):
        raise InputError("--file", f"{file} is not a JSON list.", 'Write ["first hint", "second"].')
    return [text for text in cast("list[Any]", value) if isinstance(text, str) and text.strip()]


async def _add(texts: list[str], domain: str | None, as_json: bool) -> None:
    from ..operations.hints import add_hint
    from ..runtime.options import Context

    if not texts:
        raise InputError("text", "There is no hint to add.", "Write one, or name a --file.")
    added = [await add_hint(Context(), text, domain=domain) for text in texts]
    if as_json:
        print_json([one.model_dump() for one in added])
    else:
        for one in added:
            _print_added(one)
    if all(one.outcome == "leak" for one in added):
        raise typer.Exit(1)


def _print_added(added: AddedHint) -> None:
    shown = f"{added.outcome:<9} {added.hint_id or '-':>5}  {added.text}"
    out.print(shown, markup=False, soft_wrap=True)
    if added.reason:
        out.print(f"{'':17}{added.reason}", markup=False, soft_wrap=True)
    if added.understood is not None:
        reading = "; ".join(added.understood) or "nothing: it mentions no attribute or evidence"
        out.print(f"{'':17}the offline model weighs {reading}", markup=False, soft_wrap=True)


@hints.command("list")
def list_(domain: _Domain = None, as_json: _AsJson = False) -> None:
    """List a domain's hints with their measured gain in NDCG@10.

    Example: re2llm hints list --domain films
    """
    run(lambda: _list(domain, as_json))


async def _list(domain: str | None, as_json: bool) -> None:
    from ..operations.hints import list_hints
    from ..runtime.options import Context

    listed = await list_hints(Context(), domain=domain)
    if as_json:
        print_json([hint.model_dump() for hint in listed.hints])
        return
    for hint in listed.hints:
        gain = f"{hint.mean_gain:+.3f} on {hint.trials:>4}" if hint.trials else "not tried"
        out.print(
            f"{hint.id:>5}  {hint.status:<8} {gain:<15}  {hint.text}", markup=False, soft_wrap=True
        )
    if not listed.hints:
        out.print(
            f"{listed.domain} has no hints yet: `re2llm learn` finds some, "
            "and `re2llm hints add` adds yours."
        )


@hints.command("show")
def show(
    hint: Annotated[int, typer.Argument(help="The hint's number.")],
    domain: _Domain = None,
    conversation: Annotated[
        bool, typer.Option("--conversation", help="Include every message of the reflections.")
    ] = False,
) -> None:
    """Print a hint's lineage as JSON: the miss, the diagnosis, the trials, the uses.

    Example: re2llm hints show 3 --domain films
    """
    run(lambda: _show(hint, domain, conversation))


async def _show(hint: int, domain: str | None, conversation: bool) -> None:
    from ..operations.hints import show_hint
    from ..runtime.options import Context

    print_json(await show_hint(Context(), hint, domain=domain, conversation=conversation))


@hints.command("approve")
def approve(
    hint: Annotated[list[int], typer.Argument(help="Numbers of hints.")], domain: _Domain = None
) -> None:
    """Activate pending or retired hints, so that the model may be given them.

    Example: re2llm hints approve 3 4 --domain films
    """
    run(lambda: _approve(hint, domain))


async def _approve(numbers: list[int], domain: str | None) -> None:
    from ..operations.hints import approve_hints
    from ..runtime.options import Context

    await approve_hints(Context(), numbers, domain=domain)
    out.print(f"active: {', '.join(map(str, numbers))}")


@hints.command("retire")
def retire(
    hint: Annotated[list[int], typer.Argument(help="Numbers of hints.")],
    domain: _Domain = None,
    reason: Annotated[str, typer.Option(help="Stored with the hint.")] = "A person retired it.",
) -> None:
    """Retire hints, so that the model is no longer given them; their trials are kept.

    Example: re2llm hints retire 3 --domain films --reason "too vague"
    """
    run(lambda: _retire(hint, domain, reason))


async def _retire(numbers: list[int], domain: str | None, reason: str) -> None:
    from ..operations.hints import retire_hints
    from ..runtime.options import Context

    await retire_hints(Context(), numbers, domain=domain, reason=reason)
    out.print(f"retired: {', '.join(map(str, numbers))}")
