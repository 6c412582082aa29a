"""What a `Re2llm` object can do, with an event loop and without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .async_client import AsyncClient
from .waiting import waiting

_Result = TypeVar("_Result")


class Client(AsyncClient):
    """Each operation twice: for callers with an event loop, and for those without."""

    @abstractmethod
    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine on the object's own thread and return its result."""

    recommend = waiting(AsyncClient.arecommend)
    feedback = waiting(AsyncClient.afeedback)
    rate = waiting(AsyncClient.arate)
    find_titles = waiting(AsyncClient.afind_titles)

    load = waiting(AsyncClient.aload)
    learn = waiting(AsyncClient.alearn)
    measure = waiting(AsyncClient.ameasure)
    train = waiting(AsyncClient.atrain)
    evaluate = waiting(AsyncClient.aevaluate)

    domains = waiting(AsyncClient.adomains)
    delete_domain = waiting(AsyncClient.adelete_domain)
    search_items = waiting(AsyncClient.asearch_items)
    show_item = waiting(AsyncClient.ashow_item)
    withdraw_items = waiting(AsyncClient.awithdraw_items)

    hints = waiting(AsyncClient.ahints)
    show_hint = waiting(AsyncClient.ashow_hint)
    add_hint = waiting(AsyncClient.aadd_hint)
    approve_hints = waiting(AsyncClient.aapprove_hints)
    retire_hints = waiting(AsyncClient.aretire_hints)
    try_hint = waiting(AsyncClient.atry_hint)
    verify_hints = waiting(AsyncClient.averify_hints)
    improve_hints = waiting(AsyncClient.aimprove_hints)
    tidy_hints = waiting(AsyncClient.atidy_hints)
    export_hints = waiting(AsyncClient.aexport_hints)
    import_hints = waiting(AsyncClient.aimport_hints)
    import_hints_from = waiting(AsyncClient.aimport_hints_from)

    releases = waiting(AsyncClient.areleases)
    show_release = waiting(AsyncClient.ashow_release)
    activate_release = waiting(AsyncClient.aactivate_release)
    rollback_release = waiting(AsyncClient.arollback_release)
    evaluate_release = waiting(AsyncClient.aevaluate_release)
    start_canary = waiting(AsyncClient.astart_canary)
    show_canary = waiting(AsyncClient.ashow_canary)
    stop_canary = waiting(AsyncClient.astop_canary)
    promote_canary = waiting(AsyncClient.apromote_canary)

    autopilot_on = waiting(AsyncClient.aautopilot_on)
    autopilot_off = waiting(AsyncClient.aautopilot_off)
    show_autopilot = waiting(AsyncClient.ashow_autopilot)
    resume_autopilot = waiting(AsyncClient.aresume_autopilot)
    run_autopilot_once = waiting(AsyncClient.arun_autopilot_once)
