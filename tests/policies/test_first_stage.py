"""The first stage learns from past sessions, and never from the answer of the session it ranks."""

import dataclasses
import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from re2llm.data.negatives import NegativeSampler
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.sessions.evidence import EVIDENCE, EvidenceIndex
from re2llm.operations.first_stage.fit import fitted
from re2llm.policies.first_stage.features import (
    FEATURE_NAMES,
    FirstStageTask,
    candidate_features,
    evidence_sum,
    nearness,
)
from re2llm.policies.first_stage.fitting import Lists, fit
from re2llm.policies.first_stage.folds import FOLDS, fold_of, folds_of
from re2llm.policies.first_stage.item_factors import FACTOR_NAMES, ItemFactors
from re2llm.policies.first_stage.learning import LearningSession, fit_first_stage, mean_ndcg
from re2llm.policies.first_stage.model import FirstStage
from re2llm.policies.first_stage.scorer import Scorer, network_inputs
from re2llm.ranking.first_stage import first_stage_task
from re2llm.records import Item, Session

GROUPS, ITEMS, CANDIDATES = 6, 20, 10
CHANCE = sum(1 / np.log2(rank + 1) for rank in range(1, CANDIDATES + 1)) / CANDIDATES


def _task(
    session: Session, index: EvidenceIndex, key: int | None, evidence: bool = True
) -> FirstStageTask:
    candidates = session.candidates or ()
    draw = np.random.default_rng(5)
    count = len(candidates)
    return FirstStageTask(
        history=session.history,
        history_items=[Item(i, i) for i in session.history],
        candidate_items=[Item(i, i) for i in candidates],
        evidence=index.table(session.history, candidates, leave_out=key) if evidence else None,
        nearness=draw.standard_normal((count, 4)),
    )


def _grouped(count: int, seed: int) -> list[tuple[int, Session]]:
    """Sessions within groups of items: what was chosen tells what comes next."""
    draw = random.Random(seed)
    everything = [f"g{group}-{item}" for group in range(GROUPS) for item in range(ITEMS)]
    sessions: list[tuple[int, Session]] = []
    for key in range(1, count + 1):
        group = f"g{draw.randrange(GROUPS)}-"
        own = [item for item in everything if item.startswith(group)]
        *history, target = draw.sample(own, 4)
        others = [item for item in everything if item != target and item not in history]
        candidates = [target, *draw.sample(others, CANDIDATES - 1)]
        draw.shuffle(candidates)
        sessions.append((key, Session(tuple(history), target, tuple(candidates))))
    return sessions


def _learning(sessions: Sequence[tuple[int, Session]]) -> list[LearningSession]:
    index = EvidenceIndex(sessions)
    return [
        LearningSession(key, _task(s, index, key), (s.candidates or ()).index(s.target or ""))
        for key, s in sessions
    ]


def _ndcg(scores: Sequence[np.ndarray], chosen: Sequence[int]) -> float:
    ranks = [1 + int((row > row[place]).sum()) for row, place in zip(scores, chosen, strict=True)]
    return float(np.mean([1 / np.log2(rank + 1) for rank in ranks]))


def test_the_factors_are_those_of_a_dense_decomposition() -> None:
    sessions = [[*s.history, s.target or ""] for _, s in _grouped(60, 1)]
    factors = ItemFactors.of(sessions)
    matrix = np.zeros((len(sessions), len(factors.places)))
    for row, items in enumerate(sessions):
        for item in items:
            matrix[row, factors.places[item]] = len(set(items)) ** -0.5
    _, _, right = np.linalg.svd(matrix, full_matrices=False)
    basis = right[:32].T
    history, candidates = sessions[0][:3], ["g0-1", "g1-1", "nobody knows it"]
    known = [factors.places[item] for item in history]
    expected = [
        basis[factors.places[item]] @ basis[known].sum(axis=0) / 3**0.5 for item in candidates[:2]
    ]
    found = factors.scores(history, candidates)
    assert found[:2, 0] == pytest.approx(expected, abs=1e-4)
    assert not found[2].any()


