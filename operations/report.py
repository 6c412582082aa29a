"""Gathers what `re2llm evaluate --report` shows; it makes no model call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..commands.console import progress
from ..evaluation.experiment import Row
from ..evaluation.report.comparison import examples, gains_over, hint_uses
from ..evaluation.report.page import Picture, Report, write_page
from ..evaluation.report.pictures import gain_by_size, hint_bars, learning_curve
from ..evaluation.report.sizes import FEWEST_SESSIONS, Cells, by_hints, by_sessions, sizes_up_to
from ..knowledge.catalogue import all_items
from ..knowledge.domains import find_domain
from ..knowledge.hints import Hint, hint_key, list_hints
from ..knowledge.releases import Release, active_release_id, fetch_release
from ..knowledge.shortlist import active_among
from ..knowledge.trials import gains
from ..ranking.gather import gather
from ..ranking.releases import HintAndEmbedding, with_embeddings
from ..ranking.serving import session_state
from ..ranking.state import RecommendState
from ..ranking.trials import resolve_session
from ..records import Session
from ..runtime.options import Context, RunOptions, resolve_context

_PREFERRED = ("ppo", "static", "similar", "random")
_LEAST_HINTS = 2


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What `evaluate` has found out.

    Attributes:
        domain: The catalogue.
        sessions: Those that were ranked.
        rows: Of all systems.
        cells: Of `--oracle`: the row of each active hint by its number, 0 for none; else empty.
        document: From `evaluation.summary.summarise`.
        seed: Of everything random.
    """

    domain: str
    sessions: Sequence[Session]
    rows: Sequence[Row]
    cells: Mapping[int, Row]
    document: Mapping[str, Any]
    seed: int


async def make_page(found: Evaluated) -> str:
    """Return the report as a page of HTML.

    Args:
        found: What was evaluated.
    """
    return write_page(await make_report(found))


async def make_report(found: Evaluated) -> Report:
    """Gather what the report shows.

    Args:
        found: What was evaluated.
    """
    options = await resolve_context(Context(domain=found.domain, seed=found.seed))
    async with options.services.engine.connect() as connection:
        domain = await find_domain(connection, found.domain)
        hints = await list_hints(connection, domain.id)
        titles = {item.id: item.title for item in await all_items(connection, domain)}
        number = await active_release_id(connection, domain.id)
        release = number and await fetch_release(connection, domain.id, number)
    texts = {hint.id: hint.text for hint in hints}
    by_name = {row.name: row for row in found.rows if row.kind == "policy"}
    without = by_name.get("none") or found.cells.get(0)
    hinted = next((by_name[name] for name in _PREFERRED if name in by_name), None)
    uses = hint_uses(hinted, without, texts, seed=found.seed) if hinted and without else []
    shown = examples(hinted, without, found.sessions, texts, titles) if hinted and without else []
    learning = (
        Picture(
            "Learning curve",
            f"From the metrics that release {number} was stored with. Validation sessions were "
            "not learnt from by those whose choices are averaged here.",
            learning_curve(release.metrics),
        )
        if release and release.metrics.get("curve")
        else Picture("Learning curve", "Missing: the domain has no release; run `re2llm train`.")
    )
    chosen = (
        Picture(
            "How often each hint was chosen, and what it brought",
            f"Of the policy {hinted.name!r} on the evaluated sessions; the gain is over no hint, "
            "in the sessions in which the hint was chosen, with its 95 % interval.",
            hint_bars(uses),
        )
        if hinted and uses
        else Picture(
            "How often each hint was chosen, and what it brought",
            "Missing: it needs `none` and a policy that gives hints among --policies.",
        )
    )
    return Report(
        title=f"re2llm: {found.domain}, {len(found.sessions):,} sessions",
        facts=_facts(found, options, number, release or None, hints),
        document=found.document,
        pictures=[learning, chosen, *await _size_pictures(found, domain.id, options)],
        uses=uses,
        examples=shown,
        policy=hinted.name if hinted else "",
    )


def _facts(
    found: Evaluated,
    options: RunOptions,
    number: int | None,
    release: Release | None,
    hints: Sequence[Hint],
) -> dict[str, str]:
    lengths = sorted({len(session.candidates or ()) for session in found.sessions})
    candidates = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    facts = {
        "ranking model": options.model,
        "candidates a session": candidates,
        "active hints": str(sum(hint.status == "active" for hint in hints)),
        "seed": str(found.seed),
    }
    if release is not None:
        trained = f"{release.metrics.get('validation_sessions', 0):,} sessions"
        facts["policy release"] = f"{number} ({release.recipe}, validated on {trained})"
    return facts


