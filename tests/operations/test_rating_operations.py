"""The operations on ratings, called as a program would: in memory, with progress by callback."""

import itertools
import json
import os
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from langchain_core.messages import convert_to_openai_messages
from pydantic import SecretStr
from re2llm.errors import BudgetSpentError, InputError, Re2llmError
from re2llm.llm.ratings.prompt import PromptLimits
from re2llm.operations.rating.evaluate import evaluate_raters
from re2llm.operations.rating.predict import predict_from_reviews
from re2llm.operations.rating.rate import rate
from re2llm.operations.rating.traces import trace_ratings
from re2llm.operations.rating.train import train_rater
from re2llm.rating.corpus import RatingCorpus, ReviewSource, request_from_reviews
from re2llm.rating.splits import RatingCase
from re2llm.rating.traces import fitting_traces, read_traces
from re2llm.rating.training.checkpoint import CheckpointRatings
from re2llm.rating.training.config import rater_config
from re2llm.rating.training.stages import describe_training
from re2llm.records import RatingScale
from re2llm.runtime.budget import Budget
from re2llm.runtime.context import Context

pytestmark = pytest.mark.usefixtures("services")
GOOD = "<analyze user>u</analyze user><analyze item>i</analyze item><match>m</match><rate>3</rate>"


class Recorded(list[tuple[str, int, int | None]]):
    """A progress callback that remembers its calls."""

    def __call__(self, *reported: Any) -> None:
        self.append(reported)


@pytest.fixture
def reported() -> Recorded:
    return Recorded()


@pytest.fixture
def model(adjust: Callable[..., None]) -> Iterator[str]:
    with FaultServer(speak=lambda _: GOOD).running() as server:
        adjust(base_url=server.url, api_key=SecretStr("sk-none"), concurrency=2)
        yield f"openai:rater-{uuid.uuid4().hex[:8]}"


def reviews(path: Path, *rows: dict[str, Any]) -> ReviewSource:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return ReviewSource(path=str(path), skip_malformed=True)


async def test_a_rating_of_a_reviews_user_and_item_by_title() -> None:
    answer = await predict_from_reviews(Context(), ReviewSource(), "person-1", "the river keeper")
    assert answer.valid
    assert "River Keeper" in answer.reasoning.analyze_item
    assert answer.prompt_version == "rate-1"


def test_a_request_holds_neither_the_users_own_review_nor_the_held_out_rating(
    tmp_path: Path,
) -> None:
    source = reviews(
        tmp_path / "r.jsonl",
        {"user": "a", "item": {"id": "x", "title": "Tea", "tags": ["hot"]}, "rating": 1},
        {"user": "a", "item": {"id": "y", "title": "Cup"}, "rating": 5, "text": "Mine."},
        {"user": "b", "item": {"id": "y", "title": "Cup"}, "rating": 3, "text": "Fine."},
    )
    request = request_from_reviews(source.histories(), "a", "CUP")
    assert [(past.title, past.rating, past.attributes) for past in request.history] == [
        ("Tea", 1, {"tags": ["hot"]})
    ]
    assert [(other.rating, other.text) for other in request.item_reviews] == [(3, "Fine.")]
    assert (request.item.title, request.lowest, request.highest) == ("Cup", 1, 5)


def test_an_id_comes_before_a_title_and_a_title_of_several_items_is_refused(
    tmp_path: Path,
) -> None:
    source = reviews(
        tmp_path / "r.jsonl",
        {"user": "a", "item": {"id": "300", "title": "Quiz Show"}, "rating": 1},
        {"user": "b", "item": {"id": "7", "title": "300"}, "rating": 5},
        {"user": "b", "item": {"id": "8", "title": "Cup"}, "rating": 5},
        {"user": "c", "item": {"id": "9", "title": "cup"}, "rating": 4},
    )
    histories = source.histories()
    request = request_from_reviews(histories, "b", "300")
    assert (request.item.title, request.item_mean) == ("Quiz Show", 1)
    with pytest.raises(InputError, match="title of 2 items: 8, 9") as refused:
        request_from_reviews(histories, "a", "CUP")
    assert (refused.value.field, refused.value.remedy) == ("item", "Give an id.")


