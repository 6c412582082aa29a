"""The two recipes: which policy, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from .hint_features import HintFeatures
from .hint_policy import ContentConfig, ContentPolicy, PaperConfig, PaperPolicy
from .ppo import PPOConfig

Recipe = Literal["content", "paper"]
"""`content`, ours, scores what hints say; `paper` is the fixed network of arXiv 2403.16427."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train.

    Attributes:
        ppo: The learner's settings.
        validation_share: Of the sessions, to choose a single policy's checkpoint by; several
            members hold out a fold each.
        validate_every: In rollouts.
        averaging: Decay a rollout of the running average of weights that is validated and kept; 0
            keeps the weights themselves. A reward is mostly noise, so single steps are as well.
        members: Content policies that are trained from different seeds and decide together.
        rank: Of the content policy.
        hidden: Of the content policy.
        shrinkage: Of the content policy's prior, in trials.
        inverse_temperature: Of the content policy's prior.
    """

    ppo: PPOConfig
    validation_share: float = 0.2
    validate_every: int = 5
    averaging: float = 0.0
    members: int = 1
    rank: int = 16
    hidden: int = 0
    shrinkage: float = 20.0
    inverse_temperature: float = 30.0

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not 0 < self.validation_share < 1:
            raise ValueError("validation_share: it must lie between 0 and 1.")
        if not 0 <= self.averaging < 1:
            raise ValueError("averaging: it must lie in [0, 1).")
        if self.members < 1:
            raise ValueError("members: there must be at least one.")
        if self.validate_every < 1:
            raise ValueError("validate_every: it must be positive.")


def default_config(recipe: Recipe, *, seed: int = 0) -> TrainingConfig:
    """Return the settings that a recipe is used with.

    Args:
        recipe: Which one.
        seed: Of the split, the initial weights and the sampling.
    """
    if recipe == "paper":
        return TrainingConfig(PPOConfig(seed=seed))
    ppo = PPOConfig(
        rollout_size=512,
        batch_size=128,
        epochs=4,
        clip=0.1,
        learning_rate=5e-4,
        entropy_coefficient=0.0,
        prior_coefficient=0.1,
        seed=seed,
    )
    return TrainingConfig(ppo, averaging=0.95, members=5)


def new_policy(
    recipe: Recipe, config: TrainingConfig, states: Tensor, hints: HintFeatures
) -> ContentPolicy | PaperPolicy:
    """Build an untrained policy that fits the data.

    Args:
        recipe: Which one.
        config: With the policy's shape.
        states: Of the training sessions, `[S, D]`; the content policy keeps their scale.
        hints: Known at training time.
    """
    if recipe == "paper":
        return PaperPolicy(PaperConfig(states.shape[1], len(hints)))
    policy = ContentPolicy(
        ContentConfig(
            states.shape[1],
            hints.embeddings.shape[1],
            config.rank,
            config.hidden,
            config.shrinkage,
            config.inverse_temperature,
        )
    )
    policy.standardise(states, hints)
    return policy
