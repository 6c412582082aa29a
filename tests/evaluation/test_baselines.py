from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import re2llm
from hypothesis import given
from hypothesis import strategies as st
from re2llm.errors import InputError
from re2llm.evaluation import baselines
from re2llm.evaluation.baselines import (
    BASELINES,
    BaselineEntry,
    check_baselines,
    create_baseline,
    rank_candidates,
    rank_session,
    rank_targets,
    uniform_keys,
)
from re2llm.evaluation.baselines.vsknn import Vsknn
from re2llm.evaluation.metrics import score_ranks
from re2llm.records import Session

DATA = Path(re2llm.__file__).resolve().parent.parent / "shared" / "data"
FAST = [name for name, entry in BASELINES.items() if entry.extra is None]
REAL_DATA = pytest.mark.skipif(
    not (DATA / "hetrec2011").is_dir(),
    reason=f"needs the HetRec2011 and game sessions under {DATA}",
)

TRAIN = [
    Session(("a", "b", "c"), "d"),
    Session(("a", "b"), "e"),
    Session(("b", "c"), "d"),
    Session(("f", "a"), "g"),
    Session(("x", "x"), None),
]


def read(name: str) -> list[Session]:
    path = DATA / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return [as_session(json.loads(line)) for line in lines]


def as_session(row) -> Session:
    if isinstance(row, list):
        row = {"history": row[:-1], "target": row[-1], "candidates": []}
    candidates = tuple(map(str, row["candidates"])) or None
    return Session(tuple(map(str, row["history"])), str(row["target"]), candidates)


def means(baseline, sessions, seed=0) -> dict[str, float]:
    scores = score_ranks(rank_targets(baseline, sessions, seed=seed))
    return {name: float(values.mean()) for name, values in scores.items()}


@pytest.fixture(scope="module")
def movies() -> tuple[list[Session], list[Session]]:
    names = ("sessions_authors_train", "sessions_train", "sessions_test")
    authors, train, test = (read(f"hetrec2011/{name}.jsonl") for name in names)
    return authors + train, test


# --- the figures on real sessions --------------------------------------------------------------

PUBLISHED = {
    "popularity": {"hr@5": 0.442, "ndcg@5": 0.287, "hr@10": 0.647, "ndcg@10": 0.353},
    "vsknn": {"hr@5": 0.544, "ndcg@5": 0.389, "hr@10": 0.683, "ndcg@10": 0.434},
}


@pytest.mark.long
@REAL_DATA
@pytest.mark.parametrize("name", PUBLISHED)
def test_figures_on_hetrec(movies, name):
    train, test = movies
    assert (len(train), len(test)) == (2694, 1000)
    figures = means(create_baseline(name, train), test)
    for metric, expected in PUBLISHED[name].items():
        assert figures[metric] == pytest.approx(expected, abs=0.01), metric


@pytest.mark.long
@REAL_DATA
def test_random_is_what_chance_gives(movies):
    """One relevant item in 50: HR@k is k/50, NDCG@k the mean discount, at three standard errors."""
    train, test = movies
    chance = {
        f"{kind}@{k}": sum(1 / math.log2(r + 1) if kind == "ndcg" else 1 for r in range(1, k + 1))
        / 50
        for kind in ("hr", "ndcg")
        for k in (5, 10)
    }
    runs = [means(create_baseline("random", train, seed=s), test, seed=s) for s in range(12)]
    for metric, expected in chance.items():
        spread = math.sqrt(expected * (1 - expected) / 1000)
        assert runs[0][metric] == pytest.approx(expected, abs=3 * spread)
        average = np.mean([run[metric] for run in runs])
        assert average == pytest.approx(expected, abs=3 * spread / math.sqrt(len(runs)))


@REAL_DATA
def test_repeated_targets_are_dropped_and_their_sessions_kept(movies):
    train, test = movies
    doubled = [s for s in test if Counter(s.candidates)[s.target] == 2]
    assert len(doubled) == 7
    popularity = create_baseline("popularity", train)
    for session in doubled:
        assert len(rank_session(popularity, session)) == 49
    assert (rank_targets(popularity, doubled) > 0).all()


@pytest.mark.long
@REAL_DATA
def test_vsknn_handles_41848_game_sessions():
    train, valid = read("games/sessions_train.jsonl.gz"), read("games/sessions_valid.jsonl")
    assert (len(train), len(valid)) == (41848, 1000)
    figures = means(create_baseline("vsknn", train), valid)
    popular = means(create_baseline("popularity", train), valid)
    assert figures["ndcg@10"] > popular["ndcg@10"] > 10 / 20 * 0.46


# --- nobody sees a target ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FAST)
def test_scores_do_not_depend_on_the_target(name):
    baseline = create_baseline(name, TRAIN, seed=3)
    session = Session(("a", "b"), "d", ("e", "d", "g", "unseen", "c"))
    expected = baseline.score(session)
    for target in ("e", "g", "unseen", "elsewhere", None):
        assert np.array_equal(baseline.score(replace(session, target=target)), expected)


