"""Which hints are worth joining or fixing, and when a child is better than its parents."""

import numpy as np
import pytest
from re2llm.ranking.hints.improving import compare_with_parents, next_attempt

SESSIONS = 120


def helps_where(mask: np.ndarray, gain: float = 0.4, harm: float = 0.0) -> np.ndarray:
    return np.where(mask, gain, -harm).astype(float)


HALF = np.arange(SESSIONS) % 2 == 0


def test_two_that_help_in_different_sessions_are_joined_first() -> None:
    gains = np.stack([helps_where(HALF), helps_where(HALF), helps_where(~HALF, 0.38)])
    attempt = next_attempt(gains)
    assert attempt is not None
    assert (attempt.way, attempt.parents) == ("join", (0, 2))
    # It shows where the first helps alone, and where the second does.
    assert {bool(HALF[column]) for column in attempt.shown} == {True, False}
    assert len(attempt.shown) == 6


def test_the_better_parent_comes_first() -> None:
    gains = np.stack([helps_where(~HALF, 0.2), helps_where(HALF, 0.4)])
    attempt = next_attempt(gains)
    assert attempt is not None
    assert attempt.parents == (1, 0)


def test_one_that_often_harms_is_fixed() -> None:
    gains = np.stack([helps_where(HALF, 0.6, harm=0.4)])
    attempt = next_attempt(gains)
    assert attempt is not None
    assert (attempt.way, attempt.parents) == ("mend", (0,))
    signs = [float(gains[0, column]) for column in attempt.shown]
    assert min(signs) < 0 < max(signs)


def test_what_was_tried_before_and_what_often_failed_is_left_out() -> None:
    gains = np.stack([helps_where(HALF), helps_where(~HALF)])
    before: set[frozenset[int]] = set()
    ways: list[str] = []
    while (attempt := next_attempt(gains, before)) is not None:
        before.add(frozenset(attempt.parents))
        ways.append(attempt.way)
    assert sorted(ways) == ["join", "mend", "mend"]
    alone = next_attempt(gains, left_out={0})
    assert alone is not None
    assert alone.parents == (1,)


@pytest.mark.parametrize("shared", [0, 23])
def test_few_common_sessions_say_nothing_of_two(shared: int) -> None:
    first, second = helps_where(HALF), helps_where(~HALF)
    first[60:], second[: 60 - shared] = np.nan, np.nan
    attempt = next_attempt(np.stack([first, second]))
    assert attempt is not None
    assert attempt.way == "mend"


def test_without_hints_there_is_nothing_to_do() -> None:
    assert next_attempt(np.zeros((0, SESSIONS))) is None


@pytest.mark.parametrize(
    ("gain", "sessions", "better", "hopeless"),
    [
        (0.2, 120, True, False),  # over parents that bring .1
        (0.2, 60, False, False),  # too few sessions to be sure
        (0.09, 120, False, True),
        (0.0, 30, False, True),
    ],
)
def test_a_child_must_beat_its_best_parent(
    gain: float, sessions: int, better: bool, hopeless: bool
) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, (3, sessions))
    child, *parents = noise + np.array([[gain], [0.1], [0.02]])
    found = compare_with_parents(child, [parent.tolist() for parent in parents])
    assert (found.is_better(last=True), found.is_hopeless) == (better, hopeless)
    assert found.over_best.mean == pytest.approx((child - parents[0]).mean())
    assert found.gain.mean == pytest.approx(child.mean())


def test_an_early_look_accepts_a_child_without_merit_far_more_rarely() -> None:
    rng = np.random.default_rng(3)
    accepted = {False: 0, True: 0}
    for _ in range(2_000):
        helps, child, parent = rng.normal(0, 0.2, (3, 96))
        found = compare_with_parents(helps + child + 1, [(helps + parent + 1).tolist()])
        for last in accepted:
            accepted[last] += found.is_better(last=last)
    assert 70 <= accepted[True] <= 130  # one in twenty, as the 90 % interval says
    assert accepted[False] <= 25  # a tenth of that


def test_equal_gains_correlate_with_nothing() -> None:
    attempt = next_attempt(np.full((2, 50), 0.1))
    assert attempt is not None
    assert attempt.way == "join"
    assert attempt.promise == pytest.approx(0.2)
