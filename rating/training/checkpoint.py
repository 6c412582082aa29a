"""Trained models in folders: saved, loaded, and asked in batches without a server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.messages import convert_to_openai_messages

from ...errors import InputError
from ...llm.rating_answers import strict_rating
from ...runtime.progress import Progress, silent
from ..corpus import RatingCorpus
from ..splits import RatingCase
from .model_source import gguf_file, load_gguf

RATER_FILE = "rater.json"
"""Beside a trained model: the settings of its training, and so of its prompts."""

ChatMessages = Sequence[dict[str, Any]]
"""A prompt as roles and contents."""


def load_checkpoint(source: str | Path) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer.

    Args:
        source: A model's folder or its name on a hub, a GGUF file, a folder with one, or `smollm2`.

    Raises:
        InputError: It cannot be loaded.
    """
    file = gguf_file(source)
    if file is not None:
        return load_gguf(file)
    transformers = import_module("transformers")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(source), padding_side="left")
        model = transformers.AutoModelForCausalLM.from_pretrained(str(source), dtype="auto")
    except (OSError, ValueError) as error:
        raise InputError(
            "--model",
            f"{str(source)!r} cannot be loaded ({str(error).splitlines()[0]}).",
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


def checkpoint_description(folder: Path) -> dict[str, Any]:
    """Return the content of `rater.json`, `{}` for a model without one.

    Raises:
        InputError: There is no such folder.
    """
    if not folder.is_dir():
        raise InputError("--checkpoint", f"{folder} is not a folder.", "Name a model's folder.")
    note = folder / RATER_FILE
    return json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}


def checkpoint_ratings(
    corpus: RatingCorpus, cases: Sequence[RatingCase], folder: Path, progress: Progress
) -> list[float | None]:
    """Return a checkpoint's rating of each case, `None` for an invalid answer.

    Raises:
        InputError: The checkpoint cannot be loaded.
    """
    tokens = checkpoint_description(folder).get("config", {}).get("max_completion_tokens", 1024)
    model, tokenizer = load_checkpoint(folder)
    prompts = [convert_to_openai_messages(messages) for messages in corpus.prompts(cases)]
    answers = generate_answers(model, tokenizer, prompts, max_tokens=int(tokens), progress=progress)
    return [strict_rating(text, corpus.scale) for text in answers]


def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[ChatMessages],
    *,
    max_tokens: int,
    batch: int = 32,
    progress: Progress = silent,
) -> list[str]:
    """Answer prompts greedily, `batch` at a time; the tokenizer must pad on the left."""
    torch = import_module("torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()
    answers: list[str] = [""] * len(prompts)
    texts = [
        tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        for prompt in prompts
    ]
    # Prompts of similar length share a batch, so that there is little padding.
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        inputs = tokenizer(
            [texts[place] for place in places],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        ).to(device)
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False)
        fresh = output[:, inputs["input_ids"].shape[1] :]
        decoded = tokenizer.batch_decode(fresh, skip_special_tokens=True)
        for place, text in zip(places, decoded, strict=True):
            answers[place] = text
        progress("rating", min(start + batch, len(order)), len(order))
    return answers
