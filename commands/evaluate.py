"""`re2llm evaluate`: hint policies and baselines over the same sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..evaluation.defaults import DEFAULT_BASELINES, NEGATIVES
from ..records import counted
from .console import fail, note, progress_bars, run
from .detach import Detach, refuse_with_detach, submit_job
from .files import check_writable, write_json, write_text
from .options import DomainOption, Fuse, InBatches, MaxCalls, MaxCost, SeedOption
from .tables import print_evaluation

if TYPE_CHECKING:
    from ..operations.evaluation.evaluate import Evaluation
    from ..runtime.context import Context


def evaluate(
    sessions: Annotated[
        Path, typer.Option(metavar="FILE", help="Sessions to evaluate on, as JSONL.")
    ],
    domain: DomainOption = None,
    policies: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Hint policies, comma-separated; '' for none. Default: none, static and the "
            "active release; without one none, random, similar and static.",
        ),
    ] = None,
    baselines: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="first-stage, sum, random, popularity, vsknn, sasrec; comma-separated.",
        ),
    ] = ",".join(DEFAULT_BASELINES),
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the metrics to this file; - prints them."
        ),
    ] = None,
    skip_malformed: Annotated[
        bool, typer.Option("--skip-malformed", help="Skip malformed rows.")
    ] = False,
    seed: SeedOption = None,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Also try every active hint on every session.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML report with charts to this file."),
    ] = None,
    permutations: Annotated[
        int,
        typer.Option(
            min=1,
            max=10_000,
            metavar="N",
            help="Rank the candidates in this many orders, by the model alone; compare and fuse "
            "the answers.",
        ),
    ] = 1,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also score recorded answers: one per session, JSONL or Label/Output.",
        ),
    ] = None,
    fuse: Fuse = None,
    negatives: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Negative items to draw for each target; a small catalogue gives fewer.",
        ),
    ] = NEGATIVES,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    batch: InBatches = False,
    detach: Detach = False,
) -> None:
    """Compare hint policies and baselines. Nothing from the file is stored.

    Sessions without candidates get their target and sampled negatives.

    Example: re2llm evaluate --domain movies --sessions test.jsonl --baselines popularity,vsknn
    """
    from ..operations.evaluation import evaluate as operation
    from ..runtime.context import Context

    context = Context(domain=domain, seed=seed, fuse=fuse)
    compared: dict[str, Any] = {
        "policies": None if policies is None else _policies(policies),
        "baselines": _names(baselines),
        "skip_malformed": skip_malformed,
        "oracle": oracle,
        "permutations": permutations,
        "negatives": negatives,
    }
    limits: dict[str, Any] = {"max_llm_calls": max_llm_calls, "max_cost": max_cost}
    if detach:
        written = json_file is not None and str(json_file) != "-"
        refuse_with_detach("--json FILE", given=written)
        refuse_with_detach("--batch", given=batch)
        refuse_with_detach("--report", given=report is not None)
        refuse_with_detach("--answers", given=answers is not None)
        arguments = {"sessions": sessions, **compared}
        submit_job(context, "evaluate", arguments, as_json=json_file is not None, **limits)
        return

    async def work() -> None:
        if report is not None:
            from ..evaluation.drawing import require_matplotlib

            require_matplotlib("--report")
        for field, file in (("--json", json_file), ("--report", report)):
            check_writable(field, file)
        with progress_bars() as progress:
            evaluation = await operation.evaluate(
                context,
                sessions,
                answers=answers,
                batch=batch,
                progress=progress,
                **compared,
                **limits,
            )
        for remark in evaluation.notes:
            note(f"note: {remark}")
        if json_file is None or str(json_file) != "-":
            ranked = counted(len(evaluation.sessions), "session")
            print_evaluation(evaluation.document, f"{evaluation.domain}: {ranked}")
        if json_file is not None:
            await write_json("--json", json_file, evaluation.document)
        if report is not None:
            await _write_report(context, evaluation, report)

    run(work)


def _policies(listed: str) -> list[str]:
    from ..ranking.choosers import hint_choice

    try:
        return [hint_choice(name) for name in _names(listed)]
    except InputError as error:
        fail(InputError("policies", error.problem, error.remedy))


def _names(listed: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))


async def _write_report(context: Context, evaluation: Evaluation, file: Path) -> None:
    from ..evaluation.report.page import write_page
    from ..operations.evaluation.report import make_report

    with progress_bars() as progress:
        report = await make_report(context, evaluation, progress=progress)
    await write_text("--report", file, write_page(report))
    note(f"The report is in {file}.")
