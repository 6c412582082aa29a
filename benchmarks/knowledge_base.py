"""A throw-away knowledge base of any size: the sample films, made-up hints, a policy release."""

from __future__ import annotations

import numpy as np
import torch
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pgvector.psycopg import register_vector_async
from re2llm.data.negatives import NegativeSampler
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import hint_key
from re2llm.knowledge.releases import Release, activate_release, store_release
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.llm.ranking_prompts.ranking_prompt import RANKING_PROMPT_VERSION
from re2llm.operations.loading.load import load_domain
from re2llm.policies.descriptors import DESCRIPTOR_NAMES
from re2llm.policies.hint_features import HintFeatures
from re2llm.policies.networks import ContentPolicy, Ensemble
from re2llm.policies.recipes import default_config, new_policy
from re2llm.policies.weights import dump_policy
from re2llm.prompt_versions import PromptVersion
from re2llm.records import Session
from re2llm.runtime.services import Services
from sqlalchemy import text

DOMAIN = "films"
MODEL = "at-once"
_COLUMNS = "domain_id, key, text, embedding, trials, mean_gain, gain_error, helped, harmed"
_TYPES = ["int4", "bytea", "text", "vector", "int4", "float8", "float8", "int4", "int4"]
_VIEWERS, _SEED = 160, 1


class AtOnce(BaseChatModel):
    """A chat model that ranks the candidates as they stand, at no cost of time."""

    answer: str

    @property
    def _llm_type(self) -> str:
        return "at-once"

    def _generate(self, *_: object, **__: object) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.answer))])

    async def _agenerate(self, *_: object, **__: object) -> ChatResult:
        return self._generate()  # else LangChain hands it to a thread, which takes time


async def prepare(services: Services) -> list[Session]:
    """Load the films with training sessions, and a release.

    Args:
        services: Of an empty database.

    Returns:
        Sessions of other viewers, with 50 candidates each.
    """
    films = sample_items()
    training = simulate_sessions(_VIEWERS, seed=_SEED)
    await load_domain(services, DOMAIN, films, [lambda _: training])
    services.models.register(MODEL, AtOnce(answer=f'{{"ranking": {list(range(1, 51))}}}'))
    await _release(services)
    sampler = NegativeSampler([film.id for film in films], seed=_SEED)
    fresh = simulate_sessions(_VIEWERS, seed=_SEED + 1)
    return [sampler.with_candidates(session) for session in fresh]


async def grow(services: Services, before: int, after: int) -> None:
    """Add made-up hints, whose embeddings scatter around the films'.

    Args:
        services: The database.
        before: How many there are.
        after: How many there shall be.
    """
    rng = np.random.default_rng(after)
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, DOMAIN)
        rows = await connection.execute(text("SELECT embedding::real[] FROM re2llm.item"))
        films = np.array([row[0] for row in rows], dtype=np.float32)
        # Built in one go, an index of 100,000 hints takes seconds instead of minutes.
        index = text("SELECT pg_get_indexdef('re2llm.ix_hint_meaning'::regclass)")
        definition = await connection.scalar(index)
        await connection.execute(text("DROP INDEX re2llm.ix_hint_meaning"))
        pooled = await connection.get_raw_connection()
        raw = pooled.driver_connection
        await register_vector_async(raw)
        statement = f"COPY re2llm.hint ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
        async with raw.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(_TYPES)
            for number in range(before, after):
                words = f"Made-up hint {number}: prefer what was chosen by similar people."
                vector = films[number % len(films)] + 0.05 * rng.standard_normal(films.shape[1])
                vector = (vector / np.linalg.norm(vector)).astype(np.float32)
                trials, mean = int(rng.integers(10, 300)), float(rng.normal(0.02, 0.05))
                stats = (trials, mean, 0.02, trials // 2, trials // 5)
                await copy.write_row((domain.id, hint_key(words), words, vector, *stats))
        memory = max(512, 3 * after // 1000)  # MB; an index that does not fit takes far longer
        await connection.execute(text(f"SET LOCAL maintenance_work_mem = '{memory}MB'"))
        await connection.exec_driver_sql(str(definition))
    async with services.engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await free.execute(text("VACUUM ANALYZE re2llm.hint"))


async def _release(services: Services) -> None:
    """Release a policy of the default shape; how well it chooses takes no time."""
    config = default_config("content")
    hints = HintFeatures.of(np.eye(2, 384), np.ones((2, 5)))
    states = torch.randn(64, len(DESCRIPTOR_NAMES), generator=torch.Generator().manual_seed(0))
    members = [new_policy("content", config, states, hints) for _ in range(config.members)]
    policy = Ensemble([member for member in members if isinstance(member, ContentPolicy)])
    weights, shape = dump_policy(policy)
    release = Release(
        recipe="content",
        weights=weights,
        encoder=ENCODER_ID,
        prompt_version=str(PromptVersion(RANKING_PROMPT_VERSION, expected=True)),
        model=MODEL,
        hint_set="",
        hint_ids=[],
        config={"policy": shape, "training": config.as_dict()},
        metrics={"gain": 0.0},
    )
    async with services.engine.begin() as connection:
        domain = await find_domain(connection, DOMAIN)
        number = await store_release(connection, domain.id, release)
        await activate_release(connection, domain.id, number)
