"""TRL's trainers for the rating predictor: imitation of traces, then GRPO.

Source: RecZero and RecOne, arXiv 2510.23077, sections 3.2 and 3.3. The defaults of transformers,
TRL and PEFT change between versions, so everything that matters to the algorithm is set here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...records import RatingScale, counted
from ..rewards import REWARD_SCHEMES, ReadRating, reward_functions
from .config import RaterConfig
from .precision import computes_bfloat16

Rows = Sequence[dict[str, Any]]
"""A data set for TRL. Messages are roles and contents."""


def sft_trainer(
    model: Any,
    tokenizer: Any,
    rows: Rows,
    config: RaterConfig,
    folder: Path,
    callbacks: Sequence[Any] = (),
) -> Any:
    """Return TRL's trainer for the imitation of traces, ready to start.

    A row has the `prompt` and the `completion` of a trace; only the completion counts in the loss.
    Raises `InputError` if the devices cannot share a batch.
    """
    config = _as_precise_as(model, config)
    return import_module("trl").SFTTrainer(
        model=model,
        args=sft_arguments(config, folder),
        train_dataset=import_module("datasets").Dataset.from_list(list(rows[: config.traces])),
        processing_class=tokenizer,
        peft_config=_adapters(config),
        callbacks=list(callbacks),
    )


def grpo_trainer(
    model: Any,
    tokenizer: Any,
    rows: Rows,
    rewards: tuple[ReadRating, RatingScale],
    config: RaterConfig,
    folder: Path,
    callbacks: Sequence[Any] = (),
) -> Any:
    """Return TRL's trainer for GRPO, ready to start.

    A row has the `prompt` and the `truth`, the user's rating. `rewards` are the strict reader of
    answers and the ratings that can be given. Raises `InputError` if the devices cannot share a
    batch.
    """
    config = _as_precise_as(model, config)
    return import_module("trl").GRPOTrainer(
        model=model,
        reward_funcs=reward_functions(*rewards, REWARD_SCHEMES[config.reward]),
        args=grpo_arguments(config, folder),
        train_dataset=import_module("datasets").Dataset.from_list(list(rows)),
        processing_class=tokenizer,
        peft_config=_adapters(config),
        callbacks=list(callbacks),
    )


def run_trainer(trainer: Any) -> Any:
    """Train, from the last checkpoint if there is one; return the model, adapters merged.

    Merged weights are float32: a low-rank change is often smaller than what a bfloat16 weight can
    move by, and would be rounded away.
    """
    # The curve keeps the metrics, and standard output may be read by a program.
    trainer.remove_callback(import_module("transformers").PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(Path(trainer.args.output_dir)))
    model = trainer.accelerator.unwrap_model(trainer.model)
    return model.float().merge_and_unload() if hasattr(model, "merge_and_unload") else model


def last_checkpoint(folder: Path) -> str | None:
    """Return the newest complete checkpoint; one that was cut off while it was written is not."""
    for found in sorted(folder.glob("checkpoint-*"), key=_update, reverse=True):
        with suppress(OSError, ValueError):
            json.loads((found / "trainer_state.json").read_bytes())  # which is written last
            return str(found)
    return None


def _update(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def sft_arguments(config: RaterConfig, folder: Path) -> Any:
    """Return TRL's arguments for imitation."""
    per_device, accumulation = _batches(
        "sft_batch", config.sft_batch, config.completions_per_device
    )
    return import_module("trl").SFTConfig(
        **_common(config, folder),
        learning_rate=config.sft_learning_rate,
        num_train_epochs=config.sft_epochs,
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=accumulation,
        max_length=config.sft_max_tokens,
        completion_only_loss=True,
        assistant_only_loss=False,
        packing=False,
        padding_free=False,
        loss_type="nll",
        train_sampling_strategy="group_by_length" if config.sft_group_by_length else "random",
    )


def grpo_arguments(config: RaterConfig, folder: Path) -> Any:
    """Return TRL's arguments for GRPO."""
    completions = config.group_size * config.prompts_per_step
    per_device, accumulation = _batches(
        "prompts_per_step", completions, config.completions_per_device
    )
    return import_module("trl").GRPOConfig(
        **_common(config, folder),
        learning_rate=config.learning_rate,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps,
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation,
        num_generations=config.group_size,
        max_completion_length=config.max_completion_tokens,
        temperature=config.temperature,
        top_p=1.0,
        top_k=0,
        min_p=None,
        repetition_penalty=1.0,
        # The objective of GRPO as published: a mean over each answer, then over the answers.
        loss_type="grpo",
        scale_rewards="group",
        importance_sampling_level="token",
        epsilon=config.clip,
        epsilon_high=config.clip,
        delta=None,
        beta=config.kl_weight,
        entropy_coef=config.entropy_weight,
        num_iterations=config.updates_per_batch,
        mask_truncated_completions=False,
        top_entropy_quantile=1.0,
        multi_objective_aggregation="sum_then_normalize",
        reward_weights=[1.0, 1.0],
        disable_dropout=True,
        shuffle_dataset=True,
        remove_unused_columns=False,
        log_completions=False,
        use_vllm=config.vllm,
        vllm_mode="colocate",
    )


def _as_precise_as(model: Any, config: RaterConfig) -> RaterConfig:
    """Compute in float32 with adapters on weights of float32, unless bfloat16 is wanted.

    Earlier adapters may be merged into those: in bfloat16, what they learned would be rounded away.
    """
    if config.lora_rank and config.bf16 is None and model.dtype == import_module("torch").float32:
        return config.model_copy(update={"bf16": False})
    return config


def _adapters(config: RaterConfig) -> Any:
    if not config.lora_rank:
        return None
    return import_module("peft").LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        bias="none",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _batches(name: str, wanted: int, most: int) -> tuple[int, int]:
    """Return the rows of one pass on one device, and the passes of one update."""
    devices = import_module("accelerate").PartialState().num_processes
    if wanted % devices:
        raise InputError(
            name,
            f"{counted(wanted, 'row')} for each update cannot be divided among "
            f"{counted(devices, 'device')}.",
            "Change the batch or the number of devices.",
        )
    share = wanted // devices
    per_device = max(size for size in range(1, min(most, share) + 1) if share % size == 0)
    return per_device, share // per_device


def _common(config: RaterConfig, folder: Path) -> dict[str, Any]:
    gpu = import_module("torch").cuda.is_available()
    return {
        "output_dir": str(folder),
        "seed": config.seed,
        "data_seed": config.seed,
        "lr_scheduler_type": config.schedule
        if config.warmup_steps == 0 or config.schedule != "constant"
        else "constant_with_warmup",
        "warmup_steps": config.warmup_steps,
        "optim": "adamw_torch",
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "gradient_checkpointing": config.gradient_checkpointing,
        "use_cpu": not gpu,
        "bf16": computes_bfloat16(config.bf16),
        "fp16": False,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_first_step": False,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "save_total_limit": config.keep_checkpoints,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": gpu,
    }
