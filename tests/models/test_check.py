"""`s1-eval check`: the prompt, what is forced, stops, sampling and budgets are those of the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from s1_models.commands import check
from tests.models import tokenizers_made_here as made

NANO = Path(__file__).parents[2] / "training/nano/checkpoints/tuned"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert check.main([*arguments, "--model", "s1_hf"]) == 0
    return capsys.readouterr().out


def saved(folder: Path, tokenizer: Any, **generation: Any) -> str:
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 4096}))
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return str(folder)


def test_it_shows_what_the_run_sends_and_forces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = saved(tmp_path, made.qwen3(), temperature=0.6, top_p=0.95)
    out = shown(capsys, name, "--model_args", "num_waits=2,max_thinking_tokens=500", "--gen_kwargs", "temperature=0.6")
    assert "format    think: its chat template writes <think>" in out
    assert "switch    enable_thinking=True or False: on here, on where it is not given" in out
    assert "<|im_start|>user\nWhat is 17 times 3?<|im_end|>\n<|im_start|>assistant\n⟦<think>⟧" in out
    assert "wait      ⟦Wait⟧" in out
    assert "cut       ⟦</think>\n\nFinal Answer:⟧" in out
    assert "1 forced)" in out
    assert "the model recommends other values: --gen_kwargs top_p=0.95" in out
    assert "thinking at most 500 (2 waits, at least 0), answer at most 1,024; 1 per question" in out


def test_what_has_no_thinking_shows_no_budget_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, saved(tmp_path, made.qwen2_instruct()), "--gen_kwargs", "max_gen_toks=300")
    assert "format    none: neither tokenizer_config.json nor" in out
    assert "a run asks the model once" in out
    assert "switch    the chat template has none" in out
    assert "answer at most 300" in out
    assert "⟦" not in out
    assert "temperature=0.0 (the model recommends nothing)" in out


def test_a_run_that_could_not_start_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = saved(tmp_path, made.qwen2_instruct())
    for arguments, said in (
        ([name, "--model_args", "num_waits=2"], "num_waits=2 can have no effect"),
        ([name, "--model_args", "num_waits=two"], "num_waits='two': expected a whole number"),
        ([str(tmp_path / "nowhere")], "cannot be loaded"),
    ):
        assert check.main([*arguments, "--model", "s1_hf"]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("error: ")
        assert said in line


def test_transcripts_are_generated_with_the_forced_parts_marked(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, str(NANO), "--tasks", "s1_nano", "--model_args", "num_waits=1,batch_size=4", "--generate", "2")
    assert "task      s1_nano" in out
    assert out.count("⟦Wait⟧") == 3, "once as what will be forced, and in two transcripts"
    assert out.count("answer 1 ") == out.count("answer 2 ") == 1
    assert out.count("waits_used 1") == 2
