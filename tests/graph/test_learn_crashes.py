"""`re2llm learn` killed at random points, interrupted, and run by many processes at once."""

import asyncio
import json
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fault_server import FaultServer
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from learners import Learners, Moment
from learnt import Learnt, assert_whole, forget, knowledge, libpq, sessions_left, settled
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.embedded_postgres.database import start_embedded
from re2llm.knowledge.hint_store.hints import hint_key, list_hints
from re2llm.knowledge.hint_store.near_hints import nearest_hints
from re2llm.llm.offline import OfflineRanker
from re2llm.operations.learning.learn import learn
from re2llm.operations.loading.load import load_domain
from re2llm.ranking.hints.repeats import CLOSE, COMPARED, embed, repeated_hint
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services

SESSIONS = simulate_sessions(7, seed=1)
RULES: dict[str, dict[str, Any]] = {
    "paper": {"verify_rule": "paper"},
    "transfer": {"verify_rule": "transfer", "verify_random": 10, "verify_near": 4},
}
"""The paper's keeps many hints of few sessions; ours tries each on other sessions too."""
MOST_AT_ONCE = 10
"""Rows that the last miss writes, at most: an undisturbed learner is not done before."""
LONGEST_PAUSE = 0.06
"""Seconds; about what two steps of learning take."""

Change = Callable[..., None]


async def load(services: Services, domain: str) -> str:
    await load_domain(services, domain, sample_items(), [lambda _: SESSIONS])
    return domain


@pytest.fixture
def uninterrupted(services: Services, url: str) -> Callable[[str], Any]:
    """What one learner that nobody disturbs knows in the end; the domain forgets it again.

    It is the same domain, since random draws hang on the sessions' keys.
    """

    async def learn_all(domain: str) -> Learnt:
        await learn(Context(domain=domain, seed=0), max_hints=1000, concurrency=1)
        known = knowledge(url, domain)
        assert_whole(known)
        assert known["hints"]
        forget(url, domain)
        assert not any(knowledge(url, domain).values())
        return known

    return learn_all


@pytest.fixture
async def learners(services: Services, url: str, domain: str) -> Learners:
    return Learners(url, await load(services, domain), {"RE2LLM_DATABASE_URL": libpq(url)})


def blows(rng: random.Random, strikes: int, rows: int) -> list[tuple[int, Moment | float]]:
    """Draw points of progress, one from each part of the way, and what to wait for there.

    The first of many strikes at the very start, the last anywhere near the end.
    """
    part = (rows - MOST_AT_ONCE) / strikes
    drawn: list[tuple[int, Moment | float]] = []
    for number in range(strikes):
        pause = rng.uniform(0, LONGEST_PAUSE)
        moments: tuple[Moment | float, ...] = ("reflection", "trial", pause)
        moment = moments[number % 3] if number < strikes - 1 else pause
        drawn.append((int(part * rng.uniform(number, number + 1)), moment))
    return [(0, LONGEST_PAUSE), *drawn[1:]] if strikes > 2 else drawn


def assert_kept(before: Learnt, after: Learnt) -> None:
    """What was written once stays, as it was: nothing is lost and nothing is paid again."""
    for table in ("proposals", "reflections", "trials"):
        lost = Counter(map(str, before[table])) - Counter(map(str, after[table]))
        assert not lost, table
    # Figures are summed up later.
    assert {row[:5] for row in map(str_row, before["hints"])} <= {
        row[:5] for row in map(str_row, after["hints"])
    }


def str_row(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, row))


def in_flight(learnt: Learnt) -> bool:
    """Whether a hint was on trial that no stored reflection has proposed."""
    proposed = {hint_key(row[0]).hex() for row in learnt["proposals"]}
    return bool({row[1] for row in learnt["trials"]} - proposed - {""})


