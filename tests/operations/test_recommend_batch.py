"""Batches of recommendations: in order, resumed after a kill, with bad rows, in Parquet."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from learnt import libpq
from re2llm.data.sample import simulate_sessions
from re2llm.errors import InputError, ReleaseMisfitError
from re2llm.operations.catalogue.domains import delete_domain
from re2llm.operations.recommending.answer_file import AnswerFile
from re2llm.operations.recommending.batch import recommend_batch
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.sharing import shared_services

RE2LLM = Path(sys.executable).with_name("re2llm")
OPEN = """
import sys
from pathlib import Path
from re2llm.operations.recommending.answer_file import AnswerFile

AnswerFile(Path(sys.argv[1])).open()
"""
HISTORIES = [list(session.history) for session in simulate_sessions(10, seed=3)]


def write(file: Path, rows: Sequence[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def answers(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def essence(found: Sequence[dict[str, Any]]) -> list[Any]:
    return [(one["row"], one["key"], one.get("items"), one.get("error")) for one in found]


@pytest.fixture
def context(films: str) -> Context:
    return Context(domain=films, policy="none")


async def test_every_row_is_answered_in_order_and_a_bad_one_says_why(
    context: Context, tmp_path: Path
) -> None:
    rows: list[Any] = [{"key": f"u{n}", "history": one} for n, one in enumerate(HISTORIES[:8])]
    rows[2:2] = ["{not json", {"key": "lost", "history": ["no such film at all"]}, "", []]
    rows.append({"key": 7, "history": HISTORIES[0][:2], "candidates": HISTORIES[1][:4]})
    told: list[str] = []
    out = tmp_path / "out.jsonl"
    done = await recommend_batch(
        context, write(tmp_path / "in.jsonl", rows), out, k=3, concurrency=4, on_bad=told.append
    )
    found = answers(out)
    assert [one["row"] for one in found] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13]
    assert [one["key"] for one in found[:2]] == ["u0", "u1"]
    bad = {one["row"]: one["error"] for one in found if "error" in one}
    assert set(bad) == {3, 4, 6}
    assert "is not JSON" in bad[3]["problem"]
    assert bad[4]["field"].startswith("history")
    assert (done.rows, done.bad, len(told)) == (12, 3, 3)
    assert told[0].startswith("row 3: ")
    assert found[-1]["key"] == "7"
    assert {item["id"] for item in found[-1]["items"]} <= set(HISTORIES[1][:4])
    assert all(len(one["items"]) == 3 for one in found if "items" in one)
    assert all(one["recommendation_id"] for one in found if "items" in one)
    again = await recommend_batch(context, tmp_path / "in.jsonl", out, k=3)
    assert (again.rows, again.before, again.llm_calls) == (12, 12, 0)


async def test_a_bad_row_says_which_of_its_fields_is_at_fault(
    context: Context, tmp_path: Path
) -> None:
    rows: list[Any] = [{"hist": []}, {"history": "Alien"}, {"history": [1.5]}, "[1]", "7"]
    rows += [
        {"history": [1], "candidates": 3},
        '{"key": "a", "key": "b"}',
        {"key": [], "history": []},
    ]
    told: list[str] = []
    given = write(tmp_path / "in.jsonl", rows)
    await recommend_batch(context, given, tmp_path / "out.jsonl", on_bad=told.append)
    assert told == [
        "row 1: history: The row has no history.",
        "row 2: history: 'Alien' is not a list of ids.",
        "row 3: history: Id 1.5 is neither text nor a whole number.",
        "row 4: row: It holds fewer than two ids: a history and a target are needed.",
        "row 5: row: 7 is neither an object nor a list of ids.",
        "row 6: candidates: 3 is not a list of ids.",
        "row 7: row: It gives a key twice.",
        "row 8: key: [] is neither text nor a whole number.",
    ]


async def test_a_half_written_line_is_repaired_and_what_is_done_stays(
    context: Context, tmp_path: Path
) -> None:
    file = write(tmp_path / "in.jsonl", [{"history": one} for one in HISTORIES[:6]])
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    await recommend_batch(context, file, whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    for end in (b"", lines[3][:1], lines[3][:20], lines[3][:-1]):
        cut.write_bytes(b"".join(lines[:3]) + end)
        done = await recommend_batch(context, file, cut)
        assert (done.rows, done.before) == (6, 3)
        assert cut.read_bytes().startswith(b"".join(lines[:3]))
        assert essence(answers(cut)) == essence(answers(whole))


async def test_a_file_that_holds_something_else_is_left_alone(
    context: Context, tmp_path: Path
) -> None:
    file = write(tmp_path / "in.jsonl", [{"key": "a", "history": HISTORIES[0]}])
    other = write(tmp_path / "other.jsonl", [{"key": "b", "history": HISTORIES[1]}])
    out = tmp_path / "out.jsonl"
    await recommend_batch(context, other, out)
    with pytest.raises(InputError, match="answers other rows"):
        await recommend_batch(context, file, out)
    for content in ("dear diary", '{"name": "x"}\n{"name": "y"}\n'):
        out.write_text(content)
        with pytest.raises(InputError, match="something else"):
            await recommend_batch(context, file, out)
        assert out.read_text() == content
    with pytest.raises(InputError, match="does not exist"):
        await recommend_batch(context, tmp_path / "none.jsonl", tmp_path / "new.jsonl")


@pytest.mark.parametrize("name", ["/dev/full", "/dev/zero", "/dev/null", "fifo", "fifo.parquet"])
async def test_a_device_or_a_pipe_is_no_file_of_answers(
    context: Context, tmp_path: Path, name: str
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
        os.mkfifo(tmp_path / f"{name}.part.jsonl")
    elif name == "fifo":
        os.mkfifo(tmp_path / name)
    file = write(tmp_path / "in.jsonl", [{"history": HISTORIES[0]}])
    with pytest.raises(InputError, match="device or a pipe") as refused:
        await recommend_batch(context, file, tmp_path / name)
    assert refused.value.field == "answers"


@pytest.mark.parametrize("begins", [b"", b'{"row": 1, "key": "'])
def test_a_file_without_line_ends_is_not_read_whole(tmp_path: Path, begins: bytes) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(begins)
    os.truncate(out, 2**28)
    before = tracemalloc.start() or tracemalloc.get_traced_memory()[0]
    try:
        with pytest.raises(InputError, match="something else"):
            AnswerFile(out).open()
        assert tracemalloc.get_traced_memory()[1] - before < 2**26
    finally:
        tracemalloc.stop()
    assert out.stat().st_size == 2**28


@pytest.mark.parametrize("change", ["history", "earlier", "candidates", "fewer", "k", "policy"])
async def test_answers_to_other_rows_or_options_are_not_gone_on_with(
    context: Context, tmp_path: Path, change: str
) -> None:
    rows: list[dict[str, Any]] = [{"history": one} for one in HISTORIES[:4]]
    out = tmp_path / "out.jsonl"
    await recommend_batch(context, write(tmp_path / "in.jsonl", rows), out, k=2)
    before = out.read_bytes()
    match change:
        case "history":
            rows = [{"history": one} for one in HISTORIES[4:9]]
        case "earlier":
            rows[1]["history"] = HISTORIES[8]
        case "candidates":
            rows[3]["candidates"] = HISTORIES[5][:4]
        case "fewer":
            rows.pop()
        case _:
            pass
    other = write(tmp_path / "other.jsonl", rows)
    if change == "policy":
        context = replace(context, policy="random")
    with pytest.raises(InputError, match="answers other rows"):
        await recommend_batch(context, other, out, k=5 if change == "k" else 2)
    assert out.read_bytes() == before


async def test_options_count_wherever_they_are_set(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "in.jsonl", [{"history": one} for one in HISTORIES[:2]])
    out = tmp_path / "out.jsonl"
    services = await shared_services()
    context = replace(context, policy=None)
    changed = services.settings.model_copy(update={"policy": "none"})
    monkeypatch.setattr(services, "settings", changed)
    await recommend_batch(context, file, out, k=2)
    again = await recommend_batch(replace(context, policy="none"), file, out, k=2)
    assert (again.before, again.rows) == (2, 2)
    other = services.settings.model_copy(update={"policy": "random"})
    monkeypatch.setattr(services, "settings", other)
    with pytest.raises(InputError, match="answers other rows"):
        await recommend_batch(context, file, out, k=2)


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
async def test_one_of_two_runs_writes_a_file(context: Context, tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    file = write(tmp_path / "in.jsonl", [{"history": one} for one in HISTORIES[:6]])
    out = tmp_path / name
    runs = [recommend_batch(context, file, out, k=2) for _ in range(2)]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    (refused,) = [end for end in ends if isinstance(end, BaseException)]
    assert isinstance(refused, InputError)
    assert "Another process writes" in str(refused)
    if name == "out.jsonl":
        assert [one["row"] for one in answers(out)] == [1, 2, 3, 4, 5, 6]
    assert [one.name for one in tmp_path.iterdir() if "out" in one.name] == [name]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_another_process_cannot_open_a_file_that_is_written(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    file = AnswerFile(tmp_path / name)
    file.open()
    command = [sys.executable, "-c", OPEN, str(tmp_path / name)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Another process writes" in refused.stderr
    file.close(complete=False)
    subprocess.run(command, check=True)


async def test_parquet_in_and_out(context: Context, tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"key": n, "history": one} for n, one in enumerate(HISTORIES[:5])]
    rows[3]["history"] = []
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    done = await recommend_batch(context, tmp_path / "in.parquet", out, k=2)
    table = parquet.read_table(out).to_pylist()
    assert (done.rows, done.bad) == (5, 1)
    assert [one["key"] for one in table] == ["0", "1", "2", "3", "4"]
    assert [len(one["items"]) for one in table] == [2, 2, 2, 0, 2]
    assert table[3]["error"]
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == ["out.parquet"]
    with pytest.raises(InputError, match="is there already"):
        await recommend_batch(context, tmp_path / "in.parquet", out)


async def test_rows_are_read_only_as_far_ahead_as_needed(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from re2llm.operations.recommending import batch as module

    read = module.read_requests
    ahead, most = 0, 0

    def counted(path: Path) -> Any:
        nonlocal ahead, most
        for row in read(path):
            ahead += 1
            most = max(most, ahead)
            yield row

    def written(*_: Any, **__: Any) -> None:
        nonlocal ahead
        ahead -= 1

    monkeypatch.setattr(module, "read_requests", counted)
    file = write(tmp_path / "in.jsonl", [{"history": HISTORIES[0]}] * 40)
    done = await recommend_batch(
        context, file, tmp_path / "out.jsonl", concurrency=2, progress=written
    )
    assert done.rows == 40
    assert most <= 2 * 4 + 1


@pytest.mark.parametrize("change", ["deleted", "made anew", "other policy", "model"])
async def test_what_is_no_fault_of_a_row_ends_the_run_and_a_rerun_goes_on(
    domain: str,
    load: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    from re2llm.operations.recommending import batch as module

    items = [Item(id=str(n), title=f"Film {n}") for n in range(12)]
    sessions = [Session(history=(str(n), str(n + 1)), target=str(n + 2)) for n in range(10)]
    await load(domain, items, sessions)
    context = Context(domain=domain, policy="none")
    rows: list[Any] = [{"key": str(n), "history": [str(n), str(n + 1)]} for n in range(10)]
    file, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    asked = 0

    async def changed(*given: Any, **named: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked != 4:
            return await recommend(*given, **named)
        match change:
            case "deleted":
                await delete_domain(context, domain)
            case "made anew":
                await delete_domain(context, domain)
                await load(domain, items[2:], sessions[2:])
                raise InputError("history", "Domain has no item '3'.", "")
            case "other policy":
                raise InputError("hint_id", "The domain has no hint 3.", "")
            case _:
                raise ReleaseMisfitError("release", "It is of another model.", "")
        return await recommend(*given, **named)

    monkeypatch.setattr(module, "recommend", changed)
    with pytest.raises(InputError) as refused:
        await recommend_batch(context, file, out, concurrency=1)
    assert refused.value.field == {"other policy": "hint_id", "model": "release"}.get(
        change, "domain"
    )
    assert [one["key"] for one in answers(out)] == ["0", "1", "2"]
    assert not [one for one in answers(out) if "error" in one]
    if change == "deleted":
        with pytest.raises(InputError, match="no domain"):
            await recommend_batch(context, file, out)
        await load(domain, items, sessions)
    done = await recommend_batch(context, file, out)
    assert (done.rows, done.before, done.bad) == (10, 3, 0)


@pytest.mark.slow
def test_a_batch_that_is_killed_goes_on_where_it_ended(
    films: str, url: str, tmp_path: Path
) -> None:
    rows = [{"key": f"u{n}", "history": HISTORIES[n % 10]} for n in range(400)]
    file, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    command = [RE2LLM, "recommend", "--requests", file, "--out", out, "--domain", films]
    env = {**os.environ, "RE2LLM_DATABASE_URL": libpq(url)}
    for least in (1, 60, 150):
        process = subprocess.Popen(
            list(map(str, command)), env=env, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while not out.exists() or out.read_bytes().count(b"\n") < least:
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = out.read_bytes()
    subprocess.run(list(map(str, command)), env=env, check=True)
    assert out.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    assert [one["key"] for one in answers(out)] == [row["key"] for row in rows]


async def test_a_key_may_be_longer_than_a_name(context: Context, tmp_path: Path) -> None:
    rows: list[Any] = [{"key": "k" * 400 + str(n), "history": HISTORIES[n]} for n in range(2)]
    out = tmp_path / "out.jsonl"
    done = await recommend_batch(context, write(tmp_path / "in.jsonl", rows), out, k=3)
    assert (done.rows, done.bad) == (2, 0)
    assert [one["key"] for one in answers(out)] == [row["key"] for row in rows]


async def test_a_spent_budget_ends_it_with_the_reason_and_a_rerun_goes_on(
    context: Context, tmp_path: Path
) -> None:
    context = replace(context, fuse="llm")  # every row asks the model
    rows = [{"history": one} for one in HISTORIES[:5]]
    file, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    ended = await recommend_batch(context, file, out, max_llm_calls=2, concurrency=1)
    assert (ended.rows, ended.llm_calls) == (2, 2)
    assert ended.as_dict()["stopped"]["kind"] == "budget"
    done = await recommend_batch(context, file, out)
    assert (done.rows, done.before, done.llm_calls) == (5, 2, 3)
    assert done.as_dict()["stopped"] is None
