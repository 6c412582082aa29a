"""Finding items by title: the year behind it, the article, typing errors, and doubts."""

import pytest
from re2llm.knowledge.titles.likeness import likeliest, likeness
from re2llm.knowledge.titles.search import TitleSearch, settled
from re2llm.records import Item

SEARCH = TitleSearch(
    [
        Item("1", "Toy Story", {"year": 1995}),
        Item("3114", "Toy Story 2", {"year": 1999}),
        Item("2571", "The Matrix", {"year": 1999}),
        Item("6365", "The Matrix Reloaded", {"year": 2003}),
        Item("heat-1995", "Heat", {"year": 1995}),
        Item("heat-1972", "Heat", {"release_date": "1972-10-06"}),
        Item("br", "Blade Runner", {"year": 1982}),
        Item("51662", "300", {"year": 2007}),
        Item("race", "Death Race 2000", {"year": 1975}),
        Item("jacket", "Jacket, The (2005)"),
        Item("alien", "Alien"),
    ]
)


@pytest.mark.parametrize(
    ("typed", "id_"),
    [
        ("Toy Story (1995)", "1"),
        ("Matrix, The (1999)", "2571"),
        ("The Matrix (1999)", "2571"),
        ("matrix [1999]", "2571"),
        ("Heat (1995)", "heat-1995"),
        ("Heat (1972-1973)", "heat-1972"),
        ("Heat 1972", "heat-1972"),
        ("Heat, 1972", "heat-1972"),
        ("300", "51662"),
        ("300 (2007)", "51662"),
        ("Death Race 2000", "race"),
        ("Death Race 2000 (1975)", "race"),
        ("deth race 2000", "race"),
        ("The Jacket (2005)", "jacket"),
        ("Jacket, The (2005)", "jacket"),
        ("The Jacket", "jacket"),
        ("Alein", "alien"),
        # Its year is not known, so it contradicts nothing.
        ("Alein (1979)", "alien"),
    ],
)
def test_a_title_is_found_with_its_year_and_its_article(typed: str, id_: str) -> None:
    found = settled(SEARCH.find(typed))
    assert found is not None
    assert found.id == id_


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("Heat", "heat-1972"),
        ("Heat (1980)", "heat-1972"),
        ("Toy Story (1999)", "1"),
        ("Blade Runner 2049", "br"),
        ("Balien", "alien"),
    ],
)
def test_namesakes_and_another_year_are_doubts(typed: str, first: str) -> None:
    matches = SEARCH.find(typed)
    assert settled(matches) is None
    assert matches[0].item.id == first


@pytest.mark.parametrize("typed", ["", " ", "(1995)", "1995", "?", "\ud83d"])
def test_what_is_no_title_finds_nothing(typed: str) -> None:
    assert SEARCH.find(typed) == []


@pytest.mark.parametrize("part", ["x, ", " ", "1999 ", "(1999", ",", "(", "a(1999)"])
@pytest.mark.timeout(60)  # quadratic time would take far longer
def test_a_long_text_takes_no_time(part: str) -> None:
    SEARCH.find(part * 20_000)


def test_exact_titles() -> None:
    assert [item.id for item in SEARCH.exact("the matrix")] == ["2571"]
    assert {item.id for item in SEARCH.exact("HEAT")} == {"heat-1995", "heat-1972"}
    assert SEARCH.exact("matrix reloade") == SEARCH.exact("!") == []


