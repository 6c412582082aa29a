"""Measures a hint that is not stored."""

from __future__ import annotations

import html
from dataclasses import replace

from ...knowledge.hint_store.hints import clean_hint, find_hints
from ...ranking.hints.panel_gains import panel_gains
from ...ranking.hints.panels import Panel, drawn_sessions
from ...ranking.hints.verification import verification
from ...records import counted
from ...runtime.context import Context
from ...runtime.domain_cache import leak_filter_of
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..budgeted import budgeted, spent
from ..database import find_run_domain, in_domain, with_domain
from .refresh_stats import refreshing_stats
from .results import MeasuredGain, TriedHint
from .understanding import understanding_of


async def try_hint(
    context: Context,
    text: str,
    *,
    sessions: int = 40,
    max_llm_calls: int | None = None,
    max_cost: float | None = None,
    progress: Progress = silent,
) -> TriedHint:
    """Measure the gain of a hint, without storing it.

    Args:
        context: The run's options; its budget's limits are not used.
        text: The text as a person wrote it; HTML entities are resolved.
        sessions: Random training sessions to try it on, those of the verification panel first.
        max_cost: Stop when this much is spent, at the prices in `RE2LLM_PRICES`.
        progress: Called after each session with the stage `trying`.

    Raises:
        InputError: The text is empty or too long, or the domain has no training sessions.
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model gave no answer; paid trials are kept.
    """
    cleaned = clean_hint(html.unescape(text))
    _, options, budget = await budgeted(
        context, "verify", max_llm_calls=max_llm_calls, max_cost=max_cost
    )
    domain = await find_run_domain(options)
    leaks = await leak_filter_of(options.services, domain)
    tried = await drawn_sessions(domain.name, sessions, options)
    done = 0

    def on_trial() -> None:
        nonlocal done
        done += 1
        progress("trying", done, len(tried), f"{counted(budget.llm_calls, 'call')}")

    progress("trying", 0, len(tried))
    async with refreshing_stats(options):  # a stored hint may have this text
        gains = await panel_gains(
            cleaned, domain.name, Panel(tried, ()), options, until_settled=False, on_trial=on_trial
        )
    return TriedHint(
        domain=domain.name,
        text=cleaned,
        model=options.model,
        leak=leaks.leak(cleaned),
        understood=await understanding_of(domain.name, cleaned, options),
        gain=MeasuredGain.of(verification(gains)),
        **spent(budget),
    )


async def text_to_try(options: RunOptions, hint: int | str) -> str:
    """Return the text of a hint.

    Args:
        hint: The id of a stored one, or a text as a person wrote it.

    Raises:
        InputError: There is no such hint, or the text is empty or too long.
    """
    if isinstance(hint, str):
        return clean_hint(html.unescape(hint))
    async with in_domain(options) as (connection, domain):
        [found] = await find_hints(connection, domain.id, [hint], field="hint")
    return found.text


async def sessions_to_try(options: RunOptions, count: int) -> list[int]:
    """Return random training sessions to try a hint on, those of the verification panel first.

    Raises:
        InputError: The domain has no training sessions.
    """
    return await drawn_sessions(options.domain, count, options)


async def try_on_session(context: Context, text: str, session: int) -> None:
    """Rank one session with a hint and without it; paid trials are not paid again.

    Args:
        text: A text from `text_to_try`.
        session: Its key, from `sessions_to_try`.

    Raises:
        BudgetSpentError: The budget is spent; paid trials are kept.
        ModelDownError: The model gave no answer.
    """
    context = await with_domain(context)
    options = await resolve_context(replace(context, command="verify"))
    await panel_gains(text, options.domain, Panel([session], ()), options, until_settled=False)
