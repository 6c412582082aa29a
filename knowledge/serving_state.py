"""Reads what a request needs to know of its domain, in one statement.

That is the domain, its active release, its live rollout, its best hint and its learned fusions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Boolean, and_, bindparam, func, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from .domains import DOMAIN, Domain, find_domain
from .hint_store.hints import Hint
from .hint_store.stats import MOST_PROMISING
from .prepared import PREPARED
from .prompted_model import PromptedModel, of_model
from .rollouts.rollouts import IS_LIVE, ROLLOUT, Rollout
from .schema.fusions import FusionRow
from .schema.rollouts import RolloutRow
from .schema.tables import DomainRow, HintRow, ReleaseRow
from .texts import storable

_ACTIVE = and_(ReleaseRow.domain_id == DomainRow.id, ReleaseRow.status == "active")
_BEST = (
    MOST_PROMISING.where(
        HintRow.domain_id == DomainRow.id,
        # A release chooses among all hints: to sort them then would take time for nothing.
        or_(bindparam("best", type_=Boolean), ReleaseRow.number.is_(None)),
    )
    .correlate(DomainRow, ReleaseRow)
    .lateral("best")
)
_FUSIONS = (
    select(func.jsonb_object_agg(FusionRow.policy, FusionRow.learned, type_=JSONB))
    .where(FusionRow.domain_id == DomainRow.id, of_model(FusionRow))
    .scalar_subquery()
)
_SERVING = (
    select(_FUSIONS, ReleaseRow.number, *DOMAIN, *ROLLOUT, *_BEST.c)
    .select_from(DomainRow)
    .outerjoin(ReleaseRow, _ACTIVE)
    .outerjoin(RolloutRow, and_(RolloutRow.domain_id == DomainRow.id, IS_LIVE))
    .outerjoin(_BEST, true())
    .where(DomainRow.name == bindparam("name"))
    .execution_options(**PREPARED)
)


@dataclass(frozen=True, slots=True)
class ServingQuery:
    """Selects a serving state.

    Attributes:
        name: The name of the domain; empty for the only one there is.
        prompted_model: What ranks.
        best: Whether the best hint is wanted even where a release is active.
    """

    name: str
    prompted_model: PromptedModel
    best: bool


@dataclass(frozen=True, slots=True)
class ServingState:
    """A domain, and what ranks and chooses hints in it at the moment.

    Attributes:
        query: What selected it.
        domain: The domain.
        release: Number of the active release, or `None`.
        rollout: The live rollout, or `None`.
        best: The active hint that promises most, or `None`.
        fusions: What was learned about the model's opinion, by the policy that chose the hints.
        read_at: When it was read, in seconds since 1970: the request's deadline counts from there.
    """

    query: ServingQuery
    domain: Domain
    release: int | None
    rollout: Rollout | None
    best: Hint | None
    fusions: Mapping[str, Mapping[str, Any]]
    read_at: float = field(default_factory=time.time, compare=False)


async def serving_state(
    connection: AsyncConnection, query: ServingQuery, *, among: AbstractSet[str] | None = None
) -> ServingState:
    """Read the serving state of a domain.

    Every request reads it again, so no request uses a release after a rollback.

    Args:
        among: Names of the domains that the caller may know of; `None` for all.

    Raises:
        InputError: There is no such domain that the caller may know of.
    """
    if not query.name:
        domain = await find_domain(connection, "", among=among)
        query = replace(query, name=domain.name)
    hidden = among is not None and query.name not in among
    wanted = {"name": query.name, "best": query.best, **query.prompted_model.columns}
    askable = storable(query.name) and not hidden
    found = await connection.execute(_SERVING, wanted) if askable else None
    row = found.one_or_none() if found else None
    if row is None:
        domain = await find_domain(connection, query.name, among=among)  # says what there is
        return ServingState(query, domain, None, None, None, {})
    fusions, release, *rest = row
    domain, rollout, best = _split(rest, len(DOMAIN), len(ROLLOUT))
    return ServingState(
        query,
        Domain(*domain),
        release,
        None if rollout[0] is None else Rollout(*rollout),
        None if best[0] is None else Hint(*best),
        fusions or {},
    )


def _split(row: Sequence[Any], *lengths: int) -> list[Sequence[Any]]:
    parts: list[Sequence[Any]] = []
    for length in lengths:
        parts.append(row[:length])
        row = row[length:]
    return [*parts, row]
