"""Domains: look one up, make one, mark one as changed, delete one."""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process
from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    bindparam,
    cast,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from ..errors import InputError
from ..records import ONLY_DOMAIN_LOG
from .domain_locks import hold_domain, hold_hints
from .prepared import PREPARED
from .schema.fusions import FirstStageRow
from .schema.log import RecommendationRow
from .schema.tables import SCHEMA, DomainRow, HintRow, ItemRow, ReleaseRow, SessionRow
from .served import hold_served
from .texts import storable

_MEANING_INDEX = "ix_item_meaning_"
DOMAIN = (
    DomainRow.id,
    DomainRow.name,
    DomainRow.encoder,
    DomainRow.revision,
    DomainRow.recent_from,
    select(func.max(FirstStageRow.id))
    .where(FirstStageRow.domain_id == DomainRow.id)
    .scalar_subquery(),
    func.to_regclass(func.concat(f"{SCHEMA}.{_MEANING_INDEX}", DomainRow.id, type_=Text)).is_not(
        None
    ),
    DomainRow.withdrawals,
)
"""Columns in the order of the fields of `Domain`."""
_NAMED = select(*DOMAIN).where(DomainRow.name == bindparam("name")).execution_options(**PREPARED)

_SECONDS_TO_2020 = 1_577_836_800
"""Seconds from 1970 to 2020; the seconds since then fit into the column until 2088."""
_LIKE = 60.0
"""Likeness, of 100, above which a name is taken for another one with a typing error."""
_LOAD_ONE = "Load one with `re2llm load`; `re2llm demo` loads sample films as `films`."
_only_domain_log = logging.getLogger(ONLY_DOMAIN_LOG)


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain's identity.

    Attributes:
        id: Its key in every table.
        name: What people call it.
        encoder: Id of the text encoder of its embeddings.
        revision: Goes up with every change of items or training sessions, except for withdrawals.
        recent_from: Key of the first recent training session, where their order tells time.
        first_stage: Number of the fitted first stage that serves, if there is one.
        indexed: Whether its items have an index by meaning.
        withdrawals: Goes up whenever items are withdrawn.
    """

    id: int
    name: str
    encoder: str
    revision: int
    recent_from: int | None
    first_stage: int | None = None
    indexed: bool = False
    withdrawals: int = 0

    @property
    def offer(self) -> tuple[int, int]:
        """The version of what it recommends."""
        return self.revision, self.withdrawals


def meaning_index(domain_id: int) -> str:
    """Return the name of the index by which a domain's items are searched by meaning."""
    return f"{_MEANING_INDEX}{domain_id}"


async def find_domain(
    connection: AsyncConnection, name: str, *, among: AbstractSet[str] | None = None
) -> Domain:
    """Look a domain up by name.

    Args:
        name: The name that `load` was given; empty takes the only domain there is.
        among: Names of the domains that the caller may know of; `None` for all.

    Raises:
        InputError: There is none of that name that the caller may know of, or several and no name;
            lists those there are.
    """
    name = name or await _only_name(connection, among)
    hidden = among is not None and name not in among
    found = await connection.execute(_NAMED, {"name": name}) if storable(name) else None
    row = found.one_or_none() if found else None
    if row is None or hidden:
        known = await domain_names(connection, among=among)
        there = f"There are: {', '.join(known)}." if known else "Nothing is loaded yet."
        if near := process.extractOne(name, known, scorer=fuzz.ratio, score_cutoff=_LIKE):
            there = f"Did you mean {near[0]!r}? {there}"
        raise InputError(
            "domain",
            f"There is no domain {name!r}. {there}",
            _LOAD_ONE,
        )
    return Domain(*row)


async def _only_name(connection: AsyncConnection, among: AbstractSet[str] | None) -> str:
    known = await domain_names(connection, among=among)
    if not known:
        raise InputError("domain", "Nothing is loaded yet.", _LOAD_ONE)
    if len(known) > 1:
        problem = f"Several domains are loaded: {', '.join(known)}."
        remedy = "Name one as `domain`, or set RE2LLM_DOMAIN."
        raise InputError("domain", problem, remedy)
    _only_domain_log.debug("domain %r, the only one there is", known[0])
    return known[0]


