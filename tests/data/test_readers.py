"""The data-set readers, on small files in each official format and on the real ones."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from re2llm import records
from re2llm.data.hetrec import HetRecReader
from re2llm.data.jsonl import JsonlReader
from re2llm.data.malformed import ReadReport
from re2llm.data.movielens import MovieLensReader
from re2llm.data.readers import READERS, open_reader
from re2llm.data.titles import article_first, clean_title, split_year
from re2llm.errors import InputError
from re2llm.records import Item, Session

DATA = Path(records.__file__).resolve().parents[1] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data sets in {DATA}")

MOVIE_COLUMNS = [
    "id",
    "title",
    "imdbID",
    "spanishTitle",
    "imdbPictureURL",
    "year",
    "rtID",
    "rtAllCriticsRating",
    "rtAllCriticsNumReviews",
    "rtAllCriticsNumFresh",
    "rtAllCriticsNumRotten",
    "rtAllCriticsScore",
    "rtTopCriticsRating",
    "rtTopCriticsNumReviews",
    "rtTopCriticsNumFresh",
    "rtTopCriticsNumRotten",
    "rtTopCriticsScore",
    "rtAudienceRating",
    "rtAudienceNumRatings",
    "rtAudienceScore",
    "rtPictureURL",
]
RATING_COLUMNS = [
    "userID",
    "movieID",
    "rating",
    "date_day",
    "date_month",
    "date_year",
    "date_hour",
    "date_minute",
    "date_second",
]


def tsv(*rows: list[str], encoding: str = "latin-1") -> bytes:
    return "".join("\t".join(row) + "\n" for row in rows).encode(encoding)


def movie(key: str, title: str, *, year="1999", critics="50", audience="60") -> list[str]:
    values = dict.fromkeys(MOVIE_COLUMNS, "7")
    values |= {"id": key, "title": title, "year": year}
    values |= {"rtAllCriticsScore": critics, "rtAudienceScore": audience}
    values |= {"rtAudienceNumRatings": "31337"}
    return list(values.values())


def rated(user: str, key: str, hour: int, *, day: str = "29") -> list[str]:
    return [user, key, "3.5", day, "10", "2006", str(hour), "0", "0"]


@pytest.fixture
def hetrec(tmp_path: Path) -> Path:
    (tmp_path / "movies.dat").write_bytes(
        tsv(
            MOVIE_COLUMNS,
            movie("1", 'The "Red" Café &amp; Bar'),
            movie("2", "R&D", year=r"\N", critics="0", audience=r"\N"),
            movie("3", "Third", critics="100", audience="0"),
            movie("4", "Fourth"),
        )
    )
    (tmp_path / "movie_genres.dat").write_bytes(
        tsv(["movieID", "genre"], ["1", "Drama"], ["1", "War"], ["1", "Drama"], ["3", "IMAX"])
    )
    (tmp_path / "movie_directors.dat").write_bytes(
        b"movieID directorID\tdirectorName\n"
        + tsv(
            ["1", "emile_pena", "\ufffdmile Pe\ufffda"],
            ["3", "99", "Zoë Ek"],
            ["4", "99-bo_ek", "B\ufffd Ek"],
            encoding="utf-8",
        )
    )
    (tmp_path / "movie_countries.dat").write_bytes(
        tsv(["movieID", "country"], ["1", "France"], ["2", ""])
    )
    (tmp_path / "movie_actors.dat").write_bytes(
        tsv(
            *(
                [
                    ["1", n.lower(), n, r + "\r"]
                    for n, r in (("D", "4"), ("B", "10"), ("C", "2"), ("A", "1"))
                ]
            )
        )
    )
    (tmp_path / "user_ratedmovies.dat").write_bytes(
        tsv(RATING_COLUMNS, *(rated("7", key, 20 - int(key)) for key in "1234"), rated("8", "1", 1))
    )
    return tmp_path


def test_hetrec_items_carry_what_the_files_say(hetrec: Path) -> None:
    reader, report = HetRecReader(hetrec), ReadReport()
    first, second, third, fourth = reader.items(report)
    assert first == Item(
        "1",
        'The "Red" Café & Bar',
        {
            "year": 1999,
            "genres": ["Drama", "War"],
            "director": ["Emile Pena"],
            "country": "France",
            "actors": ["A", "C", "D"],
            "critics_score": 50,
            "audience_score": 60,
        },
    )
    assert second == Item("2", "R&D")
    assert third.attributes == {
        "year": 1999,
        "genres": ["IMAX"],
        "director": ["Zoë Ek"],
        "critics_score": 100,
    }
    assert fourth.attributes["director"] == ["B\ufffd Ek"]
    assert (report.malformed, report.warnings) == (0, 0)
    assert report.bytes_read == reader.item_bytes


def test_hetrec_does_not_leak_the_number_of_ratings(hetrec: Path) -> None:
    assert "31337" not in str(list(HetRecReader(hetrec).items(ReadReport())))


def test_hetrec_days_become_sessions(hetrec: Path) -> None:
    reader, report = HetRecReader(hetrec), ReadReport()
    assert list(reader.sessions(report)) == [Session(("4", "3", "2"), "1")]
    assert report.bytes_read == reader.session_bytes > 0
    report = ReadReport()
    assert not list(reader.sessions(report, known={"1", "2", "3"}))
    assert report.first_malformed[0].line == 5


def test_hetrec_ratings_in_any_order_give_the_same_sessions(hetrec: Path) -> None:
    rows = [rated(user, key, 20 - int(key)) for key in "1234" for user in "78"]
    (hetrec / "user_ratedmovies.dat").write_bytes(tsv(RATING_COLUMNS, *rows))
    expected = Session(("4", "3", "2"), "1")
    assert list(HetRecReader(hetrec).sessions(ReadReport())) == [expected, expected]


def test_hetrec_without_actors_and_ratings(hetrec: Path) -> None:
    (hetrec / "movie_actors.dat").unlink()
    (hetrec / "user_ratedmovies.dat").unlink()
    reader = HetRecReader(hetrec)
    assert not any("actors" in item.attributes for item in reader.items(ReadReport()))
    assert (list(reader.sessions(ReadReport())), reader.session_bytes) == ([], 0)


BAD_MOVIES = {
    "a column too few": (movie("5", "T")[:-1], "20 columns instead of 21"),
    "a column too many": ([*movie("5", "T"), "x"], "22 columns instead of 21"),
    "a year in words": (movie("5", "T", year="MCMXCIX"), "year 'MCMXCIX' is not a whole number"),
    "an impossible year": (movie("5", "T", year="19999"), "year 19999 is not between"),
    "a score over 100": (movie("5", "T", critics="101"), "rtAllCriticsScore 101 is not between"),
    "a score in words": (movie("5", "T", audience="hi"), "rtAudienceScore 'hi' is not a whole"),
    "no title": (movie("5", " "), "has no title"),
    "no id": (movie("", "T"), "id '' is not a number"),
    "an id given twice": (movie("1", "T"), "id '1' was given before"),
    "a NUL character": (movie("5", "T\0"), "NUL"),
}


@pytest.mark.parametrize(("row", "reason"), BAD_MOVIES.values(), ids=BAD_MOVIES)
def test_a_malformed_movie_is_reported_with_its_line(
    hetrec: Path, row: list[str], reason: str
) -> None:
    path = hetrec / "movies.dat"
    path.write_bytes(path.read_bytes() + tsv(row, movie("6", "Last")))
    report = ReadReport()
    assert [item.id for item in HetRecReader(hetrec).items(report)] == ["1", "2", "3", "4", "6"]
    assert report.malformed == 1
    with pytest.raises(InputError, match=rf"movies\.dat:6: .*{reason}"):
        report.raise_if_malformed()


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (2, "many", "rating 'many' is not a number"),
        (2, "nan", "rating 'nan' is not a number"),
        (3, "31x", "date_day '31x'"),
        (4, "13", "date does not exist"),
        (6, "24", "date does not exist"),
    ],
)
def test_a_malformed_rating_is_reported(hetrec: Path, place: int, value: str, reason: str) -> None:
    path = hetrec / "user_ratedmovies.dat"
    row = rated("8", "2", 3)
    row[place] = value
    path.write_bytes(path.read_bytes() + tsv(row))
    report = ReadReport()
    assert len(list(HetRecReader(hetrec).sessions(report))) == 1
    assert (report.malformed, report.first_malformed[0].line) == (1, 7)
    assert reason in report.first_malformed[0].reason


def test_malformed_rows_of_the_smaller_files_count_too(hetrec: Path) -> None:
    (hetrec / "movie_genres.dat").write_bytes(tsv(["movieID", "genre"], ["1"], ["one", "Drama"]))
    (hetrec / "movie_actors.dat").write_bytes(tsv(["1", "a", "A", "first"]))
    report = ReadReport()
    assert len(list(HetRecReader(hetrec).items(report))) == 4
    assert [note.line for note in report.first_malformed] == [2, 3, 1]


@pytest.mark.parametrize("cut", [1, 30])
def test_a_last_line_that_was_cut_is_noticed(hetrec: Path, cut: int) -> None:
    path = hetrec / "movies.dat"
    path.write_bytes(path.read_bytes()[:-cut])
    report = ReadReport()
    found = len(list(HetRecReader(hetrec).items(report)))
    assert (found, report.malformed) == ((4, 0) if cut == 1 else (3, 1))
    assert "may be cut short" in report.first_warnings[0].reason


def test_another_header_is_refused(hetrec: Path) -> None:
    (hetrec / "movies.dat").write_bytes(tsv(["movieId", "title"], ["1", "T"]))
    with pytest.raises(InputError, match=r"movies\.dat:1: has the header .*must be id, title"):
        list(HetRecReader(hetrec).items(ReadReport()))


# --- MovieLens ---


@pytest.fixture
def movielens(tmp_path: Path) -> Path:
    (tmp_path / "movies.csv").write_text(
        "movieId,title,genres\n"
        '1,"Matrix, The (1999)",Action|Sci-Fi\n'
        '2,"Say ""Hi"", Bob",(no genres listed)\n'
        "3,Été (2001),Drama\n"
        "4,Four (1960),\n",
        encoding="utf-8",
    )
    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n"
        "1,4,4.0,964982703\n1,3,4.0,964981247\n1,2,0.5,964982224\n1,1,5.0,964983000\n"
    )
    return tmp_path


def test_movielens_items_and_sessions(movielens: Path) -> None:
    reader, report = MovieLensReader(movielens), ReadReport()
    assert list(reader.items(report)) == [
        Item("1", "The Matrix", {"year": 1999, "genres": ["Action", "Sci-Fi"]}),
        Item("2", 'Say "Hi", Bob'),
        Item("3", "Été", {"year": 2001, "genres": ["Drama"]}),
        Item("4", "Four", {"year": 1960}),
    ]
    assert list(reader.sessions(report)) == [Session(("3", "2", "4"), "1")]
    assert report.malformed == 0
    assert report.bytes_read == reader.item_bytes + reader.session_bytes


@pytest.mark.parametrize(
    ("file", "row", "reason"),
    [
        ("movies.csv", b'5,"Open quote,Drama\n', "comma-separated"),
        ("movies.csv", b"5,T\n", "2 columns instead of 3"),
        ("movies.csv", b"5,Caf\xe9 (2001),Drama\n", "not UTF-8"),
        ("movies.csv", b"1,Again,Drama\n", "given before"),
        ("movies.csv", b"5,  ,Drama\n", "no title"),
        ("ratings.csv", b"1,2,3.0,yesterday\n", "timestamp 'yesterday'"),
        ("ratings.csv", b"1,2,3.0,96498270300000000000000\n", "timestamp '9649"),
        ("ratings.csv", b"1,2,3.0,-1\n", "timestamp '-1' is not between"),
        ("ratings.csv", b"1,2,3.0\n", "3 columns instead of 4"),
        ("ratings.csv", b"1,2,good,964982703\n", "rating 'good'"),
        ("ratings.csv", b"u,2,3.0,964982703\n", "userId 'u' is not a number"),
        ("ratings.csv", b"1,77,3.0,964982703\n", "item '77' is not in the catalogue"),
    ],
)
def test_malformed_movielens_rows_are_reported(
    movielens: Path, file: str, row: bytes, reason: str
) -> None:
    path = movielens / file
    path.write_bytes(path.read_bytes() + row)
    reader, report = MovieLensReader(movielens), ReadReport()
    known = {item.id for item in reader.items(report)}
    assert len(known) == 4
    assert len(list(reader.sessions(report, known))) == 1
    assert report.malformed == 1
    assert (report.first_malformed[0].path, report.first_malformed[0].line) == (path, 6)
    assert reason in report.first_malformed[0].reason


@pytest.mark.parametrize(
    ("raw", "title", "year"),
    [
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Pyromaniac's Love Story, A (1995) ", "A Pyromaniac's Love Story", 1995),
        ("Avventura, L' (Adventure, The) (1960)", "L'Avventura (The Adventure)", 1960),
        ("Hate (Haine, La) (1995)", "Hate (La Haine)", 1995),
        ("Good, the Bad and the Ugly, The (1966)", "The Good, the Bad and the Ugly", 1966),
        ("X (a.k.a. Ignorant Fairies, The) (2001)", "X (a.k.a. The Ignorant Fairies)", 2001),
        ("Murder, My Sweet (1944)", "Murder, My Sweet", 1944),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("1984", "1984", None),
        ("(1999)", "(1999)", None),
        ("Babylon 5", "Babylon 5", None),
        ("Death Note (2006–2007)", "Death Note", 2006),  # noqa: RUF001
        (
            "AT&T &lt;b&gt; &eacute; &amp;amp; &nosuch; &copy 1",
            "AT&T <b> é &amp; &nosuch; &copy 1",
            None,
        ),
    ],
)
def test_titles_read_as_people_write_them(raw: str, title: str, year: int | None) -> None:
    name, found = split_year(clean_title(raw))
    assert (article_first(name), found) == (title, year)


# --- Amazon games ---


def amazon(folder: Path, titles: object, *metadata: str) -> list[Item]:
    (folder / "id2title.json").write_text(json.dumps(titles))
    lines = ("idx,title,platform,kind,interaction_count", *metadata)
    (folder / "item_metadata.csv").write_text("".join(line + "\n" for line in lines))
    reader, report = open_reader("amazon", folder), ReadReport()
    items = list(reader.items(report))
    assert report.malformed == 0
    assert report.bytes_read == reader.item_bytes
    assert not list(reader.sessions(report))
    return items


def test_games_are_joined_by_title_not_by_number(tmp_path: Path) -> None:
    titles = {"1": "Pok&eacute;mon  and  Friends", "2": "Unheard-of", "3": '"Q", the game'}
    items = amazon(
        tmp_path, titles, '1,"""Q"", the game",PC,unknown,99', "2,Pokémon™ & Friends,DS,game,99"
    )
    assert items == [
        Item("1", "Pokémon and Friends", {"platform": "DS", "kind": "game"}),
        Item("2", "Unheard-of"),
        Item("3", '"Q", the game', {"platform": "PC"}),
    ]


