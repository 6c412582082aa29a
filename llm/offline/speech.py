"""What the offline assistant says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .lists import Item
from .memory import Opinion
from .verdicts import HIGHEST, Verdict

_LIKE = "like {}: "
"""How a reason names the item that it was chosen for."""


def introduction() -> str:
    """Say what it is and what it can do."""
    return (
        "I am re2llm's offline assistant: no language model, but fixed rules over the same tools. "
        'Tell me one or more titles that you liked, such as: I liked "Alien" and "Blade Runner". '
        "I recommend what goes with them, and learn from what you pick."
    )


def beyond() -> str:
    """Say that something is off topic."""
    return (
        "That is beyond me: I only know the items of this catalogue. Tell me what you liked, and I "
        "recommend what goes with it."
    )


def which(ambiguous: Mapping[str, Any], unknown: Sequence[Mapping[str, Any]]) -> str:
    """Ask which item is meant.

    Args:
        ambiguous: A title that could be several items.
        unknown: Titles that are not in the catalogue.
    """
    listed = "\n".join(
        f"{place}. {item['title']}{_aside(item)}"
        for place, item in enumerate(ambiguous["items"], 1)
    )
    question = (
        f"Which “{ambiguous['typed']}” do you mean?\n{listed}\nTell me the number or the title."
    )
    return f"I do not find {_quoted(unknown)} here.\n{question}" if unknown else question


def other_words() -> str:
    """Say that none of the items that a title could be is meant."""
    return "Then I do not know which one you mean. Tell me its whole title, or another one."


def unknown(titles: Sequence[Mapping[str, Any]]) -> str:
    """Say that titles are not in the catalogue, and what is near in meaning.

    Args:
        titles: As `find_titles` answered.
    """
    near = dict.fromkeys(item["title"] for title in titles for item in title["items"])
    offered = f" Near in meaning: {', '.join(near)}. Do you like one of them?" if near else ""
    return f"The catalogue has no {_quoted(titles)}.{offered}"


def known(item: Item) -> str:
    """Say what the catalogue says of an item.

    Args:
        item: As it was found.
    """
    return f"Yes: {item['title']}{_aside(item)}. Did you like it?"


def unpopular(titles: Sequence[str]) -> str:
    """Note that somebody did not like some items.

    Args:
        titles: Theirs.
    """
    return f"Noted: not {_listed(titles)}. Tell me a title that you liked, and I go by that."


def recommendation(
    answer: Mapping[str, Any],
    items: Sequence[Item],
    opinions: Mapping[str, Opinion],
    new: Collection[str],
    unknown: Sequence[Mapping[str, Any]],
) -> str:
    """Present recommended items, with the facts and the person's own words that speak for them.

    Args:
        answer: Of `recommend`.
        items: Those to show.
        opinions: What the person thinks of items, by id.
        new: Ids of what they have just named; empty if they asked for more of the same.
        unknown: Titles that they named and that are not in the catalogue.
    """
    lines = [f"I do not find {_quoted(unknown)} here."] if unknown else []
    reasons = [opinions[id_] for id_ in answer["history"] if id_ in opinions and id_ in new]
    verbs = list(dict.fromkeys(opinion.verdict.verb for opinion in reasons))
    if reasons and verbs == ["named"]:
        lines.append(f"After {_listed([o.item['title'] for o in reasons])} I would choose next:")
    elif reasons:
        said = [
            f"{verb} {_listed([o.item['title'] for o in reasons if o.verdict.verb == verb])}"
            for verb in verbs
        ]
        lines.append(f"Because you {_listed(said)}, I would choose next:")
    else:
        lines.append("More in that direction:")
    for place, item in enumerate(items, 1):
        because = "; ".join(_reason(reason, opinions) for reason in item["because"])
        lines.append(f"{place}. {item['title']}" + (f" ({because})" if because else ""))
    if answer["flags"]:
        lines.append(f"(Not a clean answer: {', '.join(answer['flags'])}.)")
    lines.append("Tell me which one you pick, or that it is none of these.")
    return "\n".join(lines)


def expected(answer: Mapping[str, Any], item: Item, based_on: Sequence[Opinion]) -> str:
    """Say how somebody would rate an item.

    Args:
        answer: Of `rate`.
        item: Which one.
        based_on: What the person thinks of the items that it was judged by.
    """
    judged = [f"{o.item['title']} ({o.verdict.rating:g})" for o in based_on]
    flags = f" (Not a clean answer: {', '.join(answer['flags'])}.)" if answer["flags"] else ""
    return (
        f"I expect {answer['rating']:g} of {HIGHEST:g} from you for {item['title']}, going by what "
        f"you think of {_listed(judged)}.{flags}"
    )


def told_before(opinion: Opinion) -> str:
    """Remind somebody of what they said.

    Args:
        opinion: Theirs.
    """
    return (
        f"You have told me already what you think of {opinion.item['title']}: "
        f"{opinion.verdict.rating:g} of {HIGHEST:g}, as I understand it."
    )


def cannot_rate() -> str:
    """Say that there is no tool to predict ratings."""
    return "I have no tool here to say how you would like it. I can recommend, though."


def no_ratings(item: Item) -> str:
    """Ask for what a rating could be predicted from.

    Args:
        item: Of which one is wanted.
    """
    return (
        f"To say how you would like {item['title']}, I need to know how you liked something else: "
        'tell me, such as: I loved "Alien" but hated "Titanic", or a number of stars.'
    )


def thanks(answer: Mapping[str, Any], title: str) -> str:
    """Thank for feedback, and say what becomes of it.

    Args:
        answer: Of `feedback`.
        title: Of the picked item.
    """
    if answer["picked"] is None:
        return (
            "Noted: none of these. Ask me for more, or tell me another title that you liked, and I "
            "try again."
        )
    place = f"It was number {answer['rank']} of my ranking. " if answer["rank"] else ""
    if answer["learning"]:
        place = "It was not among my best ten, so I am learning from that now. "
    return f"Noted, thank you. {place}Enjoy {title}, and tell me how you liked it."


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


def _reason(reason: str, opinions: Mapping[str, Opinion]) -> str:
    for opinion in opinions.values():
        title = opinion.item["title"]
        if reason.startswith(_LIKE.format(title)):
            facts = reason.removeprefix(_LIKE.format(title))
            return f"like {title}{_which(opinion.verdict)}: {facts}"
    return reason


def _which(verdict: Verdict) -> str:
    return "" if verdict.verb == "named" else f", which you {verdict.verb}"


def _quoted(titles: Sequence[Mapping[str, Any]]) -> str:
    return _listed([f"“{title['typed']}”" for title in titles])


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _aside(item: Item) -> str:
    return f" ({item['about']})" if item.get("about") else ""
