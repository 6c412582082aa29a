"""Node `prepare_rating`: checks the request, and writes the same prompt as training."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import convert_to_openai_messages

from ...llm.ratings.prompt import rating_messages, rating_prompt_version
from ...rating.limits import prompt_limits
from ...rating.request import RatingRequest, rating_task, refuse_unknown_parts
from ...runtime.node import Update, first_node
from ...runtime.options import RunOptions
from .state import RatingResult, RatingState

_FIELDS = tuple(RatingRequest.model_fields)


@first_node(RatingResult)
async def prepare_rating(state: RatingState, options: RunOptions) -> Update:
    """Return the prompt, the scale, and a rating to fall back to."""
    given: dict[str, Any] = {name: state[name] for name in _FIELDS if state.get(name) is not None}
    task = rating_task(given)
    refuse_unknown_parts(given)
    limits = prompt_limits(options.settings)
    middle = (task.scale.low + task.scale.high) / 2
    means = [mean for mean in (task.user_mean, task.item_mean, middle) if mean is not None]
    return {
        "prompt": convert_to_openai_messages(rating_messages(task, limits)),
        "prompt_version": rating_prompt_version(limits),
        "scale": [task.scale.low, task.scale.high],
        "fallback": task.scale.nearest(round(means[0], 2)),
    }