def test_the_scorer_computes_what_torch_computes() -> None:
    draw = np.random.default_rng(0)
    features = [draw.standard_normal((7, 5)) for _ in range(30)]
    scorer = fit(Lists(features, [row % 7 for row in range(30)]), seed=4)
    inputs = torch.as_tensor(network_inputs(features[0], scorer.mean, scorer.deviation))
    total = np.zeros(7)
    for layers in scorer.members:
        modules: list[torch.nn.Module] = []
        for weight, bias in layers:
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight.data, linear.bias.data = torch.as_tensor(weight), torch.as_tensor(bias)
            modules += [linear, torch.nn.GELU(approximate="tanh")]
        scores = torch.nn.Sequential(*modules[:-1])(inputs)[:, 0].detach().double().numpy()
        total += (scores - scores.mean()) / scores.std()
    assert scorer.score(features[0]) == pytest.approx(
        (total - total.mean()) / total.std(), abs=1e-4
    )


def test_fitting_is_deterministic_and_needs_no_global_seed() -> None:
    draw = np.random.default_rng(0)
    lists = Lists([draw.standard_normal((6, 4)) for _ in range(40)], [row % 6 for row in range(40)])
    first = fit(lists, seed=1).tensors()
    torch.rand(3)
    again = fit(lists, seed=1).tensors()
    other = fit(lists, seed=2).tensors()
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_it_learns_which_feature_tells() -> None:
    """Lists of different lengths, in which the third feature marks the chosen candidate."""
    draw = np.random.default_rng(0)

    def lists(count: int) -> Lists:
        features: list[np.ndarray] = []
        chosen: list[int] = []
        for _ in range(count):
            length = int(draw.integers(3, 12))
            values, place = draw.standard_normal((length, 4)), int(draw.integers(length))
            values[place, 2] += 2.5
            features.append(values)
            chosen.append(place)
        return Lists(features, chosen)

    scorer = fit(lists(300))
    fresh = lists(200)
    scores = [scorer.score(features) for features in fresh.features]
    plain = [features.sum(axis=1) for features in fresh.features]
    assert _ndcg(scores, fresh.chosen) > _ndcg(plain, fresh.chosen) + 0.1


@pytest.mark.long
def test_learned_and_kept_only_if_it_beats_the_plain_sum() -> None:
    sessions = _grouped(200, 2)
    model, report = fit_first_stage(sessions, _learning(sessions), 0)
    assert report.kept == ("learned" if report.learned > report.plain else "sum")
    assert (model.scorer is not None) == (report.kept == "learned")
    assert max(report.learned, report.plain) > CHANCE + 0.2
    few, report = fit_first_stage(sessions[:20], _learning(sessions[:20]), 0)
    assert few.scorer is None
    assert report.kept == "sum"


@pytest.mark.long
def test_a_choice_that_occurs_nowhere_else_gains_nothing() -> None:
    """A planted leak: each target of these sessions is chosen once, in that session alone."""
    sessions = _grouped(200, 3)
    draw = random.Random(7)
    planted: list[tuple[int, Session]] = []
    for key, session in sessions:
        if key % 4:
            planted.append((key, session))
            continue
        target = f"unique-{key}"
        # The others have never been chosen either, so nothing but the answer could tell them apart.
        candidates = [target, *(f"never-{key}-{n}" for n in range(CANDIDATES - 1))]
        draw.shuffle(candidates)
        planted.append(
            (key, dataclasses.replace(session, target=target, candidates=tuple(candidates)))
        )
    learning = _learning(planted)
    model, _ = fit_first_stage(planted, learning, 0)
    unique = [each for each in learning if each.key % 4 == 0]
    scores = [model.scores(each.task, each.key) for each in unique]
    assert _ndcg(scores, [each.chosen for each in unique]) < CHANCE + 0.08


