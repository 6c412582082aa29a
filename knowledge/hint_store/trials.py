"""The reward table: every paid ranking of a training session, with a hint or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...rank_metrics import CUTOFF, HIT_SHARE, ndcg
from ..membership import is_among
from ..prompted_model import PromptedModel, of_model
from ..schema.tables import TrialRow
from .hints import NO_HINT

# Written once: they are asked so often that to put them together takes longer than the answer.
_CELL = select(TrialRow.rank, TrialRow.answer, TrialRow.flags, TrialRow.tokens).where(
    TrialRow.session_id == bindparam("session"),
    TrialRow.hint_key == bindparam("key"),
    of_model(TrialRow),
)
_STORE = insert(TrialRow).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class Trial:
    """One ranking of a training session.

    Attributes:
        session_id: Key of the training session.
        hint_key: A key from `hint_key`, or from `set_key` for several hints.
        model: Name of the ranking model.
        prompt_version: Version of the ranking prompt.
        rank: The rank of the target among all candidates, 1 is best.
        answer: The model's raw text.
        flags: What went wrong on the way.
        tokens: Tokens in and out.
        hint_keys: The key of each of several hints, in the prompt's order; else empty.
    """

    session_id: int
    hint_key: bytes
    model: str
    prompt_version: str
    rank: int
    answer: str
    flags: Sequence[str] = ()
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    hint_keys: Sequence[bytes] = ()

    @property
    def ndcg(self) -> float:
        """NDCG@10 of the rank."""
        return ndcg(self.rank)


def hit_ranks_of(candidates: ColumnElement[int]) -> ColumnElement[int]:
    """Return `rank_metrics.hit_ranks` as SQL."""
    return func.least(CUTOFF, func.greatest(1, (candidates + (HIT_SHARE - 1)) // HIT_SHARE))


async def find_trial(
    connection: AsyncConnection, session_id: int, key: bytes, prompted_model: PromptedModel
) -> Trial | None:
    """Return the trial of a cell, if it was paid already."""
    cell = {"session": session_id, "key": key, **prompted_model.columns}
    row = (await connection.execute(_CELL, cell)).one_or_none()
    if row is None:
        return None
    return Trial(session_id, key, prompted_model.model, prompted_model.prompt_version, *row)


async def store_trial(connection: AsyncConnection, domain_id: int, trial: Trial) -> None:
    """Store a trial; a cell that another worker filled meanwhile stays as it is."""
    row = {
        "session_id": trial.session_id,
        "hint_key": trial.hint_key,
        "model": trial.model,
        "prompt_version": trial.prompt_version,
        "domain_id": domain_id,
        "rank": trial.rank,
        "ndcg": trial.ndcg,
        "answer": trial.answer,
        "flags": list(trial.flags),
        "tokens": dict(trial.tokens),
        "hint_keys": list(trial.hint_keys) or None,
    }
    await connection.execute(_STORE, row)


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain of a hint on one training session.

    Attributes:
        session_id: Key of the session.
        hint_key: A key from `hint_key`, or from `set_key` for several hints.
        gain: NDCG@10 with the hint minus without it.
    """

    session_id: int
    hint_key: bytes
    gain: float


def _plain(domain_id: int, prompted_model: PromptedModel) -> Select[int, float]:
    return select(TrialRow.session_id, TrialRow.ndcg).where(
        TrialRow.domain_id == domain_id,
        TrialRow.hint_key == NO_HINT,
        of_model(TrialRow, prompted_model),
    )


async def plain_ndcg(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    sessions: Sequence[int],
) -> dict[int, float]:
    """Return NDCG@10 without a hint, of those of some sessions for which that was paid."""
    statement = _plain(domain_id, prompted_model)
    rows = await connection.execute(statement.where(is_among(TrialRow.session_id, sessions)))
    return {session: ndcg for session, ndcg in rows}  # noqa: C416


async def gains(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    keys: Sequence[bytes] | None = None,
    sessions: Sequence[int] | None = None,
) -> list[Gain]:
    """Return the gains of hints on the sessions of which both trials were paid.

    Args:
        keys: Keys of the hints or sets of hints; `None` takes every single hint.
        sessions: Only on these; `None` for all.
    """
    without = _plain(domain_id, prompted_model).subquery()
    statement = (
        select(TrialRow.session_id, TrialRow.hint_key, TrialRow.ndcg - without.c.ndcg)
        .join(without, without.c.session_id == TrialRow.session_id)
        .where(
            TrialRow.domain_id == domain_id,
            TrialRow.hint_key != NO_HINT,
            of_model(TrialRow, prompted_model),
        )
        .order_by(TrialRow.hint_key, TrialRow.session_id)
    )
    if keys is None:
        statement = statement.where(TrialRow.hint_keys.is_(None))
    else:
        statement = statement.where(is_among(TrialRow.hint_key, keys))
    if sessions is not None:
        statement = statement.where(is_among(TrialRow.session_id, sessions))
    return [Gain(*row) for row in await connection.execute(statement)]


async def tried_sets(
    connection: AsyncConnection, domain_id: int, prompted_model: PromptedModel
) -> dict[bytes, tuple[bytes, ...]]:
    """Return the sets of several hints that were tried: the key of each hint, by the set's key."""
    rows = await connection.execute(
        select(TrialRow.hint_key, TrialRow.hint_keys)
        .distinct()
        .where(
            TrialRow.domain_id == domain_id,
            of_model(TrialRow, prompted_model),
            TrialRow.hint_keys.is_not(None),
        )
    )
    return {key: tuple(keys or ()) for key, keys in rows}


async def answers(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    keys: Sequence[bytes],
) -> dict[tuple[int, bytes], str]:
    """Return the model's answers by session and hint key.

    Args:
        keys: Keys from `hint_key`; those that were never tried count as 0.
    """
    rows = await connection.execute(
        select(TrialRow.session_id, TrialRow.hint_key, TrialRow.answer).where(
            TrialRow.domain_id == domain_id,
            of_model(TrialRow, prompted_model),
            is_among(TrialRow.hint_key, keys),
        )
    )
    return {(row[0], row[1]): row[2] for row in rows}
