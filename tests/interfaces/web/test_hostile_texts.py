"""A hundred hostile texts in titles, attributes, hints, reviews and jobs stay text everywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_asyncio
from console import Browser, Element, parsed
from hostile_texts import HOSTILE, hostile_domain
from re2llm.interfaces.web.rendering import environment
from re2llm.runtime.services import Services

SCRIPTS = ("javascript:", "data:", "vbscript:")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hostile(services: Services) -> dict[str, Any]:
    return await hostile_domain(services, "hostile")


def inert(page: Element, templates: set[str]) -> None:
    """Check that a page holds no element and no attribute that a text has brought."""
    for element in page.all():
        assert element.tag in templates, element.tag
        for name, value in element.attributes.items():
            assert not name.startswith("on"), name
            assert name != "style"
            if name in {"href", "src", "action", "hx-get", "hx-post"}:
                assert value.startswith(("/console", "#main")), value
                assert not value.strip().lower().startswith(SCRIPTS)
    scripts = page.all("script")
    assert [set(script.attributes) for script in scripts] == [{"src", "defer"}] * 2  # both are ours
    assert all(not script.text.strip() for script in scripts)


@pytest.mark.long
async def test_hostile_texts_stay_text_in_every_page(
    browser: Browser, hostile: dict[str, Any]
) -> None:
    tags = _tags_of_templates()
    assert len(HOSTILE) >= 100
    seen = ""
    for path, query in hostile["pages"]:
        page = await browser.get(path, domain="hostile", **query)
        inert(page, tags)
        seen += page.text
    for title in HOSTILE:
        assert " ".join(title.split()) in " ".join(seen.split()), title


@pytest.mark.long
async def test_hostile_words_in_addresses_and_forms_stay_text(
    browser: Browser, hostile: dict[str, Any]
) -> None:
    tags = _tags_of_templates()
    pages = ("/console/hints", "/console/catalogue", "/console/try")
    for number, words in enumerate(body[:500] for body in HOSTILE):
        # A page in turn, of which they share the form; the first words go to all.
        for path in pages if number < 10 else [pages[number % len(pages)]]:
            page = await browser.get(path, domain="hostile", words=words)
            inert(page, tags)
            assert page.one("words").attributes["value"] == words
    for words in HOSTILE[:20]:
        for query in ({"domain": words}, {"sort": words}, {"page": words}, {"done": words}):
            answer = await browser.http.get("/console/hints", params=query)
            inert(parsed(answer.text), tags)


def test_the_environment_escapes_whatever_the_file_is_called() -> None:
    for source in ("{{ x }}", "<a href='{{ x }}'>"):
        made = environment().from_string(source).render(x="<script>'\"&")
        assert "&lt;script&gt;&#39;&#34;&amp;" in made
    for name in environment().list_templates():
        source = environment().loader.get_source(environment(), name)[0]
        assert "|safe" not in source.replace(" ", ""), name
        assert "autoescape" not in source, name
        assert "hx-on" not in source, name
        assert 'style="' not in source, name


def _tags_of_templates() -> set[str]:
    found: set[str] = set()
    for name in environment().list_templates():
        source = environment().loader.get_source(environment(), name)[0]
        found |= set(re.findall(r"<([a-z][a-z0-9]*)", source))
    return found - {"iframe", "object", "embed", "base"}
