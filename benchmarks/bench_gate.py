"""How often is the gate wrong, and what does it find? Error rates, power, plans and intervals, by simulation.

    nice python -m benchmarks.bench_gate [--quick] [--only SECTION]     writes benchmarks/reports/gate_202611.md

Two runs of n questions with K repeats are drawn, the second from a model that lost the margin, in every shape that is
listed in SHAPES; the verdicts come from the gate's own code. Other rules stand beside it on the same draws, among them
the one before (a t interval whose floor shrinks with the repeats) and the rule of NVIDIA NeMo Evaluator's `nel gate`
(NVIDIA-NeMo/Evaluator, commit ac66aff, engine/gate.py), re-implemented from its description: PASS when the t interval
of the change lies above -max_drop. Cells run in parallel, one process per core.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit
from scipy.stats import beta

from benchmarks.report import write_report
from s1_report import paired, plan, stats
from s1_report.gate import Verdict, decide

LEVEL = 0.95
QUESTIONS = (15, 30, 90, 198, 500)
REPEATS = (1, 4, 16, 64)
MARGINS = (0.02, 0.03, 0.05)
DIFFICULTIES: dict[str, tuple[float, float] | float] = {
    "all right": 1.0,
    "half 0, half 1": 0.5,
    "Beta(.4, .4)": (0.4, 0.4),
    "Beta(.1, .1)": (0.1, 0.1),
    "Beta(1.9, .1)": (1.9, 0.1),
    "Beta(5, 5)": (5.0, 5.0),
}
"""Name -> the Beta distribution of a question's chance, or the share of questions with chance 1 (the others: 0)."""
SHAPES = {
    "even": "every question loses the same chance, as far as it has one",
    "proportional": "every question loses the same share of its chance",
    "for good": "some questions lose all of their chance, the others none",
    "for good, easy": "the same, and only questions with a chance of at least 0.8 are lost",
    "half and half": "half of the loss for good, half proportional",
    "churn": "three margins are lost for good, and two are gained elsewhere",
}
AGAIN = 20
"""The two worst cells of each n, K and margin are run again, so many times as long: the worst of many is often luck."""


class Cell(NamedTuple):
    """One simulation: n questions, K repeats, the margin that is lost, difficulties, shape, common random numbers."""

    questions: int
    repeats: int
    margin: float
    difficulty: str
    shape: str
    common: bool = False


@lru_cache
def _population(difficulty: str) -> np.ndarray:
    """The chances of a large population: how much each question must lose for the mean to lose the margin."""
    kind, points = DIFFICULTIES[difficulty], (np.arange(20_000) + 0.5) / 20_000
    return beta.ppf(points, *kind) if isinstance(kind, tuple) else (points < kind).astype(float)


def _chances(generator: np.random.Generator, difficulty: str, shape: tuple[int, int]) -> np.ndarray:
    kind = DIFFICULTIES[difficulty]
    if isinstance(kind, tuple):
        return generator.beta(*kind, shape)
    return (generator.random(shape) < kind).astype(float)


def _after(generator: np.random.Generator, chances: np.ndarray, cell: Cell) -> np.ndarray | None:
    """The chances of the model that lost the margin; None where this shape cannot lose so much."""
    population, margin = _population(cell.difficulty), cell.margin
    mean = population.mean()
    draws = generator.random(chances.shape)
    if cell.shape == "even":
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if np.minimum(population, middle).mean() < margin else (low, middle)
        return chances - np.minimum(chances, high)
    if cell.shape == "proportional":
        return chances * (1 - margin / mean)
    if cell.shape == "for good":
        return np.where(draws < margin / mean, 0.0, chances)
    if cell.shape == "for good, easy":
        easy = population[population >= 0.8].sum() / len(population)
        return None if easy <= margin else np.where((draws < margin / easy) & (chances >= 0.8), 0.0, chances)
    if cell.shape == "half and half":
        share = margin / 2 / mean
        return np.where(draws < share, 0.0, chances * (1 - margin / 2 / mean / (1 - share)))
    share = 3 * margin / mean
    gain = 2 * margin / ((1 - share) * (1 - mean)) if mean < 1 and share < 1 else 2.0
    return None if gain > 1 else np.where(draws < share, 0.0, chances + gain * (1 - chances))


