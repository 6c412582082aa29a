# ruff: noqa: RUF001  # letters that look like others are what this is about

from __future__ import annotations

import html
import json
import random
import time
from pathlib import Path

import pytest
import re2llm
from hypothesis import given
from hypothesis import strategies as st
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.knowledge.leaks.filter import LeakFilter
from re2llm.records import Item

DATA = Path(re2llm.__file__).parent.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"The data sets are not at {DATA}.")

# Titles that are ordinary words, among titles that are not.
TRICKY = """It|Big|Heat|Popular|Classic|Following|Genre|Once|Now and Then|Film|Them!|The Mirror
Recent|Series 7|War|Love|Comedy|Drama|The Next|Real Life|Oscar|Speed|Traffic|Society|Hollywood
Adventure|21|10|1984|The Others|First Love|Love Story|The Family|Short Film|Seven|Brazil|Wii|PC
Play|Contact|Stay|Signs|Innocence|Magic|Pride|Focus|The Game|Up|Home|Moon|AnswerFormat|The Hours
Dark Places|Some Like It Hot|Movie Movie|True Story|Next|Crash|Match Point|Before|Away We Go
Made|The Critic|American Movie|World War II|Wireless Controller|Nintendo DS|Memory Card
First-Person Shooter|Gaming Headset"""
TITLES = """The Matrix|Rocky II|Rocky V|Amélie|Ocean's Eleven|Spider-Man|S.W.A.T.|Dr. No|Se7en
The Shawshank Redemption|Indiana Jones and the Kingdom of the Crystal Skull|Toy Story
Finding Nemo|Star Wars: Episode IV - A New Hope|The Lord of the Rings: The Two Towers
Pulp Fiction|8½|Alien³|La cité des enfants perdus|Crouching Tiger, Hidden Dragon|Léon
Ghostbusters|Koyaanisqatsi|Gladiator|Fast & Furious|The Godfather: Part II|Blade Runner
The Silence of the Lambs|WALL·E|千と千尋の神隠し|As Good as It Gets|Schindler's List
Eternal Sunshine of the Spotless Mind|American Beauty|Yôjinbô|John Carpenter's Vampires
Seven Samurai (Shichinin no samurai)|Twelve Monkeys (a.k.a. 12 Monkeys)"""
GAMES = {
    "Mario Kart 8 - Wii U": "Wii U",
    "The Legend of Zelda: Ocarina of Time": "Nintendo 64",
    "Grand Theft Auto V - PlayStation 4 [Digital Code]": "PlayStation 4",
    "Unreal (Jewel Case) - PC": "PC",
    "Halo 3": "Xbox 360",
}


def _split(titles: str) -> list[str]:
    return [title for line in titles.splitlines() for title in line.split("|")]


def _catalogue() -> list[Item]:
    facts = {"genres": ["War", "Comedy", "Drama", "Film-Noir"], "country": "USA", "year": 1995}
    people = {"director": ["John Carpenter", "Alfred Hitchcock"], "actors": ["Tom Hanks"]}
    items = [
        Item(str(6300 + number), title, {**facts, **people})
        for number, title in enumerate(_split(TRICKY) + _split(TITLES))
    ]
    games = [
        Item(f"B0000{number}ABC", title, {"platform": platform, "kind": "game"})
        for number, (title, platform) in enumerate(GAMES.items())
    ]
    spare = ("PlayStation", "Nintendo DS", "Western", "Xbox", "Wii")
    return [*items, *games, *(Item(f"spare-{p}", "", {"platform": p}) for p in spare)]


CATALOGUE = _catalogue()
FILTER = LeakFilter(CATALOGUE)
BY_TITLE = {item.title: item for item in CATALOGUE}