def test_reviews_beyond_the_limits_of_a_request_are_cut_or_named(tmp_path: Path) -> None:
    source = reviews(
        tmp_path / "r.jsonl",
        {"user": "a", "item": {"id": "x", "title": "Tea", "number": 10**16}, "rating": 1},
        {"user": "b", "item": {"id": "y", "title": "Cup"}, "rating": 3, "text": "a" * 100_001},
        {"user": "c", "item": {"id": "z", "title": "Pot"}, "rating": 2},
    )
    histories = source.histories()
    assert len(request_from_reviews(histories, "c", "y").item_reviews[0].text) == 100_000
    with pytest.raises(InputError, match="less than or equal") as refused:
        request_from_reviews(histories, "b", "x")
    assert refused.value.field == "attributes.number"


@pytest.mark.parametrize(
    ("trained", "now", "refused"),
    [
        (("users", 7), ("users", 0), True),
        (("users", 7), ("last", 7), True),
        (("last", 7), ("users", 7), True),
        (("users", 7), ("users", 7), False),
        (("last", 7), ("last", 0), False),
    ],
)
async def test_a_checkpoint_is_not_evaluated_on_what_it_was_trained_on(
    tmp_path: Path, trained: tuple[str, int], now: tuple[str, int], refused: bool
) -> None:
    source = ReviewSource(split=trained[0], seed=trained[1])
    corpus = source.corpus(PromptLimits())
    note = {"prompt": {}, "config": {}, "split": trained[0], "split_seed": trained[1]}
    (tmp_path / "rater.json").write_text(json.dumps({**note, "reviews": corpus.digest}))
    asked = ReviewSource(split=now[0], seed=now[1])
    # Where the split fits, the missing weights are what is wrong.
    with pytest.raises(InputError, match="was trained on some" if refused else "cannot be loaded"):
        await evaluate_raters(Context(), asked, checkpoint=tmp_path)
    other = {**note, "reviews": "of other reviews"}
    (tmp_path / "rater.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="cannot be loaded"):
        await evaluate_raters(Context(), asked, checkpoint=tmp_path)


def rated_by(users: list[str]) -> list[dict[str, Any]]:
    drawn = random.Random(4)
    return [
        {"user": user, "item": f"i{item}", "rating": drawn.randint(1, 5)}
        for user in users
        for item in drawn.sample(range(30), 6)
    ]


@pytest.fixture
def rated(monkeypatch: pytest.MonkeyPatch) -> list[RatingCase]:
    """The ratings that a checkpoint is asked for."""
    asked: list[RatingCase] = []

    def rate(_: Any, cases: Any, *__: Any, **___: Any) -> CheckpointRatings:
        asked.extend(cases)
        return CheckpointRatings([3.0] * len(cases), [[]] * len(cases))

    monkeypatch.setattr("re2llm.operations.rating.evaluate.checkpoint_ratings", rate)
    return asked


@pytest.mark.parametrize("base", [False, True])
@pytest.mark.parametrize("split", ["users", "mixed"])
async def test_ratings_that_were_trained_on_are_left_out_whatever_the_reviews_are_now(
    tmp_path: Path, rated: list[RatingCase], split: str, base: bool
) -> None:
    users = [f"u{n:02d}" for n in range(60)]
    source = reviews(tmp_path / "r.jsonl", *rated_by(users))
    source = replace(source, split=split)
    trained = source.corpus(source.limits())
    note = describe_training("tiny", "reczero", trained, rater_config("tiny", {}))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "rater.json").write_text(note)
    if base:  # what a rater that is trained further was trained on before
        other = reviews(tmp_path / "other.jsonl", *rated_by(["x", "y", "z"]))
        other = other.corpus(source.limits())
        note = describe_training(str(folder), "reczero", other, rater_config("tiny", {}))
        (folder / "rater.json").write_text(note)
    notes: list[str] = []
    # One user more moves others to the other side of the split; one that was held out rates again.
    rows = [row for row in rated_by(users) if split == "users" or row["user"] != "u07"]
    more = [{"user": "a-new", "item": f"i{n}", "rating": 3} for n in range(4)]
    more += [{"user": user, "item": "late", "rating": 5} for user in users[:20]]
    now = reviews(tmp_path / "now.jsonl", *rows, *more)
    now = replace(now, split=split, warn=notes.append)
    document = await evaluate_raters(Context(), now, checkpoint=folder)
    keys = {case.key for case in trained.split.train}
    every = now.corpus(now.limits()).split.test
    assert not keys & {case.key for case in rated}
    assert document["n"] == len(rated) == len(every) - document["left_out"]
    assert bool(document["left_out"]) == (split == "users")
    assert [note.split()[0] for note in notes if "left out" in note] == (
        [str(document["left_out"])] if split == "users" else []
    )
    named = {group["name"]: group["n"] for group in document["groups"]}
    seen = {user for user, _ in keys}
    assert named["users trained on"] == sum(case.review.user in seen for case in rated)


