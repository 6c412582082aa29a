"""Writes the report as one HTML page: pictures inline, no scripts, no external files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from .added import FIRST_STAGE, Gain
from .comparison import Example, HintUse

_CHOSEN_BY = 12
"""Hints in the table next to the picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A section with a picture, or with the reason why there is none.

    Attributes:
        heading: Its title.
        source: What it was computed from, or why it is missing.
        svg: The picture; empty if it is missing.
        about: A sentence on what it shows and what would be good.
    """

    heading: str
    source: str
    svg: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What the page shows. Everything but the pictures is data, and is escaped.

    Attributes:
        title: The page's title.
        facts: What was evaluated, and with what.
        document: A document from `evaluation.summary.summarise`.
        pictures: The pictures in their order.
        uses: How the policy used its hints, most chosen first.
        examples: Sessions with and without their hint.
        policy: Name of the policy that `uses` and `examples` are about.
        gains: Gains of that policy over no hint, by what each is averaged over.
        added: What was learned in training about what the model adds to the first stage, or why
            that is not known.
        over_first: What each policy adds to the first stage on the evaluated sessions.
    """

    title: str
    facts: Mapping[str, str]
    document: Mapping[str, Any]
    pictures: Sequence[Picture]
    uses: Sequence[HintUse] = field(default_factory=list[HintUse])
    examples: Sequence[Example] = field(default_factory=list[Example])
    policy: str = ""
    gains: Sequence[Gain] = field(default_factory=list[Gain])
    added: Sequence[str] = ()
    over_first: Sequence[Gain] = field(default_factory=list[Gain])


def write_page(report: Report) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # of an optional extra
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files(__package__ or "") / "page.html").read_text("utf-8"))
    rows = _labelled(report.document["rows"])
    names = {f"{row['kind']}:{row['name']}": row["label"] for row in rows}
    paired = [
        {**pair, "a": names.get(pair["a"], pair["a"]), "b": names.get(pair["b"], pair["b"])}
        for pair in report.document["paired"]
    ]
    policy = names.get(f"policy:{report.policy}", report.policy)
    return template.render(
        report=report,
        rows=rows,
        paired=paired,
        own=[pair for pair in paired if policy in (pair["a"], pair["b"])],
        others=[pair for pair in paired if policy not in (pair["a"], pair["b"])],
        uses=report.uses[:_CHOSEN_BY],
        # Drawn by our own code, from numbers and our own names.
        drawn=[Markup(picture.svg) for picture in report.pictures],  # noqa: S704  # nosec B704
    )


def _labelled(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Order the rows, best first; a policy and a baseline of one name are told apart."""
    times = Counter(row["name"] for row in rows)
    return [
        {
            **row,
            "label": row["name"] if times[row["name"]] == 1 else f"{row['name']} ({row['kind']})",
            "to_beat": row["name"] == FIRST_STAGE,
        }
        for row in sorted(rows, key=lambda row: -row["ndcg@10"])
    ]
