"""Importing a file: shown first, loaded by a job, and not kept; hostile files change nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from console import Browser, form_to, forms
from learnt import libpq
from re2llm.data.files import read_lines
from re2llm.data.jsonl import JsonlReader
from re2llm.data.malformed import ReadReport
from re2llm.errors import InputError
from re2llm.jobs.queue.control import cancel_job, job, jobs
from re2llm.jobs.queue.submit import submit
from re2llm.jobs.worker import pieces
from re2llm.operations.catalogue.items import show_item
from re2llm.operations.loading import imports
from re2llm.operations.loading.turns import in_turns
from re2llm.operations.loading.unpacking import unpacked
from re2llm.operations.sessions.purge import purge
from re2llm.records import Item, Session
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services

UPLOADS = "SELECT count(*) FROM re2llm.upload"
ITEMS = b"""{"id": 1, "title": "Thing One", "maker": "Acme"}
{"id": 2, "title": "Thing two, renamed"}
{"id": 3}
{"id": "<b>4</b>", "title": "=HYPERLINK(\\"http://x\\")<script>alert(1)</script>"}
"""


@pytest.fixture
async def shop(load: Any, domain: str) -> str:
    items = [Item(str(n), f"Thing {n}", {}) for n in range(1, 9)]
    await load(domain, items, [Session(("1", "2"), "3")])
    return domain


async def upload(
    browser: Browser, domain: str, kind: str, content: bytes, name: str = "mine.jsonl"
) -> httpx.Response:
    """Send a file as the page's form does."""
    form = form_to(
        await browser.get("/console/catalogue", domain=domain), "/console/catalogue:upload"
    )
    data = {**dict(form.fields), "kind": kind}
    del data["file"]
    return await browser.http.post(form.action, data=data, files={"file": (name, content)})


async def preview(browser: Browser, *given: Any, **more: Any) -> Any:
    """Send a file, and return the page that shows it."""
    answer = await upload(browser, *given, **more)
    assert answer.status_code == 303, answer.text
    return await browser.get(answer.headers["location"])


def text_of(page: Any) -> str:
    return " ".join(page.one("main").text.split())


async def done(browser: Browser, page: Any) -> Any:
    """Load what a page shows, do the job as a worker does, and return the job."""
    form = form_to(page, "/console/catalogue:import")
    answer = await browser.send(form, button=("change", "load"))
    assert answer.status_code == 303, answer.text
    name = answer.headers["location"].partition("?")[0].rpartition("/")[2]
    planned = await pieces.plan(name, 1)
    assert planned is not None
    assert planned["error"] is None
    await pieces.finish(name, 1, {}, {})
    return (await job(Context(), name)).job


async def test_no_connection_is_held_while_a_file_is_read(
    shop: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=shop)
    key = await imports.keep_upload(context, "mine.jsonl", "items", ITEMS)
    pool: Any = services.engine.pool
    held: list[int] = []
    read = imports._read

    def watched(*given: Any) -> Any:
        held.append(pool.checkedout())
        return read(*given)

    monkeypatch.setattr(imports, "_read", watched)
    assert (await imports.preview_upload(context, key)).items == 3
    assert held == [pool.checkedout()]
    await imports.discard_upload(context, key)


async def test_an_import_whose_end_was_lost_is_done_again(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=shop)
    key = await imports.keep_upload(context, "mine.jsonl", "items", ITEMS)
    made = await submit(context, "import", {"upload": key})
    store = pieces.end_job

    async def lost(*_: Any, **__: Any) -> bool:
        raise OSError

    monkeypatch.setattr(pieces, "end_job", lost)
    with pytest.raises(OSError):  # noqa: PT011
        await pieces.finish(made.id, 1, {}, {})
    monkeypatch.setattr(pieces, "end_job", store)
    await pieces.finish(made.id, 1, {}, {})
    assert (await job(context, made.id)).job.state == "done"
    with pytest.raises(InputError, match="no longer there"):
        await imports.preview_upload(context, key)


async def test_items_are_shown_first_and_then_loaded(
    browser: Browser, shop: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    page = await preview(browser, shop, "items", ITEMS, name="../../etc/<i>passwd</i>.jsonl")
    text = text_of(page)
    for part in (
        "Import i>.jsonl",
        "3 items, 3 new or changed",
        "1 malformed row left out",
        "items.jsonl:3: has no title",
        "Thing One",
        '=HYPERLINK("http://x")<script>alert(1)</script>',
        "Load it without the 1 malformed row",
    ):
        assert part in text, text
    assert str(tmp_path) not in text
    assert (await show_item(Context(domain=shop), "id:1")).title == "Thing 1"  # not yet
    ended = await done(browser, page)
    assert (ended.state, ended.result["items_changed"], ended.result["malformed"]) == ("done", 3, 1)
    assert ended.result["notes"] == ["items.jsonl:3: has no title (it has 'id')"]
    assert (await show_item(Context(domain=shop), "id:1")).title == "Thing One"
    assert (await show_item(Context(domain=shop), "id:<b>4</b>")).title.startswith("=HYPER")
    assert uploads(url) == 0
    assert not list(tmp_path.iterdir())  # neither the form nor the readers left anything


async def test_sessions_and_interactions_are_loaded(browser: Browser, shop: str, url: str) -> None:
    lines = [["1", "2", "4"], {"history": ["5"], "target": "6"}, ["1", "nothing"], "no"]
    content = gzip.compress("\n".join(map(json.dumps, lines)).encode())
    page = await preview(browser, shop, "sessions", content, name="s.jsonl.gz")
    text = text_of(page)
    assert "2 sessions" in text
    assert "item 'nothing' is not in the catalogue" in text
    assert "1 → 2 → 4" in text
    ended = await done(browser, page)
    assert (ended.result["sessions_new"], ended.result["items"]) == (2, 8)
    table = "user,item,time\n" + "".join(f"u,{n},2024-01-0{n}\n" for n in (1, 2, 9))
    page = await preview(browser, shop, "table", b"a,b\n1,2\n")
    assert "Name the columns user, item and time" in text_of(page)
    page = await preview(browser, shop, "table", table.encode(), name="t.csv")
    assert "3 items, 1 new or changed" in text_of(page)  # called by its id
    assert (await done(browser, page)).state == "done"
    assert uploads(url) == 0


async def test_a_file_is_deleted_when_it_is_not_wanted(
    browser: Browser, shop: str, url: str
) -> None:
    for _ in range(2):  # another one takes the place of the last
        page = await preview(browser, shop, "items", ITEMS)
        assert uploads(url) == 1
    form = form_to(page, "/console/catalogue:import")
    answer = await browser.send(form, button=("change", "discard"))
    assert "nothing was loaded" in text_of(await browser.get(answer.headers["location"]))
    assert uploads(url) == 0
    again = await browser.send(form, button=("change", "load"))
    assert "no longer there" in again.text
    page = await preview(browser, shop, "items", ITEMS)
    await purge(Context(), older_than=0)
    assert uploads(url) == 0
    await preview(browser, shop, "items", ITEMS)
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute("UPDATE re2llm.upload SET created_at = now() - interval '2 hours'")
    await preview(browser, shop, "sessions", b'["1", "2"]\n')
    assert uploads(url) == 1


async def test_a_file_that_was_loaded_is_not_said_to_be_deleted(
    browser: Browser, shop: str
) -> None:
    page = await preview(browser, shop, "items", ITEMS)
    assert (await done(browser, page)).state == "done"
    form = form_to(page, "/console/catalogue:import")  # of another tab
    answer = await browser.send(form, button=("change", "discard"))
    told = text_of(await browser.get(answer.headers["location"]))
    assert "it was loaded or deleted before" in told
    assert "nothing was loaded" not in told


async def test_a_file_belongs_to_its_job_until_that_is_cancelled(
    browser: Browser, shop: str, url: str
) -> None:
    answer = await upload(browser, shop, "items", ITEMS)
    where = answer.headers["location"]
    form = form_to(await browser.get(where), "/console/catalogue:import")
    answer = await browser.send(form, button=("change", "load"))
    name = answer.headers["location"].partition("?")[0].rpartition("/")[2]
    page = await browser.get(where)
    assert f"The job {name} is to load it." in text_of(page)
    assert "/console/catalogue:import" not in {one.action for one in forms(page)}
    key = httpx.URL(where).params["upload"]
    with psycopg.connect(libpq(url), autocommit=True) as connection:  # as long ago as may be
        connection.execute(
            "UPDATE re2llm.upload SET created_at = now() - interval '23 hours' WHERE id = %s",
            (key,),
        )
    before = uploads(url)
    for undashed in (key, key.replace("-", "")):  # of another tab
        for change in ("load", "discard"):
            other = await browser.send(form, button=("change", change), upload=undashed, once="")
            assert other.status_code == 422
            assert f"The job {name} is to load the file." in other.text
    assert [one.job.id for one in await jobs(Context(domain=shop), domain=shop)] == [name]
    assert uploads(url) == before
    await cancel_job(Context(), name)
    page = await browser.get(where)
    answer = await browser.send(
        form_to(page, "/console/catalogue:import"), button=("change", "discard")
    )
    assert "nothing was loaded" in text_of(await browser.get(answer.headers["location"]))
    assert uploads(url) == before - 1


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("running", "Wait for its end, or cancel it first."),
        ("paused", "Resume it, or cancel it first."),
        ("stopped", "Retry it, or cancel it first."),
        ("failed", "Retry it, or cancel it first."),
    ],
)
async def test_nobody_is_told_to_wait_for_a_job_that_has_ended(
    browser: Browser, shop: str, url: str, state: str, remedy: str
) -> None:
    context = Context(domain=shop)
    key = await imports.keep_upload(context, "mine.jsonl", "items", ITEMS)
    made = await submit(context, "import", {"upload": key})
    set_state = "UPDATE re2llm.job SET state = %s WHERE id = %s"
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(set_state, (state, made.id))
    with pytest.raises(InputError) as refused:
        await imports.discard_upload(context, key)
    assert refused.value.remedy == remedy
    page = await browser.get("/console/catalogue:import", domain=shop, upload=key)
    said = f"is to load it, and is {state}." if state != "running" else "is to load it. Once"
    assert said in text_of(page)
    await cancel_job(context, made.id)
    assert await imports.discard_upload(context, key)


