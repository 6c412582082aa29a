"""`re2llm purge`: deletes what is stored about people."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from ..errors import InputError
from ..records import counted
from .console import out, print_json, run


def purge(
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="Only what is older, such as 90d; default: RE2LLM_RETENTION_DAYS."
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            "--owner",
            "--user",
            metavar="OWNER",
            help="Only what came with this owner's keys, or with one key (its id), or without "
            "a key (local); then of any age.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Delete old recommendations, feedback and models' answers.

    Sessions observed from feedback go too.

    Loaded files stay, and so do the sums of what models cost.

    Example: re2llm purge --older-than 90d --dry-run
    """
    run(lambda: _purge(older_than, owner, dry_run, as_json))


async def _purge(older_than: str | None, owner: str | None, dry_run: bool, as_json: bool) -> None:
    from ..operations.sessions.purge import purge as delete
    from ..runtime.context import Context

    days = None if older_than is None else _days(older_than)
    purged = await delete(Context(), older_than=days, owner=owner, dry_run=dry_run)
    if as_json:
        print_json(purged.model_dump(mode="json"))
        return
    out.print("Would be deleted:" if dry_run else "Deleted:")
    out.print(counted(purged.recommendations, "recommendation"))
    out.print(counted(purged.feedback, "piece of feedback", "pieces of feedback"))
    out.print(counted(purged.sessions, "observed session"))
    out.print(counted(purged.answers, "answer of a model", "answers of models"))
    if purged.hints_pending:
        out.print(
            f"{counted(purged.hints_pending, 'hint waits', 'hints wait')} for approval again."
        )
    if purged.rollouts_held:
        held = counted(purged.rollouts_held, "rollout is", "rollouts are")
        out.print(f"{held} held, since a part of what was seen is deleted.")


def _days(age: str) -> int:
    found = re.fullmatch(r"(\d{1,6})d?", age.strip())
    if found is None:
        raise InputError("--older-than", f"{age!r} is no number of days.", "Write it as 90d.")
    return int(found[1])