def differences(generator: np.random.Generator, runs: int, cell: Cell) -> np.ndarray | None:
    """[runs, questions] new minus base; with common random numbers an answer changes only when its chance does."""
    before = _chances(generator, cell.difficulty, (runs, cell.questions))
    after = before if cell.shape == "same" else _after(generator, before, cell)
    if after is None:
        return None
    if not cell.common:
        return (generator.binomial(cell.repeats, after) - generator.binomial(cell.repeats, before)) / cell.repeats
    low, high = np.minimum(before, after), np.maximum(before, after)
    both = generator.binomial(cell.repeats, low)
    between = np.clip((high - low) / np.maximum(1 - low, 1e-12), 0, 1)
    return np.sign(after - before) * generator.binomial(cell.repeats - both, between) / cell.repeats


# Rules for PASS: [runs, questions], repeats, margin -> [runs] of bool.


def ours(changes: np.ndarray, _: int, margin: float) -> np.ndarray:
    """The gate: a loss of the margin is ruled out by Gaffke's bound."""
    return paired.chance_of_loss(changes, margin) <= 1 - LEVEL


def _t_rule(changes: np.ndarray, repeats: int, margin: float, floor: float, shrinks: bool, level: float) -> np.ndarray:
    count, mean = changes.shape[1], changes.mean(axis=1)
    squares = ((changes - mean[:, None]) ** 2).sum(axis=1) + (floor / repeats if shrinks else floor)
    return mean - stdtrit(count - 1, level) * np.sqrt(squares / (count - 1) / count) > -margin


def empirical_bernstein(changes: np.ndarray, _: int, margin: float) -> np.ndarray:
    """Maurer and Pontil 2009, theorem 4, for values from -1 to 1."""
    count, log = changes.shape[1], np.log(2 / (1 - LEVEL))
    width = np.sqrt(2 * changes.var(axis=1, ddof=1) * log / count) + 2 * 7 * log / (3 * (count - 1))
    return changes.mean(axis=1) - width > -margin


def betting(changes: np.ndarray, _: int, margin: float) -> np.ndarray:
    """Waudby-Smith and Ramdas 2024, predictable plug-in bets: the capital exceeds 1 / alpha at some question."""
    count, log = changes.shape[1], np.log(1 / (1 - LEVEL))
    values, null = (changes + 1) / 2, (1 - margin) / 2
    total, squares = np.full(len(values), 0.5), np.full(len(values), 0.25)
    capital, best = np.zeros(len(values)), np.zeros(len(values))
    for index in range(count):
        bet = np.minimum(np.sqrt(2 * log * (index + 1) / (squares * count)), 0.75 / null)
        capital += np.log1p(bet * (values[:, index] - null))
        best = np.maximum(best, capital)
        total += values[:, index]
        squares += (values[:, index] - total / (index + 2)) ** 2
    return best >= log


def bootstrap_t(changes: np.ndarray, _: int, margin: float, draws: int = 199) -> np.ndarray:
    """Efron 1979's studentised bootstrap; a resample without any spread counts as the worst."""
    generator, count = np.random.default_rng(0), changes.shape[1]
    mean, spread = changes.mean(axis=1), changes.std(axis=1, ddof=1)
    passed = np.zeros(len(changes), dtype=bool)
    for row in range(len(changes)):
        drawn = changes[row][generator.integers(0, count, (draws, count))]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.nan_to_num((drawn.mean(axis=1) - mean[row]) / drawn.std(axis=1, ddof=1), nan=0.0, posinf=1e9)
        passed[row] = mean[row] - np.quantile(t, LEVEL) * spread[row] > -margin
    return passed