@pytest.mark.long
def test_copies_of_a_session_do_not_teach_its_answer() -> None:
    sessions = _grouped(60, 4)
    copies = [(key + 100 * n, session) for n in range(3) for key, session in sessions]
    rng = random.Random(1)
    shuffled: list[tuple[int, Session]] = []
    for key, session in copies:  # the targets are random: only a copy could tell them
        target = random.Random(str(session.history)).choice(session.candidates or ())
        shuffled.append((key, dataclasses.replace(session, target=target)))
    rng.shuffle(shuffled)
    shuffled.sort()
    learning = _learning(shuffled)
    model, _ = fit_first_stage(shuffled, learning, 0)
    scores = [model.scores(each.task, each.key) for each in learning]
    assert _ndcg(scores, [each.chosen for each in learning]) < CHANCE + 0.12


def _chained(count: int, seed: int, items: int = 400) -> list[tuple[int, Session]]:
    """Sessions that grow by random items, stored at every length."""
    draw = random.Random(seed)
    names = [f"r{item}" for item in range(items)]
    sessions: list[tuple[int, Session]] = []
    for _ in range(count):
        chain = draw.sample(names, 6)
        for end in range(1, 6):
            others = draw.sample([item for item in names if item not in chain], 49)
            candidates = draw.sample([chain[end], *others], 50)
            place = 5 * len(sessions) + 1
            sessions.append((place, Session(tuple(chain[:end]), chain[end], tuple(candidates))))
    return sessions


@pytest.mark.long
def test_sessions_that_grow_do_not_teach_what_comes_next() -> None:
    sessions = _chained(150, 8)
    _, report = fit_first_stage(sessions, _learning(sessions), 0)
    assert max(report.learned, report.plain) < 0.09 + 0.03  # 0.09 is chance of 50


def test_what_continues_a_session_is_in_its_fold() -> None:
    sessions = _chained(60, 9)
    lone = _grouped(100, 9)
    stored = [*sessions, *((10_000 + key, session) for key, session in lone)]
    folds = folds_of(stored)
    for at in range(0, len(sessions), 5):
        assert len({folds[key] for key, _ in sessions[at : at + 5]}) == 1
        assert folds[sessions[at][0]] == fold_of(sessions[at][1])
    assert len({folds[key] for key, _ in sessions}) == FOLDS
    assert folds_of([*stored[50:], *stored[:50]]) == folds
    assert all(folds[10_000 + key] == fold_of(session) for key, session in lone)


@pytest.mark.long
def test_of_one_chain_alone_nothing_is_learned() -> None:
    names = [f"r{item}" for item in range(120)]
    sessions = [
        (end, Session(tuple(names[:end]), names[end], tuple(names[end : end + 10])))
        for end in range(1, 80)
    ]
    model, report = fit_first_stage(sessions, _learning(sessions), 0)
    assert model.scorer is None
    assert report.kept == "sum"


@pytest.mark.long
def test_a_training_session_beyond_those_learned_from_gets_the_sum() -> None:
    sessions = _grouped(200, 5)
    learning = _learning(sessions)
    model, _ = fit_first_stage(sessions, learning[:120], 0)
    late = learning[150]
    assert model.scores(late.task, late.key) == pytest.approx(evidence_sum(late.task))


@pytest.mark.long
def test_it_survives_the_database() -> None:
    sessions = _grouped(200, 6)
    learning = _learning(sessions)
    model, _ = fit_first_stage(sessions, learning, 0)
    again = FirstStage.load(model.dump())
    for each in learning[:20]:
        assert again.scores(each.task, each.key) == pytest.approx(model.scores(each.task, each.key))
        assert again.scores(each.task) == pytest.approx(model.scores(each.task))
    with pytest.raises(InputError, match="first stage"):
        FirstStage.load(b"not safetensors")


