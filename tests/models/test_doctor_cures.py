"""The doctor's cures: each keeps everything of the run, corrects the one thing, and works when it is executed."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from s1_models.commands.doctor import data_access, model, option_names
from s1_models.commands.doctor.cli import _asked, _parser
from s1_models.commands.doctor.findings import Asked, Finding, Status
from s1_models.options import DEFAULT_MODEL
from tests.models.tokenizers_made_here import CHATML, make_tokenizer

NANO = Path(__file__).parents[2] / "training/nano/checkpoints/tuned"


def asked_for(line: str) -> Asked:
    """The run that a command line means, as the doctor's own command reads it."""
    words = shlex.split(line, comments=True)
    assert words[0] == "s1-eval"
    return _asked(_parser().parse_args(words[2:] if words[1] == "doctor" else words[1:]))


def faults(check: Any, asked: Asked) -> list[Finding]:
    return [finding for finding in check(asked) if finding.status is Status.FIX]


RUN = f"s1-eval --model s1_hf --model_args pretrained={NANO},max_answer_tokens=50,wait_text=Hmm,{{args}} {{more}}"
# what is wrong -> the same place, corrected
CASES = {
    "a misspelt model arg": (("num_wait=2", ""), ("num_waits=2", "")),
    "a misspelt generation option": (
        ("num_waits=1", "--gen_kwargs temprature=1,top_p=0.9"),
        ("num_waits=1", "--gen_kwargs temperature=1,top_p=0.9"),
    ),
    "a misspelt value": (("thinking_format=promted", ""), ("thinking_format=prompted", "")),
    "a misspelt template choice": (("chat_template=alway", ""), ("chat_template=always", "")),
    "a number in words": (("num_waits=2.0", ""), ("num_waits=2", "")),
    "a number with a k": (("max_thinking_tokens=2k", ""), ("max_thinking_tokens=2000", "")),
    "a sampling option among model args": (
        ("num_waits=1,top_p=0.5", "--gen_kwargs temperature=1"),
        ("num_waits=1", "--gen_kwargs temperature=1,top_p=0.5"),
    ),
    "the memo among generation options": (
        ("num_waits=1", "--gen_kwargs temperature=1,memo=m.sqlite"),
        ("num_waits=1,memo=m.sqlite", "--gen_kwargs temperature=1"),
    ),
    "an option given twice": (("num_waits=2,thinking_n_ignore=3", ""), ("num_waits=2", "")),
    "a negative number": (("num_waits=-1", ""), ("num_waits=0", "")),
    "a minimum above the maximum": (
        ("max_thinking_tokens=20,min_thinking_tokens=30", ""),
        ("max_thinking_tokens=20,min_thinking_tokens=20", ""),
    ),
    "no samples": (
        ("num_waits=1", "--gen_kwargs temperature=1,n=0"),
        ("num_waits=1", "--gen_kwargs temperature=1,n=1"),
    ),
    "a length without its unit": (("think_for=64step", ""), ("think_for=64_steps", "")),
    "rejection at temperature 0": (
        ("max_thinking_tokens=20,rejection_tries=3", "--gen_kwargs temperature=0,top_p=0.5"),
        ("max_thinking_tokens=20,rejection_tries=3", "--gen_kwargs temperature=1,top_p=0.5"),
    ),
    "an unknown fallback": (
        ("max_thinking_tokens=20,rejection_tries=3,rejection_fallback=stop", "--gen_kwargs temperature=1"),
        ("max_thinking_tokens=20,rejection_tries=3,rejection_fallback=cut_off", "--gen_kwargs temperature=1"),
    ),
    "two mistakes at once": (
        ("num_wait=2,thinking_format=promted", "--gen_kwargs temprature=1"),
        ("num_waits=2,thinking_format=prompted", "--gen_kwargs temperature=1"),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rest", ["", ' --tasks s1_nano --batch_size 8 --metadata \'{"s1_data_dir": "d"}\''])
def test_a_cure_corrects_the_one_thing_and_keeps_the_rest(case: str, rest: str) -> None:
    (args, more), (right_args, right_more) = CASES[case]
    wrong = asked_for(RUN.format(args=args, more=more) + rest)
    right = asked_for(RUN.format(args=right_args, more=right_more) + rest)
    found = faults(option_names.check, wrong)
    assert found
    for finding in found:
        (cure,) = finding.fix
        assert asked_for(cure) == right
        assert cure.startswith("s1-eval --model" if "--tasks" in rest else "s1-eval doctor --model")
        assert not faults(option_names.check, asked_for(cure))


@pytest.mark.parametrize(
    ("name", "meant"), [("s1_vlm", "s1_vllm"), ("s1-hf", "s1_hf"), ("s1_opena", "s1_openai"), ("dumy", "dummy")]
)
def test_a_model_type_that_nobody_has_is_found(name: str, meant: str) -> None:
    (finding,) = faults(
        option_names.check, asked_for(f"s1-eval --model {name} --model_args num_waits=2 --tasks s1_nano")
    )
    assert f"did you mean {meant!r}?" in finding.message
    assert asked_for(finding.fix[0]) == asked_for(f"s1-eval --model {meant} --model_args num_waits=2 --tasks s1_nano")


def test_a_model_type_of_lm_eval_is_left_to_it() -> None:
    (finding,) = option_names.check(asked_for("s1-eval --model dummy --tasks s1_nano"))
    assert finding.status is Status.SKIP


@pytest.mark.parametrize(
    ("given", "meant"), [("math5000", "math500"), ("aime24,gpqa_dimond", "aime24,gpqa_diamond"), ("gsm8kk", "gsm8k")]
)
def test_a_task_that_nobody_has_is_found(given: str, meant: str, tmp_path: Path) -> None:
    more = f"--metadata '{json.dumps({'s1_data_dir': str(tmp_path)})}'"
    asked = asked_for(f"s1-eval --model s1_hf --model_args num_waits=2 --tasks {given} {more}")
    (finding,) = [one for one in faults(data_access.check, asked) if "there is no task" in one.message]
    assert asked_for(finding.fix[0]) == asked_for(
        f"s1-eval --model s1_hf --model_args num_waits=2 --tasks {meant} {more}"
    )
    again = faults(data_access.check, asked_for(finding.fix[0]))
    assert not [one for one in again if "there is no task" in one.message]


def test_a_task_of_lm_eval_s_own_is_left_to_it() -> None:
    findings = list(data_access.check(asked_for("s1-eval --model s1_hf --tasks gsm8k")))
    assert [finding.status for finding in findings if "gsm8k" in finding.message] == [Status.SKIP]


def test_without_a_model_the_default_is_checked() -> None:
    assert model.named(asked_for("s1-eval doctor")) == DEFAULT_MODEL == "simplescaling/s1-32B"
    (finding,) = model.check(asked_for("s1-eval doctor --model s1_hf"))
    assert finding.status is Status.FIX
    assert "pretrained=MODEL" in finding.fix[0]


def test_a_cure_of_the_model_check_is_a_run_that_works(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>"], "<|im_end|>", CHATML)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 4096}))
    line = f"s1-eval --model s1_hf --model_args pretrained={tmp_path},{{}} --gen_kwargs {{}} --tasks s1_nano"
    for args, kwargs, right_args, right_kwargs in (
        ("num_waits=2,wait_text=Hm", "top_p=0.5", "wait_text=Hm", "top_p=0.5"),  # nothing says that it thinks
        ("thinking_format=s1,tokenizer_mode=mistral", "n=1", "thinking_format=s1,tokenizer_mode=hf", "n=1"),
        ("thinking_format=s1", "max_thinking_tokens=9000", "thinking_format=s1", "max_thinking_tokens=auto"),
        ("thinking_format=s1,enable_thinking=False", "top_p=0.5", "thinking_format=s1", "top_p=0.5"),
        (
            "thinking_format=s1,max_answer_tokens=4090",
            "n=1",
            "thinking_format=s1,max_answer_tokens=1024,max_thinking_tokens=auto",
            "n=1",
        ),
    ):
        (finding,) = faults(model.check, asked_for(line.format(args, kwargs)))
        assert asked_for(finding.fix[0]) == asked_for(line.format(right_args, right_kwargs))
        assert not faults(model.check, asked_for(finding.fix[0]))
