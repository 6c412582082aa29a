"""Which cells are paid for: on made-up tables whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from re2llm.policies import cell_search
from re2llm.policies.acquisition import (
    LEAST,
    gain_of_more,
    trial_probabilities,
    uniform_draws,
)
from re2llm.policies.cell_search import CellSearch
from re2llm.policies.reward_imputation import impute_rewards
from re2llm.policies.reward_model import Features, Gathered

SESSIONS, HINTS, PANEL = 700, 20, 16
BEST, SPECIAL = 1, 8
"""Actions: the first is best on the whole, the second in one group of sessions."""


@pytest.fixture(scope="module")
def embeddings() -> NDArray[np.float64]:
    return np.random.default_rng(1).standard_normal((HINTS, 12))


@pytest.fixture(scope="module")
def states() -> NDArray[np.float64]:
    found = np.random.default_rng(2).standard_normal((SESSIONS, 9))
    found[:, 0] = np.arange(SESSIONS) % 7 == 0  # the group
    return found


def table(
    states: NDArray[np.float64], *, special: float, best: float = 0.1, noise: float = 0.15
) -> NDArray[np.float64]:
    """Rewards: what is common to a session, what a hint brings, and luck."""
    rng = np.random.default_rng(3)
    common = 0.3 * rng.standard_normal((len(states), 1))
    rewards = common + noise * rng.standard_normal((len(states), 1 + HINTS))
    rewards[:, BEST] += best
    rewards[:, SPECIAL] += np.where(states[:, 0] > 0, special, -special / 3)
    rewards -= rewards[:, :1]
    return rewards


def searched(
    states: NDArray[np.float64],
    embeddings: NDArray[np.float64],
    rewards: NDArray[np.float64],
    rounds: int = 100,
) -> CellSearch:
    keys = [bytes([number]) for number in range(HINTS)]
    features = Features.of(states, embeddings)
    search = CellSearch(features, range(1000, 1000 + len(states)), keys, first=PANEL, seed=5)
    search.add_panel(range(PANEL), rewards[:PANEL])
    for _ in range(rounds):
        asked = search.propose()
        if asked is None or search.enough:
            break
        search.take(asked, rewards[asked.rows])
    return search


def fitted(search: CellSearch) -> Gathered:
    return search._gathered


@pytest.mark.long
def test_the_group_in_which_another_hint_wins_is_found_with_few_cells(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    rewards = table(states, special=0.3)
    assert rewards.mean(0)[1:].argmax() == BEST - 1  # on the whole, the other one loses
    search = searched(states, embeddings, rewards)
    believed = fitted(search).fit().expected(np.arange(SESSIONS))[:, 1:].argmax(1) + 1
    group = states[:, 0] > 0
    assert (believed[group] == SPECIAL).mean() > 0.9
    assert (believed[~group] == BEST).mean() > 0.9
    assert search.cells < 0.3 * rewards.size
    late = np.arange(SESSIONS - 100, SESSIONS)  # not visited
    tries = trial_probabilities(fitted(search).fit(), late, 3.0, 1)[:, SPECIAL]
    assert tries[group[late]].min() > 3 * tries[~group[late]].mean()


@pytest.mark.long
@pytest.mark.parametrize("wrong", [0.0, 5.0])
def test_doubly_robust_rewards_are_unbiased_however_wrong_the_model(wrong: float) -> None:
    rng = np.random.default_rng(4)
    truth = rng.standard_normal((3, 5))
    tried = np.array([[1, 1, 0.25, 0.5, 0.9], [1, 0.3, 1, 0.25, 0.25], [1, 1, 1, 0.6, 0.4]])
    expected = wrong * rng.standard_normal(truth.shape)
    draws, faulty = [], []
    for _ in range(8_000):
        known = rng.random(truth.shape) < tried
        rewards = np.where(known, truth, np.nan)
        draws.append(impute_rewards(expected, rewards, tried))
        faulty.append(impute_rewards(expected, rewards, np.where(tried < 1, tried / 2, 1.0)))
    found = np.array(draws)
    error = found.std(0) / np.sqrt(len(found)) + 1e-12
    assert (np.abs(found.mean(0) - truth) < 4.5 * error + 1e-9).all()
    assert np.abs(np.mean(faulty, axis=0) - truth).max() > 0.2  # a wrong probability shows


def test_one_cell_by_hand() -> None:
    # The sure cells lie 0.5 and 0.3 above the model, so its level is 0.4.
    expected = np.array([[0.0, 0.1, 0.2, 0.3]])
    tried = np.array([[0.0, 1.0, 1.0, 0.25]])
    rewards = np.array([[np.nan, 0.6, 0.5, 1.1]])
    found = impute_rewards(expected, rewards, tried)
    assert found[0, 3] == pytest.approx(0.7 + (1.1 - 0.7) / 0.25)
    assert found[0, 1:3] == pytest.approx([0.6, 0.5])


def test_no_hint_is_favoured_by_the_model_alone() -> None:
    expected = np.array([[0.0, 0.1, 9.0]])
    found = impute_rewards(expected, np.array([[0.0, 0.2, np.nan]]), np.array([[1.0, 1.0, 0.0]]))
    assert found[0, 2] < 0.2


def test_without_a_sure_hint_none_is_favoured_by_the_model_alone() -> None:
    found = impute_rewards(
        np.array([[0.0, 0.1, 9.0]]), np.array([[0.0, np.nan, np.nan]]), np.array([[1.0, 0, 0]])
    )
    assert found[0].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.long
def test_what_looks_too_good_is_neither_tried_nor_learned_from(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    """Hints on the sessions that they were proposed on, in the panel and among those visited."""
    rewards = table(states, special=0.0)
    own = np.zeros(rewards.shape, dtype=np.bool_)
    own[::3, BEST] = True  # the one that is always tried elsewhere
    own[1 : PANEL + 40 : 3, SPECIAL] = True
    keys = [bytes([number]) for number in range(HINTS)]
    found: list[NDArray[np.float64]] = []
    for more in (0.0, 5.0):
        search = CellSearch(
            Features.of(states, embeddings),
            range(SESSIONS),
            keys,
            first=PANEL,
            seed=5,
            left_out=own,
        )
        paid = rewards + more * own
        search.add_panel(range(PANEL), paid[:PANEL])
        assert search.rows.tolist() == list(range(PANEL))
        asked = search.propose()
        assert asked is not None
        assert not (asked.chosen & own[asked.rows]).any()
        assert asked.chosen[~own[asked.rows, BEST], BEST].all()
        search.take(asked, paid[asked.rows])
        found.append(search.imputed_rewards(np.arange(len(search.rows)) % MEMBERS))
    np.testing.assert_array_equal(*found)
    assert np.isfinite(found[0]).all()


def test_lots_follow_the_chances(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    """What is tried is drawn with the probability that is noted, whatever the rewards are."""
    search = searched(states, embeddings, table(states, special=0.3), rounds=1)
    open_ = trial_probabilities(fitted(search).fit(), np.arange(100, 300), 3.0, 1)
    assert ((open_ == 0) | (open_ >= LEAST)).all()
    assert (open_[:, 0] == 1).all()
    assert (open_[:, BEST] == 1).all()
    assert open_[:, 1:].sum(1).mean() == pytest.approx(3.0, abs=0.5)
    keys = [bytes([number]) for number in range(HINTS)]
    drawn = np.array([uniform_draws(session, keys, 0) for session in range(3000)])
    for probability in (0.25, 0.5, 0.9):
        assert (drawn < probability).mean() == pytest.approx(probability, abs=0.01)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(HINTS)).max() < 0.1


@pytest.mark.long
def test_more_is_worth_little_where_nothing_can_be_learned(
    states: NDArray[np.float64], embeddings: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_search, "FEWEST", 64)
    noise = searched(states, embeddings, table(states, special=0.0))
    assert noise.enough
    assert noise.visited <= 2 * cell_search.ROUND
    signal = table(states, special=0.0, noise=0.4)
    signal[:, 1:] += 0.06 * states @ np.random.default_rng(8).standard_normal((9, HINTS))
    learned = searched(states, embeddings, signal)
    assert learned.visited > 2 * noise.visited
    assert fitted(learned).fit().variance == pytest.approx(0.4**2, rel=0.2)


@pytest.mark.long
def test_more_sessions_bring_more_and_none_brings_nothing(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    model = fitted(searched(states, embeddings, table(states, special=0.3), rounds=1)).fit()
    sample = np.arange(100, 200)
    tried = trial_probabilities(model, sample, 3.0, 1)
    gains = [gain_of_more(model, sample, tried, more, 1).gain for more in (0, 50, 800, 1e7)]
    assert gains[0] == pytest.approx(0.0, abs=1e-9)
    assert gains == sorted(gains)
    # With endless trials, all that is uncertain is resolved: what draws of the posterior say.
    drawn = model.features.worth(model.draws(4000, np.random.default_rng(9)), sample)
    best = model.expected(sample).argmax(1)
    perfect = (drawn.max(-1) - drawn[:, np.arange(100), best]).mean()
    assert 0.5 * perfect < gains[-1] <= perfect * 1.1


def test_the_model_is_the_textbook_regression(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    """Its posterior mean against ridge regression on rows with a free level for each session."""
    features = Features.of(states, embeddings)
    rewards = table(states, special=0.3)[:40].copy()
    rewards[np.random.default_rng(6).random(rewards.shape) < 0.4] = np.nan
    rewards[:, 0] = 0.0
    gathered = Gathered(features)
    for session, row in enumerate(rewards):
        gathered.add(session, row)
    scales = np.linspace(0.1, 0.5, int(features.parts.max()) + 1)
    model = gathered.fitted(scales)
    rows, targets = [], []
    for session, row in enumerate(rewards):
        known = np.isfinite(row)
        level = np.zeros((int(known.sum()), len(rewards)))
        level[:, session] = 1.0
        rows.append(np.hstack([features.rows(session)[known], level]))
        targets.append(row[known])
    design, seen = np.vstack(rows), np.concatenate(targets)
    inverse = np.full(design.shape[1], 1e-9)  # levels are free
    inverse[: features.size] = scales[features.parts] ** -2
    reference = np.linalg.solve(design.T @ design + np.diag(inverse), design.T @ seen)
    np.testing.assert_allclose(model.mean, reference[: features.size], atol=1e-5)
    at = np.array([3, 7])
    direct = np.array([features.rows(session) @ model.mean for session in at])
    np.testing.assert_allclose(model.expected(at), direct)


def test_sessions_that_were_summed_apart_can_be_put_together(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    features, rewards = Features.of(states, embeddings), table(states, special=0.3)
    whole, part, rest = (Gathered(features) for _ in range(3))
    for session in range(30):
        whole.add(session, rewards[session])
        (part if session % 3 else rest).add(session, rewards[session])
    part.include(rest)
    np.testing.assert_allclose(whole.fit().mean, part.fit().mean, atol=1e-8)


MEMBERS = 2


def estimates(
    search: CellSearch, rewards: NDArray[np.float64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What members would learn from, had the same cells earned other rewards."""
    before = search._rewards
    seen = np.isfinite(np.array(before))
    search._rewards = list(np.where(seen, rewards[search.rows], np.nan))
    found = search.imputed_rewards(folds)
    search._rewards = before
    return found


