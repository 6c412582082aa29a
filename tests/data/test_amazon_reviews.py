"""Amazon Reviews 2023 in its published layout: products, sessions and ratings."""

import gzip
import json
from pathlib import Path

import pytest
from re2llm.data.interactions import TableOptions
from re2llm.data.malformed import ReadReport
from re2llm.data.readers import open_reader
from re2llm.errors import InputError
from re2llm.rating.reviews import read_histories
from re2llm.records import Item, Review, Session

START = 1_600_000_000
PRODUCTS = [
    {
        "parent_asin": "P1",
        "title": "Tin Robot &amp; Key",
        "main_category": "Toys",
        "average_rating": 4.9,
        "rating_number": 999,
        "features": ["Winds up", "Walks"],
        "description": ["Long."],
        "price": 9.5,
        "images": [{"thumb": "t"}],
        "videos": [],
        "store": "Tinworks",
        "categories": ["Toys", "Robots"],
        "details": {
            "Brand": "Tin",
            "Best Sellers Rank": {"Toys": 3},
            "Size": {"Box": "small"},
            "Item Weight": None,
        },
        "bought_together": None,
    },
    {"parent_asin": "P2", "title": None, "details": {}, "images": []},
    {"parent_asin": "P3", "title": "", "author": {"name": "Ida Fell", "about": ["x"]}},
    {
        "parent_asin": "P4",
        "title": "Kite",
        "price": "from 3.50",
        "weight": "None",
        "parts": [{"n": 1}],
    },
]
ITEMS = [
    Item(
        "P1",
        "Tin Robot & Key",
        {
            "main_category": "Toys",
            "features": ["Winds up", "Walks"],
            "price": 9.5,
            "store": "Tinworks",
            "categories": ["Toys", "Robots"],
            "details.Brand": "Tin",
            "details.Size.Box": "small",
        },
    ),
    Item("P2", "Untitled item P2"),
    Item("P3", "Untitled item P3", {"author": "Ida Fell"}),
    Item("P4", "Kite", {"price": "from 3.50"}),
]
REVIEWS = [
    {
        "rating": float(place + 1),
        "title": "Fine",
        "text": "It is<br />good \ud83d" if place == 0 else "Good",
        "images": [],
        "asin": f"{product['parent_asin']}x",
        "parent_asin": product["parent_asin"],
        "user_id": user,
        "timestamp": (START + place) * 1000 + 70,
        "helpful_vote": 0,
        "verified_purchase": True,
    }
    for place, product in reversed(list(enumerate(PRODUCTS)))
    for user in ("U1", "U2")
]


def lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def plain(folder: Path) -> None:
    (folder / "meta_Toys.jsonl").write_bytes(lines(PRODUCTS))
    (folder / "Toys.jsonl").write_bytes(lines(REVIEWS))


def packed(folder: Path) -> None:
    (folder / "meta_Toys.jsonl.gz").write_bytes(gzip.compress(lines(PRODUCTS)))
    (folder / "Toys.jsonl.gz").write_bytes(gzip.compress(lines(REVIEWS)))


def ratings_alone(folder: Path, *, packed: bool = False) -> None:
    (folder / "meta_Toys.jsonl.gz").write_bytes(gzip.compress(lines(PRODUCTS)))
    names = ("user_id", "parent_asin", "rating", "timestamp")
    rows = [",".join(str(row[name]) for name in names) + "\n" for row in REVIEWS]
    content = (",".join(names) + "\n" + "".join(rows)).encode()
    file = folder / f"Toys.csv{'.gz' if packed else ''}"
    file.write_bytes(gzip.compress(content) if packed else content)


def packed_ratings_alone(folder: Path) -> None:
    ratings_alone(folder, packed=True)


def sorted_in_folders(folder: Path) -> None:
    for kind, name, rows in (("meta", "meta_Toys", PRODUCTS), ("review", "Toys", REVIEWS)):
        inner = folder / "raw" / f"{kind}_categories"
        inner.mkdir(parents=True)
        (inner / f"{name}.jsonl").write_bytes(lines(rows))


def two_categories(folder: Path) -> None:
    for name, part in (("Art", slice(2)), ("Toys", slice(1, None))):
        (folder / f"meta_{name}.jsonl").write_bytes(lines(PRODUCTS[part]))
    halves = (REVIEWS[:3], REVIEWS[3:])
    for name, rows in zip(("Art", "Toys"), halves, strict=True):
        (folder / f"{name}.jsonl").write_bytes(lines(rows))


LAYOUTS = [plain, packed, ratings_alone, packed_ratings_alone, sorted_in_folders, two_categories]


@pytest.mark.parametrize("write", LAYOUTS)
def test_published_files_give_products_and_sessions(tmp_path: Path, write) -> None:
    write(tmp_path)
    reader, report = open_reader("amazon", tmp_path), ReadReport()
    assert list(reader.items(report)) == ITEMS
    known = {item.id for item in ITEMS}
    expected = Session(("P1", "P2", "P3"), "P4")
    assert list(reader.sessions(report, known)) == [expected, expected]
    assert report.malformed == 0
    assert report.bytes_read == reader.item_bytes + reader.session_bytes
    assert any("no title: listed as untitled" in note for note in report.notes)
    assert any("ignored 'parts'" in note for note in report.notes)


