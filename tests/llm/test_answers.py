"""Reading a ranking out of whatever a model wrote."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.names import names_no_ranking

SHAPES = {
    "what was asked for": ('{"ranking": [3, 1, 2]}', (3, 1, 2)),
    "a bare list": ("[3, 1, 2]", (3, 1, 2)),
    "a code fence": ('Sure!\n```json\n{"ranking": [3, 1, 2]}\n```\nEnjoy.', (3, 1, 2)),
    "numbers as text": ('{"ranking": ["3", " 1 ", "2"]}', (3, 1, 2)),
    "objects": ('{"ranking": [{"number": 3}, {"number": 1}, {"number": 2}]}', (3, 1, 2)),
    "another key": ('{"result": [3, 1, 2], "why": "because"}', (3, 1, 2)),
    "reasons in brackets first": ("[I think] so: [3, 1, 2]", (3, 1, 2)),
    "a number in the preamble": ('Of 9 options: {"ranking": [3, 1, 2]}', (3, 1, 2)),
    "the longest list wins": ('{"top": [2], "ranking": [3, 1, 2]}', (3, 1, 2)),
    "lines that start with the number": ("3. Alien\n1. Heat\n2. Psycho", (3, 1, 2)),
    "bulleted lines": ("- 3 Alien\n- 1 Heat\n* 2 Psycho", (3, 1, 2)),
    "bold lines": ("**3** Alien\n**1** Heat\n**2** Psycho", (3, 1, 2)),
    "hash lines": ("#3 Alien\n#1 Heat\n#2 Psycho", (3, 1, 2)),
    "a sentence": ("I would say 3, then 1 and then 2.", (3, 1, 2)),
    "arrows": ("3 > 1 > 2", (3, 1, 2)),
    "Windows line ends": ("3) Alien\r\n1) Heat\r\n2) Psycho\r\n", (3, 1, 2)),
}


@pytest.mark.parametrize(("text", "numbers"), SHAPES.values(), ids=SHAPES.keys())
def test_many_shapes_are_read(text: str, numbers: tuple[int, ...]) -> None:
    answer = read_ranking(text, 3)
    assert answer.numbers == numbers
    assert answer.complete


@pytest.mark.parametrize(
    "text",
    ["", " ", "\0", "I cannot help with that.", "{", "[[[[", "null", "[]", '{"ranking": []}', "½"],
)
def test_no_ranking_is_no_ranking(text: str) -> None:
    answer = read_ranking(text, 3)
    assert answer.numbers == ()
    assert answer.missing == 3
    assert "missing" in answer.flags
    assert not answer.complete


def test_faults_are_counted() -> None:
    answer = read_ranking('{"ranking": [2, 2, 9, 0, -1, 1, 2]}', 4)
    assert answer.numbers == (2, 1)
    assert (answer.repeated, answer.invented, answer.missing) == (2, 3, 2)
    assert answer.well_formed
    assert answer.flags == ["repeated", "invented", "missing"]


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ('{"ranking": [7]}', True),
        ('{"ranking": [7, 3, 7]}', True),
        ("[7, 3]", True),
        ('{"ranking": [7, 99]}', False),
        ('{"ranking": []}', False),
        ('{"ranking": [7, 3', False),  # cut off, perhaps within a number
        ("I would say 7.", False),
        ("1, 2, 3, 4, 5, 6, 7, 8, 9, 10", True),
        (json.dumps({"ranking": [*range(1, 10), 99]}), False),
        (json.dumps({"ranking": [*range(1, 11), 99]}), True),
    ],
)
def test_a_short_list_is_complete_unless_something_else_is_wrong(text: str, complete: bool) -> None:
    answer = read_ranking(text, 50)
    assert answer.complete is complete
    assert answer.missing == 10 - min(10, len(answer.numbers))


def test_more_than_ten_may_be_asked_for() -> None:
    answer = read_ranking(json.dumps({"ranking": [*range(1, 16)]}), 50, wanted=20)
    assert answer.missing == 5
    assert len(answer.numbers) == 15


def test_a_clean_answer_has_no_flags() -> None:
    assert read_ranking('{"ranking": [2, 1]}', 2).flags == []


def test_text_that_is_no_json_is_flagged() -> None:
    assert read_ranking("2, 1", 2).flags == ["wrong_format"]


@pytest.mark.parametrize("entry", ["true", "1.5", "null", '"one"', "[1]", "NaN", "1.5e0", "1e-1"])
def test_a_list_with_anything_but_whole_numbers_is_no_ranking(entry: str) -> None:
    assert not read_ranking(f'{{"ranking": [{entry}, 2, 1]}}', 3).well_formed


def test_counted_titles_do_not_name_candidates() -> None:
    """ "1. … 2. … 3. …" tells places; it must not pass for the ranking 1, 2, 3."""
    answer = read_ranking("1. candidate 3\n2. candidate 1\n3. candidate 2", 3)
    assert answer.numbers != (1, 2, 3)


def test_years_and_scores_are_not_candidates() -> None:
    answer = read_ranking("I like 3 (1979), rated 8.5, then 1.", 3)
    assert answer.numbers == (3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 100_000,
        "9" * 300_000,
        "[" + "9" * 10_000 + "]",
        "1\n" * 200_000,
        '"' * 100_000,
        "{" * 50_000 + "[1, 2]",
        " " * 500_000,
        "- " * 100_000,
        "*" * 100_000,
        "1." * 100_000,
    ],
    ids=lambda text: text[:6],
)
@pytest.mark.timeout(20)
def test_huge_answers_are_read_in_no_time(text: str) -> None:
    answer = read_ranking(text, 50)
    assert answer.missing == max(0, 10 - len(answer.numbers))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=7), inner),
    max_leaves=20,
)
digits = st.text(st.sampled_from("0123456789[]{},:.-*# \n\"'eE٣²"), max_size=60)


@pytest.mark.long
@given(
    text=st.text()
    | digits
    | json_like.map(json.dumps)
    | st.builds("{}{}".format, digits, json_like.map(json.dumps)),
    candidates=st.integers(1, 60),
)
def test_reading_never_fails_and_never_invents(text: str, candidates: int) -> None:
    answer = read_ranking(text, candidates)
    assert len(set(answer.numbers)) == len(answer.numbers)
    assert all(type(number) is int and 1 <= number <= candidates for number in answer.numbers)
    assert answer.missing == max(0, min(10, candidates) - len(answer.numbers))
    assert answer.repeated >= 0
    assert answer.invented >= 0


@given(
    st.integers(1, 60).flatmap(lambda n: st.permutations(range(1, n + 1))),
    st.text().filter(lambda key: not names_no_ranking(key)),  # such as "not"
)
@example([1, 2], "0")
@example([1], "7")
@example([3, 1, 2], "1")
def test_a_full_ranking_is_read_exactly(order: list[int], key: str) -> None:
    for text in (json.dumps({key: order}), json.dumps({key: order}, indent=2), json.dumps(order)):
        answer = read_ranking(f"Here it is: {text}", len(order))
        assert answer.numbers == tuple(order)
        assert answer.flags == []


@pytest.mark.parametrize(
    "separator", [",", ", ", " , ", ",\n  ", '","', " > ", ">", ";", ".0,", '","candidate_']
)
@pytest.mark.parametrize(
    "form", ['{{"ranking":[{}]}}', "[{}]", "[ {} ]", "Ranking: {}", "{}", "{}."]
)
@pytest.mark.parametrize("order", [(3, 0, 5, 1, 2, 7, 9, 4, 8, 6, 11), (0, 3, 5), (3, 5, 0)])
def test_numbers_from_0_are_refused(order: tuple[int, ...], form: str, separator: str) -> None:
    if "\n" in separator and "[" not in form:
        return
    before, after = ('"', '"') if '"' in separator else ("", "")
    before += "candidate_" * ("candidate" in separator)
    after = ".0" if ".0" in separator else after
    text = form.format(before + separator.join(map(str, order)) + after)
    found = read_ranking(text, 15)
    assert not found.complete, text
    assert found.numbers == (), text