FILMS = [
    *("Se7en (1995)", "Seven Samurai (Shichinin no samurai) (1954)", "Frozen", "Frozen II"),
    *("Boot, Das (Boat, The) (1981)", "Rocky", "Rocky II", "Rocky IV", "Rocky V", "WALL\u00b7E"),
    *("12 Angry Men (1957)", "M*A*S*H (1970)", "Fast & Furious", "The Fast and the Furious"),
    *("Am\u00e9lie (Fabuleux destin d'Am\u00e9lie Poulain, Le) (2001)", "Toy Story", "Toy Story 2"),
    *("The Godfather", "The Godfather: Part II", "The Godfather: Part III", "X-Men", "Zoolander"),
    *("Back to the Future", "Back to the Future Part II", "Ocean's Eleven", "Ocean's Twelve"),
    *("Kill Bill: Vol. 1", "Kill Bill: Vol. 2", "Star Wars: Episode IV - A New Hope (1977)"),
    *("Dr. Strangelove or: How I Learned to Stop Worrying", "Heat", "The Heat", "$", "Ray"),
    *("Airplane!", "Airplane II: The Sequel", "Shrek", "Shrek the Third", "The Matrix", "Aliens"),
    *("E.T. the Extra-Terrestrial", "Blade Runner 2049", "Dune: Part Two", "Harry Potter Goes On"),
]
SHELF = TitleSearch([Item(title, title) for title in FILMS])


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        *(("Frozen", "Frozen"), ("frozen 2", "Frozen II"), ("Rocky", "Rocky")),
        *(("Rocky 2", "Rocky II"), ("ROCKY-II", "Rocky II"), ("Rocky Five", "Rocky V")),
        *(("Das Boot", FILMS[4]), ("Boot, Das", FILMS[4]), ("boot (1981)", FILMS[4])),
        *(("Twelve Angry Men", "12 Angry Men (1957)"), ("MASH", "M*A*S*H (1970)")),
        *(("Fast and Furious", "Fast & Furious"), ("Fast & furious", "Fast & Furious")),
        *(("The Fast & the Furious", "The Fast and the Furious"), ("walle", "WALL\u00b7E")),
        *(("Amelie", FILMS[14]), ("Toy Story II", "Toy Story 2"), ("XMen", "X-Men")),
        *(("Godfather 2", "The Godfather: Part II"), ("Godfather", "The Godfather")),
        *(("The Godfather Part Two", "The Godfather: Part II"), ("Oceans 12", "Ocean's Twelve")),
        *(("Back to the Future 2", "Back to the Future Part II"), ("$", "$")),
        *(("Kill Bill Volume 2", "Kill Bill: Vol. 2"), ("A New Hope", FILMS[28])),
        *(("Doctor Strangelove", FILMS[29]), ("Dr. Strangelove", FILMS[29]), ("Heat", "Heat")),
        ("The Heat", "The Heat"),
        *(("Airplane 2", "Airplane II: The Sequel"), ("Shrek 3", "Shrek the Third")),
        *(("Se7en", "Se7en (1995)"), ("Seven (1995)", "Se7en (1995)"), ("Seven", "Se7en (1995)")),
    ],
)
def test_spellings_of_one_title_are_one(typed: str, found: str) -> None:
    sure = settled(SHELF.find(typed))
    assert sure is not None
    assert sure.title == found


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        *(("Rocky 3", "Rocky II"), ("Rocky VI", "Rocky IV"), ("Frozen 3", "Frozen")),
        *(("Zoolander 2", "Zoolander"), ("The Matrix 2", "The Matrix"), ("Alien", "Aliens")),
        *(("Samurai", FILMS[1]), ("Kill Bill", "Kill Bill: Vol. 1"), ("Rays", "Ray")),
        *(("Blade Runner", "Blade Runner 2049"), ("Dune", "Dune: Part Two")),
        *(("Harry Potter", "Harry Potter Goes On"), ("ET", FILMS[-4]), ("E.T.", FILMS[-4])),
        *(("Ocean's 13", "Ocean's Eleven"), ("Star Wars", FILMS[28]), ("Seven (1979)", FILMS[0])),
    ],
)
def test_another_film_is_offered_and_not_taken(typed: str, offered: str) -> None:
    matches = SHELF.find(typed)
    assert settled(matches) is None
    assert offered in [match.item.title for match in matches]


def test_a_film_that_is_not_there_is_not_replaced_by_one_that_begins_so() -> None:
    search = TitleSearch([Item("1", "Seven Samurai"), Item("2", "Frozen II")])
    for typed in ("Seven", "Frozen"):
        assert settled(search.find(typed)) is None
        assert search.find(typed)


OTHERS = TitleSearch(
    Item(title, title)
    for title in (
        *("Se7en (1995)", "Seven Samurai (1954)", "2012 (2009)", "2010: The Year (1984)"),
        *("Harry Potter and the Chamber of Secrets", "Halloween", "Halloween H20: 20 Years Later"),
        *("Harry Potter and the Deathly Hallows: Part 2", "Three Colors: Blue", "Before Sunrise"),
        *("The Lord of the Rings: The Two Towers", "The Lord of the Rings: The Return of the King"),
        *(
            "O Auto da Compadecida",
            "Ett H\u00e5l i Mitt Hj\u00e4rta",
            "Star Trek II: The Wrath of Khan",
        ),
        *("L\u00e9on: The Professional", "Death Race 2000 (1975)", "Boot, Das (1981)"),
        *("HDMI Cable 10ft", "Acme High Speed Braided HDMI Cable 10ft", "NBA 2K13 - PC"),
        *("Father of the Bride", "Man on Fire", "Nintendo 3DS XL", "Halo 3", "Halo: Reach"),
        *("Final Fight 2", "Final Fight: Streetwise", "PS3 Final Fight Collection"),
        *("Xbox 360 Controller Battery Pack White", "USB Battery Pack for Xbox 360 Controller"),
    )
)


