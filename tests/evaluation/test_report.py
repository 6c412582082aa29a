"""`re2llm evaluate --report`: one page that holds all it shows, and says what it cannot show."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from re2llm.cli import app
from re2llm.evaluation.experiment import Row
from re2llm.evaluation.report.added import over_first_stage, policy_gains
from re2llm.evaluation.report.comparison import HintUse, examples, hint_uses
from re2llm.evaluation.report.page import Picture, Report, write_page
from re2llm.evaluation.report.pictures import gain_by_size, hint_bars, learning_curve
from re2llm.evaluation.report.sizes import Cells, SizePoint, by_hints, by_sessions, sizes_up_to
from re2llm.evaluation.summary import summarise
from re2llm.records import Session
from typer.testing import CliRunner

EVIL = '<script>alert("1")</script>&{{ 7*7 }}'
TEXTS = {1: "Prefer the new.", 2: f"Prefer {EVIL}"}
SESSIONS = [Session(("a", "b"), "t", ("t", "x", "y")) for _ in range(4)]
PLAIN = Row("none", "policy", np.array([1, 5, 12, 3]), rankings=[["x", "t", "y"]] * 4)
HINTED = Row(
    "ppo",
    "policy",
    np.array([1, 1, 1, 11]),
    rankings=[["t", "x", "y"]] * 4,
    hints=[None, 1, 2, 2],
)


class Reader(HTMLParser):
    """Collects tags, what they load, and whether all are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [v or "" for name, v in attrs if name in {"src", "href", "xlink:href"}]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def assert_self_contained(page: str) -> None:
    reader = read(page)
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert all(load.startswith("#") for load in reader.loads), reader.loads
    assert "url(http" not in page
    assert "@import" not in page
    assert 'name="viewport"' in page
    assert "color-scheme" in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    clips = [name for name in ids if not name.startswith(("figure", "axes", "patch", "line"))]
    shared = {name for name in clips if clips.count(name) > 1 and f"#{name}" in page}
    # Two pictures may not refer to each other's parts.
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
        assert used <= set(re.findall(r'\sid="([^"]+)"', svg))
        assert not used & shared


def test_uses_by_hand() -> None:
    uses = {use.name: use for use in hint_uses(HINTED, PLAIN, TEXTS, seed=0)}
    assert [use.sessions for use in uses.values()] == [2, 1, 1]
    assert uses["hint 2"].share == 0.5
    # Ranks 12 -> 1 and 3 -> 11: +1 and -1/2.
    assert uses["hint 2"].gain == pytest.approx((1 - 0.5) / 2)
    assert uses["hint 1"].gain == pytest.approx(1 - 1 / np.log2(6))
    assert uses["no hint"].gain == 0
    assert uses["no hint"].text == ""


def test_examples_are_the_extremes_and_a_typical_one() -> None:
    shown = examples(HINTED, PLAIN, SESSIONS, TEXTS, {"t": EVIL, "a": "A"})
    assert [example.kind.split(":")[0] for example in shown] == [
        "helped most",
        "helped most",
        "typical",
        "harmed most",
    ]
    assert shown[0].gain == pytest.approx(1)
    assert (shown[0].rank_without, shown[0].rank_given) == (12, 1)
    assert shown[-1].gain == pytest.approx(-0.5)
    assert shown[0].target == EVIL
    assert shown[0].history == ["A", "b"]
    assert examples(PLAIN, PLAIN, SESSIONS, TEXTS, {}) == []


def test_titles_and_hints_are_data() -> None:
    uses = hint_uses(HINTED, PLAIN, TEXTS, seed=0)
    page = write_page(
        Report(
            title=EVIL,
            facts={EVIL: EVIL},
            document=summarise([PLAIN, HINTED]),
            pictures=[Picture("Hints", EVIL, hint_bars(uses)), Picture("None", EVIL)],
            uses=uses,
            examples=examples(HINTED, PLAIN, SESSIONS, TEXTS, {"t": EVIL, "a": EVIL, "x": EVIL}),
            policy="ppo",
        )
    )
    assert_self_contained(page)
    assert "alert(" in page
    assert "<script" not in page
    assert "49" not in re.sub(r"<svg.*?</svg>|<style.*?</style>", "", page, flags=re.DOTALL)


