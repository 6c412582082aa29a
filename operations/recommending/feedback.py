"""Stores what a person did with a recommendation."""

from __future__ import annotations

from functools import partial

from ...knowledge.autopilot.autopilots import takes_misses
from ...knowledge.log.feedback import store_feedback
from ...knowledge.log.recommendations import shown_ranking
from ...ranking.rollouts import look_soon
from ...runtime.context import Context
from ...runtime.options import resolve_context
from ..catalogue.titles import in_catalogue
from ..database import in_domain
from ..learning.from_feedback import learn_from_feedback
from ..results import FeedbackStored


async def give_feedback(
    context: Context,
    recommendation_id: str,
    picked: str | None,
    *,
    domain: str | None = None,
    learn: bool = True,
) -> FeedbackStored:
    """Store what a person did with a recommendation, and learn from a miss in the background.

    Args:
        picked: The chosen item, id or title; `None` for none of these.
        domain: The recommendation's domain; `None` takes the context's.
        learn: Whether a miss may start learning.

    Raises:
        Re2llmError: There is no such recommendation or item, or other feedback is stored already.
    """
    options = await resolve_context(context)
    item = None
    if picked is not None:
        async with in_catalogue(options, domain) as finder:
            async with finder.connect() as connection:
                ranking = await shown_ranking(connection, finder.domain.id, recommendation_id)
            (item,) = await finder.resolve([picked], "picked", likely=ranking)
    async with in_domain(options, domain, write=True) as (connection, found):
        stored = await store_feedback(
            connection, found, recommendation_id, item and item.id, source=options.source
        )
        waits = stored.missed and await takes_misses(connection, found.id)
    if stored.rollout is not None:
        look_soon(options.services, stored.rollout)
    settings = options.settings
    # Learning is paid for by the server.
    may_learn = options.caller is None or "learn" in options.caller.grants.may
    teaches = (
        learn
        and may_learn
        and stored.missed
        and not waits
        and settings.feedback_calls > 0
        and stored.model == settings.model
    )
    if teaches and stored.new:
        options.services.background.send(
            "learning from feedback", partial(learn_from_feedback, options.services)
        )
    return FeedbackStored(
        recommendation_id=stored.recommendation_id,
        picked=stored.picked,
        title=item and item.title,
        rank=stored.rank,
        reward=stored.reward,
        missed=stored.missed,
        new=stored.new,
        learning=teaches,
    )
