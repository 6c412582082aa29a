"""One way from what people type to items, for the command line, Python, tools and MCP."""

from collections.abc import Callable
from typing import Any

import pytest
from re2llm.cli import app
from re2llm.errors import InputError
from re2llm.knowledge.titles.search import TitleMatch, TitleSearch
from re2llm.operations.catalogue.domains import list_domains
from re2llm.operations.catalogue.items import show_item
from re2llm.operations.catalogue.titles import find_titles
from re2llm.operations.recommending.feedback import give_feedback
from re2llm.operations.recommending.recommend import recommend
from re2llm.records import Item
from re2llm.runtime.context import Context
from typer.testing import CliRunner

ITEMS = [
    Item("300", "Quiz Show", {"year": 1994}),
    Item("51662", "300", {"year": 2007}),
    Item("2571", "The Matrix", {"year": 1999}),
    Item("6365", "The Matrix Reloaded", {"year": 2003}),
    Item("6934", "The Matrix Revolutions", {"year": 2003}),
    Item("1214", "Alien", {"year": 1979}),
    Item("6", "Heat", {"year": 1995}),
    Item("7", "Heat", {"year": 1972}),
    Item("1408", "The Last of the Mohicans", {"year": 1992}),
    Item("55363", "1408", {"year": 2007}),
    Item("9", "Sudden Death", {"year": 1995}),
    Item("71057", "9", {"year": 2009}),
    Item("REC", "Recess", {"year": 2001}),
    Item("8329", "[REC]", {"year": 2007}),
    Item("2001", "Lethal Weapon 2", {"year": 1989}),
    Item("924", "2001: A Space Odyssey", {"year": 1968}),
    Item("10", "1. FC", {"year": 2015}),
    Item("11", "1. FC Heat", {"year": 2016}),
    Item("2", "Jumanji", {"year": 1995}),
    Item("12", "[REC]²", {"year": 2009}),
    Item("4", "Waiting to Exhale", {"year": 1995}),
    Item("13", "[REC] 4: Apocalypse", {"year": 2014}),
]
PLAIN = Context(policy="none")


@pytest.fixture
async def shop(load: Callable[..., Any], domain: str) -> str:
    await load(domain, ITEMS)
    return domain


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments])


@pytest.mark.parametrize(
    ("typed", "id_"),
    [
        ("Matrix, The (1999)", "2571"),
        ("The Matrix (1999)", "2571"),
        ("Alein", "1214"),
        ("Heat (1972)", "7"),
        ("1214", "1214"),
        ("id:300", "300"),
        ("[300]", "300"),
        ("[REC]", "8329"),
        ("300 (2007)", "51662"),
        ("Matrix, The", "2571"),
        ("Matrix Reloaded, The (2003)", "6365"),
        ("heat (1995)", "6"),
        ("1408 (2007)", "55363"),
        ("id:1408", "1408"),
        ("ID: 1408 ", "1408"),
        ("The Matrix [2571]", "2571"),
        ("The Matrix (1999) [2571]", "2571"),
        ("  1. The Matrix (1999)  [2571]  (genres: Action; year: 1999)", "2571"),
        ("Matrix, The [2571]", "2571"),
        ("[2571] The Matrix", "2571"),
        ("Heat [7]", "7"),
        ("Heat (1995)  [6]", "6"),
        ("1. Heat (1972) [7]", "7"),
        ("Quiz Show [300]", "300"),
        ("300 [51662]", "51662"),
        ("300 (2007)  [51662]", "51662"),
        ("[REC] [8329]", "8329"),
        ("Recess  [REC]", "REC"),
        ("2001: A Space Odyssey [924]", "924"),
        ("1. The Matrix", "2571"),
        ("12) Alien", "1214"),
        ("#3. The Matrix (1999)", "2571"),
        ("3 - Quiz Show", "300"),
        ("2. 2001: A Space Odyssey", "924"),
        ("id:2001", "2001"),
        ("[2001]", "2001"),
        ("Lethal Weapon 2", "2001"),
    ],
)
async def test_ids_and_titles_are_resolved(shop: str, typed: str, id_: str) -> None:
    made = await recommend(PLAIN, [typed], domain=shop)
    assert made.history == [id_]


@pytest.mark.parametrize(
    ("typed", "listed"),
    [
        ("300", "Quiz Show [300]; 300 [51662]"),
        ("1408", "The Last of the Mohicans [1408]; 1408 [55363]"),
        ("9", "Sudden Death [9]; 9 [71057]"),
        ("2001", "Lethal Weapon 2 [2001]; 2001: A Space Odyssey [924]"),
    ],
)
async def test_a_word_that_is_an_id_and_another_items_title_asks(
    shop: str, typed: str, listed: str
) -> None:
    with pytest.raises(InputError) as asked:
        await recommend(PLAIN, ["Alien", typed], domain=shop)
    assert asked.value.field == "history"
    assert listed in asked.value.problem
    assert f"id:{typed}" in asked.value.remedy


@pytest.mark.parametrize(
    "typed",
    [
        *(["2"], ["4"], ["2", "4"], ["6", "2"], ["2001", "924"], ["2001", "2", "10"]),
        *(["6", "id:2001"], ["[2]", "2001"]),
    ],
)
async def test_a_list_of_ids_means_those_items(shop: str, typed: list[str]) -> None:
    ids = [word.removeprefix("id:").strip("[]") for word in typed]
    assert (await recommend(PLAIN, typed, domain=shop)).history == ids
    offered = [*typed, "1214", "2571"]
    made = await recommend(PLAIN, ["Alien"], candidates=offered, domain=shop)
    assert {item.id for item in made.items} == {*ids, "1214", "2571"}


