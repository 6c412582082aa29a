"""Why work stopped, in a line, and an exit code for a model that was down."""

from pathlib import Path

import pytest
import re2llm
import typer
from re2llm.commands.stopped import say_stopped
from re2llm.errors import BudgetSpentError, ModelDownError

SPENT = BudgetSpentError("max_llm_calls", "The limit of 3 calls is reached.", "Run again.")
DOWN = ModelDownError("openai:gpt", "timeout")


def test_work_that_was_not_stopped_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    say_stopped(None, "3 hints are left.")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("as_json", [False, True])
def test_a_spent_budget_is_no_failure(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    say_stopped(SPENT.as_dict() if as_json else SPENT, "3 hints are left.")
    said = capsys.readouterr().err
    assert said.startswith("stopped: max_llm_calls: The limit of 3 calls is reached. Run again.")
    assert said.endswith("3 hints are left.\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_model_that_is_down_is_a_failure(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    with pytest.raises(typer.Exit) as ended:
        say_stopped(DOWN.as_dict() if as_json else DOWN, "")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.startswith("stopped: ")


def test_no_command_says_it_in_words_of_its_own() -> None:
    commands = Path(re2llm.__file__).with_name("commands")
    own = [path.name for path in commands.rglob("*.py") if "stopped: {" in path.read_text("utf-8")]
    assert own == ["stopped.py"]
