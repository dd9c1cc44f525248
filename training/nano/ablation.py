"""Does it matter which 1,000 traces the nano model is tuned on? s1's data ablation in small, through the real pipeline.

    python -m training.nano.ablation all                           everything below; what is finished is kept
    python -m training.nano.ablation data                          the pool of 5,000 traces, and the sets
    python -m training.nano.ablation train --set s1 --seed 0       one model
    python -m training.nano.ablation measure                       every model that is there, through s1_vllm

The pool is drawn as the nano model's own 1,000 traces are. The sets are chosen by `training.curate.diversity`: `s1`
(domains evenly, long traces first; a problem's number of digits is its domain), `random`, `longest`, and `full`, all
5,000. A model is the committed base, tuned by `python -m training.sft run --recipe nano` with one set and one seed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s1_contract.files import read_json_lines, write_whole
from s1_contract.options import MAX_THINKING_TOKENS, NUM_WAITS
from s1_contract.usage import CUT_OFF
from s1_report.stats import wilson
from s1_tasks.nano_problems import held_out, training_problems
from training.nano import traces
from training.nano.curve import paired
from training.nano.measure import Setting, start, write
from training.nano.measure import ask as ask_settings
from training.nano.tokenizer import build
from training.render import FINAL_ANSWER

POOL = 5000
EPOCHS = 3  # of every set, so that `full` trains five times as long, as the paper's 59K did
SETS = ("s1", "random", "longest", "full")
RUNS = (("s1", 0), ("random", 0), ("s1", 1), ("random", 1), ("longest", 0), ("full", 0), ("full", 1))
WAITS = (0, 1, 2, 4)
CUTS = (10, 20, 30)  # thinking tokens; the base's whole thinking takes about 33


def pool_rows(count: int = POOL, seed: int = 0) -> list[dict[str, Any]]:
    """Distinct problems with one trace each: question, thinking (pieces), answer, cut_off, domain, length, correct."""
    rng = random.Random(f"nano-ablation-{seed}")
    habits, words = traces.tuning_habits(rng), build()
    rows: dict[str, dict[str, Any]] = {}
    for problem in training_problems(rng):
        if len(rows) == count:
            return list(rows.values())
        if problem.text in rows:
            continue
        trace = traces.write(problem, habits, rng)
        answer = f"{trace.answer:03d}"
        rows[problem.text] = {
            "question": problem.text,
            "thinking": [asdict(piece) for piece in trace.thinking],
            "answer": answer if trace.cut_off else f"{FINAL_ANSWER} {answer}",
            CUT_OFF: trace.cut_off,
            "domain": f"{len(problem.digits)} digits",
            "length": len(words.encode("".join(piece.text for piece in trace.thinking), add_special_tokens=False)),
            "correct": trace.correct,
        }
    raise AssertionError("training problems never end")


def write_sets(out: Path) -> None:
    """`out/SET.jsonl` for every set, and what each is like."""
    from training.curate.diversity import select

    rows = pool_rows()
    out.mkdir(parents=True, exist_ok=True)
    for how in SETS:
        chosen = select(rows, how, 1000, seed=0)
        write_whole(out / f"{how}.jsonl", "".join(json.dumps(row) + "\n" for row in chosen))
        print(json.dumps({"set": how, **about(chosen)}))


def about(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Size, mean thinking tokens, share of right answers, rows per domain."""
    domains: dict[str, int] = {}
    for row in rows:
        domains[row["domain"]] = domains.get(row["domain"], 0) + 1
    return {
        "traces": len(rows),
        "mean_thinking_tokens": round(sum(row["length"] for row in rows) / len(rows), 1),
        "correct": round(sum(row["correct"] for row in rows) / len(rows), 3),
        "domains": dict(sorted(domains.items())),
    }