ORDINARY = """Consider directors known for a unique, distinctive style.
Don't rely solely on mainstream popularity; consider acclaimed films that were no box office hits.
Prefer Hollywood films.
Prefer Hollywood films, as the history suggests a taste for mainstream American cinema.
Favor documentaries.
Western films deserve more weight.
Nintendo DS games
PlayStation accessories
Prefer films of the same era as the history.
Once a genre recurs in the history, follow it now and then with a contrast.
Following the most recent items, prefer a similar mood.
Popular classics are a safe choice; prefer them only if the history is popular.
Liking a genre once doesn't mean always preferring it.
Mirror the pacing of the history.
Mirror what the person watched last.
Consider the Genre and the Director before the year.
Prefer Comedy and Drama to War.
Prefer Drama over Comedy, and Film-Noir over both.
Give weight to the genre "Comedy" when the history holds it.
Prefer films about war, love and society.
Educational, or real-life stories suit this person.
Include Oscar-winning films and those that won at Cannes or the BAFTAs.
Rank the top 10 by how often they followed the session's items.
Prefer films of the 1990s.
Prefer films released in 1995.
Prefer films from 1984 to 1995.
Weigh critics' scores above 80 percent.
Prefer black-and-white classics and film noir.
The next item is often a big release on the same platform.
Give weight to what is recent, popular and widely known.
Prefer the same director as in the history.
Prefer films directed by Alfred Hitchcock.
Prefer films starring Tom Hanks.
Films by John Carpenter fit a history of horror.
Prefer World War II dramas.
Match film tone with the user's mood preference, like dark or whimsical.
Focus on films with a strong comedic element.
Stay within the decade of the history.
Signs of a taste for magic and innocence call for family films.
Speed up the change of genre when the history is varied.
Look for love stories with heat and speed.
Play it safe: prefer what many others watched.
Before anything else, match the platform.
It helps to compare release years.
Prefer Nintendo Wii games after a Wii console.
Prefer games for the PC.
Suggest a wireless controller or a memory card after a console.
Suggest an Xbox 360 controller or a gaming headset after a new console.
Favor first-person shooters and role-playing games.
Prefer games of the same franchise, such as sequels and spin-offs.
Prefer adventure games over sports series.
Recommend accessories for the platform that the person bought last.
Downloadable content follows the game that it belongs to.
Prefer digital codes and subscriptions for Xbox.
Do not repeat what the history already holds.
Prefer Popular Classic Films From The Same Genre.
PREFER POPULAR FILMS OF THE SAME GENRE.
Prioritize short films and first works by directors.
Ignore movies that are long, unless the history holds them.
Recommend movies with exceptional cinematography or soundtracks.
Counteract the recency effect by including older films.
Some like drama, others like comedy: prefer what the history shows.
Prefer films made before 1984 and after the war.
Consider films that originated from other media, such as books, radio plays, or TV shows.
Prefer game series with 2 or more parts.
Prefer American, British and Japanese films to Italian ones.
Give weight to high popularity: how many people watched it; prefer the close years.""".splitlines()

# Refused whatever the target.
NAMED = [
    "Recommend The Matrix.",
    "Recommend films like Matrix, The.",
    "prefer pulp fiction to newer films",
    "Prefer PULP FICTION to newer films.",
    "Prefer the film Heat.",
    'Prefer "Heat" to slower dramas.',
    "Prefer “Big” and the like.",
    "Prefer *Popular* to others.",
    "Recommend films like It.",
    "Recommend It to fans of horror.",
    "Fans of Heat enjoy crime dramas.",
    "Recommend movies like Heat, because the mood fits.",
    "Recommend movies titled Comedy.",
    "Recommend films like 21.",
    "Recommend Now and Then.",
    "Recommend rocky 2 and its like.",
    "Recommend Rocky 5.",
    "Recommend Amelie.",
    "Recommend Oceans 11.",
    "Recommend Ocean&#39;s Eleven.",
    "Recommend Ocean’s Eleven.",
    "Recommend Ocean&amp;#39;s Eleven.",
    "Prefer spiderman films.",
    "Prefer Spider Man films.",
    "Recommend SWAT.",
    "Recommend Dr No.",
    "Recommend fast and furious films.",
    "Recommend Fast &amp; Furious.",
    "Recommend ＧＬＡＤＩＡＴＯＲ.",
    "Recommend Gladiator's successors.",
    "Recommend Gla\u200bdiator.",
    "Recommend Gl\u0430diator.",
    "Prefer ghostbusters.",
    "Prefer ghost busters among comedies.",
    "Prefer koyaanisqatsi.",
    "Recommend Alien 3.",
    "Recommend la cite des enfants perdus.",
    "Recommend Crouching Tiger Hidden Dragon.",
    "Recommend the shawshank redemtion.",
    "Recommend eternal sunshine of a spotless mind.",
    "prefer the silence of the lambs",
    "Recommend Star Wars.",
    "Recommend 12 Monkeys.",
    "Recommend shichinin no samurai.",
    "Recommend 千と千尋の神隠し.",
    "as good as it gets is what they want",
    "Prefer Mario Kart 8.",
    "Prefer mario kart 8 on the Wii U.",
    "Prefer ocarina of time.",
    "Prefer Grand Theft Auto 5.",
    "Put item 6303 first.",
    "Candidate 12 should come first.",
    "Rank candidate #4 first.",
]

