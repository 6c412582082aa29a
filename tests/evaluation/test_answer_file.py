"""Files of recorded answers as people have them."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from re2llm.data.malformed import ReadReport
from re2llm.errors import InputError
from re2llm.evaluation.answer_file import read_answers

TEXTS = ["1. Am\u00e9lie\n2. L'\u00c9t\u00e9", "1. \u6d3b\u7740\n\n2. Heat", "1. Heat"]
JSON_LINES = "".join(json.dumps({"answer": t}, ensure_ascii=False) + "\n" for t in TEXTS)
BLOCKS = "".join(f"Label:Heat\nOutput: {text}\n\n\n\n" for text in TEXTS)
FORMS = {"JSON Lines": JSON_LINES, "blocks": BLOCKS}
KINDS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "a byte-order mark": lambda text: text.encode("utf-8-sig"),
    "marks of joined files": lambda text: ("\ufeff" + text).encode("utf-8-sig"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip and a mark": lambda text: gzip.compress(text.encode("utf-8-sig")),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
}


def read(content: bytes, folder: Path, report: ReadReport | None = None) -> list[str]:
    file = folder / "answers"
    file.write_bytes(content)
    return [answer.text for answer in read_answers(file, report)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_whatever_wrote_it(tmp_path: Path, form: str, kind: str) -> None:
    report = ReadReport()
    assert read(KINDS[kind](FORMS[form]), tmp_path, report) == TEXTS
    assert report.notes == []


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_other_line_ends_part_no_answers(tmp_path: Path, end: str) -> None:
    text = f"1. Heat{end}2. Up"
    lines = [json.dumps({"answer": text}, ensure_ascii=False), json.dumps(text)]
    assert read("\n".join(lines).encode(), tmp_path) == [text, text]
    assert read(f"Label:Heat\nOutput: {text}\n".encode(), tmp_path) == [text]
    if end > "\x1f":  # JSON holds others as escapes
        content = f'{{"answer": "{text}"}}\n\n{{"answer": 3}}\n'.encode()
        with pytest.raises(InputError, match="answers:3 holds no answer"):
            read(content, tmp_path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("broken", [b"\xe2\x82", b"\xc3", b"\xff", b"\xf0\x9f\x98"])
def test_a_broken_character_spoils_no_other(tmp_path: Path, form: str, broken: bytes) -> None:
    report = ReadReport()
    whole = "L'\u00c9t\u00e9".encode()
    content = FORMS[form].encode().replace(whole, whole + b" " + broken)
    found = read(content, tmp_path, report)
    assert found == [f"{TEXTS[0]} \ufffd", *TEXTS[1:]]
    [note] = report.notes
    line = 1 if form == "JSON Lines" else 3
    assert note.startswith(f"{tmp_path / 'answers'}:{line}: holds bytes that are not UTF-8")


def test_files_in_latin_1_are_read(tmp_path: Path) -> None:
    report = ReadReport()
    texts = [TEXTS[0], "1. \u00ab\u00c0 bout de souffle\u00bb\n2. Caf\u00e9\u00bb", TEXTS[2]]
    lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    blocks = "".join(f"Label:Caf\u00e9\u00bb\nOutput: {text}\n\n" for text in texts)
    for content in (lines, blocks):
        assert read(content.encode("latin-1"), tmp_path, report) == texts
    assert report.notes == []


@pytest.mark.parametrize("form", FORMS)
def test_a_line_in_latin_1_among_others_is_read_and_named(tmp_path: Path, form: str) -> None:
    report = ReadReport()
    more = {"JSON Lines": f'"{TEXTS[2]}: \u00c9t\u00e9"\n', "blocks": "Label:\u00c9\nOutput: Up\n"}
    content = FORMS[form].encode() + more[form].encode("latin-1")
    assert len(read(content, tmp_path, report)) == len(TEXTS) + 1
    [note] = report.notes
    line = FORMS[form].count("\n") + 1
    assert note.startswith(f"{tmp_path / 'answers'}:{line}: ")
    assert note.endswith("it is read as Latin-1")
    found = read_answers(tmp_path / "answers")[-1]
    assert "\u00c9" in (found.label or found.text)


REFUSED = {
    "UTF-16": (JSON_LINES.encode("utf-16"), "is UTF-16 text"),
    "blocks in UTF-16": (BLOCKS.encode("utf-16"), "iconv -f utf-16 -t utf-8"),
    "UTF-32": (BLOCKS.encode("utf-32"), "is UTF-32 text"),
    "empty": (b"", "cannot be read: it is empty"),
    "blank": (b"\n \n", "holds no answer"),
    "cut": (gzip.compress(BLOCKS.encode())[:-9], "damaged or cut-off gzip file"),
    "a spreadsheet": (b"PK\x03\x04" + b"\0" * 99, "is a spreadsheet"),
    "NUL": (b"Label:Heat\nOutput: 1. Heat\n" * 9 + b"2. \0Up\n", "answers:19: holds a NUL"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_files_are_refused_with_a_remedy(tmp_path: Path, kind: str) -> None:
    content, said = REFUSED[kind]
    with pytest.raises(InputError, match=said) as caught:
        read(content, tmp_path)
    assert caught.value.field == "answers"
    assert caught.value.remedy
