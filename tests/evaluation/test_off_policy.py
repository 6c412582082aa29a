"""`policy evaluate`: estimates of a release on a log whose true value is known."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from re2llm.cli import app
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.evaluation.off_policy import OffPolicyReport, report
from re2llm.evaluation.reward_model import reward_model
from re2llm.knowledge.domains import Domain, find_domain
from re2llm.knowledge.fusions import store_fusions
from re2llm.knowledge.hint_store.hints import add_hint, best_hints, clean_hint
from re2llm.knowledge.log.feedback import Decision, store_feedback
from re2llm.knowledge.log.recommendations import Recommendation, log_recommendations
from re2llm.knowledge.releases import Release, activate_release, fetch_release, store_release
from re2llm.knowledge.rollouts.exposures import Exposure, log_exposures
from re2llm.knowledge.sessions.training_sessions import store_sessions
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.loading.load import load_domain
from re2llm.operations.releases.off_policy import evaluate_release
from re2llm.policies.fusion import Fusion
from re2llm.policies.networks import ContentConfig, ContentPolicy
from re2llm.policies.weights import dump_policy
from re2llm.rank_metrics import ndcg
from re2llm.ranking.gather import gather
from re2llm.ranking.policy_inputs import session_state
from re2llm.ranking.served_policy import load_release
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import RunOptions, resolve_context
from re2llm.runtime.services import Services
from re2llm.settings import FuseMode
from sqlalchemy import text
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
HINTS = ("Prefer films by the same director.", "Prefer films that many people know.")
RANKS = (None, 1, 3)
"""Where the picked item stands without a hint (none of these), and with either hint."""
REWARDS = [0.0 if rank is None else ndcg(rank) for rank in RANKS]


def history(number: int) -> list[str]:
    return IDS[5 * number : 5 * number + 3]


def candidates(number: int) -> list[str]:
    return IDS[100 + 12 * number : 112 + 12 * number]


class Log:
    """A domain with two hints, a release that was never trained, and a log to fill."""

    def __init__(self, services: Services, options: RunOptions, domain: Domain) -> None:
        self.services, self.options, self.domain = services, options, domain
        self.hints: list[int | None] = [None]
        self.release = 0

    async def prepare(self) -> None:
        async with self.services.engine.begin() as connection:
            for hint in HINTS:
                vector = self.services.embedder.encode([clean_hint(hint)])[0]
                number, _ = await add_hint(connection, self.domain.id, hint, vector, provenance={})
                self.hints.append(number)
            state = await self.state(0)
            torch.manual_seed(3)
            policy = ContentPolicy(ContentConfig(len(session_state(state, "content")), 384))
            with torch.no_grad():
                for parameter in policy.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.05)
            weights, shape = dump_policy(policy)
            release = Release(
                recipe="content",
                weights=weights,
                encoder=ENCODER_ID,
                prompt_version=self.options.prompt_version,
                model=self.options.model,
                hint_set="",
                hint_ids=[number for number in self.hints if number],
                config={"policy": shape},
                metrics={"gain": 0.0},
            )
            self.release = await store_release(connection, self.domain.id, release)

    async def state(self, number: int) -> Any:
        asked: Any = {"history": history(number), "candidates": candidates(number)}
        return await gather(self.domain, asked, self.options)

    async def shares(self, number: int, *, sampled: bool) -> list[float]:
        async with self.services.engine.connect() as connection:
            release = await fetch_release(connection, self.domain.id, self.release)
            hints = await best_hints(connection, self.domain.id, count=10)
        served = load_release(self.release, release, self.options.prompted_model)
        state = await self.state(number)
        found = served.choice_probabilities(state, hints, most=1, sampled=sampled)
        return [found[hint] for hint in self.hints]

    async def decide(self, number: int, action: int, probability: float, **values: Any) -> None:
        ranking = candidates(number)
        made = Recommendation(
            domain_id=self.domain.id,
            history=history(number),
            candidates=ranking,
            ranking=ranking,
            policy=values.get("policy", "ppo:7"),
            hint_id=self.hints[action],
            probability=probability,
            model=values.get("model", self.options.model),
            prompt_version=self.options.prompt_version,
            flags=[],
            latency_ms=1.0,
        )
        rank = values.get("rank", RANKS[action])
        async with self.services.engine.begin() as connection:
            await log_recommendations(connection, [made])
            picked = None if rank is None else ranking[rank - 1]
            if "assigned" in values:
                shared: Any = {"step": 0, "person": b"ada", "canary": True, "fallback": False}
                shared |= {"differs": True, "failed": False, "latency": 0.0, "cost": 0.0}
                one = Exposure(values["rollout"], probability=values["assigned"], **shared)
                await log_exposures(connection, {made.id: one})
            await store_feedback(connection, self.domain, str(made.id), picked)

    async def weigh(self, **weights: Fusion) -> None:
        """Give releases, such as `ppo_7`, a weight of the model's opinion."""
        learned = {name.replace("_", ":"): one.as_dict() for name, one in weights.items()}
        async with self.services.engine.begin() as connection:
            await store_fusions(connection, self.domain.id, self.options.prompted_model, learned)

    async def evaluate(self, *, sampled: bool = True) -> OffPolicyReport:
        return await evaluate_release(
            Context(domain=self.domain.name, fuse=self.options.fuse), self.release, sampled=sampled
        )


