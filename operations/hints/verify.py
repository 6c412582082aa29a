"""Tries stored hints on the current model, and decides on each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from ...knowledge.domain_locks import hold_hints
from ...knowledge.hint_store.decisions import own_sessions
from ...knowledge.hint_store.hints import Hint, count_kept, find_hints, list_hints, set_status
from ...knowledge.hint_store.stats import ENOUGH
from ...ranking.hints.panel_gains import is_finished, panel_gains
from ...ranking.hints.panels import Panel, random_panel
from ...ranking.hints.verification import CLEAR_HARM_AFTER, Verification, verification
from ...records import counted
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.outages import OutageGuard
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent, spent_so_far
from ..database import in_domain
from .harmful import judge_by_trials
from .results import MeasuredGain, VerifiedHint, VerifiedHints


async def verify_hints(
    context: Context,
    hints: Sequence[int] = (),
    *,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    progress: Progress = silent,
) -> VerifiedHints:
    """Try hints on the verification panel with the run's model, and decide on each.

    A pending hint that helps becomes active, unless hints wait for a person (`approve_hints`). An
    active hint whose loss is beyond doubt is retired. Everything else stays as it is. Trials that
    were paid before are not paid again, so an interrupted run can be repeated.

    Args:
        context: The run's options; its budget's limits are not used.
        hints: Ids; none takes the pending hints, and the active ones that were not tried on this
            model.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        progress: Called after each trial with the stage `verifying` and the hints done.

    Raises:
        InputError: There is no such domain or hint, or the domain has no training sessions.
        DatabaseError: The database failed. What was paid is kept.
    """
    _, options, budget = await budgeted(
        context, "verify", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    todo = await hints_to_verify(options, hints)
    stats: dict[int, Verification] = {}
    trials = 0

    def report() -> None:
        note = f"{counted(trials, 'trial')}, {spent_so_far(budget)}"
        progress("verifying", len(stats), len(todo), note)

    def on_trial() -> None:
        nonlocal trials
        trials += 1
        report()

    async def work(piece: tuple[Hint, Panel]) -> None:
        hint, panel = piece
        stats[hint.id] = verification(await _measured(hint, panel, options, on_trial))

    report()
    guard = OutageGuard(options, options.settings.concurrency, reflects=False)
    try:
        stopped = await guard.work_through(todo, work)
    finally:
        retired = await judge_by_trials(options)
    decided = [
        await _decide(hint, stats[hint.id], {one.id for one in retired}, options)
        for hint, _ in todo
        if hint.id in stats
    ]
    async with in_domain(options) as (connection, domain):
        kept = await count_kept(connection, domain.id)
    failed = stopped or guard.last
    return VerifiedHints(
        domain=options.domain,
        model=options.model,
        hints=decided,
        retired_hints=retired,
        left=len(todo) - len(decided),
        kept=kept,
        **spent(budget),
        stopped=None if failed is None else failed.as_dict(),
    )


async def nothing_verified(context: Context) -> VerifiedHints:
    """Return what `verify_hints` returns where no hint is to be tried."""
    options = await resolve_context(context)
    async with in_domain(options) as (connection, domain):
        kept = await count_kept(connection, domain.id)
    return VerifiedHints(
        domain=domain.name,
        model=options.model,
        hints=[],
        retired_hints=[],
        left=0,
        kept=kept,
        llm_calls=0,
        cost=0.0,
        stopped=None,
    )


async def try_on_its_panel(context: Context, number: int) -> int:
    """Try one hint on its panel, until that shows whether it helps.

    Returns:
        On how many sessions it was tried, now or before.

    Raises:
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model gave no answer.
    """
    options = await resolve_context(context)
    [(hint, panel)] = await hints_to_verify(options, [number])
    return len(await _measured(hint, panel, options))


async def _measured(
    hint: Hint, panel: Panel, options: RunOptions, on_trial: Callable[[], None] = lambda: None
) -> list[float]:
    after = _harm_after(hint)
    return await panel_gains(
        hint.text, options.domain, panel, options, harm_after=after, on_trial=on_trial
    )


async def hints_to_verify(options: RunOptions, numbers: Sequence[int]) -> list[tuple[Hint, Panel]]:
    """Return hints with the sessions on which to try them.

    Args:
        numbers: Ids; none takes the pending hints, and the active ones that need trials on this
            model.

    Raises:
        InputError: There is no such domain or hint, or the domain has no training sessions.
    """
    async with in_domain(options) as (connection, domain):
        if numbers:
            listed = await find_hints(connection, domain.id, numbers)
        else:
            every = await list_hints(connection, domain.id)
            listed = [hint for hint in every if hint.status != "retired"]
        own = await own_sessions(connection, domain.id)
    found: list[tuple[Hint, Panel]] = []
    for hint in listed:
        panel = await random_panel(domain.name, options, leave_out=own.get(hint.id, frozenset()))
        # A pending one may be tried already, but not decided on: a run was interrupted.
        undecided = numbers or hint.status == "pending"
        if undecided or not await is_finished(
            hint.text, domain.name, panel, options, _harm_after(hint)
        ):
            found.append((hint, panel))
    return found


def _harm_after(hint: Hint) -> int:
    """Return how many sessions show clear harm: more where a hint would be retired for it."""
    return ENOUGH if hint.status == "active" else CLEAR_HARM_AFTER


async def _decide(
    hint: Hint, stats: Verification, retired: AbstractSet[int], options: RunOptions
) -> VerifiedHint:
    outcome = "helps" if stats.low > 0 else "harms" if stats.high < 0 else "no_gain"
    status, decision = hint.status, f"stays {hint.status}"
    if hint.id in retired:
        status, decision = "retired", "is retired: its loss is beyond doubt"
    elif outcome == "helps" and hint.status == "pending":
        if options.settings.approve_hints:
            decision = f"waits for `re2llm hints approve {hint.id}`"
        else:
            status, decision = await _activate(hint, stats, options)
    return VerifiedHint(
        id=hint.id,
        text=hint.text,
        outcome=outcome,
        gain=MeasuredGain.of(stats),
        status=status,
        decision=decision,
    )


async def _activate(hint: Hint, stats: Verification, options: RunOptions) -> tuple[str, str]:
    """Activate a pending hint, unless its status was changed while it was tried."""
    async with in_domain(options, write=True) as (connection, domain):
        await hold_hints(connection, domain.id)
        [now] = await find_hints(connection, domain.id, [hint.id])
        if now.status != "pending":
            return now.status, f"stays {now.status}"
        because = f"{stats} Model: {options.model}."
        await set_status(connection, domain.id, hint.id, "active", because)
    return "active", "is active now"
