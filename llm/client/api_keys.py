"""Makes sure that an API key can be sent at all, before anything is."""

from __future__ import annotations

import os

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from ...errors import InputError
from ...settings import Settings

_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_SHORTEST = 6
"""A shorter key is a word, such as the "none" of a server without keys."""
_LONGEST = 16_000
_PROVIDERS_OWN = {"openai:": "OPENAI_API_KEY"}


def api_key_of(settings: Settings, model: str, *, reflects: bool = False) -> SecretStr | None:
    """Return a model's key as it can be sent, or `None` to leave it to the provider's package.

    Args:
        model: Its name.
        reflects: Take the key of the reflecting model, if it has one of its own.

    Raises:
        InputError: The key holds what no header can; the message names the setting.
    """
    if reflects and settings.reflect_api_key:
        return cleaned("RE2LLM_REFLECT_API_KEY", settings.reflect_api_key)
    if settings.api_key:
        return cleaned("RE2LLM_API_KEY", settings.api_key)
    for prefix, variable in _PROVIDERS_OWN.items():
        if model.startswith(prefix) and os.environ.get(variable):
            return cleaned(variable, SecretStr(os.environ[variable]))
    return None


def cleaned(setting: str, key: SecretStr) -> SecretStr:
    """Return a key without the line end, blanks and quotes around it.

    Args:
        setting: The setting that it comes from.

    Raises:
        InputError: It is empty, or holds blanks or characters that no header can hold.
    """
    text = key.get_secret_value().strip("\ufeff\u200b \t\r\n\0")
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    if not text:
        raise InputError(setting, "It holds no key.", "Set the key, or leave it unset.")
    if text.lower().startswith("bearer "):
        raise InputError(
            setting, "It begins with the word Bearer.", "Set the key alone; re2llm adds the word."
        )
    if len(text) > _LONGEST:
        raise InputError(setting, "It is too long for a key.", "Copy the key again.")
    if any(character.isspace() for character in text):
        raise InputError(
            setting,
            "There is a blank or a line end inside it.",
            "Copy the key again, in one piece.",
        )
    if not text.isascii() or not text.isprintable():
        raise InputError(
            setting,
            "It holds a character that no API key can have, such as a dash or dots of typography.",
            "Copy the key again; what a web page shows may be shortened.",
        )
    return SecretStr(text)


def secrets_of(model: BaseChatModel) -> list[str]:
    """Return what a chat model keeps secret, such as its key, the longest first.

    Args:
        model: A model of any provider's package.
    """
    held = [value for value in vars(model).values() if isinstance(value, SecretStr)]
    texts = {value.get_secret_value() for value in held}
    return sorted((text for text in texts if len(text) >= _SHORTEST), key=len, reverse=True)
