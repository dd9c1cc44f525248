"""How often is the gate wrong? Error rates by simulation, written to benchmarks/reports/gate_DATE.md.

    python benchmarks/bench_gate.py [--runs 4000] [--report benchmarks/reports/gate_20261123.md]

Questions have difficulties p ~ Beta(0.4, 0.4), like AIME for a model that solves half of it; two runs of n questions
with K repeats each are drawn, the second from p times a factor. The verdicts come from the gate's own code. Beside it
stands the rule of NVIDIA NeMo Evaluator's `nel gate` (NVIDIA-NeMo/Evaluator, commit ac66aff, engine/gate.py),
re-implemented from its description: BREACH when the t interval of the change lies below -max_drop.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from s1_report import paired, stats
from s1_report.gate import Verdict, decide

MARGIN = 0.05
LEVEL = 0.95
QUESTIONS = (30, 198, 500)
REPEATS = (1, 4, 16, 64)
SCENARIOS = {"same model": 1.0, "drop 5": 0.9, "drop 10": 0.8, "drop 20": 0.6}
"""Name -> factor on every p; with a mean of 0.5 the drop is half of what the factor takes."""


def differences(generator: np.random.Generator, runs: int, questions: int, repeats: int, factor: float) -> np.ndarray:
    """[runs, questions] new minus base."""
    chances = generator.beta(0.4, 0.4, (runs, questions))
    return (generator.binomial(repeats, chances * factor) - generator.binomial(repeats, chances)) / repeats


def our_verdicts(changes: np.ndarray, repeats: int, margin: float = MARGIN) -> list[Verdict]:
    lows = changes.mean(axis=1) - paired.margin_of_error(changes, repeats, LEVEL)
    return [decide(low, p, margin, LEVEL) for low, p in zip(lows, paired.sign_flip(changes, repeats), strict=True)]


def peer_breach_and_pass(changes: np.ndarray) -> tuple[float, float]:
    """Shares of BREACH and PASS of the peer's interval rule."""
    count = changes.shape[1]
    error = changes.std(axis=1, ddof=1) / np.sqrt(count)
    half = stdtrit(count - 1, 0.5 + LEVEL / 2) * error
    mean = changes.mean(axis=1)
    return float((mean + half < -MARGIN).mean()), float((mean - half > -MARGIN).mean())


def gate_rows(runs: int, seed: int) -> Iterator[dict[str, float | int | str]]:
    for questions in QUESTIONS:
        for repeats in REPEATS:
            for name, factor in SCENARIOS.items():
                generator = np.random.default_rng([seed, questions, repeats, int(100 * factor)])
                changes = differences(generator, runs, questions, repeats, factor)
                verdicts = our_verdicts(changes, repeats)
                breach, passed = peer_breach_and_pass(changes)
                yield {
                    "questions": questions,
                    "repeats": repeats,
                    "scenario": name,
                    "regression": sum(v is Verdict.REGRESSION for v in verdicts) / runs,
                    "pass": sum(v is Verdict.PASS for v in verdicts) / runs,
                    "peer_breach": breach,
                    "peer_pass": passed,
                }


def aime_policy_rows(runs: int, seed: int) -> Iterator[tuple[float, int, float, float]]:
    """(mean accuracy, repeats, the peer's false alarms, ours): the peer's documented policy for AIME, same model twice.

    max_drop 0.01, max_relative_drop 0.02 on the point estimate below a baseline of 0.20; p ~ Beta(m, 1 - m), n = 30.
    Ours at the same margin of 1 point.
    """
    for mean in (0.10, 0.15):
        for repeats in REPEATS:
            generator = np.random.default_rng([seed, int(100 * mean), repeats])
            chances = generator.beta(mean, 1 - mean, (runs, 30))
            base, new = (generator.binomial(repeats, chances) / repeats for _ in range(2))
            changes = new - base
            accuracy = base.mean(axis=1)
            relative = np.divide(-changes.mean(axis=1), accuracy, out=np.zeros(runs), where=accuracy > 0)
            guard = (accuracy < 0.20) & (relative > 0.02)
            half = stdtrit(29, 0.975) * changes.std(axis=1, ddof=1) / np.sqrt(30)
            peer = guard | (changes.mean(axis=1) + half < -0.01)
            ours = our_verdicts(changes, repeats, margin=0.01)
            yield mean, repeats, float(peer.mean()), sum(v is Verdict.REGRESSION for v in ours) / runs


