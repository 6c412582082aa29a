"""Tokens a second in training a rater and in asking it, before and after what makes it faster.

OMP_NUM_THREADS=1 python -m benchmarks.rater_tokens --model smollm2 --reviews ml-latest-small

Seconds are those of the processor, so that a busy machine changes little.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from langchain_core.messages import convert_to_openai_messages
from re2llm.llm.offline.rating import rate, rating_document
from re2llm.rating.corpus import RatingCorpus, ReviewSource
from re2llm.rating.training.answering import Sampling, answer_prompts
from re2llm.rating.training.checkpoint import load_checkpoint
from re2llm.rating.training.config import RaterConfig, small_config
from re2llm.rating.training.stages import quiet_libraries
from re2llm.rating.training.trainer import run_trainer, sft_trainer

TRAINING: dict[str, dict[str, object]] = {
    "float32, random batches": {"bf16": False, "sft_group_by_length": False},
    "float32, batches of one length": {"bf16": False},
    "bfloat16, batches of one length": {"bf16": True},
    "bfloat16, low-rank adapters": {"bf16": True, "lora_rank": 16},
}
_ANSWER = 40


def rows_of(corpus: RatingCorpus, count: int) -> list[dict[str, Any]]:
    """Return prompts with the offline teacher's answers."""
    cases = corpus.split.train
    prompts = corpus.prompts(cases[:: max(1, len(cases) // count)][:count])
    return [
        {
            "prompt": convert_to_openai_messages(prompt),
            "completion": [
                {"role": "assistant", "content": rate(rating_document(prompt) or {}, prompt)}
            ],
        }
        for prompt in prompts
    ]


def token_count(tokenizer: Any, rows: list[dict[str, Any]]) -> int:
    """Return the tokens of the rows, without padding."""
    texts = [
        tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=False)
        for row in rows
    ]
    return sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def train(source: str, rows: list[dict[str, Any]], config: RaterConfig) -> float:
    """Return the tokens a second of one pass over the rows; loading is not counted."""
    model, tokenizer = load_checkpoint(source)
    with tempfile.TemporaryDirectory() as folder:
        trainer = sft_trainer(model, tokenizer, rows, config, Path(folder))
        trainer.args.save_strategy = "no"
        return token_count(tokenizer, rows) / seconds(lambda: run_trainer(trainer))


def answering(source: str, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return prompts answered a minute: greedily, and with four samples, read once or each time."""
    model, tokenizer = load_checkpoint(source)
    prompts = [row["prompt"] for row in rows]

    def asked(count: int, *, bf16: bool) -> float:
        return seconds(
            lambda: answer_prompts(
                model,
                tokenizer,
                prompts,
                max_tokens=_ANSWER,
                sampling=Sampling(count),
                batch=16,
                bf16=bf16,
            )
        )

    minute = 60.0 * len(prompts)
    greedy, shared = asked(0, bf16=False), asked(4, bf16=False)
    return {
        "greedy, float32": minute / greedy,
        "with 4 samples, read five times, float32 (five times the greedy one)": minute
        / (5 * greedy),
        "with 4 samples, read once, float32": minute / shared,
        "greedy, bfloat16": minute / asked(0, bf16=True),
        "with 4 samples, read once, bfloat16": minute / asked(4, bf16=True),
    }


def main(
    reviews: Annotated[str, typer.Option(help="As for `rater train`.")],
    model: Annotated[str, typer.Option(help="As for `rater train`.")] = "smollm2",
    rows: Annotated[int, typer.Option(min=8, help="Traces to train on.")] = 24,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
) -> None:
    """Print tokens a second of training, and prompts a minute of answering."""
    quiet_libraries()
    source = ReviewSource(path=reviews, split="mixed")
    data = rows_of(source.corpus(source.limits()), rows)
    figures: dict[str, dict[str, float]] = {"training, tokens a second": {}}
    for name, values in TRAINING.items():
        speed = train(model, data, small_config().changed(values))
        figures["training, tokens a second"][name] = round(speed, 1)
        print(f"{name}, tokens a second: {speed:.0f}", flush=True)
    answered = {name: round(speed, 1) for name, speed in answering(model, data).items()}
    figures["answering, prompts a minute"] = answered
    for name, speed in answered.items():
        print(f"{name}, prompts a minute: {speed:.1f}")
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