async def test_users_are_trained_on_if_a_rating_of_theirs_is(
    tmp_path: Path, rated: list[RatingCase]
) -> None:
    users = [f"u{n:02d}" for n in range(9)]
    source = reviews(tmp_path / "r.jsonl", *rated_by(users))
    trained = describe_training(
        "tiny", "reczero", source.corpus(source.limits()), rater_config("tiny", {})
    )
    (tmp_path / "rater.json").write_text(trained)
    # The same ids of users, and items of another shop.
    rows = [{**row, "item": f"b{row['item']}"} for row in rated_by(users)]
    other = reviews(tmp_path / "other.jsonl", *rows)
    document = await evaluate_raters(Context(), other, checkpoint=tmp_path)
    assert document["left_out"] == 0
    named = {group["name"]: group["n"] for group in document["groups"]}
    assert named.get("users trained on", 0) == 0
    assert named["users not trained on"] == len(rated)


async def test_a_checkpoint_brings_its_scale_where_none_is_known(
    tmp_path: Path, rated: list[RatingCase]
) -> None:
    users = [f"u{n:02d}" for n in range(9)]
    source = reviews(tmp_path / "r.jsonl", *rated_by(users))
    source = replace(source, scale=RatingScale(0, 10))
    note = describe_training(
        "tiny", "reczero", source.corpus(source.limits()), rater_config("tiny", {})
    )
    (tmp_path / "rater.json").write_text(note)
    notes: list[str] = []
    again = ReviewSource(path=source.path, warn=notes.append)
    document = await evaluate_raters(Context(), again, checkpoint=tmp_path)
    assert document["scale"] == [0, 10]
    assert not notes
    other = replace(again, scale=RatingScale(0.5, 5))
    document = await evaluate_raters(Context(), other, checkpoint=tmp_path)
    assert document["scale"] == [0.5, 5]
    assert notes == ["The checkpoint was trained to rate from 0 to 10, not from 0.5 to 5."]
    assert rated


async def test_a_checkpoint_that_was_trained_on_all_ratings_is_refused(
    tmp_path: Path, rated: list[RatingCase]
) -> None:
    rows = rated_by([f"u{n}" for n in range(9)])
    source = reviews(tmp_path / "r.jsonl", *rows)
    note = describe_training(
        "tiny", "reczero", source.corpus(source.limits()), rater_config("tiny", {})
    )
    (tmp_path / "rater.json").write_text(note)
    without_last = [row for n, row in enumerate(rows) if n % 6 != 5]
    fewer = reviews(tmp_path / "fewer.jsonl", *without_last)
    with pytest.raises(InputError, match="trained on all of these ratings"):
        await evaluate_raters(Context(), fewer, checkpoint=tmp_path)
    assert not rated


def test_traces_fit_only_the_prompts_and_ratings_that_they_were_made_for() -> None:
    def traced(source: ReviewSource, limits: PromptLimits) -> list[dict[str, Any]]:
        corpus = source.corpus(limits)
        cases = corpus.split.train[:40]
        return [
            {
                "user": case.key[0],
                "item": case.key[1],
                "truth": case.review.rating,
                "prompt": convert_to_openai_messages(messages),
            }
            for case, messages in zip(cases, corpus.prompts(cases), strict=True)
        ]

    corpus = ReviewSource().corpus(PromptLimits())
    rows = traced(ReviewSource(), PromptLimits())
    assert fitting_traces(rows, corpus, corpus.split.train) == rows
    shorter = traced(ReviewSource(), PromptLimits(review_characters=5))
    assert not fitting_traces(shorter, corpus, corpus.split.train)
    changed = [{**row, "truth": row["truth"] - 1} for row in rows]
    assert not fitting_traces(changed, corpus, corpus.split.train)
    held_out = {(case.review.user, case.review.item.title) for case in corpus.split.test}
    other = traced(ReviewSource(split="users"), PromptLimits())
    for row in fitting_traces(other, corpus, corpus.split.train):
        text = row["prompt"][-1]["content"]
        assert not any(user == row["user"] and title in text for user, title in held_out)


