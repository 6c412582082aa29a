"""Rewards of every hint in the training sessions of a domain and in a test file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tables:
    """All that training sees, and what it must not see.

    Attributes:
        gains: NDCG@10 with each hint minus without one, `[S, 1 + H]`; column 0 is no hint.
        paid: What had been tried before, `[S, 1 + H]`.
        own: Hints that were proposed on the session, `[S, 1 + H]`.
        states: Session descriptors, `[S, D]`.
        sessions: Keys, `[S]`, in random order.
        embeddings: Of the hints, `[H, E]`, in the order of their actions.
        hint_keys: `[H]`.
        test_ndcg: NDCG@10 in the test sessions, `[T, 1 + H]`.
        test_states: Their descriptors, `[T, D]`.
        bounds: How many sessions the panel has, and the first row that may be visited.
    """

    gains: NDArray[np.float64]
    paid: NDArray[np.bool_]
    own: NDArray[np.bool_]
    states: NDArray[np.float32]
    sessions: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    hint_keys: NDArray[np.void]
    test_ndcg: NDArray[np.float64]
    test_states: NDArray[np.float32]
    bounds: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> Tables:
        """Read what `build_tables` wrote."""
        with np.load(path) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})

    def statistics(self, *, every_cell: bool, visited: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the hints' stats that a policy is trained with, `[H, 5]`.

        Args:
            every_cell: Whether the panel has every session that counts in them.
            visited: Rows beyond it in which the best hints were tried, `[B]`.
        """
        from re2llm.policies.hint_features import hint_statistics

        known = self.paid.copy()
        known[self.first :] = False
        known[: self.first if every_cell else self.panel] = True
        known[visited] = True
        known &= ~self.own
        return hint_statistics([self.gains[known[:, a], a] for a in range(1, known.shape[1])])

    @property
    def panel(self) -> int:
        """Sessions on which every hint is tried first."""
        return int(self.bounds[0])

    @property
    def first(self) -> int:
        """The first row that may be visited."""
        return int(self.bounds[1])

    @property
    def known(self) -> int:
        """Cells that had been paid for before."""
        return int(self.paid.sum())

    @property
    def plain(self) -> float:
        """NDCG@10 of the test sessions without a hint."""
        return float(self.test_ndcg[:, 0].mean())


async def build_tables(domain: str, test: Path, path: Path) -> None:
    """Try every hint on every session, and write the tables."""
    from re2llm.data.malformed import ReadReport
    from re2llm.data.session_file import read_sessions
    from re2llm.knowledge.hint_store.hints import hint_key
    from re2llm.operations.catalogue.titles import in_catalogue
    from re2llm.operations.sessions.selection import selected_sessions
    from re2llm.operations.training.few_cells import panel_size
    from re2llm.operations.training.own_cells import own_cells
    from re2llm.operations.training.training_set import draw_training_set, promising_hints
    from re2llm.ranking.gather import gather
    from re2llm.ranking.hints.panels import unbiased_sessions
    from re2llm.ranking.hints.rewards import RewardTable
    from re2llm.ranking.hints.trials import resolve_session, try_hint
    from re2llm.ranking.policy_inputs import hint_features, session_state
    from re2llm.runtime.context import Context
    from re2llm.runtime.options import resolve_context
    from re2llm.runtime.progress import silent

    options = await resolve_context(Context(domain=domain, command="train"))
    drawn = await draw_training_set(options, await selected_sessions(options), silent)
    states = [await resolve_session(domain, key, options) for key in drawn.sessions]
    _, hints = await promising_hints(options)
    texts = [hint.text for hint, _ in hints]
    table = await RewardTable.of(drawn.domain_id, states, [hint for hint, _ in hints], options)
    every = range(len(states))
    paid = np.isfinite(table.known(every))
    actions = np.arange(1, len(texts) + 1)
    for row in every:
        print(f"training session {row + 1:,} of {len(states):,}", end="\r", flush=True)
        await table.rewards(np.full_like(actions, row), actions)
    unseen: list[Any] = []
    async with in_catalogue(options, None) as finder:
        for session in read_sessions(test, ReadReport()):
            asked: Any = {
                "history": list(session.history),
                "target": session.target,
                "candidates": list(session.candidates or ()) or None,
            }
            unseen.append({**asked, **await gather(finder.domain, asked, options)})
    ndcg: list[list[float]] = []
    for row, state in enumerate(unseen, 1):
        print(f"test session {row:,} of {len(unseen):,}", end="\r", flush=True)
        tried = [try_hint(state, text, options) for text in (None, *texts)]
        ndcg.append([trial.ndcg for trial in await asyncio.gather(*tried)])
    np.savez_compressed(
        path,
        gains=table.known(every),
        paid=paid,
        own=await own_cells(states, hints, options),
        states=np.stack([session_state(state, "content") for state in states]),
        sessions=np.array(drawn.sessions),
        embeddings=hint_features(hints).embeddings,
        hint_keys=np.array([hint_key(text) for text in texts], dtype="V"),
        test_ndcg=np.array(ndcg),
        test_states=np.stack([session_state(state, "content") for state in unseen]),
        bounds=np.array(
            [
                panel_size(len(states), options.settings, all_hints=False),
                unbiased_sessions(options.settings),
            ]
        ),
    )
