"""PPO against numbers worked out independently, and on bandits whose solution is known."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from re2llm.policies.ppo import (
    Outputs,
    PPOConfig,
    PPOTrainer,
    Trajectories,
    advantages,
    entropy,
    masked_log_softmax,
    ppo_losses,
    sample,
)
from torch import nn

pytestmark = pytest.mark.usefixtures("one_thread")


class Tiny(nn.Module):
    """A linear actor and critic, with an optional mask."""

    def __init__(self, states: int, actions: int, mask: torch.Tensor | None = None) -> None:
        super().__init__()
        self.actor = nn.Linear(states, actions)
        self.critic = nn.Linear(states, 1)
        self.mask = mask

    def forward(self, states: torch.Tensor) -> Outputs:
        logits = self.actor(states)
        return Outputs(masked_log_softmax(logits, self.mask), self.critic(states).squeeze(-1))


def tiny(states: int, actions: int, mask: torch.Tensor | None = None) -> Tiny:
    torch.manual_seed(0)
    return Tiny(states, actions, mask)


def numpy_log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def example(rows: int = 12, actions: int = 5) -> tuple[np.ndarray, np.ndarray, Trajectories]:
    """Logits, values and a rollout of an older policy, far enough that some ratios are clipped."""
    rng = np.random.default_rng(4)
    logits, older = rng.normal(size=(2, rows, actions))
    taken = rng.integers(actions, size=rows)
    before = numpy_log_softmax(logits + 0.3 * older)[np.arange(rows), taken]
    rollout = Trajectories(
        states=torch.zeros(rows, 1, dtype=torch.float64),
        actions=torch.tensor(taken),
        log_probabilities=torch.tensor(before),
        values=torch.tensor(rng.normal(size=rows)),
        rewards=torch.tensor(rng.normal(size=rows)),
    )
    return logits, rng.normal(size=rows), rollout


def test_losses_by_hand() -> None:
    """Two sessions, two actions: ratios 1.5 and 0.5, clipped at 1.2 and 0.8."""
    outputs = Outputs(
        torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log(), torch.tensor([0.5, 0.0]), None
    )
    rollout = Trajectories(
        torch.zeros(2, 1),
        torch.tensor([0, 0]),
        torch.tensor([0.5, 0.5]).log(),
        torch.tensor([0.0, 0.0]),
        torch.tensor([1.0, -2.0]),
    )
    config = PPOConfig(clip=0.2, entropy_coefficient=0.1, value_coefficient=0.5)
    losses = ppo_losses(outputs, rollout, torch.tensor([1.0, -2.0]), config)
    # min(1.5 * 1, 1.2 * 1) = 1.2; min(0.5 * -2, 0.8 * -2) = -1.6.
    assert losses.policy.item() == pytest.approx(-(1.2 - 1.6) / 2)
    assert losses.value.item() == pytest.approx((0.25 + 4) / 2)
    uneven = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert losses.entropy.item() == pytest.approx(uneven)
    assert losses.total.item() == pytest.approx(0.2 + 0.5 * 2.125 - 0.1 * uneven)


def test_gradients_equal_an_autograd_free_reference() -> None:
    logits, values, rollout = example()
    config = PPOConfig(
        clip=0.1, entropy_coefficient=0.03, value_coefficient=0.7, prior_coefficient=0.2
    )
    advantage = advantages(rollout, normalise=True)
    rows, actions = logits.shape
    prior = numpy_log_softmax(np.linspace(-1, 1, actions)[None])

    free_logits = torch.tensor(logits, requires_grad=True)
    free_values = torch.tensor(values, requires_grad=True)
    outputs = Outputs(masked_log_softmax(free_logits), free_values, torch.tensor(prior[0]))
    ppo_losses(outputs, rollout, advantage, config).total.backward()

    log_p = numpy_log_softmax(logits)
    p = np.exp(log_p)
    taken, before = rollout.actions.numpy(), rollout.log_probabilities.numpy()
    gain = (rollout.rewards - rollout.values).numpy()
    gain = (gain - gain.mean()) / (gain.std(ddof=1) + 1e-8)
    ratio = np.exp(log_p[np.arange(rows), taken] - before)
    flat = ((ratio > 1.1) & (gain > 0)) | ((ratio < 0.9) & (gain < 0))
    assert 0 < flat.sum() < rows
    pull = np.where(flat, 0.0, -gain * ratio)[:, None]
    policy = pull * (np.eye(actions)[taken] - p)
    spread = -(p * log_p).sum(1, keepdims=True)
    towards_uniform = 0.03 * p * (log_p + spread)
    divergence = (p * (log_p - prior)).sum(1, keepdims=True)
    towards_prior = 0.2 * p * (log_p - prior - divergence)
    expected = (policy + towards_uniform + towards_prior) / rows
    np.testing.assert_allclose(free_logits.grad, expected, atol=1e-12)
    expected_values = 0.7 * 2 * (values - rollout.rewards.numpy()) / rows
    np.testing.assert_allclose(free_values.grad, expected_values, atol=1e-12)


def test_torchrl_agrees() -> None:
    objectives = pytest.importorskip("torchrl.objectives")
    pytest.importorskip("tensordict")
    from tensordict import TensorDict
    from tensordict.nn import ProbabilisticTensorDictModule as Draw
    from tensordict.nn import ProbabilisticTensorDictSequential, TensorDictModule

    logits, values, rollout = example()
    advantage = advantages(rollout, normalise=False)
    table = nn.Embedding.from_pretrained(torch.tensor(logits), freeze=False)
    critic = nn.Embedding.from_pretrained(torch.tensor(values)[:, None], freeze=False)
    actor = ProbabilisticTensorDictSequential(
        TensorDictModule(table, in_keys=["observation"], out_keys=["logits"]),
        Draw(
            in_keys=["logits"],
            out_keys=["action"],
            distribution_class=torch.distributions.Categorical,
            return_log_prob=True,
        ),
    )
    judge = TensorDictModule(critic, in_keys=["observation"], out_keys=["state_value"])
    theirs = objectives.ClipPPOLoss(
        actor,
        judge,
        clip_epsilon=0.1,
        entropy_coeff=0.03,
        critic_coeff=0.7,
        loss_critic_type="l2",
        normalize_advantage=False,
    )
    keys = theirs.tensor_keys
    batch = TensorDict(
        {
            "observation": torch.arange(len(logits)),
            "action": rollout.actions,
            keys.sample_log_prob: rollout.log_probabilities,
            "advantage": advantage[:, None],
            "value_target": rollout.rewards[:, None],
        },
        batch_size=[len(logits)],
    )
    answer = theirs(batch)
    (answer["loss_objective"] + answer["loss_entropy"] + answer["loss_critic"]).backward()

    free_logits = torch.tensor(logits, requires_grad=True)
    config = PPOConfig(clip=0.1, entropy_coefficient=0.03, value_coefficient=0.7)
    outputs = Outputs(masked_log_softmax(free_logits), torch.tensor(values))
    ours = ppo_losses(outputs, rollout, advantage, config)
    ours.total.backward()
    assert ours.policy.item() == pytest.approx(answer["loss_objective"].item())
    assert 0.7 * ours.value.item() == pytest.approx(answer["loss_critic"].item())
    assert ours.entropy.item() == pytest.approx(answer["entropy"].item())
    gradient = next(p.grad for p in theirs.parameters() if p.shape == logits.shape)
    np.testing.assert_allclose(free_logits.grad, gradient, atol=1e-9)


def test_advantages_do_not_reach_into_other_sessions() -> None:
    _, _, rollout = example()
    plain = advantages(rollout, normalise=False)
    np.testing.assert_allclose(plain, rollout.rewards.numpy() - rollout.values.numpy())
    changed = rollout._replace(rewards=rollout.rewards.clone(), values=rollout.values.clone())
    changed.rewards[3:] += 100
    changed.values[3:] -= 50
    np.testing.assert_array_equal(advantages(changed, normalise=False)[:3], plain[:3])


def test_the_normalisation_flag_is_used() -> None:
    _, _, rollout = example()
    normal = advantages(rollout, normalise=True)
    assert normal.mean().item() == pytest.approx(0, abs=1e-9)
    assert normal.std().item() == pytest.approx(1, abs=1e-6)
    alone = Trajectories(*(part[:1] for part in rollout))
    assert torch.isfinite(advantages(alone, normalise=True)).all()

    def after(*, normalise: bool) -> torch.Tensor:
        trainer = PPOTrainer(tiny(3, 4), PPOConfig(normalise_advantages=normalise))
        states = torch.eye(3).repeat(20, 1)
        trainer.learn(trainer.collect(states, np.arange(60), lambda _, a: a == 1))
        return trainer.module.actor.weight.detach().clone()

    assert not torch.equal(after(normalise=True), after(normalise=False))


def test_the_stored_probability_is_that_of_the_action_taken() -> None:
    module = tiny(3, 6, torch.tensor([True, True, False, True, True, True]))
    with torch.no_grad():
        module.actor.weight *= 5
    trainer = PPOTrainer(module, PPOConfig(seed=2))
    states = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    asked: list[np.ndarray] = []

    def rewards(_: np.ndarray, actions: np.ndarray) -> np.ndarray:
        asked.append(actions)
        return actions / 10

    rollout = trainer.collect(states, np.arange(500), rewards)
    logits = (states @ module.actor.weight.T + module.actor.bias).detach().numpy()
    logits[:, 2] = -np.inf
    expected = numpy_log_softmax(logits)[np.arange(500), rollout.actions.numpy()]
    np.testing.assert_allclose(rollout.log_probabilities, expected, atol=1e-5)
    np.testing.assert_array_equal(asked[0], rollout.actions)
    np.testing.assert_allclose(rollout.rewards, rollout.actions / 10)
    first = ppo_losses(module(states), rollout, rollout.rewards, PPOConfig())
    assert first.policy.item() == pytest.approx(-rollout.rewards.mean().item(), abs=1e-5)


def test_samples_follow_the_probabilities() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0])
    draws = sample(
        masked_log_softmax(probabilities.log().repeat(40_000, 1)),
        torch.Generator().manual_seed(1),
    )
    shares = torch.bincount(draws, minlength=5) / 40_000
    np.testing.assert_allclose(shares, probabilities, atol=0.01)
    assert shares[4] == 0


def test_thousands_of_actions_and_infinities_stay_finite() -> None:
    logits = torch.randn(8, 5_000, generator=torch.Generator().manual_seed(0)) * 50
    logits[:, ::2] = -torch.inf
    logits.requires_grad_()
    mask = torch.ones(5_000, dtype=torch.bool)
    mask[1::4] = False
    log_probabilities = masked_log_softmax(logits, mask)
    for seed in range(20):
        drawn = sample(log_probabilities, torch.Generator().manual_seed(seed))
        assert (drawn % 4 == 3).all()
    spread = entropy(log_probabilities).sum()
    spread.backward()
    assert torch.isfinite(spread)
    assert torch.isfinite(logits.grad).all()
    assert (log_probabilities.exp()[:, ~mask] == 0).all()


def test_a_row_without_an_allowed_action_is_refused() -> None:
    with pytest.raises(ValueError, match="mask"):
        masked_log_softmax(torch.zeros(2, 3), torch.zeros(3, dtype=torch.bool))


BANDIT = PPOConfig(
    updates=20, rollout_size=128, batch_size=32, epochs=10, clip=0.2, learning_rate=1e-2
)


def identity(actions: int, allowed: np.ndarray, config: PPOConfig) -> tuple[float, float]:
    """Learn to answer each state with its own number.

    Returns:
        The share of allowed states that are answered rightly, and of masked actions ever taken.
    """
    mask = torch.zeros(actions, dtype=torch.bool)
    mask[torch.tensor(allowed)] = True
    trainer = PPOTrainer(tiny(actions, actions, mask), config)
    rng = np.random.default_rng(config.seed)
    masked = 0
    for _ in range(config.updates):
        states = rng.choice(allowed, size=config.rollout_size)
        rollout = trainer.collect(
            torch.eye(actions)[states], states, lambda s, a: (s == a).astype(float)
        )
        masked += int((~mask[rollout.actions]).sum())
        trainer.learn(rollout)
    greedy = trainer.module(torch.eye(actions)[allowed]).log_probabilities.argmax(1).numpy()
    return float((greedy == allowed).mean()), masked / config.updates


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_identity_bandit_is_solved_in_2560_steps(seed: int) -> None:
    right, _ = identity(4, np.arange(4), replace(BANDIT, seed=seed))
    assert right == 1.0


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_seventy_actions_with_55_masked(seed: int) -> None:
    allowed = np.random.default_rng(seed).permutation(70)[:15]
    right, masked = identity(70, allowed, replace(BANDIT, updates=40, seed=seed))
    assert right > 0.9
    assert masked == 0


def rewards_of(sessions: np.ndarray, actions: np.ndarray) -> np.ndarray:
    return np.sin(sessions + 3.0 * actions)


def steps(trainer: PPOTrainer, count: int) -> None:
    states = torch.randn(64, 3, generator=torch.Generator().manual_seed(7))
    for _ in range(count):
        trainer.learn(trainer.collect(states, np.arange(64), rewards_of))


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    trainers = [PPOTrainer(tiny(3, 5), PPOConfig(updates=6, seed=s)) for s in (1, 1, 2)]
    for trainer in trainers:
        steps(trainer, 3)
    assert same(trainers[0].module, trainers[1].module)
    assert not same(trainers[0].module, trainers[2].module)


def test_the_learning_rate_falls_to_zero() -> None:
    trainer = PPOTrainer(tiny(3, 5), PPOConfig(updates=4))
    rates = []
    for _ in range(4):
        rates.append(trainer._optimizer.param_groups[0]["lr"])
        steps(trainer, 1)
    np.testing.assert_allclose(rates, [3e-4, 2.25e-4, 1.5e-4, 0.75e-4])
    before = copy.deepcopy(trainer.module)
    steps(trainer, 1)
    assert same(before, trainer.module)


def test_an_empty_rollout_is_refused() -> None:
    trainer = PPOTrainer(tiny(3, 5), PPOConfig())
    rollout = trainer.collect(torch.zeros(0, 3), np.array([], dtype=np.int64), rewards_of)
    with pytest.raises(ValueError, match="rollout"):
        trainer.learn(rollout)
