"""The two policies and their training, on bandits whose best answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from re2llm.errors import InputError
from re2llm.policies.held_out import Checkpoint, choose_checkpoint, draw_folds
from re2llm.policies.hint_features import HintFeatures, hint_statistics
from re2llm.policies.hint_policy import greedy_actions
from re2llm.policies.networks import (
    ContentConfig,
    ContentPolicy,
    Ensemble,
    HintPolicy,
    PaperConfig,
    PaperPolicy,
)
from re2llm.policies.ppo import PPOConfig
from re2llm.policies.recipes import PolicyRecipe, TrainingConfig, default_config
from re2llm.policies.set_policy import pick
from re2llm.policies.training import TrainingData, train_hint_policy, without_choice
from re2llm.policies.weights import actor_of, dump_policy, load_policy
from safetensors.torch import load

D, E = 6, 12
pytestmark = pytest.mark.usefixtures("one_thread")


def hints(count: int, *, means: np.ndarray | None = None, trials: int = 50) -> HintFeatures:
    rng = np.random.default_rng(3)
    embeddings = rng.normal(size=(count, E))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    wanted = np.zeros(count) if means is None else means
    rewards = [mean + 0.2 * rng.standard_normal(trials) for mean in wanted]
    exact = [trial - trial.mean() + mean for trial, mean in zip(rewards, wanted, strict=True)]
    return HintFeatures.of(embeddings, hint_statistics(exact))


def content(count: int = 5, **settings: Any) -> tuple[ContentPolicy, HintFeatures]:
    torch.manual_seed(0)
    known = hints(count, means=np.linspace(-0.1, 0.2, count))
    policy = ContentPolicy(ContentConfig(D, E, **settings))
    policy.standardise(torch.randn(50, D) * 3 + 1, known)
    return policy, known


def excite(policy: torch.nn.Module) -> None:
    """Move every parameter away from its start, as training would."""
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)


STATES = np.random.default_rng(0).normal(size=(40, D)).astype(np.float32)


def log_probabilities(policy: HintPolicy, known: HintFeatures) -> np.ndarray:
    with torch.no_grad():
        return policy(torch.as_tensor(STATES), known).log_probabilities.numpy()


def test_statistics_by_hand() -> None:
    mean, error, helped, harmed, log_trials = hint_statistics([[0.5, -0.1, 0.2, 0.0]])[0]
    assert mean == pytest.approx(0.15)
    assert (helped, harmed) == (0.5, 0.25)
    squares = 0.35**2 + 0.25**2 + 0.05**2 + 0.15**2
    assert error == pytest.approx(((squares + 0.1) / 5 / 5) ** 0.5)
    assert log_trials == pytest.approx(np.log(5))
    untried = hint_statistics([[]])[0]
    np.testing.assert_allclose(untried, [0, 0.1**0.5, 0, 0, 0])


def test_the_prior_shrinks_by_trials() -> None:
    many, few = hints(1, means=np.array([0.2]), trials=180), hints(1, means=np.array([0.2]))
    assert many.shrunken_means(20).item() == pytest.approx(0.2 * 180 / 200, rel=1e-4)
    assert few.shrunken_means(20).item() == pytest.approx(0.2 * 50 / 70, rel=1e-4)
    assert HintFeatures.of(np.zeros((1, E)), hint_statistics([[]])).shrunken_means(0) == 0


def test_an_untrained_content_policy_is_the_prior() -> None:
    policy, known = content(inverse_temperature=1_000.0)
    assert (greedy_actions(actor_of(policy), STATES, known) == 5).all()
    harmful = HintFeatures.of(np.eye(E)[:2], hint_statistics([[-0.3] * 50, [-0.2] * 50]))
    assert (greedy_actions(actor_of(policy), STATES, harmful) == 0).all()


def test_content_logits_do_not_depend_on_the_other_hints_or_their_order() -> None:
    policy, known = content()
    excite(policy)
    order = np.array([3, 0, 4, 2, 1])
    shuffled = HintFeatures(known.embeddings[order], known.statistics[order], known.active)
    before, after = log_probabilities(policy, known), log_probabilities(policy, shuffled)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:][:, order], atol=1e-5)
    np.testing.assert_allclose(after[:, 0], before[:, 0], atol=1e-5)
    assert np.ptp(before[:, 1] - before[:, 2]) > 0.1


@pytest.mark.parametrize("count", [1, 3, 21, 2_000])
def test_any_number_of_hints(count: int) -> None:
    policy, _ = content()
    result = log_probabilities(policy, hints(count))
    assert result.shape == (len(STATES), 1 + count)
    np.testing.assert_allclose(np.exp(result).sum(1), 1, atol=1e-5)


def test_a_new_hint_is_usable_at_once_by_its_own_figures() -> None:
    policy, known = content()
    newcomer = np.random.default_rng(9).normal(size=(1, E))
    embeddings = np.concatenate([known.embeddings, newcomer])
    for reward, expected in ((0.9, 6), (-0.9, 5)):
        figures = np.concatenate([known.statistics, hint_statistics([[reward] * 60])])
        larger = HintFeatures.of(embeddings, figures)
        assert (greedy_actions(actor_of(policy), STATES, larger) == expected).all()


@pytest.mark.parametrize("recipe", ["content", "paper"])
def test_retired_hints_are_never_chosen(recipe: PolicyRecipe) -> None:
    policy: HintPolicy = content()[0] if recipe == "content" else PaperPolicy(PaperConfig(D, 5))
    excite(policy)
    known = hints(5, means=np.array([0.9, 0.1, 0.9, 0.1, 0.9]))
    retired = HintFeatures(
        known.embeddings, known.statistics, np.array([False, True, False, True, False])
    )
    assert set(greedy_actions(actor_of(policy), STATES, retired)) <= {0, 2, 4}
    drawn = {
        action
        for seed in range(200)
        for action in pick(actor_of(policy), STATES[0], retired, most=1, explore_seed=seed).actions
    }
    assert drawn <= {2, 4}
    none = HintFeatures(known.embeddings, known.statistics, np.zeros(5, dtype=np.bool_))
    assert (greedy_actions(actor_of(policy), STATES, none) == 0).all()


def test_choices_carry_their_true_probability() -> None:
    policy, known = content(inverse_temperature=5.0)
    excite(policy)
    expected = np.exp(log_probabilities(policy, known)[0])
    actor = actor_of(policy)
    likeliest = pick(actor, STATES[0], known, most=1)
    assert likeliest == ((int(expected.argmax()),), (), 1.0)
    draws = [pick(actor, STATES[0], known, most=1, explore_seed=seed) for seed in range(2_000)]
    actions = [draw.actions[0] if draw.actions else 0 for draw in draws]
    for draw, action in zip(draws, actions, strict=True):
        assert draw.probability == pytest.approx(expected[action])
    shares = np.bincount(actions, minlength=6) / len(draws)
    np.testing.assert_allclose(shares, expected, atol=0.04)
    assert draws[7] == pick(actor, STATES[0], known, most=1, explore_seed=7)


def test_the_paper_network_is_the_papers() -> None:
    torch.manual_seed(0)
    policy = PaperPolicy(PaperConfig(384, 20))
    shapes = {name: tuple(p.shape) for name, p in policy.named_parameters() if "weight" in name}
    assert list(shapes.values()) == [
        (64, 384),
        (64, 64),
        (21, 64),
        (64, 384),
        (64, 64),
        (1, 64),
    ]
    head = policy.actor[-1].weight.detach()
    np.testing.assert_allclose(head @ head.T, 1e-4 * np.eye(21), atol=1e-8)
    assert all(isinstance(policy.actor[i], torch.nn.Tanh) for i in (1, 3))
    with pytest.raises(ValueError, match="trained for 20, not 22"):
        policy(torch.zeros(1, 384), hints(22))


@pytest.mark.parametrize("recipe", ["content", "paper"])
def test_a_policy_survives_being_stored(recipe: PolicyRecipe) -> None:
    policy: HintPolicy
    policy, known = content()
    if recipe == "paper":
        policy = PaperPolicy(PaperConfig(D, 5))
    excite(policy)
    weights, config = dump_policy(policy)
    again = load_policy(weights, json.loads(json.dumps(config)))
    before, after = policy.state_dict(), load(weights)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(name.startswith("critic") for name in after)
    expected = log_probabilities(policy, known)
    np.testing.assert_allclose(again.log_probabilities(STATES, known), expected, atol=1e-5)


def test_releases_keep_the_key_of_lambda() -> None:
    stored = default_config("content").as_dict()
    assert stored["ppo"]["decay"] == PPOConfig().gae_lambda
    assert "gae_lambda" not in stored["ppo"]
    assert (stored["members"], stored["ppo"]["updates"]) == (5, 100)


def test_a_release_of_before_the_hidden_layer_went_is_read() -> None:
    policy, known = content()
    excite(policy)
    weights, config = dump_policy(policy)
    again = load_policy(weights, {**config, "hidden": 0})
    expected = log_probabilities(policy, known)
    np.testing.assert_allclose(again.log_probabilities(STATES, known), expected, atol=1e-5)


def test_a_release_that_does_not_fit_is_refused() -> None:
    weights, config = dump_policy(content()[0])
    for bytes_, shape in (
        (b"nonsense", config),
        (weights, {**config, "state_size": D + 1}),
        (weights, {**config, "recipe": "other"}),
        (weights, {**config, "colour": "red"}),
        (weights, {}),
    ):
        with pytest.raises(InputError, match="policy release"):
            load_policy(bytes_, shape)


def test_bad_hints_are_refused() -> None:
    good = hint_statistics([[0.1], [0.2]])
    with pytest.raises(ValueError, match="statistics"):
        HintFeatures.of(np.zeros((3, E)), good)
    with pytest.raises(ValueError, match="active"):
        HintFeatures.of(np.zeros((2, E)), good, np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="finite"):
        HintFeatures.of(np.full((2, E), np.nan), good)


# Training. Session kind = sign of the first descriptor; hint 1 suits one kind, hint 2 the other,
# hint 3 always harms, and hint 4 is the best single one: it always brings a little.

QUICK = PPOConfig(
    rollout_size=128, batch_size=64, epochs=4, clip=0.2, learning_rate=5e-3, prior_coefficient=0.01
)


class World:
    def __init__(self, sessions: int = 300, noise: float = 0.1, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.states = rng.normal(size=(sessions, D))
        kind = self.states[:, 0] > 0
        means = np.stack([np.where(kind, 0.5, -0.3), np.where(kind, -0.3, 0.5)], 1)
        always = np.tile([-0.4, 0.15], (sessions, 1))
        table = np.concatenate([means, always], 1)
        self.table = table + noise * rng.standard_normal(table.shape)
        embeddings = np.eye(E)[:4]
        self.hints = HintFeatures.of(embeddings, hint_statistics(list(self.table.T)))
        self.asked: list[tuple[int, int]] = []

    @property
    def data(self) -> TrainingData:
        return TrainingData(self.states, self.hints)

    def rewards(self, sessions: np.ndarray, actions: np.ndarray) -> np.ndarray:
        self.asked += zip(sessions.tolist(), actions.tolist(), strict=True)
        return self.table[sessions, actions - 1]


def config(
    recipe: PolicyRecipe = "content", *, updates: int = 56, seed: int = 0, **settings: Any
) -> TrainingConfig:
    ppo = replace(QUICK, updates=updates, seed=seed)
    quick = {"ppo": ppo, "averaging": 0.5, "members": 1}
    return replace(default_config(recipe), **{**quick, **settings})


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["content", "paper"])
def test_training_beats_the_best_single_hint(recipe: PolicyRecipe) -> None:
    world, unseen = World(), World(seed=1)
    trained = train_hint_policy(world.data, recipe, config(recipe), world.rewards)
    actions = greedy_actions(actor_of(trained.policy), unseen.states, world.hints)
    gained = unseen.rewards(np.arange(len(actions)), np.maximum(actions, 1)) * (actions > 0)
    assert gained.mean() > 0.38
    assert trained.update > 0
    assert trained.validation_reward > 0.38


def test_members_hold_out_a_fold_each_and_decide_together() -> None:
    world = World(100)
    settings = config(members=3, updates=4, validate_every=100)
    trained = train_hint_policy(world.data, "content", settings, world.rewards)
    assert isinstance(trained.policy, Ensemble)
    assert sorted(np.bincount(trained.folds)) == [33, 33, 34]
    total = 0.0
    for member, policy in enumerate(trained.policy.members):
        held = trained.folds == member
        mean = world.states[~held].mean(0)
        np.testing.assert_allclose(policy.state_mean, mean, atol=1e-6)
        actions = greedy_actions(actor_of(policy), world.states[held], world.hints)
        paid = world.table[np.flatnonzero(held), np.maximum(actions, 1) - 1] * (actions > 0)
        total += paid.sum()
    assert trained.validation_reward == pytest.approx(total / 100)
    each = [log_probabilities(policy, world.hints) for policy in trained.policy.members]
    together = log_probabilities(trained.policy, world.hints)
    differences = together - np.mean(each, axis=0)
    np.testing.assert_allclose(differences, differences[:, :1] + 0 * differences, atol=1e-5)
    weights, shape = dump_policy(trained.policy)
    again = load_policy(weights, json.loads(json.dumps(shape)))
    served = again.log_probabilities(STATES, world.hints)
    np.testing.assert_allclose(served, together, atol=1e-5)


@pytest.mark.parametrize("members", [1, 3])
def test_without_a_choice_all_sessions_get_the_best_hint(members: int) -> None:
    world = World(60)
    world.hints = HintFeatures.of(  # the trials say that the last one is best
        np.eye(E)[:4], hint_statistics([[0.1] * 50, [0.1] * 50, [0.09] * 50, [0.11] * 50])
    )
    settings = config(members=members, updates=4)
    trained = train_hint_policy(world.data, "content", settings, world.rewards)
    excite(trained.policy)
    before = greedy_actions(actor_of(trained.policy), world.states, world.hints)
    simpler = without_choice(trained, world.hints)
    served = load_policy(*dump_policy(simpler.policy))
    assert (greedy_actions(served, world.states, world.hints) == 4).all()
    assert (simpler.choices[trained.folds >= 0] == 4).all()
    assert (simpler.choices[trained.folds < 0] == -1).all()
    after = greedy_actions(actor_of(trained.policy), world.states, world.hints)
    np.testing.assert_array_equal(before, after)
    assert len(set(before.tolist())) > 1  # there was a choice


@pytest.mark.long
def test_no_member_learns_from_the_sessions_that_it_is_judged_by() -> None:
    """In each fold, another hint earns something: a member knows only that of the other fold."""
    world = World(60)
    settings = replace(config(members=2, updates=40, averaging=0.0), validate_every=40)
    folds = draw_folds(60, settings)

    def rewards(rows: NDArray[np.int64], actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(actions == folds[rows] + 1, 1.0, -1.0)

    trained = train_hint_policy(world.data, "content", settings, rewards)
    np.testing.assert_array_equal(trained.folds, folds)
    for member in (0, 1):
        chosen = trained.choices[folds == member]
        assert (chosen == 2 - member).mean() > 0.9
    assert trained.validation_reward < -0.8


@pytest.mark.long
def test_no_hint_is_learned_where_all_hints_harm() -> None:
    world = World()
    world.table[:] = -0.1
    world.table[:, 0] = np.where(world.states[:, 1] > 0, 0.3, -0.3)
    trained = train_hint_policy(world.data, "content", config(), world.rewards)
    actions = greedy_actions(actor_of(trained.policy), world.states, world.hints)
    clear = np.abs(world.states[:, 1]) > 0.5
    right = np.where(world.states[:, 1] > 0, 1, 0)
    assert (actions == right)[clear].mean() > 0.95


def test_training_is_deterministic_and_leaves_the_world_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(runs))
        world = World(80)
        settings = config(seed=seed, updates=5)
        runs.append(train_hint_policy(world.data, "content", settings, world.rewards))
    first, second, other = (dump_policy(run.policy)[0] for run in runs)
    assert first == second
    assert str(runs[0].curve) == str(runs[1].curve)
    assert first != other
    torch.random.set_rng_state(state)
    train_hint_policy(world.data, "content", config(updates=1), world.rewards)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_rewards_are_asked_once_and_only_where_a_decision_led() -> None:
    world = World(100)
    progress: list[tuple[int, int]] = []
    trained = train_hint_policy(
        world.data,
        "content",
        config(updates=4, inverse_temperature=60.0),
        world.rewards,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert len(world.asked) == len(set(world.asked)) == trained.cells < 250
    assert all(1 <= action <= 4 for _, action in world.asked)
    assert progress == [(i, progress[-1][1]) for i in range(progress[-1][1] + 1)]
    assert trained.curve[-1].cells == trained.cells


@pytest.mark.long
def test_validation_sessions_choose_and_training_sessions_do_not() -> None:
    """Learning what holds in training sessions alone must not be kept."""
    settings = config(updates=25)
    world = World(200, noise=0.0)
    split = train_hint_policy(world.data, "content", config(updates=1), world.rewards)
    held = split.folds == 0
    assert held.sum() == 40
    # Hint 4 is the prior's favourite and right in validation; hint 1 pays in training alone.
    world.table[:] = -0.2
    world.table[:, 3] = 0.2
    world.table[~held, 0] = 0.6
    statistics = hint_statistics([[-0.2] * 99, [-0.2] * 99, [-0.2] * 99, [0.2] * 99])
    hostile = HintFeatures.of(np.eye(E)[:4], statistics)
    trained = train_hint_policy(
        TrainingData(world.states, hostile),
        "content",
        replace(settings, inverse_temperature=5.0),
        world.rewards,
    )
    assert trained.curve[-1].validation_reward < 0 < trained.curve[-1].training_reward
    assert trained.validation_reward == pytest.approx(0.2)
    actions = greedy_actions(actor_of(trained.policy), world.states[held], hostile)
    assert world.rewards(np.flatnonzero(held), actions).mean() == pytest.approx(0.2)


def test_the_choice_of_a_checkpoint_forgives_luck_but_not_loss() -> None:
    policy, _ = content()
    rng = np.random.default_rng(0)
    base = rng.normal(size=100)

    def at(update: int, gain: float, noise: float = 0.0) -> Any:
        shift = noise * (rng.permutation(100) - 49.5) / 29
        return Checkpoint(update, base + gain + shift, [policy])

    lucky = [at(0, 0.0), at(5, 0.02), at(10, 0.019, noise=0.1)]
    assert choose_checkpoint(lucky).update == 10
    lost = [at(0, 0.0), at(5, 0.2), at(10, 0.0, noise=0.1)]
    assert choose_checkpoint(lost).update == 5


def test_input_scales_come_from_training_sessions_alone() -> None:
    world = World(100)
    trained = train_hint_policy(world.data, "content", config(updates=1), world.rewards)
    mean = world.states[trained.folds != 0].mean(0)
    assert isinstance(trained.policy, ContentPolicy)
    np.testing.assert_allclose(trained.policy.state_mean, mean, atol=1e-6)


def test_a_constant_descriptor_does_no_harm() -> None:
    world = World(60)
    world.states[:, 3] = 7.0
    trained = train_hint_policy(world.data, "content", config(updates=2), world.rewards)
    world.states[:, 3] = 1e6
    assert np.isfinite(log_probabilities(trained.policy, world.hints)).all()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"states": np.zeros((1, D))}, "states"),
        ({"states": np.full((9, D), np.nan)}, "states"),
        ({"hints": hints(0)}, "hints"),
    ],
)
def test_bad_training_data_is_refused(change: dict[str, Any], field: str) -> None:
    world = World(9)
    with pytest.raises(ValueError, match=field):
        train_hint_policy(replace(world.data, **change), "content", config(), world.rewards)


@pytest.mark.parametrize("answer", [np.array([np.nan]), np.zeros((3, 2)), np.zeros(1)])
def test_bad_rewards_are_refused(answer: np.ndarray) -> None:
    with pytest.raises(ValueError, match="rewards"):
        train_hint_policy(World(9).data, "content", config(), lambda *_: answer)


@pytest.mark.parametrize(
    "settings",
    [
        {"validation_share": 0.0},
        {"averaging": 1.0},
        {"validate_every": 0},
        {"members": 0},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        config(**settings)


def test_the_papers_defaults() -> None:
    ppo = default_config("paper", seed=4).ppo
    assert (ppo.clip, ppo.learning_rate, ppo.entropy_coefficient) == (0.05, 3e-4, 0.01)
    assert (ppo.batch_size, ppo.epochs, ppo.max_gradient_norm, ppo.seed) == (32, 10, 0.5, 4)


@pytest.mark.parametrize(
    ("recipe", "reward", "cells", "size"),
    [("content", 0.2127101, 187, 684.13999), ("paper", 0.3674700, 236, 1326.94727)],
)
def test_training_for_one_hint_gives_the_numbers_that_it_always_gave(
    recipe: PolicyRecipe, reward: float, cells: int, size: float
) -> None:
    """Recorded before policies could pick several hints."""
    world = World(80)
    trained = train_hint_policy(
        world.data, recipe, config(recipe, seed=3, updates=8), world.rewards
    )
    assert trained.validation_reward == pytest.approx(reward, abs=1e-4)
    assert trained.cells == pytest.approx(cells, abs=2)
    total = sum(float(p.detach().double().abs().sum()) for p in trained.policy.parameters())
    assert total == pytest.approx(size, abs=0.05)
