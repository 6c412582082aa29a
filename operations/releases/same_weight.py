"""Tells which logged rankings had the weight that a release gives to the model's opinion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection

from ...knowledge.domains import Domain
from ...knowledge.fusions import weighed_since
from ...knowledge.log.feedback import Decision
from ...knowledge.releases import RELEASE
from ...policies.fusion import Fusion
from ...ranking.opinion import fusion_of, learned_fusion
from ...ranking.serving_state import serving_state_of
from ...ranking.state import RecommendState
from ...runtime.domain_cache import evidence_of
from ...runtime.options import RunOptions


async def of_same_weight(
    connection: AsyncConnection,
    decisions: Sequence[Decision],
    release: int,
    options: RunOptions,
    domain: Domain,
) -> tuple[list[Decision], Fusion]:
    """Return the decisions that were ranked as the release would rank with the same hints.

    Of several policies that a hint was drawn from, all must weigh alike: the log knows how likely
    the hint was, but not the weight. What no release chose has the weight of the release that was
    active: it counts from when that was last activated, since earlier ones are not known for sure.

    Args:
        connection: To the database.
        decisions: Decisions with hints that were drawn.
        release: Its number.
        domain: The domain.

    Returns:
        Those decisions, and the weight of the release.
    """
    serving = await serving_state_of(options, domain.name)
    options = replace(options, serving_state=serving)
    warm = bool(await evidence_of(options.services, serving.domain))
    known: dict[str, list[Fusion]] = {}

    async def weights(policy: str) -> list[Fusion]:
        """Return what a policy weighs with a hint, and without one."""
        if policy not in known:
            known[policy] = []
            for hinted in (True, False):
                learned = await learned_fusion(domain.name, policy, options, hinted=hinted)
                state: dict[str, object] = {**learned, "evidence": [[]] if warm else []}
                known[policy].append(fusion_of(cast("RecommendState", state)))
        return known[policy]

    own = await weights(f"{RELEASE}{release}")

    async def fits(policy: str) -> bool:
        # Only a release may draw no hint, and all that it may draw must count or nothing.
        kinds = 2 if policy.startswith(RELEASE) else 1
        pairs = zip((await weights(policy))[:kinds], own, strict=False)
        return all(mine.ranks_as(its) for mine, its in pairs)

    async def since(policy: str) -> dt.datetime | None:
        """Return since when a policy weighs as it does now; `None` if it always did."""
        if policy.startswith(RELEASE) or options.fuse != "learned":
            return None
        learned = await learned_fusion(domain.name, policy, options, hinted=True)
        weight_of = learned.get("weight_of")
        return await weighed_since(connection, domain.id, options.prompted_model, weight_of)

    policies = {policy for one in decisions for policy in one.policies}
    start = {policy: await since(policy) for policy in policies if await fits(policy)}

    def counts(decision: Decision, policy: str) -> bool:
        if policy not in start:
            return False
        begun, made = start[policy], decision.made_at
        return begun is None or made is None or made >= begun

    fitting = [one for one in decisions if all(counts(one, policy) for policy in one.policies)]
    return fitting, own[0]
