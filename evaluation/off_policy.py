"""Estimates what a release would have earned, from the recommendations that got feedback.

The reward of a decision is NDCG@10 of the picked item in the ranking that was shown; "none of
these" counts 0. Only random decisions say anything about other choices: hints chosen with
probability 1 are left out, and so are rankings of another model or prompt.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import InputError
from ..knowledge.domains import Domain, find_domain
from ..knowledge.feedback import Decision, HintChosen, logged_decisions
from ..knowledge.hints import best_hints
from ..knowledge.releases import fetch_release
from ..knowledge.training_sessions import stored_keys
from ..policies.ope import Estimate, Floats, doubly_robust, ips, snips
from ..ranking.gather import gather
from ..ranking.serving import load_release
from ..ranking.state import RecommendState
from ..records import Session, counted
from ..runtime.options import RunOptions

_FOLDS = 5
_SHRINKAGE = 10
"""Decisions with the overall mean reward that each hint's mean is mixed with."""
_FEW = 30
"""Below so many effective decisions an interval is little more than a guess."""

Shares = Mapping[HintChosen, float]
"""Probability of each choice that a release may make."""


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
        trained_on: How many of those used are training sessions too.
        logged: Mean reward that those used earned.
        estimates: `ips`, `snips` and `dr`.
        weight: Mean importance weight; far from 1 where the log never tried what the release does.
    """

    release: int
    sampled: bool
    feedback: int
    used: int
    certain: int
    other_model: int
    trained_on: int
    logged: Estimate
    estimates: dict[str, Estimate]
    weight: Estimate

    @property
    def warnings(self) -> list[str]:
        """What weakens the estimates."""
        found: list[str] = []
        effective = self.estimates["snips"].effective_n
        if effective < _FEW:
            found.append(
                f"The log is worth {counted(round(effective), 'decision')} of this release: far "
                "too few."
            )
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

    def as_dict(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return {
            "release": self.release,
            "choice": "sampled" if self.sampled else "greedy",
            "feedback": self.feedback,
            "used": self.used,
            "left_out": {"chosen_for_certain": self.certain, "other_model": self.other_model},
            "trained_on": self.trained_on,
            "logged": _rounded(self.logged),
            **{name: _rounded(estimate) for name, estimate in self.estimates.items()},
            "effective_n": round(self.estimates["snips"].effective_n, 1),
            "mean_weight": _rounded(self.weight),
            "warnings": self.warnings,
        }


async def evaluate_release(
    domain: str,
    number: int,
    options: RunOptions,
    *,
    sampled: bool,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> OffPolicyReport:
    """Estimate what a release would have earned on the logged recommendations.

    Args:
        number: Of the release; it need not be active.
        options: Name the model that the release is for.
        sampled: Whether the release would draw its hints or take the likeliest.
        on_progress: Called with the number of finished decisions and their total.

    Raises:
        InputError: There is no such release, or the log says nothing about it.
    """
    async with options.services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        release = await fetch_release(connection, found.id, number)
        served = load_release(number, release, options.model, options.prompt_version)
        everything = await logged_decisions(connection, found.id)
        fitting = [
            decision
            for decision in everything
            if (decision.model, decision.prompt_version)
            == (served.release.model, served.release.prompt_version)
        ]
        used = [decision for decision in fitting if 0 < decision.probability < 1]
        _require_log(domain, everything, fitting, used)
        hints = await best_hints(connection, found.id, count=options.settings.shortlist)
        shares: list[Shares] = []
        targets: list[float] = []
        trained_on = 0
        for decision in used:
            known = await _own_session(connection, found, decision)
            trained_on += known is not None
            # The evidence of its own session would reveal what was picked.
            asked = {
                "history": list(decision.history),
                "candidates": list(decision.candidates),
                "training_session": known,
            }
            state = await gather(connection, found, cast("RecommendState", asked), options)
            resolved = cast("RecommendState", state)
            target, share = served.shares(
                resolved,
                hints,
                decision.choice,
                most=options.settings.max_hints,
                sampled=sampled,
            )
            targets.append(target)
            shares.append(share)
            on_progress(len(shares), len(used))
    return _report(
        number,
        used,
        np.array(targets),
        shares,
        sampled=sampled,
        feedback=len(everything),
        certain=len(fitting) - len(used),
        other_model=len(everything) - len(fitting),
        trained_on=trained_on,
    )


async def _own_session(
    connection: AsyncConnection, domain: Domain, decision: Decision
) -> int | None:
    """Return the training session that feedback on this decision became, if it did."""
    if decision.picked is None:
        return None
    session = Session(tuple(decision.history), decision.picked, tuple(decision.candidates))
    return min(await stored_keys(connection, domain, [session]), default=None)


def _require_log(
    domain: str,
    everything: Sequence[Decision],
    fitting: Sequence[Decision],
    used: Sequence[Decision],
) -> None:
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
            "Serve with RE2LLM_EXPLORE=true or --policy random for a while.",
        )


def _report(
    number: int,
    used: Sequence[Decision],
    target: Floats,
    shares: Sequence[Shares],
    *,
    sampled: bool,
    **counts: int,
) -> OffPolicyReport:
    rewards = np.array([decision.reward for decision in used])
    logged = np.array([decision.probability for decision in used])
    if not target.any():
        raise InputError(
            "log",
            f"Release {number} would have made none of the {counted(len(used), 'logged choice')}.",
            "Serve with RE2LLM_EXPLORE=true or --policy random for longer.",
        )
    predicted, expected = reward_model(used, shares)
    ones = np.ones(len(used))
    return OffPolicyReport(
        release=number,
        sampled=sampled,
        used=len(used),
        logged=ips(rewards, ones, ones),
        estimates={
            "ips": ips(rewards, logged, target),
            "snips": snips(rewards, logged, target),
            "dr": doubly_robust(rewards, logged, target, predicted, expected),
        },
        weight=ips(ones, logged, target),
        **counts,
    )


def reward_model(used: Sequence[Decision], shares: Sequence[Shares]) -> tuple[Floats, Floats]:
    """Predict rewards by each choice's mean, shrunk, from decisions in other folds.

    Returns:
        The predicted reward of each logged choice and, averaged over the new policy's probabilities
        `shares`, of each session; both `[N]`.
    """
    folds: list[int] = (np.random.default_rng(0).permutation(len(used)) % _FOLDS).tolist()
    means = [
        _hint_means([d for d, own in zip(used, folds, strict=True) if own != fold])
        for fold in range(_FOLDS)
    ]
    predicted = [means[fold](d.choice) for d, fold in zip(used, folds, strict=True)]
    expected = [
        sum(share * means[fold](choice) for choice, share in chosen.items())
        for chosen, fold in zip(shares, folds, strict=True)
    ]
    return np.array(predicted), np.array(expected)


def _hint_means(decisions: Sequence[Decision]) -> Callable[[HintChosen], float]:
    """Return the mean reward of each hint or set of hints, mixed with the mean of all."""
    overall = sum(d.reward for d in decisions) / len(decisions) if decisions else 0.0
    counts = Counter(d.choice for d in decisions)
    sums: defaultdict[HintChosen, float] = defaultdict(float)
    for decision in decisions:
        sums[decision.choice] += decision.reward
    return lambda hint: (sums[hint] + _SHRINKAGE * overall) / (counts[hint] + _SHRINKAGE)


def _rounded(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": round(estimate.value, 4),
        "ci95": [round(estimate.low, 4), round(estimate.high, 4)],
    }
