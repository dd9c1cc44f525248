"""The real lm_eval on local rows, with a scripted model whose responses carry every outcome and every usage field."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from s1_contract.outcomes import Outcome
from s1_contract.response import Response
from s1_contract.usage import USAGE_FIELDS, Usage
from s1_models.harness import plugin
from s1_tasks import TASKS_DIR

ANSWERS = {
    Outcome.CORRECT: r"\boxed{7}",
    Outcome.INCORRECT: r"\boxed{8}",
    Outcome.NO_ANSWER: r"\boxed{}",
    Outcome.UNREADABLE: r"\boxed{@#}",
    Outcome.TIMED_OUT: r"\boxed{\int_0^1 \sin(\sin(\sin x)) e^{x^x} dx}",
}
"""Question -> what the model says to it in its first repeat; in the second it is right."""
THINKING = r"<musing>first \boxed{5}</musing>"
"""In delimiters that no table holds: only the response says where its answer begins."""


def usage_of(question: int, repeat: int) -> Usage:
    """Another number in every field, question and repeat; the cut-off flags are 0 or 1."""
    numbers = {name: 1000 * place + 10 * question + repeat for place, name in enumerate(USAGE_FIELDS, start=1)}
    return Usage(**{**numbers, "cut_off": int(question == 2), "answer_cut_off": repeat, "answer_asked": repeat})


class Scripted(LM):
    """Answers each request of its n-th repeat by `tell(doc_id, n)`."""

    def __init__(self, tell: Callable[[int, int], Response]) -> None:
        super().__init__()
        self._tell = tell

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        seen: dict[int, int] = {}
        told = []
        for request in requests:
            repeat = seen[id(request)] = seen.get(id(request), -1) + 1
            told.append(self._tell(request.doc_id, repeat))
        return told

    def get_model_info(self) -> dict[str, Any]:
        """The facts that an s1 model tells of itself."""
        around = {"before": "<user>", "after": "</user>"}
        facts = {"versions": {"vllm": "0.32.0"}, "dtype": "float32", "identity": {"weights": "files 0a1b"}}
        return {"s1": {**facts, "tasks": {"math500": {"around": around, "budget": {"max_thinking_tokens": 900}}}}}

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError


def tell(question: int, repeat: int) -> Response:
    """The scripted answer of a repeat, 0 or 1."""
    said = ANSWERS[list(ANSWERS)[question] if repeat == 0 else Outcome.CORRECT]
    return Response(THINKING + said, usage_of(question, repeat), spans(said), answer_start=len(THINKING))


def spans(said: str) -> tuple[Mapping[str, Any], ...]:
    return (
        {"phase": "opening", "forced": True, "text": "<musing>", "tokens": (1,)},
        {"phase": "thinking", "forced": False, "text": r"first \boxed{5}", "tokens": (2, 3)},
        {"phase": "answering", "forced": True, "text": "</musing>", "tokens": (4,)},
        {"phase": "answering", "forced": False, "text": said, "tokens": (5, 6)},
    )


def evaluate(rows: Path, tracker: EvaluationTracker | None = None, **model_args: Any) -> dict[str, Any]:
    """What lm_eval makes of math500 with two repeats, asked with rows that are put into the folder `rows`."""
    (rows / "math500.jsonl").write_text(
        "".join(json.dumps({"problem": f"Question {n}?", "answer": "7"}) + "\n" for n in range(len(ANSWERS)))
    )
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False, metadata={"s1_data_dir": str(rows)})
    (task,) = manager.load(["math500"])["tasks"].values()
    task.set_config("repeats", 2)
    results: dict[str, Any] = lm_eval.simple_evaluate(
        Scripted(tell), model_args=model_args, tasks=[task], task_manager=manager, evaluation_tracker=tracker
    )
    return results


def run(folder: Path, rows: Path, **model_args: Any) -> dict[str, Any]:
    """Evaluates, and writes lm_eval's files into `folder`; returns its results without the samples."""
    plugin.write_traces_beside_samples()
    tracker = EvaluationTracker(output_path=str(folder))
    results = evaluate(rows, tracker, **model_args)
    results["config"]["model"] = "s1_vllm"
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name="math500", samples=samples["math500"])
    return results
