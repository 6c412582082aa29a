"""Answers of a trained checkpoint, in batches and without a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import InputError
from .data import ChatMessages


def load_checkpoint(source: str | Path) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer.

    Args:
        source: A folder, or a name on a model hub.

    Raises:
        InputError: It cannot be loaded.
    """
    transformers = import_module("transformers")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(source), padding_side="left")
        model = transformers.AutoModelForCausalLM.from_pretrained(str(source), dtype="auto")
    except (OSError, ValueError) as error:
        raise InputError(
            "--model",
            f"{str(source)!r} cannot be loaded ({str(error).splitlines()[0]}).",
            "Give the folder of a model, or a name on a model hub that can be reached.",
        ) from error
    return model, tokenizer


def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[ChatMessages],
    *,
    max_tokens: int,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Answer prompts greedily.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, padding on the left.
        prompts: What to answer.
        max_tokens: Of one answer.
        batch: Prompts at a time.
        progress: Is told how many are done, of how many.

    Returns:
        The answers, in order.
    """
    torch = import_module("torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()
    answers: list[str] = [""] * len(prompts)
    texts = [
        tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        for prompt in prompts
    ]
    # Prompts of like length share a batch, so that little is padding.
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
        if progress is not None:
            progress(min(start + batch, len(order)), len(order))
    return answers
