"""s1's own commands: parsed by lm_eval, understood by us, run on a scripted engine; and the page that compares."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval._cli.harness import HarnessCLI
from lm_eval.config.evaluate_config import EvaluatorConfig
from lm_eval.tasks import TaskManager

from s1_models.options import ALIASES, OPTIONS, check_known, resolve
from s1_tasks import TASKS_DIR
from s1_tasks.answers import judge
from tests.models.original_behaviours import BEHAVIOURS, PAGE, Behaviour, page, scripted
from tests.models.original_commands import COMMANDS, TASKS, Command

GEN_KWARGS = list(dict.fromkeys((command.gen_kwargs, command.think_for) for command in COMMANDS))


def parse(command: Command, monkeypatch: pytest.MonkeyPatch, parser: HarnessCLI) -> EvaluatorConfig:
    monkeypatch.setattr(sys, "argv", ["lm_eval", *command.arguments_here()])
    return EvaluatorConfig.from_cli(parser.parse_args())


@pytest.fixture(scope="module")
def parser() -> HarnessCLI:
    return HarnessCLI()


@pytest.fixture(scope="module")
def task_manager() -> TaskManager:
    return TaskManager(include_path=str(TASKS_DIR), include_defaults=False)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up rows for every task of the commands, one each."""
    math = {"problem": "Six times seven?", "answer": "42"}
    for name in ("aime24_figures", "aime24_nofigures", "aime25", "math500"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(math) + "\n")
    choice = {"Question": "Which is a number?", "Correct Answer": "six", "Incorrect Answer 1": "a cat"}
    choice |= {"Incorrect Answer 2": "a dog", "Incorrect Answer 3": "a cow"}
    (tmp_path / "gpqa_diamond.jsonl").write_text(json.dumps(choice) + "\n")
    monkeypatch.setenv("S1_DATA_DIR", str(tmp_path))


def test_there_are_52_commands_with_29_generation_settings() -> None:
    assert len(COMMANDS) == len(set(COMMANDS)) == 52
    assert len({command.gen_kwargs for command in COMMANDS}) == 29
    assert Counter(command.model for command in COMMANDS) == {
        "dummy": 1,
        "Qwen2.5-32B-Instruct": 3,
        "s1-32B": 23,
        "s1.1-32B": 3,
        "token-conditional": 8,
        "step-conditional": 14,
    }


def test_every_command_is_parsed_by_lm_eval_and_known_to_us(
    monkeypatch: pytest.MonkeyPatch, parser: HarnessCLI, task_manager: TaskManager
) -> None:
    from s1_models.engines.vllm.arguments import MODEL_ARGUMENTS
    from s1_models.engines.vllm.arguments import SAMPLING_NAMES as VLLM_SAMPLING

    for command in COMMANDS:
        config = parse(command, monkeypatch, parser)
        assert config.model == ("dummy" if command.model == "dummy" else "s1_vllm")
        check_known(config.model_args, [*OPTIONS, *ALIASES, *MODEL_ARGUMENTS], "model argument")
        assert set(config.tasks) <= set(task_manager.all_tasks)
        settings = resolve({}, {"until": [], **config.gen_kwargs}, VLLM_SAMPLING)
        assert settings.plain_answer_tokens == 32768
        assert bool(settings.rejection) == ("rejection" in command.generation)
        assert settings.budget.num_waits == config.gen_kwargs.get("thinking_n_ignore", 0)
        assert bool(settings.thinking_request) == bool(command.variable)
        expected = config.gen_kwargs.get("max_tokens_thinking", "auto")
        assert (settings.budget.max_thinking_tokens or "auto") == expected


@pytest.mark.parametrize(("gen_kwargs", "think_for"), GEN_KWARGS, ids=lambda text: text.replace("\n", " "))
def test_every_setting_runs_through_to_an_answer(
    gen_kwargs: str, think_for: str, monkeypatch: pytest.MonkeyPatch, parser: HarnessCLI
) -> None:
    command = next(c for c in COMMANDS if (c.gen_kwargs, c.think_for) == (gen_kwargs, think_for))
    options = parse(command, monkeypatch, parser).gen_kwargs
    lm = scripted("\nA\n<|im_start|>0" if "until_thinking" in gen_kwargs else "\nA\n", "\nAnswer: 42")
    (response,) = lm.ask(["Six times seven?"], **options)
    assert judge(response, "42").correct
    assert response.usage["waits_used"] == options.get("thinking_n_ignore", 0)
    assert response.count("Wait") == (options.get("thinking_n_ignore_str") == "Wait") * response.usage["waits_used"]
    assert response.usage.get("tries", 0) == ("rejection_sample" in options)
    assert {dict(request.sampling)["temperature"] for request in lm.engine.history} == {options.get("temperature", 0)}


@pytest.mark.parametrize("name_of_list", ["all, 2025", "agg64"])
def test_the_task_lists_run_in_lm_eval_s_own_loop(
    name_of_list: str, rows: None, monkeypatch: pytest.MonkeyPatch, parser: HarnessCLI, task_manager: TaskManager
) -> None:
    tasks = TASKS[name_of_list]
    command = next(c for c in reversed(COMMANDS) if c.tasks == name_of_list)
    config = parse(command, monkeypatch, parser)
    lm = scripted(answer="\nAnswer: 42")
    results = evaluate(lm, config, task_manager)
    assert set(results["results"]) == set(tasks.split(","))
    repeats = 64 if tasks.endswith("agg64") else 1
    for name, metrics in results["results"].items():
        assert metrics["exact_match,none"] == (0.0 if name.startswith("gpqa") else 1.0)
        assert len(results["samples"][name][0]["resps"][0]) == repeats
        assert ("maj@64,none" in metrics) == (repeats == 64)


def test_the_dummy_command_needs_no_key(
    rows: None, monkeypatch: pytest.MonkeyPatch, parser: HarnessCLI, task_manager: TaskManager
) -> None:
    for name in ("OPENAI_API_KEY", "PROCESSOR"):
        monkeypatch.delenv(name, raising=False)
    config = parse(COMMANDS[0], monkeypatch, parser)
    results = evaluate(config.model, config, task_manager)["results"]
    assert {metrics["exact_match,none"] for metrics in results.values()} == {0.0}


def evaluate(model: Any, config: EvaluatorConfig, task_manager: TaskManager) -> dict[str, Any]:
    return lm_eval.simple_evaluate(  # type: ignore[return-value]
        model=model,
        tasks=config.tasks,
        gen_kwargs=config.gen_kwargs,
        apply_chat_template=bool(config.apply_chat_template),
        task_manager=task_manager,
        bootstrap_iters=0,
    )


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_what_is_called_the_same_is_the_same_and_what_differs_has_a_reason(behaviour: Behaviour) -> None:
    assert (behaviour.observe() == behaviour.original) == (not behaviour.because)


def test_the_page_says_what_is_observed() -> None:
    stale = "docs/original-commands.md is stale: run python -m tests.models.original_behaviours"
    assert PAGE.read_text(encoding="utf-8") == page(), stale
