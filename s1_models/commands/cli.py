"""The `s1-eval` command: lm_eval's own commands with the s1 models and tasks, and ours beside them."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

from s1_contract import __version__

USAGE = """\
s1-eval: lm_eval with the s1 models and tasks. It also works where Python loads no .pth files.

  s1-eval --model s1_vllm --model_args pretrained=MODEL,num_waits=4 --tasks aime24 --output_path DIR
  s1-eval ls tasks                 lm_eval's own commands work as well
  s1-eval run --help               lm_eval's options

Commands of ours (each has its --help):
{commands}
With --output_path, s1-eval keeps what was generated in DIR. The same command then continues a stopped run, and
generates nothing twice. The model arg memo=PATH names another file; memo=off switches this off.

Model args of s1_vllm, beside all model args of lm_eval's vllm (also in --gen_kwargs, per task). Defaults in brackets:
  num_waits=N                 suppress the end of thinking N times and append wait_text        (0)
  wait_text=TEXT              the text to append                                               (Wait)
  max_thinking_tokens=N|auto  cut all thinking after N tokens and ask for the answer           (auto)
  min_thinking_tokens=N       suppress the end of thinking before N tokens                     (0)
  max_answer_tokens=N         limit of the answer                                              (1024)
  final_answer_text=TEXT      ask for the answer with this after a cut; may be empty           (Final Answer:)
  thinking_format=NAME        auto, s1, think, harmony, prompted, none, or START...END         (auto)
  policy=NAME                 how to spend thinking tokens: s1-eval policies                   (budget_forcing)
  rejection_tries=N           sample thinking up to N times until it fits max_thinking_tokens  (0)
  think_for=LENGTH            ask for a length in the prompt: 64_steps, 2048_tokens, long, short
  chat_template=WHEN          auto (unless --apply_chat_template did), always, never           (auto)
docs/options.md has the others. n=K in --gen_kwargs samples K answers per question (with temperature=...), for avg@k,
pass@k and maj@k.
"""


NO_SUCH_TASK = "Tasks not found"
"""How lm_eval's error begins; it has no type of its own."""


class Command(NamedTuple):
    """A command of ours: the module whose `main(arguments)` runs it, and one line of help.

    needs_harness: lm_eval is imported, with our models and tasks, before it runs.
    """

    module: str
    help: str
    needs_harness: bool = True


COMMANDS = {
    "sweep": Command(
        "s1_models.commands.sweep_command", "accuracy against thinking: all waits and budgets in one pass"
    ),
    "replay": Command("s1_models.commands.replay", "score a finished run again from its memo, without an engine"),
    "check": Command("s1_models.commands.check", "show the exact prompt, stops, sampling and budgets of a model"),
    "serve": Command("s1_models.commands.serve", "`vllm serve`, with the GPU or the CPU build of vLLM", False),
    "doctor": Command("s1_models.commands.doctor.cli", "check that a run has all it needs, and how to fix it", False),
    "policies": Command(
        "s1_models.commands.policies_command", "list the ways to spend thinking tokens, with options", False
    ),
}
"""Imported when they are asked for: `s1-eval --help` loads no lm_eval."""


def main() -> None:
    """Runs one of our commands, or hands over to lm_eval's command line with our models and tasks installed."""
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt as error:
        from s1_models.harness.plugin import INTERRUPTED, interrupted

        interrupted(error)
        sys.exit(INTERRUPTED)


def _run(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = "".join(f"  s1-eval {name:<24} {command.help}\n" for name, command in COMMANDS.items())
        sys.stdout.write(USAGE.format(commands=lines))
        return
    if arguments[0] == "--version":
        sys.stdout.write(f"lm-eval-s1 {__version__}\n")
        return
    command = COMMANDS.get(arguments[0])
    if command and not command.needs_harness:
        sys.exit(importlib.import_module(command.module).main(arguments[1:]))
    from s1_models.harness import bridge

    bridge.install()
    from lm_eval._cli import HarnessCLI
    from lm_eval.utils import setup_logging

    setup_logging()
    if command:
        sys.exit(importlib.import_module(command.module).main(arguments[1:]))
    harness = HarnessCLI()
    parsed = harness.parse_args()
    if parsed.command == "run":
        remember(parsed)
    try:
        harness.execute(parsed)
    except ValueError as error:
        if not str(error).startswith(NO_SUCH_TASK):
            raise
        sys.exit(f"error: {error}: `s1-eval ls tasks` lists all; --include_path DIR adds a folder of yours")


def remember(given: argparse.Namespace) -> None:
    """Puts the memo of our models beside --output_path, unless S1_MEMO, or a model arg `memo`, says otherwise."""
    from lm_eval.config.evaluate_config import EvaluatorConfig

    configured = EvaluatorConfig.load_yaml_config(given.config) if given.config else {}
    output = given.output_path or configured.get("output_path")
    if output:
        os.environ.setdefault("S1_MEMO", str(memo_beside(Path(output))))


def memo_beside(output: Path) -> Path:
    """The memo of an --output_path, which is a folder or DIR/NAME.json."""
    return (output.parent if output.suffix == ".json" else output) / "memo.sqlite"


if __name__ == "__main__":
    main()
