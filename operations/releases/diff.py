"""Compares two releases: hints, settings, figures, and what they choose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import InputError, Re2llmError
from ...knowledge import releases as stored
from ...knowledge.catalogue import fetch_items
from ...knowledge.hint_store.hints import Hint, hints_among
from ...ranking.hints.panels import drawn_sessions
from ...ranking.hints.trials import resolve_session
from ...ranking.release_hints import release_hints
from ...ranking.served_policy import ServedPolicy, load_release
from ...runtime.context import Context
from ...runtime.options import RunOptions, resolve_context
from ...runtime.progress import Progress, silent
from ..database import in_domain
from .diff_results import (
    Difference,
    DifferingHint,
    DifferingSession,
    LoggedEstimate,
    ReleaseDiff,
)
from .manage import show_release
from .off_policy import evaluate_release
from .results import ListedRelease

_SERVED = ("recipe", "model", "prompt_version", "encoder", "hint_set")


async def compare_releases(
    context: Context,
    first: int,
    second: int,
    *,
    domain: str | None = None,
    sessions: int = 40,
    logged: bool = True,
    progress: Progress = silent,
) -> ReleaseDiff:
    """Compare two releases of a domain.

    Args:
        context: The run's options; the model may be another than the releases'.
        first: A release's number, such as the active one's.
        second: Another's.
        domain: Its name; `None` takes the context's.
        sessions: Random training sessions for which both choose their likeliest hints, without a
            model call; 0 for none.
        logged: Whether to estimate from feedback what each would have earned.
        progress: Called with the stage `choosing` after each session.

    Raises:
        InputError: There is no such domain or release, or both are the same.
        DatabaseError: The database failed.
    """
    one = await show_release(context, first, domain=domain)
    if first == second:
        raise InputError(
            "second", f"Release {first} is the first one, too.", "Name two different ones."
        )
    other = await show_release(context, second, domain=domain)
    options = await resolve_context(context)
    async with in_domain(options, domain) as (connection, found):
        numbers = sorted({*one.hint_ids} ^ {*other.hint_ids})
        hints = {hint.id: hint for hint in await hints_among(connection, found.id, numbers)}
    context = replace(context, domain=found.name)
    estimates = None
    if logged:
        estimates = (await _estimate(context, one), await _estimate(context, other))
    differing, count, problem = await _choices(context, one.id, other.id, sessions, progress)
    return ReleaseDiff(
        domain=found.name,
        first=one,
        second=other,
        hints_added=_only(other, one, hints),
        hints_removed=_only(one, other, hints),
        settings=[
            *_differences(one.model_dump(include={*_SERVED}), other.model_dump(include={*_SERVED})),
            *_differences(_settings(one), _settings(other)),
        ],
        validation=_differences(_figures(one), _figures(other), equal=True),
        logged=estimates,
        sessions=count,
        differing=differing,
        problem=problem,
    )


def _only(
    here: ListedRelease, there: ListedRelease, hints: Mapping[int, Hint]
) -> list[DifferingHint]:
    found: list[DifferingHint] = []
    for number in sorted({*here.hint_ids} - {*there.hint_ids}):
        hint = hints.get(number)
        text, status = ("", "deleted") if hint is None else (hint.text, hint.status)
        found.append(DifferingHint(id=number, text=text, status=status))
    return found


def _differences(
    one: Mapping[str, Any], other: Mapping[str, Any], *, equal: bool = False
) -> list[Difference]:
    """Return what differs; with `equal`, also what does not."""
    names = dict.fromkeys([*one, *other])
    pairs = [(name, one.get(name), other.get(name)) for name in names]
    return [
        Difference(name=name, first=first, second=second)
        for name, first, second in pairs
        if equal or first != second
    ]


_NO_SETTINGS = frozenset({"policy.hidden", "training.hidden", "seconds"})
"""Two that are always 0, of older releases, and how long it took."""


def _settings(release: ListedRelease) -> dict[str, Any]:
    """Return how it was trained; its hints are compared by themselves."""
    found = _flat({name: value for name, value in release.config.items() if name != "hints"})
    return {name: value for name, value in found.items() if name not in _NO_SETTINGS}


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            flat[prefix + name] = value
    return flat


def _figures(release: ListedRelease) -> dict[str, float]:
    return {
        name: value
        for name, value in release.metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


async def _estimate(context: Context, release: ListedRelease) -> LoggedEstimate:
    try:
        report = await evaluate_release(context, release.id)
    except InputError as error:
        return LoggedEstimate(report=None, problem=f"{error.problem} {error.remedy}".strip())
    return LoggedEstimate(report=report.as_dict(), problem="")


async def _choices(
    context: Context, first: int, second: int, count: int, progress: Progress
) -> tuple[list[DifferingSession], int, str]:
    """Return the sessions for which releases choose differently, how many chose, and why none."""
    if not count:
        return [], 0, ""
    options = await resolve_context(context)
    try:
        policies = [await _loaded(options, number) for number in (first, second)]
        keys = await drawn_sessions(options.domain, count, options)
    except Re2llmError as error:
        return [], 0, str(error)
    differing: list[tuple[int, Sequence[str], list[list[int]]]] = []
    for done, key in enumerate(keys, 1):
        state = await resolve_session(options.domain, key, options)
        chosen: list[list[int]] = []
        for policy in policies:
            async with in_domain(options) as (connection, _):
                hints = await release_hints(policy, state, options, connection)
            picked, _ = await asyncio.to_thread(
                policy.pick, state, hints, most=options.settings.max_hints, explore_seed=None
            )
            chosen.append([hint.id for hint in picked])
        if set(chosen[0]) != set(chosen[1]):
            differing.append((key, state["history"], chosen))
        progress("choosing", done, len(keys))
    async with in_domain(options) as (connection, domain):
        items = await fetch_items(connection, domain, [id_ for row in differing for id_ in row[1]])
    titles = {item.id: item.title for item in items.values()}
    listed = [
        DifferingSession(
            session=key,
            history=[titles.get(id_, id_) for id_ in history],
            first=one,
            second=other,
        )
        for key, history, (one, other) in differing
    ]
    return listed, len(keys), ""


async def _loaded(options: RunOptions, number: int) -> ServedPolicy:
    async with in_domain(options) as (connection, domain):
        release = await stored.fetch_release(connection, domain.id, number)
    return await asyncio.to_thread(load_release, number, release, release.prompted_model)
