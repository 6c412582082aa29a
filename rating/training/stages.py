"""Trains a rater stage by stage in one folder, so that it can be stopped and run again."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_core.messages import convert_to_openai_messages

from ...errors import InputError
from ...llm.ratings.answers import strict_rating
from ...llm.ratings.prompt import rating_prompt_version
from ...runtime.progress import Progress
from ..corpus import RatingCorpus
from .chat_form import fitting_prompts
from .checkpoint import load_checkpoint, save_checkpoint
from .config import RaterConfig, RaterRecipe
from .curve import CurveWriter, draw_curve, read_curve, watcher
from .description import RATER_FILE, checkpoint_description
from .selection import cases_to_reinforce, imitation_rows, worth_imitating
from .start_model import is_read_by_name, needs_reference, start_model
from .trained import TrainedOn, read_trained
from .trainer import grpo_trainer, run_trainer, sft_trainer
from .training_folder import claim, require_own

CURVE_FILE = "curve.jsonl"


def train_stages(
    folder: Path,
    source: str,
    recipe: RaterRecipe,
    corpus: RatingCorpus,
    traces: Sequence[dict[str, Any]],
    config: RaterConfig,
    progress: Progress,
) -> Path:
    """Train, save the model, and return its folder.

    `source` is a model's folder or name, or `tiny`. The stages of the progress are `sft` and
    `grpo`, and their steps are updates.

    Raises:
        InputError: The folder belongs to another training, the model cannot be loaded, its weights
            would have to be sharded, or there are too few prompts for an update.
    """
    description = describe_training(source, recipe, corpus, config, traces)
    cases = cases_to_reinforce(corpus, config)
    state = train_processes()
    with state.main_process_first():
        require_own(folder, description)
    state.wait_for_everyone()
    final, imitated, start = folder / "model", folder / "imitated", folder / "start"
    if final.exists():
        return final
    quiet_libraries()

    def save(model: Any, tokenizer: Any, to: Path) -> None:
        if state.is_main_process:
            save_checkpoint(model, tokenizer, to, description)
        state.wait_for_everyone()

    prompts = [convert_to_openai_messages(messages) for messages in corpus.prompts(cases)]
    known = next((done for done in (imitated, start) if done.exists()), source)
    answers = [trace["answer"] for trace in traces]
    model, tokenizer = start_model(str(known), prompts, answers, config)
    with state.main_process_first():
        claim(folder, description, ours=state.is_main_process)
    curve = CurveWriter(folder / CURVE_FILE)
    if recipe == "recone" and known != imitated:
        watch = watcher("sft", curve, progress)
        imitation = imitation_rows(traces, config, tokenizer)
        model = run_trainer(
            sft_trainer(model, tokenizer, imitation, config, folder / "sft", [watch])
        )
        save(model, tokenizer, imitated)
        if needs_reference(config):
            model, tokenizer = load_checkpoint(imitated, precise=True)
    elif needs_reference(config) and not is_read_by_name(known):
        save(model, tokenizer, start)
        model, tokenizer = load_checkpoint(start, precise=True)
    rows = [
        {"prompt": prompt, "truth": case.review.rating}
        for prompt, case in zip(fitting_prompts(tokenizer, prompts), cases, strict=True)
    ]
    read = partial(strict_rating, scale=corpus.scale)
    watch = watcher("grpo", curve, progress)
    trainer = grpo_trainer(
        model, tokenizer, rows, (read, corpus.scale), config, folder / "grpo", [watch]
    )
    model = run_trainer(trainer)
    save(model, tokenizer, final)
    if state.is_main_process:
        draw_curve(read_curve(curve.path), folder / "curve.png", f"{recipe} on {source}")
    return final


def describe_training(
    source: str,
    recipe: RaterRecipe,
    corpus: RatingCorpus,
    config: RaterConfig,
    traces: Sequence[dict[str, Any]] = (),
) -> str:
    """Return the content of `rater.json`: all that decides the training and its prompts."""
    imitated = [[one["prompt"], one["answer"]] for one in worth_imitating(traces, config)]
    trained = TrainedOn.of(corpus.split.train)
    if (Path(source) / RATER_FILE).is_file():  # a rater that is trained further
        trained |= read_trained(checkpoint_description(Path(source))) or TrainedOn()
    described = {
        "recipe": recipe,
        "base": source,
        "scale": [corpus.scale.low, corpus.scale.high],
        "prompt_version": rating_prompt_version(corpus.limits),
        "prompt": asdict(corpus.limits),
        "config": config.model_dump(),
        "ratings": len(corpus.split.train),
        "split": corpus.rule,
        "split_seed": corpus.seed,
        "reviews": corpus.digest,
        "traces": hashlib.sha256(json.dumps(imitated).encode()).hexdigest()[:32],
        "trained": trained.described(),
    }
    return json.dumps(described, indent=2) + "\n"


def require_training_extra(config: RaterConfig) -> None:
    """Raise `InputError` where the libraries of the extra `train` are not installed."""
    missing = [name for name in ("trl", "datasets", "accelerate", "peft") if not find_spec(name)]
    if missing:
        raise InputError(
            "rater train",
            f"needs what is not installed: {', '.join(missing)}.",
            "Install the extra: pip install 're2llm[train]'",
        )
    if config.vllm and not find_spec("vllm"):
        raise InputError("vllm", "is not installed.", "Install it: pip install 'trl[vllm]'")


def train_processes() -> Any:
    """Return accelerate's state of the processes that train together; each holds the whole model.

    Raises:
        InputError: The configuration asks to shard the weights.
    """
    for name, way in (("FSDP", "FSDP"), ("DEEPSPEED", "DeepSpeed"), ("MEGATRON_LM", "Megatron")):
        if os.environ.get(f"ACCELERATE_USE_{name}", "").lower() in {"1", "true"}:
            raise InputError(
                "accelerate",
                f"{way} shares weights among devices, which is not supported.",
                "Use distributed_type MULTI_GPU, and `lora_rank` 64 for less memory.",
            )
    # Without `cpu`, each of several processes on CPUs would act as if it were alone.
    on_cpu = not import_module("torch").accelerator.is_available()
    return import_module("accelerate").PartialState(cpu=on_cpu)


def quiet_libraries() -> None:
    """Turn off the libraries' own progress bars and notes: progress goes to the callback."""
    # About names that transformers and TRL deprecate for each other.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    logging = import_module("transformers.utils.logging")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    import_module("datasets").disable_progress_bars()