def test_namesakes_are_paired_in_order_or_keep_what_all_agree_on(tmp_path: Path) -> None:
    metadata = ("1,Twin,PC,game,1", "2,Twin,Wii,game,1")
    pair = amazon(tmp_path, {"5": "Twin", "9": "Twin"}, *metadata)
    assert [item.attributes.get("platform") for item in pair] == ["PC", "Wii"]
    (single,) = amazon(tmp_path, {"5": "Twin"}, *metadata)
    assert single.attributes == {"kind": "game"}


def test_games_without_metadata(tmp_path: Path) -> None:
    (tmp_path / "id2title.json").write_text('{"1": "A", "2": 3, "4": " ", "1": "B"}')
    report = ReadReport()
    assert list(open_reader("amazon", tmp_path).items(report)) == [Item("1", "A")]
    assert report.malformed == 3
    with pytest.raises(InputError, match=r"id2title\.json: title of '2'"):
        report.raise_if_malformed()


@pytest.mark.parametrize("content", [b"[1, 2]", b"{}", b"3", b"{", b"\x80\x00", b"[" * 10**5])
def test_titles_that_are_no_object_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "id2title.json").write_bytes(content)
    with pytest.raises(InputError, match=r"id2title\.json: is not"):
        list(open_reader("amazon", tmp_path).items(ReadReport()))


