"""What README.md shows is true and short, and so are the pictures of the graphs."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from re2llm.data.jsonl import JsonlReader
from re2llm.data.malformed import ReadReport
from re2llm.docs.hooks.draw import GRAPHS, mermaid, redraw
from re2llm.docs.hooks.picture import on_page_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DRAWN = {
    "recommend": "README.md",
    "learn": "docs/how-it-works.md",
    "rate": "docs/rating.md",
}
"""The file that shows a graph."""
PAGES = {name: (ROOT / file).read_text(encoding="utf-8") for name, file in DRAWN.items()}
MOST_LINES = 175


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES


def test_pictures_are_up_to_date():
    assert set(DRAWN) == set(GRAPHS)
    for name, page in PAGES.items():
        assert mermaid(name) in page
        assert redraw(page) == page, "run `make docs-graph`"


def test_the_makefile_redraws_every_picture():
    command = re.search(r"docs/hooks/draw\.py (.*)", (ROOT / "Makefile").read_text())
    assert command
    assert set(command[1].split()) == set(DRAWN.values())


def test_redraw_replaces_old_pictures():
    for name, page in PAGES.items():
        old = page.replace(mermaid(name), "graph TD;\n\told --> picture;\n")
        assert old != page
        assert redraw(old) == page


def test_pictures_show_every_node():
    for name, graph in GRAPHS.items():
        for node in graph.get_graph().nodes:
            assert f"\t{node}(" in mermaid(name)


def test_the_site_shows_the_pictures_without_a_script():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert site["hooks"] == ["docs/hooks/picture.py"]
    assert site["exclude_docs"] == "hooks/"  # code, and no page
    for name, graph in GRAPHS.items():
        shown = on_page_markdown(PAGES[name], page=None, config=None, files=None)
        assert "```mermaid" not in shown
        [picture] = [line for line in shown.splitlines() if "<svg" in line]
        drawn = graph.get_graph()
        root = ET.fromstring(re.search(r"<svg.*</svg>", picture)[0])  # noqa: S314  # ours
        tags = Counter(element.tag.partition("}")[2] for element in root.iter())
        assert tags["text"] == len(drawn.nodes)
        assert tags["path"] == len(drawn.edges) + 1  # and the arrow's head
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", picture)


def test_a_chart_that_cannot_be_drawn_is_no_empty_picture():
    with pytest.raises(ValueError, match="without nodes"):
        on_page_markdown("```mermaid\nsequenceDiagram\n```")


def test_the_python_works(films, capsys):
    programs = re.findall(r"(?s)```python\n(.*?)```", README)
    assert programs
    for program in programs:
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102
    assert len(capsys.readouterr().out.splitlines()) == 4  # three films and a reward


def test_example_of_your_data_can_be_read(tmp_path):
    page = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"(?s)cat > (\S+) <<'END'\n(.*?)END\n", page):
        (tmp_path / name).write_text(text, encoding="utf-8")
    reader, report = JsonlReader(tmp_path), ReadReport()
    items = {item.id: item for item in reader.items(report)}
    sessions = list(reader.sessions(report, items))
    assert len(items) == 5
    assert len(sessions) == 3
    assert not report.malformed
    assert not report.warnings