def test_a_trace_that_was_cut_within_a_character_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    row = {"user": "u", "item": "i", "answer": "so so …", "outcome": "aligned"}
    whole = json.dumps(row, ensure_ascii=False).encode() + b"\n"
    file.write_bytes(whole + whole[: whole.index(b"\xe2") + 1])
    assert read_traces(file) == [row]
    file.write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="is not a trace"):
        read_traces(file)


def test_a_device_or_a_file_without_line_ends_is_no_file_of_traces(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device or a pipe"):
        read_traces(Path("/dev/zero"))
    file = tmp_path / "traces.jsonl"
    file.touch()
    os.truncate(file, 2**26)
    with pytest.raises(InputError, match="is not a trace"):
        read_traces(file)
    assert file.stat().st_size == 2**26


TRACE = {"user": "u", "item": "i", "model": "offline", "prompt_version": "rate-1",
         "outcome": "aligned", "truth": 3.0, "prompt": [], "answer": 'so "so" …'}  # fmt: skip


def test_a_trace_that_is_cut_anywhere_is_left_out_and_a_whole_one_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    whole = json.dumps(TRACE, ensure_ascii=False).encode()
    for most in range(1, len(whole)):
        file.write_bytes(whole + b"\n" + whole[:most])
        assert read_traces(file) == [TRACE]
    file.write_bytes(whole + b"\n" + whole)
    assert read_traces(file) == [TRACE, TRACE]


@pytest.mark.parametrize(
    "content",
    [
        b"Ten years of letters.",
        b'{"precious": 1}',
        b'{"user": "u1", "rating": 4, "item": "x"',
        b'{"user": "u1", "item": {"id": "x"}, "rating": 4}',
        b'{"user": 5, "item": "x"',
        b'{"user": "u1", "item": "x", "rating": 4, "te',
        b'{\n  "user": "u1"\n}',
        b'[{"user": "u1", "item": "x"',
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b'{"user": "u", "item": "i", "model": "m", "prompt_version": "1"}',
    ],
)
async def test_a_file_that_holds_no_traces_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "precious"
    for ours in (b"", json.dumps(TRACE).encode() + b"\n"):
        file.write_bytes(ours + content)
        with pytest.raises(InputError, match="is not a trace"):
            await trace_ratings(Context(model="offline"), ReviewSource(), file, limit=2)
        assert file.read_bytes() == ours + content


async def test_a_whole_trace_without_the_end_of_its_line_is_not_paid_again(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    context = Context(model="offline", budget=Budget())
    await trace_ratings(context, ReviewSource(), file, limit=3)
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    budget = Budget()
    context = Context(model="offline", budget=budget)
    await trace_ratings(context, ReviewSource(), file, limit=3)
    assert budget.llm_calls == 0
    await trace_ratings(context, ReviewSource(), file, limit=4)
    assert len(read_traces(file)) == 4


async def test_a_request_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(Re2llmError) as refused:
        await rate(Context(), {"item": {"title": ""}})
    assert refused.value.field == "item.title"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (10**16, "less than or equal to 1000000000000000"),
        (-1e16, "greater than or equal to -1000000000000000"),
        ("a" * 2_001, "at most 2000 characters"),
        (["a"] * 1_001, "at most 1000 items"),
    ],
)
async def test_a_value_of_several_possible_types_is_named_with_its_own_fault(
    value: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        await rate(Context(), {"item": {"title": "Tea", "attributes": {"n": value}}})
    assert refused.value.field == "item.attributes.n"


async def test_left_out_rows_are_reported(tmp_path: Path) -> None:
    source = reviews(tmp_path / "r.jsonl", {"user": "a", "item": "x"}, {"user": "a"})
    notes: list[str] = []
    source = ReviewSource(path=source.path, skip_malformed=True, warn=notes.append)
    with pytest.raises(InputError, match="holds no usable review"):
        source.histories()
    assert [note.partition(": ")[0][-2:] for note in notes] == [":1", ":2"]


async def test_traces_report_progress_and_are_made_once(tmp_path: Path, reported: Recorded) -> None:
    file = tmp_path / "deep" / "traces.jsonl"
    budget = Budget()
    context = Context(model="offline", budget=budget)
    first = await trace_ratings(context, ReviewSource(), file, limit=6, progress=reported)
    assert (len(first.rows), first.left, first.stopped) == (6, 0, None)
    assert reported == [("tracing", done, 6) for done in range(7)]
    paid = budget.llm_calls
    again = await trace_ratings(context, ReviewSource(), file, limit=4)
    assert again.rows == first.rows[:4]
    assert budget.llm_calls == paid


async def test_traces_say_why_some_are_missing(tmp_path: Path, model: str) -> None:
    context = Context(model=model, budget=Budget(max_llm_calls=3))
    traced = await trace_ratings(context, ReviewSource(), tmp_path / "t.jsonl", limit=12)
    assert isinstance(traced.stopped, BudgetSpentError)
    assert traced.left == 12 - len(traced.rows) > 0
    with pytest.raises(BudgetSpentError):
        traced.complete()


async def test_a_model_and_baselines_are_evaluated_on_the_same_ratings(reported: Recorded) -> None:
    document = await evaluate_raters(
        Context(), ReviewSource(), model="offline", baselines=["bias"], limit=20, progress=reported
    )
    assert document["n"] == 20
    assert [(row["name"], row["llm_calls"]) for row in document["rows"]] == [
        ("offline", 20),
        ("bias", 0),
    ]
    assert reported[0] == ("rating with offline", 0, 20)
    assert reported[-1] == ("rating with offline", 20, 20)


@pytest.fixture
def undecided(adjust: Callable[..., None]) -> Iterator[tuple[str, FaultServer]]:
    """A model that says 3, 4, nothing and 3 in turn."""
    spoken = itertools.cycle([GOOD, GOOD.replace(">3<", ">4<"), "no rating", GOOD])
    with FaultServer(speak=lambda _: next(spoken)).running() as server:
        adjust(base_url=server.url, api_key=SecretStr("sk-none"), concurrency=1, temperature=1.0)
        yield f"openai:rater-{uuid.uuid4().hex[:8]}", server


async def test_samples_of_a_model_are_a_row_of_their_mean(
    undecided: tuple[str, FaultServer],
) -> None:
    name, server = undecided
    document = await evaluate_raters(Context(), ReviewSource(), model=name, limit=3, samples=4)
    assert len(server.asked) == 12
    (row,) = document["rows"]
    assert (row["name"], row["llm_calls"]) == (f"{name}, mean of 4", 12)
    assert (row["invalid"], row["invalid_samples"]) == (0, 0.25)
    assert [step["predicted"] for step in document["calibration"][row["name"]]] == [3.3333]
    assert document["groups"][0]["n"] == 3


@pytest.mark.parametrize(("samples", "field"), [(4, "samples"), (None, "RE2LLM_RATE_SAMPLES")])
async def test_samples_that_would_all_be_the_same_are_refused(
    adjust: Callable[..., None], samples: int | None, field: str
) -> None:
    adjust(rate_samples=3, temperature=0.0)
    with pytest.raises(InputError, match="RE2LLM_TEMPERATURE") as refused:
        await evaluate_raters(Context(), ReviewSource(), model="offline", limit=2, samples=samples)
    assert refused.value.field == field
    document = await evaluate_raters(Context(), ReviewSource(), model="offline", limit=2, samples=1)
    assert document["n"] == 2


@pytest.mark.parametrize("style", [None, "short"])
async def test_a_checkpoint_is_asked_in_the_form_of_its_training(
    tmp_path: Path, adjust: Callable[..., None], monkeypatch: pytest.MonkeyPatch, style: str | None
) -> None:
    """Whatever the setting says now; a description from before there were forms means documents."""
    adjust(rating_prompt="document" if style == "short" else "short")
    prompt = {"history": 4, "title_characters": 12} | ({"style": style} if style else {})
    (tmp_path / "rater.json").write_text(json.dumps({"prompt": prompt, "config": {}}))
    asked: list[RatingCorpus] = []

    def rated(corpus: RatingCorpus, cases: Any, *_: Any, **__: Any) -> CheckpointRatings:
        asked.append(corpus)
        return CheckpointRatings([3.0] * len(cases), [[]] * len(cases))

    monkeypatch.setattr("re2llm.operations.rating.evaluate.checkpoint_ratings", rated)
    await evaluate_raters(Context(), ReviewSource(), checkpoint=tmp_path, limit=2)
    expected = PromptLimits(history=4, title_characters=12, style="short" if style else "document")
    assert asked[0].limits == expected


async def test_evaluation_without_anything_to_evaluate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to evaluate"):
        await evaluate_raters(Context(), ReviewSource())
    with pytest.raises(InputError, match=r"^checkpoint: "):
        await evaluate_raters(Context(), ReviewSource(), checkpoint=tmp_path / "none")


async def test_a_spent_budget_says_how_many_ratings_are_left(model: str) -> None:
    context = Context(budget=Budget(max_llm_calls=4))
    with pytest.raises(BudgetSpentError, match="6 ratings are left; paid answers are kept"):
        await evaluate_raters(context, ReviewSource(), model=model, limit=10)


async def test_no_kept_answer_is_promised_where_none_is_kept(
    model: str, adjust: Callable[..., None]
) -> None:
    adjust(temperature=1.0)
    context = Context(budget=Budget(max_llm_calls=4))
    with pytest.raises(BudgetSpentError, match="6 ratings are left") as refused:
        await evaluate_raters(context, ReviewSource(), model=model, limit=10)
    assert "kept" not in str(refused.value)


async def test_training_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")
    config = rater_config("tiny", {})
    options: Any = {"config": config, "model": "tiny", "folder": tmp_path / "rater"}
    with pytest.raises(InputError, match="recten"):
        await train_rater(Context(), ReviewSource(), **options, recipe="recten")
    foreign = tmp_path / "traces.jsonl"
    foreign.write_text(json.dumps(dict.fromkeys(("user", "item", "answer", "outcome"), "?")) + "\n")
    with pytest.raises(InputError, match="no trace of these training ratings"):
        await train_rater(Context(), ReviewSource(), **options, traces=foreign)
    (case, *_) = ReviewSource().corpus(PromptLimits()).split.train
    row = dict(zip(("user", "item"), case.key, strict=True), answer=GOOD, outcome="aligned")
    foreign.write_text(json.dumps({**row, "prompt_version": "rate-short-2"}) + "\n")
    with pytest.raises(InputError, match="with the prompts that they have now"):
        await train_rater(Context(), ReviewSource(), **options, traces=foreign)
    missing = tmp_path / "none.jsonl"
    with pytest.raises(InputError, match="does not exist"):
        await train_rater(Context(), ReviewSource(), **options, traces=missing)
    assert not (tmp_path / "rater").exists()


@pytest.mark.parametrize("named", [".", "rater", "../here", "./", ".."])
async def test_a_folder_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")
    (tmp_path / "here" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / ("inner" if named == ".." else ""))
    monkeypatch.setattr(
        "re2llm.operations.rating.train.train_stages", lambda folder, *_: folder / "model"
    )
    config = rater_config("tiny", {"traces": 2})
    trained = await train_rater(Context(), ReviewSource(), "tiny", Path(named), config=config)
    assert trained is not None
    (traces,) = tmp_path.rglob("*-traces.jsonl")
    assert traces.parent == (tmp_path / "here" if named == "rater" else tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_rater_is_trained_and_evaluated(tmp_path: Path, reported: Recorded) -> None:
    pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")
    values = {"max_steps": 1, "traces": 16, "sft_epochs": 1, "max_completion_tokens": 8}
    folder = tmp_path / "rater"
    trained = await train_rater(
        Context(),
        ReviewSource(),
        "tiny",
        folder,
        config=rater_config("tiny", values),
        progress=reported,
    )
    assert trained is not None
    assert (trained.model, trained.updates) == (folder / "model", 1)
    assert set(trained.last_updates) == {"reward", "valid", "mae", "length"}
    assert {stage for stage, _, _ in reported} == {"tracing", "sft", "grpo"}
    document = await evaluate_raters(
        Context(), ReviewSource(), checkpoint=trained.model, baselines=["user-mean"], limit=3
    )
    assert [row["kind"] for row in document["rows"]] == ["model", "baseline"]
