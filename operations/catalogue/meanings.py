"""What a word means by itself: an item's id, its title, or the id beside a title."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from ...knowledge.titles.search import TitleSearch
from ...records import Item, spoken
from ..results import FoundItem, FoundTitle
from .written import marked_ids, titles_and_ids

_SHOWN = 160
Exact = Mapping[str, Sequence[Item]]
"""The items of exactly the title that each word is."""


def meaning_of(
    word: str, known: Mapping[str, Item], exact: Exact, called: Sequence[Item]
) -> FoundTitle | None:
    """Return what a word means as an id, as another's title, or both; `None` for neither.

    Args:
        called: Items that have the word for a name. Those count whose title begins with it:
            people type numbers as titles, such as 2001, and other ids hardly ever.
    """
    id_ = next((id_ for id_ in (word, *marked_ids(word)) if id_ in known), word)
    titled = any(item.title.strip() == word for item in exact[word])
    if id_ not in known or (titled and word.startswith("[")):
        return as_typed(word, exact)
    named = {item.id: item for item in exact[word]}
    if id_.isdecimal():
        named |= {item.id: item for item in called if _begins(item.title, word)}
    namesakes = [item for item in named.values() if item.id != id_] if id_ == word else []
    items = [shown(item) for item in (known[id_], *namesakes)]
    return FoundTitle(typed=word, status="ambiguous" if namesakes else "found", items=items)


def _begins(title: str, word: str) -> bool:
    """Return whether a title begins with a word as it is written."""
    begun = title.lstrip()
    return begun.startswith(word) and not begun[len(word) : len(word) + 1].isalnum()


def as_typed(word: str, exact: Exact) -> FoundTitle | None:
    """Return the one item of exactly this title: it spares the comparison with every title."""
    items = exact[word]
    if len(items) != 1:
        return None
    return found_title(word, items[0])


def id_beside(word: str, titles: TitleSearch, exact: Exact) -> str:
    """Return the id that stands in brackets beside a title that its item has; empty for none."""
    if exact[word]:
        return ""
    pairs = titles_and_ids(word)
    return next((id_ for title, id_ in pairs if titles.is_called(id_, title)), "")


def marked(found: FoundTitle, withdrawn: Container[str]) -> FoundTitle:
    """Return what a title may mean, with withdrawn items marked."""
    items = [item.model_copy(update={"withdrawn": item.id in withdrawn}) for item in found.items]
    return found.model_copy(update={"items": items})


def found_title(word: str, item: Item) -> FoundTitle:
    """Return that a word means one item, and no other."""
    return FoundTitle(typed=word, status="found", items=[shown(item)])


def shown(item: Item, withdrawn: Container[str] = ()) -> FoundItem:
    """Return an item as answers show it.

    Args:
        withdrawn: Ids of withdrawn items.
    """
    facts = [f"{name}: {spoken(value)}" for name, value in sorted(item.attributes.items())]
    about = "; ".join(facts)
    cut = about if len(about) <= _SHOWN else f"{about[: _SHOWN - 1]}…"
    return FoundItem(id=item.id, title=item.title, about=cut, withdrawn=item.id in withdrawn)
