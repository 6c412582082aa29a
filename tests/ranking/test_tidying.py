"""Which hints a store keeps, by gains of many kinds."""

import datetime as dt
from collections import Counter
from typing import Any

import numpy as np
import pytest
from re2llm.benchmarks.planted_gains import HELPFUL, JUNK, Kind, tidied
from re2llm.knowledge.hint_store.decisions import KeptHint
from re2llm.knowledge.hint_store.hints import Hint
from re2llm.knowledge.hint_store.stats import loses
from re2llm.ranking.hints.proof import p_value, summary_of
from re2llm.ranking.hints.tidy_store import Store
from re2llm.ranking.hints.tidying import Judge
from re2llm.ranking.hints.verification import verification
from scipy import stats

SESSIONS = 300


def store(gains: np.ndarray, *, pending: int = 0, **known: Any) -> Store:
    """Return a store with a hint for each row; the last ones are pending."""
    rng = np.random.default_rng(9)
    vectors = rng.standard_normal((len(gains), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    waiting = len(gains) - pending
    hints = [
        KeptHint(
            Hint(row, f"Hint {row}.", "active" if row < waiting else "pending"),
            vectors[row],
            dt.datetime.now(dt.UTC),
            [str(row).encode()],
        )
        for row in range(len(gains))
    ]
    given = {"planned": [gains.shape[1]] * len(gains), "tested": len(gains)}
    return Store(hints, gains, **{**given, "newest": 24, "most": 64, **known})


def verdicts(judge: Judge) -> Counter[str]:
    return Counter(change.verdict for change in judge.changes)


# Gains of many kinds


@pytest.mark.long
@pytest.mark.parametrize("kind", ["rare large losses", "rarer larger losses", "the rarest losses"])
@pytest.mark.parametrize("sessions", [120, 300])
def test_rare_large_losses_are_reckoned_with(kind: str, sessions: int) -> None:
    """Where few have come, many small gains look like a proof."""
    found = [
        tidied(HELPFUL["ordinary"], JUNK[kind], others=200, sessions=sessions, seed=seed)
        for seed in (1, 2)
    ]
    good, junk = sum(one.good for one in found), sum(one.junk for one in found)
    assert junk <= 0.05 * (good + junk)
    assert good >= (38 if sessions == SESSIONS else 35)


@pytest.mark.parametrize("kind", ["as often this way as that", "large losses now and then"])
def test_ordinary_hints_are_told_from_junk(kind: str) -> None:
    found = tidied(HELPFUL["often"], JUNK[kind], others=100, sessions=SESSIONS, seed=3)
    assert found.good == 20
    assert found.junk <= 1


def test_where_hints_change_little_small_gains_are_proven() -> None:
    """As where the model has a small weight: no loss is large, so none is reckoned with."""
    helpful = Kind(0.3, (0.01, 0.1), 0.1, (0.01, 0.1))
    none = Kind(0.25, (0.01, 0.1), 0.25, (0.01, 0.1))
    found = tidied(helpful, none, others=100, sessions=SESSIONS, seed=4)
    assert found.good >= 19
    assert found.junk <= 1


def test_rare_large_gains_are_proven_sooner_than_by_a_plain_t_test() -> None:
    rng = np.random.default_rng(5)
    gains = Kind(0.05, (0.5, 1.0), 0.5, (0.01, 0.03)).draw(rng, 200, SESSIONS)
    plain = sum(summary_of(one).p <= 1e-4 for one in gains)
    assert sum(p_value(one, 0.3) <= 1e-4 for one in gains) > 1.5 * plain


def test_without_skew_the_p_value_is_that_of_the_t_test() -> None:
    gains = np.random.default_rng(6).normal(0.03, 0.2, 200)
    both = np.concatenate([gains, 2 * gains.mean() - gains])  # symmetric about their mean
    expected = stats.ttest_1samp(both, 0, alternative="greater").pvalue
    assert p_value(both) == pytest.approx(expected)
    assert p_value(np.zeros(50)) == 1 > p_value(np.zeros(50), 0.2) > 0.9
    assert p_value(np.full(10, 0.1)) == 0.5**10


# Harm


@pytest.mark.parametrize("often", [0.03, 0.05, 0.08, 0.1])
def test_a_hint_that_helps_seldom_but_much_does_not_harm(often: float) -> None:
    """Its large gains are often not among the newest sessions; what it costs there is little."""
    rng = np.random.default_rng(7)
    gains = Kind(often, (0.5, 1.0), 0.55, (0.01, 0.02)).draw(rng, 200, SESSIONS)
    gains[:, 24:][rng.random((200, SESSIONS - 24)) < 0.5] = np.nan
    found = Judge(store(gains, gives_up=False, most=200))
    assert verdicts(found)["harms_lately"] == 0
    assert verdicts(found)["harms"] <= 2


def test_what_harms_often_goes_as_before() -> None:
    rng = np.random.default_rng(8)
    gains = rng.normal(-0.06, 0.2, (50, SESSIONS))
    assert verdicts(Judge(store(gains, gives_up=False)))["harms"] == 50
    helpful = rng.normal(0.2, 0.2, (20, SESSIONS))
    helpful[:, :24] = rng.normal(-0.4, 0.2, (20, 24))  # the newest ones
    assert verdicts(Judge(store(helpful, gives_up=False)))["harms_lately"] == 20


@pytest.mark.parametrize("seed", range(5))
def test_loss_is_judged_as_with_one_more_large_gain(seed: int) -> None:
    gains = np.random.default_rng(seed).normal(-0.03, 0.1, 40 + 20 * seed)
    found = summary_of(gains)
    expected = verification([*gains.tolist(), 0.5]).high < 0
    assert loses(found.n, found.mean, found.error) == expected


# Room


def proven(count: int) -> np.ndarray:
    return Kind(0.5, (0.3, 0.7), 0.1, (0.05, 0.2)).draw(np.random.default_rng(1), count, SESSIONS)


def untried(count: int) -> np.ndarray:
    return np.full((count, SESSIONS), np.nan)


@pytest.mark.parametrize("new", [1, 60, 64, 500])
def test_proven_hints_do_not_give_way_to_what_was_not_tried(new: int) -> None:
    few = np.full((5, SESSIONS), np.nan)
    few[:, :10] = 0.3
    gains = np.vstack([proven(10), few, untried(new)])
    found = Judge(store(gains, pending=new, gives_up=False))
    assert found.changes == []
    assert [found.standing[row] for row in range(10)] == ["helps"] * 10


@pytest.mark.parametrize("mean", [0.05, 0.08, 0.1])
def test_what_learn_has_taken_does_not_give_way_to_what_was_not_tried(mean: float) -> None:
    rng = np.random.default_rng(5)
    gains = np.vstack([rng.normal(mean, 0.25, (20, SESSIONS)), untried(64)])
    gains[:20, 96:] = np.nan
    found = Judge(store(gains, pending=64, gives_up=False, most=64))
    taken = {row for row in range(20) if verification(gains[row, :96].tolist()).low > 0}
    assert len(taken) > 5
    assert not taken & {change.hint_id for change in found.changes}


@pytest.mark.parametrize("sessions", [96, 111])
def test_a_hint_that_nearly_always_helps_is_proven_whatever_its_losses(sessions: int) -> None:
    rng = np.random.default_rng(4)
    kind = Kind(0.9, (0.1, 0.3), 0.02, (0.5, 0.7))
    for _ in range(20):
        gains = np.vstack([kind.draw(rng, 2, sessions), rng.normal(0, 0.1, (30, sessions))])
        found = Judge(store(gains, gives_up=False, tested=60))
        assert [found.standing[row] for row in range(2)] == ["helps"] * 2


def test_of_the_tried_hints_there_are_no_more_than_may_be() -> None:
    none = Kind(0.3, (0.05, 0.5), 0.3, (0.05, 0.5)).draw(np.random.default_rng(2), 6, SESSIONS)
    gains = np.vstack([proven(10), none, untried(5)])
    found = Judge(store(gains, pending=5, gives_up=False, most=8))
    gone = {change.hint_id for change in found.changes}
    assert verdicts(found) == {"surplus": 8}
    assert gone >= set(range(10, 16))  # first what is not proven
    kept = sorted(np.mean(gains[row]) for row in range(10) if row not in gone)
    assert kept == sorted(gains[:10].mean(axis=1))[2:]  # and the worst of the others


def test_what_is_not_proven_makes_room_for_what_was_not_tried() -> None:
    none = Kind(0.3, (0.05, 0.5), 0.3, (0.05, 0.5)).draw(np.random.default_rng(2), 6, SESSIONS)
    gains = np.vstack([proven(4), none, untried(4)])
    found = Judge(store(gains, pending=4, gives_up=False, most=10))
    assert verdicts(found) == {"surplus": 4}
    assert all(4 <= change.hint_id < 10 for change in found.changes)


# What somebody approved


@pytest.mark.parametrize("most", [64, 0])
def test_what_was_approved_against_its_trials_stays(most: int) -> None:
    rng = np.random.default_rng(3)
    better = proven(1)
    worse = np.where(rng.random((1, SESSIONS)) < 0.5, better, 0.6 * better)
    harm = rng.normal(-0.1, 0.1, (1, SESSIONS))
    late = proven(1)
    late[:, :24] = -0.4
    none = rng.normal(0.0, 0.1, (1, SESSIONS))
    gains = np.vstack([better, worse, harm, late, none, np.zeros((1, SESSIONS)), better])
    every = frozenset(range(len(gains)))
    assert len(Judge(store(gains, most=most)).changes) >= len(gains) - 2
    assert Judge(store(gains, most=most, approved=every)).changes == []
