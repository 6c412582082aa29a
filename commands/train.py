"""`re2llm train`: learns which hint to give for which session, and releases the policy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..records import counted
from .console import note, out, print_json, progress_bars, run
from .detach import Detach, refuse_with_detach, submit_job
from .forgotten import print_forgotten
from .option_names import in_options
from .options import DomainOption, Fuse, InBatches, MaxCalls, MaxCost, SeedOption
from .tables import print_retired

if TYPE_CHECKING:
    from ..operations.training.results import TrainedRelease
    from ..policies.recipes import PolicyRecipe

_CHOICES = {
    "none": "Without a hint",
    "static": "With the best hint",
    "ppo": "With the hints that the policy chooses",
}


def train(
    domain: DomainOption = None,
    sessions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Train on these loaded training sessions only; JSONL, repeatable."
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="content|paper", help="content: by what hints say; paper: the paper's network."
        ),
    ] = "content",
    fuse: Fuse = None,
    seed: SeedOption = None,
    every_cell: Annotated[
        bool,
        typer.Option(
            "--every-cell", help="Pay for every pair of session and hint that training visits."
        ),
    ] = False,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    batch: InBatches = False,
    force: Annotated[
        bool, typer.Option("--force", help="Activate it even if it is worse than the active one.")
    ] = False,
    activate: Annotated[
        bool,
        typer.Option(
            "--activate/--no-activate",
            help="Whether to serve the release, if it is no worse than the active one.",
        ),
    ] = True,
    detach: Detach = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train the hint policy with PPO on training sessions.

    Tries the best hints in one session after another, and stops when more would likely gain less
    than its noise. Past trials are not paid for again, unless many new sessions have changed the
    first stage.

    Example: re2llm train --domain movies --seed 0
    """
    from ..operations.training import train as operation
    from ..runtime.context import Context

    context = Context(domain=domain, seed=seed, fuse=fuse)
    limits: dict[str, Any] = {"max_llm_calls": max_llm_calls, "max_cost": max_cost}
    if detach:
        refuse_with_detach("--batch", given=batch)
        arguments = {
            "files": sessions,
            "recipe": recipe,
            "force": force,
            "activate": activate,
            "every_cell": every_cell,
        }
        submit_job(context, "train", arguments, as_json=as_json, **limits)
        return

    async def work() -> TrainedRelease:
        with progress_bars() as progress:
            return await operation.train(
                context,
                sessions=sessions or [],
                recipe=cast("PolicyRecipe", recipe),  # the operation checks it
                every_cell=every_cell,
                batch=batch,
                force=force,
                activate=activate,
                progress=progress,
                **limits,
            )

    trained = run(work)
    if as_json:
        print_json(trained.as_dict())
    else:
        _print(trained)
        if not activate:
            _say_what_serves_it(trained)


def _print(trained: TrainedRelease) -> None:
    from ..operations.first_stage.fusion import what_it_adds
    from ..operations.training.results import what_more_would_bring

    out.print(
        f"Release {trained.release} ({trained.recipe}): gain {trained.gain:+.4f} NDCG@10 on "
        f"{counted(trained.validation_sessions, 'validation session')}, the best single hint "
        f"{trained.static_gain:+.4f}; hints a session: {trained.mean_hints:.2f}. "
        f"{trained.cells:,} of {counted(trained.all_cells, 'cell')} visited, "
        f"{counted(trained.llm_calls, 'model call')} (at most one per cell, plus retries), "
        f"{trained.seconds:.0f} s. "
        f"{'Active now.' if trained.active else 'Not activated: ' + in_options(trained.why_not)}"
    )
    if not trained.by_session:
        out.print_line(
            "A choice for each session gains less there than the best single hint, so the release "
            "gives that to all."
        )
    if trained.visits_ended_by is not None:
        out.print_line(what_more_would_bring(trained))
    for policy, fusion in trained.fusion.items():
        out.print_line(f"{_CHOICES[policy]}: {what_it_adds(fusion)}")
    # A release that is replaced needs no weight any more.
    again = trained.weights_forgotten if trained.active else trained.fusion
    print_forgotten(trained, measured=again)
    print_retired(trained.retired_hints)


def _say_what_serves_it(trained: TrainedRelease) -> None:
    from ..operations.releases.store import NOT_ASKED_FOR

    named = f"{trained.release} --domain {shlex.quote(trained.domain)}"
    words = f"`re2llm policy canary {named}` serves it to a few people first"
    if trained.why_not == NOT_ASKED_FOR:  # nothing speaks against it
        words += f", `re2llm policy activate {named}` to all"
    note(f"{words}.")
