"""Makes the chat model that a setting names."""

from __future__ import annotations

from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from ...errors import InputError
from ...settings import OFFLINE_MODEL, Settings, setting_sources
from ..errors.network_settings import network_fault
from ..offline import OfflineRanker
from .api_keys import api_key_of
from .base_urls import cleaned_url

_OPENAI = "openai"
_EXAMPLE = "openai:gpt-4.1-mini"
_LONGEST_SHOWN_KEY = 3
"""Characters of a key that gives no access: servers that ask for none get one such as `x`."""


def make_chat_model(
    settings: Settings,
    name: str | None = None,
    *,
    reflects: bool = False,
    option: str = "model",
) -> BaseChatModel:
    """Make a chat model. Blocks: providers' packages are imported on demand.

    Args:
        name: `offline`, or a provider and a name such as `openai:gpt-4.1-mini`; unset takes the
            settings' model.
        reflects: Take the server and the key of the reflecting model.
        option: The run's option to name in errors, if it has another name than the setting.

    Raises:
        InputError: No provider is named, or an unknown one; its package is missing, or it has no
            usable key.
    """
    name = name or settings.model
    if name == OFFLINE_MODEL:
        return OfflineRanker()
    options: dict[str, Any] = {
        "temperature": settings.temperature,
        "timeout": settings.request_timeout,
        "max_retries": 0,  # `Endpoint` retries, and nothing else
    }
    if settings.max_answer_tokens:
        options["max_tokens"] = settings.max_answer_tokens
    server = model_server(settings, reflects=reflects)
    if server:
        options["base_url"] = server
    key = api_key_of(settings, name, reflects=reflects)
    if key:
        options["api_key"] = key.get_secret_value()
    try:
        provider, model = _provider_and_model(name)
        if provider == _OPENAI:
            from .openai_server import openai_server  # noqa: PLC0415  # imported on demand

            return openai_server(model, options)
        # With a provider of its own: LangChain guesses one where it does not know a name's prefix.
        return init_chat_model(model, model_provider=provider, **options)  # pyright: ignore[reportUnknownVariableType]  # open overloads
    except Exception as error:  # noqa: BLE001  # each provider's package raises types of its own
        reason, remedy = network_fault(error) or _reason(error, key)
        field = _setting_of(settings, name, reflects=reflects) or option
        place = " in .env" if setting_sources().get(field) == ".env" else ""
        problem = f"The model {name!r}{place} cannot be created ({reason})."
        raise InputError(field, problem, remedy) from None


def _reason(error: Exception, key: SecretStr | None) -> tuple[str, str]:
    """Return why a model cannot be made, without its key, and what to do."""
    reason = str(error).splitlines()[0]
    text = key.get_secret_value() if key else ""
    if len(text) > _LONGEST_SHOWN_KEY:  # a shorter one is part of many words
        reason = reason.replace(text, "**********")
    if isinstance(error, ImportError):
        return reason, "Install that package in the environment of re2llm."
    return reason, (
        "Write it as openai:NAME, set RE2LLM_API_KEY, and RE2LLM_BASE_URL for your own server; or "
        "take the model offline."
    )


def _provider_and_model(name: str) -> tuple[str, str]:
    """Split a name, in the one spelling under which prices and the ledger have it.

    Raises:
        ValueError: It is not in that spelling.
    """
    provider, colon, model = (part.strip() for part in name.partition(":"))
    usual = f"{provider}:{model}"
    if not colon:
        usual = f"{_OPENAI}:{provider}"
    elif not (provider and model):
        usual = _EXAMPLE
    if usual != name:
        problem = f"it must be a provider and a name, such as {usual!r}"
        raise ValueError(problem)
    # LangChain would take other spellings of a provider.
    if provider != provider.lower().replace("-", "_"):
        problem = f"Unsupported provider={provider!r}."
        raise ValueError(problem)
    return provider, model


def _setting_of(settings: Settings, name: str, *, reflects: bool) -> str | None:
    """Return the setting that holds a model's name, if one does."""
    held = {"RE2LLM_MODEL": settings.model, "RE2LLM_REFLECT_MODEL": settings.reflect_model}
    names = [setting for setting, its in held.items() if its == name]
    return names[-1 if reflects else 0] if names else None


def model_server(settings: Settings, *, reflects: bool = False) -> str | None:
    """Return the base URL of a model's server, or `None` for the provider's own.

    Raises:
        InputError: It cannot be asked; the message names the setting.
    """
    if reflects and settings.reflect_base_url:
        return cleaned_url("RE2LLM_REFLECT_BASE_URL", settings.reflect_base_url)
    return cleaned_url("RE2LLM_BASE_URL", settings.base_url) if settings.base_url else None
