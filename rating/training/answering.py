"""Answers of a loaded model to many prompts: greedy ones, and samples that reuse what was read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ...runtime.progress import Progress, silent
from .chat_form import ChatMessages, fitting_prompts

_BATCHES = {"cpu": 32, "cuda": 512}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample.

    Attributes:
        count: Answers to each prompt, besides the greedy one; 0 samples none.
        temperature: The temperature; samples come from the whole vocabulary.
        seed: The same seed and batches give the same answers.
    """

    count: int = 0
    temperature: float = 1.0
    seed: int = 0


@dataclass(slots=True)
class Answers:
    """What a model says to one prompt: greedily, and when sampled."""

    greedy: str = ""
    sampled: list[str] = field(default_factory=list[str])


def answer_prompts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[ChatMessages],
    *,
    max_tokens: int,
    sampling: Sampling | None = None,
    batch: int | None = None,
    bf16: bool = False,
    progress: Progress = silent,
) -> list[Answers]:
    """Answer prompts in batches; the tokenizer must pad on the left.

    A batch is read once: its greedy answers and its samples continue from the same keys and values.

    Args:
        model: It moves to the GPU if there is one, and stays there.
        batch: Prompts at a time; `None` takes 32 on a CPU and 512 on a GPU. Where the GPU's memory
            does not hold so many, it is halved until it does.
        bf16: Compute in bfloat16; the model's own weights are cast, and stay so.
        progress: Called after each batch with the stage `rating`.
    """
    torch = import_module("torch")
    sampling = sampling or Sampling()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()
    if bf16:
        model = model.to(torch.bfloat16)
    torch.manual_seed(sampling.seed)
    answers = [Answers() for _ in prompts]
    size = batch or _BATCHES[device]
    texts = [
        tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        for prompt in fitting_prompts(tokenizer, prompts)
    ]
    # Prompts of similar length share a batch, so that there is little padding.
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    done = 0
    while done < len(order):
        places = order[done : done + size]
        inputs = tokenizer(
            [texts[place] for place in places],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        ).to(device)
        try:
            with torch.inference_mode():
                said = _answers_to(_Reading(model, tokenizer, inputs, max_tokens), sampling)
        except torch.OutOfMemoryError:
            if len(places) == 1:
                raise
            size = len(places) // 2
            continue
        for place, answer in zip(places, said, strict=True):
            answers[place] = answer
        done += len(places)
        progress("rating", done, len(order))
    return answers


def _answers_to(reading: _Reading, sampling: Sampling) -> list[Answers]:
    answers = [Answers(text) for text in reading.go_on()]
    for _ in range(sampling.count):
        for answer, text in zip(answers, reading.go_on(sampling.temperature), strict=True):
            answer.sampled.append(text)
    return answers


class _Reading:
    """A batch of prompts that the model has read, except for the last token."""

    def __init__(self, model: Any, tokenizer: Any, inputs: Any, max_tokens: int) -> None:
        self._model, self._tokenizer, self._most = model, tokenizer, max_tokens
        self._ids, self._mask = inputs["input_ids"], inputs["attention_mask"]
        before = self._mask[:, :-1]
        places = (before.cumsum(-1) - 1).clamp(min=0)
        self._cache = model(
            input_ids=self._ids[:, :-1],
            attention_mask=before,
            position_ids=places,
            use_cache=True,
            logits_to_keep=1,
        ).past_key_values

    def go_on(self, temperature: float | None = None) -> list[str]:
        """Return an answer to each prompt, greedy without a temperature."""
        # What is not said here, `generate` takes from the model's own settings for chats.
        how: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0, "min_p": None}
        if temperature is not None:
            how |= {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        output = self._model.generate(
            input_ids=self._ids,
            attention_mask=self._mask,
            past_key_values=copy.deepcopy(self._cache),
            max_new_tokens=self._most,
            **how,
        )
        fresh = output[:, self._ids.shape[1] :]
        return self._tokenizer.batch_decode(fresh, skip_special_tokens=True)
