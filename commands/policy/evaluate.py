"""`re2llm policy evaluate`: estimates a release's reward from past feedback."""

from __future__ import annotations

from typing import Annotated

import typer

from ...records import counted
from ...runtime.request_limits import LARGEST_KEY
from ..completion import complete_release
from ..console import err, out, print_json, progress_bars, run
from ..options import DomainOption, JsonOption

_ESTIMATES = {"as logged": "logged", "IPS": "ips", "SNIPS": "snips", "doubly robust": "dr"}


def evaluate(
    release: Annotated[
        int,
        typer.Argument(
            max=LARGEST_KEY,
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
    as_json: JsonOption = False,
) -> None:
    """Estimate a release's reward from past feedback.

    The estimate is for recommendations that got feedback. Their reward is NDCG@10 of the picked
    item; "none of these" counts as 0. It needs hints that were chosen at random:
    RE2LLM_EXPLORE=true, or --policy random.

    Example: re2llm policy evaluate 2 --domain films
    """
    run(lambda: _evaluate(release, domain, sampled, as_json))


async def _evaluate(release: int, domain: str | None, sampled: bool | None, as_json: bool) -> None:
    from ...operations.releases.off_policy import evaluate_release
    from ...runtime.context import Context

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
        f"{report.other_model:,} of another model or prompt, "
        f"{report.other_weight:,} with another weight of the model's opinion):"
    )
    for name, key in _ESTIMATES.items():
        ends = ["?" if end is None else f"{end:.4f}" for end in document[key]["ci95"]]
        out.print(f"  {name:<18} {document[key]['value']:.4f}  ({' to '.join(ends)})")
    out.print(
        "  NDCG@10 of the picked item, with 95 % intervals; effective sample size "
        f"{document['effective_n']:,}"
    )
    for warning in report.warnings:
        err.print_line(f"warning: {warning}")
