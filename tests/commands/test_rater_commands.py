"""`re2llm rate` and `re2llm rater`: what programs read, what is refused, what is paid once."""

import json
import uuid

import pytest
from fault_server import FaultServer
from re2llm.cli import app
from re2llm.settings import get_settings
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


def test_a_request_may_begin_with_a_byte_order_mark(tmp_path):
    text = json.dumps({"item": {"title": "Emma"}, "history": [{"title": "x", "rating": 2}]})
    file = tmp_path / "request.json"
    file.write_text("\ufeff" + text, encoding="utf-8")
    for name, given in ((file, None), ("-", "\ufeff" + text)):
        done = invoke("rate", "--request", name, "--json", stdin=given)
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["rating"] == 2
    config = tmp_path / "config.json"
    config.write_text("\ufeff" + '{"clip": 0.3}', encoding="utf-8")
    done = invoke(
        "rater", "train", "--model", "x", "--out", "o", "--show-config", "--config", config
    )
    assert json.loads(done.stdout)["clip"] == 0.3


@pytest.mark.parametrize(
    ("request_", "field", "known"),
    [
        ({"item": {"title": "x"}, "hist": []}, "hist", "history"),
        ({"item": {"title": "x", "name": "y"}}, "item.name", "title, attributes"),
        (
            {"item": {"title": "x"}, "history": [{"title": "y", "stars": 2}]},
            "history.0.stars",
            "rating",
        ),
        (
            {"item": {"title": "x"}, "item_reviews": [{"rating": 2, "body": ""}]},
            "item_reviews.0.body",
            "text",
        ),
    ],
)
def test_a_mistyped_key_of_a_request_is_named_with_the_known_ones(request_, field, known):
    done = invoke("rate", "--request", "-", stdin=json.dumps(request_))
    assert done.exit_code == 1
    assert f"{field}: is not known" in " ".join(done.stderr.split())
    assert known in " ".join(done.stderr.split())


def test_a_request_is_read_as_strictly_as_over_http():
    for request, said in {
        '{"item": {"title": "x"}, "user_mean": "3"}': "user_mean: It must be a number.",
        '{"item": {"title": "x"}, "user_mean": true}': "user_mean: It must be a number.",
        '{"item": {"title": 5}}': "item.title: It must be a text.",
        '{"item": {"title": "x"}, "history": [{"title": "y", "rating": "2"}]}': "history.0.rating:",
        '{"item": {"title": "x"}, "item": {"title": "y"}}': "item: An object has the key 'item'",
        '{"item": {"title": "x", "title": "y"}}': "title: An object has the key 'title'",
        '{"item": {"title": "x"}, "user_mean": NaN}': "--request: - cannot be read as JSON",
        '{"item": {"title": "x"}, "user_mean": 1e999}': "user_mean: The number is too large.",
        '{"item": ' + "[" * 20 + "]" * 20 + "}": "nested more than 16 deep",
        "[]": "--request: - is not a JSON object.",
    }.items():
        done = invoke("rate", "--request", "-", stdin=request)
        assert (done.exit_code, done.stdout) == (1, ""), request
        assert said in " ".join(done.stderr.split()), request


def test_a_whole_number_of_a_request_may_be_written_as_a_fraction():
    request = '{"item": {"title": "Emma", "attributes": {"year": 1815.0}}, "user_mean": 4.0}'
    done = invoke("rate", "--request", "-", "--json", stdin=request)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    "beside",
    [
        ("--scale", "1-10"),
        ("--user", "u"),
        ("--item", "i"),
        ("--reviews", "r.jsonl"),
        ("--skip-malformed",),
    ],
)
def test_what_a_request_would_leave_unread_is_refused_beside_it(beside):
    request = json.dumps({"item": {"title": "x"}})
    done = invoke("rate", "--request", "-", *beside, stdin=request)
    assert done.exit_code == 1
    assert f"{beside[0]}: does not go with --request" in " ".join(done.stderr.split())


