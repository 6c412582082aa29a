"""Separated text whose quotes are no quotes, are escaped, or hold tabs and lines."""

import time
from pathlib import Path

import pytest
from re2llm.data.interactions import TableReader
from re2llm.data.malformed import ReadReport
from re2llm.data.table_rows import read_rows
from re2llm.errors import InputError


def table_of(folder: Path, rows: list[str], delimiter: str = "\t"):
    file = folder / "items.tsv"
    file.write_text(
        "".join(row.replace("\t", delimiter) + "\n" for row in ["id\ttitle\tkind", *rows])
    )
    report = ReadReport()
    return [tuple(row.values()) for _, row in read_rows(file, report)], report


@pytest.mark.parametrize("delimiter", ["\t", "|"])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ('"Weird Opening', 'The Vinyl 12"'),
        ('"Weird Opening', "Plain"),
        ('"Weird" Opening', 'On "Her" Own'),
        ('"', '""'),
        ('"Twice', '"Twice'),
        ('Half" way', '"One" and "Two"'),
    ],
)
def test_a_quote_in_an_unquoted_table_is_part_of_its_title(
    tmp_path: Path, delimiter: str, opening: str, closing: str
) -> None:
    titles = [f"Film {n}" for n in range(40)]
    titles[4], titles[30] = opening, closing
    rows = [f"{n}\t{title}\tdrama" for n, title in enumerate(titles)]
    found, report = table_of(tmp_path, rows, delimiter)
    shown = [("" if title == '""' else title) for title in titles]
    assert found == [(str(n), title, "drama") for n, title in enumerate(shown)]
    assert report.malformed == 0


@pytest.mark.parametrize("delimiter", ["\t", "|"])
@pytest.mark.parametrize("ids", ["{}", "t{}", "B00{}X"])
def test_so_is_one_in_the_last_column(tmp_path: Path, delimiter: str, ids: str) -> None:
    kinds = ["drama"] * 40
    kinds[4], kinds[30] = '"Weird drama', 'Vinyl 12"'
    rows = [f"{ids.format(n)}\tFilm {n}\t{kind}" for n, kind in enumerate(kinds)]
    found, report = table_of(tmp_path, rows, delimiter)
    assert [row[2] for row in found] == kinds
    assert report.malformed == 0


@pytest.mark.parametrize("delimiter", ["\t", "|"])
@pytest.mark.parametrize(
    ("row", "text"),
    [
        ('7\tLamp\t"Bright.\nColours: red\tblue\tgreen"', "Bright.\nColours: red\tblue\tgreen"),
        (
            't7\tLamp\t"Bright.\nred\tblue\tgreen\non\tor\toff"',
            "Bright.\nred\tblue\tgreen\non\tor\toff",
        ),
        ('"B7"\t"Lamp"\t"Bright.\n1\t2\t3"', "Bright.\n1\t2\t3"),
        ('7\t"Lamp"\t"Bright.\n1\t2\t3"', "Bright.\n1\t2\t3"),
        ('"oak"\t"Lamp"\t"Sizes:\nS\tM\tL\n\nx"', "Sizes:\nS\tM\tL\nx"),
    ],
)
def test_a_quoted_text_may_have_lines_with_as_many_cells_as_rows(
    tmp_path: Path, row: str, text: str, delimiter: str
) -> None:
    found, report = table_of(tmp_path, [row, "8\tFilm\tdrama"], delimiter)
    assert [cells[2] for cells in found] == [text.replace("\t", delimiter), "drama"]
    assert report.malformed == 0


def test_a_short_line_with_an_open_quote_costs_itself_alone(tmp_path: Path) -> None:
    rows = [f"{n}\tFilm {n}\tdrama" for n in range(40)]
    rows[4], rows[30] = '4\t"Cut', '30\tThe Vinyl 12"\tdrama'
    found, report = table_of(tmp_path, rows)
    assert [row[0] for row in found] == [str(n) for n in range(40) if n != 4]
    assert [str(note.line) for note in report.first_malformed] == ["6"]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ('1\t"a\nb"\tx', ("1", "a\nb", "x")),
        ('1\t"a\n\n""b""\n"\tx', ("1", 'a\n"b"\n', "x")),
        ('"1\n2"\ta\tx', ("1\n2", "a", "x")),
        ('1\ta\t"x\ny"', ("1", "a", "x\ny")),
        ('1\t"a\tb"\tx', ("1", "a\tb", "x")),
        ('1\t"a\tb\nc"\tx', ("1", "a\tb\nc", "x")),
        ('1\t"a\nb\tc\td\ne"\tx', ("1", "a\nb\tc\td\ne", "x")),
        ('1\t"a"\t"x"\t\t', ("1", "a", "x")),
    ],
)
def test_a_quoted_cell_of_a_tab_separated_table_may_hold_tabs_and_lines(
    tmp_path: Path, row: str, cells: tuple[str, ...]
) -> None:
    found, report = table_of(tmp_path, [row, "2\tFilm\tdrama"])
    held = tuple(cell.replace("\n\n", "\n") for cell in cells)
    assert found == [held, ("2", "Film", "drama")]
    assert report.malformed == 0


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("cell", "title"),
    [
        (r'"Rides: \"On; off\""', 'Rides: "On; off"'),
        (r'"\"On\", off"', '"On", off'),
        (r'"Ends in \\"', "Ends in \\\\"),
        (r'"C:\\ or \"D\" \N"', r'C:\ or "D" \N'),
    ],
)
def test_quotes_may_be_escaped_as_databases_do(
    tmp_path: Path, cell: str, title: str, delimiter: str
) -> None:
    rows = [f'"1"\t{cell}\t"drama"', '"2"\t"Film"\t"drama"']
    found, report = table_of(tmp_path, rows, delimiter)
    assert found == [("1", title, "drama"), ("2", "Film", "drama")]
    assert report.malformed == 0


