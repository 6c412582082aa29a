"""Scoring answers that a model gave elsewhere."""

import json
from pathlib import Path

import pytest
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.data.session_file import read_sessions
from re2llm.errors import InputError
from re2llm.evaluation.answer_file import Recorded, read_answers
from re2llm.evaluation.recorded import score_answers
from re2llm.evaluation.summary import summarise
from re2llm.records import Item, Session

HETREC = Path(__file__).parents[3] / "shared" / "data" / "hetrec2011"
for folder in Path(__file__).parents:
    if (folder / "shared" / "data" / "hetrec2011").is_dir():
        HETREC = folder / "shared" / "data" / "hetrec2011"
        break
ITEMS = {str(n): Item(str(n), title) for n, title in enumerate(["Alien", "Dr. No", "Heat", "Up"])}
SESSIONS = [Session(("3",), target, ("0", "1", "2")) for target in ("0", "1", "2")]
BLOCKS = (
    "Label:Alien\nOutput: 1. Heat\n2. Alien\n\n\n\n"
    "Label:Dr. No\nOutput: 1. Heat\n2. Dr. No\n\n\n\n"
    "Label:Heat\nOutput: 1. Casablanca\n2. Heat\n"
)


def test_both_parsers_and_every_difference(tmp_path: Path) -> None:
    file = tmp_path / "answers.txt"
    file.write_text(BLOCKS)
    rows, differences = score_answers(read_answers(file), SESSIONS, ITEMS)
    strict, repaired = rows
    assert strict.ranks.tolist() == [2, 0, 2]
    assert repaired.ranks.tolist() == [2, 2, 1]
    assert [(row["session"], row["strict"], row["repaired"]) for row in differences] == [
        (2, 0, 2),
        (3, 2, 1),
    ]
    assert "was cut there" in differences[0]["why"]
    assert "Casablanca" in differences[1]["why"]
    assert repaired.faults["invented"] == 1


def test_recorded_answers_are_read_from_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    lines = [json.dumps({"answer": "1. Alien"}), json.dumps("Dr. No"), json.dumps({"answer": ""})]
    file.write_text("\n".join(lines))
    rows, _ = score_answers(read_answers(file), SESSIONS, ITEMS)
    assert rows[1].ranks.tolist() == [1, 1, 0]


@pytest.mark.parametrize("line", ["{", "{}", "[1]", '{"answer": 3}', "plain text"])
def test_a_line_without_an_answer_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('"1. Alien"\n' + line)
    with pytest.raises(InputError, match=r"answers\.jsonl:2") as caught:
        read_answers(file)
    assert caught.value.field == "answers"


def test_answers_to_other_sessions_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.txt"
    file.write_text(BLOCKS)
    answers = read_answers(file)
    with pytest.raises(InputError, match="3 answers to 2 sessions"):
        score_answers(answers, SESSIONS[:2], ITEMS)
    with pytest.raises(InputError, match="Answer 1 is about 'Alien'"):
        score_answers(answers, SESSIONS[::-1], ITEMS)
    with pytest.raises(InputError, match="cannot be read"):
        read_answers(tmp_path / "missing")


@pytest.mark.parametrize("candidates", [None, ()])
def test_answers_to_unknown_candidates_are_refused(candidates: tuple[str, ...] | None) -> None:
    sessions = [SESSIONS[0], Session(("3",), "1", candidates)]
    with pytest.raises(InputError, match="Session 2 has no candidates") as caught:
        score_answers([Recorded("1. Alien"), Recorded("1. Heat")], sessions, ITEMS)
    assert caught.value.field == "sessions"


@pytest.mark.long
@pytest.mark.skipif(not HETREC.is_dir(), reason="HetRec2011 and the recorded answers are not here")
def test_the_authors_recorded_answers_give_their_figures() -> None:
    report = ReadReport()
    items = {item.id: item for item in open_reader("hetrec", HETREC).items(report)}
    file = HETREC / "sessions_authors_train.jsonl"
    sessions = list(read_sessions(file, report, known=frozenset(items)))
    rows, differences = score_answers(
        read_answers(HETREC / "gpt_base_outputs.txt"), sessions, items
    )
    document = summarise(rows)
    strict, repaired = document["rows"]
    figures = [strict[name] for name in ("hr@5", "ndcg@5", "hr@10", "ndcg@10")]
    assert [round(figure, 3) for figure in figures] == [0.250, 0.169, 0.388, 0.214]
    # Each session that differs is explained, and nothing else differs.
    changed = [
        place + 1
        for place, (a, b) in enumerate(zip(rows[0].ranks, rows[1].ranks, strict=True))
        if a != b
    ]
    assert [row["session"] for row in differences] == changed
    assert all(row["why"] for row in differences)
    assert repaired["ndcg@10"] >= strict["ndcg@10"]
