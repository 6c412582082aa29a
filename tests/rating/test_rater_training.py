"""Training with TRL on models built here: the algorithm's numbers, its effect, and resuming."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
import torch
from re2llm.errors import InputError
from re2llm.llm.ratings.answers import strict_rating
from re2llm.llm.ratings.prompt import PromptLimits
from re2llm.llm.ratings.steps import TAGS
from re2llm.rating.corpus import RatingCorpus
from re2llm.rating.reviews import scale_of
from re2llm.rating.sample import simulate_reviews
from re2llm.rating.splits import split_reviews
from re2llm.rating.training.config import RaterConfig, rater_config, small_config, tiny_config
from re2llm.rating.training.curve import (
    CurveWriter,
    draw_curve,
    grpo_points,
    read_curve,
    reward_gain,
    watcher,
)
from re2llm.records import RatingScale

pytest.importorskip("trl", reason="needs the extra: pip install 're2llm[train]'")

import accelerate
from re2llm.rating.training.answering import answer_prompts
from re2llm.rating.training.checkpoint import load_checkpoint, save_checkpoint
from re2llm.rating.training.description import RATER_FILE, checkpoint_description
from re2llm.rating.training.selection import cases_to_reinforce, worth_imitating
from re2llm.rating.training.stages import describe_training
from re2llm.rating.training.tiny_model import TinyShape, build_model, build_tokenizer
from re2llm.rating.training.trainer import (
    grpo_arguments,
    grpo_trainer,
    last_checkpoint,
    run_trainer,
    sft_arguments,
    sft_trainer,
)
from re2llm.rating.training.training_folder import claim
from transformers import AutoTokenizer, TrainerCallback

SCALE = RatingScale(1, 5)
READ = partial(strict_rating, scale=SCALE)
MICRO = TinyShape(vocabulary=400, hidden=32, layers=2, heads=2, positions=512)
TOKENS = [f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")]


def prompt(mean: float) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Mean rating {mean:g} of 5. Rate it."}]


def answer(rating: int) -> str:
    return (
        "<analyze user>u</analyze user><analyze item>i</analyze item><match>m</match>"
        f"<rate>{rating}</rate>"
    )


PROMPTS = [{"prompt": prompt(n % 5 + 1), "truth": float(n % 5 + 1)} for n in range(40)]
# The traces teach the format and nothing of the ratings.
TRACES = [
    {
        "prompt": prompt(n % 5 + 1),
        "completion": [{"role": "assistant", "content": answer(n // 5 % 5 + 1)}],
    }
    for n in range(200)
]
CONFIG = tiny_config().changed(
    {
        "max_completion_tokens": 16,
        "sft_epochs": 4,
        "sft_learning_rate": 5e-3,
        "prompts_per_step": 8,
        "learning_rate": 5e-3,
        "schedule": "constant",
        "warmup_steps": 0,
        "max_steps": 30,
        "save_every": 4,
    }
)


def micro():
    texts = [prompt(3)[0]["content"], answer(3)]
    tokenizer = build_tokenizer(texts, TOKENS, MICRO)
    return build_model(tokenizer, MICRO, seed=0), tokenizer


@pytest.fixture(scope="module")
def imitated(tmp_path_factory):
    """A model that keeps the format and rates at random."""
    folder = tmp_path_factory.mktemp("sft")
    model, tokenizer = micro()
    curve = CurveWriter(folder / "curve.jsonl")
    model = run_trainer(
        sft_trainer(model, tokenizer, TRACES, CONFIG, folder / "sft", [watcher("sft", curve)])
    )
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    losses = [point["loss"] for point in read_curve(curve.path)]
    assert losses[-1] < 0.4 * losses[0]
    return folder / "model"


def test_a_saved_tokenizer_comes_back_the_same(tmp_path):
    """transformers loads Qwen2 models with Qwen2's splitting rule, whatever the file says."""
    model, tokenizer = micro()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    _, loaded = load_checkpoint(tmp_path)
    for text in (answer(4), "Mean rating 3.75 of 5.\n  Rate it, don't  wait…", "<rate>5</rate>\n"):
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert loaded.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    said = tokenizer.apply_chat_template(prompt(3), tokenize=False, add_generation_prompt=True)
    assert loaded(said)["input_ids"] == tokenizer(said)["input_ids"]
    assert [loaded.eos_token, loaded.pad_token] == [tokenizer.eos_token, tokenizer.pad_token]


