"""Stores a policy as bytes and JSON, for a release, and reads it for serving, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import InputError
from .actors import ContentActor, ContentConfig, HintActor, PaperActor, PaperConfig, Tensors

if TYPE_CHECKING:
    from .networks import HintPolicy

_NO_SHAPE = frozenset({"recipe", "members", "hidden"})
"""Keys beside the shape. Older releases have `hidden`, always 0."""


def dump_policy(policy: HintPolicy) -> tuple[bytes, dict[str, Any]]:
    """Return a policy's weights (actor, critic, input scales) as safetensors, and its shape."""
    tensors = {name: value.numpy(force=True) for name, value in policy.state_dict().items()}
    recipe = "paper" if isinstance(policy.config, PaperConfig) else "content"
    members = len({name.split(".")[1] for name in tensors if name.startswith("members.")})
    return save(tensors), {"recipe": recipe, "members": members, **asdict(policy.config)}


def load_policy(weights: bytes, config: Mapping[str, Any]) -> HintActor:
    """Return the actor of what `dump_policy` returned.

    Raises:
        InputError: The weights and the shape do not fit each other, or are no policy.
    """
    shape = {key: value for key, value in config.items() if key not in _NO_SHAPE}
    try:
        return _build(config["recipe"], config["members"], shape, load(weights))
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise InputError(
            "policy release",
            f"Its weights and configuration do not fit this version: {error}.",
            "Train again, or activate another release.",
        ) from error


def actor_of(policy: HintPolicy) -> HintActor:
    """Return a network's actor, as it would serve."""
    return load_policy(*dump_policy(policy))


def _build(recipe: str, members: int, shape: Mapping[str, Any], tensors: Tensors) -> HintActor:
    if recipe == "paper":
        paper = PaperConfig(**shape)
        return PaperActor(paper, _fitting(tensors, paper, ""))
    if recipe != "content":
        raise KeyError(recipe)
    content = ContentConfig(**shape)
    prefixes = [f"members.{number}." for number in range(members)] or [""]
    return ContentActor(content, [_fitting(tensors, content, prefix) for prefix in prefixes])


def _fitting(tensors: Tensors, config: ContentConfig | PaperConfig, prefix: str) -> Tensors:
    """Return the actor's weights by their names without the prefix."""
    found: dict[str, Any] = {}
    for name, shape in config.shapes().items():
        found[name] = tensors[f"{prefix}{name}"]
        if found[name].shape != shape:
            raise ValueError(f"{prefix}{name} has the shape {found[name].shape}, not {shape}")
    return found