async def test_a_file_is_submitted_once_though_some_ask_at_the_same_time(shop: str) -> None:
    context = Context(domain=shop)
    key = await imports.keep_upload(context, "mine.jsonl", "items", ITEMS)
    asked = [submit(context, "import", {"upload": key}) for _ in range(3)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, InputError) for one in made) == 2
    assert len(await jobs(context, domain=shop)) == 1
    for one in await jobs(context, domain=shop):
        await cancel_job(context, one.job.id)
    assert await imports.discard_upload(context, key)
    assert not await imports.discard_upload(context, key)


HUGE = {
    "keys": {f"k{n}": n for n in range(60_000)},
    "a list": {"tags": list(range(120_000))},
}


@pytest.mark.parametrize("facts", HUGE.values(), ids=HUGE)
async def test_a_row_of_very_many_facts_is_loaded_within_limits(
    browser: Browser, shop: str, facts: dict[str, Any]
) -> None:
    row = json.dumps({"id": "1", "title": "Thing One", "year": 1995, **facts})
    page = await preview(browser, shop, "items", f"{row}\n".encode())
    assert "ignored" in text_of(page)
    assert (await done(browser, page)).state == "done"
    kept = (await show_item(Context(domain=shop), "id:1")).attributes
    assert kept["year"] == 1995
    assert len(kept) <= 1_000
    assert all(not isinstance(value, list) for value in kept.values())


