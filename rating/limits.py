"""How much prompts show: what a trained rater needs, or else what the settings say."""

from __future__ import annotations

from typing import Any

from ..llm.ratings.prompt import PromptLimits
from ..settings import Settings, get_settings


def prompt_limits(settings: Settings | None = None, **values: Any) -> PromptLimits:
    """Return limits by name, for instance those of a trained rater, or else the settings'.

    Args:
        settings: `None` takes those of this process.
        values: Fields of `PromptLimits`.
    """
    settings = settings or get_settings()
    defaults: dict[str, Any] = {
        "review_characters": settings.rating_review_characters,
        "title_characters": settings.rating_title_characters,
        "style": settings.rating_prompt or "document",
    }
    return PromptLimits(**{**defaults, **values})
