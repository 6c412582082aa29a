"""The gains of a hint on the sessions of a panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from ...errors import BudgetSpentError
from ...knowledge.domains import find_domain
from ...knowledge.hint_store.hints import hint_key
from ...knowledge.hint_store.merged import first_gains, keys_of
from ...knowledge.hint_store.trials import gains as paid_gains
from ...knowledge.hint_store.trials import plain_ndcg
from ...runtime.options import RunOptions
from .paired_trials import PairedTrials
from .panels import Panel
from .trials import resolve_session
from .verification import CLEAR_HARM_AFTER, finished, settled, shown_to_gain, unlikely


async def panel_gains(
    text: str,
    domain: str,
    panel: Panel,
    options: RunOptions,
    *,
    until_settled: bool = True,
    frugal: bool = False,
    harm_after: int = CLEAR_HARM_AFTER,
    on_trial: Callable[[], None] = lambda: None,
) -> list[float]:
    """Try a hint on a panel's sessions until they show whether it helps.

    Args:
        text: The hint, from `clean_hint`.
        until_settled: Whether to stop where enough is known; else all sessions are tried.
        frugal: Whether to make the most of a limit of the run: a hint that would hardly be accepted
            is given up early, and one in doubt after the first sessions where the limit cannot pay
            for all others, since other hints need the calls. Where the limit ends trials that
            began in this run, what they show by then counts. (Were it looked at after each of many
            runs, more hints would be accepted by chance.)
        harm_after: Sessions after which clear harm is enough to know.
        on_trial: Called after each session.

    Returns:
        Gains in NDCG@10, one per session, in the panel's order.

    Raises:
        ModelDownError: The model gave no answer.
        BudgetSpentError: The budget allows no further call; where `frugal`, only if the trials so
            far do not count or show no gain.
    """
    limited = frugal and options.budget is not None and options.budget.is_limited
    sessions = [*panel.first, *panel.more]
    known, without = await _paid(text, domain, sessions, options)
    one_look = frugal and not known
    trials = PairedTrials(options, without)
    gains: list[float] = []
    for session in sessions:
        if session not in known:
            state = await resolve_session(domain, session, options)
            try:
                known[session] = await trials.gain(session, state, text)
            except BudgetSpentError as error:
                if one_look and not error.by_a_person and shown_to_gain(gains):
                    break
                raise
        gains.append(known[session])
        on_trial()
        if until_settled and settled(gains, len(panel.first), harm_after):
            break
        unpaid = len(gains) < len(sessions) and sessions[len(gains)] not in known
        if limited and unpaid and unlikely(gains, len(panel.first)):
            break
        if limited and len(gains) == len(panel.first):
            rest = [key for key in panel.more if key not in known]
            if not _affordable(2 * len(rest), options):
                break
    return gains


def _affordable(calls: int, options: RunOptions) -> bool:
    left = None if options.budget is None else options.budget.llm_calls_left
    return left is None or calls <= left


async def is_finished(
    text: str, domain: str, panel: Panel, options: RunOptions, harm_after: int
) -> bool:
    """Return whether a hint needs no further trial on the run's model and prompt.

    A hint that was in doubt counts as tried by the trials so far.
    """
    known, _ = await _paid(text, domain, panel.first, options)
    tried = list(takewhile(known.__contains__, panel.first))
    return finished([known[session] for session in tried], len(panel.first), harm_after)


async def _paid(
    text: str, domain: str, sessions: Sequence[int], options: RunOptions
) -> tuple[dict[int, float], dict[int, float]]:
    """Return a hint's gains and NDCG@10 without it, on the sessions for which they are paid."""
    async with options.services.autocommit.connect() as connection:
        found = await find_domain(connection, domain, among=options.domains)
        keys = await keys_of(connection, found.id, hint_key(text))
        paid = await paid_gains(connection, found.id, options.prompted_model, keys, sessions)
        without = await plain_ndcg(connection, found.id, options.prompted_model, sessions)
    return first_gains(paid, keys), without
