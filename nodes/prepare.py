"""Node `prepare`: checks the request, and gathers what the ranking needs."""

from __future__ import annotations

import time

from ..ranking.gather import gather
from ..ranking.offered import offered
from ..ranking.request import read_request
from ..ranking.serving_state import domain_for
from ..ranking.state import RecommendResult, RecommendState
from ..records import Flag
from ..runtime.node import Update, first_node
from ..runtime.options import RunOptions

_MODEL_SHARE = 0.9
"""The model's share of a request's time. The rest is for all other work, which is slow on a busy
server."""


@first_node(RecommendResult)
async def prepare(state: RecommendState, options: RunOptions) -> Update:
    """Check the request and gather what the ranking needs.

    Returns:
        Resolved items, evidence and the session embedding.
    """
    # Titles of the request may have been looked up before.
    known = options.serving_state
    began = time.time() if known is None else known.read_at
    request = read_request(state, options.settings.max_candidates)
    checked: RecommendState = {
        **state,
        "history": request.history,
        "candidates": request.candidates,
    }
    domain = await domain_for(options, request.domain or options.domain)
    # Sessions of the past keep what they listed, whether they teach or measure.
    if state.get("target") is None and not options.past_session:
        checked["candidates"] = await offered(options.services, domain, request.candidates)
    gathered = await gather(domain, checked, options)
    left_out = checked["candidates"] != request.candidates
    return {
        **gathered,
        "flags": [*gathered["flags"], *([Flag.WITHDRAWN] if left_out else [])],
        "history": request.history,
        "shown": request.k,
        "requester": request.user,
        "deadline_at": began + _MODEL_SHARE * options.settings.deadline,
    }
