"""`re2llm rate` and `re2llm rater`: what programs read, what is refused, what is paid once."""

import json

import pytest
from re2llm.cli import app
from typer.testing import CliRunner


def invoke(*arguments: object, stdin: str | None = None):
    return CliRunner().invoke(app, list(map(str, arguments)), input=stdin)


def test_help_has_examples():
    for command in (["rate"], ["rater", "train"], ["rater", "traces"], ["rater", "evaluate"]):
        done = invoke(*command, "--help")
        assert f"Example: re2llm {' '.join(command)}" in " ".join(done.stdout.split())


def test_rate_a_product_of_the_corpus():
    done = invoke("rate", "--user", "person-1", "--item", "the river keeper", "--json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["valid"]
    assert 1 <= answer["rating"] <= 5
    assert "River Keeper" in answer["reasoning"]["analyze_item"]


def test_rate_a_request_from_stdin():
    request = json.dumps({"item": {"title": "Emma"}, "history": [{"title": "x", "rating": 2}]})
    done = invoke("rate", "--request", "-", "--json", stdin=request)
    assert json.loads(done.stdout)["rating"] == 2


def test_traces_are_paid_once_and_survive_a_torn_line(tmp_path):
    file = tmp_path / "traces.jsonl"
    first = json.loads(invoke("rater", "traces", "--out", file, "--limit", 20, "--json").stdout)
    assert first["llm_calls"] == 20 + first["rewritten"]
    whole = file.read_text()
    assert whole.count("\n") == 20
    file.write_text(whole[:-30])
    again = json.loads(invoke("rater", "traces", "--out", file, "--limit", 20, "--json").stdout)
    assert again["llm_calls"] in {1, 2}
    assert sorted(file.read_text().splitlines()) == sorted(whole.splitlines())


def test_evaluate_prints_metrics_for_programs():
    done = invoke(
        "rater", "evaluate", "--model", "offline", "--baselines", "user-mean", "--limit", 30,
        "--json", "-",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert document["n"] == 30
    model, baseline = document["rows"]
    assert (model["name"], model["invalid"], model["llm_calls"]) == ("offline", 0, 30)
    assert baseline["kind"] == "baseline"
    assert document["paired"][0]["b"] == "user-mean"


def test_metrics_that_cannot_be_written_are_shown_all_the_same(tmp_path):
    file = tmp_path / "no-folder" / "figures.json"
    done = invoke("rater", "evaluate", "--baselines", "bias", "--limit", 5, "--json", file)
    assert done.exit_code == 1
    assert "bias" in done.stdout
    assert "error: --json: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["rate"], "--user"),
        (["rate", "--user", "nobody", "--item", "x"], "--user"),
        (["rate", "--user", "person-1", "--item", "x"], "--item"),
        (["rate", "--request", "nowhere.json"], "--request"),
        (["rater", "evaluate", "--baselines", "oracle"], "baselines"),
        (["rater", "evaluate", "--split", "half"], "--split"),
        (["rater", "evaluate", "--reviews", "nowhere.jsonl"], "nowhere.jsonl"),
        (["rater", "evaluate", "--checkpoint", "nowhere"], "--checkpoint"),
        (["rater", "train", "--model", "tiny", "--out", "o", "--recipe", "recten"], "--recipe"),
        (
            ["rater", "train", "--model", "tiny", "--out", "o", "--show-config", "--set", "clap=1"],
            "clap",
        ),
    ],
)
def test_bad_input_is_one_clear_line(arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert named in line


def test_show_config_lists_every_hyper_parameter():
    done = invoke(
        "rater", "train", "--model", "x", "--out", "o", "--show-config", "--set", "clip=0.3"
    )
    config = json.loads(done.stdout)
    assert (config["clip"], config["group_size"], config["learning_rate"]) == (0.3, 8, 2e-6)