SPELT = [
    *("Gladi4tor", "GL4D1AT0R", "Gl@diator", "G1adiator", "glad1at0r", "Gladia+or", "G!adiator"),
    *(
        "P\u1d1cLP F\u026aCTION",
        "Gladi\u0251tor",
        "Gl\u03b1diator",
        "Gladiat\u0585r",
        "\u13c0ladiator",
    ),
    *("Glad\u0456ator", "Gla\u0111iator", "Gladiato\u0280", "\u0193ladiator", "G\u043bадиатор"),
    *("Гладиатор", "グラディエーター", "글래디에이터", "Gla\u3164diator", "Gla\u00addiator"),
    *("Gla-di-a-tor", "Gladiaaaator", "Gggladiator", "rotaidalG", "ROTAIDALG", "sretsubtsohG"),
    *("Gh0stbusters", "Ghostbu5ters", "9hostbusters", "Gho$tbusters", "K0yaanisqatsi"),
    *("Th3 M4tr1x", "The Matr!x", "Pu1p F1ction", "noitciF pluP", "Bl4de Runn3r", "8lade Runner"),
    *("B1ade Runner", "Sch1ndler's List"),
]
DISGUISED = [
    *SPELT,
    *(sign.join("Gladiator") for sign in (*" -._*", "\u00b7", "\u0336", "\u034f")),
    *("".join(chr(ord(c) - ord("A") + start) for c in "GLADIATOR") for start in (0x24B6, 0x1F170)),
    *("".join(chr(ord(c) - ord("A") + start) for c in "GLADIATOR") for start in (0x1D400, 0x1F130)),
]
PLAIN = """Prefer 3D films, MP3 players, 4K discs and PS4 or Xbox360 games.
Prefer films of the 1980s, the 2nd of a series, and R&B or C++ themes.
Prefer H264 files and B2B offers!
Weigh 5 stars more than 3; 10+ votes are enough!
Prefer Wi-Fi controllers (2.4 GHz) & USB3 cables.
So good!!! Prefer sci-fi; hmmm, and Brazilian films.
Prefer f\u00fcr Kinder geeignete Filme und M\u00e4rchen.
Pr\u00e9f\u00e9rez les com\u00e9dies fran\u00e7aises r\u00e9centes.
Предпочитайте недавние комедии и драмы.
Προτίμησε πρόσφατες κωμωδίες.
最近のコメディを優先する。
최근 코미디를 우선하세요.""".splitlines()

# Refused for the target.
TARGETS = [
    ("Prefer films with a crystal skull.", "Indiana Jones and the Kingdom of the Crystal Skull"),
    (
        "Prefer films about Indiana and the like.",
        "Indiana Jones and the Kingdom of the Crystal Skull",
    ),
    ("Prefer films with Carpenter's vampires.", "John Carpenter's Vampires"),
    ("Prefer films with Nemo.", "Finding Nemo"),
    ("prefer toy films", "Toy Story"),
    ("prefer the matrix", "The Matrix"),
    ("prefer matrix, the", "The Matrix"),
    ("Prefer the matricks or the matrixx.", "The Matrix"),
    ("prefer gladiater", "Gladiator"),
    ("prefer the godfathr", "The Godfather: Part II"),
    ("Prefer the god father.", "The Godfather: Part II"),
    ("Prefer bladerunner.", "Blade Runner"),
    ("prefer the spotless mind", "Eternal Sunshine of the Spotless Mind"),
    ("prefer silent lambs", "The Silence of the Lambs"),
    ("prefer heat", "Heat"),
    ("prefer stories of real life", "Real Life"),
    ("prefer the two towers", "The Lord of the Rings: The Two Towers"),
    ("Prefer films with Rings.", "The Lord of the Rings: The Two Towers"),
    ("prefer a love story", "Love Story"),
    ("prefer mario kart races", "Mario Kart 8 - Wii U"),
    ("prefer unreal shooters", "Unreal (Jewel Case) - PC"),
    ("prefer some like it hot", "Some Like It Hot"),
    ("Recommend 1984.", "1984"),
    ("Prefer films with vampires.", "John Carpenter's Vampires"),
]


