"""How lm_eval finds us: the functions the start-up bridge calls.

Models are registered by name as strings, so that listing them imports no engine.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from s1_contract.metrics import is_mean
from s1_contract.places import FACTS
from s1_contract.redaction import redact, redact_results, redact_text

logger = logging.getLogger("s1")

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended."""

MODELS = {
    "s1_vllm": "s1_models.engines.vllm.lm:S1VLLM",
    "s1_hf": "s1_models.engines.hf.lm:S1HF",
    "s1_openai": "s1_models.engines.openai.lm:S1OpenAI",
    "s1_chat": "s1_models.engines.chat.lm:S1Chat",
}


def register_models() -> None:
    """Registers our model names with lm_eval, after its own.

    lm_eval loads its models, and with them us, when its registry is empty: whoever registers a model of their own
    first must `import lm_eval.models` before.
    """
    from lm_eval.api.registry import model_registry

    _log_as_the_harness_does()
    _log_no_secrets()
    for name, target in MODELS.items():
        if name not in model_registry:
            model_registry.register(name, target=target)


class _HarnessLog(logging.Handler):
    """Hands our records to lm_eval's handlers, at lm_eval's level: its command line sets up its own logger only."""

    def emit(self, record: logging.LogRecord) -> None:
        harness, root = logging.getLogger("lm_eval"), logging.getLogger()
        if root.handlers or record.levelno < harness.getEffectiveLevel():
            return  # the root's handlers print it already
        for handler in harness.handlers or filter(None, [logging.lastResort]):
            handler.handle(record)


@functools.cache
def _log_as_the_harness_does() -> None:
    for name in ("s1", "s1_contract", "s1_models", "s1_tasks"):
        ours = logging.getLogger(name)
        ours.addHandler(_HarnessLog())
        if ours.level == logging.NOTSET:
            ours.setLevel(logging.INFO)


class _MeansAreMeant(logging.Filter):
    """Drops lm_eval's warning that it takes the mean of a metric of ours: that is what these metrics are for."""

    def filter(self, record: logging.LogRecord) -> bool:
        words = record.getMessage().partition("No aggregation function defined for metric ")[2].split()
        return not (words and is_mean(words[0].rstrip(".")))


_MEANS_ARE_MEANT = _MeansAreMeant()


def add_tasks() -> None:
    """Puts our task folder behind lm_eval's own in every TaskManager, and before the user's --include_path."""
    from lm_eval.tasks.manager import TaskManager

    from s1_tasks import TASKS_DIR

    logging.getLogger("lm_eval.evaluator_utils").addFilter(_MEANS_ARE_MEANT)

    original = TaskManager.__init__
    if hasattr(original, "s1"):
        return
    _log_no_secrets()  # before lm_eval says with which arguments it loads a model

    @functools.wraps(original)
    def with_our_tasks(
        self: Any,
        verbosity: str | None = None,
        include_path: str | Path | list[str | Path] | None = None,
        include_defaults: bool = True,
        *more: Any,
        **arguments: Any,
    ) -> None:
        paths = [include_path] if isinstance(include_path, (str, Path)) else list(include_path or ())
        defaults = include_defaults
        if include_defaults and TASKS_DIR not in (Path(path).resolve() for path in paths):
            if os.environ.get("S1_BRIDGE") == "yield":  # a later folder wins: lm_eval's own goes behind ours
                own = Path(sys.modules[TaskManager.__module__].__file__ or "").parent
                paths, defaults = [TASKS_DIR, own, *paths], False
            else:
                paths = [TASKS_DIR, *paths]
                _log_override()
        if "metadata" in arguments:  # holds the model's arguments, and is written with the results
            arguments["metadata"] = redact(arguments["metadata"])
        original(self, verbosity, paths or None, defaults, *more, **arguments)
        self.include_path = include_path  # what the caller asked for, as in lm_eval's reports

    with_our_tasks.s1 = True  # type: ignore[attr-defined]
    TaskManager.__init__ = with_our_tasks


