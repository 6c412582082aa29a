"""The films that ship with the package, and the viewers simulated over them."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from re2llm.data.sample import Film, Mood, TasteModel, load_films, sample_items
from re2llm.data.sample import simulate_sessions as simulate
from re2llm.errors import InputError
from re2llm.records import Session

FILMS = {film.id: film for film in load_films()}
# fmt: off
GENRES = {
    "Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama",
    "Family", "Fantasy", "History", "Horror", "Music", "Musical", "Mystery", "Noir", "Romance",
    "Science Fiction", "Sport", "Thriller", "War", "Western",
}
# fmt: on
SESSIONS_EACH = 6


def test_there_are_enough_films_each_once() -> None:
    films = load_films()
    assert len(films) >= 300
    assert len({film.id for film in films}) == len(films)
    assert [film.year for film in films] == sorted(film.year for film in films)


def test_every_film_has_all_its_facts() -> None:
    for film in FILMS.values():
        assert film.title.strip(), film
        assert 1925 <= film.year <= 2023, film
        assert film.id.endswith(f"-{film.year}"), film
        for names in (film.genres, film.director, film.country):
            assert names, film
            assert len(set(names)) == len(names), film
            assert all(name and name == name.strip() for name in names), film
        assert len(film.genres) <= 4, film
        assert set(film.genres) <= GENRES, film
        assert 1 <= film.popularity <= 5, film


def test_the_catalogue_is_spread_over_times_places_and_people() -> None:
    films = FILMS.values()
    directors = Counter(name for film in films for name in film.director)
    assert sum(film.year < 1970 for film in films) >= 40
    assert len({name for film in films for name in film.country}) >= 15
    assert sum(count >= 4 for count in directors.values()) >= 20
    assert {name for film in films for name in film.genres} == GENRES
    franchises = Counter(film.franchise for film in films if film.franchise)
    assert len(franchises) >= 12
    assert min(franchises.values()) >= 2


def test_items_tell_the_facts_but_not_what_drives_the_simulator() -> None:
    items = {item.id: item for item in sample_items()}
    assert items.keys() == FILMS.keys()
    assert items["alien-1979"].attributes == {
        "year": 1979,
        "genres": ["Science Fiction", "Horror"],
        "director": ["Ridley Scott"],
        "country": ["United Kingdom", "United States"],
    }
    assert all(
        set(item.attributes) == set(items["alien-1979"].attributes) for item in items.values()
    )


def test_the_seed_decides_the_sessions() -> None:
    sessions = simulate(20, seed=7)
    assert sessions == simulate(20, seed=7)
    assert sessions != simulate(20, seed=8)
    assert sessions == simulate(25, seed=7)[: len(sessions)]


def test_sessions_are_well_formed() -> None:
    sessions = simulate(150, seed=1, sessions_per_viewer=2)
    assert len(sessions) == 300
    for session in sessions:
        assert session.target is not None
        assert session.candidates is None
        watched = (*session.history, session.target)
        assert len(set(watched)) == len(watched)
        assert set(watched) <= FILMS.keys()
    lengths = {len(session.history) for session in sessions}
    assert min(lengths) == 4
    assert max(lengths) == 25


@pytest.mark.parametrize("field", ["viewers", "sessions_per_viewer"])
def test_a_count_below_one_is_refused(field: str) -> None:
    with pytest.raises(InputError) as caught:
        simulate(**{"viewers": 1, "seed": 1, field: 0})
    assert caught.value.field == field


def lasting(drift: float) -> tuple[float, float]:
    """How well a viewer's neighbouring sessions agree, and those four or five apart.

    Agreement is a correlation over viewers, of a session's mean year and of its mean popularity.
    """
    model = TasteModel(drift=drift)
    sessions = simulate(500, seed=5, sessions_per_viewer=SESSIONS_EACH, model=model)
    near, far = [], []
    for fact in ("year", "popularity"):
        means = [np.mean([getattr(FILMS[one], fact) for one in s.history]) for s in sessions]
        agreement = np.corrcoef(np.array(means).reshape(-1, SESSIONS_EACH).T)
        near.append(np.diag(agreement, 1).mean())
        far.append(np.append(np.diag(agreement, 4), np.diag(agreement, 5)).mean())
    return float(np.mean(near)), float(np.mean(far))


@pytest.mark.long
def test_tastes_drift_over_a_viewers_life() -> None:
    near, far = lasting(TasteModel().drift)
    near_if_fixed, far_if_fixed = lasting(0.0)
    assert near - far > 0.12
    assert abs(near_if_fixed - far_if_fixed) < 0.06
    assert far_if_fixed - far > 0.15


def share(first: Film, second: Film, fact: str) -> float:
    """Names in common over names in either."""
    left, right = set(getattr(first, fact)), set(getattr(second, fact))
    return len(left & right) / len(left | right)


TRACES: dict[str, Callable[[Film, Film], float]] = {
    "franchise": lambda last, film: bool(last.franchise) and last.franchise == film.franchise,
    "director": lambda last, film: share(last, film, "director"),
    "genre": lambda last, film: share(last, film, "genres"),
    "country": lambda last, film: share(last, film, "country"),
    "era": lambda last, film: -abs(last.year - film.year),
    "popularity": lambda last, film: -abs(last.popularity - film.popularity),
}


def trace(sessions: list[Session], measure: Callable[[Film, Film], float]) -> float:
    """How many standard errors the last film and the target lie above other sessions' targets."""
    last = [FILMS[session.history[-1]] for session in sessions]
    targets = [FILMS[session.target or ""] for session in sessions]
    found = np.mean([measure(*pair) for pair in zip(last, targets, strict=True)])
    rng = np.random.default_rng(0)
    shuffled = [
        np.mean([measure(film, targets[other]) for film, other in zip(last, order, strict=True)])
        for order in (rng.permutation(len(targets)) for _ in range(40))
    ]
    return float((found - np.mean(shuffled)) / np.std(shuffled))


