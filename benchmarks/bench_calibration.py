"""Does the whole chain tell the truth about sampled runs: seeds, lm_eval, collection, intervals, gate?

The embedded model answers its held-out problems at temperature 1 on s1_hf, from one start of the engine: one run of
lm_eval per seed, with several samples a question. Its files are collected as any user's would be. What follows must be
as it is for independent draws:

- the accuracy of single runs varies over seeds as much as independent questions would (variance ratio 1);
- the gate, given the same model twice, says REGRESSION in at most 2.5 % of the cases;
- 95 % intervals cover: "these questions" the accuracy that further seeds give, "such questions" that of all questions.

    python -m benchmarks.bench_calibration [--questions 60] [--seeds 40] [--repeats 8] [--pairs 400] [--report NAME]
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.report import write_report
from s1_report.collect import collect
from s1_report.compare import compare
from s1_report.gate import Verdict, gate
from s1_report.record import RunRecord
from s1_report.stats import accuracy_interval, accuracy_interval_these

NANO = Path(__file__).parents[1] / "training/nano/checkpoints/tuned"
TASK = "s1_nano_wait0"
MARGIN = 0.05
SUBSET = 30  # questions of a smaller run, for the coverage over questions
SUBSETS = 400

Grid = list[list[list[float]]]  # [seed][question][repeat], 0 or 1


def generate(questions: int, seeds: int, repeats: int, folder: Path) -> None:
    """One run of lm_eval per seed into a folder of its own."""
    from lm_eval.tasks import TaskManager

    from s1_models.engines.hf.lm import S1HF
    from s1_models.harness.evaluation import LoadedTasks, evaluate
    from s1_tasks import TASKS_DIR

    model_args = {"pretrained": str(NANO), "dtype": "float32", "max_length": 1024}
    lm = S1HF(**model_args, device="cpu", batch_size=256)
    manager = TaskManager(include_path=str(TASKS_DIR), include_defaults=False)
    tasks = LoadedTasks(manager, [TASK])
    for seed in range(seeds):
        evaluate(
            lm,
            tasks,
            model="s1_hf",
            model_args=model_args,
            output=folder / f"seed{seed}",
            limit=questions,
            gen_kwargs={"temperature": 1.0, "seed": seed, "n": repeats},
            bootstrap_iters=0,
        )


def single_runs(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Per seed, every repeat as the run of one repeat that it could have been."""
    return [
        [
            replace(
                record,
                questions=tuple(
                    replace(one, correct=one.correct[n : n + 1], outcomes=(), answers=one.answers[n : n + 1])
                    for one in record.questions
                ),
            )
            for n in range(len(record.questions[0].correct))
        ]
        for record in records
    ]


def variance_ratio(grid: Grid) -> float:
    """Variance of the accuracy of single runs, over that of runs of independent questions."""
    questions, repeats = len(grid[0]), len(grid[0][0])
    runs = [statistics.mean(one[n] for one in of_seed) for of_seed in grid for n in range(repeats)]
    draws = [[value for of_seed in grid for value in of_seed[q]] for q in range(questions)]
    expected = sum(statistics.variance(one) for one in draws) / questions**2
    return statistics.variance(runs) / expected


def false_regressions(runs: Sequence[Sequence[RunRecord]], pairs: int, draw: random.Random) -> float:
    """How often the gate calls the same model with another seed a REGRESSION."""
    found = 0
    for _ in range(pairs):
        old, new = draw.sample(range(len(runs)), 2)
        (check,) = gate([compare(draw.choice(runs[old]), draw.choice(runs[new]))], {}, MARGIN)
        found += check.verdict is Verdict.REGRESSION
    return found / pairs


def coverage_of_these(grid: Grid) -> float:
    """How often a seed's interval for these questions holds the accuracy of the other seeds."""
    covered = []
    for seed, of_seed in enumerate(grid):
        others = [value for n, other in enumerate(grid) if n != seed for one in other for value in one]
        interval = accuracy_interval_these(of_seed)
        assert interval is not None, "several repeats have a spread"
        covered.append(interval.low <= statistics.mean(others) <= interval.high)
    return statistics.mean(covered)


def coverage_of_such(grid: Grid, draw: random.Random) -> float:
    """How often the interval of one run of some questions holds the accuracy of all questions."""
    truth = statistics.mean(value for of_seed in grid for one in of_seed for value in one)
    covered = []
    for _ in range(SUBSETS):
        of_seed, repeat = draw.choice(grid), draw.randrange(len(grid[0][0]))
        # With replacement: the questions at hand stand for all there could be.
        chosen = draw.choices(range(len(of_seed)), k=SUBSET)
        interval = accuracy_interval([[of_seed[q][repeat]] for q in chosen])
        covered.append(interval.low <= truth <= interval.high)
    return statistics.mean(covered)


def measure(folder: Path, pairs: int) -> dict[str, Any]:
    """All figures of the runs in a folder."""
    collected = collect(folder)
    records = collected.records
    order = [one.key for one in records[0].questions]
    grid: Grid = []
    for record in records:
        known = {one.key: list(one.correct) for one in record.questions}
        grid.append([known[key] for key in order])
    draw = random.Random(1)
    return {
        "questions": len(order),
        "seeds": len(records),
        "repeats": len(grid[0][0]),
        "accuracy": round(statistics.mean(value for of_seed in grid for one in of_seed for value in one), 4),
        "variance_ratio": round(variance_ratio(grid), 3),
        "false_regression_single": round(false_regressions(single_runs(records), pairs, draw), 4),
        "false_regression_repeats": round(false_regressions([[one] for one in records], pairs, draw), 4),
        "coverage_these": round(coverage_of_these(grid), 3),
        "coverage_such": round(coverage_of_such(grid, draw), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--runs", metavar="DIR", type=Path, help="keep the runs here; those that are there are used")
    parser.add_argument("--report", metavar="NAME", help="also write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.runs or Path(temporary)
        if not any(folder.glob("seed*")):
            generate(options.questions, options.seeds, options.repeats, folder)
        result = measure(folder, options.pairs)
    if options.report:
        _report(options.report, result)
    print(json.dumps(result))


def _report(name: str, result: dict[str, Any]) -> None:
    lines = [
        f"{result['seeds']} runs of lm_eval (seeds 0 to {result['seeds'] - 1}) of {result['questions']} held-out "
        f"problems with {result['repeats']} samples each, temperature 1, `{TASK}` on `s1_hf`; accuracy "
        f"{result['accuracy']:.1%}.",
        "",
        "| figure | goal | measured |",
        "| --- | --- | --- |",
        f"| variance of single runs over seeds / of independent questions | about 1 | **{result['variance_ratio']}** |",
        f"| same model called a REGRESSION, one repeat | at most 2.5 % | **{result['false_regression_single']:.2%}** |",
        f"| the same, {result['repeats']} repeats | at most 2.5 % | **{result['false_regression_repeats']:.2%}** |",
        f"| 95 % interval, these questions, over seeds | 93 to 97 % | **{result['coverage_these']:.1%}** |",
        f"| 95 % interval, such questions, one repeat | 93 to 97 % | **{result['coverage_such']:.1%}** |",
    ]
    write_report(name, "Are sampled runs what their intervals and the gate say", lines)


if __name__ == "__main__":
    main()
