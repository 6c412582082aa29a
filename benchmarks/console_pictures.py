"""Takes the pictures of the console for docs/console.md, in Debian's Chromium.

    python benchmarks/console_pictures.py --out docs/console

Loads the sample films into a throw-away database, tries hints with the offline model, and serves
the console. Needs `apt-get install chromium` and the extra `browser`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

HINTS = (
    "Prefer films of the same genres as in the history.",
    "Prefer what many people chose.",
    "Prefer old classics.",
    "Trust what people with similar sessions chose next.",
    "Prefer films from the same decade.",
    "Prefer films by directors from the history.",
)
NEW = b"""{"id": "arrival-2016", "title": "Arrival", "year": 2016, "genres": ["Drama", "Sci-Fi"]}
{"id": "alien-1979", "title": "Alien", "year": 1979, "genres": ["Horror"]}
{"id": "dune-2021", "name": "Dune"}
{"id": "her-2013", "title": "Her", "year": 2013, "cast": [{"name": "Joaquin Phoenix"}]}
"""
"""A file for import, with a row that has no title."""
SESSION = ("Alien", "Blade Runner", "The Matrix")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
FULL = {"try", "hint", "releases", "rollout", "compare", "tried", "costs"}
"""Pages that are shown to their end."""
VIEWERS, PANEL, PEOPLE = 80, 40, 120


async def prepare() -> dict[str, Any]:
    """Fill the database; return what the pages are about."""
    from re2llm.data.sample import sample_items, simulate_sessions
    from re2llm.jobs.queue.submit import submit
    from re2llm.jobs.schedules.schedules import add_schedule
    from re2llm.jobs.worker import pieces
    from re2llm.operations.hints.manage import add_hint, edit_hint
    from re2llm.operations.hints.verify import verify_hints
    from re2llm.operations.loading.imports import keep_upload
    from re2llm.operations.loading.load import load_domain
    from re2llm.operations.recommending.feedback import give_feedback
    from re2llm.operations.recommending.recommend import recommend
    from re2llm.operations.releases.rollouts import start_canary
    from re2llm.operations.training.train import train
    from re2llm.policies.rollout.plan import Plan
    from re2llm.runtime.context import Context
    from re2llm.runtime.sharing import close_shared_services, shared_services

    services = await shared_services()
    services.settings = services.settings.model_copy(
        update={"verify_random": PANEL, "train_panel": PANEL}
    )
    sessions = simulate_sessions(VIEWERS, seed=1)
    items = list(sample_items())
    await load_domain(services, "films", items, [lambda _: sessions])
    context = Context(domain="films", fuse="llm", seed=0)
    hints = [(await add_hint(context, text)).hint_id for text in HINTS]
    await verify_hints(context)
    await train(context, force=True)
    # The second release lacks a hint of the first, so that a rollout has something to compare.
    years = "Prefer films from the same years as the history."
    await edit_hint(context, hints[4] or 1, years, retire=True)
    await train(context, force=True)
    for film in items[:20]:
        made = await recommend(Context(domain="films", policy="random"), [film.id])
        if made.recommendation_id is not None:
            await give_feedback(context, made.recommendation_id, made.items[2].id, learn=False)
    await start_canary(context, 1, plan=Plan(steps=(30, 100), hold=30))
    for person, film in enumerate(items[:PEOPLE]):
        made = await recommend(context, [film.id], user=f"person-{person}")
        if made.recommendation_id is not None and person % 4:
            await give_feedback(context, made.recommendation_id, made.items[1].id, learn=False)
    await submit(context, "verify", {}, max_llm_calls=500)
    tried = await submit(context, "try", {"hint": hints[0], "count": PANEL}, max_llm_calls=100)
    plan = await pieces.plan(tried.id, 1) or {}
    for piece in plan["pieces"]:
        await pieces.do_piece(tried.id, 1, plan["shared"], piece)
    await pieces.finish(tried.id, 1, plan["shared"], {})
    await _spend(services, "films")
    await add_schedule(context, "train", "0 3 * * 1", zone="Europe/Berlin")
    upload = await keep_upload(context, "new-films.jsonl", "items", NEW)
    await close_shared_services()
    ids = {film.title: film.id for film in items}
    return {
        "hint": hints[0],
        "tried": tried.id,
        "session": [ids[title] for title in SESSION],
        "upload": upload,
    }


async def _spend(services: Any, domain: str) -> None:
    """Make up paid calls of two keys, so that the page of costs has something to show."""
    from re2llm.knowledge.access.allowances import claim_call
    from re2llm.knowledge.access.grants import Grants
    from re2llm.knowledge.access.keys import create_key
    from sqlalchemy import text

    booked = text("""
        INSERT INTO re2llm.llm_call (key, command, purpose, model, method, outcome, requests,
            tokens_in, tokens_out, estimated, latency_ms, cost, api_key_id, created_at)
        SELECT 'x'::bytea, (ARRAY['recommend', 'learn', 'verify'])[1 + n % 3], 'rank', 'small',
            'json', 'ok', 1, 900 + n % 200, 60, false, 100, 0.0004, :key,
            now() - make_interval(hours => n * 2)
        FROM generate_series(1, 120) AS n WHERE n % :every = 0
    """)
    async with services.engine.begin() as connection:
        for owner, every in (("shop", 1), ("newsletter", 3)):
            grants = Grants(calls_per_day=200, usd_per_day=0.05, may=())
            key = (await create_key(connection, owner, [domain], grants)).split("_")[1]
            await connection.execute(booked, {"key": key, "every": every})
            for _ in range(60 // every):
                await claim_call(connection, key, grants, 0.0004)


async def take(address: str, out: Path, about: dict[str, Any], *, every: bool) -> None:
    """Take a picture of each page; with `every`, also in the dark, and on a phone."""
    from playwright.async_api import async_playwright

    history = "&".join(f"history={id_}" for id_ in about["session"])
    pages = {
        "overview": "",
        "hints": "/hints?sort=-gain",
        "hint": f"/hints/{about['hint']}",
        "try": f"/try?{history}&domain=films",
        "releases": "/releases",
        "release": "/releases/2",
        "rollout": "/releases/1",
        "compare": "/releases/2/compare?other=1",
        "tried": f"/jobs/{about['tried']}",
        "jobs": "/jobs",
        "catalogue": "/catalogue",
        "item": f"/catalogue/{about['session'][0]}",
        "import": f"/catalogue:import?upload={about['upload']}",
        "costs": "/costs",
        "sign-in": "/sign-in",
    }
    path = shutil.which("chromium") or sys.exit("error: there is no Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        variants = [("", WIDE, "light"), ("-dark", WIDE, "dark"), ("-phone", PHONE, "light")]
        for name, size, scheme in variants if every else variants[:1]:
            tab = await browser.new_page(viewport=size, color_scheme=scheme, base_url=address)  # pyright: ignore[reportArgumentType]
            for page, where in pages.items():
                await tab.goto(f"/console{where}")
                if page == "try":
                    await tab.get_by_label("Hint number").fill(str(about["hint"]))
                    await tab.get_by_role("button", name="Rank").click()
                    await tab.locator("#feedback").wait_for()
                if page == "compare":
                    await tab.get_by_role("button", name="Let both choose").click()
                    await tab.get_by_text("They choose differently").wait_for()
                full = page in FULL or size is PHONE
                await tab.screenshot(path=out / f"{page}{name}.png", full_page=full)
                print(out / f"{page}{name}.png")
        await browser.close()


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Folder for the pictures.")
    parser.add_argument("--every", action="store_true", help="Also in the dark, and on a phone.")
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="re2llm-pictures-") as home:
        os.environ |= {"RE2LLM_HOME": home, "RE2LLM_FUSE": "llm", "HF_HUB_OFFLINE": "1"}
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
        from api_server import serving_api

        about = asyncio.run(prepare())
        with serving_api() as address:
            asyncio.run(take(address, out, about, every=given.every))


if __name__ == "__main__":
    main()