def test_defaults_are_the_papers():
    config = RaterConfig()
    assert (config.group_size, config.prompts_per_step, config.clip) == (8, 8, 0.2)
    assert (config.kl_weight, config.temperature, config.epochs) == (0.0, 1.0, 1.0)
    assert (config.learning_rate, config.reward, config.traces) == (2e-6, "paper", 1000)


def test_the_real_small_model_has_defaults_for_a_cpu():
    assert rater_config("smollm2", {"seed": 4}) == small_config().changed({"seed": 4})
    assert rater_config("tiny", {}) == tiny_config()
    assert rater_config("Qwen/Qwen2.5-7B-Instruct-1M", {}) == RaterConfig()


def grpo(*rewards):
    return [{"stage": "grpo", "step": n, "reward": r} for n, r in enumerate(rewards, start=1)]


def test_the_gain_in_reward_has_its_interval():
    assert reward_gain(grpo(*range(9))) is None
    points = [{"stage": "sft", "loss": 1.0}, *grpo(1, 2, 3, 4, 5, 9, 9, 11, 12, 13, 14, 15)]
    gain = reward_gain(grpo_points(points))
    assert gain["updates"] == 5
    assert (gain["first"], gain["last"], gain["diff"]) == (3, 13, 10)
    # Both have a variance of 2.5, so Welch's interval is Student's with 8 degrees of freedom.
    assert gain["ci95"] == pytest.approx([10 - 2.306, 10 + 2.306], abs=1e-3)
    assert reward_gain(grpo(*[2.0] * 10))["ci95"] == [0, 0]
    # Updates that use a batch again have no rewards of their own.
    repeated = [{"stage": "grpo", "step": n, "loss": 0.0} for n in range(30)]
    assert reward_gain([*points, *repeated]) == gain


def test_checkpoints_are_never_saved_within_a_batch():
    with pytest.raises(InputError, match="multiple of updates_per_batch") as refused:
        CONFIG.changed({"updates_per_batch": 3, "save_every": 20})
    assert refused.value.field == "save_every"
    CONFIG.changed({"updates_per_batch": 3, "save_every": 21})


def test_a_checkpoint_that_was_cut_off_is_passed_over(tmp_path):
    assert last_checkpoint(tmp_path / "none") is None
    for update, content in ((9, "{}"), (20, '{"global_step": 20}'), (40, '{"global'), (60, None)):
        folder = tmp_path / f"checkpoint-{update}"
        folder.mkdir()
        if content is not None:
            (folder / "trainer_state.json").write_text(content)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-20")


def test_weights_that_are_all_trained_are_loaded_in_full(tmp_path):
    tokenizer = build_tokenizer(["Mean rating 3 of 5."], TOKENS, MICRO)
    build_model(tokenizer, MICRO, 0).to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    kinds: dict[bool, set[torch.dtype]] = {}
    for precise in (False, True):
        model, _ = load_checkpoint(tmp_path, precise=precise)
        kinds[precise] = {weight.dtype for weight in model.parameters()}
    assert kinds == {False: {torch.bfloat16}, True: {torch.float32}}


def trace(outcome, answer):
    return {"outcome": outcome, "answer": answer, "prompt": prompt(3)}


def test_rewritten_traces_are_kept_up_to_their_share():
    outcomes = ["rewritten", "aligned", "rejected", "rewritten", "rewritten", "aligned"]
    traces = [trace(outcome, str(n)) for n, outcome in enumerate(outcomes)]
    kept = lambda share: "".join(  # noqa: E731
        t["answer"]
        for t in worth_imitating(traces, CONFIG.changed({"rewritten_per_aligned": share}))
    )
    assert kept(-1) == "01345"
    assert kept(0) == "15"
    assert kept(0.5) == "015"
    assert kept(1) == "0135"


