"""`re2llm policy`: what a person reads of releases, and what a program does."""

import asyncio
import json
from typing import Any

import pytest
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from re2llm.errors import ReleaseMisfitError
from re2llm.knowledge.prompted_model import PromptedModel
from re2llm.knowledge.releases import Release
from re2llm.llm.embedding.encoder import ENCODER_ID
from re2llm.operations.loading.load import load_domain
from re2llm.ranking.served_policy import load_release
from re2llm.runtime.services import Services
from rollouts import two_releases
from typer.testing import CliRunner


async def policy(*arguments: object) -> Any:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["policy", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
async def theater(services: Services, films: str, domain: str) -> str:
    """A domain with two releases, of which the first is active."""
    await load_domain(services, domain, sample_items(), [lambda _: simulate_sessions(6, seed=3)])
    await two_releases(services, domain)
    return domain


async def test_a_release_is_activated_and_rolled_back_as_json(theater: str) -> None:
    at = ("--domain", theater, "--json")
    activated = json.loads((await policy("activate", 2, *at)).stdout)
    assert (activated["id"], activated["status"]) == (2, "active")
    back = json.loads((await policy("rollback", *at)).stdout)
    assert (back["id"], back["status"]) == (1, "active")
    listed = json.loads((await policy("list", *at)).stdout)
    assert [one["status"] for one in listed] == ["active", "inactive"]


async def test_a_release_is_shown_as_a_page(theater: str) -> None:
    shown = (await policy("show", 2, "--domain", theater)).stdout
    document = json.loads((await policy("show", 2, "--domain", theater, "--json")).stdout)
    assert shown.startswith("Release 2, inactive, of the recipe paper\n")
    assert "Gain of its choices: +0.2000 NDCG@10" in shown
    assert (
        "the model offline, where the model alone orders all candidates (RE2LLM_FUSE=llm)" in shown
    )
    assert f"Hints: {document['hint_ids'][0]}, {document['hint_ids'][1]} " in shown
    assert not shown.lstrip().startswith("{")
    assert document["config"]["policy"]


@pytest.mark.parametrize(
    ("trained", "present", "said", "fix"),
    [
        (
            "rank-4+expected",
            "rank-4/best-20",
            "alone orders all candidates; now the",
            "RE2LLM_FUSE=llm",
        ),
        (
            "rank-4/best-20",
            "rank-4+expected",
            "first stage's best 20; now the",
            "RE2LLM_FUSE=learned",
        ),
        ("rank-4/best-20", "rank-4/best-30", "best 20; now the", "best 30"),
        ("rank-4/best-20", "rank-4/best-20x3", "rank-4/best-20x3", "RE2LLM_ORDERS"),
        ("rank-3", "rank-4/best-20", "another wording", "re2llm train"),
        ("rank-4", "rank-4+expected", "another wording", "re2llm train"),
    ],
)
def test_a_release_that_does_not_fit_says_what_to_set(
    trained: str, present: str, said: str, fix: str
) -> None:
    release = Release("paper", b"", ENCODER_ID, trained, "offline", "", [], {}, {})
    with pytest.raises(ReleaseMisfitError) as refused:
        load_release(1, release, PromptedModel("offline", present))
    assert said in refused.value.problem
    assert fix in str(refused.value)
    assert refused.value.other_mode == (said != "another wording")
