"""What a policy sees: of a session, and of the hints to choose from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..knowledge.hint_store.hints import Hint, HintAndEmbedding
from ..knowledge.releases import Release
from ..policies.descriptors import session_descriptors
from ..policies.hint_features import HintFeatures, statistics_row
from .state import RecommendState


def session_state(state: RecommendState, recipe: str) -> NDArray[np.float32]:
    """Return what a policy sees of a session.

    Args:
        recipe: `content` sees descriptors, `paper` the session embedding.

    Returns:
        Shape `[D]`.
    """
    if recipe == "paper":
        return np.array(state["session_embedding"], dtype=np.float32)
    return session_descriptors(
        state["history_items"],
        state["candidate_items"],
        state["evidence"],
        state["session_embedding"],
    )


def hint_features(hints: Sequence[HintAndEmbedding]) -> HintFeatures:
    """Return what a policy sees of hints."""
    embeddings = [embedding for _, embedding in hints]
    stats = [
        statistics_row(hint.trials, hint.mean_gain, hint.gain_error, hint.helped, hint.harmed)
        for hint, _ in hints
    ]
    return HintFeatures.of(
        np.array(embeddings, dtype=np.float32).reshape(len(hints), -1),
        np.array(stats, dtype=np.float64).reshape(len(hints), 5),
    )


def hint_set_version(hints: Sequence[Hint]) -> str:
    """Return a short digest of a set of hints.

    Args:
        hints: The hints in the order of their actions.
    """
    content = json.dumps([[hint.id, hint.text] for hint in hints])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def paper_features(release: Release, active: NDArray[np.bool_]) -> HintFeatures:
    """Return what the paper's network sees of its hints: only which of them are active.

    Args:
        active: Whether each of the release's hints is active, in their order, `[H]`.
    """
    count = len(release.hint_ids)
    return HintFeatures.of(np.zeros((count, 1)), np.zeros((count, 5)), active)
