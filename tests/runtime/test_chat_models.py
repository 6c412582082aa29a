"""A process makes each chat model once, however many ask for it first."""

import asyncio
import time

import pytest
from re2llm.errors import InputError
from re2llm.llm.offline import OfflineRanker
from re2llm.runtime import chat_models
from re2llm.runtime.chat_models import ChatModels
from re2llm.runtime.services import Services
from re2llm.settings import Settings


async def test_all_who_ask_first_get_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(settings: Settings, name: str, *, reflects: bool) -> OfflineRanker:
        del settings, reflects
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