async def _size_pictures(found: Evaluated, domain_id: int, options: RunOptions) -> list[Picture]:

    headings = ("Gain by the number of hints", "Gain by the number of training sessions")
    hints = await _hints_with_embeddings(domain_id, found, options)
    if len(hints) < _LEAST_HINTS:
        why = "Missing: it needs --oracle and at least two active hints."
        return [Picture(heading, why) for heading in headings]
    train = await _training_cells(found.domain, domain_id, hints, options)
    if train is None:
        why = (
            f"Missing: it needs {FEWEST_SESSIONS} training sessions on which every active hint was "
            "tried; `re2llm train` tries them on RE2LLM_TRAIN_PANEL sessions."
        )
        return [Picture(heading, why) for heading in headings]
    test = await _test_cells(found, hints, options)
    embeddings = _stacked(hints)
    count = len(train.states)
    with progress(counts=True) as bar:
        points = len(sizes_up_to(len(hints), 1)) + len(sizes_up_to(count, FEWEST_SESSIONS))
        task = bar.add_task("training for the pictures", total=points)
        drawn = [
            await asyncio.to_thread(
                draw, train, test, embeddings, seed=found.seed, on_point=lambda: bar.advance(task)
            )
            for draw in (by_hints, by_sessions)
        ]
    source = (
        "Each point is a training of its own on stored trials of {}, judged on the evaluated "
        "sessions by what --oracle has paid; no further model call. The default recipe, one seed, "
        "95 % intervals over sessions. "
    )
    return [
        Picture(
            headings[0],
            source.format(f"{count:,} training sessions")
            + "Hints in the order in which they were learnt.",
            gain_by_size("kb", "number of hints", drawn[0]),
        ),
        Picture(
            headings[1],
            source.format("so many training sessions, drawn at random")
            + f"All {len(hints)} hints, whose figures come from those sessions alone; but they "
            "were learnt and verified with more.",
            gain_by_size("few", "number of training sessions", drawn[1]),
        ),
    ]


async def _hints_with_embeddings(
    domain_id: int, found: Evaluated, options: RunOptions
) -> list[HintAndEmbedding]:

    async with options.services.engine.connect() as connection:
        hints = await active_among(connection, domain_id, list(found.cells))
        return await with_embeddings(options.services, connection, hints)


async def _training_cells(
    domain: str, domain_id: int, hints: Sequence[HintAndEmbedding], options: RunOptions
) -> Cells | None:
    """Return the training sessions on which every hint was tried, unless they are too few."""
    columns = {hint_key(hint.text): column for column, (hint, _) in enumerate(hints)}
    async with options.services.engine.connect() as connection:
        paid = await gains(
            connection, domain_id, options.model, options.prompt_version, list(columns)
        )
    tried: dict[int, dict[int, float]] = {}
    for gain in paid:
        tried.setdefault(gain.session_id, {})[columns[gain.hint_key]] = gain.gain
    complete = sorted(key for key, row in tried.items() if len(row) == len(hints))
    if len(complete) < FEWEST_SESSIONS:
        return None
    states = [
        session_state(await resolve_session(domain, key, options), "content") for key in complete
    ]
    table = [[tried[key][column] for column in range(len(hints))] for key in complete]
    return Cells(np.stack(states), np.array(table))


async def _test_cells(
    found: Evaluated, hints: Sequence[HintAndEmbedding], options: RunOptions
) -> Cells:

    states: list[Any] = []
    async with options.services.engine.connect() as connection:
        domain = await find_domain(connection, found.domain)
        for session in found.sessions:
            asked: dict[str, Any] = {
                "history": list(session.history),
                "candidates": list(session.candidates or ()),
            }
            resolved = await gather(connection, domain, cast("RecommendState", asked), options)
            states.append(session_state(cast("RecommendState", resolved), "content"))
    table = [gains_over(found.cells[hint.id], found.cells[0]) for hint, _ in hints]
    return Cells(np.stack(states), np.stack(table, axis=1))


def _stacked(hints: Sequence[HintAndEmbedding]) -> Any:

    return np.stack([embedding for _, embedding in hints])
