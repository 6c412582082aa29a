"""What README.md shows is true: the picture of the graph, and the example of one's own data."""

import re
from pathlib import Path

from re2llm.data.jsonl import JsonlReader
from re2llm.data.malformed import ReadReport
from re2llm.graph.draw import GRAPHS, mermaid, redraw

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_pictures_are_up_to_date():
    for name in GRAPHS:
        assert mermaid(name) in README
    assert redraw(README) == README, "run `make docs-graph`"


def test_redraw_replaces_old_pictures():
    for name in GRAPHS:
        old = README.replace(mermaid(name), "graph TD;\n\told --> picture;\n")
        assert old != README
        assert redraw(old) == README


def test_pictures_show_every_node():
    for name, graph in GRAPHS.items():
        for node in graph.get_graph().nodes:
            assert f"\t{node}(" in mermaid(name)


def test_example_of_own_data_can_be_read(tmp_path):
    for name, text in re.findall(r"(?s)cat > (\S+) <<'END'\n(.*?)END\n", README):
        (tmp_path / name).write_text(text, encoding="utf-8")
    reader, report = JsonlReader(tmp_path), ReadReport()
    items = {item.id: item for item in reader.items(report)}
    sessions = list(reader.sessions(report, items))
    assert len(items) == 5
    assert len(sessions) == 3
    assert not report.malformed
    assert not report.warnings
