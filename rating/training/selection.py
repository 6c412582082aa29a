"""What a training is shown: traces to imitate, and prompts to answer."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from ..corpus import RatingCorpus
from ..splits import RatingCase
from .config import RaterConfig


def cases_to_reinforce(corpus: RatingCorpus, config: RaterConfig) -> Sequence[RatingCase]:
    """Return the training ratings whose prompts GRPO answers; see `RaterConfig.prompts`."""
    cases = corpus.split.train
    if config.prompts < 0 or len(cases) <= config.prompts:
        return cases
    # An independent draw: the model has seen the ratings of the traces.
    return random.Random(f"grpo {config.seed}").sample(cases, config.prompts)


def worth_imitating(traces: Sequence[dict[str, Any]], config: RaterConfig) -> list[dict[str, Any]]:
    """Return the traces to imitate, in their order.

    See `traces` and `rewritten_per_aligned` of `RaterConfig`.
    """
    share = config.rewritten_per_aligned
    aligned = sum(trace["outcome"] == "aligned" for trace in traces)
    rewritten = config.traces if share < 0 else round(share * aligned)
    if share >= 0 and aligned + rewritten > config.traces:
        aligned = min(aligned, math.ceil(config.traces / (1 + share)))
        rewritten = config.traces - aligned
    left = {"aligned": aligned, "rewritten": rewritten}
    kept: list[dict[str, Any]] = []
    for trace in traces:
        outcome = trace["outcome"]
        if left.get(outcome, 0) > 0 and len(kept) < config.traces:
            left[outcome] -= 1
            kept.append(trace)
    return kept


def imitation_rows(traces: Sequence[dict[str, Any]], config: RaterConfig) -> list[dict[str, Any]]:
    """Return prompts with the answers to imitate, for TRL.

    Raises:
        InputError: Every trace is rejected.
    """
    rows = [
        {"prompt": t["prompt"], "completion": [{"role": "assistant", "content": t["answer"]}]}
        for t in worth_imitating(traces, config)
    ]
    if not rows:
        raise InputError("traces", "hold nothing to imitate.", "Use a better teacher.")
    return rows