def test_one_category_of_a_folder(tmp_path: Path) -> None:
    two_categories(tmp_path)
    reader, report = open_reader("amazon", tmp_path / "meta_Art.jsonl"), ReadReport()
    assert [item.id for item in reader.items(report)] == ["P1", "P2"]


def test_products_without_reviews_have_no_sessions(tmp_path: Path) -> None:
    plain(tmp_path)
    (tmp_path / "Toys.jsonl").unlink()
    reader = open_reader("amazon", tmp_path)
    assert (list(reader.sessions(ReadReport())), reader.session_bytes) == ([], 0)


@pytest.mark.parametrize("name", ["Toys.jsonl.gz", "meta.jsonl", "a.jsonl", "meta_Toys.csv", ""])
def test_a_wrong_folder_says_what_was_looked_for(tmp_path: Path, name: str) -> None:
    if name:
        (tmp_path / name).write_bytes(lines(PRODUCTS))
    with pytest.raises(InputError, match=r"meta_CATEGORY\.jsonl\.gz.*id2title\.json"):
        open_reader("amazon", tmp_path)


def test_metadata_given_as_items_says_how_to_load_it(tmp_path: Path) -> None:
    plain(tmp_path)
    report = ReadReport()
    assert not list(open_reader("jsonl", tmp_path / "meta_Toys.jsonl").items(report))
    assert "re2llm load amazon FOLDER" in report.first_malformed[0].reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"parent_asin": None}, "parent_asin None"),
        ({"parent_asin": "P9"}, "item 'P9' is not in the catalogue"),
        ({"user_id": None}, "user_id None"),
        ({"timestamp": "soon"}, "timestamp 'soon'"),
        ({"timestamp": None}, "timestamp None"),
    ],
)
def test_malformed_reviews_are_reported(tmp_path: Path, changed, reason: str) -> None:
    plain(tmp_path)
    (tmp_path / "Toys.jsonl").write_bytes(lines([*REVIEWS, {**REVIEWS[0], **changed}]))
    reader, report = open_reader("amazon", tmp_path), ReadReport()
    known = {item.id for item in reader.items(report)}
    assert len(list(reader.sessions(report, known))) == 2
    assert (report.malformed, report.first_malformed[0].line) == (1, 9)
    assert reason in report.first_malformed[0].reason


@pytest.mark.parametrize("write", [plain, packed, sorted_in_folders])
def test_published_reviews_are_ratings_with_their_products(tmp_path: Path, write) -> None:
    write(tmp_path)
    (file,) = (f for f in tmp_path.rglob("Toys.jsonl*"))
    report = ReadReport()
    first, second = read_histories(file, report)
    assert [first.user, second.user] == ["U1", "U2"]
    assert first.reviews[0] == Review("U1", ITEMS[0], 1.0, "Fine. It is good \ufffd", START + 0.07)
    assert [review.item for review in first.reviews] == ITEMS
    assert report.malformed == 0


def test_published_reviews_without_metadata_are_ratings_of_ids(tmp_path: Path) -> None:
    plain(tmp_path)
    (tmp_path / "meta_Toys.jsonl").unlink()
    report = ReadReport()
    first, _ = read_histories(tmp_path / "Toys.jsonl", report)
    assert [review.item.title for review in first.reviews] == ["P1", "P2", "P3", "P4"]
    assert (report.malformed, report.warnings) == (0, 0)


def test_older_releases_are_told_how_to_load(tmp_path: Path) -> None:
    meta = tmp_path / "meta_Toys.json.gz"
    rows = [{"asin": f"B{n}", "title": f"Kite {n}", "brand": "Tin"} for n in range(3)]
    meta.write_bytes(gzip.compress("".join(f"{row}\n" for row in rows).encode()))
    reviews = tmp_path / "Toys_5.json.gz"
    chosen = [{"reviewerID": "U", "asin": f"B{n}", "unixReviewTime": START + n} for n in range(3)]
    reviews.write_bytes(gzip.compress(lines(chosen)))
    with pytest.raises(InputError, match=r"`re2llm load table REVIEWS --items META`\.$"):
        open_reader("amazon", tmp_path)
    report = ReadReport()
    assert not list(open_reader("amazon", meta).items(report))
    assert "`re2llm load table REVIEWS" in report.first_malformed[0].reason
    reader = open_reader("table", reviews, TableOptions(items=meta, by_user=True))
    assert [(item.id, item.title) for item in reader.items(ReadReport())] == [
        (row["asin"], row["title"]) for row in rows
    ]
    assert list(reader.sessions(ReadReport())) == [Session(("B0", "B1"), "B2")]
