"""Of several rankings or groups of candidates in an answer, what is only mentioned never counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from re2llm.llm.ranking_answers.answers import read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.records import Item

ITEMS = [Item(str(number), f"Film {letter}") for number, letter in enumerate("abcdefghi", start=1)]
ORDER = (9, 8, 7)


def numbers(answer: Any) -> tuple[int, ...]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return read_ranking(text, 9, ITEMS, wanted=3).numbers


GROUPS = [
    "Genre matches: 1, 4, 6. Ranking: {}",
    "Excluding 1, 4, 6, 8: {}",
    "Excluding 4, I rank {}",
    "Ranking (excluding 1, 4, 6): {}",
    "First draft: 1, 4, 6. Final: {}",
    "Bottom: 1, 4, 6, 8. Top: {}",
    "Low: 1, 4; high: {}",
    "Without 1, 4 and 6, the ranking is {}",
    "Without 1, 4 and 6, candidates {}",
    "Excluding 1 and 4, 9 is the best as it is new, 8 is good, then 7.",
    "After removing 1, 4, 6 and 8, I rank {}",
    "Candidates 1, 4 and 6 share a genre, so I rank {}",
    "1, 4 and 6 do not fit well. {}",
    "Same director: 1, 4, 6 \u2014 {}",
    "The user has seen 1, 4, 6; {}",
    "(1, 4, 6 are out) {}",
    "Ohne 1, 4, 6: {}",
    "En excluant 1, 4, 6 : {}",
    "Sin 1, 4, 6, el orden es {}",
    "1, 4, 6 are out, then {}",
    "1, 4 and 6 do not fit. Next: {}",
    "Weak: 1, 4, 6. Next: {}",
    "The user has seen: 1, 4, 6. The rest: {}",
    "Already watched: 1, 4. Top: {}",
    "First draft: 1, 4, 6; next: {}",
    "I dropped 1, 4, 6. The others: {}",
]
ONE_GROUP = [
    "My ranking is {}.",
    "They like war. So: {}",
    "Without doubt, {}",
    "Candidates {} fit best, in this order.",
    "I'd rank 9, 8 and 7 first, then 5.",
    "The best are 9, 8 and 7. After that come 5, 3 and 2.",
    "First 9, second 8, third 7, then 5, 3 and finally 2.",
    "Number 9 comes first, number 8 second. Then come 7, 5, 3.",
    "9 (the tone), 8 (the cast), 7, 5, 3",
    "9 because of its tone, 8 for the cast and 7.",
    "9 is best for its story, 8 is close, and 7 would do.",
    "9; 8; 7; 5",
    "My ranking, from best to worst: {}",
    "Top to bottom: {}",
    "Based on what the user has seen: {}",
    "Given what they bought: {}",
    "Films not yet watched: {}",
    "**Final draft:** {}",
    "9 is the best match, followed by 8, 7 and 5.",
    "9 is the best match, followed closely by 8, 7 and 5.",
    "9 should come first, then 8, 7 and 5.",
    "Best: 9. Next: 8, 7, 5",
    "Top pick: **9**. Runners-up: **8**, **7**, **5**",
    "My choice is 9 (the tone). The rest: 8, 7, 5",
    "9, 8, 7, gefolgt von 5, 3, 2",
    "9, 8, 7, suivis de 5, 3, 2",
    "9, 8 and 7 fit best, and after that 5, 3, 2",
]


@pytest.mark.parametrize("said", GROUPS)
def test_of_two_groups_of_numbers_one_may_only_be_mentioned(said: str) -> None:
    for ranked in ("9, 8, 7, 5", "9, 8, 7 and 5", "#9, #8, #7", "9 > 8 > 7 > 5"):
        assert numbers(said.format(ranked)) in {(), (9, 8, 7, 5)}
        assert numbers({"ranking": said.format(ranked)}) in {(), (9, 8, 7, 5)}


@pytest.mark.parametrize("said", ONE_GROUP)
def test_what_goes_on_with_a_list_is_no_other_one(said: str) -> None:
    assert numbers(said.format("9, 8, 7, 5"))[:3] == ORDER


WRITTEN = ['{{"ranking": [{}]}}', "[{}]", '```json\n{{"ranking": [{}]}}\n```']


def written(form: str, order: tuple[int, ...]) -> str:
    return form.format(", ".join(map(str, order)))


SHOWN = [
    "For comparison, the order given was {}.",
    "Example format: {}",
    "Baseline (popularity): {}",
    "(My initial draft was {})",
    "Without the hint it would be {}",
    "That is better than {}",
    "Zum Vergleich: {}",
    "If they liked comedies: {}",
    "An alternative answer is {}",
    "The ranking you gave me: {}",
    "Your order: {}",
    "The order in your list: {}",
    "Ranking by release year: {}",
    "Another possible order: {}",
    "Wrong ranking: {}",
    "This is not the answer: {}",
    "This isn't my final answer: {}",
    "The order before the final one: {}",
]
CORRECTIONS = [
    "{}",
    "Wait, that is wrong. {}",
    "Final answer: {}",
    "No, rather {}",
    "So the ranking is {}",
    "After reconsidering:\n{}",
    "The initial order is weak. Corrected ranking:\n{}",
    "They love war.\n{}",
    "Endg\u00fcltige Antwort: {}",
    "Final ranking based on the user's history: {}",
    "Final ranking, best first: {}",
    "Final ranking, without duplicates: {}",
    "Final answer in the given format: {}",
    "Corrected list of numbers: {}",
    "Corrected from the original: {}",
    "So the final ranking would be: {}",
    "JSON: {}",
    "In the required format: {}",
    "I moved 2 up: {}",
    "I didn't weigh war enough, so the corrected ranking is {}",
    "That is the wrong order. {}",
    "Given their taste, the ranking is {}",
    "Here is your final ranking: {}",
    "\u0418\u0442\u043e\u0433\u043e\u0432\u044b\u0439 \u0441\u043f\u0438\u0441\u043e\u043a: {}",
    "\u6700\u7d42\u7684\u306a\u9806\u4f4d\uff1a{}",
]
REVISIONS = [
    "adjusted_ranking",
    "reranked",
    "ranking_after_hint",
    "optimized_order",
    "v2",
    "result",
]
NO_REVISIONS = [
    *("initial_ranking", "original_order", "baseline", "popularity_ranking", "ranking_before_hint"),
    *("candidates", "scores", "positions", "considered", "draft"),
]


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("said", SHOWN)
def test_a_ranking_that_is_only_shown_does_not_count(said: str, form: str) -> None:
    for other in ((7, 9, 8), (8, 9, 7)):
        shown = said.format(written(form, other))
        assert numbers(f"{written(form, ORDER)}\n{shown}") in {(), ORDER}
        assert numbers(f"{shown}\n\nMy ranking:\n{written(form, ORDER)}") == ORDER


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("said", CORRECTIONS)
def test_a_correction_counts_instead_of_what_it_corrects(said: str, form: str) -> None:
    text = f"{written(form, (7, 9, 8))}\n{said.format(written(form, ORDER))}"
    assert numbers(text) == ORDER
    assert numbers(f"{text}\nFor comparison: {written(form, (8, 7, 9))}") in {(), ORDER}


@pytest.mark.parametrize("name", REVISIONS)
def test_another_order_beside_a_ranking_is_asked_about(name: str) -> None:
    for other in ([7, 9, 8], ["7", "9", "8"], "7, 9, 8", {"ranking": [7, 9, 8]}):
        assert numbers({"ranking": list(ORDER), name: other}) == ()
        assert numbers({name: other, "ranking": list(ORDER)}) == ()
    assert numbers({"ranking": list(ORDER), name: list(ORDER)}) == ORDER


@pytest.mark.parametrize("name", NO_REVISIONS)
def test_what_came_before_a_ranking_leaves_it_alone(name: str) -> None:
    for other in ([7, 9, 8], list(range(1, 10))):
        assert numbers({name: other, "ranking": list(ORDER)}) == ORDER
        assert numbers({"ranking": list(ORDER), name: other}) == ORDER


REMARKS = {
    "final_thoughts": "They like war, so 8 and 7 are best.",
    "final_note": "I put 8 on top, then 7.",
    "final_recommendation": "Film g",
    "correction": "I first had 7 on top.",
    "changes": "7 is above 8: 7 fits better",
    "personalization": "8 and 7 match",
    "new_items": [8],
    "changed": [7],
    "final_pick": "9",
    "final_top": [9, 8],
}


@pytest.mark.parametrize("name", REMARKS)
def test_a_remark_beside_a_ranking_is_none(name: str) -> None:
    assert numbers({"ranking": list(ORDER), name: REMARKS[name]}) == ORDER
    assert numbers({name: REMARKS[name], "ranking": list(ORDER)}) == ORDER


def test_a_list_with_its_name_beside_a_ranking_is_no_remark() -> None:
    assert numbers({"ranking": list(ORDER), "final_answer": "Ranking: 7, 9, 8"}) == ()
    assert numbers({"ranking": list(ORDER), "final_answer": [7, 9]}) == ()


@pytest.mark.timeout(10)
def test_many_remarks_take_no_time() -> None:
    for said in ("8 and 7 are best", "8"):
        remarks = {f"final{at}": said for at in range(4_000)}
        assert numbers({"ranking": list(ORDER), **remarks}) in {(), ORDER}


TITLE_GROUPS = [
    "Genre matches: Ark, Ran, Alien. Ranking: {}",
    "Excluding Ark, Ran, Alien: {}",
    "First draft: Ark, Ran, Alien. Final: {}",
    "Low: Ark, Ran; high: {}",
    "Without candidates Ark, Ran and Alien, candidates {}",
    "Sin Ark, Ran, Alien, el orden es {}",
    "Same director: Ark, Ran, Alien - {}",
    "(Ark, Ran, Alien are out) {}",
    "Ark, Ran and Alien do not fit well. {}",
    "Excluding Ark, Ran, Alien, I rank {}",
    "Ohne Ark, Ran, Alien, Meine Reihenfolge ist {}",
    "Without Ark, Ran, Alien, the order of the rest is {}",
]


@pytest.mark.parametrize("said", TITLE_GROUPS)
def test_of_two_groups_of_titles_one_may_only_be_mentioned(said: str) -> None:
    titles = ["Ark", "Heat", "Kong", "Ran", "Up", "Alien", "Nine", "Oslo"]
    items = [Item(str(number), title) for number, title in enumerate(titles, start=1)]
    text = said.format("Nine, Kong, Up, Heat, Oslo")
    for found in (read_titles(text, items), read_ranking(text, 8, items)):
        assert found.numbers in {(), (7, 3, 5, 2, 8)}
    alone = "My ranking: Nine, Kong, Some Film, Up, Heat, and Oslo"
    assert read_titles(alone, items).numbers == (7, 3, 5, 2, 8)


EMBELLISHED = [
    "LED Desk Lamp",
    "Philips Desk Lamp",
    "The Best of Desk Lamp",
    "Lamp for the Desk Lamp",
]


@pytest.mark.parametrize("written", EMBELLISHED)
def test_an_embellished_title_is_invented_and_leaves_the_others(written: str) -> None:
    titles = ["Wireless Mouse", "USB Cable", "Keyboard", "Monitor", "Desk Lamp"]
    items = [Item(str(number), title) for number, title in enumerate(titles, start=1)]
    for text in (
        f"Keyboard, Monitor, USB Cable, {written}, Wireless Mouse",
        f"{written}, Keyboard, Monitor, USB Cable, Wireless Mouse",
        f"My ranking: Keyboard, Monitor, {written}, USB Cable, and Wireless Mouse",
    ):
        for found in (read_titles(text, items), read_ranking(text, 5, items)):
            assert found.numbers == (3, 4, 2, 1)
