"""What the model thinks of each candidate, and what weight that has in the order."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..knowledge.releases import RELEASE
from ..llm.ranking_answers.answers import RankingAnswer
from ..policies.fusion import LEADING, REFERENCE, UNMEASURED, Fusion, fused_order
from ..rank_metrics import discount
from ..runtime.node import Update
from ..runtime.options import RunOptions
from .serving_state import serving_state_of
from .state import RecommendState

_UNIT = 0.1
"""Opinion per unit of log-probability."""


def fusion_of(state: RecommendState) -> Fusion:
    """Return how much the model's opinion counts."""
    known = state.get("fusion")
    if known is not None:
        return Fusion.of(known)
    if not state["evidence"]:
        return LEADING
    return UNMEASURED if state.get("target") is None else REFERENCE


async def learned_fusion(domain: str, chose: str, options: RunOptions, *, hinted: bool) -> Update:
    """Return what was learned about the model's opinion, as an update of the state.

    A release has its own weight, whether it gives a hint here or not. Otherwise its answers with
    and without a hint would be weighted differently. If it has none, answers without a hint have
    the weight that was measured without hints.

    Args:
        domain: The domain's name.
        chose: What chose the hint: a policy's name, or `ppo:` and the number of a release.
        hinted: Whether there is one. What was learned without a hint says nothing about hints.

    Returns:
        The update; `None` in it where nothing was learned, so that no earlier request's counts.
    """
    if options.fuse != "learned":
        return {"fusion": None, "weight_of": None}
    serving = await serving_state_of(options, domain)
    names = [chose]
    if hinted and not chose.startswith(RELEASE):
        names.append(f"{RELEASE}{serving.release}")
    if hinted or chose.startswith(RELEASE):
        names.append("ppo")  # of releases of earlier versions
    if not hinted:
        names.append("none")
    name = next((name for name in names if name in serving.fusions), None)
    return {
        "fusion": None if name is None else dict(serving.fusions[name]),
        "weight_of": name,
    }


def opinion(answer: RankingAnswer, count: int) -> Floats:
    """Return what an answer says of the candidates that the model was asked about.

    Args:
        answer: It names some of them, or has a score for each.
        count: How many it was asked about.

    Returns:
        Shape `[count]`. If the answer has scores, tenths of these log-probabilities. Otherwise the
        NDCG gain of each candidate's place, and 0 for those that it does not name. Both spread
        about as much.
    """
    values = np.zeros(count)
    if answer.scores:
        return _UNIT * np.array(answer.scores[:count])
    for rank, number in enumerate(answer.numbers, start=1):
        values[number - 1] = discount(rank)
    return values


def fused_numbers(answer: RankingAnswer, state: RecommendState, count: int) -> list[int]:
    """Rank all candidates by the first stage and the model's opinion.

    Args:
        answer: The model's; it may name few candidates or none.
        count: How many it was asked about.

    Returns:
        Candidate numbers, best first; those that it was not asked about come last.
    """
    first = np.array(state["first_stage"], dtype=np.float64)  # pyright: ignore[reportTypedDictNotRequiredAccess]  # `prepare` has set it
    return fused_order(first, opinion(answer, count), fusion_of(state))
