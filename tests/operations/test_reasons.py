"""What a recommended item shares with chosen ones, against a plain search for it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from re2llm.operations.recommending.reasons import Reasons, reasons_for
from re2llm.records import Item

NAMES = ("genres", "director", "country")


def film(number: int, rng: random.Random) -> Item:
    attributes: dict[str, Any] = {"year": 1990 + number % 5}
    for name in NAMES:
        words = [f"{name[0]}{rng.randrange(6)}" for _ in range(rng.randrange(3))]
        attributes[name] = words if rng.random() < 0.7 else "".join(words[:1])
    return Item(str(number), f"Film {number}", attributes)


def words_of(item: Item, name: str) -> list[str]:
    value = item.attributes[name]
    return [value] if isinstance(value, str) else list(value)  # pyright: ignore[reportArgumentType]


def plainly(item: Item, listed: Sequence[Item], chosen: Sequence[Item]) -> list[str]:
    """Two facts at most, the newest chosen items first; common words only without others."""
    shared = Counter((n, w) for one in listed for n in NAMES for w in words_of(one, n))
    recent = list({one.id: one for one in reversed(chosen)}.values())[:100]
    for most in (int(0.6 * len(listed)), len(listed)):
        found: list[str] = []
        told: list[str] = []
        for other in recent:
            facts: list[tuple[int, str, str]] = []
            for name in NAMES:
                both = [
                    word
                    for word in words_of(item, name)
                    if word in words_of(other, name) and shared[name, word] <= most
                ]
                if both and name not in told and other.id != item.id:
                    rarity = min(shared[name, word] for word in both)
                    facts.append((rarity, name, f"{name} {', '.join(both)}"))
            kept = sorted(facts)[: 2 - len(told)]
            told += [name for _, name, _ in kept]
            if kept:
                found.append(f"like {other.title}: {', '.join(fact for *_, fact in kept)}")
        if found:
            return found
    return []


@pytest.mark.parametrize("seed", range(20))
def test_reasons_are_those_of_a_plain_search(seed: int) -> None:
    rng = random.Random(seed)
    films = [film(number, rng) for number in range(150)]
    listed = rng.sample(films, rng.randrange(1, 12))
    chosen = rng.choices(films, k=rng.choice([1, 5, 400]))
    assert reasons_for(listed, chosen) == [plainly(item, listed, chosen) for item in listed]


@pytest.mark.parametrize("distinct", [1, 150])
def test_a_long_history_is_not_compared_whole(
    monkeypatch: pytest.MonkeyPatch, distinct: int
) -> None:
    compared: Counter[str] = Counter()
    facts = Reasons._facts

    def counted(self: Reasons, *args: Any) -> Any:
        compared["of"] += 1
        return facts(self, *args)

    monkeypatch.setattr(Reasons, "_facts", counted)
    rng = random.Random(5)
    chosen = [Item(str(n), "", {"genres": [f"only {n}"]}) for n in range(distinct)] * 50
    listed = [Item(f"new {n}", "", {"genres": [f"only new {n}"]}) for n in range(20)]
    assert reasons_for(listed, rng.sample(chosen, len(chosen))) == [[]] * 20
    assert compared["of"] <= 2 * min(distinct, 100) * len(listed)
