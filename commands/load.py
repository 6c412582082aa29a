"""`re2llm load`: a data set's catalogue and training sessions into Postgres."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..records import counted
from .console import note, out, print_json, progress_bars, run
from .forgotten import print_forgotten

if TYPE_CHECKING:
    from ..operations.catalogue.results import Loaded


def load(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="hetrec, movielens, amazon, jsonl or table.",
            show_default=True,
        ),
    ] = "table",
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="The data set's folder, a JSONL file of items, or a table of interactions or "
            "items.",
            show_default=False,
        ),
    ] = None,
    *,
    domain: Annotated[
        str, typer.Option(metavar="DOMAIN", help="Name of the domain in the database.")
    ],
    sessions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Training sessions as JSONL; repeatable. Default: the folder's own.",
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="table: the items, as CSV, Parquet or JSONL; alone, without PATH."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="table: the column of the user.")
    ] = None,
    item: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="table: the column of the item.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="table: the column of the time.")
    ] = None,
    id: Annotated[  # noqa: A002  # errors name the column by it
        str | None,
        typer.Option(
            "--id", metavar="COLUMN", help="table: the column of an item's id in its own table."
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="table: the column of the title, among the items or, without them, in PATH.",
        ),
    ] = None,
    by_user: Annotated[
        bool,
        typer.Option("--by-user", help="table: a session is all of a user, not one day of it."),
    ] = False,
    events: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="table: count only these kinds of events, such as view,purchase; comma-separated. "
            "Default: all rows.",
        ),
    ] = "",
    any_order: Annotated[
        bool,
        typer.Option(
            "--any-order", help="The sessions are not in time order, even if they seem to be."
        ),
    ] = False,
    skip_malformed: Annotated[
        bool, typer.Option("--skip-malformed", help="Skip malformed rows.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Load items and training sessions. Loading the same files again changes nothing.

    Changed rows replace title and attributes. Items whose rows are gone stay: `re2llm items
    withdraw` takes them out.

    Example: re2llm load movielens ml-latest-small --domain movies

    Example: re2llm load table interactions.parquet --items items.csv --domain shop

    Example: re2llm load --items catalogue.csv --domain shop
    """

    async def work() -> Loaded:
        from ..data.interactions import TableOptions
        from ..operations.loading.load_files import load_files
        from ..runtime.context import Context

        table = TableOptions(
            items=items,
            user=user,
            item=item,
            time=time,
            id=id,
            title=title,
            by_user=by_user,
            events=tuple(kind.strip() for kind in events.split(",") if kind.strip()),
        )
        with progress_bars(counts=False) as progress:
            return await load_files(
                Context(),
                dataset,
                path,
                domain=domain,
                sessions=sessions or (),
                table=table,
                any_order=any_order,
                skip_malformed=skip_malformed,
                progress=progress,
            )

    loaded = run(work)
    for remark in loaded.notes:
        note(f"note: {remark}")
    if as_json:
        _print_json(loaded)
    else:
        _print(loaded)


def _print(loaded: Loaded) -> None:
    out.print(
        f"{loaded.domain}: {counted(loaded.items, 'item')} "
        f"({loaded.items_changed:,} new or changed), "
        f"{counted(loaded.sessions, 'training session')} ({loaded.sessions_new:,} new), "
        f"{counted(loaded.malformed, 'malformed row')} skipped, "
        f"{counted(loaded.warnings, 'warning')}."
    )
    if loaded.sessions_unusable:
        out.print_line(
            f"{counted(loaded.sessions_unusable, 'session was', 'sessions were')} left out: with "
            "every item of the catalogue in it, nothing is left to rank. Load more items, or give "
            "candidates."
        )
    if loaded.sessions_recent:
        out.print(
            "The sessions are in time order: hints and policy will be learned on the latest "
            f"{loaded.sessions_recent:,}, with evidence from the earlier ones "
            "(to prevent that, pass --any-order to the first load)."
        )
    print_forgotten(loaded)
    if loaded.advice:
        out.print_line(loaded.advice)


def _print_json(loaded: Loaded) -> None:
    print_json(
        {
            "domain": loaded.domain,
            "items": loaded.items,
            "items_changed": loaded.items_changed,
            "training_sessions": loaded.sessions,
            "training_sessions_new": loaded.sessions_new,
            "training_sessions_recent": loaded.sessions_recent,
            "trials_forgotten": loaded.trials_forgotten,
            "weights_forgotten": loaded.weights_forgotten,
            "malformed_rows": loaded.malformed,
            "warnings": loaded.warnings,
        }
    )