FIRST = Row("first-stage", "baseline", np.array([2, 2, 2, 2]), rankings=[["x", "t", "y"]] * 4)
CHANCE = [Row("random", kind, np.array([9, 9, 9, 9])) for kind in ("policy", "baseline")]


def test_gains_are_named_by_what_they_average_over() -> None:
    uses = hint_uses(HINTED, PLAIN, TEXTS, seed=0)
    gains = policy_gains(HINTED, PLAIN, {"gain": 0.2, "validation_sessions": 7}, seed=0)
    assert [gain.over for gain in gains] == [
        "all 4 evaluated sessions",
        "the 3 of them in which it chose a hint",
        "7 validation sessions, in training",
    ]
    # The table of hints agrees with the mean over all sessions, weighted by sessions.
    assert gains[0].mean == pytest.approx(sum(use.share * use.gain for use in uses))
    assert gains[1].mean == pytest.approx(gains[0].mean * 4 / 3)
    table = {row["name"]: row["ndcg@10"] for row in summarise([PLAIN, HINTED])["rows"]}
    assert gains[0].mean == pytest.approx(table["ppo"] - table["none"], abs=1e-4)


def page_with(rows: list[Row], **more: Any) -> str:
    gains = over_first_stage(rows, seed=0)
    return write_page(Report("t", {}, summarise(rows), [], policy="ppo", over_first=gains, **more))


def test_the_first_stage_is_marked_as_the_row_to_beat() -> None:
    page = page_with([PLAIN, HINTED, FIRST], added=["The model adds 1."])
    [row] = re.findall(r'<tr class="beat">(.*?)</tr>', page, re.DOTALL)
    assert "first-stage" in row
    assert "to beat" in row
    assert "What this model adds" in page
    assert "The model adds 1." in page
    assert "ppo over first-stage" in page
    without = page_with([PLAIN, HINTED], added=["The model adds 1."])
    assert 'class="beat"' not in without
    assert "among\nthe baselines" in without


def test_no_two_rows_have_one_name() -> None:
    page = page_with([PLAIN, HINTED, FIRST, *CHANCE])
    table = page[page.index("<h2>Results") : page.index("<h2>What this")]
    names = re.findall(r"<tr[^>]*><td>([^<]+?)\s*<", table)
    assert len(names) == 5 == len(set(names))
    assert {"random (policy)", "random (baseline)"} <= set(names)
    assert "policy:random" not in page


def test_every_section_explains_itself() -> None:
    page = page_with([PLAIN, HINTED, FIRST], gains=policy_gains(HINTED, PLAIN, None, seed=0))
    sections = page.split("<h2>")[1:]
    assert sections
    for section in sections:
        assert '<p class="about">' in section, section[:60]
        assert "good" in section


def test_axes_that_count_have_whole_numbers() -> None:
    curve = [{"update": u, "training_reward": 0.1, "validation_reward": 0.1} for u in (0, 1, 2)]
    learned = learning_curve({"curve": curve, "static_gain": 0.1, "update": 1})
    bars = hint_bars([HintUse("hint 1", "", 1.0, 2, 0.1, 0.0, 0.2)])
    for svg, axis in ((learned, "matplotlib.axis_1"), (bars, "matplotlib.axis_1")):
        ticks = svg[svg.index(f'id="{axis}"') : svg.index('id="matplotlib.axis_2"')]
        numbers = re.findall(r">([\d.]+)</text>", ticks)
        assert numbers
        assert all(number.isdigit() for number in numbers), numbers


def test_tables_fit_a_narrow_screen() -> None:
    """Each cell carries its column's name, which stands beside it where rows are stacked."""
    page = page_with([PLAIN, HINTED, FIRST])
    rows = re.findall(r"<tr[^>]*>(<td.*?)</tr>", page, re.DOTALL)
    assert rows
    for row in rows:
        _, *cells = re.findall(r"<td[^>]*>", row)
        assert cells, row
        assert all("data-is=" in cell or "long" in cell for cell in cells), row


