"""The wheel holds every package: one that is not listed is missing from it."""

import json
import tomllib
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
APART = {"tests", "benchmarks", "examples", "docs", "build", "dist"}


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(["re2llm", *init.parent.relative_to(ROOT).parts])
        for room in ROOT.iterdir()
        if room.is_dir() and room.name not in APART and not room.name.startswith(".")
        for init in room.rglob("__init__.py")
    }
    assert found | {"re2llm"} == set(listed)


def test_every_node_is_in_the_contract_of_nodes() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (listed,) = [one["modules"] for one in contracts["contracts"] if one["id"] == "nodes"]
    found = {
        ".".join(["re2llm", *file.with_suffix("").relative_to(ROOT).parts])
        for file in (ROOT / "nodes").rglob("*.py")
        if file.name != "__init__.py" and not file.stem.endswith("state")
    }
    assert found == set(listed)


def test_every_served_graph_exists_and_brings_no_checkpointer() -> None:
    for served in json.loads((ROOT / "langgraph.json").read_text())["graphs"].values():
        module, name = served["path"].split(":")
        graph = getattr(import_module(module), name)
        assert graph.checkpointer is None
        assert graph.store is None
        assert served["description"]