def several_tasks(runs: int, seed: int) -> float:
    """Share of false alarms over three tasks together (30, 198 and 500 questions, 4 repeats), the same model twice."""
    generator = np.random.default_rng([seed, 3])
    p_values, lows = [], []
    for questions in QUESTIONS:
        changes = differences(generator, runs, questions, 4, 1.0)
        p_values.append(paired.sign_flip(changes, 4))
        lows.append(changes.mean(axis=1) - paired.margin_of_error(changes, 4, LEVEL))
    alarms = 0
    for run in range(runs):
        adjusted = paired.holm([float(p[run]) for p in p_values])
        verdicts = [decide(float(low[run]), p, MARGIN, LEVEL) for low, p in zip(lows, adjusted, strict=True)]
        alarms += Verdict.REGRESSION in verdicts
    return alarms / runs


def lost_for_good(runs: int, seed: int) -> Iterator[tuple[int, float, float]]:
    """(questions, margin, share of PASS): a greedy model that loses exactly the margin and gains nothing anywhere."""
    for questions in QUESTIONS:
        for margin in (0.02, 0.05, 0.10):
            generator = np.random.default_rng([seed, questions, int(1000 * margin)])
            changes = -generator.binomial(1, margin, (runs, questions)).astype(float)
            verdicts = our_verdicts(changes, 1, margin)
            yield questions, margin, sum(v is Verdict.PASS for v in verdicts) / runs


def floor_rows(runs: int, seed: int) -> Iterator[tuple[float, float, float]]:
    """(floor, most wrong PASS of a model that only loses, highest coverage of the change at n = 30): why 1.5."""
    chosen = paired.FLOOR
    try:
        for floor in (0.0, 0.5, 1.0, 1.5, 2.0):
            paired.FLOOR = floor
            wrong = max(share for _, _, share in lost_for_good(runs, seed))
            shares = []
            for repeats in REPEATS:
                changes = differences(np.random.default_rng([seed, repeats, 30]), runs, 30, repeats, 1.0)
                half = paired.margin_of_error(changes, repeats, LEVEL)
                shares.append(float((np.abs(changes.mean(axis=1)) <= half).mean()))
            yield floor, wrong, max(shares)
    finally:
        paired.FLOOR = chosen


def coverage_rows(runs: int, seed: int, questions: int = 30) -> Iterator[tuple[float, int, float, float | None, float]]:
    """(accuracy, repeats, such questions, these questions, change): how often the 95 % intervals hold the truth."""
    for mean in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 0.95):
        for repeats in REPEATS:
            generator = np.random.default_rng([seed, int(100 * mean), repeats, questions])
            chances = generator.beta(0.8 * mean, 0.8 * (1 - mean), (runs, questions))
            correct = generator.random((runs, questions, repeats)) < chances[:, :, None]
            truths = chances.mean(axis=1)
            such = _share(stats.accuracy_interval, correct, np.full(runs, mean))
            these = _share(stats.accuracy_interval_these, correct, truths) if repeats > 1 else None
            new = generator.binomial(repeats, 0.9 * chances) / repeats
            changes = new - correct.mean(axis=2)
            half = paired.margin_of_error(changes, repeats, LEVEL)
            change = float((np.abs(changes.mean(axis=1) + 0.1 * mean) <= half).mean())
            yield mean, repeats, such, these, change


def _share(interval: Callable[..., stats.Interval | None], correct: np.ndarray, truths: np.ndarray) -> float:
    hits = 0
    for answers, truth in zip(correct.astype(float).tolist(), truths, strict=True):
        bounds = interval(answers)
        hits += bounds is not None and bounds.low <= truth <= bounds.high
    return hits / len(truths)