HOSTILE = {
    "a bomb": (gzip.compress(b"\0" * (70 * 2**20)), "Unpacked, it is larger than"),
    "a bomb in a bomb": (gzip.compress(gzip.compress(b"\n" * 2**20)), "compressed twice"),
    "a bomb of lines": (gzip.compress(b"x\n" * 2**21), "more than 2,000,000 lines"),
    "blank lines": (b"\n" * 2**21, "more than 2,000,000 lines"),
    "cut off": (gzip.compress(ITEMS * 50)[:-20], "cut-off gzip file"),
    "deep": (b"[" * 100_000, "is one JSON list"),
    "deep rows": (b'{"id": 1, "title": "One", "a": ' + b"[" * 100_000, "1 malformed row left out"),
    "a long line": (b'{"id": 1, "title": "' + b"x" * 1_000_000, "1 malformed row left out"),
    "a huge line": (b'{"id": 1, "title": "' + b"x" * 3_000_000, "longer than 1,048,576 bytes"),
    "a bomb of one line": (gzip.compress(b"[" + b"[]," * 2**22), "longer than 1,048,576 bytes"),
    "UTF-16": ('{"id": 1, "title": "One"}\n'.encode("utf-16"), "is UTF-16 text"),
    "Latin": ('{"id": 1, "title": "A caf\u00e9 in town"}\n'.encode("latin-1"), "is not UTF-8 text"),
    "a list": (b'[{"id": 1, "title": "One"}]', "is one JSON list"),
    "Parquet": (b"PAR1" + b"\0" * 100, "Parquet"),
    "an archive": (b"PK\x03\x04" + b"\0" * 2_000, "is a spreadsheet or a ZIP"),
}


