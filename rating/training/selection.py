"""What a training is shown: traces to imitate, and prompts to answer."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from ...records import counted
from ..corpus import RatingCorpus
from ..splits import RatingCase
from .chat_form import fitting_prompts
from .config import RaterConfig


def cases_to_reinforce(corpus: RatingCorpus, config: RaterConfig) -> Sequence[RatingCase]:
    """Return the training ratings whose prompts GRPO answers; see `RaterConfig.prompts`.

    Raises:
        InputError: They are fewer than one update needs, so that nothing would be trained.
    """
    cases = corpus.split.train
    given = len(cases) if config.prompts < 0 else min(len(cases), config.prompts)
    if given < config.prompts_per_step:
        raise InputError(
            "prompts_per_step",
            f"An update needs {counted(config.prompts_per_step, 'prompt')}, and there "
            f"{'is' if given == 1 else 'are'} {counted(given, 'prompt')} to train on.",
            "Use more reviews, or fewer prompts for each update.",
        )
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


def imitation_rows(
    traces: Sequence[dict[str, Any]], config: RaterConfig, tokenizer: Any
) -> list[dict[str, Any]]:
    """Return prompts with the answers to imitate, for TRL, as the tokenizer's template takes them.

    Raises:
        InputError: Every trace is rejected.
    """
    kept = worth_imitating(traces, config)
    if not kept:
        raise InputError("traces", "hold nothing to imitate.", "Use a better teacher.")
    prompts = fitting_prompts(tokenizer, [trace["prompt"] for trace in kept])
    return [
        {"prompt": prompt, "completion": [{"role": "assistant", "content": trace["answer"]}]}
        for prompt, trace in zip(prompts, kept, strict=True)
    ]
