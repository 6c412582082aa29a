"""Several hints one after another: returns against a reference, and bandits that need a set."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from re2llm.policies.hint_features import HintFeatures, hint_statistics
from re2llm.policies.hint_policy import greedy_actions
from re2llm.policies.networks import ContentConfig, ContentPolicy
from re2llm.policies.ppo import (
    Outputs,
    PPOConfig,
    PPOTrainer,
    Trajectories,
    advantages,
    masked_log_softmax,
    ppo_losses,
)
from re2llm.policies.recipes import TrainingConfig, default_config
from re2llm.policies.set_policy import drawn_picks, greedy_picks, pick, set_probability
from re2llm.policies.set_ppo import (
    LAST,
    Episodes,
    SetRules,
    SetTrainer,
    lambda_returns,
    play,
    with_picked,
)
from re2llm.policies.sets import hint_sets
from re2llm.policies.training import TrainingData, train_hint_policy, without_choice
from re2llm.policies.weights import actor_of, dump_policy, load_policy
from torch import nn

D, E, H, MOST = 4, 8, 5, 3
pytestmark = pytest.mark.usefixtures("one_thread")


class Tiny(nn.Module):
    """A linear actor and critic that read what was picked, and never pick it again."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.actor, self.critic = nn.Linear(D + H, 1 + H), nn.Linear(D + H, 1)

    def forward(self, states: torch.Tensor) -> Outputs:
        mask = torch.cat([torch.ones(len(states), 1), 1 - states[:, D:]], 1) > 0
        logits = masked_log_softmax(2 * self.actor(states), mask)
        return Outputs(logits, self.critic(states).squeeze(-1))


