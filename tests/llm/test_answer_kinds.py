"""Kinds of answers that once passed for rankings: each is read right, or asked for again."""

# ruff: noqa: RUF001  # digits, dashes and brackets of other scripts are what models write

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from re2llm.llm.ranking_answers.answers import RankingAnswer, is_ranking, read_ranking
from re2llm.llm.responses import answer_text
from re2llm.records import Item

TITLES = ["Orbit 9", "The 12th Key", "Harvest Moon", "404", "Night Ferry", "Room 6"]
ITEMS = [Item(str(number), title) for number, title in enumerate(TITLES, start=1)]
ORDER = (5, 2, 6, 1, 4, 3)
PLACED = list(enumerate(ORDER, start=1))
PLACE = {number: place for place, number in PLACED}
ALL = range(1, 7)
ANSWER = json.dumps({"ranking": list(ORDER)})
OTHER = json.dumps({"ranking": [1, 2, 3, 4, 5, 6]})
ORDINALS = ["1st", "2nd", "3rd", "4th", "5th", "6th"]


def read(answer: Any) -> RankingAnswer:
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return read_ranking(answer_text(AIMessage(text)), len(ITEMS), ITEMS)


def shown(answer: Any) -> str:
    return json.dumps(answer)[:70]


CUT = [
    '{"reasoning":"I compare [1, 2, 3] with [4,',
    '{"reasoning":"I compare [1, 2, 3, 4, 5, 6] with [4,',
    '{"reasoning": "Candidates 1, 2, 3, 4, 5, 6 are all',
    '{"reasoning": "I could say {\\"ranking\\": [1,2,3,4,5,6]} but',
    '{"analysis": {"order": [1, 2, 3, 4, 5, 6], "why": "I thi',
    '{"thoughts": ["[1, 2, 3]", "4 and',
    "{'reasoning': 'I compare [1, 2, 3] with [4,",
    "<think>I compare [1, 2, 3, 4, 5, 6] with",
    "<think>\n1. Orbit 9\n2. The 12th Key",
    "Let me think. Candidates [1, 2, 3, 4, 5, 6] are",
    "I compare [1, 2, 3] with [4,",
]
SCORED_ROWS = [
    [{"candidate": n, "score": PLACE[n] / 10} for n in ORDER],  # its order and scores disagree
    [{"candidate": n, "relevance_score": PLACE[n] // 3} for n in ALL],
    [{"candidate": n, "likelihood": "high"} for n in ALL],
    [{"candidate": n, "distance": PLACE[n] / 10} for n in ALL],
    [{"candidate": n, "value": 10 - PLACE[n]} for n in ALL],
    [{"kandidat": n, "wert": 10 - PLACE[n]} for n in ALL],
    [{"x": n, "y": PLACE[n]} for n in ALL],
    [{"candidate": n, "rank": min(PLACE[n], 5)} for n in ALL],
    [{"candidate": n, "rank": "good"} for n in ALL],
    {"evaluations": [{"candidate": n, "comment": "fine"} for n in ALL]},
    {"1": 4, "2": 8, "3": 1, "4": 2, "5": 9, "6": 7},
    "{'1': 4, '2': 8, '3': 1, '4': 2, '5': 9, '6': 7}",
    [[n, 10 - PLACE[n]] for n in ALL],
]
SCORED_LINES = [
    "\n".join(f"Candidate {n}: {10 - PLACE[n]}/10" for n in ALL),
    "\n".join(f"Candidate {n}: 0.{10 - PLACE[n]}" for n in ALL),
    "\n".join(f"Candidate {n}: {10 - PLACE[n]}" for n in ALL),
    "\n".join(f"Candidate {n}: score {PLACE[n]}" for n in ALL),
    "\n".join(f"{n}. {TITLES[n - 1]}: {90 - PLACE[n]}%" for n in ALL),
    "\n".join(f"{n}. {TITLES[n - 1]} {'★' * (6 - PLACE[n])}" for n in ALL),
    "\n".join(f"- Candidate {n}: {word}" for n, word in zip(ALL, ["low", "high"] * 3, strict=True)),
    {"ranking": [f"Candidate {n}: {10 - PLACE[n]}/10" for n in ALL]},
    "Candidate 1: rank 4\nCandidate 2: rank 2",
    "\n".join(f"Candidate {n}: rank {min(PLACE[n], 5)}" for n in ALL),
    "candidate,value\n" + "\n".join(f"{n},{10 - PLACE[n]}" for n in ALL),
    "\n".join(f"{n} | {title}" for n, title in zip(ALL, TITLES, strict=True)),
    "```python\nscores = [4, 6, 1, 2, 5, 3]\nranking = sorted(range(6), key=scores.get)\n```",
    "```python\nscores = {1: 4, 2: 6, 3: 1, 4: 2, 5: 5, 6: 3}\n```",
]
UNSURE = [
    "Tier 1: [5, 2, 6]\nTier 2: [1, 4, 3]",
    "Tier 1: 5, 2, 6\nTier 2: 1, 4, 3",
    f"{ANSWER}\nThis has the form " + '{"ranking": [1, 2, 3]}.',
    "3 < 4 < 1 < 6 < 2 < 5",
    "[3] < [4] < [1] < [6] < [2] < [5]",
    "5, 2, 6, 1-4",
    "5, 2, 6, then 1 to 4",
    "Of the 6 candidates, 5 is best, then 2, 6, 1, 4, 3.",
    "I give 2 reasons: 5, 6, 1, 4, 3 fit.",
    "My top 3 are 5, 2 and 6.",
    "1 -> 4\n2 -> 2\n3 -> 6\n4 -> 5\n5 -> 1\n6 -> 3",
    {"ranking": [n - 1 for n in ORDER]},
    {"ranking": [0, 5, 2]},
    {"candidates": list(ALL)},
    {"ranks": [PLACE[n] for n in ALL]},
    {"candidates": list(ALL), "scores": [5, 3, 6, 1, 2, 4]},
    "Step 1: look at them.\nStep 2: compare.\nStep 3: rank.",
    "2%, 5%, 6%",
    "$2, $5 and $6",
    "2:05 to 6:03",
    "\n".join(f"{n}. Candidate {n}" for n in ALL),
    "I like Room 6 and Orbit 9 for their crew of 4.",
    '{"why": "a "b" c" d, "other": [5, 2, 6, 1, 4, 3]}',
]
BACKWARDS = [
    "Vom schlechtesten zum besten: 5, 2, 6, 1, 4, 3",
    f"Vom schlechtesten bis zum besten:\n{ANSWER}",
    f"Du pire au meilleur :\n{ANSWER}",
    f"De peor a mejor:\n{ANSWER}",
    f"Dal peggiore al migliore:\n{ANSWER}",
    f"Do pior para o melhor:\n{ANSWER}",
    "От худшего к лучшему: 5, 2, 6, 1, 4, 3",
    f"从最差到最好：\n{ANSWER}",
    {"nicht_empfohlen": list(ORDER)},
    {"à_éviter": list(ORDER)},
    {"不推荐": list(ORDER)},
]


@pytest.mark.parametrize(
    "answer", [*CUT, *SCORED_ROWS, *SCORED_LINES, *UNSURE, *BACKWARDS], ids=shown
)
def test_nothing_of_what_is_no_ranking_is_kept(answer: Any) -> None:
    found = read(answer)
    assert found.numbers == ()
    assert not found.complete
    assert "missing" in found.flags


BEGUN = [
    '{"reasoning":"I compare [1, 2, 3].","ranking":[5, 2, 6',
    '{"ranking": [5, 2, 6, 1, ',
    "[5, 2, 6, 1",
    '{"ranking": [{"rank": 1, "id": 5}, {"rank": 2, "id": 2}, {"rank": 3, "id"',
    '{"ranking": ["Night Ferry", "The 12th Key", "Roo',
    f'{OTHER}\nFinal: {{"ranking": [5, 2',
    "Considered: [1, 2, 3, 4, 5, 6]. Top: [5, 2, 6]",
]


@pytest.mark.parametrize("answer", BEGUN, ids=shown)
def test_the_beginning_of_a_ranking_is_kept_but_asked_for_again(answer: str) -> None:
    found = read(answer)
    assert found.numbers
    assert found.numbers == ORDER[: len(found.numbers)]
    assert not found.complete
    assert not is_ranking(answer)


def test_a_number_that_may_be_cut_is_left_out() -> None:
    assert read_ranking('{"ranking": [5, 12, 1', 50).numbers == (5, 12)
    assert read_ranking('{"ranking": [5, 12, 6', 50).numbers == (5, 12, 6)  # there is no 60


NEXT = [
    "\nUser: And others?\nAssistant: {}",
    "\n\nHuman: next\n\nAssistant: {}",
    "\n**User:** next\n**Assistant:** {}",
    "\nQ: next\nA: {}",
    "\nInput: next\nOutput: {}",
    "\nNutzer: weiter\nAssistent: {}",
    "<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n{}",
    "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|>\n{}",
    "<end_of_turn>\n<start_of_turn>user\nmore<end_of_turn>\n<start_of_turn>model\n{}",
    "</s><s>[INST] more [/INST] {}",
    "<|endoftext|>{}",
    "\n### Instruction:\nmore\n### Response:\n{}",
    "\nHistory: title\n- Alien\nCandidates, rank the best 6: # | title\n1 | Heat\n{}",
]


@pytest.mark.parametrize(
    "following", [" User: next Assistant: {}", "\n<user>next</user>\n{}", "\nUser: {}"]
)
def test_nor_is_one_that_follows_a_list(following: str) -> None:
    assert read(f"{list(ORDER)}" + following.format("[4, 5, 6, 1, 2, 3]")).numbers == ORDER
    assert read(ANSWER + following.format(OTHER)).numbers == ORDER


@pytest.mark.parametrize("following", NEXT, ids=shown)
@pytest.mark.parametrize(
    ("first", "then"),
    [(ANSWER, OTHER), (str(list(ORDER)), "[4, 5]"), ("5, 2, 6, 1, 4, 3", "1, 2, 3, 4, 5, 6")],
)
def test_an_invented_next_turn_is_not_read(first: str, then: str, following: str) -> None:
    assert read(first + following.format(then)).numbers == ORDER


@pytest.mark.parametrize(
    "answer",
    [
        f"Assistant: {ANSWER}",
        f"<|im_start|>assistant\n{ANSWER}<|im_end|>",
        f"User: rank these\nAssistant: {ANSWER}",
        f"User: likes war films.\nRanking: {ANSWER}",
        "User: likes war.\nHistory: short.\nRanking: [5, 2, 6, 1, 4, 3]",
    ],
    ids=shown,
)
def test_a_turn_of_its_own_is_read(answer: str) -> None:
    assert read(answer).numbers == ORDER


def rows(place: str, candidate: str) -> list[dict[str, int]]:
    return [{candidate: n, place: PLACE[n]} for n in ALL]


RANKS = [
    rows("final_rank", "candidate"),
    rows("predictedRank", "id"),
    rows("rank_position", "item_id"),
    rows("rang", "kandidat"),
    rows("puesto", "candidato"),
    rows("место", "кандидат"),
    rows("排名", "候选"),
    [{"candidate": n, "rank": ORDINALS[PLACE[n] - 1]} for n in ALL],
    [{"candidate": n, "rank": f"{PLACE[n]} of 6"} for n in ALL],
    [{"candidate": n, "rank": f"#{PLACE[n]}"} for n in ALL],
    "\n".join(f"Candidate {n}: rank {PLACE[n]}" for n in ALL),
    "\n".join(f"**Candidate {n}**: ranked #{PLACE[n]}" for n in ALL),
    "\n".join(f"- Candidate {n} (rank {PLACE[n]})" for n in ALL),
    "\n".join(f"Candidate {n}: {ORDINALS[PLACE[n] - 1]}" for n in ALL),
    "\n".join(f"Candidate {n}: {PLACE[n]}" for n in ALL),
    {"ranking": [f"Candidate {n}: rank {PLACE[n]}" for n in ALL]},
    "candidate,rank\n" + "\n".join(f"{n},{PLACE[n]}" for n in ALL),
    "candidate\trank\n" + "\n".join(f"{n}\t{PLACE[n]}" for n in ALL),
    "| Candidate | Rank |\n|---|---|\n" + "\n".join(f"| {n} | {PLACE[n]} |" for n in ALL),
    "Candidate | Rank\n--- | ---\n" + "\n".join(f"{n} | {PLACE[n]}" for n in ALL),
    "ranking:\n" + "\n".join(f"- candidate: {n}\n  rank: {PLACE[n]}" for n in ALL),
    "\n\n".join(f"Candidate: {n}\nRank: {PLACE[n]}\nReason: it has 2 stars." for n in ALL),
    "<table><tr><th>Candidate</th><th>Rank</th></tr>"
    + "".join(f"<tr><td>{n}</td><td>{PLACE[n]}</td></tr>" for n in ALL)
    + "</table>",
]
SCORES = [
    [{"id": n, name: 1 - PLACE[n] / 10} for n in ALL]
    for name in ("relevance_score", "similarity", "matchScore", "probability", "puntuación", "得分")
] + [
    [{"candidate": n, "score": f"{90 - PLACE[n]}%"} for n in ALL],
    [{"candidate": n, "rating": f"{10 - PLACE[n]}/10"} for n in ALL],
    [{"candidate": n, "relevance_score": 1 - PLACE[n] / 10} for n in ORDER],
]


@pytest.mark.parametrize("answer", [*RANKS, *SCORES], ids=shown)
def test_ranks_and_distinct_scores_give_the_order(answer: Any) -> None:
    found = read(answer)
    assert found.numbers == ORDER
    assert found.flags == ["wrong_format"]


FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
SLIPS = [
    ANSWER.translate(FULL_WIDTH),
    ANSWER.translate(ARABIC),
    '｛"ranking"：［５，２，６，１，４，３］｝',
    "\ufeff" + ANSWER,
    ANSWER.replace("5", "5\u200b").replace("6", "\u20606"),
    ANSWER.replace(" ", "\u00a0"),
    "{“ranking”: [5, 2, 6, 1, 4, 3]}",
    "{'ranking': [5, 2, 6, 1, 4, 3]}",
    "{ranking: [5, 2, 6, 1, 4, 3]}",
    '{"ranking": [5, 2, 6, 1, 4, 3,],}',
    '{"ranking": [5, 2, 6, 1, 4, 3]',
    '{"why": "they like "cult" films of [1, 2]", "ranking": [5, 2, 6, 1, 4, 3]}',
    '{"ranking": [\n 5, // Night Ferry, 1 of 2\n 2, // The 12th Key\n 6, 1, 4, 3]}',
    {"ranking": [list(ORDER)]},
    {"ranking": [[n] for n in ORDER]},
    {"ranking": json.dumps(list(ORDER))},
    {"id": 12, "name": "rank", "arguments": {"ranking": list(ORDER)}},
]
WRITTEN = [
    "5、2、6、1、4、3",
    "٥، ٢، ٦، ١، ٤، ٣",
    "【5】【2】【6】【1】【4】【3】",
    "⑤ ② ⑥ ① ④ ③",
    "5 → 2 → 6 → 1 → 4 → 3",
    r"$5 \succ 2 \succ 6 \succ 1 \succ 4 \succ 3$",
    "\n".join(f"{place}\ufe0f\u20e3 {TITLES[n - 1]}" for place, n in PLACED),
    "🥇 Candidate 5\n🥈 Candidate 2\n🥉 Candidate 6\n"
    + "\n".join(f"{place}. Candidate {n}" for place, n in PLACED[3:]),
    "\ufeff" + "\n".join(map(str, ORDER)),
    "\r".join(map(str, ORDER)),
    "\u2028".join(f"{place}. {TITLES[n - 1]}" for place, n in PLACED),
    "<ol>" + "".join(f"<li>{TITLES[n - 1]}</li>" for n in ORDER) + "</ol>",
    "<ol>\n" + "\n".join(f"<li>Candidate {n}</li>" for n in ORDER) + "\n</ol>",
    "<br>".join(f"{place}. {TITLES[n - 1]}" for place, n in PLACED),
    "\n".join(f"### {place}. {TITLES[n - 1]}\nIt fits the 2 of them.\n" for place, n in PLACED),
    "\n".join(f"> {place}. {TITLES[n - 1]}" for place, n in PLACED),
    "\n".join(f"{place}. Candidate {n}\n   - 1 shared genre\n   - 2 actors" for place, n in PLACED),
    "\n".join(
        f"{roman}. {TITLES[n - 1]}"
        for roman, n in zip(["I", "II", "III", "IV", "V", "VI"], ORDER, strict=True)
    ),
    "\n".join(f"{place}. Kandidat {n} – passt gut" for place, n in PLACED),
    "\n".join(f"{place}. Кандидат {n}" for place, n in PLACED),
    "Let me compare 1, 2, 3, 4, 5, 6.\n\nFinal answer: 5, 2, 6, 1, 4, 3",
    "5, 2, 6, 1, 4, 3\n\nCandidate 5 fits best because 3 of the films are alike.",
    "Input order [1, 2, 3, 4, 5, 6]; final order [5, 2, 6, 1, 4, 3]",
    "Final order [5, 2, 6, 1, 4, 3]; input order was [1, 2, 3, 4, 5, 6]",
]


@pytest.mark.parametrize("answer", [*SLIPS, *WRITTEN], ids=shown)
def test_other_signs_and_slips_do_no_harm(answer: Any) -> None:
    assert read(answer).numbers == ORDER


@pytest.mark.parametrize("answer", SLIPS[:6], ids=shown)
def test_json_in_other_signs_needs_no_flag(answer: str) -> None:
    assert read(answer).flags == []