@pytest.mark.parametrize(
    ("rule", "strikes", "sign"),
    [
        pytest.param("paper", 2, signal.SIGKILL, id="two kills"),
        pytest.param("paper", 10, signal.SIGKILL, id="ten kills", marks=pytest.mark.slow),
        pytest.param("transfer", 10, signal.SIGKILL, id="ten kills, ours", marks=pytest.mark.slow),
        pytest.param("paper", 4, signal.SIGINT, id="four times Ctrl-C", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(900)
async def test_a_learner_that_is_struck_at_random_points_ends_up_knowing_the_same(
    adjust: Change,
    uninterrupted: Callable[[str], Any],
    learners: Learners,
    services: Services,
    url: str,
    rule: str,
    strikes: int,
    sign: int,
) -> None:
    adjust(**RULES[rule])
    expected = await uninterrupted(learners.domain)
    rows = len(expected["trials"]) + len(expected["proposals"])
    rng = random.Random(f"{rule} {strikes}")
    struck: list[int] = []
    before: Learnt = {"hints": [], "proposals": [], "reflections": [], "trials": []}
    halves = 0
    for point, moment in blows(rng, strikes, rows):
        learner = learners.start("--concurrency", "1")
        struck.append(learners.strike(learner, point, moment, sign))
        output, errors = learner.communicate()
        assert output == ""
        if sign == signal.SIGINT:
            assert learner.returncode == 130, errors
            assert "nothing is half-written" in errors
        else:
            assert learner.returncode == -signal.SIGKILL, errors
        now = knowledge(url, learners.domain)
        assert_whole(now)
        assert_kept(before, now)
        halves += in_flight(now)
        before = now
    # The signals did strike in the middle of learning, and of what it does with one session.
    assert len({there for there in struck if 0 < there < rows}) >= strikes / 2, (struck, rows)
    assert halves or strikes < 3, struck
    learner = learners.start("--concurrency", "1")
    output, errors = learner.communicate()
    assert learner.returncode == 0, errors
    assert "done before" in errors
    done = json.loads(output)
    learnt = knowledge(url, learners.domain)
    assert_kept(before, learnt)
    for table in expected:
        assert learnt[table] == expected[table], table
    assert done["sessions_left"] == 0
    assert done["stopped"] is None
    assert await sessions_left(learners.domain) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_killed_learner_leaves_the_embedded_server_to_the_next(
    adjust: Change, services: Services, uninterrupted: Callable[[str], Any], domain: str
) -> None:
    adjust(**RULES["paper"])
    expected = await uninterrupted(await load(services, domain))
    home = Path(tempfile.mkdtemp(prefix="re2llm-"))  # short, as a socket's path has to be
    mark = home / "postgres" / "postmaster.pid"
    url = f"postgresql://postgres:@/postgres?host={mark.parent}"
    learners = Learners(url, "films", {"RE2LLM_HOME": str(home)})
    try:
        write_films(home / "films")
        learners.run("load", "jsonl", str(home / "films"), "--domain", "films")
        assert not mark.exists()
        for point in (0, 30, 60):
            learner = learners.start("--concurrency", "1")
            learners.strike(learner, point, LONGEST_PAUSE / 2)
            assert learner.wait() == -signal.SIGKILL, learner.communicate()
            assert_whole(knowledge(url, "films"))
        # The server too, as when a machine goes down.
        os.kill(int(mark.read_text().split()[0]), signal.SIGKILL)
        learners.run("learn", "--domain", "films", "--concurrency", "1")
        assert not mark.exists()  # the last to leave has stopped it
        assert knowledge(start_embedded(home), "films") == expected
    finally:
        if mark.exists():
            with suppress(ProcessLookupError):
                os.kill(int(mark.read_text().split()[0]), signal.SIGINT)
        shutil.rmtree(home, ignore_errors=True)


def write_films(folder: Path) -> None:
    folder.mkdir()
    items = [{"id": i.id, "title": i.title, **i.attributes} for i in sample_items()]
    sessions = [{"history": list(s.history), "target": s.target} for s in SESSIONS]
    for name, lines in (("items", items), ("sessions", sessions)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))


@pytest.mark.parametrize(
    ("count", "rule"),
    [
        pytest.param(3, "paper", id="three"),
        pytest.param(8, "paper", id="eight", marks=pytest.mark.slow),
        pytest.param(8, "transfer", id="eight, ours", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(900)
async def test_learners_side_by_side_lose_and_double_nothing(
    adjust: Change,
    learners: Learners,
    services: Services,
    url: str,
    count: int,
    rule: str,
) -> None:
    adjust(**RULES[rule])
    before = len(server_log(services).read_text(errors="replace"))  # other tests write there, too
    processes = [learners.start("--concurrency", "2") for _ in range(count)]
    documents: list[dict[str, Any]] = []
    for process in processes:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert "deadlock" not in errors
        documents.append(json.loads(output))
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        assert learners.connections(connection) == 0
    assert "deadlock" not in server_log(services).read_text(errors="replace")[before:]
    learnt = knowledge(url, learners.domain)
    assert_whole(learnt)
    # Each session once, whoever did it.
    total = Counter[str]()
    for document in documents:
        total.update({k: v for k, v in document.items() if isinstance(v, int)})
    assert sum(document["sessions"] > 0 for document in documents) > 1
    assert settled(learnt) == set(range(1, len(SESSIONS) + 1))
    assert total["missed"] == len(learnt["reflections"])
    assert total["sessions"] <= len(SESSIONS)
    assert total["proposed"] == len(learnt["proposals"])
    assert total["stored"] == len(learnt["hints"])
    assert_every_trial_is_there(learnt)
    await assert_distinct(services, learners.domain)
    assert await sessions_left(learners.domain) == []


@pytest.fixture
def paid_server() -> Iterator[FaultServer]:
    """The offline model behind HTTP, as a model that costs money."""

    def speak(body: dict[str, Any]) -> str:
        kinds = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
        asked = [kinds[message["role"]](message["content"]) for message in body["messages"]]
        return OfflineRanker().invoke(asked).text

    with FaultServer(speak, delay=0.05).running() as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_learners_side_by_side_pay_for_no_prompt_twice(
    adjust: Change, learners: Learners, paid_server: FaultServer
) -> None:
    """All try their first hints on the same sessions; what one has paid, the others are given."""
    adjust(**RULES["transfer"])
    server = paid_server
    learners.env |= {
        "RE2LLM_MODEL": f"openai:{learners.domain}",
        "RE2LLM_BASE_URL": server.url,
        "RE2LLM_API_KEY": "none",
        "RE2LLM_STRUCTURED": "plain",
    }
    processes = [learners.start("--max-llm-calls", "80") for _ in range(3)]
    for process in processes:
        _, errors = await asyncio.to_thread(process.communicate, timeout=300)
        assert process.returncode == 0, errors
    prompts = Counter(asked.text for asked in server.asked)
    assert len(prompts) > 80
    assert [text for text, times in prompts.items() if times > 1] == []


def server_log(services: Services) -> Path:
    return services.settings.home / "postgres" / "log"


def assert_every_trial_is_there(learnt: Learnt) -> None:
    """What a hint's lineage tells stands in the reward table, once."""
    cells = Counter((row[0], row[1], row[2], row[3]) for row in learnt["trials"])
    assert set(cells.values()) == {1}
    tried: dict[str, set[int]] = {}
    for row in learnt["trials"]:
        tried.setdefault(row[1], set()).add(row[0])
    for text, outcome, _, figures, place, _ in learnt["proposals"]:
        if outcome == "duplicate" or (outcome == "ineffective" and not figures):
            continue
        sessions = tried[hint_key(text).hex()]
        assert place in sessions, text
        others = sessions - {place}
        assert len(others) >= figures.get("sessions", 0), text
        assert others <= tried[""], text


async def assert_distinct(services: Services, domain: str) -> None:
    """No hint says what an earlier one says, as de-duplication has to find out."""
    options = await resolve_context(Context(domain=domain))
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        hints = await list_hints(connection, found.id)
        for hint in hints:
            near = await nearest_hints(
                connection, found.id, await embed(hint.text, options), count=COMPARED + 1
            )
            known = [other for other, cosine in near if cosine >= CLOSE and other.id < hint.id]
            assert await repeated_hint(hint.text, known, options) is None, hint.text
