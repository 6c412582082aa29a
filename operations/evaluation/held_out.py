"""The sessions that an evaluation ranks, read and completed with candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ...data.malformed import ReadReport, RowError
from ...data.negatives import MORE_ITEMS, NegativeSampler
from ...data.session_file import numbered_sessions
from ...errors import InputError
from ...evaluation.session_groups import numbered
from ...records import Session, counted

_FEW_CANDIDATES = 20
"""With no more candidates, half of all targets rank among the best 10 by chance."""
_NAMED = 3
"""How many sessions an error names."""


async def held_out_sessions(
    sessions: Path | Sequence[Session],
    known: Sequence[str],
    *,
    negatives: int,
    seed: int,
    skip_malformed: bool,
    answered: bool = False,
) -> tuple[Sequence[Session], list[str]]:
    """Return sessions with candidates, and notes on them.

    Args:
        sessions: Sessions as a JSONL file, or already read.
        known: The catalogue's item ids.
        negatives: Negative items to draw for each target where a session has no candidates.
        skip_malformed: Skip malformed rows instead of refusing the file.
        answered: Whether a model has answered already. Its answers belong to the candidates that
            it was given, so that none may be drawn.

    Raises:
        InputError: The file cannot be used, a session has no target, or an answered one has no
            candidates.
    """
    notes: list[str] = []
    if isinstance(sessions, Path):
        file = sessions
        lines, sessions, notes = await asyncio.to_thread(_read, file, known, skip_malformed)
        places = [f"{file}:{line}" for line in lines]
    else:
        places = [f"session {number}" for number in range(1, len(sessions) + 1)]
    if answered:
        _require_candidates(sessions, places)
    ranked = with_candidates(sessions, known, negatives, seed)
    return ranked, notes + _few_candidates(sessions, ranked) + _chosen_again(sessions)


def read_test_sessions(
    file: Path, known: Sequence[str], skip_malformed: bool
) -> tuple[Sequence[Session], list[str]]:
    """Return a file's sessions, and notes on them.

    Args:
        known: The catalogue's item ids.
        skip_malformed: Skip malformed rows instead of refusing the file.

    Raises:
        InputError: It holds malformed rows, or no usable session.
    """
    _, read, notes = _read(file, known, skip_malformed)
    return read, notes


def _read(
    file: Path, known: Sequence[str], skip_malformed: bool
) -> tuple[Sequence[int], Sequence[Session], list[str]]:
    """Return the lines of a file's sessions, the sessions and notes."""
    report = ReadReport()
    sampler = NegativeSampler(known, seed=0)

    def check(session: Session) -> None:
        lacking = sampler.lacks(session)
        if lacking:
            raise RowError(f"{lacking}. {MORE_ITEMS.removesuffix('.')}")

    read = list(numbered_sessions(file, report, known=frozenset(known), targets=True, check=check))
    if not skip_malformed:
        report.raise_if_malformed()
    if not read:
        raise InputError(
            "sessions", f"{file} holds no usable session.", "Check that it is the right file."
        )
    return [line for line, _ in read], [session for _, session in read], report.notes


def _require_candidates(sessions: Sequence[Session], places: Sequence[str]) -> None:
    bare = [place for place, one in zip(places, sessions, strict=True) if not one.candidates]
    if not bare:
        return
    more = f" and {len(bare) - _NAMED:,} more" if len(bare) > _NAMED else ""
    raise InputError(
        "sessions",
        f"No candidates are given in {', '.join(bare[:_NAMED])}{more}. "
        "Recorded answers are about the candidates that the model was given.",
        "Give each session those, as `candidates`.",
    )


def with_candidates(
    sessions: Sequence[Session], known: Sequence[str], negatives: int, seed: int
) -> Sequence[Session]:
    """Give sessions that have no candidates their target and sampled negatives.

    Copies of a session get different ones.

    Args:
        known: The catalogue's item ids.

    Raises:
        InputError: A session has no target, or holds the whole catalogue.
    """
    sessions = numbered(sessions)
    complete = all(session.candidates for session in sessions)
    if complete and all(session.target is not None for session in sessions):
        return sessions
    sampler = NegativeSampler(known, n=negatives + 1, seed=seed)
    for number, session in enumerate(sessions, 1):
        if session.target is None:
            problem = f"Session {number} has no target."
            raise InputError("sessions", problem, "Give the item that came next.")
        lacking = sampler.lacks(session)
        if lacking:
            raise InputError("sessions", f"Session {number} {lacking}.", MORE_ITEMS)
    return [sampler.with_candidates(session) for session in sessions]


def _few_candidates(given: Sequence[Session], ranked: Sequence[Session]) -> list[str]:
    drawn = [
        len(after.candidates or ())
        for before, after in zip(given, ranked, strict=True)
        if not before.candidates
    ]
    fewest = min(drawn, default=_FEW_CANDIDATES + 1)
    if fewest > _FEW_CANDIDATES:
        return []
    note = (
        f"Some sessions have only {counted(fewest, 'candidate')}, so HR@10 and NDCG@10 are high "
        "by chance. "
        "Compare the rows with `random`, and with runs on the same sessions only."
    )
    return [note]


def _chosen_again(given: Sequence[Session]) -> list[str]:
    """Remark on targets that stand out: no negative is from the history either way."""
    again = sum(not one.candidates and one.target in one.history for one in given)
    if not again:
        return []
    note = (
        f"In {again:,} of {counted(len(given), 'session')}, the target is in the history and no "
        "negative is, so it is easy to find, and all figures are too high. Give these sessions "
        "candidates that hold their history, or leave them out."
    )
    return [note]