def report(results: dict) -> str:
    rows = results["gate"]
    cells: dict[tuple[int, int], dict[str, dict]] = {}
    for row in rows:
        cells.setdefault((row["questions"], row["repeats"]), {})[row["scenario"]] = row
    lines = [
        "# Error rates of the gate and coverage of the intervals, by simulation",
        "",
        f"Made by `python benchmarks/bench_gate.py --runs {results['runs']}` on {results['date']} "
        f"in {results['seconds']:.0f} s on one core; {results['runs']:,} runs a cell, so a share of 0.05 has a "
        f"standard error of {np.sqrt(0.05 * 0.95 / results['runs']):.4f}. Generated; do not edit.",
        "",
        "## Verdicts",
        "",
        f"Difficulties p ~ Beta(0.4, 0.4), margin {100 * MARGIN:g} points, level {LEVEL}. Ours: the verdicts of "
        "`s1_report.gate`. Peer: the interval rule of NeMo Evaluator's `nel gate` with max_drop 0.05, re-implemented, "
        "on the same simulated runs. *false PASS*: the model lost exactly the margin.",
        "",
        "| n | K | false alarm, ours | peer | PASS of the same model, ours | peer | false PASS, ours | peer "
        "| power at -10, ours | peer | power at -20, ours | peer |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (questions, repeats), cell in cells.items():
        same, five, ten, twenty = (cell[name] for name in SCENARIOS)
        lines.append(
            f"| {questions} | {repeats} | {same['regression']:.3f} | {same['peer_breach']:.3f} | {same['pass']:.2f} | "
            f"{same['peer_pass']:.2f} | {five['pass']:.3f} | {five['peer_pass']:.3f} | {ten['regression']:.3f} | "
            f"{ten['peer_breach']:.3f} | {twenty['regression']:.3f} | {twenty['peer_breach']:.3f} |"
        )
    worst = max(row["regression"] for row in rows if row["scenario"] == "same model")
    behind = [
        row for row in rows if row["scenario"] in ("drop 10", "drop 20") and row["regression"] < row["peer_breach"]
    ]
    lines += [
        "",
        f"Most false alarms in any cell: {worst:.3f}. Cells with less power than the peer's rule: {len(behind)}. "
        f"Three tasks at once (n = 30, 198, 500, K = 4, Holm): {results['several_tasks']:.3f} false alarms.",
        "",
        "## The peer's documented AIME policy, the same model twice",
        "",
        "max_drop 0.01, max_relative_drop 0.02 on the point estimate when the baseline is below 0.20; n = 30, "
        "p ~ Beta(m, 1 - m). Ours at a margin of 1 point.",
        "",
        "| m | K | false alarm, peer's policy | ours |",
        "|---|---|---|---|",
        *(
            f"| {mean:.2f} | {repeats} | {peer:.3f} | {ours:.3f} |"
            for mean, repeats, peer, ours in results["aime_policy"]
        ),
        "",
        "## A greedy model that only loses",
        "",
        "K = 1; every question is lost for good with a probability equal to the margin and none is gained: the hardest "
        "case for an interval made from the observed spread. Share of (wrong) PASS.",
        "",
        "| n | margin | PASS |",
        "|---|---|---|",
        *(f"| {n} | {100 * margin:g} | {share:.3f} |" for n, margin, share in results["lost_for_good"]),
        "",
        f"The floor (`paired.FLOOR`, now {paired.FLOOR:g}): the most wrong PASSes over these rows, and the highest "
        "coverage of the change at n = 30 for the same model twice.",
        "",
        "| floor | wrong PASS, most | coverage, highest |",
        "|---|---|---|",
        *(f"| {floor:g} | {wrong:.3f} | {share:.3f} |" for floor, wrong, share in results["floors"]),
        "",
        "## Coverage of the 95 % intervals at n = 30",
        "",
        "p ~ Beta(0.8 m, 0.8 (1 - m)), mean accuracy m. Such questions: `stats.accuracy_interval` against m. These "
        "questions: `stats.accuracy_interval_these` against the mean of the drawn p. Change: the gate's interval "
        "against the true change when every p falls by a tenth.",
        "",
        "| m | K | such questions | these questions | change |",
        "|---|---|---|---|---|",
        *(
            f"| {mean:.2f} | {repeats} | {such:.3f} | {'-' if these is None else f'{these:.3f}'} | {change:.3f} |"
            for mean, repeats, such, these, change in results["coverage"]
        ),
    ]
    accuracies = [share for row in results["coverage"] for share in row[2:4] if share is not None]
    changes = [row[4] for row in results["coverage"]]
    lines += [
        "",
        f"Accuracy: lowest {min(accuracies):.3f}, highest {max(accuracies):.3f}. Change: lowest {min(changes):.3f}, "
        f"highest {max(changes):.3f}; near 0 and 1 the floor that keeps two identical runs from passing for certainty "
        "makes it wide.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4000, help="simulated pairs of runs per cell")
    parser.add_argument("--seed", type=int, default=20250131)
    parser.add_argument("--report", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    start = time.perf_counter()
    results = {
        "runs": options.runs,
        "date": date.today().isoformat(),  # noqa: DTZ011 - the day where the benchmark ran
        "gate": list(gate_rows(options.runs, options.seed)),
        "aime_policy": list(aime_policy_rows(options.runs, options.seed)),
        "several_tasks": several_tasks(options.runs, options.seed),
        "lost_for_good": list(lost_for_good(options.runs, options.seed)),
        "floors": list(floor_rows(options.runs, options.seed)),
        "coverage": list(coverage_rows(options.runs, options.seed)),
    }
    results["seconds"] = time.perf_counter() - start
    text = report(results)
    print(text)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(text, encoding="utf-8")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
