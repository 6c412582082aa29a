"""`re2llm evaluate`: hint policies and baselines over the same sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..operations.experiment import Experiment
from ..operations.recommend import hint_choice
from ..operations.report import Evaluated, make_page
from ..settings import get_settings
from .budgets import MaxCalls, MaxCost, check_budget
from .console import err, run, write_json, write_text
from .tables import print_differences, print_hints, print_orders, print_summary

if TYPE_CHECKING:
    from ..evaluation.experiment import Row
    from ..records import Session
    from ..runtime.budget import Budget


def evaluate(
    domain: Annotated[str, typer.Option(help="The catalogue.")],
    sessions: Annotated[Path, typer.Option(help="Sessions to evaluate on, as JSONL.")],
    policies: Annotated[
        str, typer.Option(help="Hint policies, comma-separated; '' for none at all.")
    ] = "none,random,similar",
    baselines: Annotated[
        str, typer.Option(help="random, popularity, vsknn, sasrec; comma-separated.")
    ] = "random,popularity,vsknn",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file; - prints them.")
    ] = None,
    skip_malformed: Annotated[
        bool, typer.Option("--skip-malformed", help="Leave malformed rows out and go on.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Default: RE2LLM_SEED.")] = None,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Also give every active hint to every session.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a page of HTML with pictures to this file.")
    ] = None,
    permutations: Annotated[
        int,
        typer.Option(min=1, help="Rank in so many orders of the candidates; fuse and compare."),
    ] = 1,
    answers: Annotated[
        Path | None,
        typer.Option(help="Also score recorded answers: one a session, JSONL or Label/Output."),
    ] = None,
    max_llm_calls: MaxCalls = None,
    max_cost: MaxCost = None,
) -> None:
    """Compare hint policies and baselines; nothing of the file is stored.

    Sessions without candidates get their target and 49 sampled negatives.

    Example: re2llm evaluate --domain movies --sessions test.jsonl --baselines popularity,vsknn
    """
    from ..runtime.budget import Budget

    asked = _Asked(
        domain=domain,
        file=sessions,
        policies=_names(policies),
        baselines=_names(baselines),
        json_file=json_file,
        report=report,
        skip_malformed=skip_malformed,
        seed=get_settings().seed if seed is None else seed,
        oracle=oracle,
        permutations=permutations,
        answers=answers,
        budget=Budget(max_calls=max_llm_calls, max_cost=max_cost),
    )
    run(lambda: _evaluate(asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command's options."""

    domain: str
    file: Path
    policies: list[str]
    baselines: list[str]
    seed: int
    budget: Budget
    json_file: Path | None = None
    report: Path | None = None
    skip_malformed: bool = False
    oracle: bool = False
    permutations: int = 1
    answers: Path | None = None


def _names(listed: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))


async def _evaluate(asked: _Asked) -> None:
    from ..evaluation.recorded import read_answers
    from ..knowledge.catalogue import item_ids
    from ..knowledge.domains import find_domain
    from ..knowledge.training_sessions import training_sessions
    from ..runtime.sharing import shared_services

    _check(asked)
    check_budget(asked.budget)
    recorded = read_answers(asked.answers) if asked.answers else []
    services = await shared_services()
    async with services.engine.connect() as connection:
        found = await find_domain(connection, asked.domain)
        known = await item_ids(connection, found)
        train = [session for _, session in await training_sessions(connection, found)]
    sessions = read_evaluation_sessions(
        asked.file, known, asked.seed, skip_malformed=asked.skip_malformed
    )
    experiment = Experiment(services, asked.domain, sessions, asked.seed, asked.budget)
    document: dict[str, Any] = {}
    rows: list[Row] = []
    if recorded:
        rows, document["answers"] = await experiment.recorded(recorded)
    policies = await experiment.policies(asked.policies)
    rows += policies
    if asked.permutations > 1:
        permuted = await experiment.permutations(policies, asked.permutations)
        document["orders"] = [spread for spread, _ in permuted]
        rows += [fused for _, fused in permuted]
    hints: list[dict[str, Any]] = []
    cells: dict[int, Row] = {}
    if asked.oracle:
        without = next((row for row in policies if row.name == "none"), None)
        ceiling, hints, cells = await experiment.every_hint(without)
        rows.append(ceiling)
    rows += await experiment.baselines(asked.baselines, train)
    document = {**_document(rows, asked.seed), "hints": hints, **document}
    if asked.budget.cost:
        document["cost"] = round(asked.budget.cost, 6)
    if asked.json_file is None or str(asked.json_file) != "-":
        print_summary(document, title=f"{asked.domain}: {len(sessions):,} sessions")
        print_orders(document.get("orders", []))
        print_differences(document.get("answers", []))
        print_hints(hints)
    if asked.json_file is not None:
        write_json("--json", asked.json_file, document)
    if asked.report is not None:
        evaluated = Evaluated(asked.domain, sessions, rows, cells, document, asked.seed)
        page = await make_page(evaluated)
        write_text("--report", asked.report, page)
        err.print(f"The report is in {asked.report}.", markup=False, soft_wrap=True)


def _check(asked: _Asked) -> None:
    """Refuse what cannot be had before anything slow or paid begins."""
    from ..evaluation.baselines import check_baselines
    from ..evaluation.report.pictures import check_pictures

    for policy in asked.policies:
        hint_choice(policy)
    check_baselines(asked.baselines)
    if not asked.policies and not asked.baselines and asked.answers is None:
        raise InputError("policies", "There is nothing to evaluate.", "Name a policy or baseline.")
    if asked.report is not None:
        check_pictures()
        if asked.report.is_dir() or not asked.report.absolute().parent.is_dir():
            raise InputError(
                "--report", f"{asked.report} cannot be written.", "Name a file in a folder."
            )


def read_evaluation_sessions(
    file: Path, known: list[str], seed: int, *, skip_malformed: bool
) -> list[Session]:
    """Read sessions and sample candidates for those that have none.

    Args:
        file: JSONL.
        known: Ids of the catalogue's items.
        seed: Of the sampling.
        skip_malformed: Leave malformed rows out instead of refusing the file.

    Raises:
        InputError: The file cannot be used.
    """
    from ..data.malformed import ReadReport
    from ..data.negatives import NegativeSampler
    from ..data.session_file import read_sessions

    report = ReadReport()
    read = list(read_sessions(file, report, known=frozenset(known)))
    if not skip_malformed:
        report.raise_if_malformed()
    if not read:
        raise InputError("sessions", f"{file} holds no usable session.", "Is it the right file?")
    for note in (*report.first_malformed, *report.first_warnings):
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    without = next((number for number, s in enumerate(read, 1) if s.target is None), None)
    if without is not None:
        raise InputError(
            "sessions", f"Session {without} of {file} has no target.", "Give what came next."
        )
    if all(session.candidates for session in read):
        return read
    sampler = NegativeSampler(known, seed=seed)
    return [sampler.with_candidates(session) for session in read]


def _document(rows: list[Row], seed: int) -> dict[str, Any]:
    from ..evaluation.summary import summarise

    return summarise(rows, seed=seed)