# --- JSONL ---


def jsonl(path: Path, *lines: object) -> tuple[list[Item], ReadReport]:
    path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines))
    report = ReadReport()
    return list(JsonlReader(path).items(report)), report


def test_jsonl_attributes_stand_beside_the_title_or_in_an_object(tmp_path: Path) -> None:
    found, report = jsonl(
        tmp_path / "x.jsonl",
        {"id": 1, "title": "A", "year": 1999, "genres": ["Drama", 3], "note": " ", "none": None},
        "",
        {"id": "b", "title": "B &amp; C", "attributes": {"score": 0.5, "new": True, "tags": []}},
        {"id": -3, "title": "C", "x": "y", "attributes": None},
    )
    assert found == [
        Item("1", "A", {"year": 1999, "genres": ["Drama", "3"]}),
        Item("b", "B & C", {"score": 0.5, "new": True}),
        Item("-3", "C", {"x": "y"}),
    ]
    assert report.malformed == 0


NESTED = [
    ({"details": {"brand": "Tin"}}, {"details.brand": "Tin"}, []),
    ({"details": {"size": {"box": 3}, "n": None}}, {"details.size.box": 3}, []),
    ({"attributes": {"details": {"brand": "Tin"}}}, {"details.brand": "Tin"}, []),
    ({"images": [{"thumb": "t"}], "year": 1999}, {"year": 1999}, ["images"]),
    ({"rows": [[1]], "details": {}, "videos": [], "none": [None]}, {}, ["rows"]),
    ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {}, ["a.b.c.d"]),
    ({"genres": ["Drama", None, " ", 3]}, {"genres": ["Drama", "3"]}, []),
    ({"mixed": ["Drama", {"x": 1}], "flag": True}, {"flag": True}, ["mixed"]),
]


