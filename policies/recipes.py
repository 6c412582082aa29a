"""The two recipes: which policy, and how it is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from torch import Tensor

from ..errors import InputError
from .hint_features import HintFeatures
from .networks import ContentConfig, ContentPolicy, PaperConfig, PaperPolicy
from .ppo import PPOConfig

PolicyRecipe = Literal["content", "paper"]
"""`content`, ours, scores what hints say; `paper` is the fixed network of arXiv 2403.16427."""


def check_recipe(name: str) -> None:
    """Refuse a name that is no recipe.

    Raises:
        InputError: There is no such recipe.
    """
    if name not in get_args(PolicyRecipe):
        raise InputError("recipe", f"There is no recipe {name!r}.", "Choose content or paper.")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train.

    Attributes:
        ppo: Settings of PPO.
        validation_share: Share of sessions held out by a single policy; of several members, each
            holds out one fold.
        validate_every: Rollouts between two validations.
        averaging: Decay per rollout of the running average of weights, which is what is validated
            and kept; 0 keeps the weights themselves. It averages out the rewards' noise.
        members: Content policies that are trained from different seeds and decide together.
        rank: The rank of the content policy.
        shrinkage: The shrinkage of the content policy's prior, in trials.
        inverse_temperature: The inverse temperature of the content policy's prior.
        most: Hints that a content policy picks for a session at most.
    """

    ppo: PPOConfig
    validation_share: float = 0.2
    validate_every: int = 5
    averaging: float = 0.0
    members: int = 1
    rank: int = 16
    shrinkage: float = 20.0
    inverse_temperature: float = 30.0
    most: int = 1

    def __post_init__(self) -> None:
        """Raise `ValueError` for invalid settings."""
        if not 0 < self.validation_share < 1:
            raise ValueError("validation_share: it must lie between 0 and 1.")
        if not 0 <= self.averaging < 1:
            raise ValueError("averaging: it must lie in [0, 1).")
        if self.members < 1:
            raise ValueError("members: there must be at least one.")
        if self.most < 1:
            raise ValueError("most: there must be at least one.")
        if self.validate_every < 1:
            raise ValueError("validate_every: it must be positive.")

    def as_dict(self) -> dict[str, Any]:
        """Return it as releases store it: λ under the name `decay`."""
        stored = asdict(self)
        stored["ppo"]["decay"] = stored["ppo"].pop("gae_lambda")
        return stored


def default_config(recipe: PolicyRecipe, *, seed: int = 0, most: int = 1) -> TrainingConfig:
    """Return a recipe's settings.

    Args:
        seed: The seed of the split, the initial weights and the sampling.
        most: Hints that a content policy picks at most; the paper's picks one.
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
    return TrainingConfig(ppo, averaging=0.95, members=5, most=most)


def new_policy(
    recipe: PolicyRecipe, config: TrainingConfig, states: Tensor, hints: HintFeatures
) -> ContentPolicy | PaperPolicy:
    """Build an untrained policy that fits the training sessions' states `[S, D]` and the hints."""
    if recipe == "paper":
        return PaperPolicy(PaperConfig(states.shape[1], len(hints)))
    policy = ContentPolicy(
        ContentConfig(
            states.shape[1],
            hints.embeddings.shape[1],
            config.rank,
            config.shrinkage,
            config.inverse_temperature,
            config.most,
        )
    )
    policy.standardise(states, hints)
    return policy
