"""Hints: store them and fetch those that may be given to the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BindParameter, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError, NotThereError
from ...records import counted, without_surrogates
from ..membership import is_among
from ..schema.tables import SHRINKAGE, HintRow
from ..texts import storable

LONGEST_HINT = 500
"""Characters that a hint may have: it is a line of advice, not an essay."""


_COLUMNS = (
    HintRow.id,
    HintRow.text,
    HintRow.status,
    HintRow.trials,
    HintRow.mean_gain,
    HintRow.gain_error,
    HintRow.helped,
    HintRow.harmed,
)
"""Columns in the order of the fields of `Hint`."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A stored hint.

    Attributes:
        id: Its number in its domain, 1 for the first.
        text: One or two imperative sentences.
        status: `pending`, `active` or `retired`.
        trials: Training sessions on which it was tried.
        mean_gain: Mean NDCG@10 with it minus without it.
        gain_error: Standard error of that mean.
        helped: Sessions with a gain.
        harmed: Sessions with a loss.
    """

    id: int
    text: str
    status: str
    trials: int = 0
    mean_gain: float = 0.0
    gain_error: float = 0.0
    helped: int = 0
    harmed: int = 0

    @property
    def promise(self) -> float:
        """The mean gain, shrunk as if by some trials without gain: few trials prove little."""
        return self.mean_gain * self.trials / (self.trials + SHRINKAGE)


HintAndEmbedding: TypeAlias = tuple[Hint, NDArray[np.float32]]
"""A hint and its embedding, shape `[384]`."""


UNSTORED = 0
"""Stands for the id of a hint that is not stored."""

NO_HINT = b""
"""The key that stands for "no hint" in the reward table."""


def hint_key(text: str | None) -> bytes:
    """Return the digest under which a hint's trials are kept.

    Args:
        text: A text from `clean_hint`, or `None` for no hint.
    """
    return NO_HINT if text is None else hashlib.sha256(text.encode()).digest()


def set_key(texts: Sequence[str]) -> bytes:
    """Return the digest under which the trials of several hints given together are kept.

    Args:
        texts: Texts from `clean_hint`, in the order of the prompt; see `in_order`.

    Returns:
        `NO_HINT` for none, and `hint_key` of the only one.
    """
    keys = [hint_key(text) for text in texts]
    if len(keys) > 1:
        return hashlib.sha256(b"".join(keys)).digest()
    return keys[0] if keys else NO_HINT


def in_order(hints: Sequence[Hint]) -> list[Hint]:
    """Return hints in the order in which a prompt holds them: by id.

    One order for each set makes its trials shared, whatever the order in which a policy picked.
    """
    return sorted(hints, key=lambda hint: hint.id)


def clean_hint(text: str, field: str = "text") -> str:
    """Return a hint's text on one line.

    Args:
        text: The text as it was given.
        field: What errors call it.

    Raises:
        InputError: It is empty or too long.
    """
    cleaned = without_surrogates(" ".join(text.split()))
    if not cleaned:
        raise InputError(field, "The text is empty.", "Write one imperative sentence.")
    if not storable(cleaned):
        raise InputError(field, "It holds a character that cannot be stored.", "Leave it out.")
    if len(cleaned) > LONGEST_HINT:
        raise InputError(
            field,
            f"The text has {counted(len(cleaned), 'character')}.",
            f"Say it in at most {LONGEST_HINT}.",
        )
    return cleaned


async def add_hint(
    connection: AsyncConnection,
    domain_id: int,
    text: str,
    embedding: NDArray[np.float32],
    *,
    provenance: Mapping[str, Any],
    status: str = "active",
) -> tuple[int, bool]:
    """Store a hint, unless the same text is there already.

    Args:
        connection: A connection in a transaction.
        text: A text from `clean_hint`.
        embedding: The embedding of the text, shape `[384]`.
        status: `active`, or `pending` until a person approves.

    Returns:
        The hint's id, and whether it is new.
    """
    statement = (
        insert(HintRow)
        .values(
            domain_id=domain_id,
            key=hint_key(text),
            text=text,
            embedding=embedding,
            status=status,
            provenance=dict(provenance),
        )
        .on_conflict_do_nothing()
        .returning(HintRow.id)
    )
    new = await connection.scalar(statement)
    if new is not None:
        return new, True
    same = select(HintRow.id).where(HintRow.domain_id == domain_id, HintRow.key == hint_key(text))
    return (await connection.scalars(same)).one(), False


async def list_hints(
    connection: AsyncConnection, domain_id: int, *, status: str | None = None
) -> list[Hint]:
    """Return a domain's hints, oldest first."""
    statement = select_hints(domain_id).order_by(HintRow.id)
    if status is not None:
        statement = statement.where(HintRow.status == status)
    return [hint_of(row) for row in await connection.execute(statement)]


