"""What people do, for the tests of autopilots."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from re2llm.jobs.schedules.schedules import Schedule, list_schedules
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.schema.autopilot import AutopilotRow
from re2llm.knowledge.schema.log import FeedbackRow, RecommendationRow
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import insert, update

WINDOW = dt.timedelta(hours=1)
"""Within which feedback counts."""


async def missed(domain: str, count: int) -> None:
    """Have people pick what was not recommended, so many times."""
    histories = (["alien-1979", "aliens-1986"], ["psycho-1960", "vertigo-1958"])
    for number in range(count):
        answer = await recommend(Context(domain=domain), histories[number % 2], k=5)
        await give_feedback(
            Context(domain=domain), answer.recommendation_id or "", answer.ranking[-1]
        )


async def a_window_ago(services: Services, domain: str) -> None:
    """Let an autopilot have begun to watch rewards as long ago as `rewarded` has them come."""
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, domain)).id
        begun = update(AutopilotRow).where(AutopilotRow.domain_id == number)
        await connection.execute(begun.values(reward_since=AutopilotRow.reward_since - WINDOW))


async def rewarded(services: Services, domain: str, rewards: list[float]) -> None:
    """Store requests, in this order, whose window for feedback is just over, and their rewards."""
    start = dt.datetime.now(dt.UTC) - WINDOW
    await served(
        services,
        domain,
        [(start + dt.timedelta(microseconds=i), 1.0, reward) for i, reward in enumerate(rewards)],
    )


async def served(
    services: Services,
    domain: str,
    visits: Sequence[tuple[dt.datetime, float, float]],
    *,
    policy: str = "static",
) -> None:
    """Store requests: when each came, after how many seconds its feedback, and its reward."""
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, domain)).id
        made = [
            {
                "id": uuid.uuid4(),
                "domain_id": number,
                "history": [],
                "candidates": [],
                "ranking": [],
                "policy": policy,
                "probability": 1.0,
                "model": services.settings.model,
                "prompt_version": "",
                "flags": [],
                "latency_ms": 1.0,
                "tokens": {},
                "created_at": moment,
            }
            for moment, _, _ in visits
        ]
        await connection.execute(insert(RecommendationRow), made)
        await connection.execute(
            insert(FeedbackRow),
            [
                {
                    "recommendation_id": one["id"],
                    "reward": reward,
                    "created_at": moment + dt.timedelta(seconds=after),
                }
                for one, (moment, after, reward) in zip(made, visits, strict=True)
            ],
        )


async def find_schedule(context: Context, name: str) -> Schedule | None:
    """Return the schedule of a name, if there is one."""
    return next((one for one in await list_schedules(context) if one.name == name), None)