BLANKS = [" a", "b ", "\td\u00a0", "c", "c ", "x y"]


@pytest.mark.parametrize("id_", BLANKS)
async def test_an_id_with_blanks_at_its_ends_is_found_as_answers_show_it(
    load: Callable[..., Any], domain: str, id_: str
) -> None:
    words = ["Kettle", "Teapot", "Mug", "Saucer", "Tray", "Spoon"]
    await load(domain, [Item(one, title) for one, title in zip(BLANKS, words, strict=True)])
    title = words[BLANKS.index(id_)]
    for typed in (id_, f"id:{id_}", f"[{id_}]", f"{title}  [{id_}]", f"[{id_}] {title}"):
        assert (await show_item(PLAIN, typed, domain=domain)).id == id_, typed
    assert (await show_item(PLAIN, "id: x y ", domain=domain)).id == "x y"


async def test_a_list_of_ids_asks_for_what_is_exactly_a_title(shop: str) -> None:
    with pytest.raises(InputError, match=r"Quiz Show \[300\]; 300 \[51662\]"):
        await recommend(PLAIN, ["1214", "300"], domain=shop)


@pytest.mark.parametrize(
    "typed", ["The Matrix [6365]", "Alien [7]", "1. Zzyzx", "Alien [1214] and Heat", "1. Heat"]
)
async def test_what_does_not_fit_an_item_is_no_id_of_it(shop: str, typed: str) -> None:
    with pytest.raises(InputError):
        await recommend(PLAIN, [typed], domain=shop)


async def test_what_is_refused_says_how_to_send_it(shop: str) -> None:
    for typed in ("heat", "2001", "300"):
        with pytest.raises(InputError) as asked:
            await recommend(PLAIN, [typed], domain=shop)
        listed = asked.value.problem.partition("could be: ")[2].rstrip(".").split("; ")
        assert len(listed) == 2
        for one in listed:
            made = await recommend(PLAIN, [one], domain=shop)
            assert f"[{made.history[0]}]" in one
            (found,) = (await find_titles(PLAIN, [one], domain=shop)).titles
            assert [item.id for item in found.items] == made.history


def test_the_command_line_asks_and_finds_too(shop: str) -> None:
    asked = command("recommend", "300", "--domain", shop)
    assert asked.exit_code == 1
    assert "ITEM" in asked.stderr
    assert "Quiz Show [300]; 300 [51662]" in asked.stderr
    found = command("recommend", "Alein", "Matrix, The (1999)", "--domain", shop)
    assert found.exit_code == 0, found.stderr


async def test_feedback_means_an_item_that_was_shown(shop: str) -> None:
    candidates = ["id:300", "Alien", "Heat (1972)"]
    made = await recommend(PLAIN, ["The Matrix"], candidates=candidates, domain=shop)
    number = made.recommendation_id or ""
    # A program hands back the id of what was shown.
    kept = await give_feedback(PLAIN, number, "300", domain=shop, learn=False)
    assert (kept.picked, kept.title) == ("300", "Quiz Show")
    again = await recommend(PLAIN, ["The Matrix"], candidates=candidates, domain=shop)
    kept = await give_feedback(
        PLAIN, again.recommendation_id or "", "heat", domain=shop, learn=False
    )
    assert (kept.picked, kept.title) == ("7", "Heat")


@pytest.mark.parametrize("word", ["\ud83d", "nul\0", "", "x" * 30_000])
async def test_what_cannot_be_stored_is_an_unknown_item(shop: str, word: str) -> None:
    with pytest.raises(InputError, match="has no item"):
        await recommend(PLAIN, [word], domain=shop)


async def test_domains_are_listed_to_those_who_may_know_of_them(shop: str) -> None:
    assert shop in [domain.name for domain in await list_domains(PLAIN)]
    (only,) = await list_domains(Context(domains=[shop, "another"]))
    assert (only.name, only.items, only.sessions, only.hints) == (shop, len(ITEMS), 0, 0)


async def test_a_title_is_looked_for_once_and_not_at_all_if_it_is_exact(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    find = TitleSearch.find

    def counted(self: TitleSearch, typed: str, *, count: int = 5) -> list[TitleMatch]:
        asked.append(typed)
        return find(self, typed, count=count)

    monkeypatch.setattr(TitleSearch, "find", counted)
    made = await recommend(PLAIN, ["Alien", "Alein", "alien", *["Alein"] * 50], domain=shop)
    assert made.history == ["1214"] * 53
    assert asked == ["Alein"]


@pytest.mark.long
async def test_a_request_has_only_so_many_words_compared_with_all_titles(shop: str) -> None:
    exact = ["alien", "THE MATRIX"] * 500
    typos = [f"Alien{'n' * n}" for n in range(1, 202)]
    found = await find_titles(PLAIN, [*exact, *typos[:200]], domain=shop)
    assert len(found.titles) == 1_200
    with pytest.raises(InputError, match="More than 200") as raised:
        await find_titles(PLAIN, typos, domain=shop)
    assert raised.value.field == "titles"
