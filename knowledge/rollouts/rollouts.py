"""Rollouts of releases: start one, read it, decide on it alone, end it."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import InputError
from ..schema.rollouts import LIVE, RolloutEventRow, RolloutRow
from ..served import active_release_number, hold_served, served_lock
from ..sessions.sources import LOCAL

_SALT_BYTES = 16
ROLLOUT = (
    RolloutRow.id,
    RolloutRow.domain_id,
    RolloutRow.number,
    RolloutRow.release,
    RolloutRow.control,
    RolloutRow.salt,
    RolloutRow.plan,
    RolloutRow.step,
    RolloutRow.state,
)
"""Columns in the order of the fields of `Rollout`."""
IS_LIVE = RolloutRow.state.in_(LIVE)


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release on its way to everybody.

    Attributes:
        id: Its key in every table.
        domain_id: The id of its domain.
        number: 1 for the domain's first rollout.
        release: Number of the release that is rolled out.
        control: Number of the release that was active at its start, or `None`.
        salt: What people's names are hashed with.
        plan: A plan from `Plan.as_dict`.
        step: Place in the plan's steps, from 0.
        state: `running`, `held`, `promoted`, `taken_back` or `stopped`.
    """

    id: int
    domain_id: int
    number: int
    release: int
    control: int | None
    salt: bytes
    plan: Mapping[str, Any]
    step: int
    state: str

    @property
    def percent(self) -> float:
        """Part of all people who get the release at its present step, in percent."""
        return float(self.plan["steps"][self.step])

    @property
    def live(self) -> bool:
        """Whether it serves."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a rollout, and why.

    Attributes:
        kind: `started`, `step`, `held`, `promoted`, `taken_back` or `stopped`.
        reason: The reason in one word, for programs.
        words: The reason in a sentence, for people.
        figures: What it rests on, ready for JSON.
    """

    kind: str
    reason: str
    words: str
    figures: Mapping[str, Any]


async def start_rollout(
    connection: AsyncConnection,
    domain_id: int,
    release: int,
    plan: Mapping[str, Any],
    *,
    source: str = LOCAL,
) -> Rollout:
    """Start a rollout, beside the release that is active.

    Args:
        connection: A connection in a transaction.
        release: Number of the release.
        plan: A plan from `Plan.as_dict`.
        source: The id of the API key that asks for it, or `local`.

    Raises:
        InputError: The release is active, or another one is live.
    """
    await hold_served(connection, domain_id)
    active = await active_release_number(connection, domain_id)
    if active == release:
        raise InputError("release", f"Release {release} is active.", "Name one that is not active.")
    other = await latest_rollout(connection, domain_id)
    if other is not None and other.live:
        raise InputError(
            "release",
            f"Release {other.release} is being rolled out, at {other.percent:g} %.",
            "Stop it first: `re2llm policy canary --stop`.",
        )
    statement = insert(RolloutRow).values(
        domain_id=domain_id,
        number=1 if other is None else other.number + 1,
        release=release,
        control=active,
        salt=secrets.token_bytes(_SALT_BYTES),
        plan=dict(plan),
        source=source,
    )
    row = (await connection.execute(statement.returning(*ROLLOUT))).one()
    return Rollout(*row)


async def latest_rollout(
    connection: AsyncConnection, domain_id: int, *, release: int | None = None
) -> Rollout | None:
    """Return a domain's live or last rollout.

    Args:
        release: Only of this release.
    """
    statement = select(*ROLLOUT).where(RolloutRow.domain_id == domain_id)
    if release is not None:
        statement = statement.where(RolloutRow.release == release)
    row = (
        await connection.execute(statement.order_by(RolloutRow.number.desc()).limit(1))
    ).one_or_none()
    return None if row is None else Rollout(*row)


