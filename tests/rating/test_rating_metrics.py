"""MAE, RMSE and invalid rates by hand; baselines that know nothing of the test ratings."""

import numpy as np
import pytest
from re2llm.errors import InputError
from re2llm.evaluation.rating_plot import check_plot, draw_calibration
from re2llm.evaluation.rating_summary import (
    RatingRow,
    absolute_errors,
    calibrate,
    summarise_ratings,
)
from re2llm.rating.baselines import RATING_BASELINES, check_rating_baselines
from re2llm.rating.groups import case_groups
from re2llm.rating.reviews import ReviewHistory
from re2llm.rating.splits import split_reviews
from re2llm.records import Item, RatingScale, Review

SCALE = RatingScale(1, 5)


def reviews(*rows) -> list[Review]:
    return [Review(user, Item(item, item), rating) for user, item, rating in rows]


KNOWN = reviews(("a", "x", 5), ("a", "y", 4), ("b", "x", 2), ("b", "z", 1), ("c", "x", 5))
PAIRS = [("a", "z"), ("b", "y"), ("new", "x"), ("c", "new"), ("new", "new")]


def predict(name):
    return RATING_BASELINES[name](KNOWN, PAIRS, SCALE, 0).tolist()


def test_an_invalid_answer_counts_as_the_worst_rating_for_its_truth():
    errors = absolute_errors([None, None, None, 4.0], [5, 1, 3, 5], SCALE)
    assert errors.tolist() == [4, 4, 2, 1]


def test_summary():
    rows = [
        RatingRow("m", "model", [5.0, None, 3.0, 3.0], 4),
        RatingRow("b", "baseline", [4.0, 4.0, 4.0, 4.0]),
    ]
    document = summarise_ratings(rows, [5, 5, 3, 1], SCALE)
    model, baseline = document["rows"]
    assert model["mae"] == pytest.approx((0 + 4 + 0 + 2) / 4)
    assert model["rmse"] == pytest.approx(((16 + 4) / 4) ** 0.5, abs=1e-4)
    assert model["invalid"] == 0.25
    assert baseline["invalid"] == 0
    assert model["ci95"]["mae"][0] <= model["mae"] <= model["ci95"]["mae"][1]
    (pair,) = document["paired"]
    assert (pair["a"], pair["b"], pair["diff"]) == ("m", "b", 0.0)


def test_groups_and_calibration_by_hand(tmp_path):
    rows = [
        RatingRow("m", "model", [4.2, None, 3.0, 4.1], invalid_samples=0.25),
        RatingRow("b", "baseline", [4.0, 4.0, 4.0, 4.0]),
    ]
    groups = {"new": [True, False, False, True], "none": [False] * 4}
    document = summarise_ratings(rows, [5, 5, 3, 3], SCALE, groups=groups)
    (group,) = document["groups"]
    assert (group["name"], group["n"]) == ("new", 2)
    assert [row["mae"] for row in group["rows"]] == [
        pytest.approx((0.8 + 1.1) / 2),
        pytest.approx(1.0),
    ]
    assert document["rows"][0]["invalid_samples"] == 0.25
    assert "invalid_samples" not in document["rows"][1]
    low, high = document["calibration"]["m"]
    assert (low["predicted"], low["actual"], low["n"]) == (3.0, 3.0, 1)
    assert (high["predicted"], high["actual"], high["n"]) == (pytest.approx(4.15), 4.0, 2)
    assert high["ci95"] == [3.0, 5.0]
    assert set(document["calibration"]) == {"m"}

    pytest.importorskip("matplotlib", reason="needs the extra: pip install 're2llm[report]'")
    for name in ("c.png", "c.svg"):
        check_plot(tmp_path / name)
        draw_calibration(document, tmp_path / name)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "c.svg").read_text()
    for bad in (tmp_path / "c.gif", tmp_path / "nowhere" / "c.png"):
        with pytest.raises(InputError, match=r"^plot: "):
            check_plot(bad)


