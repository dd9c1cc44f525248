"""Made-up rows in the columns of the real data, and a language model that answers as it is told."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from s1_tasks import TASKS_DIR

GPQA_HEADER = (
    "Question",
    "Correct Answer",
    "Incorrect Answer 1",
    "Incorrect Answer 2",
    "Incorrect Answer 3",
    "Record ID",
)

MATH_ROWS = (
    {"problem": "Add one third and one sixth.", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 1},
    {"problem": "Which pair lies two right, one down?", "answer": "(2,-1)", "subject": "Geometry", "level": 2},
    {"problem": "Square x plus one.", "answer": "x^2+2x+1", "subject": "Algebra", "level": 3},
)
AIME_ROWS = (
    {"id": "made-up-1", "problem": "How many days has a week?", "answer": "7"},
    {"id": "made-up-2", "problem": "How many degrees has a circle?", "answer": "360"},
    {"id": "made-up-3", "problem": "Write twenty-five with three digits.", "answer": "025"},
)
QUESTION_ROWS = (
    {"question": "What is eleven times eleven?", "answer": 121},
    {"question": "What is the sum of 1 to 10?", "answer": 55},
)
MATHARENA_ROWS = (
    {"problem_idx": 1, "problem": "Add a half and a third.", "answer": "\\frac{5}{6}", "problem_type": ["Algebra"]},
    {"problem_idx": 2, "problem": "Which real x have x^2 < 1?", "answer": "(-1,1)", "problem_type": ["Algebra"]},
    {"problem_idx": 3, "problem": "Double seven.", "answer": 14, "problem_type": ["Number Theory"]},
)
IMO_ROWS = (
    {
        "Problem ID": "made-up-1",
        "Problem": "Which primes are even?",
        "Short Answer": "$\\{2\\}$",
        "Category": "Algebra",
    },
    {"Problem ID": "made-up-2", "Problem": "Which reals are at least 1?", "Short Answer": "$[1,\\infty)$"},
)
LARGE_ROWS = (
    {"problem": "Multiply 1,234 and 5,678.", "answer": 7006652},
    {"problem": "Square eleven.", "answer": 121.0},
)
GPQA_ROWS = (
    ("What colour has a ripe lemon?", " yellow\n", "blue", "grey", "red", "rec-made-up-1"),
    ("Which of these is a metal?\nChoose one.", "iron", "oxygen", "neon", "helium", "rec-made-up-2"),
    ("Which animal barks?", "a dog", "a fish", "a fish", "a snail", "rec-made-up-3"),
)


MATHARENA = (
    *("hmmt_feb_2025", "hmmt_nov_2025", "hmmt_feb_2026", "brumo_2025", "smt_2025", "cmimc_2025"),
    *("apex_2025", "apex_shortlist"),
)
OLYMMATH = tuple(f"olymmath_{language}_{level}" for language in ("en", "zh") for level in ("easy", "hard"))


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_gpqa_csv(path: Path, rows: Iterable[tuple[str, ...]] = GPQA_ROWS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(GPQA_HEADER)
        writer.writerows(rows)
    return path


@pytest.fixture
def rows_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with made-up rows for every task that is not generated, set as S1_DATA_DIR."""
    directory = tmp_path / "rows"
    directory.mkdir()
    for name in ("aime24", "aime24_figures", "aime24_nofigures", "aime26"):
        write_jsonl(directory / f"{name}.jsonl", AIME_ROWS)
    write_jsonl(directory / "aime25.jsonl", QUESTION_ROWS)
    write_jsonl(directory / "math500.jsonl", MATH_ROWS)
    for name in MATHARENA:
        write_jsonl(directory / f"{name}.jsonl", MATHARENA_ROWS)
    for name in OLYMMATH:
        write_jsonl(directory / f"{name}.jsonl", MATH_ROWS)
    write_jsonl(directory / "imo_answerbench.jsonl", IMO_ROWS)
    for name in ("beyond_aime", "amc23"):
        write_jsonl(directory / f"{name}.jsonl", LARGE_ROWS)
    write_gpqa_csv(directory / "gpqa_diamond.csv")
    monkeypatch.setenv("S1_DATA_DIR", str(directory))
    return directory


@pytest.fixture(scope="session")
def task_manager() -> TaskManager:
    return TaskManager(include_path=str(TASKS_DIR), include_defaults=False)


class Response(str):
    """A model's text with the token counts that s1 models attach."""

    usage: Mapping[str, int]


class TellingLM(LM):
    """Answers the n-th repeat of a question with `tell(doc, n)`; keeps the requests it got, in order."""

    def __init__(self, tell: Callable[[Mapping[str, object], int], str]) -> None:
        super().__init__()
        self.tell = tell
        self.requests: list[Instance] = []

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        repeats_seen: dict[int, int] = {}
        responses = []
        for request in requests:
            repeat = repeats_seen[id(request)] = repeats_seen.get(id(request), -1) + 1
            responses.append(self.tell(request.doc, repeat))
        self.requests += requests
        return responses

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        raise NotImplementedError("the s1 tasks only generate")

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError("the s1 tasks only generate")


@pytest.fixture
def telling_lm() -> type[TellingLM]:
    return TellingLM


@pytest.fixture
def response_with_usage() -> Callable[..., Response]:
    def build(text: str, **usage: int) -> Response:
        response = Response(text)
        response.usage = usage
        return response

    return build