@pytest.mark.parametrize("hint", ORDINARY)
def test_ordinary_hints_pass(hint):
    assert FILTER.leak(hint) is None


@pytest.mark.parametrize("hint", ORDINARY)
@pytest.mark.parametrize("title", ["Big", "Popular", "The Next", "Now and Then", "Gladiator"])
def test_ordinary_hints_pass_whatever_the_target(hint, title):
    target = BY_TITLE[title]
    assert FILTER.leak(hint, target=target, ids=[item.id for item in CATALOGUE]) is None


@pytest.mark.parametrize("hint", NAMED)
def test_a_named_item_is_refused(hint):
    assert FILTER.leak(hint) is not None


@pytest.mark.parametrize("name", DISGUISED)
def test_a_disguised_name_is_refused(name):
    assert FILTER.leak(f"Recommend {name} first.") is not None
    assert FILTER.leak(f"prefer dark films such as {name}") is not None


@pytest.mark.parametrize("hint", PLAIN)
def test_plain_words_are_no_disguise(hint):
    assert FILTER.leak(hint) is None


@pytest.mark.parametrize(("hint", "title"), TARGETS)
def test_the_target_is_refused_in_part_and_misspelt(hint, title):
    item = BY_TITLE[title]
    assert FILTER.leak(hint, target=item) is not None
    assert FILTER.leak(hint, target=Item(item.id, item.title)) is not None


def test_attributes_of_the_target_may_be_named():
    vampires = BY_TITLE["John Carpenter's Vampires"]
    assert FILTER.leak("Prefer films by John Carpenter.", target=vampires) is None
    assert FILTER.leak("Prefer Wii U games.", target=BY_TITLE["Mario Kart 8 - Wii U"]) is None


@pytest.mark.parametrize(
    ("hint", "item"),
    [
        ("Prefer id 7.", "7"),
        ("Prefer item #7.", "7"),
        ("Rank #1995 high.", "1995"),
        ("Prefer (id: 7) to others.", "7"),
        ("Prefer film 7 to others.", "7"),
        ("Prefer number 12.", "12"),
        ("Prefer movies 3, 12 and 40.", "12"),
        ("Prefer 6303 to others.", "6303"),
        ("Prefer ６３０３５ to others.", "63035"),
        ("Prefer b00005n7p0.", "B00005N7P0"),
        ("Prefer tt0133093, and the like.", "tt0133093"),
        ("Prefer the-matrix to others.", "the-matrix"),
        ("Prefer item heat.", "heat"),
        ("Prefer movie:603 to others.", "movie:603"),
    ],
)
def test_ids_are_refused(hint, item):
    empty = LeakFilter([])
    assert item in (empty.leak(hint, ids=["5", item]) or "")
    assert item in (empty.leak(hint, target=Item(item, "?")) or "")


@pytest.mark.parametrize(
    "hint",
    [
        "Rank the top 10 carefully.",
        "Prefer the 1990s.",
        "Prefer films released in 1995.",
        "Prefer 7 of the genres.",
        "Xbox 360 games on 2 discs, at least 12 years old.",
        "Prefer heat and drama.",
    ],
)
def test_numbers_that_are_no_ids_pass(hint):
    assert (
        LeakFilter([]).leak(hint, ids=["7", "10", "12", "360", "1990", "1995", "2", "heat"]) is None
    )


def test_a_title_that_is_repeated_as_an_attribute_is_refused():
    item = Item(
        "1", "Zardoz Returns", {"series": "Zardoz Returns", "original_title": "Vortex Five"}
    )
    leaks = LeakFilter([item])
    assert leaks.leak("Prefer Zardoz Returns.")
    assert leaks.leak("Prefer Vortex Five.")


