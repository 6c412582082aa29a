"""What serves against what was trained: numpy's actors answer as torch's networks do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from re2llm.policies.actors import ContentActor, ContentConfig, PaperActor, PaperConfig
from re2llm.policies.hint_features import HintFeatures, hint_statistics
from re2llm.policies.networks import ContentPolicy, Ensemble, HintPolicy, PaperPolicy
from re2llm.policies.set_ppo import with_picked
from re2llm.policies.weights import actor_of, dump_policy, load_policy

D, E, B = 7, 12, 9


def hints(rng: np.random.Generator, count: int) -> HintFeatures:
    trials = [rng.normal(0.02, 0.1, size=rng.integers(0, 80)) for _ in range(count)]
    embeddings = rng.normal(size=(count, E))
    return HintFeatures.of(embeddings, hint_statistics(trials), rng.random(count) < 0.8)


def trained(policy: HintPolicy, rng: np.random.Generator, size: float) -> HintPolicy:
    """Move everything away from where it starts, the scales of the inputs, too."""
    with torch.no_grad():
        for name, value in policy.state_dict().items():
            noise = torch.as_tensor(rng.normal(size=value.shape) * size, dtype=torch.float32)
            value.copy_(noise.abs() + 0.5 if name.endswith(("deviation", "scale")) else noise)
    return policy.eval()


def content(rng: np.random.Generator, most: int, members: int) -> HintPolicy:
    config = ContentConfig(D, E, rank=int(rng.integers(1, 17)), most=most)
    made = [ContentPolicy(config) for _ in range(members)]
    for member in made:
        trained(member, rng, 0.3)
    return Ensemble(made) if members > 1 else made[0]


@pytest.mark.long
@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 30),
    most=st.integers(1, 4),
    members=st.sampled_from([1, 2, 5]),
    full=st.booleans(),
)
def test_a_content_actor_is_its_network(
    seed: int, count: int, most: int, members: int, full: bool
) -> None:
    rng = np.random.default_rng(seed)
    policy, known = content(rng, most, members), hints(rng, count)
    states = rng.normal(size=(B, D)).astype(np.float32) * 3
    picked = None
    inputs = torch.as_tensor(states)
    if most > 1:
        picked = (rng.random((B, count)) < rng.choice([0.0, 0.2])).astype(np.float32)
        if full:
            picked[:] = 1.0
        inputs = with_picked(inputs, torch.as_tensor(picked))
    with torch.no_grad():
        expected = policy.log_probabilities(inputs, known).double().numpy()
    weights, shape = dump_policy(policy)
    actor = load_policy(weights, json.loads(json.dumps(shape)))
    assert isinstance(actor, ContentActor)
    found = actor.log_probabilities(states, known, picked)
    np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=1e-5)
    allowed = expected > np.finfo(np.float32).min / 2
    np.testing.assert_allclose(found[allowed], expected[allowed], atol=1e-5, rtol=1e-5)
    assert not np.exp(found[~allowed]).any()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 30))
def test_a_paper_actor_is_its_network(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(PaperPolicy(PaperConfig(D, count)), rng, 0.2)
    states, known = rng.normal(size=(B, D)).astype(np.float32), hints(rng, count)
    with torch.no_grad():
        expected = policy.log_probabilities(torch.as_tensor(states), known).double().numpy()
    actor = actor_of(policy)
    assert isinstance(actor, PaperActor)
    found = actor.log_probabilities(states, known)
    np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=1e-5)
    with pytest.raises(ValueError, match=f"trained for {count}, not {count + 1}"):
        actor.log_probabilities(states, hints(rng, count + 1))


def test_the_shapes_are_all_that_an_actor_reads() -> None:
    """A weight that a network gains must not be forgotten here."""
    for most in (1, 3):
        config = ContentConfig(D, E, most=most)
        stored = ContentPolicy(config).state_dict()
        actor = {name: v.shape for name, v in stored.items() if not name.startswith("critic")}
        assert actor == config.shapes()
    paper = PaperConfig(D, 5)
    stored = PaperPolicy(paper).state_dict()
    actor = {name: v.shape for name, v in stored.items() if not name.startswith("critic")}
    assert actor == paper.shapes()
