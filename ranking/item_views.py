"""Items as the state of a graph carries them."""

from __future__ import annotations

from ..records import Item
from .state import ItemView


def view_of(item: Item) -> ItemView:
    """Return an item as the state carries it."""
    return {"id": item.id, "title": item.title, "attributes": dict(item.attributes)}


def item_of(view: ItemView) -> Item:
    """Return the item that a state carries."""
    return Item(view["id"], view["title"], view["attributes"])
