"""The real benchmark rows, where they lie beside the repository."""

from pathlib import Path

import pytest

from s1_tasks.answers import judge_many
from s1_tasks.data import load

SHARED = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the benchmark rows in ../shared/data")


@pytest.mark.parametrize(
    ("file", "kind", "count"),
    [
        ("aime24", "integer", 30),
        ("aime24_nofigures", "integer", 30),
        ("aime25", "integer", 30),
        ("math500", "math", 500),
    ],
)
def test_every_real_row_loads_and_its_gold_answer_is_right(file: str, kind: str, count: int) -> None:
    rows = load(s1_dataset={"file": file, "hub": "unused", "answer_kind": kind}, s1_data_dir=str(SHARED))["test"]
    assert len(rows) == count
    assert len(set(rows["problem"])) == count
    golds = rows["answer"]
    boxed = judge_many([(f"<|im_start|>answer\nSo it is $\\boxed{{{gold}}}$.", gold) for gold in golds], kind=kind)
    final = judge_many([(f"<|im_start|>answer\nFinal Answer: {gold}", gold) for gold in golds], kind=kind)
    wrong = [
        (gold, verdict.outcome, verdict.answer)
        for verdicts in (boxed, final)
        for gold, verdict in zip(golds, verdicts, strict=True)
        if not verdict.correct
    ]
    assert wrong == []
