"""The models that the stages of a training start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .chat_form import ChatMessages
from .checkpoint import load_checkpoint
from .config import TINY, RaterConfig
from .model_source import gguf_file
from .tiny_model import build_tiny

Loaded = tuple[Any, Any]
"""A model and its tokenizer."""


def start_model(
    source: str, prompts: Sequence[ChatMessages], answers: Sequence[str], config: RaterConfig
) -> Loaded:
    """Load the model that is to be trained, or build the small one for its prompts and answers.

    Raises:
        InputError: It cannot be loaded.
    """
    if source == TINY:
        return build_tiny(prompts, answers, config.seed)
    return load_checkpoint(source, precise=trains_all(config))


def trains_all(config: RaterConfig) -> bool:
    """Whether all weights are trained; the paper's steps are smaller than bfloat16 resolves."""
    return config.lora_rank == 0


def needs_reference(config: RaterConfig) -> bool:
    """Whether TRL loads the model that GRPO starts from once more, to measure the distance from it.

    It does so by the name or folder under which that was loaded, which must hold the same weights.
    With adapters it leaves them out instead.
    """
    return config.kl_weight > 0 and trains_all(config)


def is_read_by_name(source: str | Path) -> bool:
    """Whether transformers alone loads a model by its name or folder."""
    return source != TINY and gguf_file(source) is None