def settings(problems: int) -> list[Setting]:
    """What every model is asked: thinking cut short, then none to four waits; the same held-out problems."""
    rows = held_out(problems, seed=0)
    cuts = [Setting(f"at most {n} tokens", rows, {MAX_THINKING_TOKENS: n}) for n in CUTS]
    return cuts + [Setting(f"{n} x Wait", rows, {NUM_WAITS: n}) for n in WAITS]


def train(out: Path, how: str, seed: int) -> None:
    """Tune the base on one set; an interrupted run goes on."""
    folder = out / f"{how}-seed{seed}"
    command = [sys.executable, "-m", "training.sft", "run", "--recipe", "nano"]
    command += ["--data", str(out / f"{how}.jsonl"), "--set", f"epochs={EPOCHS}", "--set", f"seed={seed}"]
    command += ["--out", str(folder), "--resume", "--save-every", "50"]
    subprocess.run(command, check=True)


def measure(out: Path, results: Path, problems: int) -> None:
    """Accuracy at each number of waits of every finished model; appends one record to ``results``."""
    summaries: list[dict[str, Any]] = []
    for folder in sorted(path.parent for path in out.glob("*-seed*/sft.json")):
        # One process per model: an engine gives its memory back when its process ends.
        part = folder / "measured.json"
        if not part.exists():
            command = [sys.executable, "-m", "training.nano.ablation", "ask", "--out", str(folder)]
            subprocess.run([*command, "--problems", str(problems)], check=True)
        summaries += json.loads(part.read_text())
    names = {row["setting"]: row for row in summaries}
    compared = [
        paired(names[f"{how} seed {seed}, {waits} x Wait"], names[f"s1 seed {seed}, {waits} x Wait"])
        for seed in range(10)
        for how in SETS[1:]
        for waits in WAITS
        if f"{how} seed {seed}, {waits} x Wait" in names and f"s1 seed {seed}, {waits} x Wait" in names
    ]
    sets = {how: about([row for _, row in read_json_lines(out / f"{how}.jsonl")]) for how in SETS}
    facts = {
        "command": f"python -m training.nano.ablation measure --problems {problems}",
        "sets": sets,
        "epochs": EPOCHS,
        "comparisons": compared,
    }
    print(f"written to {write(results, 'data-ablation', facts, summaries)}")


def ask(folder: Path, problems: int) -> None:
    """The settings of one model, into ``folder/measured.json``."""
    how, _, seed = folder.name.partition("-seed")
    found = ask_settings(start(folder), settings(problems))
    for row in found:
        row["setting"] = f"{how} seed {seed}, {row['setting']}"
        low, high = wilson(row["right"], row["problems"])
        print(f"{row['setting']:<28} {100 * row['accuracy']:5.1f} % ({100 * low:.1f} to {100 * high:.1f})")
    (folder / "measured.json").write_text(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("all", "data", "train", "measure", "ask"))
    parser.add_argument("--out", type=Path, default=Path("build/ablation"), help="(default: build/ablation)")
    parser.add_argument("--set", choices=SETS, default="s1", help="what to train on (default: s1)")
    parser.add_argument("--seed", type=int, default=0, help="order of the traces (default: 0)")
    parser.add_argument("--problems", type=int, default=500, help="held-out problems asked (default: 500)")
    parser.add_argument("--results", type=Path, default=Path("results/raw/nano"), help="where the record goes")
    options = parser.parse_args()
    if options.command == "all":
        for how, seed in RUNS:
            if not (options.out / f"{how}.jsonl").exists():
                write_sets(options.out)
            if not (options.out / f"{how}-seed{seed}" / "sft.json").exists():
                train(options.out, how, seed)
        measure(options.out, options.results, options.problems)
    elif options.command == "data":
        write_sets(options.out)
    elif options.command == "train":
        train(options.out, options.set, options.seed)
    elif options.command == "measure":
        measure(options.out, options.results, options.problems)
    else:
        ask(options.out, options.problems)


if __name__ == "__main__":
    main()
