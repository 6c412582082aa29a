"""What more sessions would bring: on made-up gains whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from re2llm.policies.value_of_sessions import gain_of_more, leading_components

SESSIONS, HINTS = 1500, 5
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def states() -> Array:
    return np.random.default_rng(2).standard_normal((SESSIONS, 9))


def gains_of(states: Array, *, slope: float, apart: float = 0.0, noise: float = 0.3) -> Array:
    """What hints gain: alike, `apart` in the mean, and by the session."""
    rng = np.random.default_rng(3)
    common = 0.3 * rng.standard_normal((len(states), 1))
    means = 0.1 + apart * np.arange(HINTS)[::-1]
    by_session = slope * states[:, :3] @ rng.standard_normal((3, HINTS))
    return common + means + by_session + noise * rng.standard_normal((len(states), HINTS))


def of(states: Array, gains: Array, known: int):
    return gain_of_more(states, np.arange(known), gains[:known], seed=4)


def test_more_is_worth_little_where_one_hint_wins_everywhere(states: Array) -> None:
    found = of(states, gains_of(states, slope=0.0, apart=0.2), 300)
    assert found.little
    assert found.gain < 0.001


def test_more_is_worth_much_where_the_session_decides_and_little_is_known(states: Array) -> None:
    gains = gains_of(states, slope=0.05)
    found = of(states, gains, 60)
    assert not found.little
    late = of(states, gains, 1_450)
    assert late.gain < 0.1 * found.gain
    assert late.little


def test_it_falls_with_every_session_that_is_known(states: Array) -> None:
    gains = gains_of(states, slope=0.05)
    found = [of(states, gains, known).gain for known in (150, 400, 800, 1_400)]
    assert found == sorted(found, reverse=True)


def test_it_foretells_what_more_sessions_did_bring(states: Array) -> None:
    """Choices of a plain regression on few sessions and on all, where the truth is known."""
    known, rng = 100, np.random.default_rng(7)
    foretold, came = [], []
    for _ in range(40):
        slopes = 0.06 * rng.standard_normal((9, HINTS))
        truth = 0.1 + states @ slopes
        gains = truth + 0.4 * rng.standard_normal(truth.shape)
        foretold.append(of(states, gains, known).gain)
        chosen = [
            _ridge(states[:count], gains[:count], states).argmax(1) for count in (known, SESSIONS)
        ]
        few, many = (truth[np.arange(SESSIONS), choice].mean() for choice in chosen)
        came.append(many - few)
    assert np.mean(foretold) == pytest.approx(np.mean(came), rel=0.35)


def _ridge(states: Array, gains: Array, asked: Array) -> Array:
    rows = np.hstack([np.ones((len(states), 1)), states])
    penalty = np.diag([1.0] + [0.4**2 / 0.06**2] * states.shape[1])
    weights = np.linalg.solve(rows.T @ rows + penalty, rows.T @ gains)
    return np.hstack([np.ones((len(asked), 1)), asked]) @ weights


def test_no_hint_is_a_choice_too(states: Array) -> None:
    """One hint whose gain is about nothing: to know where it helps is worth something."""
    rng = np.random.default_rng(5)
    alone = 0.1 * states[:, :1] + 0.3 * rng.standard_normal((SESSIONS, 1))
    uncertain = gain_of_more(states, np.arange(60), alone[:60], seed=0)
    sure = gain_of_more(states, np.arange(60), alone[:60] + 5.0, seed=0)
    assert uncertain.gain > 0.002
    assert sure.gain == pytest.approx(0.0, abs=1e-9)


def test_the_noise_is_that_of_the_difference_between_choices(states: Array) -> None:
    """What is common to the hints of a session drops out."""
    gains = gains_of(states, slope=0.05)
    common = 5.0 * np.random.default_rng(6).standard_normal((SESSIONS, 1))
    plain, louder = of(states, gains + 9.0, 200), of(states, gains + 9.0 + common, 200)
    assert louder.noise < 1.5 * plain.noise


@pytest.mark.parametrize("gain", [0.0, 0.1, -0.1])
def test_nothing_is_left_to_learn_where_all_gains_are_equal(states: Array, gain: float) -> None:
    found = gain_of_more(states, np.arange(300), np.full((300, HINTS), gain), seed=0)
    assert found.little


def test_the_same_gains_say_the_same(states: Array) -> None:
    gains = gains_of(states, slope=0.05)
    assert of(states, gains, 100) == of(states, gains, 100)


def test_components_are_the_leading_ones(states: Array) -> None:
    wide = np.hstack([states, states[:, :1] + 1e-3, np.ones((SESSIONS, 1))])  # one twice, one none
    found = leading_components(wide)
    assert found.shape == (SESSIONS, 10)
    assert (found[:, 0] == 1).all()
    spread = found[:, 1:].std(0)
    assert (np.diff(spread) <= 1e-9).all()
    assert spread[0] > 1.3  # the one that is there twice
    crossed = found[:, 1:].T @ found[:, 1:] / SESSIONS
    np.testing.assert_allclose(crossed, np.diag(np.diag(crossed)), atol=1e-9)
