"""Answers in batches: those of the model alone, and samples from its own distribution."""

import copy
from collections import defaultdict

import pytest
import torch
from re2llm.rating.samples import mean_of_samples

pytest.importorskip("tokenizers")

from re2llm.rating.training.answering import Sampling, answer_prompts
from re2llm.rating.training.precision import computes_bfloat16
from re2llm.rating.training.tiny_model import TinyShape, build_model, build_tokenizer

SHAPE = TinyShape(vocabulary=400, hidden=32, layers=2, heads=2, positions=512)
TEXTS = ["rate the film, please, from one to five", "12 films of drama and war"]


def prompt(words: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": "rate the film " * words}]


PROMPTS = [prompt(n) for n in (9, 1, 4, 2, 7)]


@pytest.fixture(scope="module")
def micro():
    tokenizer = build_tokenizer(TEXTS, [], SHAPE)
    model = build_model(tokenizer, SHAPE, seed=0).eval()
    with torch.no_grad():  # untrained weights hardly prefer any token
        model.lm_head.weight.mul_(12)
    return model, tokenizer


def alone(model, tokenizer, messages, tokens: int) -> str:
    """The greedy answer by hand: one prompt, no padding, no cache."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    start = ids.shape[1]
    for _ in range(tokens):
        with torch.inference_mode():
            best = model(input_ids=ids, use_cache=False).logits[0, -1].argmax()
        if best == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, best.view(1, 1)], dim=1)
    return tokenizer.decode(ids[0, start:], skip_special_tokens=True)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("samples", [0, 2])
def test_greedy_answers_are_the_models_own_whatever_the_batch(micro, batch, samples):
    model, tokenizer = micro
    done: list[tuple[int, int | None]] = []
    answers = answer_prompts(
        model,
        tokenizer,
        PROMPTS,
        max_tokens=8,
        batch=batch,
        sampling=Sampling(samples),
        progress=lambda _, count, total=None, __="": done.append((count, total)),
    )
    assert [a.greedy for a in answers] == [alone(model, tokenizer, p, 8) for p in PROMPTS]
    assert {len(a.sampled) for a in answers} == {samples}
    assert done[-1] == (5, 5)


@pytest.mark.long
def test_samples_follow_the_models_probabilities(micro):
    model, tokenizer = micro
    text = tokenizer.apply_chat_template(PROMPTS[0], tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    temperature, count = 0.7, 300
    with torch.inference_mode():
        expected = (model(input_ids=ids).logits[0, -1] / temperature).softmax(-1)
    # Padded beside a longer prompt, which must not change anything.
    (answers, _) = answer_prompts(
        model, tokenizer, [PROMPTS[0], prompt(12)], max_tokens=1,
        sampling=Sampling(count, temperature, seed=3),
    )  # fmt: skip
    # Several tokens may read the same: bytes that are no letter, and special tokens.
    by_text: defaultdict[str, float] = defaultdict(float)
    for token, chance in enumerate(expected.tolist()):
        by_text[tokenizer.decode(token, skip_special_tokens=True)] += chance
    likely = sorted(by_text, key=lambda text: -by_text[text])[:4]
    assert by_text[likely[0]] < 0.95
    for text in likely:
        chance = by_text[text]
        share = answers.sampled.count(text) / count
        assert abs(share - chance) < 4 * (chance * (1 - chance) / count) ** 0.5 + 1e-3


def test_samples_repeat_with_their_seed(micro):
    def sampled(seed: int) -> list[list[str]]:
        answers = answer_prompts(*micro, PROMPTS, max_tokens=6, sampling=Sampling(3, seed=seed))
        return [answer.sampled for answer in answers]

    first = sampled(1)
    assert first == sampled(1) != sampled(2)
    assert any(len(set(texts)) > 1 for texts in first)


def test_the_models_own_settings_for_chats_do_not_count(micro):
    """Qwen's models ship with a penalty on repetition, which is not what training samples from."""
    sampling = Sampling(2, seed=1)
    plain = answer_prompts(*micro, PROMPTS, max_tokens=8, sampling=sampling)
    model, tokenizer = copy.deepcopy(micro[0]), micro[1]
    model.generation_config.repetition_penalty = 5.0
    model.generation_config.min_p = 0.9
    assert answer_prompts(model, tokenizer, PROMPTS, max_tokens=8, sampling=sampling) == plain
    # It would count if nothing were said.
    text = tokenizer.apply_chat_template(PROMPTS[0], tokenize=False, add_generation_prompt=True)
    inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    output = model.generate(**inputs, do_sample=False, max_new_tokens=8)
    fresh = output[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(fresh, skip_special_tokens=True) != plain[0].greedy


def test_a_torch_without_onednn_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", None)
    assert computes_bfloat16(None) is False
    assert computes_bfloat16(wanted=True) is True


def test_the_mean_of_samples_leaves_invalid_ones_out():
    assert mean_of_samples([4.0, None, 3.0, 3.5]) == 3.5
    assert mean_of_samples([None, None]) is None
    assert mean_of_samples([]) is None


@pytest.mark.parametrize("most", [4, 2, 1, 0])
def test_a_batch_that_memory_does_not_hold_is_halved(micro, monkeypatch, most):
    model, tokenizer = micro
    expected = answer_prompts(model, tokenizer, PROMPTS, max_tokens=4, batch=1)
    generate = model.generate

    def limited(**inputs):
        if len(inputs["input_ids"]) > most:
            raise torch.OutOfMemoryError
        return generate(**inputs)

    monkeypatch.setattr(model, "generate", limited)
    if most == 0:
        with pytest.raises(torch.OutOfMemoryError):
            answer_prompts(model, tokenizer, PROMPTS, max_tokens=4)
    else:
        assert answer_prompts(model, tokenizer, PROMPTS, max_tokens=4) == expected
