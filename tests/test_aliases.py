"""Version 0.1's import names still work, and say what to write instead."""

import importlib
import subprocess
import sys

import pytest
from re2llm.aliases import RENAMED


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_an_old_module_is_the_new_one(old: str) -> None:
    sys.modules.pop(f"re2llm.{old}", None)
    with pytest.warns(DeprecationWarning, match="since version 0.2"):
        found = importlib.import_module(f"re2llm.{old}")
    new = importlib.import_module(f"re2llm.{RENAMED[old]}")
    public = [name for name in vars(new) if not name.startswith("_")]
    for name in public:
        assert getattr(found, name) is getattr(new, name)
    with pytest.raises(AttributeError):
        _ = found.nothing_of_this_name


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_0_1_imported_still_imports() -> None:
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from re2llm.agents.chat import graph\n"
        "from re2llm.agents.auth import auth\n"
        "from re2llm.agents.http_app import app\n"
        "from re2llm.agents.results import FoundItem, ListedHints, Rated, RatingReasons\n"
        "from re2llm.nodes.context import Context, Call, call_with\n"
        "from re2llm.nodes.sharing import close_shared_services, shared_services\n"
        "from re2llm.nodes.rating_state import RatingRequest\n"
        "from re2llm.sessions.sample import sample_items, simulate_sessions\n"
        "import re2llm.sessions.readers\n"
        "import re2llm\n"
        "assert re2llm.RatingRequest is RatingRequest and re2llm.Context is Context\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["agents.nothing", "llm.spoken", "ranking.trials"])
def test_a_name_that_no_version_had_is_not_found(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"re2llm.{name}")