@pytest.mark.parametrize(("given", "kept", "dropped"), NESTED)
def test_nested_attributes_are_flattened_or_left_out(
    tmp_path: Path, given, kept, dropped: list[str]
) -> None:
    rows = [{"id": number, "title": "T", **given} for number in range(3)]
    found, report = jsonl(tmp_path / "x.jsonl", *rows)
    assert [item.attributes for item in found] == [kept] * 3
    assert (report.malformed, report.warnings) == (0, len(dropped))
    for name, note in zip(dropped, report.notes, strict=True):
        assert note.endswith(f"x.jsonl:1: ignored '{name}' (and in 2 more rows)")


DEEP = {"a number": "1", "a flag": "false", "half an emoji": r'"\ud83d"', "an object": '{"a": 1}'}


def deep_rows(depth: int, inmost: str) -> list[str]:
    nested = f"{'[' * depth}{inmost}{']' * depth}"
    return [f'{{"id": 1, "title": "T", "a": {nested}}}', f'{{"id": {nested}, "title": "T"}}']


@pytest.mark.parametrize("depth", [300, 400, 900])
@pytest.mark.parametrize("inmost", DEEP.values(), ids=DEEP)
def test_deeply_nested_attributes_are_left_out(tmp_path: Path, depth: int, inmost: str) -> None:
    found, report = jsonl(tmp_path / "x.jsonl", *deep_rows(depth, inmost))
    assert found == [Item("1", "T", {})]
    assert (report.malformed, report.warnings) == (1, 1)
    found, report = jsonl(tmp_path / "x.jsonl", deep_rows(depth, "")[0])
    assert (len(found), report.warnings) == (1, 0)  # it says nothing


