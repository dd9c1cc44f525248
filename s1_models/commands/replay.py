"""`s1-eval replay`: a finished evaluation again from its memo alone. No engine, no weights: a tokenizer is enough.

What a run was is read from its results file: lm_eval writes its configuration there, and our models add what an engine
would have to be asked for (`BudgetForcingLM.get_model_info`).
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table, simple_parse_args_string
from rich.console import Console

from s1_contract.printing import show, show_lines
from s1_contract.redaction import redact_text
from s1_models.harness.evaluation import Finished, LoadedTasks, evaluate
from s1_models.harness.stored_lm import StoredLM
from s1_models.nano_model import find_model
from s1_models.options import ALIASES, OptionError, split_options

DESCRIPTION = """\
Scores finished evaluations again from their memo, with the same prompts, settings and texts. It needs the model's
tokenizer and the tasks' data, but no engine, weights or GPU. Use it after an upgrade of the answer check, or to show
that results follow from the generated text. If the memo lacks an answer, an error names the question.
"""
EXAMPLES = """\
examples:
  s1-eval --model s1_vllm --model_args pretrained=MODEL --tasks aime24 --log_samples --output_path DIR
  s1-eval replay DIR --tokenizer MODEL     every newest run in DIR; new results files beside the old ones
  s1-eval replay DIR --tokenizer MODEL --output_path NEW     the same, written elsewhere