@functools.cache
def _log_override() -> None:
    logger.info(
        "s1: aime24 and aime25 are the s1 versions (data, prompt, checker); S1_BRIDGE=yield keeps lm_eval's own"
    )


def prepare_tasks() -> None:
    """What lm_eval's tasks have to tell us of their questions."""
    keep_parts_apart()
    tell_whose_requests_are()


def tell_whose_requests_are() -> None:
    """Marks the requests of tasks that something else than s1_tasks scores."""
    from lm_eval.api.task import Task

    original = Task.build_all_requests
    if hasattr(original, "s1"):
        return

    @functools.wraps(original)
    def with_marks(self: Any, *arguments: Any, **options: Any) -> Any:
        result = original(self, *arguments, **options)
        scorer = getattr(getattr(self, "config", None), "process_results", None)
        own = str(getattr(scorer, "__module__", "")).partition(".")[0] == "s1_tasks"
        for request in self.instances:
            request.of_others = not own
        return result

    with_marks.s1 = True  # type: ignore[attr-defined]
    Task.build_all_requests = with_marks


def check_options_first() -> None:
    """Makes lm_eval check the generation options of a model of ours before it loads the model for minutes."""
    evaluator: Any = importlib.import_module("lm_eval.evaluator")  # while it is imported lm_eval does not know it yet
    original = evaluator.simple_evaluate
    if hasattr(original, "s1"):
        return

    @functools.wraps(original)
    def checked(model: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(model, str) and model in MODELS and options.get("gen_kwargs"):
            from lm_eval.api.registry import get_model
            from lm_eval.utils import simple_parse_args_string

            from s1_models.options import resolve, split_options

            given = (options.get("model_args", arguments[0] if arguments else None), options["gen_kwargs"])
            model_args, gen_kwargs = (simple_parse_args_string(one) if isinstance(one, str) else one for one in given)
            resolve(split_options(model_args or {})[0], gen_kwargs or {}, get_model(model).sampling_names)
        return original(model, *arguments, **options)

    checked.s1 = True  # type: ignore[attr-defined]
    evaluator.simple_evaluate = checked


def is_of_others(request: Any) -> bool:
    """Whether the request is of a task that s1_tasks does not score; not for one that no task has made."""
    return bool(getattr(request, "of_others", False))


def keep_parts_apart() -> None:
    """Makes lm_eval's prompts without a chat template say which part is an instruction, and which begins the answer.

    lm_eval glues them to the question; a model of ours that applies the template itself needs them as turns.
    """
    from lm_eval.api.task import Task

    for kind in (Task, *_subclasses(Task)):
        if "fewshot_context" in vars(kind) and not hasattr(kind.fewshot_context, "s1"):
            kind.fewshot_context = _apart(kind.fewshot_context)


def _subclasses(kind: type) -> list[Any]:
    direct: list[Any] = list(kind.__subclasses__())
    return direct + [further for one in direct for further in _subclasses(one)]


def _apart(original: Any) -> Any:
    @functools.wraps(original)
    def with_parts(self: Any, *positional: Any, **named: Any) -> Any:
        text = original(self, *positional, **named)
        system, prefix = named.get("system_instruction"), named.get("gen_prefix")
        if not isinstance(text, str) or named.get("apply_chat_template") or not (system or prefix):
            return text
        from s1_models.harness.asked import take_apart

        delimiter = getattr(self.config, "target_delimiter", " ")
        return take_apart(text, str(system or ""), str(prefix or ""), str(delimiter or ""))

    with_parts.s1 = True  # type: ignore[attr-defined]
    return with_parts


def write_traces_beside_samples() -> None:
    """Makes lm_eval write traces.jsonl into the folder of its samples files, from the same samples."""
    from lm_eval.loggers.evaluation_tracker import EvaluationTracker

    original = EvaluationTracker.save_results_samples
    if hasattr(original, "s1"):
        return

    @functools.wraps(original)
    def with_traces(self: Any, task_name: str, samples: Any) -> None:
        from s1_models.harness.written import check_samples, traces_of

        # Before the original, which turns the responses into plain strings; and never instead of it: a full disk must
        # not cost the samples.
        traced, failure = traces_of(self, task_name, samples)
        count = len(samples)
        original(self, task_name, samples)
        if traced or failure:
            check_samples(self, task_name, count, failure)

    with_traces.s1 = True  # type: ignore[attr-defined]
    EvaluationTracker.save_results_samples = with_traces
    _complete_results(EvaluationTracker)


def _complete_results(tracker: Any) -> None:
    """Makes lm_eval's results say where rows came from, name a model that no argument named, and hide secrets."""
    original = tracker.save_results_aggregated

    @functools.wraps(original)
    def completed(self: Any, results: Any, samples: Any = None) -> None:
        try:
            _tell_rows(results)
            _name_model(self.general_config_tracker, results.get("config") or {})
        except Exception as error:  # never instead of the results
            logger.warning("the results do not say all about this run: %s: %s", type(error).__name__, error)
        results.update(redact_results(results))  # in place: lm_eval goes on with this mapping
        original(self, results, samples)

    tracker.save_results_aggregated = completed


def _tell_rows(results: dict[str, Any]) -> None:
    from s1_tasks.data import rows_from

    sources = {
        task: source
        for task, config in (results.get("configs") or {}).items()
        if (source := ((config or {}).get("dataset_kwargs") or {}).get("s1_dataset"))
    }
    results[FACTS] = {"rows": {task: rows_from(source) for task, source in sources.items()}}


def _name_model(config_tracker: Any, config: dict[str, Any]) -> None:
    """lm_eval makes up a name, always the same, for a model that model_args do not name."""
    from lm_eval.utils import sanitize_model_name

    name = (config.get(FACTS) or {}).get("model")
    if name and not config_tracker._get_model_name(config.get("model_args")):
        config_tracker.model_name = str(name)
        config_tracker.model_name_sanitized = sanitize_model_name(str(name))


def _log_no_secrets() -> None:
    """Takes keys and passwords out of what lm_eval and we log, such as the arguments of a model."""
    make = logging.getLogRecordFactory()
    if hasattr(make, "s1"):
        return

    @functools.wraps(make)
    def without_secrets(name: str, *arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(name, *arguments, **options)
        if name.partition(".")[0] in ("lm_eval", "s1", "s1_models", "s1_tasks"):
            text = record.getMessage()
            hidden = redact_text(text)
            if hidden != text:
                record.msg, record.args = hidden, ()
        return record

    without_secrets.s1 = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(without_secrets)


def _print_no_secrets(module: str) -> None:
    """The same for what a module of lm_eval prints: it ends a run with the arguments of the model."""

    def without_secrets(*values: object, **options: Any) -> None:
        print(*(redact_text(str(value)) for value in values), **options)  # noqa: T201

    sys.modules[module].__dict__["print"] = without_secrets


def interrupted(error: BaseException) -> None:
    """Says that a run was interrupted. From here on Ctrl-C ends the program at once, whatever it still tidies up."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    print(str(error) or "interrupted", file=sys.stderr)  # noqa: T201


def report_errors_as_sentences() -> None:
    """Under lm_eval's command line an error of ours is printed as its sentence, without a traceback."""
    _print_no_secrets("lm_eval._cli.run")
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            interrupted(error)
        elif kind.__module__.partition(".")[0] in ("s1_contract", "s1_models", "s1_tasks"):
            print(f"error: {error}", file=sys.stderr)  # noqa: T201
            logger.debug("where it came from", exc_info=(kind, error, traceback))
        else:
            previous(kind, error, traceback)

    sys.excepthook = hook
