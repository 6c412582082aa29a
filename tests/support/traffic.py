"""Viewers of the sample films who send requests and feedback to a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from re2llm.benchmarks.rollout_simulation.rewards import reward_model
from re2llm.data.sample import simulate_sessions
from re2llm.rank_metrics import ndcg

_RANKS = 10


@dataclass(slots=True)
class Traffic:
    """What became of some requests.

    Attributes:
        requests: Sent.
        canary: Served by the release that is rolled out.
        answered: With feedback.
        failed: Without an answer, or whose feedback was refused.
    """

    requests: int = 0
    canary: int = 0
    answered: int = 0
    failed: int = 0


class Viewers:
    """People with drifting tastes, whose true difference of reward between two releases is set.

    Each viewer's sessions are of the sample's simulator, in which tastes drift. What they pick
    is drawn by rank, so that its reward has the distribution that was set for the release that
    served them, whatever the releases are.

    Args:
        observed: Rewards to draw like, such as NDCG@10 of earlier feedback.
        delta: Mean reward with the canary minus without it.
        people: How many viewers.
        answered: Part of requests that get feedback.
        release: Number of the release that is rolled out.
        seed: Of everything.
    """

    def __init__(
        self,
        observed: Sequence[float],
        *,
        delta: float,
        people: int,
        answered: float = 0.6,
        release: int = 2,
        seed: int = 0,
    ) -> None:
        self.unsteady = 0
        self._rewards = reward_model(observed, delta=delta)
        self._sessions = simulate_sessions(people, seed=seed)
        self._people = people
        self._answered = answered
        self._canary = f"ppo:{release}"
        self._rng = np.random.default_rng(seed)
        self._had = set[int]()
        self._sent = 0

    def request(self, domain: str, person: int) -> dict[str, Any]:
        """Return a request of a viewer, in one of their sessions."""
        per_person = len(self._sessions) // self._people
        session = self._sessions[person * per_person + self._sent % per_person]
        return {"domain": domain, "history": list(session.history), "user": f"viewer-{person}"}

    async def send(
        self, http: httpx.AsyncClient, domain: str, *, requests: int, at_once: int = 8
    ) -> Traffic:
        """Send requests, and feedback on a part of the answers.

        Args:
            http: With the server's address and, if it asks for one, a key.
            domain: The sample films' domain on it.
            requests: How many.
            at_once: How many at a time.
        """
        traffic = Traffic()
        turns = asyncio.Semaphore(at_once)

        async def one(person: int) -> None:
            async with turns:
                try:
                    await self._visit(http, domain, person, traffic)
                except httpx.TransportError:
                    traffic.failed += 1

        people = self._rng.integers(0, self._people, requests).tolist()
        await asyncio.gather(*(one(person) for person in people))
        return traffic

    async def _visit(
        self, http: httpx.AsyncClient, domain: str, person: int, traffic: Traffic
    ) -> None:
        asked = await http.post("/v1/recommend", json=self.request(domain, person))
        self._sent += 1
        traffic.requests += 1
        if asked.is_error:
            traffic.failed += 1
            return
        answer = asked.json()
        canary = answer["hint"]["policy"] == self._canary
        traffic.canary += canary
        if canary:
            self._had.add(person)
        elif person in self._had:
            self.unsteady += 1
        if self._rng.random() >= self._answered:
            return
        given = await http.post(
            "/v1/feedback",
            json={
                "recommendation_id": answer["recommendation_id"],
                "picked": self._pick(answer["ranking"], person, canary=canary),
                "domain": domain,
                "learn": False,
            },
        )
        traffic.answered += 1
        traffic.failed += given.is_error

    def _pick(self, ranking: Sequence[str], person: int, *, canary: bool) -> str | None:
        """Return an item whose rank has a reward that is drawn for this viewer."""
        kinds = self._rewards.cumulative.shape[1]
        kind = np.array([person % kinds])
        drawn = self._rewards.draw(0.0, kind, np.array([canary]), self._rng)[0]
        rank = min(range(1, _RANKS + 1), key=lambda at: abs(ndcg(at) - drawn))
        return ranking[rank - 1] if drawn > 0 else None