@pytest.mark.parametrize("inmost", DEEP.values(), ids=DEEP)
def test_no_depth_ends_a_reader(tmp_path: Path, inmost: str) -> None:
    """Where Python just reads it, and what follows calls a bit more deeply."""
    for depth in range(900, 1_010):
        found, report = jsonl(tmp_path / "x.jsonl", *deep_rows(depth, inmost))
        assert len(found) + report.malformed == 2, depth


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (r"Tin \ud83d", "Tin \ufffd"),
        (r"\ude00 Tin", "\ufffd Tin"),
        (r"T\uD83Di\ud83dn", "T\ufffdi\ufffdn"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"Tin \ud83d\ude00", "Tin \U0001f600"),
        (r"Tin \\ud83d", r"Tin \ud83d"),
    ],
)
def test_half_an_emoji_is_replaced_everywhere(tmp_path: Path, cut: str, text: str) -> None:
    row = f'{{"id": "{cut}", "title": "{cut}", "{cut}": ["{cut}"], "a": {{"b": "{cut}"}}}}'
    found, report = jsonl(tmp_path / "x.jsonl", row)
    assert found == [Item(text, text, {text: [text], "a.b": text})]
    assert report.malformed == 0


def test_numbers_as_tables_write_them_are_ids_and_titles(tmp_path: Path) -> None:
    found, _ = jsonl(tmp_path / "x.jsonl", '{"id": 7.0, "title": 1984}')
    assert found == [Item("7", "1984", {})]


