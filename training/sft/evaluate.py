"""Base and tuned model on the same tasks with the plugin, and the comparisons of the runs: commands, run and shown.

Three runs: the base in its own best honest setting, a plain answer to the plain question, since nobody taught it the
format; the tuned model without waits; the tuned model with waits. Both models come from their own tools as commands:
this room writes checkpoints and reads no results.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from s1_contract.errors import S1Error

RUNS = ("base", "tuned", "tuned_waits")
PLAIN = "thinking_format=none"
WAITS = 2


class EvaluationError(S1Error, RuntimeError):
    """A command of the evaluation failed."""


def commands(
    base: str,
    tuned: str,
    tasks: str,
    out: Path,
    model_args: str = "",
    lm_eval_args: Sequence[str] = (),
    engine: str = "s1_vllm",
    base_model_args: str | None = None,
) -> list[list[str]]:
    """The commands: three evaluations, a table of all runs, and each pair of runs question by question.

    model_args: as for lm_eval, of both models; `num_waits` in it is that of the third run (default 2), and with
    num_waits=0 there is none. Budgets and formats in it are the tuned model's. base_model_args: of the base alone,
    instead of a plain answer.
    """
    run = []
    for name, arguments in _settings(base, tuned, model_args, base_model_args).items():
        run.append([_tool("lm_eval"), "--model", engine, "--model_args", ",".join(arguments), "--tasks", tasks])
        run[-1] += ["--log_samples", "--output_path", str(out / name), *lm_eval_args]
    names = list(_settings(base, tuned, model_args, base_model_args))
    run.append([_tool("s1-report"), "stats", str(out)])
    for old, new in sorted(combinations(names, 2), key=lambda pair: names.index(pair[1])):
        run.append([_tool("s1-report"), "compare", str(out / old), str(out / new), "--allow", "budget"])
        run[-1] += ["--allow", "prompt"] if old == "base" else []
    return run


def _settings(base: str, tuned: str, model_args: str, base_model_args: str | None) -> dict[str, list[str]]:
    """Name of a run -> its model args."""
    given = _parts(model_args)
    waits = {"num_waits": str(WAITS), **given}.pop("num_waits")
    shared = {name: value for name, value in given.items() if name != "num_waits"}
    of_base = {name: value for name, value in shared.items() if name not in _FORCING}
    of_base |= _parts(PLAIN if base_model_args is None else base_model_args)
    runs = {
        "base": {"pretrained": base, **of_base},
        "tuned": {"pretrained": tuned, **shared, "num_waits": "0"},
        "tuned_waits": {"pretrained": tuned, **shared, "num_waits": waits},
    }
    return {
        name: [f"{key}={value}" for key, value in arguments.items()]
        for name, arguments in runs.items()
        if name != "tuned_waits" or waits != "0"
    }


def _parts(arguments: str) -> dict[str, str]:
    """Model args as lm_eval takes them -> name and value."""
    return {name: value for name, _, value in (part.partition("=") for part in arguments.split(",") if part)}


# What a plain answer has no use for; the harness refuses it there.
_FORCING = {"thinking_format", "wait_text", "max_thinking_tokens", "min_thinking_tokens", "max_answer_tokens"}
_FORCING |= {"final_answer_text", "rejection_tries", "temperature_thinking", "think_for", "think_format"}


def evaluate(
    base: str,
    tuned: str,
    tasks: str,
    out: Path,
    model_args: str = "",
    lm_eval_args: Sequence[str] = (),
    engine: str = "s1_vllm",
    base_model_args: str | None = None,
) -> None:
    """Run the commands, each printed before. Raises EvaluationError with the command that failed."""
    if any((out / name).exists() for name in RUNS):
        raise EvaluationError(f"{out} holds an evaluation already, and two runs must not be mixed: give another --out")
    for command in commands(base, tuned, tasks, out, model_args, lm_eval_args, engine, base_model_args):
        print(f"$ {shlex.join([Path(command[0]).name, *command[1:]])}", flush=True)
        code = subprocess.run(command, check=False).returncode
        if code:
            raise EvaluationError(f"the command above ended with exit code {code}; what was finished is in {out}")


def _tool(name: str) -> str:
    """A command that is installed beside this interpreter."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise EvaluationError(f"{path} does not exist: install lm-eval-s1 into this environment (make setup)")
    return str(path)
