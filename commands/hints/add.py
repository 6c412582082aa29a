"""`re2llm hints add`: a person's own hints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ...errors import InputError, reason_of
from ..console import out, print_json, run
from ..files import read_json
from ..options import DomainOption, JsonOption
from .verify import print_verified, verified

if TYPE_CHECKING:
    from ...operations.hints.results import AddedHint


def add(
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="A hint: one or two imperative sentences."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A JSON list of hints; empty ones are skipped."),
    ] = None,
    domain: DomainOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Try them on training sessions at once.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Store your own hints. A hint that names a catalogue item is refused.

    Example: re2llm hints add --domain films "Prefer films by directors from the history."
    """
    run(lambda: _add(text or [], file, domain, verify, as_json))


async def _listed(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        value: Any = await read_json(file)
    except (OSError, ValueError) as error:
        raise InputError(
            "--file",
            f"{file} cannot be read ({reason_of(error)}).",
            "Name a file with a JSON list.",
        ) from error
    if not isinstance(value, list):
        raise InputError("--file", f"{file} is not a JSON list.", 'Write ["first hint", "second"].')
    return [text for text in cast("list[Any]", value) if isinstance(text, str) and text.strip()]


async def _add(
    texts: list[str], file: Path | None, domain: str | None, verify: bool, as_json: bool
) -> None:
    from ...operations.hints.manage import add_hint
    from ...runtime.context import Context

    texts = [*texts, *await _listed(file)]
    if not texts:
        raise InputError("text", "There is no hint to add.", "Write one, or name a --file.")
    added = [await add_hint(Context(), text, domain=domain) for text in texts]
    stored = [one.hint_id for one in added if one.hint_id is not None]
    tried = await verified(Context(domain=domain), stored) if verify and stored else None
    if as_json:
        found = {} if tried is None else {hint.id: hint.model_dump() for hint in tried.hints}
        print_json([_document(one, found, verify=verify) for one in added])
    else:
        for one in added:
            _print_added(one)
        if tried is not None:
            print_verified(tried)
        elif stored:
            named = ("--domain", domain) if domain else ()
            listed = shlex.join([*map(str, stored), *named])
            out.print(
                f"Unverified: `re2llm hints verify {listed}` measures their gains.",
            )
    if all(one.outcome == "leak" for one in added):
        raise typer.Exit(1)


def _document(added: AddedHint, found: dict[int, Any], *, verify: bool) -> dict[str, Any]:
    document = added.model_dump()
    return {**document, "verified": found.get(added.hint_id or 0)} if verify else document


def _print_added(added: AddedHint) -> None:
    shown = f"{added.outcome:<9} {added.hint_id or '-':>5}  {added.text}"
    out.print_line(shown)
    if added.reason:
        out.print_line(f"{'':17}{added.reason}")
    if added.understood is not None:
        reading = "; ".join(added.understood) or "nothing: it mentions no attribute or evidence"
        out.print_line(f"{'':17}the offline model weighs {reading}")