def test_features_have_their_names_and_no_holes() -> None:
    sessions = _grouped(20, 7)
    index = EvidenceIndex(sessions)
    task = _task(sessions[0][1], index, sessions[0][0])
    factors = np.zeros((CANDIDATES, len(FACTOR_NAMES)))
    features = candidate_features(task, factors)
    assert features.shape == (CANDIDATES, len(FEATURE_NAMES))
    assert np.isfinite(features).all()
    bare = candidate_features(dataclasses.replace(task, evidence=None), factors)
    assert not bare[:, : len(EVIDENCE)].any()


@pytest.mark.parametrize("price", [4.7, 5.0, 0.1, 1e6 / 3])
def test_a_number_that_all_share_says_nothing(price: float) -> None:
    same = [Item(str(n), str(n), {"price": price}) for n in range(20)]
    task = FirstStageTask([], same[:3], same[3:], None, np.zeros((17, 4)))
    features = candidate_features(task, np.zeros((17, len(FACTOR_NAMES))))
    first = FEATURE_NAMES.index("numbers_close")
    assert features[:, first : first + 5] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("scores", [[1, 1, 1, 1], [3, 1, 1, 0, 1], [2, 2, 2, 2, 2, 1], [4, 3, 2]])
def test_equal_scores_are_worth_what_their_orders_are_on_average(scores: list[float]) -> None:
    for chosen in range(len(scores)):
        orders = itertools.permutations(range(len(scores)))
        ranks = [sorted(order, key=lambda at: -scores[at]).index(chosen) for order in orders]
        expected = np.mean([1 / np.log2(rank + 2) for rank in ranks])
        assert mean_ndcg([np.array(scores)], [chosen]) == pytest.approx(expected)
    assert mean_ndcg([np.zeros(50)], [7]) == pytest.approx(0.0909, abs=1e-4)  # cut off at 10


def test_where_nobody_chooses_again_what_they_had_it_comes_last() -> None:
    sessions = _grouped(60, 11)
    index = EvidenceIndex(sessions)
    assert index.repeats == 0
    _, session = sessions[0]
    offered = (*session.history, *(i for i in session.candidates or ()))
    task = _task(dataclasses.replace(session, candidates=offered), index, None)
    scores = [evidence_sum(dataclasses.replace(task, repeats=part)) for part in (0.0, 0.1, 0.9)]
    assert (scores[0] == scores[1]).all()
    seen, unseen = scores[0][:3], scores[0][3:]
    assert seen.max() < unseen.min()
    assert scores[2][:3].max() > scores[2][3:].min()
    assert list(np.argsort(seen)) == list(np.argsort(scores[2][:3]))
    assert list(np.argsort(unseen)) == list(np.argsort(scores[2][3:]))
    scorer = fit(Lists([candidate_features(task, np.zeros((13, len(FACTOR_NAMES))))] * 5, [0] * 5))
    stage = FirstStage(ItemFactors.of([]), scorer, {}, 0)
    learned = stage.scores(dataclasses.replace(task, repeats=0.0))
    assert learned[:3].max() < learned[3:].min()
    assert stage.scores(dataclasses.replace(task, repeats=0.1))[:3].max() > learned[:3].max()


