"""The results of hint policies and baselines over the same sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from ..arrays import Ints
from ..errors import InputError
from ..records import Session
from .baselines import create_baseline, rank_session
from .metrics import target_rank


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranker's answer for one session.

    Attributes:
        ranking: Item ids, best first.
        llm_calls: Calls made to the ranking model.
        flags: What went wrong.
        hint: Id of the hint that was given, or `None`; of several, the first.
        hints: Ids of all hints that were given, in the order in which they were picked.
        faults: Candidates that the model repeated, invented and left out, before any repair.
    """

    ranking: Sequence[str]
    llm_calls: int
    flags: Sequence[str]
    _: KW_ONLY
    hint: int | None = None
    hints: Sequence[int] = ()
    faults: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Row:
    """One system's results.

    Attributes:
        name: The name of the policy or baseline.
        kind: `policy`, `baseline` or `oracle`.
        ranks: The ranks of the targets, shape `[sessions]`, 1 is best, 0 is missing.
        llm_calls: Calls made to the ranking model.
        flags: In how many sessions each flag occurred.
        faults: How many candidates were repeated, invented and left out, and how many answers had
            a wrong format, before any repair.
        rankings: Item ids, best first, one sequence per session; may be left out.
        hints: For a policy: the hint that each session was given, or `None`; of several, the
            first.
        sets: For a policy: all hints that each session was given, as they were picked.
    """

    name: str
    kind: str
    ranks: Ints
    llm_calls: int = 0
    flags: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    rankings: Sequence[Sequence[str]] = ()
    hints: Sequence[int | None] = ()
    sets: Sequence[Sequence[int]] = ()


def policy_row(name: str, sessions: Sequence[Session], answers: Sequence[Ranked]) -> Row:
    """Return the results of a hint policy, from its answer for each session."""
    rankings = [answer.ranking for answer in answers]
    faults: Counter[str] = Counter()
    for answer in answers:
        faults.update(answer.faults)
    return Row(
        name,
        "policy",
        target_ranks(sessions, rankings),
        sum(answer.llm_calls for answer in answers),
        Counter(flag for answer in answers for flag in answer.flags),
        faults,
        rankings,
        [answer.hint for answer in answers],
        [answer.hints for answer in answers],
    )


def run_baseline(
    sessions: Sequence[Session],
    name: str,
    train: Sequence[Session],
    *,
    seed: int,
    on_progress: Callable[[], None],
) -> Row:
    """Train a baseline and rank every session with it. Blocks.

    Args:
        sessions: With targets and candidates; the baseline does not see the targets.
        seed: The seed of training and of the order among ties.

    Raises:
        InputError: The name is unknown, an extra is missing, or there is nothing to learn from.
    """
    baseline = create_baseline(name, train, seed=seed)
    rankings: list[Sequence[str]] = []
    for session in sessions:
        rankings.append(rank_session(baseline, session, seed=seed))
        on_progress()
    return Row(name, "baseline", target_ranks(sessions, rankings))


def target_ranks(sessions: Sequence[Session], rankings: Sequence[Sequence[str]]) -> Ints:
    """Return each target's rank in its session's ranking, `[sessions]`: 1 is best, 0 is missing.

    Raises:
        InputError: A session has no target.
    """
    return np.array(
        [
            target_rank(ranking, target_of(session))
            for session, ranking in zip(sessions, rankings, strict=True)
        ],
        dtype=np.int64,
    )


def target_of(session: Session) -> str:
    """Return a session's target, or raise `InputError` if it has none."""
    if session.target is None:
        raise InputError("sessions", "One has no target.", "Give the item that came next.")
    return session.target
