from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, ScoredDoc, Success, nDCG
from re2llm.errors import InputError
from re2llm.evaluation.bootstrap import Bootstrap, Interval
from re2llm.evaluation.metrics import (
    DEFAULT_METRICS,
    ndcg,
    score_ranks,
    target_rank,
)
from scipy import stats

# --- metrics -----------------------------------------------------------------------------------


def test_hand_worked_session():
    ranking = ["a", "b", "c", "d"]
    assert target_rank(ranking, "c") == 3
    assert ndcg(ranking, "c", 3) == pytest.approx(0.5)  # 1 / log2(4)
    assert ndcg(ranking, "c", 2) == 0.0
    found = score_ranks([3], ["hr@2", "hr@3", "mrr"])
    assert [found[name].item() for name in ("hr@2", "hr@3", "mrr")] == [0, 1, pytest.approx(1 / 3)]


def test_hand_worked_means_with_a_missing_target():
    scores = score_ranks(np.array([1, 2, 7, 0]))
    assert tuple(scores) == DEFAULT_METRICS
    means = {name: values.mean() for name, values in scores.items()}
    assert means["hr@5"] == pytest.approx(2 / 4)
    assert means["hr@10"] == pytest.approx(3 / 4)
    assert means["ndcg@5"] == pytest.approx((1 + 1 / math.log2(3)) / 4)
    assert means["ndcg@10"] == pytest.approx((1 + 1 / math.log2(3) + 1 / 3) / 4)
    assert means["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 7) / 4)


def test_missing_target_scores_zero_and_is_kept():
    assert target_rank(["a"], "z") == 0
    for values in score_ranks([0, 0]).values():
        assert values.tolist() == [0.0, 0.0]


def test_first_occurrence_of_a_repeated_id_counts():
    assert target_rank(["b", "a", "a"], "a") == 2


def test_any_cutoff_and_a_cut_mrr():
    scores = score_ranks([1, 3, 21], ["hr@1", "hr@20", "ndcg@3", "mrr@2"])
    assert scores["hr@1"].tolist() == [1, 0, 0]
    assert scores["hr@20"].tolist() == [1, 1, 0]
    assert scores["ndcg@3"].tolist() == [1, 0.5, 0]
    assert scores["mrr@2"].tolist() == [1, 0, 0]


def test_no_sessions_give_empty_columns():
    assert all(values.shape == (0,) for values in score_ranks([]).values())


@pytest.mark.parametrize("name", ["hr", "ndcg", "hr@0", "hr@-1", "ndcg@x", "recall@5", "HR@5", ""])
def test_unknown_metric_names_the_remedy(name):
    with pytest.raises(InputError, match="ndcg@10"):
        score_ranks([1], [name])


@pytest.mark.parametrize("ranks", [[-1], [1.5], [[1, 2]], [True], ["1"]])
def test_ranks_that_are_none(ranks):
    with pytest.raises(InputError, match="ranks"):
        score_ranks(ranks)


@given(
    st.lists(st.tuples(st.permutations(list("abcdefghijklmno")), st.sampled_from("abcdefghxyz")))
)
def test_agrees_with_ir_measures(sessions):
    """Another implementation (TREC's), which takes scores and judgements, says the same."""
    if not sessions:
        return
    measures = {
        "hr@5": Success @ 5,
        "ndcg@5": nDCG @ 5,
        "hr@10": Success @ 10,
        "ndcg@10": nDCG @ 10,
        "mrr": RR,
    }
    qrels = {str(n): {target: 1} for n, (_, target) in enumerate(sessions)}
    run = [
        ScoredDoc(str(n), item, float(-place))
        for n, (ranking, _) in enumerate(sessions)
        for place, item in enumerate(ranking)
    ]
    theirs = ir_measures.calc_aggregate(list(measures.values()), qrels, run)
    ours = score_ranks([target_rank(ranking, target) for ranking, target in sessions])
    for name, measure in measures.items():
        assert ours[name].mean() == pytest.approx(theirs[measure], abs=1e-9)


@given(st.lists(st.integers(0, 60), min_size=1), st.integers(1, 30))
def test_metrics_are_bounded_and_grow_with_k(ranks, k):
    names = [f"{kind}@{cut}" for kind in ("hr", "ndcg") for cut in (k, k + 1)]
    scores = score_ranks(ranks, [*names, "mrr"])
    for values in scores.values():
        assert ((values >= 0) & (values <= 1)).all()
        assert (values[np.array(ranks) == 0] == 0).all()
    assert (scores[f"hr@{k}"] <= scores[f"hr@{k + 1}"]).all()
    assert (scores[f"ndcg@{k}"] <= scores[f"ndcg@{k + 1}"]).all()
    assert (scores[f"ndcg@{k}"] <= scores[f"hr@{k}"]).all()


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_better_rank_never_scores_less(a, b):
    better, worse = sorted([a, b])
    for values in score_ranks([better, worse]).values():
        assert values[0] >= values[1]


# --- bootstrap ---------------------------------------------------------------------------------


def test_interval_covers_the_true_mean_as_often_as_it_claims():
    rng = np.random.default_rng(1)
    samples = rng.normal(3.0, 2.0, size=(600, 120))
    hits = sum(i.low <= 3.0 <= i.high for i in Bootstrap(resamples=800).means(samples))
    assert 0.915 <= hits / 600 <= 0.975


def test_level_sets_the_coverage():
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(600, 120))
    hits = sum(i.low <= 0 <= i.high for i in Bootstrap(resamples=800, level=0.5).means(samples))
    assert 0.43 <= hits / 600 <= 0.57


