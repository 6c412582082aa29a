"""Copies of a session, and one at every length, say less than as many sessions of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from re2llm.data.negatives import NegativeSampler
from re2llm.errors import InputError
from re2llm.evaluation.baselines import uniform_keys
from re2llm.evaluation.bootstrap import Bootstrap
from re2llm.evaluation.experiment import Row, run_baseline
from re2llm.evaluation.report.added import policy_gains
from re2llm.evaluation.report.comparison import hint_uses
from re2llm.evaluation.session_groups import numbered, session_groups
from re2llm.evaluation.summary import hint_table, summarise
from re2llm.operations.evaluation.held_out import with_candidates
from re2llm.records import Session

CATALOGUE = [f"i{number}" for number in range(300)]
CHANCE = sum(1 / np.log2(rank + 1) for rank in range(1, 11)) / 50
"""NDCG@10 of a random order of 50 candidates."""


def spelled(*words: str) -> list[Session]:
    """Return a session for each word: each letter is an item, and the last one is the target."""
    return [Session(tuple(word[:-1]), word[-1]) for word in words]


# --- which sessions belong together --------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "groups"),
    [
        (["ab", "cd", "ef"], [0, 1, 2]),
        (["ab", "cd", "ab", "ab"], [0, 1, 0, 0]),
        (["cd", "abc", "ab", "abcd"], [0, 1, 1, 1]),  # at every length
        (["ab", "bc", "ac"], [0, 1, 2]),  # neither begins another
        (["abc", "abd", "ab"], [0, 1, 0]),  # a copy is of one journey only,
        (["abc", "ab", "abd", "ab"], [0, 0, 1, 1]),  # two are of two,
        (["abd", "ab", "abc", "ab"], [0, 0, 1, 1]),  # as they stand in the file,
        (["ab", "ab", "abc", "ab"], [0, 1, 0, 1]),  # and those that are left, of none
        (["abc", "ab", "abc", "ab"], [0, 0, 0, 0]),
    ],
)
def test_groups_by_hand(words: list[str], groups: list[int]) -> None:
    assert session_groups(spelled(*words)).tolist() == groups


words = st.lists(st.text("abc", min_size=2, max_size=5), min_size=1, max_size=30)


@settings(deadline=None)
@given(words)
def test_groups_are_numbered_by_their_first_session(listed: list[str]) -> None:
    groups = session_groups(spelled(*listed)).tolist()
    assert list(dict.fromkeys(groups)) == list(range(len(set(groups))))


@settings(deadline=None)
@given(words)
def test_who_is_together_is_a_copy_or_a_beginning(listed: list[str]) -> None:
    groups = session_groups(spelled(*listed))
    for group in set(groups.tolist()):
        members = [listed[place] for place in np.flatnonzero(groups == group)]
        longest = max(members, key=len)
        assert all(longest.startswith(word) for word in members)
        # None holds a length more often than it holds the longest.
        assert all(members.count(word) <= members.count(longest) for word in members)


@settings(deadline=None)
@given(words)
def test_a_file_at_every_length_has_as_many_groups_as_journeys(listed: list[str]) -> None:
    every = [word[:length] for word in listed for length in range(2, len(word) + 1)]
    groups = session_groups(spelled(*every)).tolist()
    assert len(set(groups)) <= len(set(listed))


# --- draws of their own --------------------------------------------------------------------------


def test_copies_have_negatives_and_orders_of_their_own() -> None:
    session = Session(("i1", "i2"), "i3")
    copies = numbered([session, Session(("i4",), "i5"), session, session])
    assert [one.repeat for one in copies] == [0, 0, 1, 2]
    drawn = with_candidates([session] * 3, CATALOGUE, 49, seed=1)
    assert len({one.candidates for one in drawn}) == 3
    assert (
        drawn[0].candidates
        == NegativeSampler(CATALOGUE, seed=1).with_candidates(session).candidates
    )
    keys = [tuple(uniform_keys(copy, CATALOGUE, 1)) for copy in copies if copy.target == "i3"]
    assert len(set(keys)) == 3
    assert keys[0] == tuple(uniform_keys(session, CATALOGUE, 1))


def test_copies_with_candidates_of_the_file_have_orders_of_their_own() -> None:
    session = Session(("i1",), "i3", tuple(CATALOGUE[3:53]))
    listed = with_candidates([session] * 400, CATALOGUE, 49, seed=1)
    assert {one.candidates for one in listed} == {session.candidates}
    row = run_baseline(listed, "random", listed, seed=1, on_progress=lambda: None)
    assert row.ranks.mean() == pytest.approx(25.5, abs=3)


def test_nothing_changes_where_all_sessions_differ() -> None:
    draw = np.random.default_rng(1)
    sessions = [
        Session(tuple(CATALOGUE[item] for item in items[:-1]), CATALOGUE[items[-1]])
        for items in (draw.choice(300, 8, replace=False) for _ in range(60))
    ]
    assert numbered(sessions) is sessions
    drawn = with_candidates(sessions, CATALOGUE, 49, seed=2)
    sampler = NegativeSampler(CATALOGUE, seed=2)
    assert [one.candidates for one in drawn] == [
        sampler.with_candidates(one).candidates for one in sessions
    ]
    groups = session_groups(sessions)
    assert groups.tolist() == list(range(60))
    rows = [Row(name, "policy", draw.integers(1, 51, 60)) for name in ("a", "b")]
    assert summarise(rows, groups=groups, seed=3) == summarise(rows, seed=3)


def test_the_draws_are_those_of_every_earlier_version() -> None:
    """The published figures rest on them."""
    session = Session(("i1", "i2"), "i3")
    (drawn,) = with_candidates([session], CATALOGUE, 49, seed=0)
    assert drawn.candidates is not None
    assert drawn.candidates[:5] == PINNED_CANDIDATES
    assert uniform_keys(session, ["i7", "i8"], 0).tolist() == PINNED_KEYS
    interval = Bootstrap().mean(np.arange(20.0))
    assert (interval.low, interval.high) == PINNED_ENDS


PINNED_CANDIDATES = ("i3", "i52", "i143", "i107", "i141")
PINNED_KEYS = [0.4953109978113812, 0.9673192855889493]
PINNED_ENDS = (6.9, 11.9)


# --- intervals -----------------------------------------------------------------------------------


def test_a_file_written_three_times_has_the_interval_of_one() -> None:
    draw = np.random.default_rng(4)
    ranks = draw.integers(1, 51, size=(2, 80))
    sessions = spelled(*(f"{chr(200 + n)}{chr(600 + n)}" for n in range(80)))
    once = summarise([Row("a", "policy", ranks[0]), Row("b", "policy", ranks[1])])
    thrice = summarise(
        [Row(name, "policy", np.tile(own, 3)) for name, own in zip("ab", ranks, strict=True)],
        groups=session_groups(sessions * 3),
    )
    assert thrice["n"] == 240
    for one, three in zip(once["rows"], thrice["rows"], strict=True):
        for metric, ends in one["ci95"].items():
            assert three["ci95"][metric] == pytest.approx(ends, abs=1e-4)
    assert thrice["paired"][0]["ci95"] == pytest.approx(once["paired"][0]["ci95"], abs=1e-4)


def test_the_report_and_the_table_of_hints_count_groups_too() -> None:
    draw = np.random.default_rng(5)
    none, hinted = (
        Row(name, "policy", np.tile(draw.integers(1, 51, 60), 4), hints=[1] * 240)
        for name in ("none", "random")
    )
    groups = np.tile(np.arange(60), 4)
    (wide,) = hint_table(none, {1: hinted}, {1: ""}, groups=groups)
    (narrow,) = hint_table(none, {1: hinted}, {1: ""})
    assert np.ptp(wide["ci95"]) == pytest.approx(2 * np.ptp(narrow["ci95"]), rel=0.15)
    uses = [hint_uses(hinted, none, {1: ""}, groups=own, seed=0)[0] for own in (groups, None)]
    assert uses[0].high - uses[0].low == pytest.approx(np.ptp(wide["ci95"]), abs=1e-3)
    assert uses[1].high - uses[1].low == pytest.approx(np.ptp(narrow["ci95"]), abs=1e-3)
    words = [
        policy_gains(hinted, none, None, groups=own, seed=0)[0].interval for own in (groups, None)
    ]
    assert words == [use.interval for use in uses]


def test_one_session_has_no_interval() -> None:
    for groups, count in ((None, 1), (np.zeros(5, dtype=np.int64), 5)):
        rows = [
            Row(name, "policy", np.full(count, rank), hints=[1] * count)
            for name, rank in (("none", 3), ("a", 1))
        ]
        document = summarise(rows, groups=groups)
        ends = [row["ci95"]["ndcg@10"] for row in document["rows"]]
        ends += [pair["ci95"] for pair in document["paired"]]
        ends += [hint_table(rows[0], {1: rows[1]}, {1: ""}, groups=groups)[0]["ci95"]]
        assert ends == [[None, None]] * 4
        assert document["rows"][0]["ndcg@10"] == 0.5
        (use,) = hint_uses(rows[1], rows[0], {1: ""}, groups=groups, seed=0)
        (gain,) = policy_gains(rows[1], rows[0], None, groups=groups, seed=0)
        assert use.interval == gain.interval == "unknown"


def test_each_session_needs_a_group() -> None:
    with pytest.raises(InputError, match="one group for each session"):
        Bootstrap(groups=np.arange(3)).mean([1.0, 2.0])


@pytest.mark.long
def test_intervals_hold_chance_where_a_few_sessions_are_common() -> None:
    """As in the logs of shops: half of the sessions are copies."""
    runs, held, alike = 60, 0, 0
    share = 1 / np.arange(1, 201)
    share /= share.sum()
    for seed in range(runs):
        draw = np.random.default_rng(seed)
        pairs = [draw.choice(CATALOGUE, 2, replace=False) for _ in range(200)]
        chosen = [pairs[pair] for pair in draw.choice(200, size=200, p=share)]
        sessions = [Session((str(first),), str(second)) for first, second in chosen]
        ranked = with_candidates(sessions, CATALOGUE, 49, seed)
        rows = [
            run_baseline(ranked, "random", ranked, seed=own, on_progress=lambda: None)
            for own in (seed, seed + 1000)
        ]
        found = summarise(rows, groups=session_groups(ranked))
        low, high = found["rows"][0]["ci95"]["ndcg@10"]
        held += low <= CHANCE <= high
        low, high = found["paired"][0]["ci95"]
        alike += low <= 0 <= high
    assert held >= 0.87 * runs  # without draws of their own and groups, 0.38
    assert alike >= 0.87 * runs


@pytest.mark.long
def test_intervals_hold_the_truth_where_a_session_is_there_at_every_length() -> None:
    """Whoever is easy to predict is so at every length."""
    runs = 150
    held = {"groups": 0, "rows": 0}
    for seed in range(runs):
        draw = np.random.default_rng(seed)
        every: list[str] = []
        ranks: list[int] = []
        for person in range(40):
            word = chr(1000 + person) + "".join(map(chr, draw.integers(300, 900, size=9)))
            easy = draw.random() < 0.5
            for length in range(2, 11):
                every.append(word[:length])
                ranks.append(1 if draw.random() < (0.8 if easy else 0.2) else 50)
        sessions = spelled(*every)
        assert session_groups(sessions).tolist() == np.repeat(np.arange(40), 9).tolist()
        row = [Row("a", "policy", np.array(ranks))]
        for name, groups in (("groups", session_groups(sessions)), ("rows", None)):
            low, high = summarise(row, groups=groups)["rows"][0]["ci95"]["ndcg@10"]
            held[name] += low <= 0.5 <= high
    assert held["groups"] >= 0.88 * runs
    assert held["rows"] <= 0.75 * runs  # the test can tell