@pytest.mark.parametrize("name", FAST)
def test_scores_do_not_depend_on_what_was_scored_before(name):
    sessions = [Session((h,), "d", ("d", "e", "c", "g")) for h in "abcf"]
    fresh = [create_baseline(name, TRAIN).score(s) for s in sessions]
    used = create_baseline(name, TRAIN)
    for session in reversed(sessions):
        used.score(session)
    assert all(np.array_equal(used.score(s), f) for s, f in zip(sessions, fresh, strict=True))


def test_a_peeping_baseline_finds_no_target():
    class Peeper:
        name = "peeper"

        def score(self, session: Session) -> np.ndarray:
            assert session.target is None
            return np.array([float(c == session.target) for c in session.candidates or ()])

    sessions = [Session((str(n),), "t", ("t", *"abcdefghi")) for n in range(300)]
    ranks = rank_targets(Peeper(), sessions)
    assert 4.5 < ranks.mean() < 6.5


# --- ranking and ties --------------------------------------------------------------------------


@given(st.permutations(list("abcdefgh")), st.lists(st.integers(0, 2), min_size=8, max_size=8))
def test_order_of_candidates_never_matters(shuffled, values):
    score = dict(zip("abcdefgh", map(float, values), strict=True))
    sort = Session(("h1",), None, tuple("abcdefgh"))
    mixed = replace(sort, candidates=tuple(shuffled))
    ranking = rank_candidates(sort, np.array([score[c] for c in "abcdefgh"]))
    assert rank_candidates(mixed, np.array([score[c] for c in shuffled])) == ranking
    assert [score[c] for c in ranking] == sorted(score.values(), reverse=True)
    assert sorted(ranking) == list("abcdefgh")


@pytest.mark.parametrize("place", [0, 9])
def test_ties_do_not_favour_a_place(place):
    others = [f"o{n}" for n in range(9)]
    candidates = (*others[:place], "t", *others[place:])
    sessions = [Session((f"h{n}",), "t", candidates) for n in range(2000)]
    ranks = [rank_candidates(s, np.zeros(10)).index("t") for s in sessions]
    counts = np.bincount(ranks, minlength=10)
    assert ((counts > 140) & (counts < 260)).all()  # 200 each, four standard deviations


def test_ties_change_with_seed_and_session_and_nothing_else():
    session = Session(("a",), None, tuple(map(str, range(20))))
    zeros = np.zeros(20)
    assert rank_candidates(session, zeros) == rank_candidates(session, zeros)
    assert rank_candidates(session, zeros) != rank_candidates(session, zeros, seed=1)
    other = replace(session, history=("b",))
    assert rank_candidates(session, zeros) != rank_candidates(other, zeros)
    assert rank_candidates(replace(session, target="3"), zeros) == rank_candidates(session, zeros)


def test_uniform_keys_are_uniform():
    keys = uniform_keys(Session(("a",)), [str(n) for n in range(20000)], 0)
    counts = np.histogram(keys, bins=10, range=(0, 1))[0]
    assert ((counts > 1800) & (counts < 2200)).all()
    assert ((keys >= 0) & (keys < 1)).all()


def test_repeated_candidate_is_ranked_once():
    session = Session(("h",), None, ("a", "b", "a"))
    assert rank_candidates(session, np.array([1.0, 2.0, 1.0])) == ("b", "a")


@pytest.mark.parametrize("scores", [[1.0], [1.0, math.nan], [[1.0, 2.0]]])
def test_scores_that_do_not_fit_are_refused(scores):
    with pytest.raises(InputError, match="scores"):
        rank_candidates(Session(("h",), None, ("a", "b")), np.array(scores))


def test_target_outside_the_candidates_is_missing():
    sessions = [Session(("a",), "z", ("b", "c"))]
    assert rank_targets(create_baseline("popularity", TRAIN), sessions).tolist() == [0]


@pytest.mark.parametrize("session", [Session(("a",), None, ("b",)), Session(("a",), "b")])
def test_sessions_that_cannot_be_judged_are_named(session):
    with pytest.raises(InputError, match=r"sessions\[1\]"):
        rank_targets(create_baseline("random", TRAIN), [Session(("a",), "b", ("b",)), session])


# --- each baseline -----------------------------------------------------------------------------


def test_popularity_counts_sessions_with_targets_once_each():
    session = Session(("q",), None, ("a", "b", "d", "x", "unseen"))
    assert create_baseline("popularity", TRAIN).score(session).tolist() == [3, 3, 2, 1, 0]


