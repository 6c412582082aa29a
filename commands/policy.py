"""`re2llm policy`: the releases of the learned hint policy."""

from __future__ import annotations

from typing import Annotated

import typer

from ..records import counted
from .completion import DomainOption, ReleaseArgument, complete_release
from .console import err, out, print_json, progress_bars, run
from .groups import CommandGroup
from .tables import print_table

policy = CommandGroup(
    help="List, show, evaluate, activate and roll back policy releases.", no_args_is_help=True
)


@policy.command("list")
def list_(
    domain: DomainOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List a domain's releases.

    Example: re2llm policy list --domain films
    """
    run(lambda: _list(domain, as_json))


async def _list(domain: str | None, as_json: bool) -> None:
    from ..operations.releases import list_releases
    from ..runtime.options import Context

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


@policy.command("show")
def show(
    release: ReleaseArgument,
    domain: DomainOption = None,
    as_json: Annotated[  # noqa: ARG001
        bool, typer.Option("--json", help="Changes nothing: it is always JSON.")
    ] = False,
) -> None:
    """Print a release as JSON, without its weights.

    Example: re2llm policy show 1 --domain films
    """
    run(lambda: _show(release, domain))


async def _show(release: int, domain: str | None) -> None:
    from ..operations.releases import show_release
    from ..runtime.options import Context

    print_json((await show_release(Context(), release, domain=domain)).model_dump())


@policy.command("activate")
def activate(
    release: ReleaseArgument,
    domain: DomainOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Activate it even if it is worse than the active one.")
    ] = False,
) -> None:
    """Serve a release from now on.

    Example: re2llm policy activate 2 --domain films
    """
    run(lambda: _activate(release, domain, force))


async def _activate(release: int, domain: str | None, force: bool) -> None:
    from ..operations.releases import activate_release
    from ..runtime.options import Context

    active = await activate_release(Context(), release, domain=domain, force=force)
    out.print(f"Release {active.id} is active.")


@policy.command("rollback")
def rollback(domain: DomainOption = None) -> None:
    """Go back to the release that was active before the current one.

    Example: re2llm policy rollback --domain films
    """
    run(lambda: _rollback(domain))


async def _rollback(domain: str | None) -> None:
    from ..operations.releases import rollback_release
    from ..runtime.options import Context

    active = await rollback_release(Context(), domain=domain)
    out.print(f"Release {active.id} is active again.")


@policy.command("evaluate")
def evaluate(
    release: Annotated[
        int,
        typer.Argument(
            metavar="RELEASE",
            help="The release's number; it need not be active.",
            autocompletion=complete_release,
        ),
    ],
    domain: DomainOption = None,
    sampled: Annotated[
        bool | None,
        typer.Option(
            "--sampled/--greedy",
            help="Sample hints or take the most likely one. Default: RE2LLM_EXPLORE.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Estimate a release's reward from past feedback.

    The estimate is for recommendations that got feedback. Their reward is NDCG@10 of the picked
    item; "none of these" counts as 0. It needs hints that were chosen at random:
    RE2LLM_EXPLORE=true, or --policy random.

    Example: re2llm policy evaluate 2 --domain films
    """
    run(lambda: _evaluate(release, domain, sampled, as_json))


async def _evaluate(release: int, domain: str | None, sampled: bool | None, as_json: bool) -> None:
    from ..operations.off_policy import evaluate_release
    from ..runtime.options import Context

    with progress_bars() as progress:
        report = await evaluate_release(
            Context(), release, domain=domain, sampled=sampled, progress=progress
        )
    document = report.as_dict()
    if as_json:
        print_json(document)
        return
    out.print(
        f"Release {release}, {document['choice']}, on {report.used:,} of "
        f"{counted(report.feedback, 'decision')} "
        f"with feedback (left out: {report.certain:,} chosen with certainty, "
        f"{report.other_model:,} of another model or prompt):"
    )
    for name, key in _ESTIMATES.items():
        low, high = document[key]["ci95"]
        out.print(f"  {name:<18} {document[key]['value']:.4f}  ({low:.4f} to {high:.4f})")
    out.print(
        "  NDCG@10 of the picked item, with 95 % intervals; effective sample size "
        f"{document['effective_n']:,}"
    )
    for warning in report.warnings:
        err.print(f"warning: {warning}", markup=False, soft_wrap=True)


_ESTIMATES = {"as logged": "logged", "IPS": "ips", "SNIPS": "snips", "doubly robust": "dr"}
