"""Gathers what `re2llm evaluate --report` shows; it makes no model call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..commands.console import progress

if TYPE_CHECKING:
    from ..evaluation.experiment import Row
    from ..evaluation.report.page import Picture, Report
    from ..evaluation.report.sizes import Cells
    from ..knowledge.hints import Hint
    from ..knowledge.releases import Release
    from ..runtime.options import Call
    from ..ranking.serving import HintAndEmbedding
    from ..records import Session

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
    from ..evaluation.report.page import write_page

    return write_page(await make_report(found))


async def make_report(found: Evaluated) -> Report:
    """Gather what the report shows.

    Args:
        found: What was evaluated.
    """
    from ..evaluation.report.comparison import examples, hint_uses
    from ..evaluation.report.page import Picture, Report
    from ..evaluation.report.pictures import hint_bars, learning_curve
    from ..knowledge.catalogue import all_items
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import list_hints
    from ..knowledge.releases import active_release_id, fetch_release
    from ..runtime.options import Context, call_with

    call = await call_with(Context(domain=found.domain, seed=found.seed))
    async with call.services.engine.connect() as connection:
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
        facts=_facts(found, call, number, release or None, hints),
        document=found.document,
        pictures=[learning, chosen, *await _size_pictures(found, domain.id, call)],
        uses=uses,
        examples=shown,
        policy=hinted.name if hinted else "",
    )


def _facts(
    found: Evaluated,
    call: Call,
    number: int | None,
    release: Release | None,
    hints: Sequence[Hint],
) -> dict[str, str]:
    lengths = sorted({len(session.candidates or ()) for session in found.sessions})
    candidates = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    facts = {
        "ranking model": call.model,
        "candidates a session": candidates,
        "active hints": str(sum(hint.status == "active" for hint in hints)),
        "seed": str(found.seed),
    }
    if release is not None:
        trained = f"{release.metrics.get('validation_sessions', 0):,} sessions"
        facts["policy release"] = f"{number} ({release.recipe}, validated on {trained})"
    return facts


async def _size_pictures(found: Evaluated, domain_id: int, call: Call) -> list[Picture]:
    from ..evaluation.report.page import Picture
    from ..evaluation.report.pictures import gain_by_size
    from ..evaluation.report.sizes import (
        FEWEST_SESSIONS,
        by_hints,
        by_sessions,
        sizes_up_to,
    )

    headings = ("Gain by the number of hints", "Gain by the number of training sessions")
    hints = await _hints_with_embeddings(domain_id, found, call)
    if len(hints) < _LEAST_HINTS:
        why = "Missing: it needs --oracle and at least two active hints."
        return [Picture(heading, why) for heading in headings]
    train = await _training_cells(found.domain, domain_id, hints, call)
    if train is None:
        why = (
            f"Missing: it needs {FEWEST_SESSIONS} training sessions on which every active hint was "
            "tried; `re2llm train` tries them on RE2LLM_TRAIN_PANEL sessions."
        )
        return [Picture(heading, why) for heading in headings]
    test = await _test_cells(found, hints, call)
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
    domain_id: int, found: Evaluated, call: Call
) -> list[HintAndEmbedding]:
    from ..knowledge.shortlist import active_among

    async with call.services.engine.connect() as connection:
        hints = await active_among(connection, domain_id, list(found.cells))
        return await call.services.with_embeddings(connection, hints)


async def _training_cells(
    domain: str, domain_id: int, hints: Sequence[HintAndEmbedding], call: Call
) -> Cells | None:
    """Return the training sessions on which every hint was tried, unless they are too few."""
    import numpy as np

    from ..evaluation.report.sizes import FEWEST_SESSIONS, Cells
    from ..knowledge.hints import hint_key
    from ..knowledge.trials import gains
    from ..ranking.serving import session_state
    from ..ranking.trials import resolve_session

    columns = {hint_key(hint.text): column for column, (hint, _) in enumerate(hints)}
    async with call.services.engine.connect() as connection:
        paid = await gains(connection, domain_id, call.model, call.prompt_version, list(columns))
    tried: dict[int, dict[int, float]] = {}
    for gain in paid:
        tried.setdefault(gain.session_id, {})[columns[gain.hint_key]] = gain.gain
    complete = sorted(key for key, row in tried.items() if len(row) == len(hints))
    if len(complete) < FEWEST_SESSIONS:
        return None
    states = [
        session_state(await resolve_session(domain, key, call), "content") for key in complete
    ]
    table = [[tried[key][column] for column in range(len(hints))] for key in complete]
    return Cells(np.stack(states), np.array(table))


async def _test_cells(found: Evaluated, hints: Sequence[HintAndEmbedding], call: Call) -> Cells:
    import numpy as np

    from ..evaluation.report.comparison import gains_over
    from ..evaluation.report.sizes import Cells
    from ..knowledge.domains import find_domain
    from ..nodes.prepare import gather
    from ..ranking.serving import session_state
    from ..ranking.state import RecommendState

    states: list[Any] = []
    async with call.services.engine.connect() as connection:
        domain = await find_domain(connection, found.domain)
        for session in found.sessions:
            asked: dict[str, Any] = {
                "history": list(session.history),
                "candidates": list(session.candidates or ()),
            }
            resolved = await gather(connection, domain, cast("RecommendState", asked), call)
            states.append(session_state(cast("RecommendState", resolved), "content"))
    table = [gains_over(found.cells[hint.id], found.cells[0]) for hint, _ in hints]
    return Cells(np.stack(states), np.stack(table, axis=1))


def _stacked(hints: Sequence[HintAndEmbedding]) -> Any:
    import numpy as np

    return np.stack([embedding for _, embedding in hints])