@pytest.mark.slow
def test_what_was_had_is_chosen_again_as_often_as_in_training() -> None:
    """Two in a hundred choose an item of their history, and callers offer all of it."""
    draw = random.Random(12)
    repeating: list[tuple[int, Session]] = []
    for key, session in _grouped(700, 12):
        target = draw.choice(session.history) if draw.random() < 0.02 else session.target
        candidates = [target or "", *(i for i in session.candidates or () if i != session.target)]
        repeating.append((key, Session(session.history, target, tuple(candidates[:CANDIDATES]))))
    ids = {item for _, s in repeating for item in (*s.history, *(s.candidates or ()))}
    items = {item: Item(item, item) for item in ids}
    unit = np.eye(1, 384, dtype=np.float32)[0]
    index = EvidenceIndex(repeating[:600])
    data, report = fitted(
        *(repeating[:600], repeating[:600], items, dict.fromkeys(ids, unit), index, 50),
        lambda _done, _total: None,
    )
    assert report["kept"] == "learned"
    stage = FirstStage.load(data)
    assert all(len(stage.held_out[key]) == CANDIDATES for key, _ in repeating[:600])
    fresh = [session for _, session in repeating[600:] if session.target not in session.history]
    ranks: list[int] = []
    for session in fresh:
        offered = (*(session.candidates or ()), *session.history)
        task = _task(dataclasses.replace(session, candidates=offered), index, None)
        task = dataclasses.replace(task, nearness=np.ones((len(offered), 4)), repeats=index.repeats)
        scores = stage.scores(task)
        ranks.append(1 + int((scores > scores[offered.index(session.target or "")]).sum()))
    assert np.mean([rank <= 3 for rank in ranks]) > 0.7


@pytest.mark.long
def test_where_all_choose_again_it_still_learns_what_is_new_to_people() -> None:
    """Each choice comes a second time, as where a log holds the purchases after the views."""
    items = {film.id: film for film in sample_items()}
    offer = NegativeSampler(list(items), seed=1).with_candidates
    new = [offer(session) for session in simulate_sessions(500, seed=1)][:400]
    again = [dataclasses.replace(s, history=(*s.history, s.target or "", *s.history)) for s in new]
    vectors = dict.fromkeys(items, np.eye(1, 384, dtype=np.float32)[0])
    found: list[float] = []
    for sessions in (new[:300], again[:300]):
        keyed = list(enumerate(sessions, 1))
        index = EvidenceIndex(keyed)
        model, report = fitted(keyed, keyed, items, vectors, index, 50, lambda _done, _total: None)
        stage = FirstStage.load(model)
        assert (report["kept"], report["sessions"]) == ("learned", 300)
        assert {len(stage.held_out[key]) for key, _ in keyed} == {50}
        scores: list[np.ndarray] = []
        for s in new[300:]:
            past, listed = ([items[i] for i in ids] for ids in (s.history, s.candidates or ()))
            table = index.table(s.history, s.candidates or ())
            task = first_stage_task(s.history, past, listed, table, vectors, index.repeats)
            scores.append(stage.scores(task))
        rows = [(s.candidates or ()).index(s.target or "") for s in new[300:]]
        found.append(_ndcg(scores, rows))
    once, twice = found
    assert twice > once - 0.05


def test_nearness_by_hand() -> None:
    history = np.array([[1, 0], [0, 1]], dtype=np.float32)
    candidates = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    assert nearness(history, candidates) == pytest.approx(
        np.array([[1 / 3, 0.5, 1.0, 0.0], [(0.6 + 1.6) / 3, 0.7, 0.8, 0.8]]), abs=1e-6
    )


def test_a_scorer_needs_all_its_numbers() -> None:
    draw = np.random.default_rng(0)
    tensors = fit(Lists([draw.standard_normal((4, 3))] * 5, [0] * 5)).tensors()
    del tensors["0.1.bias"]
    with pytest.raises(KeyError):
        Scorer.of(tensors)


def test_a_feature_that_never_varied_says_nothing_later() -> None:
    draw = np.random.default_rng(3)
    features = [draw.standard_normal((8, 3)) for _ in range(60)]
    for each in features:
        each[:, 2] = 0.25
    scorer = fit(Lists(features, [int(each[:, 0].argmax()) for each in features]))
    asked = draw.standard_normal((8, 3))
    asked[:, 2] = 0.25
    plain = scorer.score(asked)
    asked[:, 2] = np.arange(8)
    np.testing.assert_array_equal(scorer.score(asked), plain)
    assert plain.argmax() == asked[:, 0].argmax()
