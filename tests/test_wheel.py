"""The wheel, in an empty environment beside a host with a `graph.py` and `nodes/` of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOST = {
    "graph.py": '''
"""The host's own module, called as our package is."""
import asyncio
from pathlib import Path

import re2llm
from nodes.greet import greet

print(greet())
print(Path(re2llm.__file__).parent)
with re2llm.Re2llm(domain="teas") as host:
    answer = host.recommend(["Sencha"], k=2)
    print([item.title for item in answer.items])
graph = re2llm.build_recommend_graph()
result = asyncio.run(graph.ainvoke({"domain": "teas", "history": ["1"]}))
print(result["error"])
''',
    "nodes/__init__.py": "",
    "nodes/greet.py": 'def greet():\n    return "hello from the host"\n',
    "tests/__init__.py": "",
    **{f"{name}/__init__.py": "" for name in ("operations", "interfaces", "data", "ranking")},
    "migrations/env.py": 'raise SystemExit("the host\'s migrations must not run")\n',
}
TEAS = """\
{"id": 1, "title": "Sencha", "kind": "green"}
{"id": 2, "title": "Gyokuro", "kind": "green"}
{"id": 3, "title": "Assam", "kind": "black"}
{"id": 4, "title": "Rooibos", "kind": "herbal"}
"""


def call(*command: object, cwd: Path, home: Path | None = None) -> str:
    plain = ("PATH", "HOME", "LANG")
    kept = {name: v for name, v in os.environ.items() if name in plain or name.startswith("PIP_")}
    env = kept | {"HF_HUB_OFFLINE": "1"} | ({"RE2LLM_HOME": str(home)} if home else {})
    words = [str(word) for word in command]
    done = subprocess.run(
        words, check=False, cwd=cwd, env=env, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel alone; its dependencies are borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(
        ROOT,
        folder / "source",
        ignore=shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__"),
    )
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q"]
    call(*build, "-w", folder, source, cwd=folder)
    (wheel,) = folder.glob("re2llm-*.whl")
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    made = folder / "venv" / "bin" / "python"
    call(made, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel, cwd=folder)
    purelib = Path(call(made, "-c", PURELIB, cwd=folder).strip())
    # After the wheel's own files on the path, so that re2llm itself is the wheel's.
    (purelib / "borrowed.pth").write_text("\n".join(borrowed()) + "\n")
    return made


PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


def borrowed() -> list[str]:
    """Return the folders that hold the dependencies; not the editable install's finder."""
    own = sysconfig.get_path("purelib")
    lines = [line for file in Path(own).glob("*.pth") for line in file.read_text().splitlines()]
    return [own, *(line for line in lines if line.startswith("/") and Path(line).is_dir())]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_works_beside_a_host_with_modules_called_as_ours(
    python: Path, tmp_path: Path
) -> None:
    host, home = tmp_path / "host", tmp_path / "home"
    for name, text in HOST.items():
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text(text)
    (host / "items.jsonl").write_text(TEAS)
    command = python.with_name("re2llm")
    # Loading makes the tables, so the migrations are in the wheel.
    call(command, "load", "jsonl", ".", "--domain", "teas", cwd=host, home=home)
    told = call(python, "graph.py", cwd=host, home=home).splitlines()
    assert told[0] == "hello from the host"
    assert Path(told[1]).is_relative_to(python.parent.parent)
    assert "Sencha" not in told[2]
    assert told[3] == "None"
    key = call(command, "keys", "create", "shop", "--domain", "teas", cwd=host, home=home)
    assert key.startswith("re2llm_")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_holds_no_tests_and_lands_under_one_name(python: Path) -> None:
    purelib = Path(call(python, "-c", PURELIB, cwd=python.parent).strip())
    ours = {entry.name for entry in purelib.iterdir()} - {"borrowed.pth"}
    ours = {
        name
        for name in ours
        if not name.startswith(("pip", "setuptools", "_distutils", "pkg", "distutils"))
    }
    assert {name for name in ours if not name.endswith(".dist-info")} == {"re2llm"}
    inside = {entry.name for entry in (purelib / "re2llm").iterdir()}
    assert {"py.typed", "migrations", "data"} <= inside
    assert not {"tests", "docs", "benchmarks", "examples"} & inside
