"""Compares hint policies and baselines on sessions whose next item is known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...data.malformed import ReadReport
from ...evaluation.answer_file import Recorded, read_answers
from ...evaluation.defaults import DEFAULT_BASELINES, NEGATIVES
from ...evaluation.experiment import Row
from ...evaluation.session_groups import session_groups
from ...evaluation.summary import summarise
from ...knowledge.catalogue import item_ids
from ...knowledge.sessions.training_sessions import training_sessions
from ...records import Session
from ...runtime.context import Context
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..database import in_domain
from ..first_stage.fusion import what_it_adds
from .compared import (
    ORDERS_REMARK,
    check_names,
    default_policies,
    in_orders,
    require_training,
    seen_in_training,
    what_intervals_count,
    why_not_ppo,
)
from .experiment import Experiment
from .held_out import held_out_sessions
from .recorded import score_recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation has found.

    Attributes:
        domain: Name of the domain.
        sessions: Those that were ranked.
        seed: Seed of everything random.
        rows: Results of all systems.
        document: `n`, `k`, `rows` and `paired` of `summarise`; `hints`, what each single hint would
            gain; and `orders`, `answers` and `cost` where they were asked for.
        cells: With `oracle`: the row of each active hint by its id, 0 for no hint; else empty.
        notes: Remarks on the sessions, for the reader.
    """

    domain: str
    sessions: Sequence[Session]
    seed: int
    rows: Sequence[Row]
    document: Mapping[str, Any]
    cells: Mapping[int, Row] = field(default_factory=dict[int, Row])
    notes: Sequence[str] = ()


async def evaluate(  # noqa: PLR0913  # what can be compared
    context: Context,
    sessions: Path | Sequence[Session],
    *,
    policies: Sequence[str] | None = None,
    baselines: Sequence[str] = DEFAULT_BASELINES,
    skip_malformed: bool = False,
    oracle: bool = False,
    permutations: int = 1,
    answers: Path | None = None,
    negatives: int = NEGATIVES,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    batch: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Rank sessions by hint policies and baselines. Nothing of the sessions is stored.

    Sessions without candidates get their target and sampled negatives.

    Args:
        context: The run's options. Its hint policy and its budget's limits are not used.
        sessions: Sessions with targets, as a JSONL file or already read.
        policies: Hint policies; `None` takes `none`, `static` and the active release, or without
            one `none`, `random`, `similar` and `static`.
        baselines: Among `random`, `popularity`, `vsknn`, `sasrec`, `sum` and `first-stage`.
        skip_malformed: Skip malformed rows instead of refusing the file.
        oracle: Also try every active hint on every session.
        permutations: In how many orders to rank the candidates; the answers are fused. With
            several, the model alone ranks: `fuse` can then be nothing but `llm`.
        answers: Also score the recorded answers in this file, one for each session. The sessions
            must then name the candidates that the model was given.
        negatives: How many to sample; a small catalogue gives as many as it has.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        batch: First ask all questions in provider batches, at a lower price, and wait.
        progress: Called after each ranking, with a stage for each baseline and for all policies.

    Raises:
        InputError: A name is unknown, or a file cannot be used.
        BudgetSpentError: The budget is spent; paid answers are kept.
        ModelDownError: The model has been down for long; paid answers are kept.
    """
    check_names(policies, baselines, nothing_else=answers is None)
    context = in_orders(context, permutations)
    report = ReadReport()
    recorded = await asyncio.to_thread(read_answers, answers, report) if answers else []
    context, options, budget = await budgeted(
        context, "evaluate", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    async with in_domain(options) as (connection, domain):
        known = await item_ids(connection, domain)
        train = [session for _, session in await training_sessions(connection, domain)]
    remarks = [*report.notes, *([ORDERS_REMARK] if permutations > 1 else [])]
    if policies is None:
        policies = await default_policies(options)
        remarks += why_not_ppo(policies, options)
    require_training(baselines, train, options.domain)
    ranked, found = await held_out_sessions(
        sessions,
        known,
        negatives=negatives,
        seed=options.seed,
        skip_malformed=skip_malformed,
        answered=answers is not None,
    )
    experiment = Experiment(replace(context, seed=options.seed), ranked, progress)
    comparison = _Comparison(experiment)
    if recorded:
        await comparison.add_recorded(recorded)
    if batch:
        await experiment.ask_ahead(policies, permutations=permutations, oracle=oracle)
    await comparison.add_policies(policies, permutations, oracle=oracle)
    comparison.rows += await experiment.baselines(baselines, train)
    groups = session_groups(ranked)
    return Evaluation(
        domain=options.domain,
        sessions=ranked,
        seed=options.seed,
        rows=comparison.rows,
        document={
            **summarise(comparison.rows, groups=groups, seed=options.seed),
            **comparison.more,
            "cost": spent(budget)["cost"],
        },
        cells=comparison.cells,
        notes=[
            *found,
            *what_intervals_count(groups),
            *await asyncio.to_thread(seen_in_training, ranked, train),
            *remarks,
            *comparison.notes,
        ],
    )


class _Comparison:
    """Collects the rows of the systems that an experiment compares, and what else they show.

    Attributes:
        rows: Results so far.
        more: As in `Evaluation.document`, without what `summarise` returns; likewise `cells`.
        notes: Remarks for the reader.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.rows: list[Row] = []
        self.more: dict[str, Any] = {"hints": []}
        self.cells: Mapping[int, Row] = {}
        self.notes: list[str] = []
        self._experiment = experiment

    async def add_recorded(self, recorded: Sequence[Recorded]) -> None:
        """Score recorded answers."""
        context, sessions = self._experiment.context, self._experiment.sessions
        rows, self.more["answers"], fusion = await score_recorded(context, sessions, recorded)
        self.rows += rows
        if fusion is not None:
            self.more["fusion"] = {"answers": fusion.as_dict()}
            self.notes.append(f"answers: {what_it_adds(fusion.as_dict())}")

    async def add_policies(
        self, policies: Sequence[str], permutations: int, *, oracle: bool
    ) -> None:
        """Rank by hint policies, in several orders, and with every hint; see `evaluate`."""
        ours = await self._experiment.policies(policies)
        self.rows += ours
        if permutations > 1:
            permuted = await self._experiment.permutations(ours, permutations)
            self.more["orders"] = [spread for spread, _ in permuted]
            self.rows += [fused for _, fused in permuted]
        if oracle:
            without = next((row for row in ours if row.name == "none"), None)
            ceiling, self.more["hints"], self.cells = await self._experiment.every_hint(without)
            self.rows.append(ceiling)