@pytest.mark.long
@pytest.mark.parametrize("single", [True, False])
def test_no_member_learns_from_rewards_of_sessions_held_out_from_it(
    states: NDArray[np.float64], embeddings: NDArray[np.float64], *, single: bool
) -> None:
    rewards = table(states, special=0.3)
    search = searched(states, embeddings, rewards, rounds=2)
    number = np.arange(len(search.rows))
    folds = np.where(number % 5 == 0, 0, -1) if single else number % MEMBERS
    found = estimates(search, rewards, folds)
    assert found.shape == (1 if single else MEMBERS, len(number), 1 + HINTS)
    other = rewards.copy()
    other[search.rows[folds == 0]] = table(states, special=-2.0)[search.rows[folds == 0]]
    changed = estimates(search, other, folds)
    np.testing.assert_array_equal(found[0][folds != 0], changed[0][folds != 0])
    if not single:  # the others learn from them
        assert (found[1][folds == 1] == changed[1][folds == 1]).mean() < 0.5


@pytest.mark.long
def test_no_session_is_judged_by_a_model_that_has_seen_it(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    rewards = table(states, special=0.3)
    search = searched(states, embeddings, rewards, rounds=2)
    folds = np.arange(len(search.rows)) % MEMBERS
    found = estimates(search, rewards, folds)
    for at in (-1, -2):
        other = rewards.copy()
        other[search.rows[at], BEST] += 5.0
        changed = estimates(search, other, folds)
        tried = np.isfinite(search._rewards[at])
        moved = (changed - found)[:, at, ~tried]
        # Its level is known better; nothing else is.
        np.testing.assert_allclose(moved, moved[:, :1] * np.ones(moved.shape[1]), atol=1e-9)


@pytest.mark.long
def test_the_same_rewards_choose_the_same_cells(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    rewards = table(states, special=0.3)
    one, two = (searched(states, embeddings, rewards, rounds=4) for _ in range(2))
    assert one.rows.tolist() == two.rows.tolist()
    np.testing.assert_array_equal(np.array(one._rewards), np.array(two._rewards))
    asked, again = one.propose(), two.propose()
    assert asked is not None
    assert again is not None
    np.testing.assert_array_equal(asked.chosen, again.chosen)
    # What nobody chose is not looked at.
    for search in (one, two):
        seen = np.isfinite(np.array(search._rewards))
        assert not seen[PANEL:].all()


def test_an_unanswered_trial_earns_nothing_and_its_session_counts(
    states: NDArray[np.float64], embeddings: NDArray[np.float64]
) -> None:
    """A hint that the model often fails on must not be known by its good sessions alone."""
    rewards = table(states, special=0.3)
    search = searched(states, embeddings, rewards, rounds=0)
    asked = search.propose()
    assert asked is not None
    known = rewards[asked.rows].copy()
    known[4, BEST] = np.nan
    known[5] = np.nan  # nothing of it is answered
    search.take(asked, known)
    assert search.visited == len(asked) - 1
    at = search.rows.tolist().index(asked.rows[4])
    assert search._rewards[at][BEST] == 0.0
    assert np.isnan(search._rewards[at][~asked.chosen[4]]).all()
    assert asked.rows[5] not in search.rows