def test_titles_that_differ_in_a_number_alone_are_names():
    items = [Item(f"t{n}", f"Tea number {n}", {"kind": "green"}) for n in range(1, 60)]
    leaks = LeakFilter(items)
    for hint in ("Recommend tea number 17 always.", "Rank tea number 3 first."):
        assert leaks.leak(hint) is not None
    for hint in ("Prefer a small number of teas.", "Prefer tea with 17 reviews.", "Prefer green."):
        assert leaks.leak(hint) is None


def test_odd_catalogues_and_hints():
    leaks = LeakFilter([Item("1", ""), Item("2", "???"), Item("3", "The"), Item("4", "X " * 200)])
    for hint in ("", "?", "a", "The the the.", "'" * 500, "&amp;" * 100, "x " * 250):
        leaks.leak(hint, target=Item("1", ""), ids=[""])
    assert LeakFilter([]).leak("Prefer Gladiator.", target=Item("9", "Gladiator"))


VARIANTS = [
    str.upper,
    str.lower,
    str.title,
    html.escape,
    lambda text: text.replace("'", "\u2019"),
    lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    lambda text: text.replace(" ", "-"),
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace("e", "e\u0301"),
    lambda text: text.replace("a", "\u00e4"),
    lambda text: text.replace("o", "o\u200b"),
    lambda text: text.replace(" II", " 2"),
    lambda text: text.replace(":", ""),
    lambda text: f"{text[4:]}, The" if text.startswith("The ") else text,
    lambda text: f"\u201c{text}\u201d",
]
DISTINCTIVE = [
    *("Pulp Fiction", "The Shawshank Redemption", "Blade Runner", "Rocky II", "Ghostbusters"),
    *("The Silence of the Lambs", "Schindler's List", "The Lord of the Rings: The Two Towers"),
    *("Eternal Sunshine of the Spotless Mind", "Crouching Tiger, Hidden Dragon", "Koyaanisqatsi"),
]


@given(
    title=st.sampled_from(DISTINCTIVE),
    changes=st.lists(st.sampled_from(VARIANTS), max_size=3),
    frame=st.sampled_from(
        ["Recommend {}.", "prefer {} to newer films", "{} suits dark moods.", "Weigh {}, then era."]
    ),
)
def test_no_spelling_of_a_distinctive_title_passes(title, changes, frame):
    planted = title
    for change in changes:
        planted = change(planted)
    assert FILTER.leak(frame.format(planted)) is not None


@given(st.text(max_size=500))
def test_any_text_is_judged(text):
    FILTER.leak(text, target=CATALOGUE[0], ids=["7"])


@pytest.fixture(scope="module", params=[("hetrec", "hetrec2011"), ("amazon", "games")])
def real(request):
    dataset, folder = request.param
    items = list(open_reader(dataset, DATA / folder).items(ReadReport()))
    start = time.process_time()
    leaks = LeakFilter(items)
    return items, leaks, time.process_time() - start


@needs_data
def test_the_authors_hints_pass_on_real_titles(real):
    hints = json.loads((DATA / "hetrec2011" / "paper_hints.json").read_text(encoding="utf-8"))
    refused = {hint: real[1].leak(html.unescape(hint)) for hint in hints if hint}
    assert {hint: why for hint, why in refused.items() if why} == {}


@needs_data
@pytest.mark.parametrize("noun", ["films", "games"])
def test_real_titles_are_refused(real, noun):
    items, leaks, _ = real
    chosen = random.Random(7).sample(items, 300)
    hints = {item.id: f"Recommend {noun} like {item.title}." for item in chosen}
    assert sum(leaks.leak(hint) is None for hint in hints.values()) <= 3
    assert sum(leaks.leak(hints[item.id], target=item) is None for item in chosen) <= 3


@needs_data
def test_it_is_fast(real):
    items, leaks, built = real
    assert built < 2
    long = "Prefer films of the same era as the history, and games of the same platform. " * 6
    ids = [item.id for item in items[:50]]
    start = time.process_time()
    for item in items[:50]:
        leaks.leak(long, target=item, ids=ids)
    assert (time.process_time() - start) / 50 < 0.01