def test_pictures_follow_the_page_and_hold_no_fixed_ink() -> None:
    metrics = {
        "curve": [
            {"update": 0, "training_reward": None, "validation_reward": 0.1},
            {"update": 5, "training_reward": 0.1, "validation_reward": 0.2},
        ],
        "static_gain": 0.15,
        "update": 5,
    }
    points = [SizePoint(size, (0.1, 0.0, 0.2), (0.1, 0.05, 0.15)) for size in (1, 2, 4)]
    for svg in (learning_curve(metrics), gain_by_size("kb", "number of hints", points)):
        assert svg.startswith("<svg role=")
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#000000" not in svg
        assert 'width="' not in svg[: svg.index(">")]
    assert learning_curve(metrics) == learning_curve(metrics)


def test_equal_gains_can_be_drawn() -> None:
    """Their mean and the ends of its interval are summed up differently, so they may differ."""
    gain = 0.3
    beside = float(np.nextafter(gain, 1))
    drawn = hint_bars([HintUse("hint 1", "", 1.0, 28, gain, beside, beside)])
    assert "hint 1" in drawn


def test_sizes_grow_to_the_whole() -> None:
    assert sizes_up_to(30, 1)[0] == 1
    assert sizes_up_to(30, 1)[-1] == 30
    assert sizes_up_to(1, 1) == [1]
    assert sizes_up_to(20, 20) == [20]


@pytest.mark.slow
def test_each_point_is_judged_on_sessions_it_has_not_seen() -> None:
    """Two kinds of session, and a hint that helps one kind each: only choosing gains in both."""
    rng = np.random.default_rng(0)

    def cells(count: int) -> Cells:
        states = rng.normal(size=(count, 4))
        kind = states[:, 0] > 0
        gains = np.stack([np.where(kind, 0.4, -0.3), np.where(kind, -0.3, 0.4)], 1)
        return Cells(states, gains + 0.1 * rng.standard_normal(gains.shape))

    train, test = cells(150), cells(200)
    embeddings = np.eye(8)[:2]
    done: list[int] = []
    points = by_hints(train, test, embeddings, seed=0, on_point=lambda: done.append(1))
    assert [point.size for point in points] == [1, 2]
    assert len(done) == 2
    # The whole interval lies above that of the best single hint, and half of all is gained.
    assert points[1].ppo[1] > points[1].static[2]
    assert points[1].ppo[0] > 0.2
    flipped = Cells(test.states, -test.gains)
    assert by_sessions(train, flipped, embeddings, seed=0, on_point=lambda: None)[-1].ppo[0] < -0.2


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def held_out_file(tmp_path: Path) -> Path:
    file = tmp_path / "test.jsonl"
    candidates = ["aliens-1986", "casablanca-1942", "toy-story-1995", "psycho-1960"]
    lines = [
        {"history": ["alien-1979"], "target": target, "candidates": candidates}
        for target in candidates[:2]
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def test_the_command_writes_a_page_that_says_what_is_missing(
    films: str, held_out_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.html"
    done = command(
        "evaluate", "--domain", films, "--sessions", held_out_file, "--policies", "none",
        "--baselines", "popularity", "--report", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    page = out.read_text(encoding="utf-8")
    assert_self_contained(page)
    assert page.count("Missing: ") == 4
    assert "popularity" in page


def test_a_report_that_cannot_be_made_is_told_before_any_work(
    films: str, held_out_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(out: Path) -> str:
        asked = ("evaluate", "--domain", films, "--sessions", held_out_file, "--report", out)
        done = command(*asked)
        assert done.exit_code == 1
        [line] = done.stderr.strip().splitlines()
        return line

    assert "--report" in refused(tmp_path / "no-folder" / "out.html")
    assert "--report" in refused(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("re2llm.evaluation.drawing.find_spec", lambda _: None)
    assert "re2llm[report]" in refused(tmp_path / "out.html")
