"""`re2llm demo`: the whole loop on the films that ship with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records import counted
from .console import out, progress_bars, run
from .demo_words import what_it_shows
from .tables import print_evaluation

if TYPE_CHECKING:
    from ..runtime.context import Context

_DOMAIN = "films"
_VIEWERS, _TRAIN_SEED = 160, 1
_TEST_VIEWERS, _TEST_SEED = 100, 2

_HINTS = 2
_PANEL = 64
"""Sessions on which a hint is tried: simulated viewers are noisy, and trials cost nothing here."""
_SHOWN = (
    ("likes science fiction", ["Alien", "Blade Runner", "The Matrix"]),
    ("likes Japanese animation", ["My Neighbor Totoro", "Princess Mononoke"]),
    ("likes film noir", ["Double Indemnity", "The Maltese Falcon"]),
)


def demo() -> None:
    """Run everything once on sample films.

    It loads them, recommends, learns hints, trains the policy and evaluates it, in two to three
    minutes.

    A second run reuses what the first one learned, and goes straight to the evaluation.

    Example: re2llm demo
    """
    run(_demo)


async def _demo() -> None:
    from ..data.sample import simulate_sessions
    from ..operations.evaluation.evaluate import evaluate
    from ..runtime.context import Context

    await _load()
    says = await _measure()
    for description, titles in _SHOWN:
        await _show(description, titles)
    # The model alone ranks here, to show what hints do for it.
    context = Context(domain=_DOMAIN, seed=0, fuse="llm")
    hints = await _learn(context)
    with progress_bars() as progress:
        evaluation = await evaluate(
            context,
            simulate_sessions(_TEST_VIEWERS, seed=_TEST_SEED),
            policies=["none", "random", "static", "ppo"],
            progress=progress,
        )
    title = f"{counted(len(evaluation.sessions), 'session')} of viewers not seen in training"
    print_evaluation(evaluation.document, title)
    for line in ("", *what_it_shows(evaluation.document, hints)):
        out.print(line, soft_wrap=True)
    for line in (
        "",
        "In the rows `policy` the offline model alone orders all, to show what hints do for it.",
        "The row `first-stage` needs no model: it has learned from all past sessions. Answers",
        "come from it by default, and a model is asked only if it adds something:",
        f"  {says}",
        "",
        'Next: re2llm recommend --domain films "Vertigo" "Psycho"',
        "      re2llm load --help    to bring your own catalogue",
    ):
        out.print(line, soft_wrap=True)


async def _load() -> None:
    from ..data.sample import sample_items, simulate_sessions
    from ..operations.loading.load import load_domain
    from ..runtime.sharing import shared_services

    with progress_bars() as progress:
        progress("starting PostgreSQL and the encoder", 0)
        services = await shared_services()
        services.settings = services.settings.model_copy(
            update={"verify_random": _PANEL, "train_panel": _PANEL}
        )
        progress("loading the sample films", 0)
        train = simulate_sessions(_VIEWERS, seed=_TRAIN_SEED)
        loaded = await load_domain(services, _DOMAIN, sample_items(), [lambda _: train])
    out.print(
        f"Domain {_DOMAIN!r}: {counted(loaded.items, 'film')}, "
        f"{counted(loaded.sessions, 'training session')} of "
        "simulated viewers."
    )
    out.print()


async def _measure() -> str:
    """Fit the first stage, and return what the model adds to it."""
    from ..operations.first_stage.measure import measure
    from ..runtime.context import Context

    with progress_bars() as progress:
        return (await measure(Context(domain=_DOMAIN), progress=progress)).says


async def _show(description: str, titles: list[str]) -> None:
    from ..operations.recommending.recommend import recommend
    from ..runtime.context import Context

    result = await recommend(Context(domain=_DOMAIN, policy="none"), titles, k=5)
    out.print(f"A viewer who {description}, after {', '.join(titles)}:", style="bold")
    for item in result.items:
        out.print(f"  {item.rank}. {item.title}")
    out.print()


async def _learn(context: Context) -> int:
    """Learn hints and train the policy, unless an earlier run has; return how many are active."""
    from ..operations.hints.manage import list_hints
    from ..operations.learning.learn import learn
    from ..operations.releases.manage import has_release
    from ..operations.training.train import train

    with progress_bars() as progress:
        await learn(context, max_hints=_HINTS, progress=progress)
        if not await has_release(context):
            await train(context, progress=progress)
    listed = [hint for hint in (await list_hints(context)).hints if hint.status == "active"]
    out.print("Hints learned from its own misses, with their mean gain in NDCG@10:", style="bold")
    for hint in sorted(listed, key=lambda hint: -hint.mean_gain):
        out.print(f"  {hint.mean_gain:+.3f}  {hint.text}")
    out.print()
    return len(listed)
