"""`re2llm sessions`: where training sessions came from, and how to get rid of some."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from ..records import counted
from .console import out, print_json, progress_bars, run
from .forgotten import print_forgotten
from .groups import CommandGroup
from .options import DomainOption, JsonOption
from .tables import print_table

sessions = CommandGroup(
    help="List where training sessions came from, and drop a source.", no_args_is_help=True
)


@sessions.command("list")
def list_(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """List where a domain's training sessions came from.

    The largest source comes first.

    Example: re2llm sessions list --domain films
    """
    run(lambda: _list(domain, as_json))


async def _list(domain: str | None, as_json: bool) -> None:
    from ..operations.sessions.sources import list_session_sources
    from ..runtime.context import Context

    sources = await list_session_sources(Context(), domain=domain)
    if as_json:
        print_json([source.model_dump(mode="json") for source in sources])
        return
    if not sources:
        out.print("There are no training sessions.")
        return
    rows = [
        [one.source, f"{one.sessions:,}", _day(one.first), _day(one.last), one.owner or ""]
        for one in sources
    ]
    print_table(("source", "sessions", "first", "last", "owner"), rows, right=("sessions",))


def _day(moment: dt.datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%d}"


@sessions.command("drop")
def drop(
    source: Annotated[str, typer.Option(metavar="SOURCE", help="As `sessions list` shows it.")],
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete the training sessions of one source.

    All that was computed from them is deleted too.

    Hints whose gain the remaining trials no longer show wait for approval again.

    Example: re2llm sessions drop --domain films --source 3f9c2a7d41b0
    """
    run(lambda: _drop(source, domain, as_json))


async def _drop(source: str, domain: str | None, as_json: bool) -> None:
    from ..operations.sessions.sources import drop_sessions
    from ..runtime.context import Context

    with progress_bars() as progress:
        dropped = await drop_sessions(Context(), source, domain=domain, progress=progress)
    if as_json:
        print_json(dropped.model_dump())
        return
    out.print(f"{counted(dropped.sessions, 'session was', 'sessions were')} deleted.")
    if dropped.feedback_settled:
        out.print(
            f"{counted(dropped.feedback_settled, 'waiting miss', 'waiting misses')} will not be "
            "learned from."
        )
    if dropped.hints_pending:
        listed = ", ".join(map(str, dropped.hints_pending))
        out.print(f"These hints wait for approval again: {listed}.")
    if dropped.first_stage == "fitted":
        out.print("The first stage had learned from them, and was fitted again.")
    elif dropped.first_stage == "gone":
        out.print("The first stage had learned from them, and is gone: no session is left.")
    print_forgotten(dropped, fitted=False)