def test_a_prediction_between_two_steps_belongs_to_the_upper_one():
    steps = calibrate([2.75, 3.25, 3.4, 3.75], [3, 3, 3, 3])
    assert [(step["predicted"], step["n"]) for step in steps] == [
        (2.75, 1),
        (pytest.approx(3.325), 2),
        (3.75, 1),
    ]


def test_groups_of_cases_are_what_training_knew():
    histories = [
        ReviewHistory(user, tuple(reviews(*((user, item, 3.0) for item in items))))
        for user, items in (("a", "xyzw"), ("b", "xyv"), ("c", "xz"), ("d", "ywx"))
    ]
    split = split_reviews(histories, "mixed", share=0.25, seed=0)
    trained = {case.review.user for case in split.train}
    groups = case_groups(split, split.test)
    users = [case.review.user for case in split.test]
    assert 0 < len(trained) < 4
    assert groups["users trained on"] == [user in trained for user in users]
    assert groups["users not trained on"] == [user not in trained for user in users]
    # Only "b" rated v, last: no rating of it is known.
    assert groups["item of 0"] == [user == "b" for user in users]
    for prefix in ("history", "item"):
        masks = [mask for name, mask in groups.items() if name.startswith(prefix)]
        assert all(sum(column) == 1 for column in zip(*masks, strict=True))


def test_means_fall_back_to_the_global_one():
    assert predict("global-mean") == pytest.approx([3.4] * 5)
    assert predict("global-median") == [4.0] * 5
    assert predict("user-mean") == pytest.approx([4.5, 1.5, 3.4, 5.0, 3.4])
    assert predict("item-mean") == pytest.approx([1.0, 4.0, 4.0, 3.4, 3.4])


def test_biases_solve_their_own_equations():
    """At the fixed point each bias is the damped mean of what the others leave."""
    dense = reviews(
        *((f"u{n}", f"i{n * k % 7}", 1 + (n + k) % 5) for n in range(9) for k in range(7))
    )
    pairs = [(r.user, r.item.id) for r in dense]
    predicted = RATING_BASELINES["bias"](dense, pairs, RatingScale(-99, 99), 0)
    residual = np.array([r.rating for r in dense]) - predicted
    middle = np.mean([r.rating for r in dense])
    unknown = RATING_BASELINES["bias"](dense, [("u3", "?"), ("?", "?")], SCALE, 0)
    assert unknown[1] == pytest.approx(middle)
    mine = [n for n, (user, _) in enumerate(pairs) if user == "u3"]
    assert residual[mine].sum() == pytest.approx(5.0 * (unknown[0] - middle), abs=1e-6)


def test_mf_finds_structure_that_means_cannot():
    pytest.importorskip("cornac", reason="needs the extra: pip install 're2llm[sasrec]'")
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(40, 1)), rng.normal(size=(30, 1))
    ratings = np.clip(np.round(3 + 1.5 * left @ right.T), 1, 5)
    cells = [(u, i) for u in range(40) for i in range(30)]
    held = set(rng.permutation(len(cells))[:200].tolist())
    known = reviews(
        *(
            (f"u{u}", f"i{i}", float(ratings[u, i]))
            for n, (u, i) in enumerate(cells)
            if n not in held
        )
    )
    test = [cells[n] for n in held]
    pairs = [(f"u{u}", f"i{i}") for u, i in test]
    truths = np.array([ratings[cell] for cell in test])
    errors = {
        name: np.abs(RATING_BASELINES[name](known, pairs, SCALE, 0) - truths).mean()
        for name in ("mf", "bias")
    }
    assert errors["mf"] < 0.7 * errors["bias"]
    again = RATING_BASELINES["mf"](known, [*pairs[:3], ("?", "i1"), ("u1", "?")], SCALE, 0)
    assert np.isfinite(again).all()


def test_unknown_baselines_are_refused():
    with pytest.raises(InputError, match="clairvoyant"):
        check_rating_baselines(["user-mean", "clairvoyant"])
