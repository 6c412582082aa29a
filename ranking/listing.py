"""The order of the candidates, and the order in which the prompt lists those it asks about."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence

from ..runtime.options import RunOptions


def listing(
    candidates: Sequence[str],
    scores: Mapping[str, float],
    history: Sequence[str],
    options: RunOptions,
    *,
    training: bool = False,
) -> list[str]:
    """Return the candidates as the prompt numbers them, those that it leaves out last.

    Where the model alone decides, all are shuffled. Otherwise the first stage's best come first, in
    its order or shuffled among themselves, and the rest follow in its order.

    Args:
        scores: The first stage's scores, by candidate.
        training: Whether it is a training session, whose trials runs of any seed share.
    """
    seed = options.settings.seed if training else options.seed
    shuffled = prompt_order(candidates, history, seed, options.order)
    if options.fuse == "llm":
        return shuffled
    # Sorted from the shuffled order, so that the caller's order cannot break a tie.
    ranked = sorted(shuffled, key=lambda item: -scores[item])
    head, tail = ranked[: options.rerank], ranked[options.rerank :]
    if options.prompt_order == "shuffled" or options.order:
        head = prompt_order(head, history, seed, options.order)
    return [*head, *tail]


def prompt_order(
    candidates: Sequence[str], history: Sequence[str], seed: int, order: int = 0
) -> list[str]:
    """Shuffle by the request's content, so that the caller's order cannot matter.

    Rankers favour some positions, and callers like to put the best candidate first.

    Returns:
        The candidates in the order in which the prompt numbers them.
    """
    ordered = sorted(candidates)
    content = json.dumps([[seed, order] if order else seed, list(history), ordered])
    digest = hashlib.sha256(content.encode()).digest()
    random.Random(digest).shuffle(ordered)
    return ordered


def best(scores: Mapping[str, float], count: int, *, keep: str | None) -> list[str]:
    """Return the best candidates of a pool.

    Args:
        scores: Their scores.
        keep: One that stays, whatever its score.
    """
    kept = sorted(scores, key=lambda item: (-scores[item], item))[:count]
    if keep is not None and keep not in kept:
        kept[-1] = keep
    return kept
