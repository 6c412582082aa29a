"""`re2llm hints export` and `import`: hints as a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError, reason_of
from ...records import counted
from ..completion import complete_domain
from ..console import err, out, print_json, run
from ..files import read_json, write_json
from ..options import DomainOption, JsonOption


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
    from ...operations.hints.exchange import export_hints
    from ...runtime.context import Context

    document = await export_hints(Context(domain=domain))
    await write_json("FILE", file, document)
    err.print(f"{counted(len(document['hints']), 'hint was', 'hints were')} exported.")


def import_(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="From `hints export`, or a JSON list of texts; - reads it."
        ),
    ] = None,
    domain: DomainOption = None,
    from_domain: Annotated[
        str | None,
        typer.Option(
            metavar="DOMAIN",
            help="Another domain, whose active hints to take.",
            autocompletion=complete_domain,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Store the hints of a file or of another domain as pending.

    They are used as soon as `hints verify` or `hints tidy` shows that they help in this domain.

    Example: re2llm hints import hints.json --domain movies
    """
    run(lambda: _import(file, from_domain, domain, as_json))


async def _import(
    file: Path | None, from_domain: str | None, domain: str | None, as_json: bool
) -> None:
    from ...operations.hints.exchange import import_from_domain, import_hints
    from ...runtime.context import Context

    context = Context(domain=domain)
    if file is not None and from_domain is None:
        imported = await import_hints(context, await _read(file))
    elif file is None and from_domain is not None:
        imported = await import_from_domain(context, from_domain)
    elif file is None:
        raise InputError("FILE", "No file is named.", "Name one, or a domain with --from-domain.")
    else:
        raise InputError("FILE", "There is a file and --from-domain.", "Give one of the two.")
    if as_json:
        print_json(imported.model_dump())
        return
    out.print(
        f"{imported.domain}: {counted(len(imported.stored), 'hint')} stored, "
        f"{imported.duplicate:,} known already, {len(imported.refused):,} refused."
    )
    for refused in imported.refused:
        out.print(f"  {refused['text']}: {refused['reason']}")
    if imported.stored:
        out.print(f"Next: re2llm hints verify --domain {shlex.quote(imported.domain)}")


async def _read(file: Path) -> Any:
    try:
        return await read_json(file)
    except (OSError, ValueError) as error:
        problem = f"{file} cannot be read ({reason_of(error)})."
        raise InputError("FILE", problem, "Name a file from `re2llm hints export`.") from error
