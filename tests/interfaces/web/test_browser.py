"""The console in Debian's Chromium: one journey, axe on every page, and hostile texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import hostile_domain
from re2llm.jobs.queue.submit import submit
from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.releases import Release, list_releases, store_release
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.hints.manage import add_hint, list_hints
from re2llm.operations.loading.imports import keep_upload
from re2llm.runtime.context import Context
from re2llm.runtime.options import resolve_context
from re2llm.runtime.services import Services

axe = pytest.importorskip("axe_playwright_python", reason="needs the extra `browser`")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
AXE = Path(axe.__file__ or "").with_name("axe.min.js")
PAGES = ("", "/try", "/hints", "/releases", "/jobs", "/catalogue", "/costs", "/sign-in")


async def test_a_journey(tab: Any, films: str) -> None:
    """Build a session, see both rankings, give feedback, edit and approve a hint."""
    context = Context(domain=films)
    if not (await list_hints(context)).hints:
        await add_hint(context, "Prefer films that many people chose.")
    hint = (await list_hints(context)).hints[0]
    await tab.goto("/console")
    await tab.get_by_role("link", name="Try it").click()
    await tab.get_by_label("Title, or what it is about").press_sequentially("Alien")
    await tab.get_by_role("link", name="Add Alien to the session").click()
    await tab.get_by_label("Hint number").fill(str(hint.id))
    await tab.get_by_role("button", name="Rank").click()
    await tab.get_by_role("heading", name="Without it", exact=True).wait_for()
    address = tab.url
    await tab.locator("#feedback button").first.click()
    await tab.locator("#feedback").get_by_text("was picked, at rank 1").wait_for()
    assert tab.url == address, "htmx puts the answer into the page"
    await tab.get_by_text("The prompt,").first.click()
    await tab.locator("pre", has_text=hint.text).first.wait_for()
    await tab.get_by_role("link", name="Hints", exact=True).click()
    await tab.get_by_label("Words in the text").press_sequentially(hint.text[:12])
    await tab.wait_for_url("**words=**")
    await tab.get_by_role("link", name=hint.text, exact=True).click()
    await tab.locator("#text").fill("Prefer films that very many people chose lately.")
    await tab.get_by_role("button", name="Store the new version").click()
    await tab.get_by_text("waits until it is verified").wait_for()
    await tab.get_by_role("button", name="Approve").click()
    await tab.get_by_role("status").get_by_text("Approved.").wait_for()


async def test_back_leads_to_the_session_that_was_ranked(tab: Any, films: str) -> None:
    added = await add_hint(Context(domain=films), "Prefer films that critics like.")
    await tab.goto(f"/console/try?domain={films}&history=alien-1979&history=heat-1995")
    await tab.get_by_label("Items to show").fill("7")
    await tab.get_by_label("Hint number").fill(str(added.hint_id))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.method))
    await tab.get_by_role("button", name="Rank").dblclick()
    await tab.get_by_role("heading", name="Without it", exact=True).wait_for()
    assert asked.count("POST") == 1, "each costs calls"
    assert await tab.evaluate("document.activeElement.id") == "rank"
    await tab.locator("#tried").get_by_role("link", name=f"Hint {added.hint_id}").click()
    await tab.locator("h1", has_text=f"Hint {added.hint_id}").wait_for()
    await tab.go_back()
    await tab.get_by_label("Remove Heat").wait_for()
    for name, value in (("Items to show", "7"), ("Hint number", str(added.hint_id))):
        assert await tab.get_by_label(name).input_value() == value
    await tab.get_by_label("Hint number").fill("none")
    await tab.get_by_role("button", name="Rank").click()
    await tab.get_by_role("alert").get_by_text("a whole number. Change it.").wait_for()
    await tab.get_by_label("Remove Heat").wait_for()


async def test_building_a_session_keeps_how_it_is_to_be_ranked(tab: Any, films: str) -> None:
    await tab.goto(f"/console/try?domain={films}&history=alien-1979&history=heat-1995&hint=3")
    await tab.get_by_label("Items to show").fill("7")
    await tab.get_by_label("Hint number").fill("5")
    await tab.get_by_label("Remove Heat").click()
    await tab.get_by_label("Remove Heat").wait_for(state="detached")
    await tab.get_by_label("Title, or what it is about").press_sequentially("Blade Runner")
    await tab.get_by_label("Items to show").fill("8")
    await tab.get_by_role("link", name="Add Blade Runner to the candidates").click()
    await tab.get_by_label("Remove Blade Runner").wait_for()
    for reloaded in (False, True):
        if reloaded:
            await tab.reload()
        assert await tab.get_by_label("Items to show").input_value() == "8"
        assert await tab.get_by_label("Hint number").input_value() == "5"
    assert tab.url.count("hint=") == tab.url.count("k=") == 1
    for shown, hint in (
        ("100", "two"),
        ("0", "0"),
        ("", "-1"),
        ("1e1", "5.5"),
        ("9", "9999999999"),
    ):
        await tab.goto(f"/console/try?domain={films}&history=heat-1995&hint=3&words=Alien")
        await tab.get_by_label("Items to show").fill(shown)
        await tab.get_by_label("Hint number").fill(hint)
        await tab.get_by_role("link", name="Add Alien to the session").click()
        await tab.get_by_label("Remove Alien").wait_for(timeout=5_000)


async def test_a_file_is_shown_and_its_loading_is_a_job(tab: Any, films: str) -> None:
    await tab.goto(f"/console/catalogue?domain={films}")
    row = b'{"id": "new-1", "title": "A new one"}\n{"id": "new-2"}\n'
    file = {"name": "new.jsonl", "mimeType": "text/plain", "buffer": row}
    await tab.get_by_label("File", exact=True).set_input_files(file)
    await tab.get_by_role("button", name="Show what it holds").click()
    await tab.get_by_text("1 item, 1 new or changed").wait_for()
    await tab.get_by_text("items.jsonl:2: has no title").wait_for()
    await tab.get_by_role("button", name="Load it without the 1 malformed row").click()
    await tab.locator("h1", has_text="import-").wait_for()


async def test_the_autopilot_is_turned_on_after_what_was_wrong_is_put_right(
    tab: Any, films: str
) -> None:
    await tab.goto(f"/console/releases?domain={films}")
    await tab.get_by_label("Model calls a day").fill("many")
    await tab.get_by_role("button", name="Turn the autopilot on").click()
    wrong = tab.locator("#pilot-calls_per_day-wrong")
    await wrong.get_by_text("'many' is no amount a day.").wait_for()
    await tab.get_by_label("Model calls a day").fill("100")
    await tab.get_by_role("button", name="Turn the autopilot on").click()
    await tab.get_by_role("status").get_by_text("The autopilot is on").wait_for()
    await tab.get_by_role("button", name="Turn the autopilot off").click()
    await tab.get_by_role("status").get_by_text("The autopilot is off").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_axe_finds_nothing_serious_and_nothing_overflows(
    tab: Any, films: str, scheme: str, width: int, services: Services
) -> None:
    await tab.emulate_media(color_scheme=scheme)
    await tab.set_viewport_size({"width": width, "height": 844})
    (hint, *_) = [*(await list_hints(Context(domain=films))).hints, None]
    more = (f"/hints/{hint.id}",) if hint else ()
    tried = await submit(Context(domain=films), "try", {"text": "Prefer old films.", "count": 2})
    more += (f"/jobs/{tried.id}?domain={films}", await _two_releases(services, films))
    file = await keep_upload(Context(domain=films), "mine.jsonl", "items", b'{"id": 1}\n[]\n')
    more += (f"/catalogue:import?domain={films}&upload={file}",)
    session = "/try?domain=films&words=alien&history=1&candidates=2"
    for path in (*PAGES, *more, "/catalogue/1", "/nothing", session):
        await tab.goto(f"/console{path}")
        # Outside the page's policy, which refuses scripts that are not the server's own.
        await tab.evaluate(AXE.read_text())
        found = await tab.evaluate("axe.run(document)")
        bad = [
            (one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3])
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert not bad, (path, json.dumps(bad, indent=1))
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, (path, over)


async def _two_releases(services: Services, films: str) -> str:
    """Store two releases, if there are none; return the page that compares them."""
    options = await resolve_context(Context(domain=films))
    async with services.engine.begin() as connection:
        found = await find_domain(connection, films)
        for number in range(2 - len(await list_releases(connection, found.id))):
            release = Release(
                recipe="content",
                weights=b"",
                encoder=ENCODER_ID,
                prompt_version=options.prompt_version,
                model=options.model,
                hint_set=str(number),
                hint_ids=[number + 1],
                config={"training": {"updates": number}},
                metrics={"gain": number / 10},
            )
            await store_release(connection, found.id, release)
    return f"/releases/2/compare?domain={films}&other=1"


async def test_every_page_reads_without_javascript(chromium: Any, address: str, films: str) -> None:
    context = await chromium.new_context(base_url=address, java_script_enabled=False)
    page = await context.new_page()
    for path in PAGES:
        await page.goto(
            f"/console{path}?domain=films" if path != "/sign-in" else "/console/sign-in"
        )
        assert await page.locator("h1").inner_text()
    await context.close()


async def test_no_hostile_text_runs(tab: Any, services: Services) -> None:
    hostile = await hostile_domain(services, "hostile-pages")
    for path, query in hostile["pages"]:
        address = await tab.evaluate(
            "([path, pairs]) => path + '?' + new URLSearchParams(pairs)",
            [path, [["domain", "hostile-pages"], *_pairs(query)]],
        )
        await tab.goto(address)
        await tab.mouse.move(200, 300)
        assert await tab.evaluate("window.hacked") is None, path
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, (path, over)


def _pairs(query: dict[str, Any]) -> list[list[str]]:
    return [
        [name, str(one)]
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
