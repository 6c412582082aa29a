"""Two releases of a domain that choose different hints, and viewers who pick by what they got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from prompts import ALONE_VERSION
from re2llm.data.sample import sample_items
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint
from re2llm.knowledge.releases import Release, activate_release, store_release
from re2llm.knowledge.rollouts.rollouts import latest_rollout
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.policies.networks import PaperConfig, PaperPolicy
from re2llm.policies.recipes import default_config
from re2llm.policies.weights import dump_policy
from re2llm.runtime.services import Services
from sqlalchemy import text

FILM_IDS = [item.id for item in sample_items()]
HINTS = ("Look for space and aliens.", "Prefer films by the directors of the most recent films.")


@dataclass(frozen=True)
class TwoReleases:
    """A domain whose release 1 is active and gives one hint, while release 2 gives the other."""

    domain: str
    domain_id: int
    hints: tuple[int, int]


async def two_releases(services: Services, domain: str) -> TwoReleases:
    """Store two releases of the recipe `paper`, each with a hint of its own."""
    vectors = services.embedder.encode(list(HINTS))
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        ids = []
        for words, vector in zip(HINTS, vectors, strict=True):
            number, _ = await add_hint(connection, found.id, words, vector, provenance={})
            ids.append(number)
        for favourite in (1, 2):
            number = await store_release(connection, found.id, _release(ids, favourite))
            if number == 1:
                await activate_release(connection, found.id, number)
    return TwoReleases(domain, found.id, (ids[0], ids[1]))


def _release(hints: list[int], favourite: int) -> Release:
    policy = PaperPolicy(PaperConfig(384, len(hints)))
    head = policy.actor[-1]
    with torch.no_grad():  # the same in every state
        head.weight.zero_()
        head.bias.zero_()
        head.bias[favourite] = 5.0
    weights, shape = dump_policy(policy)
    return Release(
        recipe="paper",
        weights=weights,
        encoder=ENCODER_ID,
        prompt_version=ALONE_VERSION,
        model="offline",
        hint_set="",
        hint_ids=hints,
        config={"policy": shape, "training": default_config("content").as_dict()},
        metrics={"gain": 0.1 * favourite},
    )


async def live_id(services: Services, there: TwoReleases) -> int:
    async with services.engine.connect() as connection:
        found = await latest_rollout(connection, there.domain_id)
    assert found is not None
    return found.id


async def fill(
    services: Services, rollout: int, step: int, *, canary: bool, source: str = "local", **arm: Any
) -> None:
    """Store exposures as if people had been served, each with its own reward."""
    statement = text("""
        WITH made AS (
            INSERT INTO re2llm.recommendation (id, domain_id, history, candidates, ranking, policy,
                probability, model, prompt_version, flags, latency_ms, tokens)
            SELECT gen_random_uuid(), domain_id, '{}', '{}', '{}', 'test', 1, 'offline', 'test',
                '{}', 1, '{}' FROM re2llm.rollout, generate_series(1, :n) WHERE id = :rollout
            RETURNING id
        )
        INSERT INTO re2llm.exposure (recommendation_id, rollout_id, step, person, canary,
            probability, differs, fallback, latency, cost, reward, picked,
            source)
        SELECT id, :rollout, :step, uuid_send(id), :canary, 0.5, true, false, 6, 7,
            CASE WHEN random() < :mean THEN 1 ELSE 0 END, true, :source FROM made
    """)
    async with services.engine.begin() as connection:
        values = {"rollout": rollout, "step": step, "canary": canary, "source": source, **arm}
        await connection.execute(statement, values)


def picked(ranking: list[str], rank: int | None) -> str | None:
    """Return the item at a rank, or `None` for none of these."""
    return None if rank is None else ranking[rank - 1]


def body(domain: str, person: int, **more: Any) -> dict[str, Any]:
    """Return a request of one of many people."""
    first, second = FILM_IDS[person % 40], FILM_IDS[40 + person % 7]
    return {"domain": domain, "history": [first, second], "user": f"viewer-{person}", **more}
