"""A browser without a screen: it keeps its cookie, and sends the forms of pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self

import httpx

VOID = {"meta", "link", "input", "br", "hr", "img", "line", "circle", "rect", "path"}


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.children)

    def all(self, tag: str | None = None) -> list[Element]:
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if tag in {None, child.tag} else []
                found += child.all(tag)
        return found

    def one(self, id_: str) -> Element:
        (found,) = [element for element in self.all() if element.attributes.get("id") == id_]
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parsed(html: str) -> Element:
    """Return a page's elements, after checking that all are closed in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader._open) == 1, [element.tag for element in reader._open]
    return reader.root


@dataclass
class Form:
    """A form of a page, as a browser would send it."""

    method: str
    action: str
    fields: list[tuple[str, str]]
    buttons: list[tuple[str, str]]


def forms(page: Element) -> list[Form]:
    """Return the forms of a page, with what their fields hold."""
    return [_form(element) for element in page.all("form")]


def _form(form: Element) -> Form:
    fields: list[tuple[str, str]] = []
    for element in form.all():
        name, kind = element.attributes.get("name", ""), element.attributes.get("type", "text")
        if not name or (kind in {"checkbox", "radio"} and "checked" not in element.attributes):
            continue
        if element.tag == "input":
            fields.append((name, element.attributes.get("value", "")))
        elif element.tag == "textarea":
            fields.append((name, element.text))
        elif element.tag == "select":
            options = element.all("option")
            chosen = [one for one in options if "selected" in one.attributes] or options[:1]
            fields += [(name, one.attributes.get("value", one.text)) for one in chosen]
    buttons = [
        (one.attributes["name"], one.attributes.get("value", ""))
        for one in form.all("button")
        if "name" in one.attributes
    ]
    method = form.attributes.get("method", "get").lower()
    return Form(method, form.attributes.get("action", ""), fields, buttons)


class Browser:
    """Loads pages and sends their forms."""

    def __init__(self, address: str, **headers: str) -> None:
        self.http = httpx.AsyncClient(base_url=address, timeout=120, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, expect: int = 200, **query: Any) -> Element:
        answer = await self.http.get(path, params=query or None)
        assert answer.status_code == expect, (path, answer.status_code, answer.text[-3000:])
        return parsed(answer.text)

    async def send(
        self, form: Form, button: tuple[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        """Send a form with some fields changed; a list sends a field several times."""
        sent = [pair for pair in form.fields if pair[0] not in changes]
        for name, value in changes.items():
            values = value if isinstance(value, list) else [value]
            sent += [(name, str(one)) for one in values]
        sent += [button] if button else []
        grouped: dict[str, list[str]] = {}
        for name, value in sent:
            grouped.setdefault(name, []).append(value)
        if form.method == "get":
            return await self.http.get(form.action, params=grouped)
        return await self.http.post(form.action, data=grouped)

    async def sign_in(self, key: str) -> httpx.Response:
        page = await self.get("/console/sign-in")
        (form,) = forms(page)
        return await self.send(form, key=key)


def form_to(page: Element, action: str) -> Form:
    """Return the first form of a page that goes to an address."""
    return next(form for form in forms(page) if form.action == action)
