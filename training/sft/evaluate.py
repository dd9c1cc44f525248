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
    given = [part for part in model_args.split(",") if part]
    waits = next((part.partition("=")[2] for part in given if part.startswith("num_waits=")), str(WAITS))
    shared = [part for part in given if not part.startswith("num_waits=")]
    engines = [part for part in shared if part.partition("=")[0] not in _FORCING]
    of_base = [PLAIN] if base_model_args is None else [part for part in base_model_args.split(",") if part]
    settings = [("base", base, [*engines, *of_base]), ("tuned", tuned, [*shared, "num_waits=0"])]
    if waits != "0":
        settings.append(("tuned_waits", tuned, [*shared, f"num_waits={waits}"]))
    run = []
    for name, model, arguments in settings:
        run.append([_tool("lm_eval"), "--model", engine, "--model_args", ",".join([f"pretrained={model}", *arguments])])
        run[-1] += ["--tasks", tasks, "--log_samples", "--output_path", str(out / name), *lm_eval_args]
    run.append([_tool("s1-report"), "stats", str(out)])
    names = [name for name, _, _ in settings]
    for at, new in enumerate(names[1:], start=1):
        for old in names[:at]:
            run.append([_tool("s1-report"), "compare", str(out / old), str(out / new), "--allow", "budget"])
            run[-1] += ["--allow", "prompt"] if old == "base" else []
    return run


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