@pytest.mark.parametrize("text", ['[{"id": 1, "title": "T"}]', '\n [\n  {\n"id": 1,', "\ufeff[\n{"])
def test_one_json_list_says_how_to_convert_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"is one JSON list.*jq -c") as error:
        jsonl(tmp_path / "x.jsonl", text)
    assert error.value.field.endswith("x.jsonl")


@pytest.mark.parametrize("heading", ["id,title", "id;title;year", "id\ttitle", '"id","the title"'])
def test_a_table_is_told_from_jsonl_by_its_heading(tmp_path: Path, heading: str) -> None:
    with pytest.raises(InputError, match=r"is a table, not JSONL\. .*`re2llm load table`"):
        jsonl(tmp_path / "x.jsonl", f"{heading}\n1,Heat\n")
    found, report = jsonl(tmp_path / "y.jsonl", "1, 2", {"id": 1, "title": "A"})
    assert ([item.id for item in found], report.malformed) == (["1"], 1)


def test_a_pipe_is_read_once_and_whole() -> None:
    rows = "".join(f'{{"id": {n}, "title": "Film {n}"}}\n' for n in range(1_500))
    read, write = os.pipe()
    try:
        assert os.write(write, rows.encode()) == len(rows)
        os.close(write)
        found = list(JsonlReader(Path(f"/dev/fd/{read}")).items(ReadReport()))
    finally:
        os.close(read)
    assert [item.id for item in found] == [str(n) for n in range(1_500)]


@pytest.mark.parametrize("row", [[7, "Heat"], [], ["{"]])
def test_a_first_row_that_is_a_list_is_reported_like_any_other(tmp_path: Path, row: object) -> None:
    found, report = jsonl(tmp_path / "x.jsonl", row, {"id": 1, "title": "A"})
    assert ([item.id for item in found], report.malformed) == (["1"], 1)
    assert "is not an object" in report.notes[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[5]", "not an object"),
        ('{"title": "T"}', "has no id"),
        ('{"id": 5}', "has no title"),
        ('{"id": 5, "title": true}', "title True is not text"),
        ('{"id": 5, "title": 19.84}', "title 19.84 is not text"),
        ('{"id": 5, "title": ""}', "title '' is not text, or is blank"),
        ('{"id": true, "title": "T"}', "id True is neither"),
        ('{"id": 1.5, "title": "T"}', "id 1.5 is neither"),
        (f'{{"id": "{"x" * 501}", "title": "T"}}', "longer than 500 characters"),
        ('{"id": 1e300, "title": "T"}', "is neither"),
        ('{"id": 1.0, "title": "T"}', "given before"),
        ('{"id": "1", "title": "T"}', "given before"),
        ('{"id": 5, "id": 6, "title": "T"}', "key twice"),
        ('{"id": 5, "title": "T", "a": 1e999}', "too large"),
        (f'{{"id": 5, "title": "T", "a": 1{"0" * 400}}}', "too large"),
        ('{"id": 5, "title": "T", "a": Infinity}', "Infinity"),
        ('{"id": 5, "title": "T", "": 1}', "attribute name"),
        (r'{"id": 5, "title": "T\u0000"}', "cannot be stored"),
        (r'{"id": 5, "title": "T", "a": ["b\u0000"]}', "cannot be stored"),
        ('{"id": 5, "title": "T", "attributes": [1]}', "not an object"),
        ('{"id": 5, "title": "T", "a": 1, "attributes": {"a": 1}}', "attribute 'a' twice"),
    ],
)
def test_malformed_items_are_reported(tmp_path: Path, line: str, reason: str) -> None:
    first, last = {"id": 1, "title": "A"}, {"id": 2, "title": "B"}
    found, report = jsonl(tmp_path / "x.jsonl", first, line, last)
    assert [item.id for item in found] == ["1", "2"]
    assert (report.malformed, report.first_malformed[0].line) == (1, 2)
    assert reason in report.first_malformed[0].reason


def test_a_folder_may_hold_sessions_and_be_compressed(tmp_path: Path) -> None:
    row = '\ufeff{"id": 1, "title": "Ä"}\n'.encode()
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(row))
    (tmp_path / "sessions.jsonl").write_text("[1, 1]\n[1, 2]\n")
    reader, report = JsonlReader(tmp_path), ReadReport()
    assert list(reader.items(report)) == [Item("1", "Ä")]
    assert report.bytes_read == reader.item_bytes
    assert list(reader.sessions(report, known={"1"})) == [Session(("1",), "1")]
    assert report.malformed == 1


