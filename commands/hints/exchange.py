"""`re2llm hints export` and `import`: hints as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError
from ...records import counted
from ..completion import DomainOption
from ..console import err, out, print_json, run, write_json
from .options import JsonOption


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A JSON file to write; - prints it.")
    ],
    domain: DomainOption = None,
) -> None:
    """Write a domain's active and pending hints to a file.

    Example: re2llm hints export hints.json --domain films
    """
    run(lambda: _export(file, domain))


async def _export(file: Path, domain: str | None) -> None:
    from ...operations.exchange_hints import export_hints
    from ...runtime.options import Context

    document = await export_hints(Context(domain=domain))
    write_json("FILE", file, document)
    err.print(f"{counted(len(document['hints']), 'hint was', 'hints were')} exported.")


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="From `hints export`, or a JSON list of texts.")
    ],
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store a file's hints as pending.

    They are used as soon as `hints verify` shows that they help in this domain.

    Example: re2llm hints import hints.json --domain movies
    """
    run(lambda: _import(file, domain, as_json))


async def _import(file: Path, domain: str | None, as_json: bool) -> None:
    from ...operations.exchange_hints import import_hints
    from ...runtime.options import Context

    imported = await import_hints(Context(domain=domain), _read(file))
    if as_json:
        print_json(imported.model_dump())
        return
    out.print(
        f"{imported.domain}: {counted(len(imported.stored), 'hint')} stored, "
        f"{imported.duplicate:,} known already, {len(imported.refused):,} refused."
    )
    for refused in imported.refused:
        out.print(f"  {refused['text']}: {refused['reason']}", markup=False)
    if imported.stored:
        out.print(f"Next: re2llm hints verify --domain {imported.domain}", markup=False)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "FILE", f"{file} cannot be read ({error}).", "Name a file from `re2llm hints export`."
        ) from error
