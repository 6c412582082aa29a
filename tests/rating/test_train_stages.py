"""Stages of a training: what each starts from, and what is refused before a folder is claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.messages import convert_to_openai_messages
from re2llm.errors import InputError
from re2llm.llm.client.adapting import without_system
from re2llm.rating.corpus import RatingCorpus, ReviewSource
from re2llm.rating.limits import prompt_limits
from re2llm.rating.reviews import scale_of
from re2llm.rating.sample import simulate_reviews
from re2llm.rating.splits import split_reviews
from re2llm.rating.training.config import RaterConfig, RaterRecipe, tiny_config
from re2llm.runtime.context import Context
from re2llm.runtime.progress import silent

pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")

from re2llm.operations.rating.train import train_rater
from re2llm.rating.training import stages, tiny_model
from re2llm.rating.training.answering import answer_prompts
from re2llm.rating.training.checkpoint import checkpoint_ratings, load_checkpoint
from re2llm.rating.training.description import RATER_FILE

LIMITS = {"history": 1, "item_reviews": 0, "review_characters": 0, "title_characters": 8}
CONFIG = tiny_config().changed(
    {
        "max_steps": 1,
        "group_size": 2,
        "prompts_per_step": 2,
        "max_completion_tokens": 4,
        "traces": 8,
        "sft_epochs": 1,
        "warmup_steps": 0,
    }
)
REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}" + tiny_model.CHAT_TEMPLATE
)
ANSWER = (
    "<analyze user>u</analyze user><analyze item>i</analyze item><match>m</match><rate>3</rate>"
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = tiny_model.TinyShape(vocabulary=500, hidden=32, layers=1, heads=2, positions=1024)
    monkeypatch.setattr(tiny_model, "TinyShape", lambda: shape)


@pytest.fixture(scope="module")
def corpus() -> RatingCorpus:
    histories = simulate_reviews(6)
    return RatingCorpus(split_reviews(histories), scale_of(histories), prompt_limits(**LIMITS))


@pytest.fixture(scope="module")
def traces(corpus: RatingCorpus) -> list[dict[str, Any]]:
    return [
        {"prompt": convert_to_openai_messages(prompt), "answer": ANSWER, "outcome": "aligned"}
        for prompt in corpus.prompts(corpus.split.train[:8])
    ]


def saved(traces: list[dict[str, Any]], to: Path, template: str | None = None) -> str:
    """Save an untrained model, and return its folder."""
    model, tokenizer = tiny_model.build_tiny([trace["prompt"] for trace in traces], [ANSWER], 0)
    tokenizer.chat_template = template or tokenizer.chat_template
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)
    return str(to)


class Watched:
    """Keeps what GRPO was given, and stops a training before it where that is wanted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trainers: list[Any] = []
        self.rows: list[dict[str, Any]] = []
        self.stops = False
        made = stages.grpo_trainer

        def watching(model: Any, tokenizer: Any, rows: Any, *rest: Any) -> Any:
            self.rows = list(rows)
            if self.stops:
                raise KeyboardInterrupt
            self.trainers.append(made(model, tokenizer, rows, *rest))
            given = {name: weight.clone() for name, weight in model.state_dict().items()}
            self.start = given
            return self.trainers[-1]

        monkeypatch.setattr(stages, "grpo_trainer", watching)

    def has_its_start_as_reference(self) -> bool:
        reference = self.trainers[-1].ref_model.state_dict()
        return all(torch.equal(reference[name], self.start[name]) for name in self.start)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("source", "recipe", "stopped"),
    [
        ("tiny", "recone", True),
        ("folder", "recone", False),
        ("tiny", "reczero", False),
        pytest.param("tiny", "recone", False, marks=SLOW),
        pytest.param("folder", "recone", True, marks=SLOW),
        pytest.param("tiny", "reczero", True, marks=SLOW),
        pytest.param("folder", "reczero", True, marks=SLOW),
    ],
)
def test_the_distance_is_measured_from_what_grpo_starts_from(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: RatingCorpus,
    traces: list[dict[str, Any]],
    source: str,
    recipe: RaterRecipe,
    stopped: bool,
) -> None:
    watched = Watched(monkeypatch)
    base = source if source == "tiny" else saved(traces, tmp_path / "base")
    config = CONFIG.changed({"kl_weight": 0.1})
    given = (tmp_path / "run", base, recipe, corpus, traces, config, silent)
    if stopped:
        watched.stops = True
        with pytest.raises(KeyboardInterrupt):
            stages.train_stages(*given)
        watched.stops = False
    stages.train_stages(*given)
    assert watched.has_its_start_as_reference()
    if recipe == "recone":
        imitated, _ = load_checkpoint(tmp_path / "run" / "imitated", precise=True)
        weights = imitated.state_dict()
        assert all(torch.equal(weights[name], watched.start[name]) for name in weights)


