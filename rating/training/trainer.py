"""Trains the rating predictor with TRL: imitation of traces, then GRPO.

Source: RecZero and RecOne, arXiv 2510.23077, sections 3.2 and 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...records import RatingScale
from ..rewards import REWARD_SCHEMES, answer_reward, format_reward
from .arguments import adapters, grpo_arguments, sft_arguments
from .config import RaterConfig
from .curve import CurveWriter
from .data import ChatMessages, RaterPrompt, RaterTrace, ReadRating

Progress = Callable[[str, int, int], None]
"""Is told the stage, the update and how many updates there will be."""


def require_training_extra(config: RaterConfig) -> None:
    """Refuse to train where the libraries for it are missing.

    Args:
        config: May ask for vLLM.

    Raises:
        InputError: They are not installed.
    """
    missing = [name for name in ("trl", "datasets", "accelerate", "peft") if not find_spec(name)]
    if missing:
        raise InputError(
            "rater train",
            f"needs {', '.join(missing)}, which is not installed.",
            "Install the extra: pip install 're2llm[train]'",
        )
    if config.vllm and not find_spec("vllm"):
        raise InputError("vllm", "is not installed.", "Install it: pip install 'trl[vllm]'")


def sft_trainer(
    model: Any,
    tokenizer: Any,
    traces: Sequence[RaterTrace],
    config: RaterConfig,
    folder: Path,
    callbacks: Sequence[Any] = (),
) -> Any:
    """Return TRL's trainer for the imitation of traces, ready to start.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, with a chat template.
        traces: What to imitate; only the answers count, not the prompts.
        config: The settings.
        folder: For checkpoints.
        callbacks: Of transformers.
    """
    rows = [
        {"prompt": t.messages, "completion": [{"role": "assistant", "content": t.answer}]}
        for t in traces[: config.traces]
    ]
    return import_module("trl").SFTTrainer(
        model=model,
        args=sft_arguments(config, folder),
        train_dataset=import_module("datasets").Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=adapters(config),
        callbacks=list(callbacks),
    )


def grpo_trainer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[RaterPrompt],
    read: ReadRating,
    scale: RatingScale,
    config: RaterConfig,
    folder: Path,
    callbacks: Sequence[Any] = (),
) -> Any:
    """Return TRL's trainer for GRPO, ready to start.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, with a chat template.
        prompts: What to train on.
        read: The strict reader of answers.
        scale: The ratings that can be given.
        config: The settings.
        folder: For checkpoints.
        callbacks: Of transformers.
    """
    rows = [{"prompt": prompt.messages, "truth": prompt.truth} for prompt in prompts]
    return import_module("trl").GRPOTrainer(
        model=model,
        reward_funcs=reward_functions(read, scale, config),
        args=grpo_arguments(config, folder),
        train_dataset=import_module("datasets").Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=adapters(config),
        callbacks=list(callbacks),
    )


def run_trainer(trainer: Any) -> Any:
    """Train, from the last checkpoint on if there is one.

    Args:
        trainer: From `sft_trainer` or `grpo_trainer`.

    Returns:
        The trained model, adapters merged.
    """
    utilities = import_module("transformers.trainer_utils")
    # The curve keeps the figures; a program reads what a command prints.
    trainer.remove_callback(import_module("transformers").PrinterCallback)
    folder = Path(trainer.args.output_dir)
    last = utilities.get_last_checkpoint(str(folder)) if folder.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    model = trainer.accelerator.unwrap_model(trainer.model)
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def watcher(stage: str, curve: CurveWriter, progress: Progress | None = None) -> Any:
    """Return a callback of transformers that keeps the curve and tells the progress.

    Args:
        stage: `sft` or `grpo`.
        curve: Gets the figures of each update.
        progress: Is told how far it is.
    """
    base = import_module("transformers").TrainerCallback

    class Watcher(base):
        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if state.is_world_process_zero:
                curve.write(stage, [_figures(entry) for entry in state.log_history])

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if progress is not None and state.is_world_process_zero:
                progress(stage, state.global_step, state.max_steps)

    return Watcher()


def reward_functions(
    read: ReadRating, scale: RatingScale, config: RaterConfig
) -> list[Callable[..., list[float]]]:
    """Return the two rewards as TRL calls them, whose sum counts.

    Args:
        read: The strict reader of answers.
        scale: The ratings that can be given.
        config: Names the parameterisation.
    """
    scheme = REWARD_SCHEMES[config.reward]

    def format(completions: list[ChatMessages], **_: Any) -> list[float]:  # noqa: A001
        return [format_reward(read(text), scheme) for text in _texts(completions)]

    def answer(
        completions: list[ChatMessages],
        truth: list[float],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        ratings = [read(text) for text in _texts(completions)]
        pairs = list(zip(ratings, truth, strict=True))
        errors = [scale.width if rating is None else abs(rating - y) for rating, y in pairs]
        log_metric("valid", sum(rating is not None for rating in ratings) / len(ratings))
        log_metric("mae", sum(errors) / len(errors))
        return [answer_reward(rating, y, scale, scheme) for rating, y in pairs]

    return [format, answer]


def _texts(completions: Sequence[ChatMessages]) -> list[str]:
    return [messages[-1]["content"] or "" for messages in completions]


def _figures(entry: dict[str, Any]) -> dict[str, float]:
    return {k: v for k, v in entry.items() if isinstance(v, int | float) and math.isfinite(v)}
