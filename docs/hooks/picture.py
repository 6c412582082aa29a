"""Draws the graphs of the pages as SVG for the web site, which asks no other server for a script.

MkDocs loads this file by its path, as a hook: it imports nothing of re2llm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

_MERMAID = re.compile(r"(?m)^```mermaid\n((?:(?!```).*\n)*+)```$")
_NODE = re.compile(r"(?m)^\t(\w+)\(")
_EDGE = re.compile(r"(?m)^\t(\w+) (-->|-\.->) (\w+);$")
_ROW, _HIGH, _LETTER, _MARGIN = 56, 32, 9, 24
"""Pixels from one node to the next, of a node's height, of a letter, and around a name."""
_LANE = 18
"""Pixels between two edges that pass other nodes."""
_HEAD = (
    '<defs><marker id="{id}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace the Mermaid charts of a page by pictures; MkDocs calls this for each page."""
    return _MERMAID.sub(lambda found: f'<div class="graph">{svg(found[1])}</div>', markdown)


def svg(chart: str) -> str:
    """Draw a chart, its nodes below each other in their order.

    Args:
        chart: As `draw.py` writes it. What may be passed over has dotted edges.

    Returns:
        One line, in the colour of the text around it.

    Raises:
        ValueError: It holds no nodes, or an edge from or to one that it does not declare.
    """
    nodes: Sequence[str] = list(dict.fromkeys(_NODE.findall(chart)))
    edges = [(nodes.index(a), nodes.index(b), kind) for a, kind, b in _EDGE.findall(chart)]
    if not nodes or not edges:
        raise ValueError("a chart without nodes or edges")
    wide = max(len(_name(node)) for node in nodes) * _LETTER + _MARGIN
    longest = max(abs(b - a) for a, b, _ in edges)
    width, height = wide + _LANE * (longest + 1), _ROW * len(nodes)
    marker = f"head-{'-'.join(nodes)}"
    parts = [_box(row, _name(node), wide) for row, node in enumerate(nodes)]
    parts += [_line(a, b, kind, wide, marker) for a, b, kind in edges]
    said = escape("; ".join(f"{_name(nodes[a])} to {_name(nodes[b])}" for a, b, _ in edges))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' role="img" aria-label="{said}">{_HEAD.format(id=marker)}{"".join(parts)}</svg>'
    )


def _name(node: str) -> str:
    return node.strip("_")


def _middle(row: int) -> int:
    return _ROW * row + _ROW // 2


def _box(row: int, name: str, wide: int) -> str:
    top = _middle(row) - _HIGH // 2
    return (
        f'<rect x="1" y="{top}" width="{wide - 2}" height="{_HIGH}" rx="8" fill="none"'
        f' stroke="currentColor"/><text x="{wide // 2}" y="{_middle(row) + 5}"'
        f' text-anchor="middle" font-size="14" fill="currentColor">{escape(name)}</text>'
    )


def _line(start: int, end: int, kind: str, wide: int, marker: str) -> str:
    """Draw an edge: down to the next node, or around those in between."""
    if end == start + 1:
        x = wide // 2
        path = f"M{x} {_middle(start) + _HIGH // 2}V{_middle(end) - _HIGH // 2}"
    else:
        lane = wide + _LANE * abs(end - start)
        path = f"M{wide} {_middle(start)}H{lane}V{_middle(end)}H{wide}"
    dotted = "" if kind == "-->" else ' stroke-dasharray="4 3"'
    return (
        f'<path d="{path}" fill="none" stroke="currentColor"{dotted} marker-end="url(#{marker})"/>'
    )
