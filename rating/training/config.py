"""Every hyper-parameter of the rating predictor's training, with the paper's values as defaults.

Source: RecZero and RecOne, arXiv 2510.23077, section 4.1 and their public code. What the paper
leaves open says so.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ...errors import InputError
from ..rewards import REWARD_SCHEMES

RaterRecipe = Literal["reczero", "recone"]
"""`reczero` is reinforcement learning alone; `recone` imitates traces first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterConfig:
    """How to train.

    Attributes:
        seed: Of sampling, shuffling and new weights.
        reward: `paper` or `code`; see `REWARD_SCHEMES`.
        group_size: Completions a prompt, whose rewards are compared with each other.
        prompts_per_step: Prompts that one update learns from, over all devices.
        learning_rate: Of the updates.
        schedule: Of the learning rates: `constant`, `linear` or `cosine`; open in the paper.
        warmup_steps: Updates until the full learning rate; open in the paper.
        clip: The probability ratio may leave 1 by this much.
        kl_weight: Of staying near the starting model; 0 keeps no copy of it in memory.
        entropy_weight: Of staying random.
        updates_per_batch: Passes over a batch of completions.
        temperature: Of sampling; whole vocabulary, no penalties.
        epochs: Passes over the prompts.
        max_steps: Updates at most, or -1 for whole epochs.
        max_completion_tokens: Of one answer; open in the paper.
        weight_decay: Of AdamW; open in the paper.
        max_grad_norm: Longer gradients are cut to this; open in the paper.
        sft_learning_rate: Of imitating traces; open in the paper, as are the next two.
        sft_epochs: Passes over the traces.
        sft_batch: Traces an update, over all devices.
        sft_max_tokens: Longer traces are cut.
        traces: At most so many traces are imitated.
        completions_per_device: Answers in one forward and backward pass: memory, not learning.
        lora_rank: Train low-rank adapters of this rank; 0 trains all weights.
        lora_alpha: Scale of the adapters.
        lora_dropout: Of the adapters.
        gradient_checkpointing: Less memory for more time.
        bf16: Compute in bfloat16; `None` does so on a GPU that can.
        vllm: Generate with vLLM in the same process; needs that package and a GPU.
        save_every: Updates between two checkpoints.
        keep_checkpoints: How many are kept.
    """

    seed: int = 0
    reward: str = "paper"
    group_size: int = 8
    prompts_per_step: int = 8
    learning_rate: float = 2e-6
    schedule: str = "constant"
    warmup_steps: int = 0
    clip: float = 0.2
    kl_weight: float = 0.0
    entropy_weight: float = 0.0
    updates_per_batch: int = 1
    temperature: float = 1.0
    epochs: float = 1.0
    max_steps: int = -1
    max_completion_tokens: int = 1024
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    sft_learning_rate: float = 1e-5
    sft_epochs: float = 2.0
    sft_batch: int = 16
    sft_max_tokens: int = 8192
    traces: int = 1000
    completions_per_device: int = 8
    lora_rank: int = 0
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    gradient_checkpointing: bool = True
    bf16: bool | None = None
    vllm: bool = False
    save_every: int = 20
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            InputError: One of them; the message names it.
        """
        if self.reward not in REWARD_SCHEMES:
            raise InputError(
                "reward", f"is {self.reward!r}.", f"Use {' or '.join(REWARD_SCHEMES)}."
            )
        if self.schedule not in {"constant", "linear", "cosine"}:
            raise InputError(
                "schedule", f"is {self.schedule!r}.", "Use constant, linear or cosine."
            )
        if self.group_size < 2:  # noqa: PLR2004
            raise InputError("group_size", "is below 2.", "An answer is compared with others.")
        if self.max_steps < 1 and self.max_steps != -1:
            raise InputError(
                "max_steps",
                f"is {self.max_steps}.",
                "Use a number above 0, or -1 for whole epochs.",
            )
        for name, value in self.as_dict().items():
            if name == "max_steps" or type(value) not in {int, float}:
                continue
            if not math.isfinite(value) or value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
                least = "from 0 on" if name in _MAY_BE_ZERO else "above 0"
                raise InputError(name, f"is {value}.", f"Use a number {least}.")

    def as_dict(self) -> dict[str, Any]:
        """Return the settings by name, for a file."""
        return asdict(self)

    def changed(self, values: Mapping[str, object]) -> RaterConfig:
        """Return a copy with other settings.

        Args:
            values: By name; numbers and truth values may come as text.

        Raises:
            InputError: There is no such setting, or the value does not fit.
        """
        hints = get_type_hints(RaterConfig)
        known = [field.name for field in fields(self)]
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise InputError(name, "is no setting.", f"Choose from {', '.join(known)}.")
            read[name] = _read(name, value, hints[name])
        return replace(self, **read)


def tiny_config() -> RaterConfig:
    """Return settings for a model of a few million parameters, trained from scratch on a CPU."""
    return RaterConfig(
        prompts_per_step=2,
        learning_rate=1e-4,
        max_steps=20,
        max_completion_tokens=96,
        sft_learning_rate=2e-3,
        sft_batch=8,
        traces=700,
        completions_per_device=32,
        schedule="cosine",
        warmup_steps=10,
        gradient_checkpointing=False,
    )


def _read(name: str, value: object, hint: Any) -> Any:
    kinds = get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)
    if value is None and type(None) in kinds:
        return None
    text = str(value).strip().lower()
    try:
        if bool in kinds:
            return {"true": True, "false": False, "1": True, "0": False}[text]
        if int in kinds:
            return int(text)
        return float(text) if float in kinds else str(value)
    except (ValueError, KeyError):
        wanted = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise InputError(name, f"{value!r} is not of type {wanted}.", "Write another.") from None


_MAY_BE_ZERO = {
    "seed",
    "warmup_steps",
    "kl_weight",
    "entropy_weight",
    "weight_decay",
    "max_grad_norm",
    "lora_rank",
    "lora_dropout",
}
