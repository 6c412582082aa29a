"""Evaluating: faults are counted, outages and budgets end it, and training sessions are noted."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from pydantic import SecretStr
from re2llm.cli import app
from re2llm.data.sample import load_films, sample_items, simulate_sessions
from re2llm.errors import InputError
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import add_hint
from re2llm.operations.evaluation.evaluate import evaluate as evaluate_sessions
from re2llm.operations.evaluation.experiment import Experiment
from re2llm.operations.evaluation.held_out import held_out_sessions
from re2llm.operations.hints.manage import add_hint as add_own_hint
from re2llm.operations.loading.load import load_domain
from re2llm.records import Session
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from typer.testing import CliRunner

IDS = [film.id for film in load_films()]
SESSIONS = 12
Evaluate = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def evaluate(
    server: FaultServer, adjust: Callable[..., None], films: str, tmp_path: Path
) -> Evaluate:
    model = f"openai:evaluated-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "sessions.jsonl"
    rows = [
        {"history": IDS[at : at + 2], "target": IDS[40], "candidates": IDS[40:46]}
        for at in range(SESSIONS)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def settle(**changes: Any) -> Evaluate:
        settings = {"structured": "plain", "model_retries": 0, "concurrency": 1, **changes}
        adjust(base_url=server.url, api_key="sk-none", model=model, **settings)

        def run(*more: object) -> Any:
            command = ["evaluate", "--domain", films, "--sessions", file, "--policies", "none"]
            figures = tmp_path / "figures.json"
            done = CliRunner().invoke(
                app, list(map(str, [*command, "--baselines", "", "--json", figures, *more]))
            )
            document = json.loads(figures.read_text()) if figures.exists() else {}
            return done, document

        return run

    return settle


@pytest.mark.long
def test_faults_are_counted_before_any_repair(server: FaultServer, evaluate: Evaluate) -> None:
    server.play("wrong ids", "says {}", "prose")
    server.speak = lambda body: json.dumps({"ranking": [1, 2, 3, 4, 5, 6]})
    done, document = evaluate()()
    assert done.exit_code == 0, done.stderr
    (row,) = document["rows"]
    # "wrong ids" names two of six, one of them twice, and two that do not exist; its repair says
    # nothing, and the next session's first answer is prose.
    assert row["faults"] == {"repeated": 1, "invented": 2, "missing": 4 + 6, "wrong_format": 1}
    assert row["flags"]["repaired"] == 2
    assert row["flags"]["completed"] == 1
    printed = " ".join(done.stdout.split())
    for told in ("repeated 1", "invented 2", "missing 10", "wrong_format 1", "completed 1"):
        assert told in printed


@pytest.mark.long
@pytest.mark.parametrize("orders", [1, 2])
def test_faults_are_counted_in_every_order(
    server: FaultServer, evaluate: Evaluate, orders: int
) -> None:
    server.play(*['says {"ranking": [9, 1, 1, 2, 3, 4, 5, 6]}'] * orders)
    done, document = evaluate(orders=orders)()
    assert done.exit_code == 0, done.stderr
    assert document["rows"][0]["faults"] == {"repeated": orders, "invented": orders}


def test_a_dead_model_ends_it_instead_of_spoiling_the_figures(
    server: FaultServer, evaluate: Evaluate
) -> None:
    run = evaluate(breaker_failures=3, breaker_pause=0.1)
    server.play(*["401"] * 99)
    done, document = run()
    assert done.exit_code == 1
    assert document == {}
    line = " ".join(done.stderr.split())
    assert "refuses the key" in line
    assert f"{SESSIONS - 3} rankings are left" in line
    assert "RE2LLM_API_KEY" in line


@pytest.mark.long
def test_an_outage_is_waited_out(server: FaultServer, evaluate: Evaluate) -> None:
    run = evaluate(breaker_failures=2, breaker_pause=0.2)
    server.play("500", "500")
    done, document = run()
    assert done.exit_code == 0, done.stderr
    (row,) = document["rows"]
    assert row["flags"] == {"model_failed": 2, "server_error": 2, "completed": 2}
    done, document = run()  # what was paid is not paid again
    assert document["rows"][0]["flags"] == {}
    assert len(server.asked) == SESSIONS + 2


@pytest.mark.long
def test_a_spent_budget_says_what_is_left(server: FaultServer, evaluate: Evaluate) -> None:
    run = evaluate()
    done, document = run("--max-llm-calls", 5)
    assert done.exit_code == 1
    assert document == {}
    line = " ".join(done.stderr.split())
    assert line.startswith(
        "error: --max-llm-calls: The limit of 5 calls is reached. 7 rankings are left"
    )
    done, document = run("--max-llm-calls", 7)
    assert done.exit_code == 0, done.stderr
    assert len(server.asked) == SESSIONS


async def test_the_hint_of_each_session_is_kept(
    services: Services, load: Callable[..., Any], domain: str
) -> None:
    await load(domain, sample_items())
    vector = services.embedder.encode(["Prefer the most recent films."])[0]
    async with services.engine.begin() as connection:
        found = await find_domain(connection, domain)
        hint, _ = await add_hint(
            connection, found.id, "Prefer recent films.", vector, provenance={}
        )
    sessions = [Session(tuple(IDS[at : at + 2]), IDS[40], tuple(IDS[40:46])) for at in range(3)]
    experiment = Experiment(Context(domain=domain, seed=0), sessions)
    hinted, plain = await experiment.policies(["random", "none"])
    assert (list(hinted.hints), list(plain.hints)) == ([hint] * 3, [None] * 3)
    assert hinted.faults == plain.faults == {}


async def test_the_rankings_of_a_session_are_asked_for_together(
    server: FaultServer,
    services: Services,
    adjust: Callable[..., None],
    load: Callable[..., Any],
    domain: str,
) -> None:
    key = SecretStr("sk-none")
    adjust(base_url=server.url, api_key=key, structured="plain", concurrency=1)
    await load(domain, sample_items())
    texts = ["Prefer recent films.", "Prefer films with the same actors."]
    async with services.engine.begin() as connection:
        there = await find_domain(connection, domain)
        for text, vector in zip(texts, services.embedder.encode(texts), strict=True):
            await add_hint(connection, there.id, text, vector, provenance={})
    sessions = [Session(tuple(IDS[at : at + 2]), IDS[40], tuple(IDS[40:46])) for at in range(4)]
    stages: list[tuple[str, int, int | None]] = []
    model = f"openai:evaluated-{uuid.uuid4().hex[:8]}"
    found = await evaluate_sessions(
        Context(domain=domain, model=model, seed=0),
        sessions,
        policies=["random", "none"],
        baselines=[],
        oracle=True,
        progress=lambda stage, done, total=None, note="": stages.append((stage, done, total)),
    )

    def given(body: Any) -> int:
        return next((n for n, text in enumerate(texts, 1) if text in str(body["messages"])), 0)

    titles = {film.id: film.title for film in load_films()}

    def session_of(body: Any) -> int:
        shown = str(body["messages"])
        histories = [[titles[item] for item in session.history] for session in sessions]
        return next(n for n, two in enumerate(histories) if all(title in shown for title in two))

    asked = [(session_of(one.body), given(one.body)) for one in server.asked]
    chosen, rest = asked[:8], asked[8:]
    assert [session for session, _ in chosen] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [hint for _, hint in chosen[::2]] == [0] * 4
    # Of the two hints, one was given to each session before.
    assert [session for session, _ in rest] == [0, 1, 2, 3]
    calls = {row["name"]: row["llm_calls"] for row in found.document["rows"]}
    assert calls["oracle"] == 4 + len(rest)  # without a hint, and with the hints not given before
    assert [(stage, total) for stage, done, total in stages if not done] == [
        ("random, none", 8),
        ("every hint", 8),
    ]


async def test_sessions_of_the_training_are_noted(
    load: Callable[..., Any], domain: str, tmp_path: Path
) -> None:
    seen = [Session(tuple(IDS[at : at + 2]), IDS[40]) for at in range(3)]
    await load(domain, sample_items(), seen)
    file = tmp_path / "sessions.jsonl"
    rows = [{"history": session.history, "target": session.target} for session in seen]
    fresh = {"history": IDS[50:52], "target": IDS[40]}
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, fresh]))
    context = Context(domain=domain, seed=0)
    stages: list[str] = []
    evaluation = await evaluate_sessions(
        context,
        file,
        policies=["none"],
        baselines=["random"],
        progress=lambda stage, done, total=None, note="": stages.append(f"{stage} {done}/{total}"),
    )
    few, note = evaluation.notes
    assert few.startswith("4 different sessions are too few for 95 % intervals")
    assert note.startswith("3 of the 4 sessions are training sessions")
    assert [len(session.candidates or ()) for session in evaluation.sessions] == [50] * 4
    for name in ("none", "random"):
        assert [stage for stage in stages if stage.startswith(name)] == [
            f"{name} {done}/4" for done in range(5)
        ]
    again = await evaluate_sessions(
        context, evaluation.sessions[3:], policies=[], baselines=["random"]
    )
    [few] = again.notes
    assert few.startswith("1 different session is too few for 95 % intervals")
    with pytest.raises(InputError, match="Session 1 has no target"):
        await evaluate_sessions(context, [Session((IDS[0],), None)], policies=[])


@pytest.mark.parametrize("n", [0, 1, 3])
async def test_targets_of_the_history_are_noted(n: int) -> None:
    again = [Session((IDS[0], IDS[1], IDS[2]), IDS[i % 2]) for i in range(n)]
    others = [
        Session((IDS[0], IDS[1]), IDS[2]),
        Session((IDS[0], IDS[1]), IDS[0], (IDS[0], IDS[1], IDS[2])),  # with candidates of its own
    ]
    ranked, notes = await held_out_sessions(
        [*again, *others], IDS, negatives=49, seed=0, skip_malformed=False
    )
    assert len(ranked) == n + 2
    told = [note for note in notes if "the target is in the history" in note]
    assert len(told) == (n > 0)
    assert all(note.startswith(f"In {n} of {n + 2} sessions, ") for note in told)


async def test_a_session_without_a_target_is_named_by_its_line_and_can_be_skipped(
    films: str, tmp_path: Path
) -> None:
    file = tmp_path / "sessions.jsonl"
    rows = [[IDS[0], IDS[1]], {"history": [IDS[2]], "target": None}, [IDS[3], IDS[4]]]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    context, systems = Context(domain=films), {"policies": [], "baselines": ["random"]}
    with pytest.raises(InputError, match=f"{file.name}:2: has no target"):
        await evaluate_sessions(context, file, **systems)
    done = await evaluate_sessions(context, file, skip_malformed=True, **systems)
    assert len(done.sessions) == 2


@pytest.mark.parametrize("bare", [[1], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("from_file", [True, False])
@pytest.mark.parametrize("skip_malformed", [True, False])
async def test_recorded_answers_need_the_candidates_that_were_given(
    films: str, tmp_path: Path, bare: list[int], from_file: bool, skip_malformed: bool
) -> None:
    rows: list[dict[str, Any]] = [
        {"history": IDS[at : at + 1], "target": IDS[40], "candidates": IDS[40:46]}
        for at in range(6)
    ]
    for at in bare:
        del rows[at]["candidates"]
    file, answers = tmp_path / "sessions.jsonl", tmp_path / "answers.jsonl"
    file.write_text("".join(f"\n{json.dumps(row)}\n" for row in rows))
    answers.write_text('{"answer": "1. Alien"}\n' * len(rows))
    sessions: Path | list[Session] = file
    if not from_file:
        sessions = [
            Session(tuple(row["history"]), row["target"], tuple(row.get("candidates", ())) or None)
            for row in rows
        ]
    with pytest.raises(InputError, match="No candidates are given in") as caught:
        await evaluate_sessions(
            Context(domain=films),
            sessions,
            answers=answers,
            policies=[],
            baselines=["random"],
            skip_malformed=skip_malformed,
        )
    assert caught.value.field == "sessions"
    named = [f"{file}:{2 * at + 2}" if from_file else f"session {at + 1}" for at in bare]
    more = " and 2 more" if len(bare) == 5 else ""
    assert f" in {', '.join(named[:3])}{more}. " in caught.value.problem
    # Without recorded answers, candidates are drawn.
    assert await evaluate_sessions(
        Context(domain=films), sessions, policies=[], baselines=["random"]
    )


async def test_without_a_release_the_default_says_what_is_missing(
    services: Services, domain: str
) -> None:
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(4, seed=1)])
    context, test = Context(domain=domain), simulate_sessions(1, seed=9)
    evaluation = await evaluate_sessions(context, test, baselines=[])
    assert [row.name for row in evaluation.rows] == ["none"]  # others would be the same row
    assert any("re2llm learn" in note for note in evaluation.notes)
    await add_own_hint(context, "Prefer films of the same genre.")
    evaluation = await evaluate_sessions(context, test, baselines=[])
    assert [row.name for row in evaluation.rows] == ["none", "random", "similar", "static"]
    assert any("re2llm train" in note for note in evaluation.notes)