@pytest.fixture(scope="module")
def many() -> list[Session]:
    return simulate(400, seed=2)


@pytest.mark.parametrize("taste", TRACES)
def test_a_taste_leaves_a_trace(many: list[Session], taste: str) -> None:
    assert trace(many, TRACES[taste]) > 4


@pytest.fixture(scope="module")
def by_mood() -> dict[Mood, list[Session]]:
    """Sessions of viewers who know one mood only."""
    return {mood: simulate(120, seed=3, model=TasteModel(moods=(mood,))) for mood in Mood}


def mean_of(sessions: list[Session], measure: Callable[[Film, Film], float]) -> float:
    """A measure's mean over the last film and the target."""
    pairs = ((FILMS[one.history[-1]], FILMS[one.target or ""]) for one in sessions)
    return float(np.mean([measure(*pair) for pair in pairs]))


MOOD_TRACES: dict[Mood, Callable[[Film, Film], float]] = {
    Mood.FRANCHISE: TRACES["franchise"],
    Mood.DIRECTOR: TRACES["director"],
    Mood.GENRE: TRACES["genre"],
    Mood.PLACE_AND_TIME: lambda a, b: share(a, b, "country") - abs(a.year - b.year) / 10,
    Mood.CROWD: lambda _, film: film.popularity,
    Mood.SWING: lambda last, film: -share(last, film, "genres"),
}


@pytest.mark.parametrize("mood", Mood)
def test_a_mood_explains_its_own_sessions_best(
    by_mood: dict[Mood, list[Session]], mood: Mood
) -> None:
    found = {other: mean_of(sessions, MOOD_TRACES[mood]) for other, sessions in by_mood.items()}
    assert max(found, key=lambda other: found[other]) is mood


def test_a_franchise_is_mostly_watched_in_order(by_mood: dict[Mood, list[Session]]) -> None:
    order = {film: place for place, film in enumerate(FILMS)}
    steps = Counter[bool]()
    for session in by_mood[Mood.FRANCHISE]:
        for first, second in zip(session.history, session.history[1:], strict=False):
            if FILMS[first].franchise and FILMS[first].franchise == FILMS[second].franchise:
                steps[order[first] < order[second]] += 1
    assert steps[True] > 4 * steps[False]
