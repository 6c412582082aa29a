"""A file that does not answer, such as a pipe: the event loop goes on and hears signals."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from re2llm.commands.files import read_json
from re2llm.commands.rating.hyper_parameters import hyper_parameters
from re2llm.errors import InputError
from re2llm.operations.evaluation.evaluate import evaluate
from re2llm.operations.rating.evaluate import evaluate_raters
from re2llm.operations.rating.predict import predict_from_reviews
from re2llm.operations.rating.traces import trace_ratings
from re2llm.operations.rating.train import train_rater
from re2llm.rating.corpus import ReviewSource
from re2llm.rating.training.config import rater_config
from re2llm.runtime.context import Context
from silent_pipe import SilentPipe


async def _read(file: Path) -> None:
    try:
        await read_json(file)
    except ValueError as error:
        raise InputError("file", "is empty.", "") from error


def _reviews(file: Path) -> ReviewSource:
    return ReviewSource(path=str(file))


READS: dict[str, Callable[[Path], Awaitable[Any]]] = {
    "a command": _read,
    "hyper-parameters": lambda file: hyper_parameters(file, ()),
    "recorded answers": lambda file: evaluate(Context(), file, answers=file),
    "reviews of a rating": lambda file: predict_from_reviews(Context(), _reviews(file), "u", "i"),
    "reviews to evaluate on": lambda file: evaluate_raters(
        Context(), _reviews(file), baselines=["bias"]
    ),
    "reviews to trace": lambda file: trace_ratings(
        Context(), _reviews(file), file.with_name("traces.jsonl")
    ),
    "reviews to train on": lambda file: train_rater(
        Context(), _reviews(file), "tiny", file.with_name("out"), config=rater_config("tiny", {})
    ),
}


@pytest.mark.parametrize("reading", READS)
async def test_the_event_loop_goes_on_while_a_file_is_silent(reading: str, tmp_path: Path) -> None:
    if reading == "reviews to train on":
        for library in ("trl", "datasets", "peft"):
            pytest.importorskip(library)
    pipe = SilentPipe(tmp_path / "pipe")
    await pipe.let_others_work(READS[reading](pipe.path))
