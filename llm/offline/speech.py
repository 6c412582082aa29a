"""What the offline assistant says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST_QUOTE = 80


def introduction() -> str:
    """Say what it is and what it can do."""
    return (
        "I am re2llm's offline assistant: no language model, but fixed rules over the same tools. "
        'Tell me one or more titles that you liked, such as: I liked "Alien" and "Blade Runner". '
        "I recommend what goes with them, and learn from what you pick."
    )


def which(ambiguous: Sequence[Mapping[str, Any]]) -> str:
    """Ask which item is meant.

    Args:
        ambiguous: Titles that could be several items.
    """
    first = ambiguous[0]
    listed = "\n".join(
        f"{place}. {item['title']}{_aside(item)}" for place, item in enumerate(first["items"], 1)
    )
    return f"Which “{first['typed']}” do you mean?\n{listed}\nTell me the number or the title."


def unknown(titles: Sequence[Mapping[str, Any]]) -> str:
    """Say that titles are not in the catalogue, and what is near in meaning.

    Args:
        titles: As `find_titles` answered.
    """
    names = ", ".join(f"“{title['typed']}”" for title in titles)
    near = [item["title"] for title in titles for item in title["items"]]
    offered = (
        f" Near in meaning: {', '.join(dict.fromkeys(near))}. Do you like one?" if near else ""
    )
    return f"The catalogue has no {names}.{offered}"


def recommendation(
    answer: Mapping[str, Any], said: str | None, items: Sequence[Mapping[str, Any]]
) -> str:
    """Present recommended items with the facts that speak for them.

    Args:
        answer: Of `recommend`.
        said: The person's words, or `None` if they asked for more of the same.
        items: Those to show.
    """
    lines = ["More in that direction:"]
    if said is not None:
        quote = said if len(said) <= _LONGEST_QUOTE else said[:_LONGEST_QUOTE].rstrip() + "…"
        lines = [f"You said “{quote}”, so I would choose next:"]
    for place, item in enumerate(items, 1):
        because = "; ".join(item["because"])
        lines.append(f"{place}. {item['title']}" + (f" ({because})" if because else ""))
    if answer["flags"]:
        lines.append(f"(Not a clean answer: {', '.join(answer['flags'])}.)")
    lines.append("Tell me which one you pick, or that it is none of these.")
    return "\n".join(lines)


def thanks(answer: Mapping[str, Any]) -> str:
    """Thank for feedback, and say what becomes of it.

    Args:
        answer: Of `feedback`.
    """
    if answer["picked"] is None:
        return "Noted: none of these. Tell me another title that you liked, and I try again."
    if answer["learning"]:
        return "Noted. I had not ranked that among the best ten; I am learning from it now."
    place = f" It was number {answer['rank']} of my ranking." if answer["rank"] else ""
    return f"Noted, thank you.{place} Enjoy it, and tell me about the next one."


def no_such_place(count: int) -> str:
    """Say how long the list was.

    Args:
        count: How many items were shown.
    """
    return f"My list has {count}. Which one do you pick?"


def trouble(problem: str) -> str:
    """Say that a tool refused.

    Args:
        problem: Its own words.
    """
    return f"That did not work: {problem}"


def _aside(item: Mapping[str, Any]) -> str:
    return f" ({item['about']})" if item.get("about") else ""
