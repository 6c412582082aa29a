"""Estimates the reward that a release would have had, from recommendations with feedback.

The reward of a decision is NDCG@10 of the picked item in the ranking that was shown; "none of
these" counts 0. Only random decisions say anything about other choices: hints chosen with
probability 1 are left out, and so are rankings of another model or prompt, or with another weight
of the model's opinion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyFloats
from ..errors import InputError
from ..knowledge.log.feedback import Decision
from ..policies.ope import Estimate, doubly_robust, effective, ips, mean_weight, snips
from ..records import counted
from .reward_model import Shares, draws, reward_model

_FEW = 30
"""Below so many effective decisions an interval is little more than a guess."""
_FEW_OTHER = 20
"""With so many of another reward than the usual one, 95 % intervals hold the truth in about 93 %,
with 10 in 91 %, and with 2 or 3 in 75 to 81 %."""


@dataclass(frozen=True, slots=True)
class OffPolicyReport:
    """What the log says about a release.

    Attributes:
        release: Its number.
        sampled: Whether it would draw its hints or take the likeliest.
        feedback: Decisions with feedback, before any was left out.
        used: Decisions that the estimates use.
        certain: Left out, because the hint was chosen with probability 1.
        other_model: Left out, because another model or prompt ranked.
        other_weight: Left out, because the model's opinion had another weight than it would have.
        trained_on: How many of those used are training sessions too.
        logged: Mean reward of those used.
        estimates: `ips`, `snips` and `dr`.
        weight: Mean importance weight; far from 1 where the log never tried what the release does.
        usual: The most frequent reward among decisions of the release: 0 where rewards are rare.
        other_n: Number of decisions with another reward that the log is worth.
    """

    release: int
    sampled: bool
    feedback: int
    used: int
    certain: int
    other_model: int
    other_weight: int
    trained_on: int
    logged: Estimate
    estimates: dict[str, Estimate]
    weight: Estimate
    usual: float
    other_n: float

    @property
    def warnings(self) -> list[str]:
        """What weakens the estimates."""
        found: list[str] = []
        effective = self.estimates["snips"].effective_n
        if effective < _FEW:
            found.append(
                f"The log is worth {counted(round(effective), 'decision')} of this release, "
                "repeats counted once: far too few."
            )
        if self.other_n < _FEW_OTHER:
            found.append(self._alike())
        if not self.weight.low <= 1 <= self.weight.high:
            found.append(
                f"The mean weight is {self.weight.value:.2f}, not 1: the log rarely or never "
                "tried some of the release's choices, and IPS counts those as 0."
            )
        if self.trained_on:
            found.append(
                f"Decisions that are training sessions too: {self.trained_on}. If the release "
                "was trained on them, the estimates lean towards it."
            )
        return found

    def _alike(self) -> str:
        """Warn of rewards that hardly differ."""
        others = "a reward" if self.usual == 0 else f"another reward than {self.usual:.2f}"
        if not self.other_n:
            return f"No decision of this release has {others}, so the intervals are unknown."
        return (
            f"The log is worth {counted(round(self.other_n), 'decision')} of this release with "
            f"{others}. With fewer than {_FEW_OTHER}, 95 % intervals are too narrow."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return {
            "release": self.release,
            "choice": "sampled" if self.sampled else "greedy",
            "feedback": self.feedback,
            "used": self.used,
            "left_out": {
                "chosen_for_certain": self.certain,
                "other_model": self.other_model,
                "other_weight": self.other_weight,
            },
            "trained_on": self.trained_on,
            "logged": _rounded(self.logged),
            **{name: _rounded(estimate) for name, estimate in self.estimates.items()},
            "effective_n": round(self.estimates["snips"].effective_n, 1),
            "usual_reward": round(self.usual, 4),
            "effective_other": round(self.other_n, 1),
            "mean_weight": _rounded(self.weight),
            "warnings": self.warnings,
        }


def require_log(
    domain: str,
    everything: Sequence[Decision],
    fitting: Sequence[Decision],
    used: Sequence[Decision],
) -> None:
    """Refuse a log that says nothing about a release.

    Args:
        everything: Decisions with feedback.
        fitting: Those by the release's model and prompt.
        used: Those whose hint was drawn.

    Raises:
        InputError: There is none of one kind.
    """
    if not everything:
        raise InputError(
            "log",
            f"No recommendation in {domain!r} has feedback yet.",
            "Store some with `re2llm feedback`, or measure with `re2llm evaluate`.",
        )
    if not fitting:
        raise InputError(
            "log",
            f"All feedback ({counted(len(everything), 'decision')}) comes from another model or "
            "prompt.",
            "Evaluate a release of that model.",
        )
    if not used:
        raise InputError(
            "log",
            f"Every hint ({counted(len(fitting), 'decision')}) was chosen with certainty, "
            "which says nothing about other choices.",
            "Serve with RE2LLM_EXPLORE=true or RE2LLM_POLICY=random for a while.",
        )


def differs_in_weight(number: int, weight: float, tried: int) -> InputError:
    """Return the refusal of a log of which no ranking had the release's weight.

    Args:
        number: The release's number.
        weight: That it gives to the model's opinion.
        tried: Decisions whose hint was drawn.
    """
    why = "it never asks the model, so it gives no hints" if weight == 0 else f"{weight:g}"
    return InputError(
        "log",
        f"None of {counted(tried, 'ranking')} with hints that were drawn has the weight that "
        f"release {number} gives to the model's opinion ({why}), so they say nothing about it.",
        f"Measure it with `re2llm evaluate`, or by `re2llm policy canary {number}`.",
    )


def report(
    number: int,
    used: Sequence[Decision],
    target: AnyFloats,
    shares: Sequence[Shares],
    *,
    sampled: bool,
    **counts: int,
) -> OffPolicyReport:
    """Estimate the reward that a release would have had by its own choices.

    Args:
        number: The release's number.
        used: N logged decisions, oldest first.
        target: The probability with which the release makes the logged choice, `[N]`.
        shares: The probability of each choice that it may make, for each decision.
        sampled: Whether it would draw its hints or take the likeliest.
        counts: `feedback`, `certain`, `other_model`, `other_weight` and `trained_on` of the report.

    Raises:
        InputError: The release would have made none of the logged choices.
    """
    rewards = np.array([decision.reward for decision in used])
    logged = np.array([decision.probability for decision in used])
    if not target.any():
        raise InputError(
            "log",
            f"Release {number} would have made none of the {counted(len(used), 'logged choice')}.",
            "Serve with RE2LLM_EXPLORE=true or RE2LLM_POLICY=random for longer.",
        )
    predicted, expected = reward_model(used, shares)
    groups = draws(used)
    ones = np.ones(len(used))
    usual, other_n = _other_rewards(rewards, target / logged, groups)
    estimates = {
        "ips": ips(rewards, logged, target, groups=groups),
        "snips": snips(rewards, logged, target, groups=groups),
        "dr": doubly_robust(rewards, logged, target, predicted, expected, groups=groups),
    }
    if not other_n:  # what else varies says nothing of rewards
        estimates = {
            name: one._replace(low=-math.inf, high=math.inf) for name, one in estimates.items()
        }
    return OffPolicyReport(
        release=number,
        sampled=sampled,
        used=len(used),
        logged=ips(rewards, ones, ones, groups=groups),
        estimates=estimates,
        # Whatever the reason, what was not tried is to be warned of.
        weight=mean_weight(logged, target),
        usual=usual,
        other_n=other_n,
        **counts,
    )


def _other_rewards(
    rewards: AnyFloats, weights: AnyFloats, groups: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the most frequent reward, by weight, and what decisions with another are worth."""
    values, numbers = np.unique(rewards.round(6), return_inverse=True)
    usual = int(np.bincount(numbers, weights).argmax())
    return float(values[usual]), effective(weights * (numbers != usual), groups)


def _rounded(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": round(estimate.value, 4),
        # A single decision, or one reward for all, leaves the ends open; JSON has no infinity.
        "ci95": [
            round(end, 4) if math.isfinite(end) else None for end in (estimate.low, estimate.high)
        ],
    }
