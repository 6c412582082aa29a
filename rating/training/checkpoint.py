"""Trained models in folders: saved, loaded, and asked in batches without a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.messages import convert_to_openai_messages

from ...errors import InputError
from ...llm.ratings.answers import strict_rating
from ...runtime.progress import Progress
from ..corpus import RatingCorpus
from ..splits import RatingCase
from .answering import Sampling, answer_prompts
from .chat_form import check_template
from .description import RATER_FILE, checkpoint_description
from .model_source import DATA_ALONE, gguf_file, load_gguf, said_of
from .precision import computes_bfloat16


def load_checkpoint(source: str | Path, *, precise: bool = False) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer.

    Args:
        source: A model's folder or its name on a hub, a GGUF file, a folder with one, or `smollm2`.
        precise: Load the weights as float32, in whatever precision they are stored.

    Raises:
        InputError: It cannot be loaded, or is no model for chats.
    """
    file = gguf_file(source)
    model, tokenizer = _loaded(source, precise=precise) if file is None else load_gguf(file)
    check_template(tokenizer, file or source)
    if tokenizer.pad_token is None:  # what stands there is masked, so any token does
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return model, tokenizer


def _loaded(source: str | Path, *, precise: bool) -> tuple[Any, Any]:
    transformers = import_module("transformers")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(source), padding_side="left", **DATA_ALONE
        )
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(source),
            dtype="float32" if precise else "auto",
            use_safetensors=True,
            **DATA_ALONE,
        )
    except Exception as error:  # whatever a parser of a broken file stumbles over
        raise InputError(
            "model",
            f"{str(source)!r} cannot be loaded ({said_of(error)}).",
            "Give a model's folder, a GGUF file, or a name on a model hub that can be reached.",
        ) from error
    return model, tokenizer


def save_checkpoint(model: Any, tokenizer: Any, folder: Path, description: str) -> None:
    """Save a model and its `rater.json`; a folder of that name is always complete."""
    part = folder.with_name(folder.name + ".part")
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    (part / RATER_FILE).write_text(description, encoding="utf-8")
    part.rename(folder)


@dataclass(frozen=True, slots=True)
class CheckpointRatings:
    """A checkpoint's ratings of some cases, `None` for an invalid answer.

    Attributes:
        greedy: One rating a case.
        sampled: The ratings of a case's samples; empty lists if none were asked for.
    """

    greedy: list[float | None]
    sampled: list[list[float | None]]


def checkpoint_ratings(
    corpus: RatingCorpus,
    cases: Sequence[RatingCase],
    folder: Path,
    progress: Progress,
    *,
    samples: int = 0,
) -> CheckpointRatings:
    """Have a checkpoint rate cases, greedily and by samples at the temperature of its training.

    Raises:
        InputError: The checkpoint cannot be loaded.
    """
    described = checkpoint_description(folder).get("config", {})
    sampling = Sampling(samples, described.get("temperature", 1.0), described.get("seed", 0))
    model, tokenizer = load_checkpoint(folder)
    prompts = [convert_to_openai_messages(messages) for messages in corpus.prompts(cases)]
    answers = answer_prompts(
        model,
        tokenizer,
        prompts,
        max_tokens=int(described.get("max_completion_tokens", 1024)),
        sampling=sampling,
        # In bfloat16, what adapters have learned would be rounded away.
        bf16=not described.get("lora_rank") and computes_bfloat16(described.get("bf16", False)),
        progress=progress,
    )
    return CheckpointRatings(
        [strict_rating(answer.greedy, corpus.scale) for answer in answers],
        [[strict_rating(text, corpus.scale) for text in answer.sampled] for answer in answers],
    )
