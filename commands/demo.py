"""`re2llm demo`: the whole loop on the films that ship with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..operations.graphs import ask
from .console import out, progress, run

if TYPE_CHECKING:
    from ..evaluation.experiment import Row
    from ..runtime.services import Services

_DOMAIN = "films"
_VIEWERS, _TRAIN_SEED = 160, 1
_TEST_VIEWERS, _TEST_SEED = 100, 2

_HINTS = 3
_PANEL = 64
"""Sessions on which a hint is tried: simulated viewers are noisy, and trials cost nothing here."""
_SHOWN = (
    ("likes science fiction", ["Alien", "Blade Runner", "The Matrix"]),
    ("likes Japanese animation", ["My Neighbor Totoro", "Princess Mononoke"]),
    ("likes film noir", ["Double Indemnity", "The Maltese Falcon"]),
)


def demo() -> None:
    """Run the whole loop on the sample films: load, recommend, learn, train, evaluate.

    A second run finds what the first has learnt, and goes straight on to the evaluation.

    Example: re2llm demo
    """
    run(_demo)


async def _demo() -> None:
    from ..data.negatives import NegativeSampler
    from ..data.sample import sample_items, simulate_sessions
    from ..operations.experiment import Experiment
    from ..operations.load import load_domain
    from ..runtime.sharing import shared_services
    from .tables import print_summary

    with progress() as bar:
        bar.add_task("starting PostgreSQL and the encoder", total=None)
        services = await shared_services()
        bar.add_task("loading the sample films", total=None)
        train = simulate_sessions(_VIEWERS, seed=_TRAIN_SEED)
        films = sample_items()
        loaded = await load_domain(services, _DOMAIN, films, [lambda _: train])
    out.print(
        f"Domain {_DOMAIN!r}: {loaded.items} films, {loaded.sessions:,} training sessions of "
        "simulated viewers.\n"
    )
    for description, titles in _SHOWN:
        await _show(description, titles)
    await _learn(services)
    sampler = NegativeSampler([film.id for film in films], seed=_TEST_SEED)
    fresh = simulate_sessions(_TEST_VIEWERS, seed=_TEST_SEED)
    test = [sampler.with_candidates(session) for session in fresh]
    experiment = Experiment(services, _DOMAIN, test, seed=0)
    rows = await experiment.policies(["none", "random", "static", "ppo"])
    rows += await experiment.baselines(["random", "popularity", "vsknn"], train)
    print_summary(_summary(rows), title=f"{len(test)} sessions of viewers not seen in training")
    out.print(
        '\nNext: re2llm recommend --domain films "Vertigo" "Psycho"\n'
        "      re2llm load --help    to bring your own catalogue"
    )


async def _learn(services: Services) -> None:
    """Learn hints and train the policy, unless an earlier run has."""
    from ..knowledge.domains import find_domain
    from ..knowledge.hints import best_hints
    from ..knowledge.releases import active_release_id
    from ..operations.learn import Learner
    from ..operations.selection import selected_sessions
    from ..ranking.hint_stats import update_figures
    from ..runtime.budget import Budget
    from ..runtime.options import Context, resolve_context
    from .learn import unsettled_sessions
    from .train import train_release

    services.settings = services.settings.model_copy(
        update={"verify_random": _PANEL, "train_panel": _PANEL}
    )
    keys = await selected_sessions(services, _DOMAIN, [])
    todo = await unsettled_sessions(services, _DOMAIN, keys, seed=0)
    learner = Learner(services, _DOMAIN, Budget(max_hints=_HINTS), seed=0)
    await learner.learn_from(todo, services.settings.concurrency)
    options = await resolve_context(Context(domain=_DOMAIN))
    async with services.engine.connect() as connection:
        domain = await find_domain(connection, _DOMAIN)
        trained = await active_release_id(connection, domain.id) is not None
    if not trained:
        await train_release(_DOMAIN, [], "content", 0, options, force=False)
    async with services.engine.begin() as connection:
        await update_figures(connection, domain.id, options)  # training has tried the hints, too
        hints = await best_hints(connection, domain.id, count=_HINTS)
    out.print("Hints learnt from its own misses, with their mean gain in NDCG@10:", style="bold")
    for hint, _ in hints:
        out.print(f"  {hint.mean_gain:+.3f}  {hint.text}", markup=False)
    out.print()


async def _show(description: str, titles: list[str]) -> None:
    from ..data.sample import sample_items
    from ..runtime.options import Context

    ids = {item.title: item.id for item in sample_items()}
    request = {"domain": _DOMAIN, "history": [ids[title] for title in titles], "k": 5}
    result = await ask(request, Context(policy="none"))
    out.print(f"Somebody who {description}, after {', '.join(titles)}:", style="bold")
    for item in result["items"]:
        out.print(f"  {item['rank']}. {item['title']}", markup=False)
    out.print()


def _summary(rows: list[Row]) -> dict[str, Any]:
    from ..evaluation.summary import summarise

    return summarise(rows)
