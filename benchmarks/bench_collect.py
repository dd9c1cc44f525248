"""How long do collect and compare take on 500 questions x 64 repeats, and how much memory?

    python benchmarks/bench_collect.py [--questions 500] [--repeats 64] [--characters 2000] [--report FILE]

Writes two made-up output folders of lm_eval (samples, traces with spans, results), then times in a fresh process what
`s1-report compare` does: read both, pair, test, interval.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

DATE = "2026-01-01T00-00-00.000001"


def write_run(folder: Path, questions: int, repeats: int, characters: int, seed: int) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    thinking = "<|im_start|>think\n" + "so x is 4, wait, no. " * (characters // 21) + "<|im_start|>answer\n"
    chances = np.random.default_rng(0).beta(0.4, 0.4, questions)
    with (
        (folder / f"samples_math500_{DATE}.jsonl").open("w") as samples,
        (folder / "traces.jsonl").open("w") as traces,
    ):
        for index in range(questions):
            right = generator.random(repeats) < chances[index]
            responses = [f"{thinking}Final Answer: {index if hit else -1}" for hit in right]
            document = {"id": f"q{index}", "problem": f"Question {index}?", "answer": str(index)}
            sha = hashlib.sha256(str(index).encode()).hexdigest()
            verdicts = [
                {
                    "outcome": "correct" if hit else "incorrect",
                    "answer": str(index if hit else -1),
                    "reason": "integers",
                }
                for hit in right
            ]
            row = {
                "doc_id": index, "doc": document, "target": str(index), "resps": [responses],
                "filtered_resps": [responses], "filter": "none", "metrics": ["exact_match"],
                "doc_hash": sha, "prompt_hash": sha, "exact_match": float(right[0]),
                "verdicts": verdicts,
            }  # fmt: skip
            samples.write(json.dumps(row) + "\n")
            for repeat in range(repeats):
                trace = {
                    "run": DATE, "task": "math500", "doc_id": index, "repeat": repeat, "thinking_tokens": 500,
                    "answer_tokens": 10, "waits_used": 0, "cut_off": 0, "spans": [{"text": thinking}],
                }  # fmt: skip
                traces.write(json.dumps(trace) + "\n")
    results = {
        "configs": {"math500": {"generation_kwargs": {"temperature": 0.6}}},
        "n-samples": {"math500": {"effective": questions}},
        "config": {"model": "s1_vllm", "model_args": {"pretrained": "made-up"}},
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(results))


def measure(folders: list[Path]) -> dict[str, float]:
    start = time.perf_counter()
    from s1_report.compare import compare
    from s1_report.runs import load_runs

    base, new = (load_runs(folder)[0] for folder in folders)
    collected = time.perf_counter()
    comparison = compare(base, new)
    done = time.perf_counter()
    assert comparison.repeats == len(base.questions[0].correct)
    return {
        "collect_seconds": collected - start,
        "compare_seconds": done - collected,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=64)
    parser.add_argument("--characters", type=int, default=2000, help="of thinking per answer")
    parser.add_argument("--report", type=Path, help="Markdown file to write")
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, name) for name in ("base", "new")]
        for seed, folder in enumerate(folders, start=1):
            write_run(folder, options.questions, options.repeats, options.characters, seed)
        size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file()) / 1e6
        command = [sys.executable, __file__, "--measure", *map(str, folders)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    results = {
        "questions": options.questions,
        "repeats": options.repeats,
        "megabytes_read": round(size, 1),
        **{name: round(value, 2) for name, value in json.loads(done.stdout).items()},
    }
    if options.report:
        text = (
            "# Reading and comparing two runs\n\n"
            f"Made by `python benchmarks/bench_collect.py` on {date.today().isoformat()}, one core. "  # noqa: DTZ011
            "Generated; do not edit.\n\n"
            f"Two runs of {options.questions} questions x {options.repeats} repeats, {options.characters} characters "
            f"of thinking an answer, {size:,.0f} MB of samples and traces: reading {results['collect_seconds']:.1f} s "
            f"(start-up included), comparing {results['compare_seconds']:.1f} s, at most "
            f"{results['peak_megabytes']:,.0f} MB of memory.\n"
        )
        options.report.write_text(text, encoding="utf-8")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
