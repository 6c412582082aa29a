"""`re2llm policy list`, `show`, `activate` and `rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...records import counted
from ..console import out, print_json, run
from ..options import DomainOption, JsonOption, ReleaseArgument
from ..tables import minute, print_table

if TYPE_CHECKING:
    from ...operations.releases.results import ListedRelease


def list_(
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a domain's releases.

    Example: re2llm policy list --domain films
    """
    run(lambda: _list(domain, as_json))


async def _list(domain: str | None, as_json: bool) -> None:
    from ...operations.releases.manage import list_releases
    from ...runtime.context import Context

    listed = await list_releases(Context(), domain=domain)
    if as_json:
        print_json([release.model_dump() for release in listed.releases])
        return
    if not listed.releases:
        out.print(f"{listed.domain} has no release yet: `re2llm train` makes one.")
        return
    rows = [
        [
            *(f"{one.id}", one.status, one.recipe),
            *(f"{one.metrics['gain']:+.4f}", f"{len(one.hint_ids)}"),
            *(one.model, one.created_at[:16].replace("T", " ")),
        ]
        for one in listed.releases
    ]
    headings = ("release", "status", "recipe", "gain", "hints", "model", "created")
    print_table(headings, rows, right=("release", "gain", "hints"))


def show(
    release: ReleaseArgument,
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a release's gain, what it was made for, and its hints.

    Example: re2llm policy show 1 --domain films
    """
    run(lambda: _show(release, domain, as_json))


async def _show(release: int, domain: str | None, as_json: bool) -> None:
    from ...operations.releases.manage import show_release
    from ...runtime.context import Context

    shown = await show_release(Context(), release, domain=domain)
    if as_json:
        print_json(shown.model_dump())
        return
    for line in _page(shown):
        out.print_line(line)


def _page(shown: ListedRelease) -> list[str]:
    metrics = shown.metrics
    lines = [
        f"Release {shown.id}, {shown.status}, of the recipe {shown.recipe}",
        f"Made {minute(shown.created_at)}",
        "",
        f"Gain of its choices: {metrics['gain']:+.4f} NDCG@10 over no hint",
    ]
    if "static_gain" in metrics:
        lines.append(f"Gain of always the best single hint: {metrics['static_gain']:+.4f}")
    if not metrics.get("by_session", True):
        lines.append("It gives that hint to all: a choice for each session gained less.")
    if "validation_sessions" in metrics:
        sessions = counted(metrics["validation_sessions"], "training session")
        lines.append(f"Both on {sessions}, each judged by networks that did not learn from it.")
    lines += [
        "",
        f"For the model {shown.model}, where {shown.order}",
        f"Hints: {', '.join(map(str, shown.hint_ids)) or 'none'} (`re2llm hints show N` has each)",
    ]
    if shown.rollout is not None:
        said = shown.rollout.state.replace("_", " ")
        lines.append(f"Rollout {shown.rollout.number}, {said}: {shown.rollout.words}")
    return [*lines, "", "`--json` also has the settings and the curve of its training."]


def activate(
    release: ReleaseArgument,
    domain: DomainOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Activate it even if it is worse than the active one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve a release from now on.

    Example: re2llm policy activate 2 --domain films
    """
    run(lambda: _activate(release, domain, force, as_json))


async def _activate(release: int, domain: str | None, force: bool, as_json: bool) -> None:
    from ...operations.releases.manage import activate_release
    from ...runtime.context import Context

    active = await activate_release(Context(), release, domain=domain, force=force)
    if as_json:
        print_json(active.model_dump())
    else:
        out.print(f"Release {active.id} is active.")


def rollback(domain: DomainOption = None, as_json: JsonOption = False) -> None:
    """Go back to the release that was active before the current one.

    Example: re2llm policy rollback --domain films
    """
    run(lambda: _rollback(domain, as_json))


async def _rollback(domain: str | None, as_json: bool) -> None:
    from ...operations.releases.manage import rollback_release
    from ...runtime.context import Context

    active = await rollback_release(Context(), domain=domain)
    if as_json:
        print_json(active.model_dump())
    else:
        out.print(f"Release {active.id} is active again.")
