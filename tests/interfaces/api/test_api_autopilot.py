"""`/v1/autopilot`, the command and the Python methods: the same autopilot."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import re2llm
from api_server import problem
from re2llm.cli import app
from re2llm.data.sample import sample_items, simulate_sessions
from typer.testing import CliRunner

PILOT = "/v1/autopilot"


@pytest.fixture
async def cinema(load: Any, domain: str) -> str:
    """A domain from which nothing was learned, and in which nothing was trained."""
    await load(domain, sample_items(), simulate_sessions(12, seed=8))
    return domain


async def test_an_autopilot_from_off_to_off(http: httpx.AsyncClient, cinema: str) -> None:
    where = {"domain": cinema}
    assert (await http.get(PILOT, params=where)).json()["state"] == "off"
    refused = await http.post(PILOT, json=where)
    assert problem(refused, 422)["field"] == "usd_per_day"
    on = await http.post(PILOT, json={**where, "calls_per_day": 20, "steps": [50, 100]})
    shown = on.raise_for_status().json()
    assert (shown["state"], shown["plan"]["canary"]["steps"]) == ("on", [50, 100])
    looked = (await http.post(f"{PILOT}:run-once", json=where)).raise_for_status().json()
    assert [one["action"] for one in looked["decisions"]] == ["wait", "on"]
    assert looked["decisions"][0]["figures"]["llm_calls_left"] == 20
    resumed = (await http.post(f"{PILOT}:resume", json=where)).raise_for_status().json()
    assert resumed["says"].startswith("It was on before; nothing has changed. ")
    assert resumed["decisions"] == looked["decisions"]
    for said in (
        "`re2llm autopilot on --budget-calls 2000/day` turns it on.",
        "It was off before; nothing has changed.",
    ):
        off = (await http.post(f"{PILOT}:off", json=where)).raise_for_status().json()
        assert (off["state"], off["schedule"]) == ("off", None)
        assert off["says"].startswith(said)
    assert problem(await http.post(f"{PILOT}:resume", json=where), 422)["field"] == "domain"


async def test_a_key_with_daily_limits_may_not_have_workers_spend(
    http: httpx.AsyncClient, films: str, make_key: Any
) -> None:
    body = {"domain": films, "calls_per_day": 20}
    limited = await make_key(may=("learn",), calls_per_day=5)
    problem(await http.post(PILOT, json=body, headers=limited), 403)
    reader = await make_key()
    problem(await http.post(PILOT, json=body, headers=reader), 403)
    assert (await http.get(PILOT, params={"domain": films}, headers=reader)).status_code == 200


@pytest.mark.long
def test_the_command_and_the_object_do_the_same(cinema: str) -> None:
    def command(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["autopilot", *words, "--domain", cinema, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert command("on", "--budget-calls", "30/day")["days"][0]["max_llm_calls"] == 30
    with re2llm.Re2llm(domain=cinema) as host:
        assert host.show_autopilot().state == "on"
        assert host.run_autopilot_once().decisions[0].action == "wait"
        assert host.autopilot_on(calls_per_day=40, hold=10).plan is not None
        assert command("run-once")["plan"]["canary"]["hold"] == 10
        assert command("off")["state"] == host.show_autopilot().state == "off"
        assert command("off")["state"] == "off"
    text = CliRunner().invoke(app, ["autopilot", "show", "--domain", cinema])
    on = "`re2llm autopilot on --budget-calls 2000/day`"
    assert f"The autopilot of {cinema} is off. {on} turns it on." in text.output
    for words in (["on"], ["on", "--budget-usd", "five"], ["run-once"], ["resume"]):
        refused = CliRunner().invoke(app, ["autopilot", *words, "--domain", cinema])
        assert refused.exit_code != 0
        assert "Traceback" not in refused.output
