"""A session that grows, or of which windows are stored, is hidden from its own beginnings."""

import random
from collections.abc import Sequence

import pytest
from re2llm.knowledge.sessions.continuations import Continuations, coded
from re2llm.knowledge.sessions.evidence import EvidenceIndex
from re2llm.operations.evaluation.compared import seen_in_training
from re2llm.records import Session

ITEMS = [f"i{number}" for number in range(400)]


def keyed(sequences: Sequence[Sequence[str]]) -> list[tuple[int, Session]]:
    return [(100 + n, Session(tuple(s[:-1]), s[-1])) for n, s in enumerate(sequences)]


def hidden(sequences: Sequence[Sequence[str]], row: int) -> list[Sequence[str]]:
    """Return what is left out beside a session and its copies."""
    left_out = EvidenceIndex(keyed(sequences)).left_out(100 + row)
    return [sequences[key - 100] for key in left_out if sequences[key - 100] != sequences[row]]


def prefixes(items: Sequence[str], *, step: int = 1) -> list[Sequence[str]]:
    return [items[:end] for end in range(2, len(items) + 1, step)]


def windows(items: Sequence[str], size: int, step: int = 1) -> list[Sequence[str]]:
    return [items[at : at + size] for at in range(0, len(items) - size + 1, step)]


def test_the_longer_session_does_not_show_what_was_chosen_in_the_shorter() -> None:
    stored = keyed([["x", "y", "z"], ["x", "y", "z", "w"], ["q", "r5"], ["y", "r5"]])
    before = EvidenceIndex([stored[0], *stored[2:]])
    shown = EvidenceIndex(stored).of(["x", "y"], ["z", "r5"], leave_out=100)
    assert shown == before.of(["x", "y"], ["z", "r5"], leave_out=100)
    assert shown[0]["chosen_by"] == shown[0]["similar_sessions"] == 0


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("shuffled", [False, True])
def test_of_grown_sessions_all_that_comes_later_is_hidden(step: int, shuffled: bool) -> None:
    draw = random.Random(step)
    rows = [row for _ in range(40) for row in prefixes(draw.sample(ITEMS, 9), step=step)]
    if shuffled:
        draw.shuffle(rows)
    for place, row in enumerate(rows):
        later = [other for other in rows if len(other) > len(row) and other[: len(row)] == row]
        assert hidden(rows, place) == later


@pytest.mark.parametrize(("size", "step"), [(4, 1), (6, 1), (6, 2), (9, 3)])
def test_of_windows_all_that_hold_the_target_are_hidden(size: int, step: int) -> None:
    shuffled = random.Random(size).sample(ITEMS, len(ITEMS))
    people = [shuffled[at : at + 30] for at in range(0, 240, 30)]
    rows = [row for items in people for row in windows(items, size, step)]
    for place, row in enumerate(rows):
        later = [other for other in rows[place + 1 :] if row[-1] in other]
        told = [other for other in later if set(row[:-1]) & set(other)]
        assert not [other for other in told if other not in hidden(rows, place)]
        assert not [other for other in hidden(rows, place) if other not in rows[place + 1 :]]


def test_as_many_journeys_are_hidden_as_people_began_like_this() -> None:
    begun = ["matrix", "matrix 2"]
    others = [[*begun, *random.Random(n).sample(ITEMS, 4)] for n in range(30)]
    assert len(hidden([begun, *others], 0)) == 1
    own = prefixes(others[0])[1:-1]
    assert sorted(hidden([begun, *others, *own], 0)) == sorted([*own, others[0]])
    assert len(hidden([begun, begun, *others], 0)) == 2
    everyone = [row for other in others for row in prefixes(other)]
    assert len(hidden(everyone, 0)) == len(everyone) - 30
    twice = [*others, *others]
    assert len(hidden([begun, *twice], 0)) == 1


def test_what_is_picked_later_from_a_list_of_several_picks_is_hidden() -> None:
    """Three are picked with one history; then the history holds them all."""
    history = ITEMS[:4]
    picks = [[*history, pick] for pick in ("d", "e", "f")]
    grown = [[*history, "d", "e", "f", pick] for pick in ("g", "h", "i")]
    for place in range(3):
        assert sorted(hidden([*picks, *grown], place)) == grown


def test_sessions_that_are_alike_by_chance_stay() -> None:
    draw = random.Random(3)
    few = [draw.choices("abcdefghijkl", k=8) for _ in range(600)]
    index = Continuations(coded(few))
    assert sum(len(index.of(row)[1]) for row in range(len(few))) < len(few) / 4


def test_the_surplus_of_a_key_hides_its_continuation_too() -> None:
    rows = [row for n in range(20) for row in prefixes(random.Random(n).sample(ITEMS, 6))]
    keys = dict.fromkeys(range(100, 100 + len(rows)), "key")
    index = EvidenceIndex([*keyed(rows), (999, Session(("p",), "q"))], keyed=keys, share=0.5)
    assert index.beyond
    for key, session in keyed(rows):
        target = session.target or ""
        assert index.of(session.history, [target], leave_out=key)[0]["with_recent"] == 0


def test_an_evaluation_says_that_training_continues_its_sessions() -> None:
    test = [Session(("a", "b"), "c"), Session(("a", "c"), "b"), Session(("new",), "a")]
    assert seen_in_training(test, [Session(("a", "b"), "d")]) == []
    grown = [Session(("a", "b", "c"), "d"), Session(("a", "b", "c", "d"), "e")]
    (note,) = seen_in_training(test, grown)
    assert note.startswith("1 of the 3 sessions is continued by training sessions")
    assert len(seen_in_training(test, [*grown, test[1]])) == 2
    assert seen_in_training(test, []) == []
