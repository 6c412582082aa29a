"""Makes the chat model that a setting names."""

from __future__ import annotations

from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from ..errors import InputError
from ..settings import OFFLINE_MODEL, Settings
from .offline import OfflineRanker


def make_chat_model(settings: Settings, name: str | None = None) -> BaseChatModel:
    """Make a chat model. Blocks: providers' packages are imported on demand.

    Args:
        settings: Base URL, key, temperature and timeout.
        name: `offline`, or a provider and a name such as `openai:gpt-4.1-mini`; unset takes the
            settings' model.

    Raises:
        InputError: The provider is unknown, its package is missing, or it has no key.
    """
    name = name or settings.model
    if name == OFFLINE_MODEL:
        return OfflineRanker()
    options: dict[str, Any] = {
        "temperature": settings.temperature,
        "timeout": settings.request_timeout,
    }
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.api_key:
        options["api_key"] = settings.api_key.get_secret_value()
    try:
        return init_chat_model(name, **options)  # pyright: ignore[reportUnknownVariableType]  # open overloads
    except Exception as error:  # each provider's package raises types of its own
        raise InputError(
            "RE2LLM_MODEL",
            f"The model {name!r} cannot be made ({str(error).splitlines()[0]}).",
            "Write it as openai:NAME, set RE2LLM_API_KEY, and RE2LLM_BASE_URL for your own server; "
            "or use RE2LLM_MODEL=offline.",
        ) from error
