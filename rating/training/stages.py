"""Trains a rater step by step in one folder, so that it can be stopped and run again."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from langchain_core.messages import convert_to_openai_messages

from ...commands.rating.reviews import Reviews
from ...errors import InputError
from ...llm.rating_answers import TAGS, strict_rating
from ...llm.rating_prompt import RATING_PROMPT_VERSION
from .config import RaterConfig
from .curve import CurveWriter, draw_curve, read_curve
from .data import RaterPrompt, RaterTrace
from .generation import load_checkpoint
from .tiny_model import TinyShape, build_model, build_tokenizer
from .trainer import grpo_trainer, run_trainer, sft_trainer, watcher

RATER_FILE = "rater.json"
"""Beside a trained model: what it was trained with, and so how it wants to be asked."""

TINY = "tiny"
"""The model name that stands for a small model built from the training texts."""

_KEY = re.compile(r"""[\[\]{}",\s]{0,40}"\w{1,40}":[\s"\[{]{0,40}""")
_KEYS = 40


def train_stages(
    folder: Path,
    source: str,
    recipe: str,
    reviews: Reviews,
    traces: Sequence[dict[str, Any]],
    config: RaterConfig,
    progress: Callable[[str, int, int], None],
) -> Path:
    """Train, and save the model.

    Args:
        folder: Gets checkpoints, curve, picture and the model.
        source: A model's folder or name, or `tiny`.
        recipe: `reczero` or `recone`.
        reviews: What to train on.
        traces: What to imitate first; for `recone`.
        config: The settings.
        progress: Is told the stage, the update and how many there will be.

    Returns:
        The folder of the trained model.

    Raises:
        InputError: The folder belongs to another training, the model cannot be loaded, or its
            weights are to be shared among devices.
    """
    described = {
        "recipe": recipe,
        "base": source,
        "scale": [reviews.scale.low, reviews.scale.high],
        "prompt_version": RATING_PROMPT_VERSION,
        "prompt": asdict(reviews.limits),
        "config": config.as_dict(),
        "ratings": len(reviews.split.train),
    }
    state = train_processes()
    with state.main_process_first():
        _claim(folder, described, ours=state.is_main_process)
    final, imitated = folder / "model", folder / "imitated"
    if final.exists():
        return final
    prompts = [
        RaterPrompt(convert_to_openai_messages(messages), case.review.rating)
        for messages, case in zip(
            reviews.prompts(reviews.split.train), reviews.split.train, strict=True
        )
    ]
    curve = CurveWriter(folder / "curve.jsonl")
    if imitated.exists():
        model, tokenizer = load_checkpoint(imitated)
    elif source == TINY:
        model, tokenizer = _tiny([prompt.messages for prompt in prompts], traces, config.seed)
    else:
        model, tokenizer = load_checkpoint(source)
    if recipe == "recone" and not imitated.exists():
        kept = [RaterTrace(t["prompt"], t["answer"]) for t in traces if t["outcome"] != "rejected"]
        if not kept:
            raise InputError("--traces", "hold nothing to imitate.", "Ask a better teacher.")
        watch = watcher("sft", curve, progress)
        model = run_trainer(sft_trainer(model, tokenizer, kept, config, folder / "sft", [watch]))
        _save(model, tokenizer, imitated, described)
    watch = watcher("grpo", curve, progress)
    read = partial(strict_rating, scale=reviews.scale)
    model = run_trainer(
        grpo_trainer(
            model, tokenizer, prompts, read, reviews.scale, config, folder / "grpo", [watch]
        )
    )
    _save(model, tokenizer, final, described)
    if state.is_main_process:
        draw_curve(read_curve(curve.path), folder / "curve.png", f"{recipe} on {source}")
    return final


def train_processes() -> Any:
    """Return the state of the processes that train together, each of which holds the model.

    Raises:
        InputError: The model's weights are to be shared among them.
    """
    for name, way in (("FSDP", "FSDP"), ("DEEPSPEED", "DeepSpeed"), ("MEGATRON_LM", "Megatron")):
        if os.environ.get(f"ACCELERATE_USE_{name}", "").lower() in {"1", "true"}:
            raise InputError(
                "accelerate",
                f"{way} shares weights among devices, which is not supported.",
                "Use distributed_type MULTI_GPU, and --set lora_rank=64 for less memory.",
            )
    # Without being told, several processes on CPUs would each believe to be alone.
    return PartialState(cpu=not torch.accelerator.is_available())


def _claim(folder: Path, described: dict[str, Any], *, ours: bool) -> None:
    """Note what is trained here, and refuse to go on with something else."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / RATER_FILE
    text = json.dumps(described, indent=2) + "\n"
    if note.exists():
        if json.loads(note.read_text(encoding="utf-8")) != json.loads(text):
            raise InputError(
                "--out",
                f"{folder} holds a training with other reviews or settings.",
                "Repeat its options to go on with it, or name another folder.",
            )
        return
    if not ours:
        raise InputError("--out", f"{folder} is not shared by all processes.", "Name one that is.")
    if any(folder.iterdir()):
        raise InputError("--out", f"{folder} is not empty.", "Name a new folder.")
    note.write_text(text, encoding="utf-8")


def _tiny(
    prompts: Sequence[list[dict[str, str]]], traces: Sequence[dict[str, Any]], seed: int
) -> tuple[Any, Any]:

    said = {"system": set[str](), "user": set[str]()}
    for prompt in prompts:
        for message in prompt:
            said[message["role"]].add(message["content"])
    texts = [*sorted(said["user"]), *(trace["answer"] for trace in traces)]
    tags = [f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")]
    # The instructions and the keys of the document never change: as single tokens they cost a
    # small model next to nothing.
    keys = Counter(key for text in said["user"] for key in _KEY.findall(text)).most_common(_KEYS)
    pieces = [*tags, *sorted(said["system"]), *(key for key, _ in keys)]
    tokenizer = build_tokenizer(texts, pieces, TinyShape())
    return build_model(tokenizer, TinyShape(), seed), tokenizer


def _save(model: Any, tokenizer: Any, folder: Path, described: dict[str, Any]) -> None:

    state: Any = PartialState()
    if state.is_main_process:
        # A folder of that name is whole, whenever the process is stopped.
        part = folder.with_name(folder.name + ".part")
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        (part / RATER_FILE).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
        part.rename(folder)
    state.wait_for_everyone()