async def claim_rollout(
    connection: AsyncConnection, rollout_id: int, *, pause: float = 0.0, wait: bool = False
) -> Rollout | None:
    """Hold a live rollout exclusively until the transaction ends; exposures can still be logged.

    What its domain serves is held with it, by `hold_served`.

    Args:
        connection: A connection in a transaction; of several rollouts, each process takes them in
            the order of their domains' ids.
        pause: Seconds that must have passed since the last look at it, by any server.
        wait: Whether to wait for another holder; else there is `None` meanwhile.

    Returns:
        The rollout, or `None` if there is nothing to decide now.
    """
    take = func.pg_advisory_xact_lock if wait else func.pg_try_advisory_xact_lock
    served = select(take(served_lock(RolloutRow.domain_id))).where(RolloutRow.id == rollout_id)
    if await connection.scalar(served) is False:
        return None
    due = or_(
        RolloutRow.looked_at.is_(None),
        RolloutRow.looked_at <= func.clock_timestamp() - dt.timedelta(seconds=pause),
    )
    statement = select(*ROLLOUT).where(RolloutRow.id == rollout_id, IS_LIVE, due)
    # A plain FOR UPDATE would block exposures, whose foreign key shares this row's key.
    held = statement.with_for_update(key_share=True, skip_locked=not wait)
    row = (await connection.execute(held)).one_or_none()
    return None if row is None else Rollout(*row)


async def note_look(connection: AsyncConnection, rollout_id: int) -> None:
    """Note that a rollout was decided on just now.

    Args:
        connection: A connection in the transaction that claimed it.
    """
    await connection.execute(
        update(RolloutRow)
        .where(RolloutRow.id == rollout_id)
        .values(looked_at=func.clock_timestamp())
    )


async def change_rollout(connection: AsyncConnection, rollout: Rollout, change: Change) -> None:
    """Carry a change out, and write it down.

    Args:
        connection: A connection in the transaction that claimed the rollout.
    """
    step = rollout.step + 1 if change.kind == "step" else rollout.step
    state = {"started": "running", "step": rollout.state}.get(change.kind, change.kind)
    ended = None if state in LIVE else func.clock_timestamp()
    percent = float(rollout.plan["steps"][step])
    if state not in LIVE:
        percent = 100.0 if state == "promoted" else 0.0
    await connection.execute(
        update(RolloutRow)
        .where(RolloutRow.id == rollout.id)
        .values(step=step, state=state, ended_at=ended)
    )
    await connection.execute(
        insert(RolloutEventRow).values(
            rollout_id=rollout.id,
            kind=change.kind,
            reason=change.reason,
            words=change.words,
            percent=percent,
            figures=dict(change.figures),
        )
    )


async def claim_live_rollout(
    connection: AsyncConnection, domain_id: int, *, release: int | None = None
) -> Rollout | None:
    """Hold a domain's live rollout, if there is one, alone until the transaction ends.

    What the domain serves is held even if there is none.

    Args:
        connection: A connection in a transaction. It waits for the end of a decision on the
            rollout.
        release: The one that must be rolled out, if any is; `None` takes any.

    Raises:
        InputError: Another release is being rolled out.
    """
    await hold_served(connection, domain_id)
    found = await connection.scalar(
        select(RolloutRow.id).where(RolloutRow.domain_id == domain_id, IS_LIVE)
    )
    rollout = None if found is None else await claim_rollout(connection, found, wait=True)
    if rollout is not None and release not in {None, rollout.release}:
        raise InputError(
            "release",
            f"Release {rollout.release} is being rolled out, not release {release}. "
            "Nothing was changed.",
            "Look at its rollout first: `re2llm policy canary --status`.",
        )
    return rollout


async def stop_live_rollout(
    connection: AsyncConnection,
    domain_id: int,
    reason: str,
    words: str,
    *,
    release: int | None = None,
) -> Rollout | None:
    """Stop a domain's live rollout, if there is one; no request gets its release from then on.

    Args:
        connection: As for `claim_live_rollout`, as is `release`.

    Returns:
        The rollout as it was.

    Raises:
        InputError: Another release is being rolled out.
    """
    rollout = await claim_live_rollout(connection, domain_id, release=release)
    if rollout is not None:
        await change_rollout(connection, rollout, Change("stopped", reason, words, {}))
    return rollout


async def rollout_events(connection: AsyncConnection, rollout_id: int) -> list[dict[str, Any]]:
    """Return what happened to a rollout, oldest first, ready for JSON."""
    rows = await connection.execute(
        select(
            RolloutEventRow.created_at,
            RolloutEventRow.kind,
            RolloutEventRow.reason,
            RolloutEventRow.words,
            RolloutEventRow.percent,
            RolloutEventRow.figures,
        )
        .where(RolloutEventRow.rollout_id == rollout_id)
        .order_by(RolloutEventRow.id)
    )
    return [{**row, "created_at": row["created_at"].isoformat()} for row in rows.mappings()]
