"""What an evaluation compares, and remarks on whether that is fair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ...arrays import Ints
from ...errors import InputError, ReleaseMisfitError
from ...evaluation.baselines import check_baselines
from ...knowledge.domains import Domain
from ...knowledge.hint_store.hints import count_kept
from ...knowledge.sessions.continuations import Continuations, coded
from ...ranking.choosers import hint_choice
from ...ranking.release_cache import served_policy
from ...records import Session, counted
from ...runtime.context import Context
from ...runtime.options import RunOptions
from ..database import in_domain

_FEW = 30
"""Below so many different sessions, 95 % intervals hold the truth less often."""
_NO_RELEASE = (
    "{domain} has no active release that fits {model} and RE2LLM_FUSE, so the learned policy is "
    "not compared; `re2llm train` makes one."
)
ORDERS_REMARK = (
    "With several orders, the model alone ranks: rows of hint policies leave the first stage out."
)
_NO_HINT = "{domain} has no hints, so there is nothing to choose from; `re2llm learn` finds some."


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


def in_orders(context: Context, permutations: int) -> Context:
    """Return the context of an evaluation: in several orders, the model alone ranks.

    This measures how much it depends on the order; the first stage would even that out.

    Raises:
        InputError: The caller wants it otherwise.
    """
    if permutations == 1:
        return context
    if context.fuse not in {None, "llm"}:
        raise InputError(
            "fuse",
            f"With several orders, the model alone ranks, not {context.fuse!r}.",
            "Leave `fuse` out, or leave `permutations` out.",
        )
    return replace(context, fuse="llm")


async def default_policies(options: RunOptions) -> Sequence[str]:
    """Return which hint policies are compared if none are named."""
    async with in_domain(options) as (connection, domain):
        if await _serves(connection, domain, options):
            return ("none", "static", "ppo")
        # Without a hint, all of them would be the same row.
        return (
            ("none", "random", "similar", "static")
            if await count_kept(connection, domain.id)
            else ("none",)
        )


async def _serves(connection: AsyncConnection, domain: Domain, options: RunOptions) -> bool:
    """Return whether the domain has an active release that fits the run."""
    prompted_model = options.prompted_model
    try:
        served = await served_policy(options.services, connection, domain.id, prompted_model)
    except ReleaseMisfitError:
        return False
    return served is not None


def why_not_ppo(policies: Sequence[str], options: RunOptions) -> list[str]:
    """Remark on the learned policy, if it is not among those of `default_policies`."""
    if "ppo" in policies:
        return []
    remark = _NO_RELEASE if len(policies) > 1 else _NO_HINT
    return [remark.format(domain=options.domain, model=options.model)]


def require_training(baselines: Sequence[str], train: Sequence[Session], domain: str) -> None:
    """Check that baselines have something to learn from.

    Raises:
        InputError: There are no training sessions.
    """
    if baselines and not train:
        raise InputError(
            "baselines",
            f"They learn from training sessions, and {domain!r} has none.",
            "Load some: re2llm load … --sessions FILE. Or leave `baselines` empty.",
        )


def what_intervals_count(groups: Ints) -> list[str]:
    """Remark on sessions that belong together, and on too few that do not.

    Args:
        groups: Of the sessions, from `session_groups`.
    """
    different = len(np.unique(groups))
    same = len(groups) - different
    notes: list[str] = []
    if same:
        are = "is a copy or a beginning" if same == 1 else "are copies or beginnings"
        notes.append(
            f"{same:,} of the {counted(len(groups), 'session')} {are} of others. For intervals, "
            f"these are one: they count {counted(different, 'different session')}."
        )
    if different < _FEW:
        found = counted(different, "different session is", "different sessions are")
        notes.append(
            f"{found} too few for 95 % intervals: the true ones are wider, and differences may be "
            f"chance. Take at least {_FEW}, or better some hundreds."
        )
    return notes


def seen_in_training(sessions: Sequence[Session], train: Sequence[Session]) -> list[str]:
    """Remark on sessions that are training sessions, too, or that some of these continue."""
    trained_on = {(session.history, session.target) for session in train}
    seen = sum((session.history, session.target) in trained_on for session in sessions)
    items = coded([*one.history, one.target or ""] for one in (*train, *sessions))
    index = Continuations(items[: len(train)])
    continued = sum(index.continued(one) for one in items[len(train) :])
    all_of_them = counted(len(sessions), "session")
    notes: list[str] = []
    learned = "which favors systems that learned from them."
    if seen:
        are = "is a training session" if seen == 1 else "are training sessions"
        notes.append(f"{seen:,} of the {all_of_them} {are}, {learned}")
    if continued:
        are = "is" if continued == 1 else "are"
        by_these = f"continued by training sessions, {learned}"
        notes.append(f"{continued:,} of the {all_of_them} {are} {by_these}")
    return notes
