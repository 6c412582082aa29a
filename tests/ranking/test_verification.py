"""When a hint's trials end, by hand-made gains, and the interval that decides on it."""

import numpy as np
import pytest
from re2llm.knowledge.hint_store.stats import ENOUGH
from re2llm.rank_metrics import BEYOND_DOUBT
from re2llm.ranking.hints.verification import (
    CLEAR_HARM_AFTER,
    finished,
    settled,
    shown_to_gain,
    verification,
)

FEW = 104
LESS = [-0.1, -0.2] * 60
NOTHING = [0.1, -0.1] * 60
DOUBT = [0.5, -0.4] * 60
GAIN = [0.1, 0.2] * 60


def test_the_interval_by_hand() -> None:
    found = verification([0.1, 0.2, 0.3, -0.2])
    margin = BEYOND_DOUBT * np.std([0.1, 0.2, 0.3, -0.2], ddof=1) / 2
    assert (found.sessions, found.helped, found.harmed) == (4, 3, 1)
    assert (found.low, found.mean, found.high) == pytest.approx((0.1 - margin, 0.1, 0.1 + margin))


@pytest.mark.parametrize(("sessions", "margin"), [(4, 1.0), (5, 0.0)])
def test_equal_gains_rule_out_chance_from_the_fifth_session(sessions: int, margin: float) -> None:
    found = verification([0.3] * sessions)
    assert (found.low, found.high) == pytest.approx((0.3 - margin, 0.3 + margin))


@pytest.mark.parametrize(
    ("gains", "ends"),
    [
        (LESS, {CLEAR_HARM_AFTER, 40, FEW}),
        (NOTHING, {40, FEW}),
        (DOUBT, set[int]()),
        (GAIN, {FEW}),
    ],
    ids=["less", "nothing", "doubt", "gain"],
)
def test_trials_end_where_more_would_change_nothing(gains: list[float], ends: set[int]) -> None:
    assert {n for n in range(len(gains) + 1) if settled(gains[:n], FEW)} == ends
    first = min(ends, default=FEW)
    assert [finished(gains[:n], FEW) for n in (first - 1, first)] == [False, True]


def test_a_hint_in_use_is_tried_until_its_harm_retires_it() -> None:
    slight = [*[-0.011] * (ENOUGH - 1), -0.01]
    assert settled(LESS[:ENOUGH], FEW, ENOUGH)
    assert verification(slight).high < 0
    assert not settled(slight, FEW, ENOUGH)


@pytest.mark.parametrize(("sessions", "shown"), [(23, False), (24, True)])
def test_a_limit_leaves_a_gain_that_the_first_look_shows(sessions: int, shown: bool) -> None:
    assert shown_to_gain(GAIN[:sessions]) is shown
    assert not shown_to_gain(NOTHING[:sessions])
