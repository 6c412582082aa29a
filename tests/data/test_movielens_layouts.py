"""MovieLens of every age: the files in a folder say which layout it has."""

import zipfile
from pathlib import Path

import pytest
from re2llm.data.malformed import ReadReport
from re2llm.data.movielens import MovieLensReader
from re2llm.errors import InputError
from re2llm.records import Item, Session

FILMS = [("10", "Night Ferry, The (1994)"), ("11", "Caf\xe9 Nord (1997)"), ("12", "Ash (1971)")]
FILMS += [("13", "Loud Water (1988)")]
GENRES = [["Action", "Drama"], ["Comedy"], [], ["Western"]]
FLAGS = {"Action": 1, "Comedy": 5, "Drama": 8, "Western": 18}
TIMES = [978300760, 978300761, 978300762, 978300763]
EXPECTED = [
    Item("10", "The Night Ferry", {"year": 1994, "genres": ["Action", "Drama"]}),
    Item("11", "Caf\xe9 Nord", {"year": 1997, "genres": ["Comedy"]}),
    Item("12", "Ash", {"year": 1971}),
    Item("13", "Loud Water", {"year": 1988, "genres": ["Western"]}),
]


def colons(folder: Path, encoding: str = "latin-1", rating: str = "5") -> None:
    lines = [f"{k}::{t}::{'|'.join(g)}\n" for (k, t), g in zip(FILMS, GENRES, strict=True)]
    (folder / "movies.dat").write_bytes("".join(lines).encode(encoding))
    lines = [f"7::{k}::{rating}::{at}\n" for (k, _), at in zip(FILMS, TIMES, strict=True)]
    (folder / "ratings.dat").write_text("".join(lines))


def ml_1m(folder: Path) -> None:
    colons(folder)
    (folder / "users.dat").write_text("7::F::1::10::48067\n")


def ml_10m(folder: Path) -> None:
    colons(folder, "utf-8", "4.5")


def ml_100k(folder: Path) -> None:
    rows = []
    for (key, title), genres in zip(FILMS, GENRES, strict=True):
        flags = ["0"] * 19
        for genre in genres:
            flags[FLAGS[genre]] = "1"
        rows.append("|".join([key, title, "01-Jan-1995", "", "http://x/?a|b"[:9], *flags]) + "\n")
    (folder / "u.item").write_bytes("".join(rows).encode("latin-1"))
    pairs = list(zip(FILMS, TIMES, strict=True))
    other = [f"8\t{key}\t3\t{at}\n" for (key, _), at in pairs[:1]]
    lines = [f"7\t{key}\t3\t{at}\n" for (key, _), at in pairs[::-1]]
    (folder / "u.data").write_text("".join([lines[0], *other, *lines[1:]]))


def csv(folder: Path, unit: int = 1) -> None:
    rows = []
    for (key, title), genres in zip(FILMS, GENRES, strict=True):
        listed = "|".join(genres) or "(no genres listed)"
        rows.append(f'{key},"{title}",{listed}\n')
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(rows), "utf-8")
    rows = [f"7,{key},4.0,{at * unit}\n" for (key, _), at in zip(FILMS, TIMES, strict=True)]
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(rows))


def csv_in_milliseconds(folder: Path) -> None:
    csv(folder, 1000)


def csv_of_kaggle(folder: Path) -> None:
    csv(folder)
    (folder / "movies.csv").rename(folder / "movie.csv")
    (folder / "ratings.csv").unlink()
    rows = [f'7,{key},4.0,"2005-04-02 23:53:4{n}"\n' for n, (key, _) in enumerate(FILMS)]
    (folder / "rating.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(rows))


def csv_beside_other_files(folder: Path) -> None:
    csv(folder)
    for name in ("links.csv", "tags.csv", "README.txt"):
        (folder / name).write_text("x\n")


LAYOUTS = [ml_1m, ml_10m, ml_100k, csv, csv_in_milliseconds, csv_of_kaggle]
LAYOUTS += [csv_beside_other_files]


@pytest.mark.parametrize("write", LAYOUTS)
def test_every_layout_gives_the_same_films_and_sessions(tmp_path: Path, write) -> None:
    write(tmp_path)
    reader, report = MovieLensReader(tmp_path), ReadReport()
    assert list(reader.items(report)) == EXPECTED
    known = {item.id for item in EXPECTED}
    assert list(reader.sessions(report, known)) == [Session(("10", "11", "12"), "13")]
    assert (report.malformed, report.warnings) == (0, 0)
    assert report.bytes_read == reader.item_bytes + reader.session_bytes


@pytest.mark.parametrize("write", [ml_1m, ml_100k, csv])
def test_films_without_ratings(tmp_path: Path, write) -> None:
    write(tmp_path)
    for name in ("ratings.dat", "u.data", "ratings.csv"):
        (tmp_path / name).unlink(missing_ok=True)
    reader = MovieLensReader(tmp_path)
    assert (len(list(reader.items(ReadReport()))), reader.session_bytes) == (4, 0)
    assert not list(reader.sessions(ReadReport()))


def hetrec(folder: Path) -> None:
    (folder / "movies.dat").write_text("id\ttitle\n1\tHeat\n")


def nothing(folder: Path) -> None:
    pass


def other_tables(folder: Path) -> None:
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n")


def inner_folder(folder: Path) -> None:
    (folder / "ml-1m").mkdir()
    ml_1m(folder / "ml-1m")


def games(folder: Path) -> None:
    (folder / "id2title.json").write_text("{}")


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (nothing, r"must hold movies\.csv \(ml-latest, .*\), or movies\.dat \(ml-1m"),
        (hetrec, r"movies\.csv, movies\.dat, u\.item are missing"),
        (other_tables, r"movies\.csv, movies\.dat, u\.item are missing"),
        (games, r"holds no files of MovieLens"),
        (other_tables, r"are read by `re2llm load table RATINGS --items MOVIES`\.$"),
        (inner_folder, r"is the folder above the data set\. Give .*/ml-1m"),
    ],
)
def test_a_wrong_folder_says_what_was_looked_for(tmp_path: Path, write, problem: str) -> None:
    write(tmp_path)
    with pytest.raises(InputError, match=problem):
        MovieLensReader(tmp_path)


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        archive.writestr("ml-1m/movies.dat", "1::A::B\n")
    with pytest.raises(InputError, match=r"is not a folder\. Give the unpacked folder"):
        MovieLensReader(tmp_path / "ml-1m.zip")


@pytest.mark.parametrize(
    ("file", "row", "reason"),
    [
        ("movies.dat", b"14::No genres\n", "2 columns instead of 3"),
        ("movies.dat", b"x::T (1990)::Drama\n", "movieId 'x' is not a number"),
        ("movies.dat", b"14::  ::Drama\n", "no title"),
        ("ratings.dat", b"7::10::5\n", "3 columns instead of 4"),
        ("ratings.dat", b"7::99::5::978300760\n", "item '99' is not in the catalogue"),
        ("ratings.dat", b"7::10::5::soon\n", "timestamp 'soon' is neither"),
    ],
)
def test_malformed_rows_are_reported(tmp_path: Path, file: str, row: bytes, reason: str) -> None:
    ml_1m(tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes() + row)
    reader, report = MovieLensReader(tmp_path), ReadReport()
    known = {item.id for item in reader.items(report)}
    assert len(list(reader.sessions(report, known))) == 1
    assert (report.malformed, report.first_malformed[0].line) == (1, 5)
    assert reason in report.first_malformed[0].reason
