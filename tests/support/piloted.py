"""What people do, for the tests of autopilots."""

from __future__ import annotations

import datetime as dt
import uuid

from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.log_tables import FeedbackRow, RecommendationRow
from re2llm.operations.feedback import give_feedback
from re2llm.operations.recommend import recommend
from re2llm.runtime.options import Context
from re2llm.runtime.services import Services
from sqlalchemy import insert


async def missed(domain: str, count: int) -> None:
    """Have people pick what was not recommended, so many times."""
    histories = (["alien-1979", "aliens-1986"], ["psycho-1960", "vertigo-1958"])
    for number in range(count):
        answer = await recommend(Context(domain=domain), histories[number % 2], k=5)
        await give_feedback(
            Context(domain=domain), answer.recommendation_id or "", answer.ranking[-1]
        )


async def rewarded(services: Services, domain: str, rewards: list[float]) -> None:
    """Store requests whose feedback brought some rewards, in this order."""
    start = dt.datetime.now(dt.UTC)
    async with services.engine.begin() as connection:
        number = (await find_domain(connection, domain)).id
        made = [
            {
                "id": uuid.uuid4(),
                "domain_id": number,
                "history": [],
                "candidates": [],
                "ranking": [],
                "policy": "none",
                "probability": 1.0,
                "model": services.settings.model,
                "prompt_version": "",
                "flags": [],
                "latency_ms": 1.0,
                "tokens": {},
            }
            for _ in rewards
        ]
        await connection.execute(insert(RecommendationRow), made)
        await connection.execute(
            insert(FeedbackRow),
            [
                {
                    "recommendation_id": one["id"],
                    "reward": reward,
                    "created_at": start + dt.timedelta(microseconds=place),
                }
                for place, (one, reward) in enumerate(zip(made, rewards, strict=True))
            ],
        )