def test_intervals_agree_with_scipy():
    values = np.random.default_rng(3).gamma(2.0, size=400)
    ours = Bootstrap(resamples=9000).mean(values)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=9000, method="percentile", rng=4
    ).confidence_interval
    assert ours.mean == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_paired_is_tighter_than_unpaired_where_systems_agree():
    rng = np.random.default_rng(5)
    shared = rng.normal(size=500)
    a = shared + 0.1 + 0.2 * rng.normal(size=500)
    b = shared + 0.2 * rng.normal(size=500)
    paired = Bootstrap(seed=1).difference(a, b)
    left, right = Bootstrap(seed=1).mean(a), Bootstrap(seed=2).mean(b)
    unpaired = math.hypot(left.high - left.low, right.high - right.low)
    assert paired.mean == pytest.approx(a.mean() - b.mean())
    assert paired.high - paired.low < unpaired / 2
    assert paired.low > 0  # found, although each system's own interval holds the other's mean
    assert left.low < right.mean + 0.1


def test_difference_is_antisymmetric_and_zero_against_itself():
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 200))
    forth, back = Bootstrap().difference(a, b), Bootstrap().difference(b, a)
    assert forth.mean == -back.mean
    assert forth.low == pytest.approx(-back.high)
    assert Bootstrap().difference(a, a) == Interval(0.0, 0.0, 0.0)


def test_same_seed_same_interval_whatever_stands_beside():
    rows = np.random.default_rng(7).random((3, 150))
    assert Bootstrap(seed=4).mean(rows[1]) == Bootstrap(seed=4).mean(rows[1])
    together = Bootstrap(seed=4).means(rows)[1]
    alone = Bootstrap(seed=4).mean(rows[1])
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert Bootstrap(seed=5).mean(rows[1]) != alone


def test_blocks_cover_all_resamples(monkeypatch):
    values = np.random.default_rng(8).random(50)
    whole = Bootstrap(resamples=700).mean(values)
    monkeypatch.setattr("re2llm.evaluation.bootstrap._BLOCK", 50 * 64)
    blocks = Bootstrap(resamples=700).mean(values)
    assert (blocks.low, blocks.high) == pytest.approx((whole.low, whole.high))


def test_one_session_has_no_spread():
    assert Bootstrap().mean([0.25]) == Interval(0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: Bootstrap(resamples=0), "resamples"),
        (lambda: Bootstrap(level=95), "level"),
        (lambda: Bootstrap().mean([]), "values"),
        (lambda: Bootstrap().mean([1.0, math.nan]), "values"),
        (lambda: Bootstrap().means([1.0, 2.0]), "values"),
        (lambda: Bootstrap().difference([1.0, 2.0], [1.0]), "b"),
    ],
)
def test_bad_input_names_the_field(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
