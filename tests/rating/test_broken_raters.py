"""A rater's folder that is broken, or is no rater's: one clear error, whatever its files hold."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from re2llm.errors import InputError
from re2llm.operations.rating.evaluate import evaluate_raters
from re2llm.rating.corpus import ReviewSource
from re2llm.rating.training.checkpoint import load_checkpoint
from re2llm.rating.training.description import RATER_FILE, checkpoint_description
from re2llm.rating.training.tiny_model import build_tiny
from re2llm.runtime.context import Context

TEXTS = ["rate it <rate>4</rate>"]
DEEP = '{"a":' * 100_000
CONFIG, WEIGHTS, TEMPLATE = "config.json", "model.safetensors", "chat_template.jinja"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    prompts: list[list[dict[str, Any]]] = [[{"role": "user", "content": text} for text in TEXTS]]
    model, tokenizer = build_tiny(prompts, TEXTS, 0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "rater"))


def _misfit(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | {"hidden_size": 2 * config["hidden_size"]}))


def _cut(folder: Path) -> None:
    file = folder / WEIGHTS
    file.write_bytes(file.read_bytes()[:1000])


def _with(name: str, content: str | bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return write


BREAKS = {
    "cut weights": _cut,
    "no weights": _with(WEIGHTS, b""),
    "other weights": _with(WEIGHTS, b"\xff\x00\x17" * 5_000),
    "other sizes": _misfit,
    "a wrong type": _with(CONFIG, '{"model_type": "qwen2", "hidden_size": "x"}'),
    "a list": _with(CONFIG, "[]"),
    "a number": _with(CONFIG, "1"),
    "a deep config": _with(CONFIG, DEEP),
    "cut config": _with(CONFIG, '{"model_type": '),
    "an empty tokenizer": _with("tokenizer.json", "{}"),
    "a tokenizer that is a list": _with("tokenizer.json", "[1]"),
    "a deep tokenizer": _with("tokenizer.json", DEEP),
    "a broken tokenizer's config": _with("tokenizer_config.json", "[]"),
    "division": _with(TEMPLATE, "{{ 1/0 }}"),
    "endless recursion": _with(TEMPLATE, "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
    "a syntax error": _with(TEMPLATE, "{% for"),
    "an overflow": _with(TEMPLATE, "{{ 10.0 ** 1000 }}"),
}


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS.keys())
def test_a_folder_that_cannot_be_loaded_is_one_clear_error(
    folder: Path, breaks: Callable[[Path], None]
) -> None:
    load_checkpoint(folder)
    breaks(folder)
    with pytest.raises(InputError, match=r"cannot be (loaded|used) \(.") as refused:
        load_checkpoint(folder)
    assert refused.value.field == "model"
    assert len(refused.value.problem.splitlines()) == 1


NOTES: list[Any] = [
    *([], 1, "x", None),
    *({"config": value} for value in ([], [1], "x", 1, None)),
    *({"prompt": value} for value in ([], [1], "x", 1, None)),
    *({"config": {"max_completion_tokens": value}} for value in ("abc", "7", -1, 0, 2.5, None)),
    *({"config": {"seed": value}} for value in ("y", -1, [])),
    *({"config": {"temperature": value}} for value in ("x", 0, float("nan"), {})),
    *({"config": {name: value}} for name in ("lora_rank", "bf16") for value in ("x", [])),
    *({"scale": value} for value in ("x", 5, None, [1], [5, 1], ["a", "b"], [1, float("inf")])),
    *({"trained": value} for value in (5, [], {}, {"users": "a"}, {"users": 1, "ratings": []})),
    *({"reviews": value} for value in (5, [], "a digest without its split")),
    {"reviews": "a", "split": 5, "split_seed": 1},
    {"prompt": {"history": "x"}},
]


@pytest.mark.parametrize("note", NOTES, ids=json.dumps)
async def test_a_note_that_cannot_be_used_is_one_clear_error(tmp_path: Path, note: Any) -> None:
    file = tmp_path / RATER_FILE
    file.write_text(json.dumps(note))
    with pytest.raises(InputError, match=r"cannot be (used|read)") as refused:
        await evaluate_raters(Context(), ReviewSource(), checkpoint=tmp_path)
    assert refused.value.field == str(file)
    assert len(refused.value.problem.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", DEEP, "\ufeff{}", "NaN"], ids=lambda text: text[:9])
def test_a_note_that_is_no_json_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / RATER_FILE).write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint_description(tmp_path)


def test_a_note_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It says less; and what must fit together in a training may have been allowed then."""
    config = {"save_every": 20, "updates_per_batch": 3, "unknown": 1, "learning_rate": 1}
    for note in ({}, {"config": config, "scale": [1, 5], "trained": None}):
        (tmp_path / RATER_FILE).write_text(json.dumps(note))
        read = checkpoint_description(tmp_path)
        assert read.items() >= (note | {"config": read["config"]}).items()
        assert read["config"]["max_completion_tokens"] == 1024
        assert read["config"].items() >= note.get("config", {}).items()
