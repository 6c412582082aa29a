"""A page of a domain's hints: filtered, sorted and cut in the database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..prompted_model import PromptedModel
from ..schema.summaries import HintUseRow
from ..schema.tables import HintRow, HintStatsRow
from ..texts import storable
from .hints import Hint, unknown_hint
from .stats import MEASURED, stats_for
from .uses import count_uses, latest_uses, use_of_hint

HintSort = Literal["age", "gain", "uses", "trials"]

_COLUMNS = (*MEASURED, HintRow.created_at)


@dataclass(frozen=True, slots=True)
class HintOnPage:
    """A hint with what people sort it by.

    Attributes:
        trials: Training sessions on which it was tried with the run's model; so are the next four.
        mean_gain: Mean NDCG@10 with it minus without it.
        gain_error: Standard error of that mean.
        helped: Sessions with a gain.
        harmed: Sessions with a loss.
        uses: Logged recommendations that were made with it.
    """

    id: int
    text: str
    status: str
    created_at: dt.datetime
    trials: int
    mean_gain: float
    gain_error: float
    helped: int
    harmed: int
    uses: int


async def page_of_hints(
    connection: AsyncConnection,
    domain_id: int,
    prompted_model: PromptedModel,
    *,
    status: str | None,
    words: str,
    sort: HintSort,
    descending: bool,
    skip: int,
    count: int,
) -> list[HintOnPage]:
    """Return some of a domain's hints, with their stats for one model and prompt.

    Args:
        status: Only those of this status.
        words: Only those whose text holds this; empty for all.
        sort: The column to sort by; hints with the same value come newest first.
        skip: How many to leave out, from the first.
        count: The highest number to return.
    """
    # Hints are counted in one go where they are sorted by it, else for the few that are shown.
    by_uses = sort == "uses"
    latest = await latest_uses(connection, domain_id) if by_uses else None
    uses = literal(0)
    if latest is not None:
        uses = func.coalesce(HintUseRow.uses, 0) + func.coalesce(latest.c.uses, 0)
    columns: dict[str, Any] = {
        "age": HintRow.id,
        "gain": HintStatsRow.mean_gain,
        "trials": func.coalesce(HintStatsRow.trials, 0),
        "uses": uses,
    }
    # A hint of a greater id is younger.
    column = columns[sort]
    backwards = descending != (sort == "age")
    if not count:
        return []
    # First the ids, by indexes that do not hold the embeddings.
    chosen = select(HintRow.id, uses.label("uses")).where(*_filters(domain_id, status, words))
    if sort in {"gain", "trials"}:
        chosen = chosen.outerjoin(HintStatsRow, stats_for(prompted_model))
    if latest is not None:
        chosen = chosen.outerjoin(HintUseRow, use_of_hint())
        chosen = chosen.outerjoin(latest, latest.c.hint_id == HintRow.id)
    order = () if sort == "age" else (HintRow.id.desc(),)
    # No id is null, and "nulls last" would keep its index from being read backwards.
    first = column.desc() if backwards else column.asc()
    first = first if sort == "age" else first.nulls_last()
    ids = (await connection.execute(chosen.order_by(first, *order).offset(skip).limit(count))).all()
    statement = (
        select(*_COLUMNS)
        .outerjoin(HintStatsRow, stats_for(prompted_model))
        .where(HintRow.domain_id == domain_id, HintRow.id.in_([row.id for row in ids]))
    )
    found = {row[0]: row for row in await connection.execute(statement)}
    rows: list[Any] = [(*found[row.id], row.uses) for row in ids if row.id in found]
    known = {} if by_uses else await count_uses(connection, domain_id, [row[0] for row in rows])
    return [_hint(row, int(row[-1]) if by_uses else known.get(row[0], 0)) for row in rows]


async def count_by_status(
    connection: AsyncConnection, domain_id: int, words: str
) -> dict[str, int]:
    """Return how many of a domain's hints have which status.

    Args:
        words: Only those whose text holds this; empty for all.
    """
    rows = await connection.execute(
        select(HintRow.status, func.count())
        .where(*_filters(domain_id, None, words))
        .group_by(HintRow.status)
    )
    return {row[0]: row[1] for row in rows}


async def hint_on_page(
    connection: AsyncConnection, domain_id: int, prompted_model: PromptedModel, number: int
) -> HintOnPage:
    """Return one hint with its stats for one model and prompt.

    Raises:
        InputError: There is no such hint in the domain.
    """
    row: Any = (
        await connection.execute(
            select(*_COLUMNS)
            .outerjoin(HintStatsRow, stats_for(prompted_model))
            .where(HintRow.domain_id == domain_id, HintRow.id == number)
        )
    ).one_or_none()
    if row is None:
        raise unknown_hint(number)
    return _hint(row, (await count_uses(connection, domain_id, [number])).get(number, 0))


async def versions_of(connection: AsyncConnection, domain_id: int, number: int) -> list[int]:
    """Return the hints that are new versions of a hint, oldest first."""
    statement = select(HintRow.id).where(
        HintRow.domain_id == domain_id, HintRow.provenance["version_of"].astext == str(number)
    )
    return list(await connection.scalars(statement.order_by(HintRow.id)))


def _filters(domain_id: int, status: str | None, words: str) -> list[ColumnElement[bool]]:
    filters = [HintRow.domain_id == domain_id]
    if status is not None:
        filters.append(HintRow.status == status)
    if words:
        found = HintRow.text.icontains(words, autoescape=True) if storable(words) else None
        filters.append(literal(value=False) if found is None else found)
    return filters


def _hint(row: Any, uses: int) -> HintOnPage:
    *measured, created_at = row[: len(_COLUMNS)]
    hint = Hint(*measured)
    return HintOnPage(
        id=hint.id,
        text=hint.text,
        status=hint.status,
        created_at=created_at,
        trials=hint.trials,
        mean_gain=hint.mean_gain,
        gain_error=hint.gain_error,
        helped=hint.helped,
        harmed=hint.harmed,
        uses=uses,
    )
