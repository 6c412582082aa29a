"""Policy releases: a trained policy with all that it must be served with, switched as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError, NotThereError
from .domain_locks import hold_hints
from .prompted_model import PromptedModel
from .rollouts.rollouts import latest_rollout, stop_live_rollout
from .schema.tables import ReleaseRow
from .served import active_release_number, hold_served
from .trained_hints import TrainedHints

RELEASE = "ppo:"
"""Prefix of a release's number in a policy's name."""
_ANOTHER = "`re2llm policy list` shows all releases, and `re2llm train` makes one."


@dataclass(frozen=True, slots=True)
class Release:
    """A trained hint policy.

    Attributes:
        recipe: `content` or `paper`.
        weights: Its parameters, as safetensors.
        encoder: Id of the text encoder of its inputs.
        prompt_version: Version of the ranking prompt of its rewards.
        model: Name of the ranking model of its rewards.
        hint_set: Digest of the hints that it was trained on.
        hint_ids: Those hints, in the order of its actions; action 0 is no hint.
        config: How it was trained, how its network is built, and what hints it chooses from, if
            not from all (`hints`, of `TrainedHints`).
        metrics: Measured on validation sessions.
    """

    recipe: str
    weights: bytes
    encoder: str
    prompt_version: str
    model: str
    hint_set: str
    hint_ids: Sequence[int]
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def prompted_model(self) -> PromptedModel:
        """What it was trained for."""
        return PromptedModel(self.model, self.prompt_version)


async def store_release(connection: AsyncConnection, domain_id: int, release: Release) -> int:
    """Store a release, inactive.

    Args:
        connection: A connection in a transaction; a second writer of the same domain waits for its
            end.

    Returns:
        Its number, 1 for the domain's first.
    """
    await hold_hints(connection, domain_id)
    latest = select(func.max(ReleaseRow.number)).where(ReleaseRow.domain_id == domain_id)
    statement = insert(ReleaseRow).values(
        domain_id=domain_id,
        number=(await connection.scalar(latest) or 0) + 1,
        recipe=release.recipe,
        weights=release.weights,
        encoder=release.encoder,
        prompt_version=release.prompt_version,
        model=release.model,
        hint_set=release.hint_set,
        hint_ids=list(release.hint_ids),
        config=dict(release.config),
        metrics=dict(release.metrics),
    )
    return (await connection.execute(statement.returning(ReleaseRow.number))).scalar_one()


async def release_of_job(connection: AsyncConnection, domain_id: int, job: str) -> int | None:
    """Return the number of the release that a job has stored, if it has."""
    stored = select(ReleaseRow.number).where(
        ReleaseRow.domain_id == domain_id, ReleaseRow.config["job"].astext == job
    )
    return await connection.scalar(stored)


async def hints_in_reach(
    connection: AsyncConnection, domain_id: int
) -> dict[str, Callable[[int], bool]]:
    """Return by policy, such as `ppo:2`, what says whether it can choose a hint.

    Releases that can choose any hint are absent. Those of the paper's recipe know only the hints
    that they were trained on.
    """
    rows = await connection.execute(
        select(
            ReleaseRow.number, ReleaseRow.recipe, ReleaseRow.hint_ids, ReleaseRow.config["hints"]
        ).where(ReleaseRow.domain_id == domain_id)
    )
    reach: dict[str, Callable[[int], bool]] = {}
    for number, recipe, trained, hints in rows:
        if recipe == "paper":
            reach[f"{RELEASE}{number}"] = frozenset[int](trained).__contains__
        elif (choice := TrainedHints.read({"hints": hints})) is not None:
            reach[f"{RELEASE}{number}"] = choice.__contains__
    return reach


async def fetch_release(connection: AsyncConnection, domain_id: int, number: int) -> Release:
    """Return a release with its weights.

    Raises:
        NotThereError: There is no such release.
    """
    row = (
        await connection.execute(
            select(
                ReleaseRow.recipe,
                ReleaseRow.weights,
                ReleaseRow.encoder,
                ReleaseRow.prompt_version,
                ReleaseRow.model,
                ReleaseRow.hint_set,
                ReleaseRow.hint_ids,
                ReleaseRow.config,
                ReleaseRow.metrics,
            ).where(ReleaseRow.domain_id == domain_id, ReleaseRow.number == number)
        )
    ).one_or_none()
    if row is None:
        raise _unknown(number)
    return Release(*row)


async def list_releases(connection: AsyncConnection, domain_id: int) -> list[dict[str, Any]]:
    """Return all releases without their weights, oldest first, ready for JSON."""
    rows = await connection.execute(
        select(ReleaseRow)
        .with_only_columns(
            ReleaseRow.number.label("id"),
            ReleaseRow.status,
            ReleaseRow.recipe,
            ReleaseRow.model,
            ReleaseRow.encoder,
            ReleaseRow.prompt_version,
            ReleaseRow.hint_set,
            ReleaseRow.hint_ids,
            ReleaseRow.config,
            ReleaseRow.metrics,
            ReleaseRow.created_at,
        )
        .where(ReleaseRow.domain_id == domain_id)
        .order_by(ReleaseRow.number)
    )
    return [{**row, "created_at": row["created_at"].isoformat()} for row in rows.mappings()]


async def was_served(connection: AsyncConnection, domain_id: int, number: int) -> bool:
    """Return whether a release has been activated or rolled out, whatever came of it."""
    activated = exists().where(
        ReleaseRow.domain_id == domain_id,
        ReleaseRow.number == number,
        ReleaseRow.activated_at.is_not(None),
    )
    tried = await latest_rollout(connection, domain_id, release=number)
    return tried is not None or bool(await connection.scalar(select(activated)))


async def activate_release(
    connection: AsyncConnection,
    domain_id: int,
    number: int,
    *,
    force: bool = False,
    instead_of: int | None = None,
) -> None:
    """Serve a release from now on; this ends a rollout, unless the release is active already.

    Args:
        connection: A connection in a transaction; a second activation in the same domain waits for
            its end.
        force: Even if it is worse than the active one.
        instead_of: The release that must be active until now; `None` takes any.

    Raises:
        InputError: There is no such release, it did worse on validation sessions, or another one
            is active by now.
    """
    release = await fetch_release(connection, domain_id, number)
    # Two at once would both compare with the one that was active before.
    await hold_served(connection, domain_id)
    active = await active_release_number(connection, domain_id)
    if instead_of not in {None, active}:
        now = "none" if active is None else f"release {active}"
        raise InputError(
            "active",
            f"Release {instead_of} is not active: {now} is. Nothing was changed.",
            "Look at the releases again: `re2llm policy list` shows all.",
        )
    if active == number:
        return
    if not force:
        await refuse_loss(connection, domain_id, number, release)
    # A rollout compares with what is active, so it ends with it.
    await stop_live_rollout(
        connection, domain_id, "activated", f"Release {number} was activated meanwhile."
    )
    releases = update(ReleaseRow).where(ReleaseRow.domain_id == domain_id)
    await connection.execute(
        releases.where(ReleaseRow.status == "active").values(status="inactive")
    )
    await connection.execute(
        releases.where(ReleaseRow.number == number).values(
            status="active", activated_at=func.clock_timestamp()
        )
    )


async def refuse_loss(
    connection: AsyncConnection, domain_id: int, number: int, release: Release
) -> None:
    """Refuse a release that gains less on validation sessions than the active one.

    Raises:
        InputError: It does.
    """
    active = await active_release_number(connection, domain_id)
    if active is None or active == number:
        return
    serving = await fetch_release(connection, domain_id, active)
    gained, before = release.metrics["gain"], serving.metrics["gain"]
    # Gains with another model or prompt are on another scale.
    if _asks(release) == _asks(serving) and gained < before:
        raise InputError(
            "release",
            f"Release {number} gained {gained:+.4f} on validation sessions, "
            f"but the active release {active} gained {before:+.4f}.",
            "With `force`, it is activated anyway.",
        )


def _asks(release: Release) -> tuple[PromptedModel, str]:
    return release.prompted_model, release.encoder


async def rollback_release(
    connection: AsyncConnection, domain_id: int, *, active: int | None = None
) -> int:
    """Serve the release again that was active before the present one.

    Args:
        connection: A connection in a transaction.
        active: The release to go back from: a second request for the same would bring it back.
            `None` takes the one that is active.

    Returns:
        Its number.

    Raises:
        InputError: No other release was ever active, or another one than `active` is by now.
    """
    await hold_served(connection, domain_id)
    previous = await previous_release_number(connection, domain_id)
    if previous is None:
        raise InputError("domain", "It has no other release that was active before.", _ANOTHER)
    await activate_release(connection, domain_id, previous, force=True, instead_of=active)
    return previous


async def previous_release_number(connection: AsyncConnection, domain_id: int) -> int | None:
    """Return the number of the release that was active before the present one, if one was."""
    return await connection.scalar(
        select(ReleaseRow.number)
        .where(
            ReleaseRow.domain_id == domain_id,
            ReleaseRow.status == "inactive",
            ReleaseRow.activated_at.is_not(None),
        )
        .order_by(ReleaseRow.activated_at.desc())
        .limit(1)
    )


def _unknown(number: int) -> NotThereError:
    return NotThereError(
        "release",
        f"There is no release {number} in this domain.",
        "`re2llm policy list` shows all.",
    )
