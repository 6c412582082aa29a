"""Writes data for prompts: documents as JSON, and items cut so that none crowds out the task."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any

from ..records import AttributeValue, Item, without_surrogates

_BRACKETED = (
    r"\[(?=/?(?:INST|SYSTEM_PROMPT|THINK|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|ARGS"
    r"|CALL_ID|PREFIX|MIDDLE|SUFFIX|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|[gs]?MASK|CLS|SEP|PAD"
    r"|UNK|BOS|EOS|REF)\])"
)
"""The beginning of a token of Mistral's, Llama's, GLM's or BERT's templates."""
_ANGLED = (
    r"<(?=[|\uff5c]|/?(?:s|bos|eos|pad|unk|mask|sep|cls|sys|thought|think(?:ing)?|tools?|turn|image"
    r"|(?:tool|arg|im|start|end|begin|fim|extra|reserved|special|code|file|repo)_\w{1,40}"
    r"|function\w{0,20}|unused\w{1,10})(?:[=:][^<>\n]{0,40})?>)"
)
"""The beginning of a token of ChatML, harmony, Gemma, DeepSeek or a reasoning model."""
_IN_JSON = re.compile(_BRACKETED)
_IN_TEXT = re.compile(f"{_BRACKETED}|(?i:{_ANGLED})")


_BARS = str.maketrans(dict.fromkeys("|\uff5c\u2502\u00a6\u2223", "/"))
"""Characters that are, or look like, the bar between cells."""


def prompt_json(document: object) -> str:
    """Write a document for a prompt, with no control token in its text."""
    return inert_json(json.dumps(document, ensure_ascii=False))


def inert_json(document: str) -> str:
    """Escape what begins a control token, as JSON allows: it decodes to the same document.

    Chat templates read `<|im_end|>` in a title as the end of the message, in strings too.
    """
    document = without_surrogates(document)
    return _IN_JSON.sub(r"\\u005b", document.replace("<", "\\u003c"))


def inert(text: str) -> str:
    """Break control tokens with a blank, which leaves them readable: `< |im_end|>`.

    Args:
        text: A text by a catalogue, a person or a model; not JSON.

    Returns:
        The same text if it holds none.
    """
    return _IN_TEXT.sub(r"\g<0> ", without_surrogates(text))


def one_line(text: str, longest: int) -> str:
    """Hold text to one line and one cell of a table.

    Line breaks and control characters become blanks, characters without a shape go, bars become
    slashes, and control tokens are broken.

    Args:
        text: A text by a catalogue, a person or a model.
        longest: Characters to keep.
    """
    return _one_line(text[: 4 * longest], longest)


@lru_cache(maxsize=10_000)  # the same titles occur in prompt after prompt
def _one_line(text: str, longest: int) -> str:
    if not text.isprintable():
        text = "".join(map(_shape, text))
    text = " ".join(text.translate(_BARS).split())
    return inert(text[:longest].rstrip())


def _shape(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in {"Cc", "Zl", "Zp", "Zs"}:
        return " "
    return "" if kind.startswith("C") else character


def item_entry(
    item: Item, *, cut: Callable[[str], str], most: int, reserved: AbstractSet[str]
) -> dict[str, Any]:
    """Return an item's title and attributes as an object of a prompt's document.

    Args:
        reserved: The document's own keys, for which no attribute may pass.
    """
    facts = {
        cut(key): _shown(value, cut, most)
        for key, value in sorted(item.attributes.items())
        if key not in reserved
    }
    return {"title": cut(item.title), **facts}


def _shown(value: AttributeValue, cut: Callable[[str], str], most: int) -> AttributeValue:
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, int | float):
        return value
    return [cut(part) for part in value[:most]]