def test_without_a_distance_no_model_is_kept_for_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: RatingCorpus,
    traces: list[dict[str, Any]],
) -> None:
    watched = Watched(monkeypatch)
    stages.train_stages(tmp_path / "run", "tiny", "reczero", corpus, traces, CONFIG, silent)
    assert watched.trainers[0].ref_model is None
    assert not (tmp_path / "run" / "start").exists()


@pytest.mark.parametrize("recipe", ["reczero", "recone"])
async def test_too_few_prompts_for_an_update_are_refused_before_anything_is_written(
    tmp_path: Path, corpus: RatingCorpus, recipe: RaterRecipe
) -> None:
    folder = tmp_path / "run"
    count = len(corpus.split.train)
    for config, given in (
        (CONFIG.changed({"prompts_per_step": count + 1}), count),
        (CONFIG.changed({"prompts_per_step": 4, "prompts": 3}), 3),
    ):
        with pytest.raises(InputError, match=f"needs {config.prompts_per_step} prompts") as refused:
            stages.train_stages(folder, "tiny", recipe, corpus, [], config, silent)
        assert f"are {given} prompts" in refused.value.problem
    with pytest.raises(InputError, match="An update needs"):
        await train_rater(
            Context(),
            ReviewSource(),
            "tiny",
            folder,
            config=RaterConfig(prompts_per_step=10**6),
            recipe=recipe,
        )
    assert not list(tmp_path.iterdir())


def test_as_many_prompts_as_an_update_needs_train(
    tmp_path: Path, corpus: RatingCorpus, traces: list[dict[str, Any]]
) -> None:
    config = CONFIG.changed({"prompts": 2})
    model = stages.train_stages(tmp_path / "run", "tiny", "reczero", corpus, traces, config, silent)
    assert (model.parent / "curve.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("recipe", ["reczero", "recone"])
def test_rules_go_to_the_user_where_a_template_takes_no_system_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: RatingCorpus,
    traces: list[dict[str, Any]],
    recipe: RaterRecipe,
) -> None:
    watched = Watched(monkeypatch)
    base = saved(traces, tmp_path / "base", REFUSES_SYSTEM)
    model = stages.train_stages(tmp_path / "run", base, recipe, corpus, traces, CONFIG, silent)
    served = [
        convert_to_openai_messages(without_system(messages))
        for messages in corpus.prompts(corpus.split.train)
    ]
    assert [row["prompt"] for row in watched.rows] == served
    assert {len(prompt) for prompt in served} == {1}
    rated = checkpoint_ratings(corpus, corpus.split.test[:2], model, silent)
    assert len(rated.greedy) == 2
    loaded, tokenizer = load_checkpoint(model)
    asked = [traces[0]["prompt"], served[0]]
    one, same = answer_prompts(loaded, tokenizer, asked, max_tokens=4)
    assert one == same


def test_a_template_that_takes_one_is_given_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: RatingCorpus,
    traces: list[dict[str, Any]],
) -> None:
    watched = Watched(monkeypatch)
    base = saved(traces, tmp_path / "base")
    stages.train_stages(tmp_path / "run", base, "reczero", corpus, traces, CONFIG, silent)
    assert [message["role"] for message in watched.rows[0]["prompt"]] == ["system", "user"]


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('Not for chats') }}", "{% if %}", "{{ messages.none.at }}"]
)
def test_a_template_that_writes_nothing_is_refused_before_the_folder_is_claimed(
    tmp_path: Path, corpus: RatingCorpus, traces: list[dict[str, Any]], template: str
) -> None:
    base = saved(traces, tmp_path / "base", template)
    with pytest.raises(InputError, match=r"chat template of .* cannot be used"):
        stages.train_stages(tmp_path / "run", base, "reczero", corpus, traces, CONFIG, silent)
    assert not (tmp_path / "run" / RATER_FILE).exists()
    # The folder is free for another model.
    stages.train_stages(tmp_path / "run", "tiny", "reczero", corpus, traces, CONFIG, silent)
