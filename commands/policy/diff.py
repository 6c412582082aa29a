"""`re2llm policy diff`: how two releases differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...records import counted
from ...runtime.request_limits import LARGEST_KEY
from ..completion import complete_release
from ..console import out, print_json, progress_bars, run
from ..options import DomainOption, JsonOption, ReleaseArgument
from ..tables import print_table

if TYPE_CHECKING:
    from ...operations.releases.diff_results import Difference, DifferingHint, ReleaseDiff


def diff(
    release: ReleaseArgument,
    second: Annotated[
        int,
        typer.Argument(
            max=LARGEST_KEY,
            metavar="OTHER",
            help="Another number.",
            autocompletion=complete_release,
        ),
    ],
    domain: DomainOption = None,
    sessions: Annotated[
        int,
        typer.Option(
            min=0,
            max=1_000,
            metavar="N",
            help="Random training sessions for which both choose; 0 for none.",
        ),
    ] = 40,
    as_json: JsonOption = False,
) -> None:
    """Show how two releases differ.

    Compares hints, settings, figures, and what they choose. No model is called. Off-policy
    estimates need feedback on hints that were chosen at random.

    Example: re2llm policy diff 1 2 --domain films
    """
    run(lambda: _diff(release, second, domain, sessions, as_json))


async def _diff(first: int, second: int, domain: str | None, sessions: int, as_json: bool) -> None:
    from ...operations.releases.diff import compare_releases
    from ...runtime.context import Context

    with progress_bars() as progress:
        found = await compare_releases(
            Context(), first, second, domain=domain, sessions=sessions, progress=progress
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found)


def _print(found: ReleaseDiff) -> None:
    for name, hints in (("added", found.hints_added), ("removed", found.hints_removed)):
        out.print(f"{counted(len(hints), 'hint')} {name}")
        for hint in hints:
            out.print_line(f"  {_hint(hint)}")
    headings = ("", f"release {found.first.id}", f"release {found.second.id}")
    differing = [*found.settings, *found.validation, *_estimates(found)]
    rows = [[one.name, _value(one.first), _value(one.second)] for one in differing]
    print_table(headings, rows, right=headings[1:])
    for release, one in zip((found.first, found.second), found.logged or (), strict=False):
        if one.problem:
            out.print(f"The log says nothing about release {release.id}: {one.problem}")
    if found.problem:
        out.print(f"They were not asked to choose: {found.problem}")
    elif found.sessions:
        out.print(
            f"They choose differently for {len(found.differing):,} of "
            f"{counted(found.sessions, 'training session')}."
        )
    for one in found.differing:
        chosen = [", ".join(map(str, hints)) or "none" for hints in (one.first, one.second)]
        history = ", ".join(one.history[-3:])
        line = f"  session {one.session} ({history}): {chosen[0]} or {chosen[1]}"
        out.print_line(line)


def _hint(hint: DifferingHint) -> str:
    return f"{hint.id} ({hint.status}) {hint.text}".strip()


def _estimates(found: ReleaseDiff) -> list[Difference]:
    from ...operations.releases.diff_results import Difference

    if found.logged is None:
        return []
    reports = [one.report or {} for one in found.logged]
    return [
        Difference(
            name=f"{name}, off-policy", first=_of(reports[0], key), second=_of(reports[1], key)
        )
        for name, key in (("IPS", "ips"), ("SNIPS", "snips"), ("doubly robust", "dr"))
        if any(reports)
    ]


def _of(report: dict[str, Any], key: str) -> float | None:
    return report[key]["value"] if report else None


def _value(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