@pytest.mark.long
async def test_hostile_files_are_refused_and_change_nothing(
    browser: Browser, shop: str, rows: Any
) -> None:
    await preview(browser, shop, "items", ITEMS)
    before = rows()
    for name, (content, said) in HOSTILE.items():
        for kind in ("items", "table") if "is a" in said or "file" in said else ("items",):
            page = await preview(browser, shop, kind, content)
            assert said in text_of(page), (name, kind, text_of(page)[:500])
            buttons = form_to(page, "/console/catalogue:import").buttons
            assert buttons == [("change", "discard")], name
    for content in (b"", b"x" * (imports.LARGEST_UPLOAD + 1), b"x" * (imports.LARGEST_UPLOAD * 2)):
        answer = await upload(browser, shop, "items", content)
        assert answer.status_code in {413, 422}, answer.status_code
        assert "chosen" in answer.text or "larger than 8,388,608 bytes" in answer.text
    assert (await upload(browser, shop, "anything", ITEMS)).status_code == 422
    assert rows() == before


@pytest.mark.parametrize(
    ("charset", "status"),
    [
        ("utf-8", 403),
        ('"UTF8"', 403),
        ("utf-7", 422),
        ("unicode-escape", 422),
        ("utf-16", 422),
        ("idna", 422),
        ("latin-1", 422),
        ("zlib", 422),
        ("no-such", 422),
        ("\xe9", 422),
        ("", 422),
    ],
)
async def test_a_form_with_a_file_is_utf_8(
    browser: Browser, charset: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    part = b'--B\r\ncontent-disposition: form-data; name="token"\r\n\r\n+2AA-\\ud800\r\n--B--\r\n'
    kind = f"multipart/form-data; boundary=B; charset={charset}".encode("latin-1")
    answer = await browser.http.post(
        "/console/catalogue:upload", content=part, headers={"content-type": kind}
    )
    assert answer.status_code == status, answer.text
    assert status != 422 or "The form cannot be read." in answer.text
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


LONGEST = 2**20


@pytest.mark.parametrize(
    ("lines", "fits"),
    [
        ([LONGEST], True),
        ([LONGEST + 1], False),
        ([LONGEST, LONGEST, 0, LONGEST], True),
        ([LONGEST, LONGEST + 1], False),
        ([LONGEST + 1, 1], False),
        ([0, LONGEST + 1, 0], False),
        ([10] * 300_000, True),
        ([10] * 300_000 + [LONGEST + 1], False),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_sent_file_has_no_line_that_holds_up_all_others(
    lines: list[int], fits: bool, pack: Callable[[bytes], bytes]
) -> None:
    content = b"\n".join(b"x" * length for length in lines)
    if fits:
        assert unpacked(pack(content)) == content
    else:
        with pytest.raises(InputError, match="A line is longer") as caught:
            unpacked(pack(content))
        assert "re2llm load" in caught.value.remedy


@pytest.mark.long
def test_a_file_of_many_parts_takes_linear_time() -> None:
    part = gzip.compress(b"")

    def seconds(parts: int) -> float:
        content = part * parts
        started = time.perf_counter()
        assert unpacked(content) == b""
        return time.perf_counter() - started

    assert min(seconds(100_000) for _ in range(2)) < 9 * min(seconds(25_000) for _ in range(3))


async def test_one_sender_reads_one_file_at_a_time(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=shop)
    key = await imports.keep_upload(context, "mine.jsonl", "items", ITEMS)
    lock, reading, most = threading.Lock(), 0, 0
    read = imports._read

    def watched(*given: Any) -> Any:
        nonlocal reading, most
        with lock:
            reading += 1
            most = max(most, reading)
        time.sleep(0.05)
        try:
            return read(*given)
        finally:
            with lock:
                reading -= 1

    monkeypatch.setattr(imports, "_read", watched)
    shown = await asyncio.gather(*(imports.preview_upload(context, key) for _ in range(4)))
    assert [one.items for one in shown] == [3] * 4
    assert most == 1
    await imports.discard_upload(context, key)


async def test_those_who_wait_for_a_file_share_a_reading(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(domain=shop)
    key = await imports.keep_upload(context, "mine.jsonl", "items", ITEMS)
    began, goes_on = threading.Event(), threading.Event()
    read, readings = imports._read, 0

    def watched(*given: Any) -> Any:
        nonlocal readings
        readings += 1
        began.set()
        assert goes_on.wait(10)
        return read(*given)

    monkeypatch.setattr(imports, "_read", watched)
    first = asyncio.create_task(imports.preview_upload(context, key))
    assert await asyncio.to_thread(began.wait, 10)
    later = [asyncio.create_task(imports.preview_upload(context, key)) for _ in range(6)]
    await asyncio.sleep(0.05)
    goes_on.set()
    assert [one.items for one in await asyncio.gather(first, *later)] == [3] * 7
    assert readings == 2
    await imports.discard_upload(context, key)


@pytest.mark.parametrize("line", [b"x\n", b"\n", b'{"id": 1, "title": "One"}\n'])
async def test_a_reading_lets_others_go_on_and_ends_when_it_is_cancelled(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(line * 2_000_000)
    ended = threading.Event()

    def read() -> None:
        try:
            list(JsonlReader(path).items(ReadReport()))
        finally:
            ended.set()

    reading = asyncio.create_task(in_turns(read))
    late: list[float] = []
    for _ in range(40):
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - began)
    assert not reading.done()
    assert sorted(late)[20] < 0.1
    reading.cancel()
    assert await asyncio.to_thread(ended.wait, 1)


async def test_a_reading_rests_as_long_as_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"x\n" * 5)

    def read() -> None:
        for _ in read_lines(path, ReadReport()):
            until = time.thread_time() + 0.05  # a line that takes long
            while time.thread_time() < until:
                pass

    rests: list[float] = []
    monkeypatch.setattr("re2llm.operations.loading.turns.time.sleep", rests.append)
    await in_turns(read)
    assert sum(rest >= 0.05 for rest in rests) >= 4


async def test_no_sender_fills_the_database_with_files(shop: str, url: str) -> None:
    options, before = await resolve_context(Context(domain=shop)), uploads(url)

    async def send() -> None:
        key = await imports.keep_upload(Context(domain=shop), "mine.jsonl", "items", ITEMS)
        await imports.submit_upload(options, key)

    for _ in range(20):
        await send()
    with pytest.raises(InputError, match="20 files wait"):
        await send()
    assert uploads(url) == before + 21
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute("UPDATE re2llm.upload SET created_at = now() - interval '2 days'")
        await send()
        assert uploads(url) == 1
        connection.execute("DELETE FROM re2llm.upload")


async def test_a_file_belongs_to_its_catalogue_and_needs_the_right(
    browser: Browser, stranger: Browser, shop: str, films: str, make_key: Any, rows: Any
) -> None:
    hers = await upload(browser, shop, "items", ITEMS)
    key = httpx.URL(hers.headers["location"]).params["upload"]
    await stranger.sign_in(await make_key(may=("learn",)))
    page = await stranger.get("/console/catalogue", domain=films)
    assert "Import a file" not in text_of(page)
    await stranger.get("/console/catalogue:import", 403, domain=films, upload=key)
    await stranger.sign_in(await make_key(may=("load",)))
    before = rows()
    page = await stranger.get("/console/catalogue:import", 422, domain=films, upload=key)
    assert "no longer there" in text_of(page)
    mine = await preview(stranger, films, "items", ITEMS)
    form = form_to(mine, "/console/catalogue:import")
    for change in ("load", "discard"):
        await stranger.send(form, button=("change", change), upload=key)
    after = rows()
    assert after == {**before, "upload": before["upload"] + 1}  # her own file


def uploads(url: str) -> int:
    with psycopg.connect(libpq(url)) as connection:
        found = connection.execute(UPLOADS).fetchone()
    return found[0] if found else -1
