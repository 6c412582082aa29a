"""`re2llm policy`: the releases of the learned hint policy."""

from __future__ import annotations

from typing import Annotated

import typer

from ..settings import get_settings
from .console import err, out, print_json, progress, run

policy = typer.Typer(
    help="List, show, evaluate, activate and roll back policy releases.", no_args_is_help=True
)

_Domain = Annotated[str | None, typer.Option(help="Default: RE2LLM_DOMAIN.")]


@policy.command("list")
def list_(
    domain: _Domain = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List a domain's releases.

    Example: re2llm policy list --domain films
    """
    run(lambda: _list(domain or get_settings().domain, as_json))


async def _list(domain: str, as_json: bool) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.releases import list_releases
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        releases = await list_releases(connection, found.id)
    if as_json:
        print_json(releases)
        return
    for release in releases:
        out.print(
            f"{release['id']:>4}  {release['status']:<8} {release['recipe']:<8} "
            f"gain {release['metrics']['gain']:+.4f}  {len(release['hint_ids'])} hints  "
            f"{release['model']}  {release['created_at'][:16]}",
            markup=False,
        )
    if not releases:
        out.print(f"{domain} has no release yet: `re2llm train` makes one.")


@policy.command("show")
def show(
    release: Annotated[int, typer.Argument(help="The release's number.")], domain: _Domain = None
) -> None:
    """Print a release as JSON, without its weights.

    Example: re2llm policy show 1 --domain films
    """
    run(lambda: _show(release, domain or get_settings().domain))


async def _show(number: int, domain: str) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.releases import fetch_release, list_releases
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        await fetch_release(connection, found.id, number)
        releases = await list_releases(connection, found.id)
    print_json(next(release for release in releases if release["id"] == number))


@policy.command("activate")
def activate(
    release: Annotated[int, typer.Argument(help="The release's number.")],
    domain: _Domain = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it is worse than the active one.")
    ] = False,
) -> None:
    """Serve a release from now on.

    Example: re2llm policy activate 2 --domain films
    """
    run(lambda: _activate(release, domain or get_settings().domain, force))


async def _activate(number: int, domain: str, force: bool) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.releases import activate_release, fetch_release
    from ..ranking.serving import load_release
    from ..runtime.options import Context, resolve_context

    options = await resolve_context(Context())
    services = options.services
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        release = await fetch_release(connection, found.id, number)
        # Refuses what cannot be served.
        load_release(number, release, options.model, options.prompt_version)
        await activate_release(connection, found.id, number, force=force)
    out.print(f"Release {number} is active.")


@policy.command("rollback")
def rollback(domain: _Domain = None) -> None:
    """Serve the release again that was active before the present one.

    Example: re2llm policy rollback --domain films
    """
    run(lambda: _rollback(domain or get_settings().domain))


async def _rollback(domain: str) -> None:
    from ..knowledge.domains import find_domain
    from ..knowledge.releases import rollback_release
    from ..runtime.sharing import shared_services

    services = await shared_services()
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        number = await rollback_release(connection, found.id)
    out.print(f"Release {number} is active again.")


@policy.command("evaluate")
def evaluate(
    release: Annotated[int, typer.Argument(help="The release's number; it need not be active.")],
    domain: _Domain = None,
    sampled: Annotated[
        bool | None,
        typer.Option(
            "--sampled/--greedy",
            help="Whether it would draw its hints or take the likeliest. Default: RE2LLM_EXPLORE.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Estimate what a release would have earned on recommendations with feedback.

    The reward is NDCG@10 of the picked item; none of these counts 0. It needs hints that were
    chosen by chance: RE2LLM_EXPLORE=true, or --policy random.

    Example: re2llm policy evaluate 2 --domain films
    """
    run(lambda: _evaluate(release, domain or get_settings().domain, sampled, as_json))


async def _evaluate(number: int, domain: str, sampled: bool | None, as_json: bool) -> None:
    from ..evaluation.off_policy import evaluate_release
    from ..runtime.options import Context, resolve_context

    options = await resolve_context(Context())
    with progress(counts=True) as bar:
        task = bar.add_task("decisions", total=None)
        report = await evaluate_release(
            domain,
            number,
            options,
            sampled=options.settings.explore if sampled is None else sampled,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    document = report.as_dict()
    if as_json:
        print_json(document)
        return
    out.print(
        f"Release {number}, {document['choice']}, on {report.used:,} of {report.feedback:,} "
        f"decisions with feedback (left out: {report.certain:,} chosen for certain, "
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
