"""What people do, for the tests of autopilots."""

from __future__ import annotations

from re2llm.operations.feedback import give_feedback
from re2llm.operations.recommend import recommend
from re2llm.runtime.options import Context


async def missed(domain: str, count: int) -> None:
    """Have people pick what was not recommended, so many times."""
    histories = (["alien-1979", "aliens-1986"], ["psycho-1960", "vertigo-1958"])
    for number in range(count):
        answer = await recommend(Context(domain=domain), histories[number % 2], k=5)
        await give_feedback(
            Context(domain=domain), answer.recommendation_id or "", answer.ranking[-1]
        )
