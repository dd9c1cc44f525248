"""Base and tuned model on the same tasks with the plugin, and the comparison of the two: commands, run and shown.

Both come from their own tools as commands: this room writes checkpoints and reads no results.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class EvaluationError(RuntimeError):
    """A command of the evaluation failed."""


def commands(
    base: str,
    tuned: str,
    tasks: str,
    out: Path,
    model_args: str = "",
    lm_eval_args: Sequence[str] = (),
    engine: str = "s1_vllm",
) -> list[list[str]]:
    """The three commands: evaluate base, evaluate tuned, compare. model_args: for both, as for lm_eval."""
    run = []
    for name, model in (("base", base), ("tuned", tuned)):
        arguments = ",".join(part for part in (f"pretrained={model}", model_args) if part)
        run.append([_tool("lm_eval"), "--model", engine, "--model_args", arguments, "--tasks", tasks])
        run[-1] += ["--log_samples", "--output_path", str(out / name), *lm_eval_args]
    run.append([_tool("s1-report"), "compare", str(out / "base"), str(out / "tuned")])
    return run


def evaluate(
    base: str,
    tuned: str,
    tasks: str,
    out: Path,
    model_args: str = "",
    lm_eval_args: Sequence[str] = (),
    engine: str = "s1_vllm",
) -> None:
    """Run the commands, each printed before. Raises EvaluationError with the command that failed."""
    if any((out / name).exists() for name in ("base", "tuned")):
        raise EvaluationError(f"{out} holds an evaluation already, and two runs must not be mixed: give another --out")
    for command in commands(base, tuned, tasks, out, model_args, lm_eval_args, engine):
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