async def domain_names(
    connection: AsyncConnection, *, among: AbstractSet[str] | None = None
) -> list[str]:
    """Return the names of the domains, sorted.

    Args:
        among: Names of the domains that the caller may know of; `None` for all.
    """
    names = await connection.scalars(select(DomainRow.name).order_by(DomainRow.name))
    return [name for name in names if among is None or name in among]


_COUNTED = {
    "items": ItemRow,
    "sessions": SessionRow,
    "hints": HintRow,
    "releases": ReleaseRow,
}


async def list_domains(
    connection: AsyncConnection, *, name: str | None = None
) -> list[dict[str, Any]]:
    """Return every domain's name and encoder with counts of what it holds.

    Args:
        name: Only the domain of this name.
    """
    counts = [
        select(func.count()).where(table.domain_id == DomainRow.id).scalar_subquery().label(label)
        for label, table in _COUNTED.items()
    ]
    latest = (
        select(func.count())
        .where(
            RecommendationRow.domain_id == DomainRow.id,
            RecommendationRow.created_at
            >= func.coalesce(DomainRow.uses_until, text("'-infinity'::timestamptz")),
        )
        .scalar_subquery()
    )
    counts.append((DomainRow.answers + latest).label("recommendations"))
    statement = select(DomainRow.name, DomainRow.encoder, *counts).order_by(DomainRow.name)
    if name is not None:
        statement = statement.where(DomainRow.name == name)
    return [dict(row) for row in (await connection.execute(statement)).mappings()]


async def claim_domain(connection: AsyncConnection, name: str, encoder: str) -> Domain:
    """Find or make a domain and hold it alone until the transaction ends.

    Args:
        connection: A connection in a transaction; a second loader of the same domain waits for its
            end.
        name: The name that `load` was given.
        encoder: Id of the encoder that will make the embeddings.

    Raises:
        InputError: The domain's embeddings were made by another encoder, or the name is unusable.
    """
    if not name.strip() or not storable(name):
        raise InputError("domain", f"{name!r} cannot be used as a name.", "Choose a plain name.")
    await hold_domain(connection, name)
    await connection.execute(
        insert(DomainRow).values(name=name, encoder=encoder).on_conflict_do_nothing()
    )
    domain = await find_domain(connection, name)
    if domain.encoder != encoder:
        raise InputError(
            "domain",
            f"Domain {name!r} was embedded with {domain.encoder}, not with {encoder}.",
            "Load it under another name.",
        )
    return domain


async def delete_domain(connection: AsyncConnection, domain: Domain) -> None:
    """Delete a domain with everything that hangs on it.

    Args:
        connection: A connection in a transaction; it waits for the end of a load of the same
            domain.
    """
    await hold_domain(connection, domain.name)
    await hold_served(connection, domain.id)
    await hold_hints(connection, domain.id)
    await connection.execute(delete(DomainRow).where(DomainRow.id == domain.id))


async def mark_changed(connection: AsyncConnection, domain: Domain) -> None:
    """Count the revision up, which drops every cache built on the old one.

    Args:
        connection: A connection in the transaction that makes the change.
    """
    changed = update(DomainRow).where(DomainRow.id == domain.id)
    await connection.execute(changed.values(revision=_next(DomainRow.revision)))


async def mark_withdrawn(connection: AsyncConnection, domain: Domain) -> None:
    """Count the withdrawals up, which drops the caches of what is recommended, and no others.

    Args:
        connection: A connection in the transaction that withdraws items.
    """
    changed = update(DomainRow).where(DomainRow.id == domain.id)
    await connection.execute(changed.values(withdrawals=_next(DomainRow.withdrawals)))


def _next(number: InstrumentedAttribute[int]) -> ColumnElement[int]:
    """Return what follows a number.

    It goes with the clock: counted by ones, a database that was restored from a backup would give
    a number again that servers know another domain by.
    """
    seconds = cast(func.extract("epoch", func.clock_timestamp()) - _SECONDS_TO_2020, Integer)
    return func.greatest(number + 1, seconds)