A sweep's DIR works as well. Runs of plain `lm_eval` need the model arg memo=PATH to be replayed later.
"""


def find_runs(place: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The newest results file of every run in a folder and below (or the one named), with its content.

    Two results files are of one run when they lie in one folder and say the same model, arguments and tasks. Raises
    OptionError when there is none that an s1 model with a memo has written.
    """
    paths = sorted(place.rglob("results_*.json")) if place.is_dir() else [place]
    newest: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            config = content["config"]
            told = [config["model"], config["model_args"], config["gen_kwargs"], config["limit"], config.get("s1")]
            tasks = sorted(content["configs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{path} is no results file of lm_eval ({type(error).__name__}: {error})") from error
        if (config.get("s1") or {}).get("memo"):
            newest[json.dumps([str(path.parent), told, tasks], sort_keys=True)] = path, content  # names end in dates
    if not newest:
        raise OptionError(
            f"{place}: none of its {len(paths)} results files is of an s1 model with a memo: name the --output_path of "
            f"a run of s1-eval, or run with the model arg memo=PATH"
        )
    return list(newest.values())


def find_memo(results: Path, recorded: str) -> Path:
    """The memo of a run: of its name beside the results or above, else where the run had it. Raises OptionError."""
    beside = (folder / Path(recorded).name for folder in results.resolve().parents)
    found = next((path for path in (*beside, Path(recorded)) if path.is_file()), None)
    if found is None:
        raise OptionError(f"{results}: its memo {recorded} is gone: name it with --memo, or run with the engine")
    return found


def replay(
    results: Path, content: Mapping[str, Any], memo: Path, output: Path, tasks: LoadedTasks, tokenizer: Any
) -> Finished:
    """Runs the evaluation of a results file again, from `memo`; writes into the folder `output`.

    tasks: the run's (`load_tasks`). tokenizer: the run's (`load_tokenizer`). Raises EngineError, naming
    the question, where the memo does not hold what is asked.
    """
    config, configs = content["config"], content["configs"]
    model_args = config["model_args"] or {}
    if isinstance(model_args, str):
        model_args = simple_parse_args_string(model_args)
    for name, told in configs.items():
        for option in ("num_fewshot", "generation_kwargs", "repeats"):
            tasks.tasks[name].set_config(option, told[option])
    lm = StoredLM(config["s1"], memo, tokenizer)
    counts = content["n-samples"]
    picked = config["limit"] is None and any(told["original"] != told["effective"] for told in counts.values())
    return evaluate(
        lm,
        tasks,
        model=config["model"],
        model_args=model_args,
        output=output / "results.json",  # lm_eval puts the date before the ending
        limit=config["limit"],
        samples={name: [row["doc_id"] for row in read_samples(results, name)] for name in configs} if picked else None,
        gen_kwargs=config["gen_kwargs"],
        batch_size=config["batch_size"],
        device=config["device"],
        bootstrap_iters=config["bootstrap_iters"],
        random_seed=config["random_seed"],
        numpy_random_seed=config["numpy_seed"],
        torch_random_seed=config["torch_seed"],
        fewshot_random_seed=config["fewshot_seed"],
        system_instruction=content.get("system_instruction"),
        apply_chat_template=content.get("chat_template") is not None,
        fewshot_as_multiturn=content.get("fewshot_as_multiturn"),
    )


class TaskCache:
    """The tasks of runs, loaded once for all runs that differ by budgets only (lm_eval's index takes 10 s to read).

    include_path: a folder of external tasks.
    """

    def __init__(self, include_path: str | None = None) -> None:
        self._include_path = include_path
        self._loaded: dict[str, LoadedTasks] = {}

    def load(self, content: Mapping[str, Any]) -> LoadedTasks:
        """The tasks of a results file."""
        names, metadata = _task_names(content), _metadata(content["configs"])
        _, others = split_options({name: value for name, value in metadata.items() if name not in ALIASES})
        key = json.dumps([names, others], sort_keys=True, default=str)
        if key not in self._loaded:
            manager = TaskManager(include_path=self._include_path, metadata=metadata)
            self._loaded[key] = LoadedTasks(manager, names)
        return self._loaded[key]


def _task_names(content: Mapping[str, Any]) -> list[str]:
    """Groups that are in no other group, and the tasks outside of them: what was asked for."""
    children = {child for names in content["group_subtasks"].values() for child in names}
    groups = [name for name, names in content["group_subtasks"].items() if names]
    return [name for name in dict.fromkeys([*groups, *content["configs"]]) if name not in children]


def _metadata(configs: Mapping[str, Any]) -> dict[str, Any]:
    """The run's --metadata and model args; what a task says of itself is left to its file."""
    told = [config["metadata"] for config in configs.values() if isinstance(config.get("metadata"), dict)]
    own = ("version", "config", "config_source")
    return {name: value for metadata in told for name, value in metadata.items() if name not in own}


def load_tokenizer(place: str | None, recorded: str, revision: str | None, *, trust_remote_code: bool) -> Any:
    """The tokenizer of a run. place: as the user names it: a results file may come from anybody, and so may the code
    beside a tokenizer that it names (recorded). Raises OptionError where it is not named, or gives none.
    """
    from transformers import AutoTokenizer

    if place is None:
        raise OptionError(
            f"replay needs the tokenizer of the run, and takes its place from the command line only. The results file "
            f"says {recorded!r}: if that is it, give --tokenizer {shlex.quote(recorded)}"
        )
    try:
        return AutoTokenizer.from_pretrained(place, revision=revision or "main", trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise OptionError(
            f"there is no tokenizer at {place} that can be used ({why}): give another --tokenizer PLACE, or "
            f"--trust_remote_code if it needs code that you trust"
        ) from error


def read_samples(results: Path, task: str) -> list[dict[str, Any]]:
    """The samples beside a results file, as they were written. Raises OptionError where there are none."""
    path = results.parent / f"samples_{task}_{results.stem.removeprefix('results_')}.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise OptionError(f"the samples of the run cannot be read ({error}): it needed --log_samples") from error


def compare(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """How many questions have other texts, and how many have other numbers, than before."""
    known = {(row["doc_id"], row["filter"]): row for row in old}
    pairs = [(known.get((row["doc_id"], row["filter"]), {}), row) for row in new]
    texts = sum(before.get("resps") != json.loads(json.dumps(row["resps"])) for before, row in pairs)
    return texts, sum(_numbers(before, row) != _numbers(row, row) for before, row in pairs)


def _numbers(row: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in like["metrics"] if isinstance(like[name], int | float)}


def main(arguments: Sequence[str]) -> None:
    """Runs `s1-eval replay` with these arguments."""
    parser = argparse.ArgumentParser(
        prog="s1-eval replay",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "place", metavar="DIR", type=Path, help="the --output_path of a run or sweep, or a results file"
    )
    parser.add_argument(
        "--output_path", "-o", metavar="DIR", type=Path, help="where to write (default: beside the old)"
    )
    parser.add_argument("--memo", metavar="PATH", type=Path, help="the memo (default: the one beside the results)")
    parser.add_argument("--tokenizer", metavar="PLACE", help="the model's tokenizer: a name on the Hub or a folder")
    parser.add_argument("--revision", metavar="NAME", help="of a tokenizer on the Hub (default: main)")
    parser.add_argument("--trust_remote_code", action="store_true", help="run code that comes with the tokenizer")
    parser.add_argument("--include_path", metavar="DIR", help="folder of external tasks, if the run had one")
    given = parser.parse_args(list(arguments))
    console = Console(highlight=False, soft_wrap=True, markup=False)
    tasks = TaskCache(given.include_path)
    for results, content in find_runs(given.place):
        memo = given.memo or find_memo(results, content["config"]["s1"]["memo"])
        output = results.parent
        if given.output_path:
            output = given.output_path / results.parent.relative_to(given.place if given.place.is_dir() else output)
        tokenizer = load_tokenizer(
            find_model(given.tokenizer),
            content["config"]["s1"]["tokenizer"],
            given.revision,
            trust_remote_code=given.trust_remote_code,
        )
        finished = replay(results, content, memo, output, tasks.load(content), tokenizer)
        told = redact_text(f"{content['config']['model']} ({content['config']['model_args']}) from {memo}")
        console.print(show(told))
        console.print(show_lines(make_table(finished.results)))
        for task, samples in finished.samples.items():
            try:
                texts, numbers = compare(read_samples(results, task), samples)
            except OptionError as error:
                console.print(show(f"{task}: nothing to compare with; {error}"))
            else:
                console.print(
                    f"{show(task)}: {len(samples)} questions; {texts} with other texts and {numbers} with other "
                    f"metrics than in {results.name}"
                )
        console.print(f"wrote {finished.files[0]}")