def test_vsknn_by_hand():
    session = Session(("a", "b"), None, ("d", "e", "g", "x"))
    # Weights: a 1/2, b 1. Similarities: {a,b,c,d} 1.5/(|q| 2), {a,b,e} 1.5/(|q| sqrt 3),
    # {b,c,d} 1/(|q| sqrt 3), {f,a,g} .5/(|q| sqrt 3), {x} no neighbour.
    length = math.sqrt(1.25)
    idf = {"d": math.log(5 / 2), "e": math.log(5), "g": math.log(5)}
    expected = [
        (1.5 / 2 + 1 / math.sqrt(3)) / length * (1 + idf["d"]),
        1.5 / math.sqrt(3) / length * (1 + idf["e"]),
        0.5 / math.sqrt(3) / length * (1 + idf["g"]),
        0.0,
    ]
    assert Vsknn(TRAIN, 0).score(session) == pytest.approx(expected)
    nearest = Vsknn(TRAIN, 0, neighbours=1).score(session)  # {a,b,e} alone
    assert nearest == pytest.approx([0.0, expected[1], 0.0, 0.0])


def slow_vsknn(train: list[Session], session: Session, k: int) -> list[float]:
    """V-SKNN from its description, in plain loops."""
    past = [{*s.history, *([s.target] if s.target else [])} for s in train]
    weight = {item: p / len(session.history) for p, item in enumerate(session.history, 1)}
    length = math.sqrt(sum(w * w for w in weight.values()))
    found = []
    for number, items in enumerate(past):
        dot = sum(w for item, w in weight.items() if item in items)
        if dot:
            found.append((-round(dot / (length * math.sqrt(len(items))), 12), number))
    found.sort()
    scores = []
    for candidate in session.candidates or ():
        holders = sum(candidate in items for items in past)
        total = sum(-sim for sim, number in found[:k] if candidate in past[number])
        scores.append(total * (1 + math.log(len(past) / holders)) if holders else 0.0)
    return scores


ITEMS = st.sampled_from([f"i{n}" for n in range(12)])
HISTORY = st.lists(ITEMS, min_size=1, max_size=8).map(tuple)


@given(
    st.lists(st.builds(Session, HISTORY, st.none() | ITEMS), min_size=1, max_size=25),
    st.builds(Session, HISTORY, st.none(), HISTORY),
    st.integers(1, 12),
)
def test_vsknn_equals_the_slow_reference(train, session, k):
    assert Vsknn(train, 0, neighbours=k).score(session) == pytest.approx(
        slow_vsknn(train, session, k), abs=1e-9
    )


def test_vsknn_weighs_recent_items_more():
    train = [Session(("old",), "x"), Session(("new",), "y")]
    scores = Vsknn(train, 0).score(Session(("old", "mid", "new"), None, ("x", "y")))
    assert scores[1] > scores[0] > 0


def test_vsknn_without_a_known_item_has_no_preference():
    scores = Vsknn(TRAIN, 0).score(Session(("unseen",), None, ("a", "b", "other")))
    assert scores.tolist() == [0, 0, 0]


def test_random_depends_on_its_seed_only():
    session = Session(("a",), None, ("b", "c", "d"))
    one = create_baseline("random", TRAIN, seed=1).score(session)
    assert np.array_equal(one, create_baseline("random", TRAIN[:1], seed=1).score(session))
    assert not np.array_equal(one, create_baseline("random", TRAIN, seed=2).score(session))


@pytest.mark.long
def test_scores_are_the_same_in_another_process():
    """Sets of strings iterate differently under another hash seed; scores must not."""
    code = (
        "from re2llm.evaluation.baselines import create_baseline\n"
        "from re2llm.records import Session\n"
        "import sys\n"
        "assert 'cornac' not in sys.modules, 'an optional extra is imported without need'\n"
        "train = [Session(tuple(f'i{(n * m) % 17}' for m in range(1, 9)), f'i{n % 17}')"
        " for n in range(60)]\n"
        "s = Session(('i1', 'i5', 'i9'), None, tuple(f'i{n}' for n in range(17)))\n"
        "print([create_baseline(n, train).score(s).tolist()"
        " for n in ('random', 'popularity', 'vsknn')])"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**path, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


# --- the registry ------------------------------------------------------------------------------


def test_names_in_the_registry_are_the_baselines_own():
    assert list(BASELINES) == ["random", "popularity", "vsknn", "sasrec"]
    for name in FAST:
        assert create_baseline(name, TRAIN).name == name


def test_unknown_name_lists_the_choices():
    with pytest.raises(InputError, match=r"'bm25' is unknown.*popularity, vsknn, sasrec"):
        check_baselines(["random", "bm25"])


def test_missing_extra_says_how_to_install_it(monkeypatch):
    entry = BaselineEntry(BASELINES["random"].factory, extra="sasrec", module="no_such_module")
    monkeypatch.setattr(baselines, "BASELINES", {"sasrec": entry})
    with pytest.raises(InputError, match=r"pip install 're2llm\[sasrec\]'"):
        create_baseline("sasrec", TRAIN)


@pytest.mark.parametrize("name", FAST)
def test_nothing_to_train_on_is_an_error(name):
    with pytest.raises(InputError, match="train"):
        create_baseline(name, [])


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("candidates", [None, ()])
def test_nothing_to_score_is_an_error(name, candidates):
    with pytest.raises(InputError, match="candidates"):
        create_baseline(name, TRAIN).score(Session(("a",), None, candidates))
