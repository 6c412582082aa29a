"""A process makes each chat model once, however many ask for it first."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from re2llm.errors import InputError
from re2llm.llm.client.factory import make_chat_model
from re2llm.llm.offline import OfflineRanker
from re2llm.runtime import chat_models
from re2llm.runtime.chat_models import ChatModels
from re2llm.runtime.services import Services
from re2llm.settings import Settings


async def test_all_who_ask_first_get_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(settings: Settings, name: str, *, reflects: bool, option: str) -> OfflineRanker:
        del settings, reflects, option
        made.append(name)
        time.sleep(0.05)  # as providers' packages take
        return OfflineRanker()

    monkeypatch.setattr(chat_models, "make_chat_model", make)
    models = ChatModels(lambda: services.settings, services.engine)
    asked = [models.endpoint(name) for name in ("openai:a", "openai:b") for _ in range(20)]
    found = await asyncio.gather(*asked)
    assert sorted(made) == ["openai:a", "openai:b"]
    assert len({id(endpoint) for endpoint in found}) == 2


async def test_one_that_cannot_be_made_is_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ChatModels(lambda: services.settings, services.engine)
    with pytest.raises(InputError):
        await models.endpoint("no-such-provider:x")
    monkeypatch.setattr(chat_models, "make_chat_model", lambda *_, **__: OfflineRanker())
    assert await models.endpoint("no-such-provider:x")


@pytest.mark.parametrize(
    ("name", "reflects", "field"),
    [
        ("none:ranks", False, "RE2LLM_MODEL"),
        ("none:ranks", True, "RE2LLM_MODEL"),
        ("none:reflects", True, "RE2LLM_REFLECT_MODEL"),
        ("none:asked", False, "model"),
        ("none:asked", True, "reflect_model"),
    ],
)
async def test_an_error_names_where_the_model_was_named(
    services: Services, name: str, reflects: bool, field: str
) -> None:
    settings = Settings(model="none:ranks", reflect_model="none:reflects")
    models = ChatModels(lambda: settings, services.engine)
    option = "reflect_model" if reflects else "model"
    with pytest.raises(InputError) as caught:
        await models.endpoint(name, reflects=reflects, option=option)
    assert caught.value.field == field


async def test_an_error_tells_that_the_name_stands_in_a_file(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RE2LLM_MODEL", raising=False)
    (tmp_path / ".env").write_text("RE2LLM_MODEL=none:x\n")
    models = ChatModels(Settings, services.engine)
    with pytest.raises(InputError, match=r"RE2LLM_MODEL: The model 'none:x' in \.env cannot"):
        await models.endpoint("none:x")


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("gpt-4.1-mini", "openai:gpt-4.1-mini"),
        ("openai/gpt-4.1-mini", "openai:openai/gpt-4.1-mini"),
        ("openai: gpt-4.1-mini", "openai:gpt-4.1-mini"),
        (" openai:gpt-4.1-mini\n", "openai:gpt-4.1-mini"),
        ("openai :gpt-4.1-mini", "openai:gpt-4.1-mini"),
        ("openai:", "openai:gpt-4.1-mini"),
        ("azure_openai: ", "openai:gpt-4.1-mini"),
        (":gpt-4.1-mini", "openai:gpt-4.1-mini"),
    ],
)
def test_a_name_without_a_provider_or_in_another_spelling_is_refused(name: str, usual: str) -> None:
    """LangChain would guess who is asked, and prices are known by one spelling."""
    settings = Settings(model=name, api_key=SecretStr("sk-none"))
    with pytest.raises(InputError) as caught:
        make_chat_model(settings)
    assert f"such as {usual!r}" in caught.value.problem
    assert caught.value.field == "RE2LLM_MODEL"


@pytest.mark.parametrize(
    "name", ["gpt-oss:20b", "o3:x", "DeepSeek-R1:7b", "mistral:7b", "OpenAI:x"]
)
def test_no_provider_is_guessed_by_what_stands_before_a_colon(name: str) -> None:
    """Ollama's names of models have a colon."""
    with pytest.raises(InputError, match=r"Unsupported provider.*Write it as openai:NAME"):
        make_chat_model(Settings(api_key=SecretStr("sk-none")), name)


@pytest.mark.parametrize("name", ["openai:gpt-oss:20b", "openai:org/Model-7B"])
def test_a_models_own_name_may_hold_anything(name: str) -> None:
    made: Any = make_chat_model(Settings(api_key=SecretStr("sk-none")), name)
    assert made.model_name == name.partition(":")[2]