def worth(sessions: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Return a reward that every hint of a set has a part in; none for no hint."""
    return np.sin(sessions + 1.0) * (picks > 0).sum(1) + 0.1 * picks.sum(1)


PRICES = np.linspace(0.01, 0.05, H)
RULES = SetRules(H, MOST, PRICES)


def played(sessions: int = 60, rules: SetRules = RULES, seed: int = 1) -> Episodes:
    states = torch.randn(sessions, D, generator=torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(seed)
    return play(Tiny(), states, np.arange(sessions), worth, rules, generator)


def paths(episodes: Episodes) -> list[list[int]]:
    """Return the rows of each session's steps, read from what was picked alone."""
    steps, firsts = episodes.steps, len(episodes.picks)
    found: list[list[int]] = []
    for session, row in enumerate(episodes.picks):
        state, picked = steps.states[session, :D], np.zeros(H)
        rows = [session]
        for action in row[: MOST - 1]:
            if not action:
                break
            picked[action - 1] = 1
            wanted = torch.cat([state, torch.as_tensor(picked, dtype=torch.float32)])
            (there,) = (steps.states[firsts:] == wanted).all(1).nonzero()
            rows.append(firsts + int(there))
        found.append(rows)
    return found


def test_a_session_is_played_until_it_stops_or_is_full() -> None:
    episodes = played()
    steps = episodes.steps
    rows = paths(episodes)
    assert sorted(row for path in rows for row in path) == list(range(len(steps.actions)))
    assert {len(hints) for hints in hint_sets(episodes.picks)} == {0, 1, 2, 3}
    for path, picks in zip(rows, episodes.picks, strict=True):
        acted = steps.actions[path].tolist()
        assert acted == [int(a) for a in picks[: len(acted)]]
        assert acted[-1] == 0 or len(acted) == MOST
        hints = [action for action in acted if action]
        assert len(set(hints)) == len(hints)
        assert list(episodes.following[path]) == [*path[1:], LAST]
    outputs = Tiny()(steps.states)
    taken = outputs.log_probabilities.gather(1, steps.actions[:, None]).squeeze(1)
    torch.testing.assert_close(steps.log_probabilities, taken.detach())
    torch.testing.assert_close(steps.values, outputs.values.detach())


def test_the_whole_set_is_paid_at_the_end_and_each_further_hint_has_its_price() -> None:
    episodes = played()
    earned = worth(np.arange(60), episodes.picks)
    for path, picks, gain in zip(paths(episodes), episodes.picks, earned, strict=True):
        prices = [PRICES[action - 1] if action else 0.0 for action in picks[1 : len(path)]]
        expected = -np.array([0.0, *prices])
        expected[-1] += gain
        np.testing.assert_allclose(episodes.steps.rewards[path], expected, atol=1e-6)
    costs = RULES.price(np.array([[0, 0, 0], [2, 0, 0], [2, 1, 0], [2, 1, 5]]))
    np.testing.assert_allclose(costs, [0, 0, PRICES[0], PRICES[0] + PRICES[4]])


def reference(rewards: np.ndarray, values: np.ndarray, gae_lambda: float) -> np.ndarray:
    """Return one session's GAE as the sum that defines it, without discount."""
    following = np.append(values[1:], 0.0)
    errors = rewards + following - values
    return np.array(
        [
            sum(gae_lambda**i * error for i, error in enumerate(errors[start:]))
            for start in range(len(errors))
        ]
    )


def gae_of(episodes: Episodes, returns: torch.Tensor) -> float:
    """Return how far returns are from the reference at most."""
    steps = episodes.steps
    ours = (returns - steps.values).numpy()
    return max(
        float(
            np.abs(
                ours[p] - reference(steps.rewards[p].numpy(), steps.values[p].numpy(), 0.9)
            ).max()
        )
        for p in paths(episodes)
    )


def test_advantages_are_those_of_the_definition() -> None:
    assert gae_of(played(), lambda_returns(played(), 0.9)) < 1e-5


def _chained(episodes: Episodes) -> torch.Tensor:
    """Plant a fault: sessions in a row are one long episode."""
    order = [row for path in paths(episodes) for row in path]
    following = np.full(len(order), LAST)
    following[order[:-1]] = order[1:]
    returns = episodes.steps.rewards.clone()
    for row in reversed(order):
        after = following[row]
        if after != LAST:
            value = episodes.steps.values[after]
            returns[row] += 0.1 * value + 0.9 * returns[after]
    return returns


FAULTS: dict[str, Callable[[Episodes], torch.Tensor]] = {
    "chained over sessions": _chained,
    "each step alone": lambda episodes: episodes.steps.rewards,
    "without lambda": lambda episodes: lambda_returns(episodes, 1.0),
    "no look ahead": lambda episodes: lambda_returns(episodes, 0.0),
    "reward at every step": lambda episodes: lambda_returns(
        episodes._replace(steps=episodes.steps._replace(rewards=episodes.steps.rewards + 0.1)), 0.9
    ),
    "successors lost": lambda episodes: lambda_returns(
        episodes._replace(following=np.full_like(episodes.following, LAST)), 0.9
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str) -> None:
    episodes = played()
    assert any(len(path) == MOST for path in paths(episodes))
    assert gae_of(episodes, FAULTS[fault](episodes)) > 1e-3


def test_a_session_knows_nothing_of_the_others() -> None:
    episodes = played()
    plain = lambda_returns(episodes, 0.9)
    path = paths(episodes)[0]
    others = np.setdiff1d(np.arange(len(plain)), path)
    changed = episodes.steps._replace(
        rewards=episodes.steps.rewards.clone(), values=episodes.steps.values.clone()
    )
    changed.rewards[others] += 100
    changed.values[others] -= 50
    after = lambda_returns(episodes._replace(steps=changed), 0.9)
    np.testing.assert_array_equal(after[path], plain[path])


def test_gradients_equal_an_autograd_free_reference() -> None:
    episodes = played()
    steps, config = (
        episodes.steps,
        PPOConfig(clip=0.1, value_coefficient=0.7, entropy_coefficient=0.0),
    )
    settled = steps._replace(rewards=lambda_returns(episodes, 0.9).double())
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(len(steps.actions), 1 + H))
    values = rng.normal(size=len(logits))
    free_logits = torch.tensor(logits, requires_grad=True)
    free_values = torch.tensor(values, requires_grad=True)
    advantage = advantages(settled, normalise=True)
    outputs = Outputs(masked_log_softmax(free_logits), free_values)
    ppo_losses(
        outputs, settled, advantage, replace(config, entropy_coefficient=0.0)
    ).total.backward()

    gains = np.zeros(len(logits))
    for path in paths(episodes):
        rewards, before = steps.rewards[path].double().numpy(), steps.values[path].double().numpy()
        gains[path] = reference(rewards, before, 0.9)
    targets = gains + steps.values.double().numpy()
    gains = (gains - gains.mean()) / (gains.std(ddof=1) + 1e-8)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    acted = steps.actions.numpy()
    ratio = shares[np.arange(len(acted)), acted] / np.exp(steps.log_probabilities.numpy())
    flat = ((ratio > 1.1) & (gains > 0)) | ((ratio < 0.9) & (gains < 0))
    assert 0 < flat.sum() < len(flat)
    pull = np.where(flat, 0.0, -gains * ratio)[:, None] * (np.eye(1 + H)[acted] - shares)
    np.testing.assert_allclose(free_logits.grad, pull / len(acted), atol=1e-6)
    np.testing.assert_allclose(
        free_values.grad, 0.7 * 2 * (values - targets) / len(acted), atol=1e-6
    )


def test_a_set_of_one_is_the_one_step_decision_bit_by_bit() -> None:
    def rewards(sessions: np.ndarray, actions: np.ndarray) -> np.ndarray:
        return np.sin(sessions + 3.0 * actions.reshape(-1))

    states = torch.randn(64, D, generator=torch.Generator().manual_seed(7))
    nothing = torch.zeros(64, H)
    one, several = Tiny(), Tiny()
    config = PPOConfig(updates=6, learning_rate=3e-3, seed=4)
    plain = PPOTrainer(one, config)
    sets = SetTrainer(several, config, several, SetRules(H, 1, np.ones(H)))
    for _ in range(4):
        first = plain.collect(with_picked(states, nothing), np.arange(64), rewards)
        second = sets.collect(states, np.arange(64), rewards)
        for ours, theirs in zip(first, second, strict=True):
            assert torch.equal(ours, theirs)
        plain.learn(first)
        sets.learn(second)
    pairs = zip(one.state_dict().values(), several.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


# Training. The sign of the first descriptor says which pair is the right one.


class Pairs:
    """Hints that help two by two: each alone harms, and so does any other set."""

    def __init__(self, sessions: int = 200, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.states = rng.normal(size=(sessions, D))
        self.hints = HintFeatures.of(np.eye(E)[:4], hint_statistics([[-0.2] * 50] * 4))
        self.asked: list[tuple[int, tuple[int, ...]]] = []

    def right(self, session: int) -> tuple[int, ...]:
        return (1, 2) if self.states[session, 0] > 0 else (3, 4)

    def rewards(self, sessions: np.ndarray, picks: np.ndarray) -> np.ndarray:
        sets = hint_sets(picks)
        self.asked += zip(sessions.tolist(), sets, strict=True)
        found = [self.value(s, chosen) for s, chosen in zip(sessions, sets, strict=True)]
        return np.array(found)

    def value(self, session: int, chosen: tuple[int, ...]) -> float:
        if not chosen:
            return 0.0
        return 0.5 if chosen == self.right(session) else -0.2


class Additive(Pairs):
    """Hints whose gains add up, each less than the one before: .3, .1, .04 and 0."""

    def value(self, session: int, chosen: tuple[int, ...]) -> float:
        del session
        return float(np.array([0.3, 0.1, 0.04, 0.0])[[action - 1 for action in chosen]].sum())


def quick(seed: int = 0, **settings: Any) -> TrainingConfig:
    ppo = PPOConfig(
        updates=50,
        rollout_size=150,
        batch_size=64,
        epochs=4,
        clip=0.2,
        learning_rate=1e-2,
        prior_coefficient=0.005,
        seed=seed,
    )
    given = {"ppo": ppo, "averaging": 0.5, "members": 1, "inverse_temperature": 5.0, **settings}
    return replace(default_config("content", most=MOST), **given)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_a_pair_is_found_whose_hints_harm_alone(seed: int) -> None:
    world, unseen = Pairs(seed=seed), Pairs(seed=seed + 10)
    trained = train_hint_policy(
        TrainingData(world.states, world.hints), "content", quick(seed), world.rewards
    )
    picks = greedy_picks(actor_of(trained.policy), unseen.states, world.hints, MOST)
    clear = np.abs(unseen.states[:, 0]) > 0.3
    right = [chosen == unseen.right(s) for s, chosen in enumerate(hint_sets(picks))]
    assert np.mean(np.array(right)[clear]) > 0.95
    assert trained.validation_reward > 0.4
    assert trained.choices.shape == (len(world.states), MOST)
    assert len(world.asked) == len(set(world.asked)) == trained.cells
    assert all(chosen for _, chosen in world.asked)


def test_without_a_choice_there_is_one_hint_for_all() -> None:
    world = Additive()
    hints = HintFeatures.of(np.eye(E)[:4], hint_statistics([[0.1] * 50, [0.3] * 50, [0.2], [0.0]]))
    settings = quick(ppo=PPOConfig(updates=2, rollout_size=50, batch_size=50, epochs=1))
    trained = train_hint_policy(
        TrainingData(world.states, hints), "content", settings, world.rewards
    )
    simpler = without_choice(trained, hints)
    picks = greedy_picks(actor_of(simpler.policy), world.states, hints, MOST)
    assert (picks == [2, 0, 0]).all()
    held_out = trained.folds >= 0
    assert (simpler.choices[held_out] == [2, 0, 0]).all()
    assert (simpler.choices[~held_out] == -1).all()


@pytest.mark.long
def test_one_hint_at_most_cannot_help_there() -> None:
    world = Pairs()
    one = quick(most=1)
    trained = train_hint_policy(
        TrainingData(world.states, world.hints), "content", one, world.rewards
    )
    assert trained.validation_reward == 0
    assert not greedy_actions(actor_of(trained.policy), world.states, world.hints).any()


@pytest.mark.parametrize(
    ("price", "size"),
    [
        (0.07, 2),
        pytest.param(0.0, 3, marks=pytest.mark.slow),
        pytest.param(0.2, 1, marks=pytest.mark.slow),
    ],
)
def test_it_stops_where_a_further_hint_is_not_worth_its_price(price: float, size: int) -> None:
    world = Additive()
    means = [[0.3] * 50, [0.1] * 50, [0.04] * 50, [0.0] * 50]
    hints = HintFeatures.of(np.eye(E)[:4], hint_statistics(means))
    data = TrainingData(world.states, hints, np.full(4, price))
    trained = train_hint_policy(data, "content", quick(), world.rewards)
    sizes = (greedy_picks(actor_of(trained.policy), world.states, hints, MOST) > 0).sum(1)
    assert np.mean(sizes == size) > 0.9
    best = sum([0.3, 0.1, 0.04][:size]) - price * (size - 1)
    assert trained.validation_reward == pytest.approx(best, abs=0.02)


# Probabilities.


def excited(count: int = 4, **settings: Any) -> tuple[ContentPolicy, HintFeatures]:
    """Return a policy that is far from its prior, and its hints; the last is retired."""
    torch.manual_seed(5)
    rewards = hint_statistics([[0.1 * i] * 20 for i in range(count)])
    hints = HintFeatures.of(np.eye(E)[:count], rewards, np.arange(count) < count - 1)
    policy = ContentPolicy(ContentConfig(D, E, most=MOST, **settings))
    policy.standardise(torch.randn(30, D), hints)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.4)
    return policy, hints


STATE = np.array([0.3, -1.0, 0.5, 2.0], dtype=np.float32)


def test_the_probabilities_of_all_sets_add_up_to_one() -> None:
    policy, hints = excited()
    every = [c for size in range(MOST + 1) for c in combinations(range(1, 5), size)]
    shares = {c: set_probability(actor_of(policy), STATE, hints, c, most=MOST) for c in every}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
    assert all(share == pytest.approx(0) for c, share in shares.items() if 4 in c)
    draws = hint_sets(drawn_picks(actor_of(policy), STATE, hints, MOST, 20_000))
    for chosen, share in shares.items():
        assert draws.count(chosen) / len(draws) == pytest.approx(share, abs=0.015)
    capped = [c for c in every if len(c) < MOST]
    total = sum(set_probability(actor_of(policy), STATE, hints, c, most=2) for c in capped)
    assert total == pytest.approx(1, abs=1e-6)


def test_what_is_logged_is_how_likely_it_was() -> None:
    policy, hints = excited()
    kinds: set[int] = set()
    for seed in range(40):
        found = pick(actor_of(policy), STATE, hints, most=MOST, explore_seed=seed)
        again = pick(actor_of(policy), STATE, hints, most=MOST, explore_seed=seed)
        assert found == again
        picked = torch.zeros(1, len(hints))
        for action, share in zip([*found.actions, 0], found.steps, strict=False):
            state = with_picked(torch.as_tensor(STATE)[None], picked)
            scores = policy.log_probabilities(state, hints)[0].exp().detach()
            assert share == pytest.approx(float(scores[action]), rel=1e-5)
            if action:
                picked[0, action - 1] = 1
        assert len(found.steps) == min(len(found.actions) + 1, MOST)
        assert found.probability == pytest.approx(
            set_probability(actor_of(policy), STATE, hints, found.actions, most=MOST)
        )
        assert found.probability >= np.prod(found.steps) - 1e-6
        kinds.add(len(found.actions))
    assert kinds >= {0, 1, 2}
    likeliest = pick(actor_of(policy), STATE, hints, most=MOST)
    assert likeliest.probability == 1
    alone = pick(actor_of(policy), STATE, hints, most=1)
    assert alone.actions == likeliest.actions[:1]


def test_an_untrained_policy_gives_the_best_hint_and_stops() -> None:
    rewards = hint_statistics([[0.1] * 50, [0.4] * 50, [0.3] * 50])
    hints = HintFeatures.of(np.eye(E)[:3], rewards)
    policy = ContentPolicy(ContentConfig(D, E, most=MOST, inverse_temperature=1_000.0))
    assert hint_sets(greedy_picks(actor_of(policy), STATE[None], hints, MOST)) == [(2,)]
    even = pick(actor_of(policy), STATE, hints, most=MOST, explore_seed=0)
    assert even.steps[1] == pytest.approx(0.5, abs=0.05)


def test_a_policy_of_sets_survives_being_stored() -> None:
    policy, hints = excited()
    weights, config = dump_policy(policy)
    again = load_policy(weights, json.loads(json.dumps(config)))
    states = with_picked(torch.as_tensor(STATE)[None].repeat(2, 1), torch.eye(4)[:2])
    with torch.no_grad():
        before = policy(states, hints)
    after = again.log_probabilities(STATE[None].repeat(2, 0), hints, np.eye(4, dtype="f4")[:2])
    np.testing.assert_allclose(np.exp(after), before.log_probabilities.exp(), atol=1e-6)
    assert not torch.equal(before.values[0], before.values[1])


def test_what_was_picked_changes_what_comes_next_but_its_order_does_not() -> None:
    policy, hints = excited()
    state = torch.as_tensor(STATE)[None]
    with torch.no_grad():
        first = policy.log_probabilities(with_picked(state, torch.zeros(1, 4)), hints)
        bare = policy.log_probabilities(state, hints)
        second = policy.log_probabilities(with_picked(state, torch.eye(4)[:1]), hints)
    torch.testing.assert_close(first, bare)
    odds = (first[0, 2] - first[0, 3]) - (second[0, 2] - second[0, 3])
    assert abs(float(odds)) > 0.01
    assert second[0, 1].exp() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [({"prices": np.zeros(3)}, "prices"), ({"recipe": "paper"}, "most")],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], field: str) -> None:
    world = Pairs(20)
    data = TrainingData(world.states, world.hints, change.get("prices"))
    with pytest.raises(ValueError, match=field):
        train_hint_policy(data, change.get("recipe", "content"), quick(), world.rewards)


def test_an_empty_rollout_is_refused() -> None:
    module = Tiny()
    trainer = SetTrainer(module, PPOConfig(), module, RULES)
    none: Trajectories = trainer.collect(torch.zeros(0, D), np.array([], dtype=np.int64), worth)
    with pytest.raises(ValueError, match="rollout"):
        trainer.learn(none)
