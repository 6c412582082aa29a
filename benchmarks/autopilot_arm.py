"""One run of `benchmarks.autopilot`: viewers at a real server, with the autopilot or without it."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Date, literal

from benchmarks.serve import running

DOMAIN = "films"
_VIEWERS, _SESSIONS, _SEED = 50, 2, 1_000
"""Whose sessions are known before the first request; other people than those who ask."""
_ANSWERED = 0.8
_CYCLES = 20
"""A simulated day."""
_AT_ONCE = 8
_WINDOW = 5
"""Seconds: viewers say at once what they picked, and hours of theirs pass in seconds."""
_START = dt.date(2030, 1, 1)


@dataclass(frozen=True, slots=True)
class Run:
    """What is played.

    Attributes:
        piloted: Whether the autopilot is on.
        requests: How many come.
        days: Simulated days that they take.
        usd: What may be spent a day.
        seed: Of the viewers.
    """

    piloted: bool
    requests: int
    days: int
    usd: float
    seed: int


@dataclass(slots=True)
class Played:
    """What came of it so far."""

    rewards: list[float]
    phases: list[int]
    marks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    days: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    decisions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


async def run_arm(run: Run, folder: Path) -> dict[str, Any]:
    """Play one run.

    Args:
        run: What to play.
        folder: For the server's log; the home is in the environment.
    """
    from re2llm.data.sample import TasteModel, sample_items, simulate_sessions
    from re2llm.operations.loading.load import load_domain
    from re2llm.runtime.sharing import close_shared_services, shared_services

    from benchmarks.autopilot_simulation.viewers import PHASES, DriftingViewers

    services = await shared_services()
    known = simulate_sessions(
        _VIEWERS,
        seed=run.seed + _SEED,
        sessions_per_viewer=_SESSIONS,
        model=TasteModel(moods=PHASES[0].moods),
    )
    await load_domain(services, DOMAIN, sample_items(), [lambda _: known])
    viewers = DriftingViewers(run.requests, answered=_ANSWERED, seed=run.seed)
    played = Played([0.0] * run.requests, [0] * run.requests)
    length = run.requests / run.days
    with running(folder, dict(os.environ), 1) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=300) as http:
            pilot = await _Pilot.on(run, played) if run.piloted else None
            step = max(round(length / _CYCLES), 1)
            for first in range(0, run.requests, step):
                numbers = range(first, min(first + step, run.requests))
                await _send(http, viewers, numbers, played)
                if pilot is not None:
                    await pilot.cycle(numbers[-1] + 1, int(first / length))
                if first // (step * _CYCLES) != (first + step) // (step * _CYCLES):
                    _say(run, first + step, played)
            if pilot is not None:
                await pilot.end(run.days)
                await pilot.close()
    await close_shared_services()
    return {
        "rewards": played.rewards,
        "phases": played.phases,
        "marks": played.marks,
        "days": played.days,
        "decisions": played.decisions,
    }


async def _send(http: httpx.AsyncClient, viewers: Any, numbers: range, played: Played) -> None:
    from re2llm.rank_metrics import ndcg

    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            visit = viewers.visit(number)
            body = {
                "history": visit.session.history,
                "candidates": visit.session.candidates,
                "user": f"viewer-{visit.viewer}",
                "domain": DOMAIN,
            }
            asked = await http.post("/v1/recommend", json=body)
            answer = asked.raise_for_status().json()
            ranking, target = answer["ranking"], visit.session.target
            played.rewards[number] = ndcg(ranking.index(target) + 1) if target in ranking else 0.0
            played.phases[number] = visit.phase
            if visit.answers:
                told = {"recommendation_id": answer["recommendation_id"], "picked": target}
                given = await http.post("/v1/feedback", json={**told, "domain": DOMAIN})
                given.raise_for_status()

    await asyncio.gather(*map(one, numbers))


class _Pilot:
    """Runs the autopilot's cycles and a worker, and writes down what happens."""

    def __init__(self, context: Any, played: Played, stop: asyncio.Event) -> None:
        self._context = context
        self._played = played
        self._stop = stop
        self._worker: asyncio.Task[None] | None = None
        self._day = 0
        self._rollout = 0
        self._ended = 0

    @classmethod
    async def on(cls, run: Run, played: Played) -> _Pilot:
        from re2llm.jobs.autopilot.switch import turn_on
        from re2llm.jobs.worker.worker import work
        from re2llm.policies.autopilot.plan import AutopilotPlan
        from re2llm.policies.rollout.plan import Plan
        from re2llm.runtime.context import Context

        stop = asyncio.Event()
        pilot = cls(Context(domain=DOMAIN), played, stop)
        _begin_day(0)
        canary = Plan(
            steps=(50, 100),
            hold=100,
            most=max(run.requests // 5, 500),
            effect=0.05,
            goal="not_worse",
            window=_WINDOW,
        )
        plan = AutopilotPlan(
            usd_per_day=run.usd,
            batch=max(20, min(100, run.requests // 100)),
            reference=max(100, run.requests // 40),
            canary=canary,
        )
        # Never due: the simulated clock says when a cycle is.
        await turn_on(pilot._context, plan, cron="0 0 29 2 1")
        pilot._worker = asyncio.create_task(work(concurrency=4, stop=stop, say=lambda _: None))
        return pilot

    async def cycle(self, request: int, day: int) -> None:
        """Run a cycle, and wait for the job that it begins."""
        from re2llm.jobs.autopilot.switch import run_once
        from re2llm.operations.autopilot.manage import resume_autopilot

        if day != self._day:
            await self.end(day)
        await self._note_rollout(request)
        shown = await run_once(self._context)
        if shown.state == "held" and self._ended < day:
            self._ended = day
            await resume_autopilot(self._context)
            self._mark(request, "resume", "A person has looked.")
            return
        for _ in range(3):  # what follows a step at once, such as training after learning
            last = shown.decisions[0]
            if shown.state == "held" or last.action == "wait":
                break
            self._mark(request, last.action, last.words)
            self._played.decisions.append({"request": request, **last.model_dump()})
            if last.job is not None:
                await self._until_done(last.job)
            shown = await run_once(self._context)
        last = shown.decisions[0]
        if last.action == "hold" and last.times == 1 and not self._is_marked("hold"):
            self._ended = day
            self._mark(request, "hold", last.words)

    async def end(self, day: int) -> None:
        """Write down what the day has cost, and begin another."""
        from re2llm.operations.autopilot.manage import show_autopilot

        use = (await show_autopilot(self._context)).days[0]
        self._played.days.append({"number": self._day, **use.model_dump()})
        self._day = day
        _begin_day(day)

    async def close(self) -> None:
        """Let the worker leave."""
        self._stop.set()
        if self._worker is not None:
            await self._worker

    async def _note_rollout(self, request: int) -> None:
        from re2llm.errors import InputError
        from re2llm.operations.releases.rollouts import show_canary

        try:
            rollout = await show_canary(self._context)
        except InputError:
            return
        done = rollout.state in {"promoted", "taken_back"}
        if done and rollout.number > self._rollout:
            self._rollout = rollout.number
            self._mark(request, rollout.state, rollout.words)

    async def _until_done(self, job: str) -> None:
        from re2llm.jobs.queue.control import job as status

        while (await status(self._context, job)).job.state == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    def _is_marked(self, what: str) -> bool:
        held = [mark["what"] for mark in self._played.marks if mark["what"] in {"hold", "resume"}]
        return bool(held) and held[-1] == what

    def _mark(self, request: int, what: str, words: str) -> None:
        self._played.marks.append({"request": request, "what": what, "words": words})
        print(f"  {request:>7,}  {what}: {words}", file=sys.stderr, flush=True)


def _begin_day(number: int) -> None:
    """Have autopilots' budgets count by a simulated day, in this process."""
    from re2llm.knowledge.autopilot import days

    days.TODAY = literal(_START + dt.timedelta(days=number), Date)


def _say(run: Run, request: int, played: Played) -> None:
    done = played.rewards[max(0, request - 200) : request]
    name = "with" if run.piloted else "without"
    print(f"{name:>8} {request:>7,}  {sum(done) / len(done):.3f}", file=sys.stderr, flush=True)
