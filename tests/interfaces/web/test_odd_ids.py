"""Each id of a catalogue has a page that its links lead to, and an address in the API."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import httpx
from re2llm.records import Item

IDS = (
    *("a/../b", ".", "..", "../..", "./a", "a/.", "/a", "a/", "a//b", "//", "a\\b", "..\\x"),
    *("%2e%2e", "%2E%2E/x", "%", "%25", "%252525252e", "a%2Fb", "a?b", "a#b", "a b", "a+b"),
    *("&", "x;y", "é", "static", "item", "a:import", ":item", "\u202eabc"),
    *(" a", "b ", " ab ", "\td\u00a0", "id:c", "[a]", "[ a]"),
)
LINK = re.compile(r'<a href="(/console/catalogue[:/][^"]*)"><bdi>([^<]*)</bdi>')


async def test_each_item_is_reached_by_its_link_and_by_the_api(
    address: str, load: Callable[..., Any], domain: str
) -> None:
    await load(domain, [Item(id=id_, title=f"Thing {n}") for n, id_ in enumerate(IDS)])
    where = {"domain": domain}
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        page = (await http.get("/console/catalogue", params=where)).text
        links = {title: html.unescape(link) for link, title in LINK.findall(page)}
        assert len(links) == len(IDS)
        for n, id_ in enumerate(IDS):
            # As a browser does: httpx leaves the dots of a path as they are.
            link = str(httpx.URL(address).join(links[f"Thing {n}"]))
            shown = await http.get(link)
            assert shown.status_code == 200, id_
            assert f">Thing {n}</h1>" in shown.text
            tried = await http.get("/console/try", params={**where, "history": id_})
            assert tried.status_code == 200, id_
            assert f"Thing {n}<" in tried.text, id_
            found = await http.get("/v1/items:show", params={**where, "item": id_})
            assert found.json()["id"] == id_
        unknown = await http.get("/v1/items:show", params={**where, "item": "none such"})
        assert unknown.status_code == 404