def test_one_bad_byte_in_a_text_is_one_malformed_row(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [b'{"id": %d, "title": "T"}' % key for key in range(5)]
    path.write_bytes(
        b"\n".join([*rows, b'{"id": 9, "title": "\xe9"}', b'{"id": 8, "title": "\0"}'])
    )
    report = ReadReport()
    assert len(list(JsonlReader(path).items(report))) == 5
    assert [note.line for note in report.first_malformed] == [6, 7]
    assert report.warnings == 0


JUNK = random.Random(0).randbytes(50_000)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + JUNK, "binary"),
        (JUNK, "binary"),
        (JUNK.replace(b"\0", b""), "binary"),
        ('{"id": 1, "title": "A"}\n'.encode("utf-16"), "UTF-16"),
        (gzip.compress(JUNK), "binary"),
        (gzip.compress(JUNK)[:20_000], "binary"),
        (gzip.compress(b'{"id": 1, "title": "A"}\n' * 9)[:-9], "damaged"),
        (b"\x1f\x8bnot gzip at all", "damaged"),
        (b"", "empty"),
        (gzip.compress(b""), "empty"),
        (b'"' + b"a" * (17 * 2**20), "longer than 16 MiB"),
        (gzip.compress(b'"' + b"a" * (17 * 2**20)), "longer than 16 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_text_gives_one_clear_error(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as error:
        list(JsonlReader(path).items(ReadReport()))
    assert str(path) in error.value.field


# --- wrong folders ---


@pytest.mark.parametrize(
    ("dataset", "missing"),
    [
        ("hetrec", r"movies\.dat, movie_genres\.dat, .* are missing\. .* must hold movies\.dat"),
        ("movielens", r"movies\.csv, movies\.dat, u\.item are missing"),
        ("amazon", r"meta_CATEGORY\.jsonl\.gz is missing.*id2title\.json"),
        ("jsonl", r"items\.jsonl is missing"),
    ],
)
def test_a_wrong_folder_says_what_it_lacks(tmp_path: Path, dataset: str, missing: str) -> None:
    with pytest.raises(InputError, match=missing):
        open_reader(dataset, tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_reader(dataset, tmp_path / "nowhere")


def test_a_file_is_no_folder_and_a_typo_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("x")
    with pytest.raises(InputError, match="is not a folder"):
        open_reader("movielens", tmp_path / "movies.csv")
    with pytest.raises(InputError, match="Choose one of hetrec, movielens, amazon, jsonl, table"):
        open_reader("movielense", tmp_path)


# --- the real data ---


@pytest.mark.long
@needs_data
@pytest.mark.parametrize(
    ("dataset", "folder", "items", "sessions"),
    [
        ("hetrec", "hetrec2011", 10_197, 275),
        ("movielens", "ml-latest-small", 9742, 2100),
        ("amazon", "games", 17_389, 0),
    ],
)
def test_the_real_folders_load_without_a_malformed_row(
    dataset: str, folder: str, items: int, sessions: int
) -> None:
    assert dataset in READERS
    reader, report = open_reader(dataset, DATA / folder), ReadReport()
    found = {item.id: item for item in reader.items(report)}
    assert len(found) == items
    assert len(list(reader.sessions(report, found))) == sessions
    untitled = sum(item.title.startswith("Untitled item") for item in found.values())
    assert (report.malformed, report.warnings) == (0, untitled)
    assert report.bytes_read == reader.item_bytes + reader.session_bytes


@pytest.mark.long
@needs_data
def test_the_real_ratings_are_all_read() -> None:
    report = ReadReport()
    assert sum(1 for _ in MovieLensReader(DATA / "ml-latest-small").ratings(report)) == 100_836
    assert sum(1 for _ in HetRecReader(DATA / "hetrec2011").ratings(report)) == 10_102
    assert report.malformed == 0


def test_a_few_missing_numbers_are_games_without_a_title(tmp_path: Path) -> None:
    titles = {str(n): f"Game {n}" for n in range(1, 301) if n != 7}
    (tmp_path / "id2title.json").write_text(json.dumps(titles))
    report = ReadReport()
    items = {item.id: item.title for item in open_reader("amazon", tmp_path).items(report)}
    assert items.pop("7") == "Untitled item 7"
    assert items == titles
    assert (report.warnings, report.malformed) == (1, 0)
