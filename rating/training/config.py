"""Every hyper-parameter of the rating predictor's training, with the paper's values as defaults.

Source: RecZero and RecOne, arXiv 2510.23077, section 4.1 and their public code. Values that the
paper leaves open are marked "open".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ...errors import InputError
from ...runtime.plain_errors import sentence
from .model_source import SMOLLM2

TINY = "tiny"
"""The model name for a small model that is built from the training texts."""

RaterRecipe = Literal["reczero", "recone"]
"""`reczero` is reinforcement learning alone; `recone` imitates traces first."""


class RaterConfig(BaseModel):
    """How to train."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int = Field(default=0, ge=0)
    """Seed of sampling, shuffling and new weights."""
    reward: Literal["paper", "code"] = "paper"
    """See `REWARD_SCHEMES`."""
    group_size: int = Field(default=8, ge=2)
    """Completions for each prompt, whose rewards are compared with each other."""
    prompts_per_step: int = Field(default=8, gt=0)
    """Prompts for each update, over all devices."""
    learning_rate: float = Field(default=2e-6, gt=0)
    """Learning rate of GRPO."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Schedule of the learning rates; open."""
    warmup_steps: int = Field(default=0, ge=0)
    """Updates until the full learning rate; open."""
    clip: float = Field(default=0.2, gt=0)
    """How far the probability ratio may leave 1."""
    kl_weight: float = Field(default=0.0, ge=0)
    """Weight of the distance from the model that GRPO starts from; 0 keeps no copy of it in
    memory."""
    entropy_weight: float = Field(default=0.0, ge=0)
    """Weight of the entropy bonus."""
    updates_per_batch: int = Field(default=1, gt=0)
    """Passes over a batch of completions."""
    temperature: float = Field(default=1.0, gt=0)
    """Temperature of sampling, from the whole vocabulary and without penalties."""
    epochs: float = Field(default=1.0, gt=0)
    """Passes over the prompts."""
    max_steps: int = Field(default=-1, ge=-1)
    """Most updates, or -1 for whole epochs."""
    max_completion_tokens: int = Field(default=1024, gt=0)
    """Most tokens of one answer; open."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of AdamW; open."""
    max_grad_norm: float = Field(default=1.0, ge=0)
    """Longer gradients are scaled down to this; open."""
    sft_learning_rate: float = Field(default=1e-5, gt=0)
    """Learning rate of imitation; open, like the next two."""
    sft_epochs: float = Field(default=2.0, gt=0)
    """Passes over the traces."""
    sft_batch: int = Field(default=16, gt=0)
    """Traces for each update, over all devices."""
    sft_max_tokens: int = Field(default=8192, gt=0)
    """Longer traces are cut."""
    sft_group_by_length: bool = False
    """Put traces of similar length into a batch, for less padding."""
    traces: int = Field(default=1000, gt=0)
    """Most traces to imitate."""
    rewritten_per_aligned: float = Field(default=-1.0, ge=-1)
    """Most traces with a rewritten rating for each that was right at once; -1 keeps all of them, as
    the paper does."""
    prompts: int = Field(default=-1, ge=-1)
    """Most prompts for GRPO, drawn at random; -1 takes all."""
    completions_per_device: int = Field(default=8, gt=0)
    """Answers in one forward and backward pass; affects memory, not learning."""
    lora_rank: int = Field(default=0, ge=0)
    """Rank of low-rank adapters; 0 trains all weights."""
    lora_alpha: int = Field(default=32, gt=0)
    """Scale of the adapters."""
    lora_dropout: float = Field(default=0.0, ge=0)
    """Dropout of the adapters."""
    gradient_checkpointing: bool = True
    """Less memory for more time."""
    bf16: bool | None = None
    """Compute in bfloat16, weights stay float32; `None` does so on a GPU that can, and on a CPU
    with instructions for it, but not with adapters on weights of float32."""
    vllm: bool = False
    """Generate with vLLM in the same process; needs that package and a GPU."""
    save_every: int = Field(default=20, gt=0)
    """Updates between two checkpoints."""
    keep_checkpoints: int = Field(default=2, gt=0)
    """Checkpoints to keep."""

    @field_validator("max_steps")
    @classmethod
    def _any_steps(cls, steps: int) -> int:
        if steps == 0:
            raise ValueError("use a number above 0, or -1 for whole epochs")
        return steps

    @field_validator("prompts")
    @classmethod
    def _any_prompts(cls, prompts: int) -> int:
        if prompts == 0:
            raise ValueError("use a number above 0, or -1 for all")
        return prompts

    @field_validator("rewritten_per_aligned")
    @classmethod
    def _all_or_a_share(cls, share: float) -> float:
        if share < 0 and share != -1:
            raise ValueError("use a number from 0, or -1 for all")
        return share

    @field_validator("save_every")
    @classmethod
    def _between_batches(cls, updates: int, info: ValidationInfo) -> int:
        # Resumed within a batch, TRL would go on with another one.
        if updates % info.data.get("updates_per_batch", 1):
            raise ValueError("use a multiple of updates_per_batch")
        return updates

    def changed(self, values: Mapping[str, object]) -> RaterConfig:
        """Return a copy with other settings.

        Args:
            values: By name; numbers and truth values may be text.

        Raises:
            InputError: There is no such setting, or the value does not fit.
        """
        try:
            return RaterConfig.model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            if first["type"] == "extra_forbidden":
                known = ", ".join(RaterConfig.model_fields)
                raise InputError(name, "is not a setting.", f"Choose from {known}.") from None
            raise InputError(name, f"is {first['input']!r}.", sentence(first)) from None


def rater_config(model: str, values: Mapping[str, object]) -> RaterConfig:
    """Return the defaults for a model, with other values where some are given.

    Args:
        model: A name or folder. `tiny` and `smollm2` have their own defaults, for a CPU.
        values: By name; numbers and truth values may be text.

    Raises:
        InputError: There is no such setting, or the value does not fit.
    """
    own = {TINY: tiny_config, SMOLLM2: small_config}
    return own.get(model, RaterConfig)().changed(values)


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
        bf16=False,
    )


def small_config() -> RaterConfig:
    """Return settings for a pretrained model of some hundred million parameters, on a CPU.

    All weights are trained, at rates that suit them; see docs/rating.md for what was measured.
    """
    return RaterConfig(
        prompts_per_step=4,
        learning_rate=1e-5,
        max_steps=20,
        max_completion_tokens=128,
        sft_learning_rate=5e-4,
        sft_epochs=1,
        sft_batch=8,
        sft_group_by_length=True,
        traces=700,
        rewritten_per_aligned=0.5,
        prompts=2000,
        completions_per_device=4,
        schedule="cosine",
        warmup_steps=5,
        gradient_checkpointing=False,
        save_every=10,
    )
