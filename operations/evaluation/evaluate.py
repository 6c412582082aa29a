"""Compares hint policies and baselines on sessions whose next item is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError, ReleaseMisfitError
from ...evaluation.baselines import check_baselines
from ...evaluation.defaults import DEFAULT_BASELINES, NEGATIVES
from ...evaluation.experiment import Row
from ...evaluation.recorded import Recorded, read_answers
from ...evaluation.summary import summarise
from ...knowledge.catalogue import item_ids
from ...knowledge.domains import Domain
from ...knowledge.hint_store.hints import count_kept
from ...knowledge.sessions.training_sessions import training_sessions
from ...ranking.choosers import hint_choice
from ...ranking.release_cache import served_policy
from ...records import Session, counted
from ...runtime.context import Context
from ...runtime.options import RunOptions
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted
from ..database import in_domain
from ..first_stage.fusion import what_it_adds
from .experiment import Experiment
from .held_out import held_out_sessions
from .recorded import score_recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation has found.

    Attributes:
        domain: The catalogue.
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
        sessions: With targets; as a JSONL file, or read already.
        policies: Hint policies; `None` takes `none`, `static` and the active release, or without
            one `none`, `random`, `similar` and `static`.
        baselines: Among `random`, `popularity`, `vsknn`, `sasrec`, `sum` and `first-stage`.
        skip_malformed: Skip malformed rows instead of refusing the file.
        oracle: Also try every active hint on every session.
        permutations: In how many orders to rank the candidates; the answers are fused. With
            several, the model alone ranks (`fuse="llm"`).
        answers: Also score the recorded answers in this file, one for each session.
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
    if permutations > 1:
        context = replace(context, fuse="llm")  # it is the model whose dependence is measured
    recorded = read_answers(answers) if answers else []
    context, options, budget = await budgeted(
        context, "evaluate", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    notes: list[str] = []
    async with in_domain(options, None) as (connection, domain):
        known = await item_ids(connection, domain)
        train = [session for _, session in await training_sessions(connection, domain)]
        if policies is None:
            policies = await _default_policies(connection, domain, options)
            notes = _why_not_ppo(policies, domain.name, options.model)
    if baselines and not train:
        raise _nothing_to_learn_from(domain.name)
    ranked, found = await held_out_sessions(
        sessions,
        known,
        negatives=negatives,
        seed=options.seed,
        skip_malformed=skip_malformed,
    )
    notes = [*found, *_seen_in_training(ranked, train), *notes]
    shared = replace(context, seed=options.seed)
    experiment = Experiment(shared, ranked, progress)
    more: dict[str, Any] = {"hints": []}
    cells: dict[int, Row] = {}
    rows = await _score_recorded(recorded, shared, ranked, more, notes) if recorded else []
    if batch:
        await experiment.ask_ahead(policies, permutations=permutations, oracle=oracle)
    ours = await experiment.policies(policies)
    rows += ours
    if permutations > 1:
        permuted = await experiment.permutations(ours, permutations)
        more["orders"] = [spread for spread, _ in permuted]
        rows += [fused for _, fused in permuted]
    if oracle:
        without = next((row for row in ours if row.name == "none"), None)
        ceiling, more["hints"], cells = await experiment.every_hint(without)
        rows.append(ceiling)
    rows += await experiment.baselines(baselines, train)
    if budget.cost:
        more["cost"] = round(budget.cost, 6)
    return Evaluation(
        domain=options.domain,
        sessions=ranked,
        seed=options.seed,
        rows=rows,
        document={**summarise(rows, seed=options.seed), **more},
        cells=cells,
        notes=notes,
    )


async def default_policies(options: RunOptions) -> Sequence[str]:
    """Return which hint policies are compared if none are named."""
    async with in_domain(options, None) as (connection, domain):
        return await _default_policies(connection, domain, options)


async def _default_policies(
    connection: AsyncConnection, domain: Domain, options: RunOptions
) -> Sequence[str]:
    if await _serves(connection, domain, options):
        return ("none", "static", "ppo")
    # Without a hint, all of them would be the same row.
    return (
        ("none", "random", "similar", "static")
        if await count_kept(connection, domain.id)
        else ("none",)
    )


def _why_not_ppo(policies: Sequence[str], domain: str, model: str) -> list[str]:
    if "ppo" in policies:
        return []
    return [(_NO_RELEASE if len(policies) > 1 else _NO_HINT).format(domain=domain, model=model)]


def check_names(
    policies: Sequence[str] | None, baselines: Sequence[str], *, nothing_else: bool
) -> None:
    """Check the names of policies and baselines.

    Args:
        nothing_else: Whether nothing but these is compared.

    Raises:
        InputError: A name is unknown, or there is nothing to compare.
    """
    for policy in policies or ():
        hint_choice(policy)
    check_baselines(baselines)
    if policies is not None and not policies and not baselines and nothing_else:
        raise InputError(
            "policies", "There is nothing to evaluate.", "Name a policy or a baseline."
        )


def _nothing_to_learn_from(domain: str) -> InputError:
    return InputError(
        "baselines",
        f"They learn from training sessions, and {domain!r} has none.",
        "Load some: re2llm load … --sessions FILE. Or leave `baselines` empty.",
    )


async def _score_recorded(
    recorded: Sequence[Recorded],
    context: Context,
    sessions: Sequence[Session],
    document: dict[str, Any],
    notes: list[str],
) -> list[Row]:
    """Return the rows of recorded answers, and add what else they show to document and notes."""
    rows, document["answers"], fusion = await score_recorded(context, sessions, recorded)
    if fusion is not None:
        document["fusion"] = {"answers": fusion.as_dict()}
        notes.append(f"answers: {what_it_adds(fusion.as_dict())}")
    return rows


_NO_RELEASE = (
    "{domain} has no active release that fits {model} and RE2LLM_FUSE, so the learned policy is "
    "not compared; `re2llm train` makes one."
)
_NO_HINT = "{domain} has no hints, so there is nothing to choose from; `re2llm learn` finds some."


async def _serves(connection: AsyncConnection, domain: Domain, options: RunOptions) -> bool:
    """Return whether the domain has an active release that fits the run."""
    version = (options.model, options.prompt_version)
    try:
        return await served_policy(options.services, connection, domain.id, *version) is not None
    except ReleaseMisfitError:
        return False


def _seen_in_training(sessions: Sequence[Session], train: Sequence[Session]) -> list[str]:
    trained_on = {(session.history, session.target) for session in train}
    seen = sum((session.history, session.target) in trained_on for session in sessions)
    if not seen:
        return []
    are = "is a training session" if seen == 1 else "are training sessions"
    return [
        (
            f"{seen:,} of the {counted(len(sessions), 'session')} {are}, "
            "which favors systems that learned from them."
        )
    ]
