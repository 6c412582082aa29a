"""A real OpenAI-compatible server, `transformers serve`, on a tiny random model that babbles."""

import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from pydantic import SecretStr
from re2llm.data.sample import load_films
from re2llm.graph.recommend import graph
from re2llm.runtime.context import Context
from re2llm.runtime.services import Services
from sqlalchemy import text

TRANSFORMERS = Path(sys.executable).with_name("transformers")
IDS = [film.id for film in load_films()]
CANDIDATES = IDS[10:18]
ANSWER_TOKENS = 24
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "<|assistant|>"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def make_model(folder: Path) -> None:
    """Build a byte-level tokenizer and two random layers: valid text, no sense."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, "<s>", "</s>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32_768,
        bos_token_id=vocabulary["<s>"],
        eos_token_id=vocabulary["</s>"],
        pad_token_id=vocabulary["</s>"],
    )
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL of the server, and the name of its model."""
    folder = tmp_path_factory.mktemp("babbler")
    make_model(folder)
    port = free_port()
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [
            *(str(TRANSFORMERS), "serve", str(folder), "--host", "127.0.0.1"),
            *("--port", str(port), "--device", "cpu"),
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                told = (folder / "log").read_text()[-2000:]
                assert server.poll() is None, told
                assert time.monotonic() < deadline, told
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.mark.parametrize("prompt", ["json", "paper"])
async def test_every_babbled_answer_ends_in_a_valid_flagged_ranking(
    services: Services,
    adjust: Callable[..., None],
    peer: tuple[str, str],
    films: str,
    prompt: str,
) -> None:
    url, name = peer
    adjust(
        base_url=url,
        api_key=SecretStr("none"),
        request_timeout=60.0,
        deadline=200.0,
        max_answer_tokens=ANSWER_TOKENS,
    )
    model = f"openai:{name}"
    for at in range(3):
        request: Any = {"domain": films, "history": IDS[at : at + 2], "candidates": CANDIDATES}
        options: dict[str, Any] = {"prompt": prompt, "command": f"peer-{uuid.uuid4().hex[:6]}"}
        context = Context(policy="none", model=model, record=False, **options)
        result = await graph.ainvoke(request, context=context)
        assert result["error"] is None
        assert sorted(result["ranking"]) == sorted(CANDIDATES)
        # It answered, and it answered nonsense.
        assert "model_failed" not in result["flags"]
        assert "completed" in result["flags"]
        assert result["llm_calls"] >= 2
    async with services.engine.connect() as connection:
        query = text("SELECT * FROM re2llm.llm_call WHERE model = :model")
        booked = list(await connection.execute(query, {"model": model}))
    assert {row.outcome for row in booked} <= {"misshapen", "ok"}
    assert all(row.tokens_in > 100 and 0 < row.tokens_out <= ANSWER_TOKENS for row in booked)
    assert not any(row.estimated for row in booked)
