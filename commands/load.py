"""`re2llm load`: a data set's catalogue and training sessions into Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ..records import Item
from .console import err, out, print_json, progress, run


def load(
    dataset: Annotated[str, typer.Argument(help="hetrec, movielens, amazon or jsonl.")],
    path: Annotated[Path, typer.Argument(help="The data set's folder, or a JSONL file of items.")],
    domain: Annotated[str, typer.Option(help="Name of the catalogue in the database.")],
    sessions: Annotated[
        list[Path] | None,
        typer.Option(help="Training sessions as JSONL; repeatable. Default: the folder's own."),
    ] = None,
    any_order: Annotated[
        bool,
        typer.Option("--any-order", help="The sessions' order tells no time, even if it seems to."),
    ] = False,
    skip_malformed: Annotated[
        bool, typer.Option("--skip-malformed", help="Leave malformed rows out and go on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Load a catalogue and its training sessions; loading again changes nothing.

    Example: re2llm load movielens ml-latest-small --domain movies
    """
    run(lambda: _load(dataset, path, domain, sessions or [], any_order, skip_malformed, as_json))


async def _load(
    dataset: str,
    path: Path,
    domain: str,
    session_files: list[Path],
    any_order: bool,
    skip_malformed: bool,
    as_json: bool,
) -> None:
    from ..data.malformed import ReadReport
    from ..data.readers import open_reader
    from ..data.session_file import read_sessions
    from ..operations.load import SessionSource, load_domain
    from ..runtime.sharing import shared_services

    report = ReadReport()
    reader = open_reader(dataset, path)
    sources: list[SessionSource] = [
        lambda known, file=file: read_sessions(file, report, known=known) for file in session_files
    ]
    total = reader.item_bytes + sum(f.stat().st_size for f in session_files if f.is_file())
    if not session_files and reader.session_bytes:
        sources.append(lambda known: reader.sessions(report, known))
        total += reader.session_bytes
    services = await shared_services()
    with progress() as bar:
        task = bar.add_task(f"loading {domain}", total=total)

        def watched() -> Iterator[Item]:
            for item in reader.items(report):
                bar.update(task, completed=report.bytes_read)
                yield item

        loaded = await load_domain(
            services,
            domain,
            watched(),
            sources,
            any_order=any_order,
            verify=(lambda: None) if skip_malformed else report.raise_if_malformed,
        )
    for note in (*report.first_malformed, *report.first_warnings):
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    counts = {
        "domain": domain,
        "items": loaded.items,
        "items_changed": loaded.items_changed,
        "training_sessions": loaded.sessions,
        "training_sessions_new": loaded.sessions_new,
        "training_sessions_recent": loaded.sessions_recent,
        "malformed_rows": report.malformed,
        "warnings": report.warnings,
    }
    if as_json:
        print_json(counts)
        return
    out.print(
        f"{domain}: {loaded.items:,} items ({loaded.items_changed:,} new or changed), "
        f"{loaded.sessions:,} training sessions ({loaded.sessions_new:,} new), "
        f"{report.malformed} malformed rows left out, {report.warnings} warnings."
    )
    if loaded.sessions_recent:
        out.print(
            "The sessions are in time order: hints and policy will be learnt on the latest "
            f"{loaded.sessions_recent:,}, beside evidence from those before them (--any-order, "
            "given to the first load, prevents that)."
        )