def test_lines_that_an_open_quote_swallows_are_all_counted(tmp_path: Path) -> None:
    rows = [f"{n}\tFilm {n}\tdrama" for n in range(40)]
    rows[4], rows[30] = '4\t"Cut\tdrama', '30\tThe "Vinyl"\tdrama'
    found, report = table_of(tmp_path, rows, ",")
    assert len(found) + report.malformed == 40
    assert "(from line 6)" in str(report.first_malformed[0])


@pytest.mark.parametrize(("lines", "kept"), [(500, 2), (600, 1)])
def test_a_row_of_several_lines_has_a_largest_size(tmp_path: Path, lines: int, kept: int) -> None:
    text = "\n".join(["x" * 2_000] * lines)
    found, report = table_of(tmp_path, ["1\tHeat\tdrama", f'2\t"{text}"\tdrama'], ",")
    assert len(found) == kept
    assert bool(report.malformed) == (kept == 1)


@pytest.mark.parametrize(
    "first", [b"Kunde;Artikel;Gr\xf6\xdfe", b"user;item;\0", b"sep=;\na;b;\xdf"]
)
def test_a_header_that_cannot_be_read_is_no_row_to_go_on_without(
    tmp_path: Path, first: bytes
) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(first + b"\n1;7;M\n2;8;M\n" + b"3;9;L\n" * 100)
    line = first.count(b"\n") + 1
    with pytest.raises(InputError, match=rf"log\.csv:{line}: (is not UTF-8|holds a NUL)") as caught:
        TableReader(file)
    assert "It is the header" in caught.value.remedy


def test_a_separator_may_be_told_as_a_tab(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("sep=\\t\nid\ttitle\n1\tHeat, the film, the\n")
    assert [dict(row) for _, row in read_rows(file, ReadReport())] == [
        {"id": "1", "title": "Heat, the film, the"}
    ]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_rows_that_a_stray_quote_may_have_swallowed_are_remarked_upon(
    tmp_path: Path, delimiter: str
) -> None:
    rows = [f"{n}\tFilm {n}\tdrama" for n in range(40)]
    rows[4], rows[30] = '4\t"Weird Opening\tdrama', '30\tThe Vinyl 12"\tdrama'
    _, report = table_of(tmp_path, rows, delimiter)
    assert [(note.line, note.reason) for note in report.first_warnings] == [
        (6, "has lines in quotes that look like rows of their own: the quote may be a mistake")
    ]
    rows[4:31] = ['4\t"Two lines, of it\nthe second\nand last"\tdrama']
    found, report = table_of(tmp_path, rows, delimiter)
    assert len(found) == 14
    assert not report.warnings


@pytest.mark.parametrize("line", ['x"\t"', '1\t"x', '1\t"x \\""', 'x"\t"\\"', '"\t"\\"', '\\"\t"'])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_file_of_open_quotes_takes_no_long_time(
    tmp_path: Path, line: str, delimiter: str
) -> None:
    begun = time.perf_counter()
    found, report = table_of(tmp_path, [line] * 30_000, delimiter)
    assert len(found) + report.malformed > 0
    assert time.perf_counter() - begun < 8


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quoted", [True, False])
def test_texts_that_a_spreadsheet_wrote_as_formulas_are_texts(
    tmp_path: Path, delimiter: str, *, quoted: bool
) -> None:
    def cell(text: str) -> str:
        formula = f'="{text}"'
        return '"' + formula.replace('"', '""') + '"' if quoted else formula

    lines = [("id", "title", "kind"), ("001", "Tea", ""), ("002", "=1+1", "=x")]
    file = tmp_path / "items.csv"
    file.write_text(
        "\n".join(delimiter.join([cell(a), cell(b), c or "plain"]) for a, b, c in lines)
    )
    rows = [tuple(row.items()) for _, row in read_rows(file, ReadReport())]
    assert rows[0] == (("id", "001"), ("title", "Tea"), ("kind", "plain"))
    assert [value for _, value in rows[1]] == ["002", "=1+1", "=x"]