async def hints_among(
    connection: AsyncConnection, domain_id: int, numbers: Sequence[int]
) -> list[Hint]:
    """Return hints by their ids, oldest first; those that do not exist are absent."""
    statement = select_hints(domain_id).where(is_among(HintRow.id, numbers)).order_by(HintRow.id)
    return [hint_of(row) for row in await connection.execute(statement)]


async def find_hints(
    connection: AsyncConnection, domain_id: int, numbers: Sequence[int], *, field: str = "hints"
) -> list[Hint]:
    """Return hints by their ids, oldest first.

    Args:
        field: What errors call the ids.

    Raises:
        InputError: One of them does not exist.
    """
    found = await hints_among(connection, domain_id, numbers)
    missing = set(numbers) - {hint.id for hint in found}
    if missing:
        raise unknown_hint(min(missing), field)
    return found


async def count_kept(connection: AsyncConnection, domain_id: int) -> int:
    """Return how many hints of a domain are active or pending."""
    kept = select(func.count()).where(HintRow.domain_id == domain_id, HintRow.status != "retired")
    return await connection.scalar(kept) or 0


async def set_status(
    connection: AsyncConnection, domain_id: int, hint_id: int, status: str, reason: str
) -> None:
    """Approve a hint, retire it, or let it wait for approval.

    Args:
        connection: A connection in a transaction.
        status: `active`, `retired` or `pending`.
        reason: Kept with its provenance.

    Raises:
        InputError: There is no such hint.
    """
    changed = await connection.scalar(
        update(HintRow)
        .where(HintRow.domain_id == domain_id, HintRow.id == hint_id)
        .values(
            status=status,
            status_since=func.now(),
            merged_into=None,
            provenance=HintRow.provenance.op("||")(
                func.jsonb_build_object(f"{status}_because", reason)
            ),
        )
        .returning(HintRow.id)
    )
    if changed is None:
        raise unknown_hint(hint_id)


async def best_hints(
    connection: AsyncConnection, domain_id: int, *, count: int
) -> list[HintAndEmbedding]:
    """Return the active hints with the most promise, with their embeddings."""
    rows = await connection.execute(
        select_hints(domain_id)
        .add_columns(HintRow.embedding)
        .where(HintRow.status == "active")
        .order_by(HintRow.promise.desc(), HintRow.id)
        .limit(count)
    )
    return [(hint_of(row), row[-1]) for row in rows]


async def active_hint_ids(connection: AsyncConnection, domain_id: int) -> list[int]:
    """Return the ids of a domain's active hints, oldest first."""
    active = select(HintRow.id).where(HintRow.domain_id == domain_id, HintRow.status == "active")
    return list(await connection.scalars(active.order_by(HintRow.id)))


def unknown_hint(number: int, field: str = "hint") -> NotThereError:
    """Return the error about a hint that does not exist."""
    return NotThereError(
        field, f"There is no hint {number} in this domain.", "`re2llm hints list` shows all."
    )


def select_hints(domain_id: int | BindParameter[Any]) -> Any:
    """Return the statement that `hint_of` reads, to be narrowed down.

    Args:
        domain_id: Which domain, or the parameter that says so later.
    """
    return select(*_COLUMNS).where(HintRow.domain_id == domain_id)


def hint_of(row: Any) -> Hint:
    """Return the hint of a row.

    Args:
        row: A row of `select_hints`, perhaps with columns added.
    """
    return Hint(*row[: len(_COLUMNS)])
