"""What a simulated viewer likes, how that changes, and what each mood adds to it.

`data.sample.simulator` describes the whole model; here are its parameters and its terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.random import Generator

from ...arrays import Floats
from .features import FilmFeatures


class Mood(Enum):
    """The rule that a viewer leans on for a stretch of picks."""

    FRANCHISE = "continue a franchise in order"
    DIRECTOR = "more by the director of the last film"
    GENRE = "more of the last film's genres"
    PLACE_AND_TIME = "the last film's country and era"
    CROWD = "what everyone has seen"
    SWING = "away from the last film's genres"


@dataclass(frozen=True, slots=True)
class TasteModel:
    """The simulator's parameters; every weight is in units of log-odds of a pick.

    Attributes:
        moods: The moods that viewers may be in.
        drift: How much of a viewer's tastes is replaced between sessions, from 0 to 1.
        mood_switch: The chance that the mood is drawn anew before a pick.
        mood_spread: How unequally a viewer is given to the moods; 0 makes all equally likely.
        genre: Weight of the viewer's liking for a film's genres.
        director: Weight of the viewer's liking for a film's directors.
        country: Weight of the viewer's liking for a film's countries.
        era: Weight of a film's closeness to the viewer's favourite year.
        popularity: Weight of a film's popularity, which viewers share in differing degrees.
        franchise_pull: What the franchise mood adds for the next film of a series begun.
        director_pull: What the director mood adds for the last film's director.
        genre_pull: What the genre mood adds for the very same genres.
        place_and_time_pull: What that mood adds for the very same country and year.
        crowd_pull: What the crowd mood adds per standard deviation of popularity.
        swing_pull: What the swing mood takes off for the very same genres.
    """

    moods: tuple[Mood, ...] = tuple(Mood)
    drift: float = 0.6
    mood_switch: float = 0.12
    mood_spread: float = 1.0
    genre: float = 1.0
    director: float = 0.7
    country: float = 0.7
    era: float = 2.0
    popularity: float = 1.1
    franchise_pull: float = 7.0
    director_pull: float = 6.0
    genre_pull: float = 7.0
    place_and_time_pull: float = 7.0
    crowd_pull: float = 3.5
    swing_pull: float = 7.0


class Viewer:
    """One viewer's tastes at a point in life.

    Each taste is a vector of standard normal numbers. Drift replaces part of it by fresh noise and
    keeps its variance, so that late sessions are as decided as early ones.
    """

    def __init__(self, model: TasteModel, features: FilmFeatures, rng: Generator) -> None:
        self._model = model
        self._features = features
        sizes = {
            "genre": features.genres.shape[1],
            "director": features.directors.shape[1],
            "country": features.countries.shape[1],
            "era": 1,
            "popularity": 1,
            "mood": len(model.moods),
        }
        self._tastes = {name: rng.standard_normal(size) for name, size in sizes.items()}

    def drift(self, rng: Generator) -> None:
        """Let the tastes of one session turn into those of the next."""
        kept = np.sqrt(1 - self._model.drift**2)
        for name, taste in self._tastes.items():
            fresh = rng.standard_normal(taste.size)
            self._tastes[name] = kept * taste + self._model.drift * fresh

    def mood(self, rng: Generator) -> Mood:
        """Draw a mood from those that this viewer tends to have."""
        logits = self._model.mood_spread * self._tastes["mood"]
        drawn = int(np.argmax(logits + rng.gumbel(size=logits.size)))
        return self._model.moods[drawn]

    def liking(self) -> Floats:
        """Return the utility of every film before any mood; shape `[films]`."""
        model, films, tastes = self._model, self._features, self._tastes
        closeness = np.exp(-np.abs(films.era - tastes["era"][0]))
        # Everyone likes the well-known a little; the viewer's own leaning comes on top.
        popularity = (1 + tastes["popularity"][0]) * films.popularity
        return (
            model.genre * (films.genres @ tastes["genre"])
            + model.director * (films.directors @ tastes["director"])
            + model.country * (films.countries @ tastes["country"])
            + model.era * closeness
            + model.popularity * popularity
        )


def mood_pull(
    mood: Mood, model: TasteModel, features: FilmFeatures, *, last: int, due: Floats
) -> Floats:
    """Return what a mood adds to every film's utility; shape `[films]`.

    `last` is the index of the last film; `due` is 1 for each film that is next in its franchise.
    """
    match mood:
        case Mood.FRANCHISE:
            return model.franchise_pull * (due + features.franchise_entry)
        case Mood.DIRECTOR:
            return model.director_pull * features.same_director[last]
        case Mood.GENRE:
            return model.genre_pull * features.genre_overlap[last]
        case Mood.PLACE_AND_TIME:
            return model.place_and_time_pull * features.place_and_time[last]
        case Mood.CROWD:
            return model.crowd_pull * features.popularity
        case Mood.SWING:
            return -model.swing_pull * features.genre_overlap[last]
