"""Candidates drawn at random: the target once, never the history, the same for the same seed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from re2llm.data.negatives import NegativeSampler, with_candidates
from re2llm.errors import InputError
from re2llm.records import Session

CATALOGUE = [f"i{number}" for number in range(200)]
ids = st.sampled_from(CATALOGUE)
sessions = st.builds(Session, history=st.lists(ids, min_size=1, max_size=80).map(tuple), target=ids)


@given(sessions, st.integers(2, 50), st.integers())
def test_candidates_hold_the_target_once_and_nothing_of_the_history(
    session: Session, n: int, seed: int
) -> None:
    drawn = with_candidates(session, CATALOGUE, n=n, seed=seed)
    assert drawn.candidates is not None
    assert len(drawn.candidates) == len(set(drawn.candidates)) == n
    assert drawn.candidates.count(session.target or "") == 1
    assert set(drawn.candidates) <= set(CATALOGUE)
    assert not (set(drawn.candidates) - {session.target}) & set(session.history)
    assert (drawn.history, drawn.target) == (session.history, session.target)


@given(sessions, st.integers(), st.randoms(use_true_random=False))
def test_a_draw_depends_on_seed_and_session_alone(session: Session, seed: int, random) -> None:
    shuffled = [*CATALOGUE, *CATALOGUE[:9]]
    random.shuffle(shuffled)
    sampler = NegativeSampler(shuffled, seed=seed)
    sampler.with_candidates(Session(("i1",), "i2"))
    assert sampler.with_candidates(session) == with_candidates(session, CATALOGUE, seed=seed)


def test_seed_history_and_target_each_change_the_draw() -> None:
    base = with_candidates(Session(("i1",), "i2"), CATALOGUE, seed=1).candidates
    assert base != with_candidates(Session(("i1",), "i2"), CATALOGUE, seed=2).candidates
    assert base != with_candidates(Session(("i3",), "i2"), CATALOGUE, seed=1).candidates
    assert base != with_candidates(Session(("i1",), "i3"), CATALOGUE, seed=1).candidates


def test_negatives_and_the_target_s_place_are_uniform() -> None:
    catalogue = CATALOGUE[:12]
    drawn, places = Counter[str](), Counter[int]()
    rounds = 4000
    for seed in range(rounds):
        candidates = with_candidates(
            Session(("i0", "i1"), "i2"), catalogue, n=4, seed=seed
        ).candidates
        assert candidates is not None
        places[candidates.index("i2")] += 1
        drawn.update(candidates)
    assert drawn.pop("i2") == rounds
    assert set(drawn) == set(catalogue[3:])
    assert all(abs(count / rounds - 3 / 9) < 0.04 for count in drawn.values())
    assert all(abs(count / rounds - 1 / 4) < 0.04 for count in places.values())


def test_a_draw_is_the_same_on_every_machine_and_day() -> None:
    drawn = with_candidates(Session(("i1",), "i2"), CATALOGUE[:9], n=5, seed=42)
    assert drawn.candidates == PINNED


PINNED = ("i2", "i0", "i5", "i4", "i7")


def test_the_whole_catalogue_can_be_drawn() -> None:
    drawn = with_candidates(Session(("a", "a"), "b"), "abcd", n=3, seed=0)
    assert set(drawn.candidates or ()) == {"b", "c", "d"}


def test_a_catalogue_that_is_too_small_is_refused() -> None:
    with pytest.raises(InputError, match=r"holds all 3 items of the catalogue"):
        with_candidates(Session(("a", "c", "a"), "b"), "abc", n=4, seed=0)


@pytest.mark.parametrize("n", [3, 4, 50])
def test_a_small_catalogue_gives_as_many_as_it_has(n: int) -> None:
    drawn = with_candidates(Session(("a", "a"), "b"), "abcd", n=n, seed=0)
    assert sorted(drawn.candidates or ()) == ["b", "c", "d"]


def test_candidates_that_are_there_are_kept() -> None:
    session = Session(("a",), "b", ("b", "z"))
    assert with_candidates(session, "abcd", n=3, seed=0) is session


@pytest.mark.parametrize(
    ("session", "n", "field"),
    [
        (Session(("a",)), 2, "target"),
        (Session(("a",), "unheard-of"), 2, "target"),
        (Session(("a",), "b"), 1, "n"),
    ],
)
def test_what_cannot_be_drawn_is_refused(session: Session, n: int, field: str) -> None:
    with pytest.raises(InputError) as error:
        with_candidates(session, "abcd", n=n, seed=0)
    assert error.value.field == field