OURS = "the gate (Gaffke's bound, 5 %)"
RULES: dict[str, Callable[[np.ndarray, int, float], np.ndarray]] = {
    OURS: ours,
    "before: t interval, 2.5 %, floor 1.5 / K": partial(_t_rule, floor=1.5, shrinks=True, level=0.975),
    "t interval, 5 %, floor 3.4": partial(_t_rule, floor=3.4, shrinks=False, level=0.95),
    "t interval, 2.5 %, floor 2.5": partial(_t_rule, floor=2.5, shrinks=False, level=0.975),
    "NeMo Evaluator: t interval, 2.5 %": partial(_t_rule, floor=0.0, shrinks=True, level=0.975),
    "bootstrap-t, 5 %": bootstrap_t,
    "empirical Bernstein, 5 %": empirical_bernstein,
    "betting, 5 %": betting,
}


def _generator(cell: Cell, salt: int) -> np.random.Generator:
    numbers = [list(DIFFICULTIES).index(cell.difficulty), [*SHAPES, "same"].index(cell.shape), int(cell.common)]
    return np.random.default_rng([salt, cell.questions, cell.repeats, int(1000 * cell.margin), *numbers])


def _shares(cell: Cell, runs: int, salt: int, names: Iterable[str]) -> dict[str, float] | None:
    """Share of PASS of each rule, in portions that fit into memory."""
    generator, portion = _generator(cell, salt), max(100, 1_000_000 // cell.questions)
    hits, names = dict.fromkeys(names, 0), list(names)
    for start in range(0, runs, portion):
        changes = differences(generator, min(portion, runs - start), cell)
        if changes is None:
            return None
        for name in names:
            hits[name] += int(RULES[name](changes, cell.repeats, cell.margin).sum())
    return {name: count / runs for name, count in hits.items()}


def wrong_pass(cell: Cell, runs: int, salt: int) -> tuple[Cell, float] | None:
    """The gate's share of wrong PASSes."""
    shares = _shares(cell, runs, salt, [OURS])
    return None if shares is None else (cell, shares[OURS])


def worst_cells(found: Iterable[tuple[Cell, float]]) -> list[Cell]:
    """The two cells with the largest shares of each n, K and margin."""
    groups: dict[tuple[int, int, float], list[tuple[float, Cell]]] = {}
    for cell, share in found:
        groups.setdefault(cell[:3], []).append((share, cell))
    return [cell for group in groups.values() for _, cell in sorted(group, reverse=True)[:2]]


def compare_rules(cell: Cell, runs: int) -> tuple[Cell, dict[str, float]] | None:
    """Every rule on the same draws."""
    shares = _shares(cell, runs, 3, RULES)
    return None if shares is None else (cell, shares)


def worst_of_rule(name: str, found: list[tuple[Cell, dict[str, float]]], runs: int) -> float:
    """The largest share of wrong PASSes of a rule: its three worst cells, run again."""
    worst = sorted(found, key=lambda item: -item[1][name])[:3]
    again = (_shares(cell, runs, 7, [name]) for cell, _ in worst)
    return max(shares[name] for shares in again if shares)


def verdicts(cell: Cell, runs: int, margin: float | None = None) -> tuple[Cell, float, float]:
    """(cell, REGRESSION, PASS), from the gate's own functions; the margin is the loss unless another one is given."""
    margin = cell.margin if margin is None else margin
    generator, portion = _generator(cell, 4), max(100, 1_000_000 // cell.questions // max(1, cell.repeats // 8))
    counts = dict.fromkeys(Verdict, 0)
    for start in range(0, runs, portion):
        changes = differences(generator, min(portion, runs - start), cell)
        if changes is None:
            raise ValueError(f"{cell} cannot lose so much")
        passed = ours(changes, cell.repeats, margin)
        counts[decide(0.0, 1.0, margin, LEVEL)] += int(passed.sum())
        # A loss that is not ruled out: the lowest change is the margin or below, so that only p decides.
        for p in paired.sign_flip(changes[~passed], cell.repeats) if not passed.all() else ():
            counts[decide(-1.0, float(p), margin, LEVEL)] += 1
    return cell, counts[Verdict.REGRESSION] / runs, counts[Verdict.PASS] / runs


def planned(cell: Cell, runs: int) -> tuple[Cell, float, dict[str, float]]:
    """(the cell with the planned repeats, promised power, found by shape)."""
    population = _population(cell.difficulty)
    mean = float(population.mean())
    subject = plan.Subject("", cell.questions, mean, float((population * (1 - population)).mean()), None)
    done = plan.plan(subject, cell.margin)
    assert done.repeats is not None
    assert done.power is not None
    chosen = cell._replace(repeats=done.repeats)
    return chosen, done.power, {shape: verdicts(chosen._replace(shape=shape), runs)[1] for shape in SHAPES_OF_PLAN}


SHAPES_OF_PLAN = ("proportional", "even", "for good")


def several_tasks(runs: int) -> float:
    """Share of false REGRESSIONs over three tasks together (30, 198, 500 questions x 4), the same model twice."""
    p_values = []
    for questions in (30, 198, 500):
        cell = Cell(questions, 4, 0.05, "Beta(.4, .4)", "same")
        changes = differences(_generator(cell, 5), runs, cell)
        assert changes is not None
        p_values.append(paired.sign_flip(changes, 4))
    return float(np.mean([min(paired.holm([float(p[run]) for p in p_values])) <= 0.025 for run in range(runs)]))


def coverage(
    mean: float, repeats: int, questions: int, runs: int
) -> tuple[float, int, int, float, float | None, float]:
    """(accuracy, repeats, questions, such questions, these questions, change): how often intervals hold the truth."""
    generator = np.random.default_rng([6, int(100 * mean), repeats, questions])
    chances = generator.beta(0.8 * mean, 0.8 * (1 - mean), (runs, questions))
    correct = (generator.random((runs, questions, repeats)) < chances[:, :, None]).astype(float)
    such = these = 0
    for answers, truth in zip(correct.tolist(), chances.mean(axis=1), strict=True):
        low, high = stats.accuracy_interval(answers)
        such += low <= mean <= high
        bounds = stats.accuracy_interval_these(answers)
        these += bounds is not None and bounds.low <= truth <= bounds.high
    changes = generator.binomial(repeats, 0.95 * chances) / repeats - correct.mean(axis=2)
    half = paired.margin_of_error(changes, repeats, LEVEL)
    change = float((np.abs(changes.mean(axis=1) + 0.05 * mean) <= half + 1e-12).mean())
    return mean, repeats, questions, such / runs, these / runs if repeats > 1 else None, change


# The report.


def _table(headers: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    lines = [list(map(str, headers)), *(list(map(str, row)) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def _wrong_lines(found: list[tuple[Cell, float]], cells: int) -> Iterator[str]:
    worst = max(found, key=lambda item: item[1])
    yield "## Wrong PASS: the model lost exactly the margin"
    yield ""
    yield f"{cells:,} cells: difficulties {', '.join(DIFFICULTIES)}; shapes of the loss:"
    yield ""
    yield from (f"- *{name}*: {text};" for name, text in SHAPES.items())
    yield ""
    yield (
        "the first three also with common random numbers (both runs draw the same noise). Below, in percent: the "
        f"larger share of the two worst cells, run again with other random numbers {AGAIN} times as long. The worst of "
        f"all is {100 * worst[1]:.1f} %: {worst[0]}."
    )
    yield ""
    rows = []
    for questions in QUESTIONS:
        for repeats in REPEATS:
            shares = [
                max(share for cell, share in found if cell[:3] == (questions, repeats, margin)) for margin in MARGINS
            ]
            rows.append([questions, repeats, *(f"{100 * share:.1f}" for share in shares)])
    yield from _table(["n", "K", *(f"margin {100 * margin:g}" for margin in MARGINS)], rows)


def _rule_lines(worst: dict[str, float], same: list[tuple[Cell, dict[str, float]]]) -> Iterator[str]:
    yield "## The rules that were compared"
    yield ""
    yield (
        "Wrong PASS: the largest share, in percent; the three worst cells of each rule are run again. PASS of the same "
        "model: Beta(.4, .4), margin 5. Of "
        "use is a rule whose first number stays at 5; the best of these has the most PASSes of the same model."
    )
    yield ""
    places = [cell for cell, _ in same]
    rows = []
    for name in RULES:
        rows.append([name, f"{100 * worst[name]:.1f}", *(f"{100 * shares[name]:.0f}" for _, shares in same)])
    yield from _table(["rule", "wrong PASS", *(f"{cell.questions} x {cell.repeats}" for cell in places)], rows)


def _power_lines(found: dict[tuple[int, int, str], tuple[float, float]], alarms: float) -> Iterator[str]:
    yield "## Verdicts on the same model, and on one that lost more than the margin"
    yield ""
    yield (
        "Beta(.4, .4), margin 5, losses proportional, in percent. Below 59 questions no rule may PASS the same model "
        "more often than 5 / 0.95^n percent of the time (a loss that spares all of them looks the same): 11 % at "
        "n = 15, 23 % at n = 30. REGRESSION of the same model: the largest over all difficulties."
    )
    yield ""
    rows = []
    for questions in QUESTIONS:
        for repeats in REPEATS:
            cells = [found[questions, repeats, name] for name in ("alarm", "same", "5", "10", "20")]
            numbers = [cells[0][0], cells[1][1], *(cell[0] for cell in cells[2:])]
            rows.append([questions, repeats, *(f"{100 * number:.1f}" for number in numbers)])
    yield from _table(
        ["n", "K", "REGRESSION, same model", "PASS, same model", "REGRESSION at -5", "at -10", "at -20"], rows
    )
    yield f"Three tasks at once (30, 198 and 500 questions, K = 4, Holm): {100 * alarms:.1f} % false REGRESSIONs."
    yield ""


def _plan_lines(found: list[tuple[Cell, float, dict[str, float]]]) -> Iterator[str]:
    yield "## What `s1-report plan` promises, and what it gives"
    yield ""
    yield (
        "Share of REGRESSION with the planned repeats, promised for proportional losses (0.8, or what whole repeats "
        "allow). Losses spread evenly are easier to find; losses for good vary by how many questions happen to be lost."
    )
    yield ""
    rows = [
        [cell.difficulty, cell.questions, f"{100 * cell.margin:g}", cell.repeats, f"{promised:.2f}"]
        + [f"{shares[shape]:.2f}" for shape in SHAPES_OF_PLAN]
        for cell, promised, shares in found
    ]
    yield from _table(["difficulties", "n", "margin", "repeats", "promised", *SHAPES_OF_PLAN], rows)


def _coverage_lines(found: list[tuple[float, int, int, float, float | None, float]]) -> Iterator[str]:
    yield "## Coverage of the 95 % intervals"
    yield ""
    yield (
        "p ~ Beta(0.8 m, 0.8 (1 - m)), mean accuracy m, in percent. Such questions: `stats.accuracy_interval` against "
        "m. These questions: `stats.accuracy_interval_these` against the mean of the drawn p. Change: "
        "`paired.margin_of_error` against the true change when every p falls by a twentieth."
    )
    yield ""
    rows = [
        [n, f"{mean:g}", k, f"{100 * such:.1f}", "-" if these is None else f"{100 * these:.1f}", f"{100 * change:.1f}"]
        for mean, k, n, such, these, change in found
    ]
    yield from _table(["n", "m", "K", "such questions", "these questions", "change"], rows)


def _lost_cells(questions: Iterable[int], repeats: Iterable[int], margins: Iterable[float]) -> list[Cell]:
    settings = [(n, k, margin) for n in questions for k in repeats for margin in margins]
    kinds = [(difficulty, shape, common) for difficulty in DIFFICULTIES for shape in SHAPES
             for common in ((False, True) if shape in list(SHAPES)[:3] else (False,))]  # fmt: skip
    # The largest cells first, so that no process is left alone with one at the end.
    return [Cell(*setting, *kind) for setting in sorted(settings, reverse=True) for kind in kinds]


def _power_cells() -> dict[tuple[int, int, str], list[Cell]]:
    cells: dict[tuple[int, int, str], list[Cell]] = {}
    for n in QUESTIONS:
        for k in REPEATS:
            cells[n, k, "alarm"] = [Cell(n, k, 0.05, difficulty, "same") for difficulty in DIFFICULTIES]
            cells[n, k, "same"] = [Cell(n, k, 0.05, "Beta(.4, .4)", "same")]
            for drop in (5, 10, 20):
                cells[n, k, str(drop)] = [Cell(n, k, drop / 100, "Beta(.4, .4)", "proportional")]
    return cells


PLANS = [
    Cell(n, 1, margin, difficulty, "proportional")
    for difficulty in ("Beta(.4, .4)", "Beta(1.9, .1)", "Beta(5, 5)")
    for n, margin in ((15, 0.10), (30, 0.05), (30, 0.10), (90, 0.03), (90, 0.05), (198, 0.02), (198, 0.03), (500, 0.02))
]


def _section_wrong(pool: ProcessPoolExecutor, runs: int) -> Iterator[str]:
    cells = _lost_cells(QUESTIONS, REPEATS, MARGINS)
    first = [found for found in pool.map(partial(wrong_pass, runs=runs, salt=1), cells, chunksize=4) if found]
    again = pool.map(partial(wrong_pass, runs=AGAIN * runs, salt=2), worst_cells(first))
    return _wrong_lines([found for found in again if found], len(first))


def _section_rules(pool: ProcessPoolExecutor, runs: int) -> Iterator[str]:
    cells = _lost_cells((30, 90, 198), (1, 16), (0.05,))
    same = [Cell(n, k, 0.05, "Beta(.4, .4)", "same") for n in (30, 90, 198, 500) for k in (1, 4, 16)]
    found = [item for item in pool.map(partial(compare_rules, runs=runs), [*cells, *same], chunksize=2) if item]
    lost = [item for item in found if item[0].shape != "same"]
    worst = pool.map(partial(worst_of_rule, found=lost, runs=AGAIN * runs // 2), RULES)
    return _rule_lines(dict(zip(RULES, worst, strict=True)), found[-len(same) :])


def _section_power(pool: ProcessPoolExecutor, runs: int) -> Iterator[str]:
    cells = _power_cells()
    flat = [cell for group in cells.values() for cell in group]
    decided = {cell: rates for cell, *rates in pool.map(partial(verdicts, runs=AGAIN * runs // 2, margin=0.05), flat)}
    found = {key: tuple(map(max, zip(*(decided[cell] for cell in group), strict=True))) for key, group in cells.items()}
    return _power_lines(found, several_tasks(AGAIN * runs))


def _section_plan(pool: ProcessPoolExecutor, runs: int) -> Iterator[str]:
    return _plan_lines(list(pool.map(partial(planned, runs=AGAIN * runs // 2), PLANS)))


def _section_coverage(pool: ProcessPoolExecutor, runs: int) -> Iterator[str]:
    settings = [(mean, k, n) for n in (30, 200) for mean in (0.1, 0.3, 0.5, 0.9) for k in REPEATS[:3]]
    return _coverage_lines(list(pool.map(partial(coverage, runs=5 * runs), *zip(*settings, strict=True))))


SECTIONS = {
    "wrong": _section_wrong,
    "rules": _section_rules,
    "power": _section_power,
    "plan": _section_plan,
    "coverage": _section_coverage,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs, and no report")
    parser.add_argument("--runs", type=int, default=200, help="simulated pairs of runs per cell")
    parser.add_argument("--only", choices=SECTIONS, help="one section, printed, and no report")
    options = parser.parse_args()
    runs = options.runs // 10 if options.quick else options.runs
    start = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        chosen = [options.only] if options.only else list(SECTIONS)
        lines = [line for name in chosen for line in SECTIONS[name](pool, runs)]
    head = (
        f"{runs:,} pairs of runs a cell, {AGAIN * runs:,} for the two worst cells of each n, K and margin; "
        f"{time.perf_counter() - start:.0f} s. Generated; do not edit."
    )
    print("\n".join([head, "", *lines]))
    if not (options.quick or options.only):
        write_report(
            "gate_202611", "Error rates and power of the gate, plans and intervals, by simulation", [head, "", *lines]
        )


if __name__ == "__main__":
    main()