def test_traces_are_paid_once_and_survive_a_torn_line(tmp_path):
    file = tmp_path / "traces.jsonl"
    first = json.loads(invoke("rater", "traces", "--out", file, "--limit", 20, "--json").stdout)
    assert first["llm_calls"] == 20 + first["rewritten"]
    assert first["stopped"] is None
    whole = file.read_text()
    assert whole.count("\n") == 20
    file.write_text(whole[:-30])
    again = json.loads(invoke("rater", "traces", "--out", file, "--limit", 20, "--json").stdout)
    assert again["llm_calls"] in {1, 2}
    more = ("--limit", 40, "--max-llm-calls", 3)
    ended = json.loads(
        invoke("rater", "traces", "--out", tmp_path / "new.jsonl", *more, "--json").stdout
    )
    assert (ended["stopped"]["kind"], ended["llm_calls"]) == ("budget", 3)
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


def rated(path, *ratings):
    rows = [
        {"user": f"u{user}", "item": f"i{n}", "rating": rating, "time": 1_700_000_000 + n}
        for user in range(4)
        for n, rating in enumerate(ratings)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_the_scale_is_printed_and_can_be_set(tmp_path):
    file = rated(tmp_path / "r.jsonl", 2, 3, 4, 3)
    arguments = ("rater", "evaluate", "--reviews", file, "--baselines", "bias")
    guessed = invoke(*arguments)
    assert "4 ratings from 2 to 4" in guessed.stdout
    assert "taken as the scale" in " ".join(guessed.stderr.split())
    given = invoke(*arguments, "--scale", "1-5")
    assert "4 ratings from 1 to 5" in given.stdout
    assert given.stderr == ""
    assert json.loads(invoke(*arguments, "--scale", "0.5 - 10", "--json", "-").stdout)["scale"] == [
        0.5,
        10,
    ]
    outside = invoke(*arguments, "--scale", "1-3")
    assert outside.exit_code == 1
    said = " ".join(outside.stderr.split())
    assert "rating 4 is not between 1 and 3; if your scale is another, set --scale" in said
    traced = tmp_path / "traces.jsonl"
    done = invoke("rater", "traces", "--reviews", file, "--scale", "1-5", "--out", traced)
    assert done.exit_code == 0, done.stderr
    assert '\\"scale\\": [1, 5]' in traced.read_text()
    done = invoke(
        "rate", "--reviews", file, "--scale", "1-5", "--user", "u1", "--item", "i3", "--json"
    )
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("scale", ["5", "5-1", "1-1", "-1-5", "one-five", "1..5", "1-5-9", ""])
@pytest.mark.parametrize("command", ["rate", "traces", "evaluate", "train"])
def test_a_scale_that_cannot_be_read_is_one_clear_line(tmp_path, monkeypatch, command, scale):
    monkeypatch.chdir(tmp_path)
    arguments = {
        "rate": ["rate", "--user", "person-1", "--item", "x"],
        "traces": ["rater", "traces", "--out", "t"],
        "evaluate": ["rater", "evaluate"],
        "train": ["rater", "train", "--model", "tiny", "--out", "o"],
    }[command]
    done = invoke(*arguments, f"--scale={scale}")
    assert done.exit_code == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: --scale: ")


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d \ud83d"])
def test_reviews_with_half_an_emoji_are_sent_and_rated(tmp_path, monkeypatch, half):
    rows = [
        f'{{"user": "u{user}{half}", "item": {{"id": "b{n}", "title": "Tin {half}"}}, '
        f'"rating": {n + 1}, "time": {n}, "text": "{user} times great {half}", "title": "{half}!"}}'
        for user in range(4)
        for n in range(5)
    ]
    (tmp_path / "reviews.jsonl").write_text("\n".join(rows))
    answer = "<analyze user>a</analyze user><analyze item>b</analyze item><match>c</match>"
    with FaultServer(speak=lambda _: f"{answer}<rate>3</rate>").running() as server:
        monkeypatch.setenv("RE2LLM_BASE_URL", server.url)
        monkeypatch.setenv("RE2LLM_API_KEY", "sk-none")
        get_settings.cache_clear()
        done = invoke(
            "rater", "evaluate", "--reviews", tmp_path / "reviews.jsonl", "--json", "-",
            "--model", f"openai:rater-{uuid.uuid4().hex[:8]}",
        )  # fmt: skip
    get_settings.cache_clear()
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["n"], document["rows"][0]["invalid"]) == (4, 0)
    assert len(server.asked) == 4
    assert all("times great \ufffd" in asked.text for asked in server.asked)


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    file = tmp_path / "no-folder" / "figures.json"
    done = invoke("rater", "evaluate", "--baselines", "bias", "--limit", 5, "--json", file)
    assert done.exit_code == 1
    assert done.stdout == ""
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
