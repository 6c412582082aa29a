"""Simulated viewers of the sample films.

Every viewer has tastes: a liking for each genre, director and country, a favourite era, a leaning
towards the well-known, and a proneness to each mood. All are drawn once from a standard normal
distribution and then *drift*: between two sessions, part of each is replaced by fresh noise.

A session is a run of picks without repeats. Before each pick the viewer's *mood* may switch. A mood
is one rule on top of the tastes: continue a franchise in order; stay with the last film's director,
with its genres, or with its country and era; watch what everyone has seen; swing away from the last
film's genres. A pick is drawn from the softmax over all unseen films of

    utility = liking(tastes of this session) + pull(mood of this pick, films of this session)

so that no single rule explains all sessions, and the rule that explains one can often be read from
its recent films. Lengths follow a geometric distribution from 4 films of history on, cut at 25.

`TasteModel` holds the parameters and their defaults: the weight of each taste in the liking, the
pull of each mood, how fast tastes drift (`drift`), how often the mood switches (`mood_switch`) and
how unequally viewers are given to the moods (`mood_spread`).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ...arrays import Floats
from ...errors import InputError
from ...records import Session
from .catalogue import load_films
from .features import FilmFeatures, film_features
from .tastes import TasteModel, Viewer, mood_pull

SHORTEST = 4
"""The fewest films in a history."""

LONGEST = 25
"""The most films in a history."""

_STOP = 0.12
"""The chance that a history past the shortest ends at each step."""


def simulate_sessions(
    viewers: int, *, seed: int, sessions_per_viewer: int = 3, model: TasteModel | None = None
) -> list[Session]:
    """Simulate what viewers of the sample films watch.

    Args:
        sessions_per_viewer: How many sessions each viewer has; tastes drift between them.

    Returns:
        One viewer's sessions after another's, each viewer's in time order. Each has a history of 4
        to 25 films and the next film as its target, and leaves its candidates open.

    Raises:
        InputError: A count is below 1.
    """
    for field, count in (("viewers", viewers), ("sessions_per_viewer", sessions_per_viewer)):
        if count < 1:
            raise InputError(field, f"is {count}.", "Ask for at least 1.")
    model = model or TasteModel()
    films = load_films()
    features = film_features(films)
    sessions: list[Session] = []
    # A separate stream for each viewer: asking for more viewers leaves the first ones as they are.
    for stream in np.random.SeedSequence(seed).spawn(viewers):
        rng = np.random.default_rng(stream)
        viewer = Viewer(model, features, rng)
        for _ in range(sessions_per_viewer):
            ids = [films[index].id for index in _watch(viewer, model, features, rng)]
            sessions.append(Session(tuple(ids[:-1]), ids[-1]))
            viewer.drift(rng)
    return sessions


def _watch(viewer: Viewer, model: TasteModel, features: FilmFeatures, rng: Generator) -> list[int]:
    """Return the indices of one session's films, the target last."""
    picks = 1 + min(LONGEST, SHORTEST - 1 + int(rng.geometric(_STOP)))
    liking = viewer.liking()
    due = np.zeros(liking.size)
    mood = viewer.mood(rng)
    watched = [_softmax_draw(liking, rng)]
    for _ in range(picks - 1):
        last = watched[-1]
        due[last] = 0.0
        liking[last] = -np.inf
        if features.following[last] >= 0:
            due[features.following[last]] = 1.0
        if rng.random() < model.mood_switch:
            mood = viewer.mood(rng)
        pull = mood_pull(mood, model, features, last=last, due=due)
        watched.append(_softmax_draw(liking + pull, rng))
    return watched


def _softmax_draw(utility: Floats, rng: Generator) -> int:
    # Adding Gumbel noise and taking the greatest is a draw from the softmax.
    return int(np.argmax(utility + rng.gumbel(size=utility.size)))