@pytest.mark.parametrize(("share", "wanted"), [(0.5, (400, 200)), (0, (600, 0)), (2, (200, 400))])
def test_of_many_traces_as_large_a_share_is_rewritten_as_of_few(share, wanted):
    outcomes = ["rewritten", "rewritten", "aligned"] * 1_000
    traces = [trace(outcome, "") for outcome in outcomes]
    config = CONFIG.changed({"rewritten_per_aligned": share, "traces": 600})
    kept = [t["outcome"] for t in worth_imitating(traces, config)]
    assert (kept.count("aligned"), kept.count("rewritten")) == wanted


def test_some_prompts_are_drawn_for_grpo_and_always_the_same(tmp_path):
    histories = simulate_reviews(30)
    corpus = RatingCorpus(split_reviews(histories), scale_of(histories), PromptLimits())
    drawn = cases_to_reinforce(corpus, CONFIG.changed({"prompts": 20}))
    assert drawn == cases_to_reinforce(corpus, CONFIG.changed({"prompts": 20}))
    keys = {case.key for case in drawn}
    assert len(keys) == 20
    assert keys < {case.key for case in corpus.split.train}
    assert drawn != cases_to_reinforce(corpus, CONFIG.changed({"prompts": 20, "seed": 1}))
    assert cases_to_reinforce(corpus, CONFIG) == corpus.split.train


def test_a_training_from_before_a_new_setting_goes_on(tmp_path):
    histories = simulate_reviews(30)
    corpus = RatingCorpus(split_reviews(histories), scale_of(histories), PromptLimits())
    old = json.loads(describe_training("tiny", "recone", corpus, CONFIG))
    del old["split"], old["split_seed"], old["reviews"], old["traces"]
    del old["config"]["prompts"], old["config"]["rewritten_per_aligned"], old["prompt"]["style"]
    (tmp_path / RATER_FILE).write_text(json.dumps(old))
    claim(tmp_path, describe_training("tiny", "recone", corpus, CONFIG), ours=True)
    for other in (CONFIG.changed({"prompts": 20}), CONFIG.changed({"clip": 0.3})):
        with pytest.raises(InputError, match="other reviews or settings"):
            claim(tmp_path, describe_training("tiny", "recone", corpus, other), ours=True)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [({"colour": "red"}, "colour"), ({"style": "long"}, "style"), ([1], "cannot be read")],
)
def test_a_description_that_cannot_be_read_is_named(tmp_path, prompt, said):
    note = tmp_path / RATER_FILE
    note.write_text(json.dumps({"prompt": prompt, "config": {}}))
    with pytest.raises(InputError, match=said) as refused:
        checkpoint_description(tmp_path)
    assert refused.value.field == str(note)


def test_settings_are_read_from_text_and_checked():
    config = RaterConfig().changed({"bf16": "false", "max_steps": "7", "learning_rate": "1e-4"})
    assert (config.bf16, config.max_steps, config.learning_rate) == (False, 7, 1e-4)
    for values, field in (
        ({"learning_rat": 1}, "learning_rat"),
        ({"max_steps": "many"}, "max_steps"),
        ({"group_size": 1}, "group_size"),
        ({"reward": "mine"}, "reward"),
        ({"clip": 0}, "clip"),
        ({"learning_rate": "nan"}, "learning_rate"),
        ({"sft_learning_rate": "inf"}, "sft_learning_rate"),
        ({"traces": -5}, "traces"),
        ({"max_steps": 0}, "max_steps"),
        ({"prompts": 0}, "prompts"),
        ({"rewritten_per_aligned": -0.5}, "rewritten_per_aligned"),
        ({"lora_rank": -1}, "lora_rank"),
    ):
        with pytest.raises(InputError, match=field):
            RaterConfig().changed(values)


