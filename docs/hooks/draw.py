"""Draws the compiled graphs into a Markdown file: `python docs/hooks/draw.py README.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from re2llm.graph import learn, rate, recommend

GRAPHS: Mapping[str, Any] = {
    "recommend": recommend.graph,
    "learn": learn.graph,
    "rate": rate.graph,
}
"""The graphs by the name that a marker may ask for."""

_BLOCK = re.compile(r"(?s)(<!-- graph: (\w{1,40}) -->\n)(?:(?!<!--).)*+(<!-- /graph -->)")
_DECORATION = re.compile(r"(?ms)\A---.*?^---\n|^\t(?:classDef .*)\n|</?p>|:::\w+")


def mermaid(name: str) -> str:
    """Return a graph as a Mermaid flow chart, without LangGraph's colours.

    Args:
        name: In `GRAPHS`.
    """
    return _DECORATION.sub("", GRAPHS[name].get_graph().draw_mermaid())


def redraw(text: str) -> str:
    """Return a Markdown text with each picture between two markers redrawn.

    Args:
        text: Holds `<!-- graph: NAME -->` and, later, `<!-- /graph -->`, any number of times.
    """
    return _BLOCK.sub(
        lambda found: f"{found[1]}```mermaid\n{mermaid(found[2])}```\n{found[3]}", text
    )


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(redraw(path.read_text(encoding="utf-8")), encoding="utf-8")
