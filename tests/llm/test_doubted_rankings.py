"""A list is no ranking if the answer is against it, calls it something else, or takes it back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from re2llm.llm.ranking_answers.answers import is_ranking, read_ranking
from re2llm.llm.ranking_answers.title_answers import read_titles
from re2llm.records import Item

TITLES = [
    "Ark",
    "Do Not Disturb",
    "The Worst Witch",
    "Heat",
    "Avoid 9",
    "Kong",
    "Nine",
    "Ran",
    "Up",
]
ITEMS = [Item(str(number), title) for number, title in enumerate(TITLES, start=1)]
ORDER = (9, 8, 7)
RANKED = json.dumps({"ranking": list(ORDER)})


def numbers(answer: Any) -> tuple[int, ...]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return read_ranking(text, 9, ITEMS, wanted=3).numbers


NAMES = [
    *("worst", "avoid", "not_recommended", "notRecommended", "excluded", "candidates_to_avoid"),
    *("unlikely", "least_likely", "rejected", "do_not_recommend", "unranked", "worst_ranked"),
    *("lowest_ranked", "history", "watched", "retry_after", "usage", "rankingAscending", "WORST"),
    *("reversed_ranking", "worst_to_best", "last_to_first", "filtered out", "user-history"),
]
AROUND = [
    {"usage": {"prompt": [1, 2, 3]}},
    {"error": "rate limit", "retry_after": [1, 2, 3]},
    {"error": {"details": [1, 2, 3]}},
    {"ranking": {"avoid": [4, 5, 6]}},
    {"arguments": json.dumps({"avoid": [4, 5, 6]})},
    [{"avoid": 4}, {"avoid": 5}, {"avoid": 6}],
    {"rank": [1, 2, 3], "avoid": [4, 5, 6]},
    {"reason": "ordered worst first", "ranking": [9, 8, 7]},
    {"reason": "They like war. The list is ordered worst first.", "ranking": [9, 8, 7]},
    {"result": {"ranking": [9, 8, 7], "note": "Least likely first."}},
    {"ranking": [9, 8, 7], "note": "These are the ones to avoid."},
    {"ranking": [9, 8, 7], "note": "I would not recommend any of these."},
    {"ranking_order": "ascending", "ranking": [9, 8, 7]},
    {"sort": "reverse", "ranking": [9, 8, 7]},
    {"order": "by increasing relevance", "ranking": [9, 8, 7]},
    {"reversed": True, "ranking": [9, 8, 7]},
]
PROSE = [
    f"Here they are, worst first: {RANKED}",
    f"Sorted with the best last:\n{RANKED}",
    f"Least relevant first:\n```json\n{RANKED}\n```",
    "I would avoid these: [9, 8, 7]",
    "Not recommended: [9, 8, 7]",
    "Candidates to avoid: [9, 8, 7]",
    "The worst ones:\n[9, 8, 7]",
    "I would avoid [9, 8, 7]",
    f"{RANKED}\n(ordered from worst to best)",
    f"{RANKED} (least relevant first)",
    f"{RANKED}\nNote: the list is in reverse order.",
    f"{RANKED}\nOops, I listed the worst first.",
    f"{RANKED}\nThe list is backwards.",
    f"{RANKED}\nI would skip all of these.",
    f"{RANKED}\nWait, that is wrong. The correct ranking is 1, 2, 3.",
    f"{RANKED}\nActually, the list above is incorrect.",
    f"{RANKED}\nPlease ignore the ranking above.",
    f"{RANKED}\nMy answer: 1, 2, 3",
    f"{RANKED}\nFinal:\n1. 1\n2. 2\n3. 3",
    "[9] > [8] > [7]\n(worst to best)",
    "I would avoid candidates 4, 5 and 6 because they are violent.",
    "Not recommended: 4, 5, 6",
    "Not recommended:\n- 4\n- 5\n- 6",
    "Top picks are NOT 1, 2, 3.",
    "Candidates 4, 5 and 6 should be avoided.",
    "4, 5, 6 are not for them.",
    "The best is 9, then 8, then 7. I excluded 1, 2.",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_say_that_a_list_is_no_ranking(name: str) -> None:
    assert numbers({name: [4, 5, 6]}) == ()
    assert numbers({"result": {name: [4, 5, 6]}}) == ()
    assert not is_ranking(json.dumps({name: [4, 5, 6]}))
    assert numbers({name: [4, 5, 6], "ranking": list(ORDER)}) == ORDER
    assert numbers({"picks": list(ORDER), name: [4, 5, 6]}) == ORDER


@pytest.mark.parametrize("answer", [*AROUND, *PROSE], ids=lambda answer: json.dumps(answer)[:70])
def test_words_around_a_list_may_say_so_too(answer: Any) -> None:
    assert numbers(answer) == ()


HONEST_NAMES = [
    *("ranking", "result", "picks", "recommendations", "ranking_best_to_worst", "items", ""),
    *("ranked_from_most_likely_to_least_likely", "top_10", "next_watched_prediction", "unseen"),
    *("not_only_the_best", "classement", "session_ranking", "at_least_three", "badges", "notes"),
]
HONEST_BEFORE = [
    "I avoided horror because they dislike it. Here is the ranking:",
    "I avoided horror, so my ranking is:",
    "Having excluded what they do not like, the list is:",
    "They do not like horror.",
    "Not only the thrillers but also the comedies fit:",
    "The worst fit is left out of this ranking:",
    "I would not recommend a war film, but these fit:",
    "I cannot tell much from this history:",
    "They have not watched any of these:",
    "Best of the last decade:",
    "The Worst Witch and Do Not Disturb fit. Ranked:",
    "This user rejected romance; the best candidates:",
    "From best to worst:",
    "My ranking, avoiding horror:",
    "At first they watched war films:",
    "The most likely candidates, with the least likely last:",
]
HONEST_AFTER = [
    "I avoided horror because they dislike it.",
    "I moved the last candidate to the top.",
    "The history is in reverse order.",
    "They watched these in reverse order.",
    "The list is not in reverse order.",
    "Candidates 1, 2 and 3 are less likely.",
    "I would not recommend the rest.",
    "I would avoid those with violence.",
    "Ranking: 9, 8, 7",
    "My final answer is 9, then 8.",
    "Final ranking:\n1. Up\n2. Ran\n3. Nine",
    "My answer is based on 3 of their films.",
    "There is nothing wrong with 1 or 2.",
    "Some might say that is wrong.",
    "Actually, 9 is the strongest match.",
    "Wait for the sequel of 7.",
    "Not only 9 but also 8 would do.",
    "They are unlikely to enjoy the others.",
    "No, really: enjoy!",
    "The list is ordered from best to worst.",
    "(Do Not Disturb and The Worst Witch are not on it.)",
]
HONEST_BESIDE = [
    {"order": "best first"},
    {"order": "descending"},
    {"reversed": False},
    {"history_reversed": True},
    {"ascending": False},
    {"error": None, "usage": {"prompt": [1, 2, 3]}},
    {"avoid": [1, 2], "history": [4, 5]},
    {"reason": "They avoid horror. The worst fit was left out."},
    {"note": "The Worst Witch"},
]
HONEST_PROSE = [
    "It is not easy, but I would say 9, then 8 and then 7.",
    "I avoided horror; my picks: 9, 8, 7",
    "As they dislike war, the best are 9, 8, 7.",
    "Not only the thrillers count. Ranked: 9, 8, 7",
    "9 > 8 > 7",
    "9. Up\n8. Ran, which is not violent\n7. Nine, the worst fit of these",
    "They avoid war, so here they are:\n9. Up\n8. Ran\n7. Nine",
]


@pytest.mark.parametrize("name", HONEST_NAMES)
def test_other_names_leave_a_list_alone(name: str) -> None:
    assert numbers({name: list(ORDER)}) == ORDER


@pytest.mark.parametrize("said", HONEST_BEFORE)
def test_honest_words_before_a_ranking_leave_it_alone(said: str) -> None:
    assert numbers(f"{said}\n{RANKED}") == ORDER
    assert numbers(f"{said} {list(ORDER)}") == ORDER


@pytest.mark.parametrize("said", HONEST_AFTER)
def test_honest_words_after_a_ranking_leave_it_alone(said: str) -> None:
    assert numbers(f"{RANKED}\n\n{said}") == ORDER
    assert numbers(f"```json\n{RANKED}\n```\n{said} Enjoy.") == ORDER


@pytest.mark.parametrize("beside", HONEST_BESIDE, ids=json.dumps)
def test_honest_words_beside_a_ranking_leave_it_alone(beside: dict[str, Any]) -> None:
    assert numbers({**beside, "ranking": list(ORDER)}) == ORDER
    assert numbers({"session": {**beside, "ranking": list(ORDER)}}) == ORDER


@pytest.mark.parametrize("answer", HONEST_PROSE)
def test_honest_prose_is_read(answer: str) -> None:
    assert numbers(answer) == ORDER


def test_titles_to_avoid_are_no_ranking_either() -> None:
    assert read_titles('{"avoid": ["Ark", "Heat"]}', ITEMS).numbers == ()
    assert read_titles('{"avoid": ["Ark"], "best": ["Up", "Ran"]}', ITEMS).numbers == (9, 8)


@pytest.mark.long
@pytest.mark.parametrize(
    "word", ["avoid ", "not ", "the ", "worst ", "(", "; ", "is 1 ", "best is ", "wait ", "list: 1"]
)
@pytest.mark.timeout(20)
def test_long_answers_are_doubted_in_no_time(word: str) -> None:
    long = word * (90_000 // len(word))
    for text in (long, f"{long}:", f"{RANKED} {long}:", f"{long} {RANKED}", f'["{long}", 1]'):
        assert read_ranking(text, 9, ITEMS).missing >= 0
    assert numbers({"ranking": list(ORDER), "note": long, long: True}) in {(), ORDER}


REFUSALS = [
    "I'm sorry, but I can't help with that.\n\nCandidates:",
    "I cannot rank these items because they contain violent content:",
    "I'm sorry, I can't do this.\n",
    "I am unable to recommend any of the following:",
    "Es tut mir leid, ich kann diese Filme nicht bewerten:",
]


@pytest.mark.parametrize("mark", ["- {}", "* {}", "{p}. {}", "{}", "**{}**"])
@pytest.mark.parametrize("said", REFUSALS)
def test_what_a_refusal_lists_is_no_ranking(said: str, mark: str) -> None:
    for listed in (TITLES, TITLES[::3], [TITLES[0], TITLES[3], TITLES[5], TITLES[8]]):
        rows = [mark.format(title, p=place) for place, title in enumerate(listed, start=1)]
        text = said + "\n" + "\n".join(rows)
        assert numbers(text) == ()
        assert read_titles(text, ITEMS).numbers == ()
    shuffled = "\n".join(mark.format(one, p=p) for p, one in enumerate(("Kong", "Ark", "Up"), 1))
    if said.endswith(":") and "\n" not in said:
        assert numbers(f"{said}\n{shuffled}") == ()
        assert read_titles(f"{said}\n{shuffled}", ITEMS).numbers == ()


@pytest.mark.parametrize("mark", ["- {}", "{p}. {}"])
@pytest.mark.parametrize(
    "said",
    [
        "I cannot judge all of them.",
        "Sorry for the delay.",
        "I can't rate them, but here are three:",
        "I cannot tell much, sorry. My picks:",
        "I can't recommend them all. Here is my ranking:",
    ],
)
def test_a_ranking_after_an_excuse_is_read(said: str, mark: str) -> None:
    rows = [mark.format(one, p=p) for p, one in enumerate(("Kong", "Ark", "Up"), 1)]
    text = said + "\n" + "\n".join(rows)
    assert numbers(text) == (6, 1, 9)
    assert read_titles(text, ITEMS).numbers == (6, 1, 9)