def test_a_batch_that_devices_cannot_share_is_named(tmp_path, monkeypatch):
    accelerate.PartialState(cpu=True)
    monkeypatch.setitem(accelerate.PartialState._shared_state, "num_processes", 3)
    for config, arguments, field in (
        (CONFIG.changed({"sft_batch": 8}), sft_arguments, "sft_batch"),
        (CONFIG.changed({"prompts_per_step": 4}), grpo_arguments, "prompts_per_step"),
    ):
        with pytest.raises(InputError) as refused:
            arguments(config, tmp_path)
        assert refused.value.field == field


def test_trl_computes_the_published_objective(tmp_path):
    """Advantages, clipping and the loss of a group made by hand; TRL's defaults do not matter."""
    model, tokenizer = micro()
    config = CONFIG.changed({"group_size": 4, "prompts_per_step": 1, "max_steps": 1})
    ratings = [5.0, 4.0, None, 1.0]
    given = iter([*ratings, *ratings])  # once for the format, once for the answer
    trainer = grpo_trainer(
        model,
        tokenizer,
        [{"prompt": prompt(5), "truth": 5.0}],
        (lambda _: next(given), SCALE),
        config,
        tmp_path,
    )
    trainer.train()
    rewards = torch.tensor([0.5 + 1.0, 0.5 + 0.75, -0.5, 0.5 + 0.0])
    centred = rewards - 0.6875
    deviation = (centred.square().sum() / 3) ** 0.5
    expected = centred / (deviation + 1e-4)
    assert list(trainer._logs["advantages"]) == pytest.approx(expected.tolist(), abs=1e-5)
    (point,) = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert point["reward"] == pytest.approx(0.6875)
    assert point["valid"] == 0.75
    assert point["mae"] == pytest.approx((0 + 1 + 4 + 4) / 4)

    # Two answers of one and of three tokens; the last two tokens of the first are padding.
    mask = torch.tensor([[1, 0, 0], [1, 1, 1]])
    ratio = torch.tensor([[1.5, 9.0, 9.0], [0.5, 1.1, 1.5]])
    inputs = {
        "prompt_ids": torch.tensor([[5, 6], [5, 6]]),
        "prompt_mask": torch.ones(2, 2, dtype=torch.long),
        "completion_ids": torch.tensor([[7, 0, 0], [7, 8, 9]]),
        "completion_mask": mask,
        "advantages": torch.tensor([2.0, -1.0]),
        "num_items_in_batch": torch.tensor(4),
    }
    whole = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    attention = torch.cat([inputs["prompt_mask"], mask], dim=1)
    trainer.model.train()
    with torch.no_grad():
        logits = trainer.model(input_ids=whole, attention_mask=attention).logits[:, 1:-1]
        chosen = inputs["completion_ids"].unsqueeze(-1)
        now = logits.log_softmax(-1).gather(-1, chosen).squeeze(-1)
        inputs["old_per_token_logps"] = now - ratio.log()
        loss = trainer._compute_loss(trainer.model, inputs)
    # First answer: min(1.5 * 2, 1.2 * 2). Second: min(r * -1, clip(r) * -1) of .5, 1.1 and 1.5.
    by_hand = -(1.2 * 2 + (-0.8 - 1.1 - 1.5) / 3) / 2
    assert loss.item() == pytest.approx(by_hand, abs=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_updates_raise_the_reward_and_answers_stay_valid(imitated, tmp_path):
    model, tokenizer = load_checkpoint(imitated)
    curve = CurveWriter(tmp_path / "curve.jsonl")
    trainer = grpo_trainer(
        model,
        tokenizer,
        PROMPTS,
        (READ, SCALE),
        CONFIG,
        tmp_path / "grpo",
        [watcher("grpo", curve)],
    )
    model = run_trainer(trainer)
    points = read_curve(curve.path)
    assert [point["step"] for point in points] == list(range(1, 31))
    first, last = points[:5], points[-5:]
    mean = lambda rows, name: sum(row[name] for row in rows) / len(rows)  # noqa: E731
    assert mean(last, "reward") > mean(first, "reward") + 0.15
    assert mean(last, "mae") < mean(first, "mae")
    held_out = [
        [{"role": "user", "content": f"Mean rating {n / 10:g} of 5. Rate it."}]
        for n in range(10, 50)
    ]
    answers = answer_prompts(model, tokenizer, held_out, max_tokens=16)
    assert sum(READ(each.greedy) is not None for each in answers) >= 0.95 * len(held_out)
    draw_curve(points, tmp_path / "curve.png", "test")
    assert (tmp_path / "curve.png").stat().st_size > 10_000


KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_rater_training import *
    folder, stage, stop = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    def tell(_, step, steps):
        if step == stop:
            os.kill(os.getpid(), signal.SIGKILL)
    curve = CurveWriter(folder / "curve.jsonl")
    config = CONFIG.changed({{"max_steps": 8, "prompts_per_step": 2, "completions_per_device": 8,
                              "sft_epochs": 1, "sft_batch": 25, "sft_group_by_length": True,
                              "save_every": 3}})
    watch = [watcher(stage, curve, tell)]
    if stage == "sft":
        trainer = sft_trainer(*micro(), TRACES, config, folder / "sft", watch)
    else:
        model, tokenizer = load_checkpoint(sys.argv[4])
        trainer = grpo_trainer(model, tokenizer, PROMPTS, (READ, SCALE), config, folder / "grpo",
                               watch)
    run_trainer(trainer)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stops", [(1, 5), (2, 7)])
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_resuming_after_kills_gives_the_same_curve(imitated, tmp_path, stage, stops):
    """One kill before the first checkpoint, one after it."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(KILLED).format(tests=str(Path(__file__).parent)))

    def train(folder: Path, stop: int) -> int:
        folder.mkdir(exist_ok=True)
        command = [sys.executable, str(script), str(folder), stage, str(stop), str(imitated)]
        return subprocess.run(command, check=False, capture_output=True).returncode

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(whole, -1) == 0
    for stop in stops:
        assert train(broken, stop) == -signal.SIGKILL
    assert train(broken, -1) == 0
    expected, resumed = read_curve(whole / "curve.jsonl"), read_curve(broken / "curve.jsonl")
    assert [point["step"] for point in resumed] == list(range(1, 9))
    assert json.dumps(resumed) == json.dumps(expected)
    moving = "loss" if stage == "sft" else "reward"
    assert len({point[moving] for point in expected}) > 1


def test_adapters_are_merged_into_the_trained_model(tmp_path):
    model, tokenizer = micro()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    config = CONFIG.changed({"lora_rank": 2, "sft_epochs": 1, "traces": 16})
    trainer = sft_trainer(model, tokenizer, TRACES, config, tmp_path)
    trained = run_trainer(trainer).state_dict()
    assert trained.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], trained[name])}
    assert changed
    assert all("proj" in name for name in changed)


@pytest.mark.parametrize(
    ("dtype", "rank", "wanted", "computed"),
    [
        (torch.float32, 2, None, False),  # adapters may be merged into it
        (torch.float32, 2, True, True),
        (torch.bfloat16, 2, None, True),
        (torch.float32, 0, None, True),
    ],
)
def test_merged_adapters_are_not_rounded_by_later_ones(
    tmp_path, monkeypatch, dtype, rank, wanted, computed
):
    monkeypatch.setattr(
        "re2llm.rating.training.trainer.computes_bfloat16", lambda given: given is not False
    )
    model, tokenizer = micro()
    config = CONFIG.model_copy(update={"lora_rank": rank, "bf16": wanted})
    reward = (READ, SCALE)
    for trainer in (
        sft_trainer(model.to(dtype), tokenizer, TRACES, config, tmp_path / "sft"),
        grpo_trainer(micro()[0].to(dtype), tokenizer, PROMPTS, reward, config, tmp_path / "grpo"),
    ):
        assert trainer.args.bf16 is computed


@pytest.mark.parametrize("rate", [2e-5, 5e-3])
def test_what_adapters_learn_on_a_rounded_base_is_saved_in_full(tmp_path, rate):
    model, tokenizer = micro()
    model = model.to(torch.bfloat16)
    before = {name: weight.float() for name, weight in model.state_dict().items()}
    values = {"lora_rank": 2, "sft_epochs": 1, "traces": 16, "sft_learning_rate": rate}
    trainer = sft_trainer(model, tokenizer, TRACES, CONFIG.changed(values), tmp_path / "sft")
    learned = {}
    trainer.add_callback(keeping(learned))
    save_checkpoint(run_trainer(trainer), tokenizer, tmp_path / "model", "{}")
    saved, _ = load_checkpoint(tmp_path / "model")
    assert {weight.dtype for weight in saved.parameters()} == {torch.float32}
    assert learned
    for name, change in learned.items():
        assert change.abs().max() > 0
        torch.testing.assert_close(saved.state_dict()[name], before[name] + change)
        moved = saved.state_dict()[name] != before[name]
        assert moved.float().mean() > 0.9


def keeping(learned):
    """Return a callback that keeps scaling * B * A of each adapted weight at the end."""

    class Keeping(TrainerCallback):
        def on_train_end(self, args, state, control, model, **_):
            for name, layer in model.named_modules():
                if hasattr(layer, "lora_A") and hasattr(layer, "scaling"):
                    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
                    change = layer.scaling["default"] * (b.detach().float() @ a.detach().float())
                    learned[name.removeprefix("base_model.model.") + ".weight"] = change

    return Keeping()


def test_a_model_without_a_token_for_padding_answers_in_batches(tmp_path):
    model, tokenizer = micro()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    for file in (tmp_path / "tokenizer_config.json", tmp_path / "special_tokens_map.json"):
        if file.exists():
            file.write_text(json.dumps({**json.loads(file.read_text()), "pad_token": None}))
    assert AutoTokenizer.from_pretrained(tmp_path).pad_token is None
    model, tokenizer = load_checkpoint(tmp_path)
    prompts = [prompt(3), [{"role": "user", "content": "Rate it. " * 9}]]
    answers = answer_prompts(model, tokenizer, prompts, max_tokens=4)
    assert answers[0] == answer_prompts(model, tokenizer, prompts[:1], max_tokens=4)[0]


def test_a_model_that_is_not_for_chats_is_refused(tmp_path):
    model, tokenizer = micro()
    model.save_pretrained(tmp_path)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no chat template") as refused:
        load_checkpoint(tmp_path)
    assert str(tmp_path) in refused.value.problem


def test_what_cannot_be_trained_is_refused_at_once(tmp_path, monkeypatch):
    from re2llm.rating.training.stages import require_training_extra, train_processes

    monkeypatch.setattr("re2llm.rating.training.stages.find_spec", lambda name: name != "vllm")
    require_training_extra(CONFIG)
    with pytest.raises(InputError, match="vllm"):
        require_training_extra(CONFIG.changed({"vllm": "true"}))
    assert train_processes().is_main_process
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match="MULTI_GPU"):
        train_processes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_train_one_model_with_adapters(tmp_path):
    """As `accelerate launch` starts them; traces and figures are written by one of them."""
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *("-m", "re2llm", "rater", "train", "--model", "tiny", "--recipe", "recone"),
        *("--set", "sft_epochs=0.1", "--set", "max_steps=2", "--set", "traces=32"),
        *("--set", "max_completion_tokens=8", "--set", "lora_rank=2", "--out", "rater", "--json"),
    ]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["updates"] == 2
    assert (tmp_path / "rater-traces.jsonl").read_text().count("\n") == 32
    assert [point["step"] for point in read_curve(tmp_path / "rater" / "curve.jsonl")][-2:] == [
        1,
        2,
    ]
    load_checkpoint(tmp_path / "rater" / "model")
