"""The full circle: train a tiny rater, serve it over HTTP, and rate through the graph."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_openai import ChatOpenAI
from ports import free_port
from re2llm.graph.rate import graph
from re2llm.llm.ratings.answers import strict_rating
from re2llm.rating.corpus import RatingCorpus
from re2llm.rating.limits import prompt_limits
from re2llm.rating.reviews import scale_of
from re2llm.rating.sample import simulate_reviews
from re2llm.rating.splits import split_reviews
from re2llm.rating.traces import read_traces, write_traces
from re2llm.rating.training.stages import train_stages
from re2llm.records import RatingScale
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.sharing import close_shared_services

pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")
pytest.importorskip("fastapi", reason="needs the extra: pip install 're2llm[train]'")

from re2llm.rating.training import tiny_model as tiny_rater
from re2llm.rating.training.config import tiny_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SHAPE = tiny_rater.TinyShape(vocabulary=600, hidden=64, layers=2, heads=2)
LIMITS = {"history": 3, "item_reviews": 0, "review_characters": 0, "title_characters": 8}
USERS = 60
CONFIG = tiny_config().changed(
    {"sft_epochs": 3, "sft_learning_rate": 5e-3, "max_steps": 2, "learning_rate": 1e-4}
)


def corpus() -> RatingCorpus:
    histories = simulate_reviews(USERS)
    return RatingCorpus(split_reviews(histories), scale_of(histories), prompt_limits(**LIMITS))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    patch = pytest.MonkeyPatch()
    patch.setattr(tiny_rater, "TinyShape", lambda: SHAPE)
    folder = tmp_path_factory.mktemp("rater")
    reviews = corpus()
    stages: list[str] = []

    async def traced():
        options = await resolve_context(Context(model="offline"))
        traced = await write_traces(reviews, reviews.split.train, folder / "traces.jsonl", options)
        return traced.complete()

    async def closing():
        rows = await traced()
        again = await traced()
        await close_shared_services()
        assert again == rows
        return rows

    rows = asyncio.run(closing())
    assert {row["outcome"] for row in rows} == {"aligned", "rewritten"}
    model = train_stages(
        folder / "run",
        "tiny",
        "recone",
        reviews,
        rows,
        CONFIG,
        lambda *told: stages.append(told[0]),
    )
    patch.undo()
    assert set(stages) == {"sft", "grpo"}
    assert (folder / "run" / "curve.png").is_file()
    return model


@pytest.fixture(scope="module")
def address(checkpoint: Path, tmp_path_factory) -> Iterator[str]:
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(checkpoint)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            start_new_session=True,
        )
    try:
        for _ in range(240):
            assert process.poll() is None, log.read_text()[-2000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def test_train_save_serve_and_rate(checkpoint, address, services, adjust):
    adjust(rating_review_characters=0, rating_title_characters=8)
    model = ChatOpenAI(
        model=str(checkpoint),
        base_url=address,
        api_key="none",
        temperature=0,
        max_tokens=160,
        timeout=120,
    )
    services.models.register("rater", model)
    request = {
        "item": {"title": "The River Keeper", "attributes": {"kind": "book"}},
        "history": [
            {"title": "Star Farm Seven", "attributes": {"kind": "book"}, "rating": rating}
            for rating in (4, 5, 4)
        ],
    }
    answer = await graph.ainvoke(request, context=Context(model="rater"))
    assert answer["error"] is None
    assert answer["valid"], answer
    assert answer["flags"] == []
    assert answer["model"] == "rater"
    assert 1 <= answer["rating"] <= 5
    assert re.search(r"Ratings so far", answer["reasoning"]["analyze_user"])
    assert all(answer["reasoning"].values())

    adjust(rating_review_characters=0, rating_title_characters=8, rate_samples=4, temperature=1.0)
    services.models.register("sampled", model.model_copy(update={"temperature": 1.0}))
    sampled = await graph.ainvoke(request, context=Context(model="sampled"))
    assert sampled["error"] is None
    assert sampled["llm_calls"] >= 4
    assert 1 <= sampled["rating"] <= 5


def test_the_same_folder_goes_on_and_refuses_another_training(checkpoint):
    from re2llm.errors import InputError

    folder = checkpoint.parent
    reviews = corpus()
    told: list[str] = []
    progress = lambda *_: told.append("trained")  # noqa: E731
    stored = read_traces(folder.parent / "traces.jsonl")
    traced = {(row["user"], row["item"]): row for row in stored}
    rows = [traced[case.key] for case in reviews.split.train]
    assert train_stages(folder, "tiny", "recone", reviews, rows, CONFIG, progress) == checkpoint
    assert not told
    other = CONFIG.changed({"seed": 5})
    for changed in ((rows, other), (rows[1:], CONFIG)):
        with pytest.raises(InputError, match=r"^folder: "):
            train_stages(folder, "tiny", "recone", reviews, *changed, progress)


def test_checkpoint_answers_without_a_server(checkpoint):
    from langchain_core.messages import convert_to_openai_messages
    from re2llm.rating.training.answering import answer_prompts
    from re2llm.rating.training.checkpoint import load_checkpoint

    reviews = corpus()
    prompts = [convert_to_openai_messages(p) for p in reviews.prompts(reviews.split.test)]
    model, tokenizer = load_checkpoint(checkpoint)
    answers = answer_prompts(model, tokenizer, prompts, max_tokens=128)
    valid = [strict_rating(each.greedy, RatingScale(1, 5)) is not None for each in answers]
    assert sum(valid) >= 0.95 * len(valid)
