"""Names the settings that the reflecting model has of its own."""

from __future__ import annotations

from ...settings import Settings


def in_reflecting_settings(remedy: str, settings: Settings, *, named: bool) -> str:
    """Return what to do about a failure of the reflecting model.

    Args:
        remedy: As it is for the ranking model.
        named: Whether the reflecting model is another one.
    """
    own = (
        (named, "`--model` or RE2LLM_MODEL", "RE2LLM_REFLECT_MODEL"),
        (settings.reflect_base_url, "RE2LLM_BASE_URL", "RE2LLM_REFLECT_BASE_URL"),
        (settings.reflect_api_key, "RE2LLM_API_KEY", "RE2LLM_REFLECT_API_KEY"),
    )
    for has, setting, its_own in own:
        if has:
            remedy = remedy.replace(setting, its_own)
    return remedy
