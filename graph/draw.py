"""Draws the graphs themselves into a Markdown file: `python -m re2llm.graph.draw README.md`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .recommend import graph

_BLOCK = re.compile(r"(?s)(<!-- graph: recommend -->\n).*?(<!-- /graph -->)")
_DECORATION = re.compile(r"(?ms)\A---.*?^---\n|^\t(?:classDef .*)\n|</?p>|:::\w+")


def mermaid() -> str:
    """Return the `recommend` graph as a Mermaid flow chart, without LangGraph's colours."""
    return _DECORATION.sub("", graph.get_graph().draw_mermaid())


def redraw(text: str) -> str:
    """Return a Markdown text with the picture between its two markers drawn anew.

    Args:
        text: Holds `<!-- graph: recommend -->` and, later, `<!-- /graph -->`.
    """
    picture = f"```mermaid\n{mermaid()}```\n"
    return _BLOCK.sub(lambda found: found[1] + picture + found[2], text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        file = Path(name)
        file.write_text(redraw(file.read_text(encoding="utf-8")), encoding="utf-8")
