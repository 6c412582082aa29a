"""A choice for each session serves only where it gains no less than the best single hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from re2llm.operations.training import judged as module
from re2llm.operations.training.judged import Judged
from re2llm.policies.hint_features import HintFeatures, hint_statistics
from re2llm.policies.hint_policy import greedy_actions
from re2llm.policies.ppo import PPOConfig
from re2llm.policies.recipes import PolicyRecipe, default_config
from re2llm.policies.training import TrainingData, train_hint_policy
from re2llm.policies.weights import actor_of

SESSIONS, STATIC = 60, 0.1
STATES = np.random.default_rng(0).normal(size=(SESSIONS, 6))


def of(
    monkeypatch: pytest.MonkeyPatch,
    gain: float,
    means: Sequence[float] = (0.3, 0.1, 0.2),
    recipe: PolicyRecipe = "content",
    few: Any = None,
) -> tuple[Judged, HintFeatures]:
    hints = HintFeatures.of(np.eye(12)[:3], hint_statistics([[mean] * 40 for mean in means]))
    monkeypatch.setattr(module, "hint_features", lambda _: hints)
    ppo = PPOConfig(updates=4, rollout_size=40, batch_size=20, epochs=2, learning_rate=0.1)
    given: dict[str, Any] = {"ppo": ppo} if recipe == "paper" else {"ppo": ppo, "averaging": 0.0}
    config = replace(default_config(recipe), **given)
    trained = train_hint_policy(
        TrainingData(STATES, hints), recipe, config, lambda rows, _: np.sin(7.0 * rows)
    )
    places = np.flatnonzero(trained.folds >= 0)
    tried: Any = SimpleNamespace(hints=[], few=few)
    gains, static = np.full(len(places), gain), np.full(len(places), STATIC)
    return Judged(tried, trained, places, gains, static), hints


def test_a_choice_that_gains_less_gives_way_to_the_best_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged, hints = of(monkeypatch, STATIC - 0.01)
    found = judged.no_worse_than_one_hint()
    assert (greedy_actions(actor_of(found.trained.policy), STATES, hints) == 1).all()
    assert (found.trained.choices[found.places] == 1).all()
    assert (found.gains == STATIC).all()
    assert found.trained.update == 0
    assert (judged.by_session, found.by_session) == (True, False)


@pytest.mark.parametrize("gain", [STATIC, STATIC + 0.01])
def test_one_that_gains_no_less_stays(monkeypatch: pytest.MonkeyPatch, gain: float) -> None:
    judged, _ = of(monkeypatch, gain)
    assert judged.no_worse_than_one_hint() is judged


def test_it_stays_where_the_trials_say_that_another_hint_is_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged, _ = of(monkeypatch, STATIC - 0.01, means=(0.1, 0.3, 0.2))
    assert judged.no_worse_than_one_hint() is judged


def test_of_few_cells_the_hint_with_the_best_trials_is_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the one that was best before them: the policy falls back on what its trials say."""
    means = (0.1, 0.3, 0.2)
    few: Any = SimpleNamespace(gains=np.tile([0.0, STATIC, 0.4, 0.0], (SESSIONS, 1)))
    worse, hints = of(monkeypatch, 0.39, means=means, few=few)
    found = worse.no_worse_than_one_hint()
    assert not found.by_session
    assert (found.gains == 0.4).all()
    assert (found.static_gains == 0.4).all()
    assert (greedy_actions(actor_of(found.trained.policy), STATES, hints) == 2).all()
    better, _ = of(monkeypatch, 0.41, means=means, few=few)
    assert better.no_worse_than_one_hint() is better


def test_the_papers_policy_has_no_prior_to_go_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    judged, _ = of(monkeypatch, STATIC - 0.01, recipe="paper")
    assert judged.no_worse_than_one_hint() is judged