@pytest.mark.parametrize(
    "typed",
    [
        *("Seven (1954)", "2012 (2012)", "Harry Potter 2", "Halloween 20", "Three Colors: White"),
        *("Lord of the Rings", "The Lord of the Rings", "Before Sunset", "Star Trek 3"),
        *("HDMI Cable 6ft", "High Speed Braided HDMI Cable 6ft", "NBA 2K14", "nba 2k14 - pc"),
        *("Father of the Pride", "Man on Wire", "Nintendo DS", "Halo", "Halo 2"),
        "Final Fight",
    ],
)
def test_a_neighbour_in_a_series_is_not_taken_for_another(typed: str) -> None:
    assert settled(OTHERS.find(typed)) is None


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        *(("Auto da Compadecida, O", "O Auto da Compadecida"), ("boot (1981)", "Boot, Das (1981)")),
        *(("Ett hal i mitt hjarta", "Ett H\u00e5l i Mitt Hj\u00e4rta"), ("2012", "2012 (2009)")),
        *(("Hal i mitt hjarta, Ett", "Ett H\u00e5l i Mitt Hj\u00e4rta"), ("Seven", "Se7en (1995)")),
        *(("Harry Potter Deathly Hallows 2", "Harry Potter and the Deathly Hallows: Part 2"),),
        *(("hdmi cable 10ft", "HDMI Cable 10ft"), ("NBA 2k13", "NBA 2K13 - PC")),
        *(("Fahter of the Birde", "Father of the Bride"), ("Man on Fier", "Man on Fire")),
        *(("Star Trek 2", "Star Trek II: The Wrath of Khan"), ("Befor Sunrsie", "Before Sunrise")),
        *(("Leon", "L\u00e9on: The Professional"), ("deth race 2000", "Death Race 2000 (1975)")),
        ("Controller Battery Pack White [Xbox 360]", "Xbox 360 Controller Battery Pack White"),
        *(("The Return of the King", "The Lord of the Rings: The Return of the King"),),
    ],
)
def test_what_tells_titles_of_a_series_apart_finds_one(typed: str, found: str) -> None:
    sure = settled(OTHERS.find(typed))
    assert sure is not None
    assert sure.id == found


@pytest.mark.parametrize(
    "typed", ["the return of the king", "hdmi cable", "halo", "fahter of the birde", "o auto", "x"]
)
def test_no_like_form_is_left_out_before_forms_are_compared_in_full(typed: str) -> None:
    forms = [
        *("lord of the rings", "return of the king", "lord of the rings the return of the king"),
        *(
            "hdmi cable 10ft",
            "acme high speed braided hdmi cable 10ft",
            "halo 3",
            "the halo effect",
        ),
        *("father of the bride", "auto da compadecida", "man on fire", "x", "the x files"),
    ]
    in_full = [(form, likeness(typed, form)) for form in forms]
    alike = sorted((pair for pair in in_full if pair[1] >= 70), key=lambda pair: -pair[1])
    assert likeliest(typed, forms, len(forms)) == alike
    assert likeliest(typed, forms, 2) == alike[:2]
    assert likeliest(typed, [], 5) == []


TENS = TitleSearch(
    Item(title.casefold(), title)
    for title in (
        *("Malcolm X", "American History X (1998)", "Jason X: The Beginning", "X-Men", "X"),
        *("Final Fantasy IX", "Final Fantasy X", "Friday the 13th Part X", "Henry V", "Alien"),
        *("The Matrix", "Saw 2", "Saw X"),
    )
)


@pytest.mark.parametrize(
    "typed",
    [
        *("Malcolm 10", "Malcolm Ten", "malcolm tenth", "Malcom 10", "American History 10", "10"),
        *("American History 10 (1998)", "American Histori 10", "10 Men", "Jason 10", "Mlien"),
        *("latrix", "The Latrix", "lien"),
    ],
)
def test_a_ten_for_a_letter_and_another_first_letter_are_doubtful(typed: str) -> None:
    found = TENS.find(typed)
    assert found
    assert settled(found) is None


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        *(("Malcolm X", "malcolm x"), ("Malcom X", "malcolm x"), ("malcolmx", "malcolm x")),
        *(("American History X", "american history x (1998)"), ("xmen", "x-men"), ("x", "x")),
        *(("Final Fantasy 10", "final fantasy x"), ("Final Fantasi X", "final fantasy x")),
        *(("Friday the 13th Part 10", "friday the 13th part x"), ("Henry 5", "henry v")),
        *(("Saw 10", "saw x"), ("Saw Ten", "saw x")),
    ],
)
def test_an_x_is_a_ten_in_a_series_alone(typed: str, title: str) -> None:
    found = settled(TENS.find(typed))
    assert found is not None
    assert found.id == title
