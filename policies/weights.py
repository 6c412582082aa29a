"""Stores a policy as bytes and JSON, for a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from ..errors import InputError
from .networks import (
    ContentConfig,
    ContentPolicy,
    Ensemble,
    HintPolicy,
    PaperConfig,
    PaperPolicy,
)


def dump_policy(policy: HintPolicy) -> tuple[bytes, dict[str, Any]]:
    """Return a policy's weights (actor, critic, input scales) as safetensors, and its shape."""
    module: nn.Module = policy
    recipe = "paper" if isinstance(policy, PaperPolicy) else "content"
    members = len(policy.members) if isinstance(policy, Ensemble) else 0
    tensors = {name: value.contiguous() for name, value in module.state_dict().items()}
    return save(tensors), {"recipe": recipe, "members": members, **asdict(policy.config)}


def load_policy(weights: bytes, config: Mapping[str, Any]) -> HintPolicy:
    """Rebuild a policy from what `dump_policy` returned.

    Raises:
        InputError: The weights and the shape do not fit each other, or are no policy.
    """
    shape = {key: value for key, value in config.items() if key not in {"recipe", "members"}}
    try:
        policy = _build(config["recipe"], config["members"], shape)
        policy.load_state_dict(load(weights))
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            "policy release",
            f"Its weights and configuration do not fit this version: {error}.",
            "Train again, or activate another release.",
        ) from error
    return policy.eval()


def _build(recipe: str, members: int, shape: Mapping[str, Any]) -> HintPolicy:
    if recipe == "paper":
        return PaperPolicy(PaperConfig(**shape))
    if recipe != "content":
        raise KeyError(recipe)
    if not members:
        return ContentPolicy(ContentConfig(**shape))
    return Ensemble([ContentPolicy(ContentConfig(**shape)) for _ in range(members)])