@pytest.fixture
async def log(services: Services, domain: str) -> Log:
    return await made(services, domain, "llm")


@pytest.fixture
async def weighed(services: Services, domain: str) -> Log:
    """Where the first stage ranks, and the model's opinion counts beside it."""
    return await made(services, domain, "learned")


async def made(services: Services, domain: str, fuse: FuseMode) -> Log:
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(8, seed=8)])
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
    log = Log(services, await resolve_context(Context(domain=domain, fuse=fuse)), found)
    await log.prepare()
    return log


BEHAVIOUR = (0.5, 0.3, 0.2)
SESSIONS = 8


@pytest.mark.parametrize("sampled", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_the_estimates_find_the_true_value(log: Log, sampled: bool) -> None:
    rng = random.Random(1)
    shares = [await log.shares(number, sampled=sampled) for number in range(SESSIONS)]
    truth = float(np.mean([np.dot(share, REWARDS) for share in shares]))
    drawn = rng.choices(range(3), BEHAVIOUR, k=400)
    for place, action in enumerate(drawn):
        await log.decide(place % SESSIONS, action, BEHAVIOUR[action])
    report = await log.evaluate(sampled=sampled)
    assert (report.used, report.certain, report.other_model) == (400, 0, 0)
    for estimate in report.estimates.values():
        assert estimate.low <= truth <= estimate.high
        assert estimate.value == pytest.approx(truth, abs=0.12)
    naive = float(np.mean([REWARDS[action] for action in drawn]))
    assert report.logged.value == pytest.approx(naive)
    assert abs(naive - truth) > 0.05  # else any estimate would do
    assert report.estimates["dr"].high - report.estimates["dr"].low < (
        report.estimates["ips"].high - report.estimates["ips"].low
    )
    assert 0 < report.estimates["snips"].effective_n <= 400
    assert report.weight.low <= 1 <= report.weight.high


async def test_what_says_nothing_is_left_out_and_counted(log: Log) -> None:
    for action in (0, 1, 2):
        await log.decide(0, action, 0.3)
        await log.decide(1, action, 1.0)
    await log.decide(2, 1, 0.5, model="another")
    report = await log.evaluate()
    assert (report.feedback, report.used, report.certain, report.other_model) == (7, 3, 3, 1)
    assert any("too few" in warning for warning in report.warnings)


async def test_rankings_of_another_weight_are_left_out_and_counted(weighed: Log) -> None:
    """The reward of a hint depends on how much of the model's opinion counted with it."""
    own = f"ppo_{weighed.release}"
    await weighed.weigh(ppo_7=Fusion(3.0, (), 50), ppo_8=Fusion(0.5, (), 50))
    await weighed.weigh(ppo_9=Fusion(0.5, (0.3,), 50), **{own: Fusion(0.5, (0.31,), 50)})
    for action in (0, 1, 2):
        for other in (7, 8):  # places were not measured for 8
            await weighed.decide(0, action, 0.3, policy=f"ppo:{other}")
    with pytest.raises(InputError, match=r"None of 6 rankings .* \(0.5\).*re2llm evaluate"):
        await weighed.evaluate()
    for action in (0, 1, 2):
        await weighed.decide(0, action, 0.3, policy="ppo:9")
        await weighed.decide(0, action, 0.3, policy=own.replace("_", ":"))
    report = await weighed.evaluate()
    assert (report.feedback, report.used, report.other_weight) == (12, 6, 6)
    assert report.as_dict()["left_out"]["other_weight"] == 6


async def test_what_no_release_ranked_counts_from_when_its_weight_was_set(weighed: Log) -> None:
    """The log holds no weights, and what no release chose has that of the active one."""
    own = f"ppo_{weighed.release}"
    for action in (0, 1, 2):
        await weighed.decide(0, action, 0.3, policy="random")
    await weighed.weigh(**{own: Fusion(3.0, (), 50)})
    async with weighed.services.engine.begin() as connection:
        await activate_release(connection, weighed.domain.id, weighed.release)
    with pytest.raises(InputError, match=r"None of 3 rankings .* \(3\)"):
        await weighed.evaluate()
    for action in (0, 1, 2):
        await weighed.decide(0, action, 0.3, policy="random")
    report = await weighed.evaluate()
    assert (report.used, report.other_weight) == (3, 3)
    await weighed.weigh(random=Fusion(3.0, (), 50))  # may have been another before
    await weighed.decide(0, 1, 0.3, policy="random")
    await weighed.decide(0, 1, 0.3, policy=own.replace("_", ":"))
    report = await weighed.evaluate()
    assert (report.used, report.other_weight) == (2, 6)


async def test_what_the_model_alone_ranked_has_no_weight(log: Log) -> None:
    for action in (0, 1, 2):
        await log.decide(0, action, 0.3, policy="random")
    async with log.services.engine.begin() as connection:
        await activate_release(connection, log.domain.id, log.release)
    assert (await log.evaluate()).used == 3


async def test_a_release_that_never_asks_the_model_is_credited_with_no_hint(weighed: Log) -> None:
    await weighed.weigh(
        ppo_7=Fusion(3.0, (), 50), **{f"ppo_{weighed.release}": Fusion(0.0, (), 50)}
    )
    for action in (0, 1, 2):
        await weighed.decide(0, action, 0.3)
    with pytest.raises(InputError, match="never asks the model"):
        await weighed.evaluate()


async def test_of_a_rollout_both_releases_must_weigh_alike(weighed: Log) -> None:
    """The probability of a hint is over both, and says nothing of the weight."""
    fusions = {f"ppo_{weighed.release}": Fusion(0.5, (), 50)}
    await weighed.weigh(ppo_7=Fusion(0.5, (), 50), ppo_8=Fusion(3.0, (), 50), **fusions)
    insert = text(
        "INSERT INTO re2llm.rollout (domain_id, number, release, control, salt, plan, state) "
        "VALUES (:domain, :number, 7, :control, 'x', '{\"window\": 60}', 'stopped') RETURNING id"
    )
    for number, control in enumerate((8, weighed.release, None), 1):
        asked = {"domain": weighed.domain.id, "number": number, "control": control}
        async with weighed.services.engine.begin() as connection:
            rollout = (await connection.execute(insert, asked)).scalar_one()
        for action in (0, 1, 2):
            await weighed.decide(0, action, 0.3, rollout=rollout, assigned=0.5)
            await weighed.decide(0, action, 0.3, rollout=rollout, assigned=1.0)
    report = await weighed.evaluate()
    # All that a release served for sure, and of the draws those between two of one weight.
    assert (report.used, report.other_weight) == (12, 6)


async def test_a_choice_that_was_never_tried_is_warned_of(log: Log) -> None:
    likeliest = int(np.argmax(await log.shares(0, sampled=False)))
    other = (likeliest + 1) % 3
    for _ in range(50):
        await log.decide(0, other, 0.5)
    await log.decide(0, likeliest, 0.5)
    report = await log.evaluate(sampled=False)
    assert report.weight.high < 1
    assert any("never" in warning for warning in report.warnings)


async def test_a_log_that_says_nothing_is_refused(log: Log) -> None:
    with pytest.raises(InputError, match="has feedback yet"):
        await log.evaluate()
    await log.decide(0, 1, 0.5, model="another")
    with pytest.raises(InputError, match="another model"):
        await log.evaluate()
    await log.decide(0, 1, 1.0)
    with pytest.raises(InputError, match="with certainty"):
        await log.evaluate()
    shares = await log.shares(0, sampled=False)
    await log.decide(0, int(np.argmin(shares)), 0.5)
    with pytest.raises(InputError, match="none of the 1 logged"):
        await log.evaluate(sampled=False)
    with pytest.raises(InputError, match="no release"):
        await evaluate_release(Context(domain=log.domain.name), 10**6, sampled=True)


async def test_a_decision_that_became_a_training_session_does_not_see_itself(log: Log) -> None:
    for action in (0, 1, 2):
        await log.decide(0, action, 0.3, rank=12)
    before = await log.evaluate()
    assert before.trained_on == 0
    target = candidates(0)[11]
    async with log.services.engine.begin() as connection:
        from re2llm.knowledge.domains import mark_changed

        session = Session(tuple(history(0)), target, tuple(candidates(0)))
        await store_sessions(connection, log.domain, [session])
        await mark_changed(connection, log.domain)
    after = await log.evaluate()
    assert after.trained_on == 3
    assert any("training sessions" in warning for warning in after.warnings)
    assert after.weight.value == pytest.approx(before.weight.value, rel=1e-6)


def decision(hint: int | None, reward: float) -> Decision:
    return Decision([], [], "", hint, 0.5, "", "", None, reward)


def test_the_reward_model_never_sees_the_reward_that_it_predicts() -> None:
    used = [decision(1, 0.0) for _ in range(9)] + [decision(1, 1.0)]
    predicted, _ = reward_model(used, [{1: 1.0}] * 10)
    # Whoever has earned 1 is predicted from those that have earned 0, and the other way round.
    assert predicted[-1] == 0.0
    assert (predicted[:-1] >= 0).all()
    assert predicted[:-1].max() > 0


def test_the_reward_model_sees_no_repeat_of_a_session_that_it_predicts() -> None:
    """It was given the same hint, and earns much the same."""
    used = [
        replace(decision(1, float(session == 0)), history=[str(session)], candidates=["a"])
        for session in range(10)
        for _ in range(20)
    ]
    predicted, _ = reward_model(used, [{1: 1.0}] * 200)
    assert (predicted[:20] == 0.0).all()


@pytest.mark.parametrize("fixed", [True, False])
def test_the_intervals_hold_where_a_session_comes_again(fixed: bool) -> None:
    """Whether all were given the same, as in logs of earlier versions, or each had a draw."""
    share = 1 / np.arange(1, 101)
    share /= share.sum()
    covered: dict[str, list[bool]] = {"ips": [], "snips": [], "dr": []}
    widths: list[float] = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        means = rng.random((100, 2))
        truth = float(share @ means @ (0.8, 0.2))
        sessions = rng.choice(100, size=150, p=share)
        given = rng.integers(0, 2, size=100)[sessions] if fixed else rng.integers(0, 2, size=150)
        rewards = rng.random(150) < means[sessions, given]
        used = [
            replace(decision(int(hint), float(reward)), history=[str(one)])
            for one, hint, reward in zip(sessions, given, rewards, strict=True)
        ]
        counts = dict.fromkeys(
            ("feedback", "certain", "other_model", "other_weight", "trained_on"), 0
        )
        target = np.where(given == 0, 0.8, 0.2)
        shares: list[Any] = [{0: 0.8, 1: 0.2}] * len(used)
        found = report(1, used, target, shares, sampled=True, **counts)
        for name, estimate in found.estimates.items():
            covered[name].append(estimate.low <= truth <= estimate.high)
        widths.append(found.estimates["ips"].high - found.estimates["ips"].low)
    assert fixed or np.mean(widths) < 0.3  # no more than is needed: 0.21 if repeats were told apart
    assert all(np.mean(held) >= 0.88 for held in covered.values()), covered


COUNTS = dict.fromkeys(("feedback", "certain", "other_model", "other_weight", "trained_on"), 0)


def drawn_log(rewards: np.ndarray, hints: int, seed: int) -> OffPolicyReport:
    """Report on a release that gives hint 1, where each decision drew one of some hints."""
    given = np.random.default_rng(seed).integers(1, hints + 1, size=len(rewards))
    used = [
        replace(decision(int(hint), float(reward)), history=[str(place)], probability=1 / hints)
        for place, (hint, reward) in enumerate(zip(given, rewards, strict=True))
    ]
    target, shares = (given == 1).astype(float), [{1: 1.0}] * len(used)
    return report(1, used, target, shares, sampled=True, **COUNTS)


@pytest.mark.parametrize(("usual", "words"), [(0.0, "a reward"), (1.0, "than 1.00")])
def test_a_log_of_one_reward_is_not_certain(usual: float, words: str) -> None:
    found = drawn_log(np.full(200, usual), 2, seed=1)
    document = found.as_dict()
    for name in ("logged", "snips", "dr", "ips"):
        assert document[name]["ci95"] == [None, None], name
    assert (document["usual_reward"], document["effective_other"]) == (usual, 0)
    (warning,) = found.warnings
    assert words in warning
    assert "unknown" in warning


def test_rewards_of_other_choices_say_nothing_of_this_one() -> None:
    """Where only other hints were rewarded, even the reward model's spread is none of it."""
    rewards = np.where(np.random.default_rng(2).integers(1, 3, size=200) == 2, 1.0, 0.0)
    found = drawn_log(rewards, 2, seed=2)  # the same draw, so that hint 1 never had any
    assert found.logged.high < 1
    assert [one.high for one in found.estimates.values()] == [np.inf] * 3
    assert any("unknown" in warning for warning in found.warnings)


@pytest.mark.parametrize("rare", [1.0, 0.0])
def test_rare_rewards_and_rare_misses_are_warned_of(rare: float) -> None:
    def warned(count: int) -> list[str]:
        rewards = np.full(400, 1 - rare)
        rewards[:count] = rare
        return drawn_log(rewards, 1, seed=0).warnings

    assert warned(20) == []
    (warning,) = warned(19)
    assert "worth 19 decisions" in warning
    assert ("with a reward." if rare else "another reward than 1.00.") in warning


def test_rewards_of_many_sizes_are_not_rare() -> None:
    rewards = np.random.default_rng(3).random(60)
    found = drawn_log(rewards, 1, seed=0)
    assert found.other_n == pytest.approx(59)
    assert found.warnings == []


@pytest.mark.long
@pytest.mark.parametrize(("share", "most"), [(0.02, 0.88), (0.25, 1.0)])
def test_where_nothing_is_warned_of_the_intervals_hold(share: float, most: float) -> None:
    """With rare rewards they do not, and are warned of."""
    covered: dict[bool, list[bool]] = {True: [], False: []}
    for seed in range(150):
        draw = np.random.default_rng([seed, 7])
        sizes = draw.choice([1.0, 0.5, 0.3], size=300)
        found = drawn_log(np.where(draw.random(300) < share, sizes, 0.0), 3, seed)
        estimate = found.estimates["snips"]
        inside = estimate.low <= share * 0.6 <= estimate.high and np.isfinite(estimate.high)
        covered[bool(found.warnings)].append(bool(inside))
    if share < 0.1:
        assert not covered[False]
        assert np.mean(covered[True]) < most
    else:
        assert len(covered[False]) > 75
        assert np.mean(covered[False]) >= 0.9


def test_the_reward_model_averages_over_the_new_policy() -> None:
    used = [decision(hint, float(hint)) for hint in (0, 1) for _ in range(200)]
    predicted, expected = reward_model(used, [{0: 0.25, 1: 0.75}] * 400)
    assert predicted[0] == pytest.approx(0.03, abs=0.03)
    assert predicted[-1] == pytest.approx(0.97, abs=0.03)
    assert expected == pytest.approx(0.75, abs=0.05)


async def test_the_command(log: Log, adjust: Callable[..., None]) -> None:
    for number in range(6):
        await log.decide(number, number % 3, 0.3)
    arguments = ["policy", "evaluate", str(log.release), "--domain", log.domain.name]
    import asyncio

    printed = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--sampled", "--json"])
    assert printed.exit_code == 0, printed.output
    document = json.loads(printed.stdout)
    assert document["choice"] == "sampled"
    assert document["used"] == 6
    for name in ("ips", "snips", "dr", "logged"):
        low, high = document[name]["ci95"]
        assert low <= document[name]["value"] <= high
    read = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--sampled"])
    assert "doubly robust" in read.stdout
    assert "too few" in read.stderr
    unknown = [*arguments[:2], "999999", *arguments[3:]]
    refused = await asyncio.to_thread(CliRunner().invoke, app, unknown)
    assert refused.exit_code == 1
    assert "no release" in refused.stderr
