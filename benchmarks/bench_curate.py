"""What does curation cost without the models, and does the selection choose as the paper's did?

Four questions, each in a process of its own, on one thread:

- decontaminate: 59,000 synthetic questions against 728 benchmark questions (those of a directory, or made up): seconds
  (of the clock, and of the CPU, which a busy machine stretches less), peak memory, and whether it rejects what a
  search through the texts rejects, on a sample;
- near-duplicates: the optional second rule on the same questions;
- curation: all stages over 59,000 rows that bring what the model stages would make (traces of real length, domains,
  graded attempts), from a file of rows to training rows, baselines and the drawn funnel;
- selection: `s1` and `s1_code` over pools shaped like the paper's, 20 seeds, beside the paper's own numbers
  (docs/decisions/0030 says what agrees by construction).

What limits it: reading and hashing about 0.7 GB of traces. The last line of the output is one JSON document.

    python -m benchmarks.bench_curate [--rows 59000] [--questions DIR] [--report NAME]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import write_report
from benchmarks.synthetic_pool import DOMAINS, TABLE_6, Writer, full_rows, selection_pool
from training.curate.benchmark_questions import BenchmarkQuestion, load_questions
from training.curate.decontaminate import WORDS_IN_A_ROW, decontaminate, words_of
from training.curate.diversity import is_included, select
from training.curate.stage import Row, question_id

BENCHMARK_QUESTIONS = 728  # MATH500, GPQA-Diamond and AIME24 have 500 + 198 + 30
SAMPLE = 300
SEEDS = 20


def questions_of(directory: str | None) -> tuple[list[BenchmarkQuestion], str]:
    """728 benchmark questions: MATH500 and AIME24 of a directory with made-up ones after them, or all made up."""
    asked = load_questions(("math500", "aime24"), directory) if directory else []
    writer = Writer(seed=1)
    missing = BENCHMARK_QUESTIONS - len(asked)
    made_up = [BenchmarkQuestion("made up", str(number), writer.question()) for number in range(missing)]
    return asked + made_up, f"{len(asked)} real, {missing} made up"


def synthetic_questions(count: int, asked: list[BenchmarkQuestion]) -> list[Row]:
    writer, rng = Writer(seed=2), random.Random(2)
    texts = [writer.contaminated(asked) if rng.random() < 0.02 else writer.question() for _ in range(count)]
    return [{"id": question_id(text), "question": text, "source": "synthetic"} for text in texts]


def found_by_searching(question: str, asked: list[list[str]]) -> bool:
    """Whether the texts share eight words in a row, by looking for every run of one in the other."""
    text = f" {' '.join(words_of(question))} "
    return any(
        f" {' '.join(words[start : start + WORDS_IN_A_ROW])} " in text
        for words in asked
        for start in range(len(words) - WORDS_IN_A_ROW + 1)
    )


def measure_decontamination(count: int, directory: str | None) -> dict[str, Any]:
    asked, which = questions_of(directory)
    rows = synthetic_questions(count, asked)
    before = peak_gb()
    started, cpu = time.perf_counter(), time.process_time()
    result = decontaminate(rows, asked)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = peak_gb()
    rejected = {one.id for one in result.rejected}
    rng = random.Random(3)
    sample = rng.sample(rows, SAMPLE) + [row for row in rows if row["id"] in rejected][:SAMPLE]
    texts = [words_of(one.text) for one in asked]
    differing = sum(found_by_searching(row["question"], texts) != (row["id"] in rejected) for row in sample)
    words = [len(words_of(row["question"])) for row in rows]
    return {
        "questions": len(rows),
        "benchmark_questions": len(asked),
        "benchmark_questions_are": which,
        "words_a_question": {"mean": round(statistics.mean(words), 1), "median": statistics.median(words)},
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_gb": round(peak, 2),
        "peak_gb_before": round(before, 2),
        "rejected": len(rejected),
        "compared_with_a_search": len(sample),
        "differing": differing,
    }


def measure_near_duplicates(count: int, directory: str | None) -> dict[str, Any]:
    from training.curate.duplicates import near_duplicates

    asked, _ = questions_of(directory)
    rows = synthetic_questions(count, asked)
    started, cpu = time.perf_counter(), time.process_time()
    result = near_duplicates(rows, asked, 0.8)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_gb": round(peak_gb(), 2),
        "rejected": len(result.rejected),
    }


def measure_curation(count: int, directory: str | None) -> dict[str, Any]:
    from training.curate.config import Collect, Config, Decontaminate, Select
    from training.curate.funnel import draw, summary
    from training.curate.pipeline import Pipeline
    from training.curate.tables import write_json_lines

    asked, _ = questions_of(directory)
    with tempfile.TemporaryDirectory(prefix="bench-curate-") as folder:
        place = Path(folder)
        made_up = [{"problem": one.text, "answer": "1"} for one in asked]
        write_json_lines(place / "math500.jsonl", made_up)
        write_json_lines(place / "rows.jsonl", full_rows(count, asked))
        size = (place / "rows.jsonl").stat().st_size
        settings = Config(
            out=place / "out",
            collect=Collect(rows=place / "rows.jsonl"),
            decontaminate=Decontaminate(benchmarks=("math500",), questions=str(place)),
            select=Select(baselines=("random", "longest", "diverse")),
        )
        words = tokenizer_of_made_up_words()
        started, cpu = time.perf_counter(), time.process_time()
        pipeline = Pipeline(settings, tokenizer=words)
        pipeline.run()
        draw(pipeline.manifest.stages, place / "funnel.png")
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        started = time.perf_counter()
        Pipeline(settings, tokenizer=words, tell=lambda line: None).run()
        again = time.perf_counter() - started
    stages = pipeline.manifest.stages
    return {
        "rows": count,
        "input_gb": round(size / 1e9, 2),
        "training_tokens": stages["render"].figures["tokens"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "seconds_to_resume_when_finished": round(again, 1),
        "stage_seconds": {name: record.seconds for name, record in stages.items()},
        "funnel": summary(stages),
        "peak_gb": round(peak_gb(), 2),
    }


def tokenizer_of_made_up_words() -> Any:
    """A small BPE tokenizer with the s1 delimiters, trained on the rows' words: about 3.7 characters a token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from training.nano.tokenizer import CHAT_TEMPLATE, SPECIAL

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4_000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator([Writer().long_text(400_000)], trainer)
    core.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    words = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=SPECIAL[2], pad_token=SPECIAL[0])
    words.chat_template = CHAT_TEMPLATE
    return words


def measure_selection(count: int, directory: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"paper": {"included": 393, "domains": 51, "million_tokens": 4.7}}
    for how in ("s1", "s1_code"):
        domains: list[Counter[str]] = []
        tokens, lengths, seconds = [], [], []
        for seed in range(SEEDS):
            pool = selection_pool(seed=seed)
            started = time.perf_counter()
            chosen = select(pool, how, seed=seed)
            seconds.append(time.perf_counter() - started)
            shuffled = list(pool)
            random.Random(seed).shuffle(shuffled)
            if [row["id"] for row in select(shuffled, how, seed=seed)] != [row["id"] for row in chosen]:
                raise AssertionError(f"{how}, seed {seed}: another order of the rows gives another choice")
            domains.append(Counter(row["domain"] for row in chosen))
            tokens.append(sum(row["length"] for row in chosen) / 1e6)
            lengths.append(statistics.mean(row["length"] for row in pool))
        included = [sum(map(is_included, selection_pool(seed=seed))) for seed in range(3)]
        mean = {domain: statistics.mean(count[domain] for count in domains) for domain in DOMAINS}
        remaining = sum(mean[domain] for domain in DOMAINS if domain not in TABLE_6)
        found[how] = {
            "included": statistics.mean(included),
            "domains": statistics.mean(len(count) for count in domains),
            "million_tokens": round(statistics.mean(tokens), 2),
            "mean_length_of_the_pool": round(statistics.mean(lengths)),
            "five_largest_domains": {name: round(mean[name], 1) for name in list(TABLE_6)[:5]},
            "remaining_28_domains": round(remaining, 1),
            "mean_difference_a_named_domain": round(
                statistics.mean(abs(mean[domain] - count) for domain, count in TABLE_6.items()), 2
            ),
            "same_in_any_order_of_rows": True,
            "seconds": round(statistics.median(seconds), 2),
        }
    found["paper"] |= {
        "five_largest_domains": dict(list(TABLE_6.items())[:5]),
        "remaining_28_domains": 1000 - sum(TABLE_6.values()),
    }
    return found


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


PARTS: dict[str, Callable[[int, str | None], dict[str, Any]]] = {
    "decontaminate": measure_decontamination,
    "near_duplicates": measure_near_duplicates,
    "curation": measure_curation,
    "selection": measure_selection,
}


def in_a_process(name: str, count: int, directory: str | None) -> dict[str, Any]:
    """A part in a fresh process, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(PARTS[name], (count, directory))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=59_000, help="questions to curate (default: 59000)")
    parser.add_argument("--questions", help="directory with math500.jsonl and aime24.jsonl (default: made up)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="some of them only")
    parser.add_argument("--report", help="write benchmarks/reports/NAME.md as well")
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    results = {}
    for name in options.parts:
        results[name] = in_a_process(name, options.rows, options.questions)
        print(f"{name}: {json.dumps(results[name])}", flush=True)
    if options.report:
        report(options.report, results)
    print(json.dumps(results))


def report(name: str, results: dict[str, Any]) -> None:
    lines = ["One thread.", ""]
    for part, found in results.items():
        lines += [f"## {part}", "", "| what | value |", "| --- | --- |"]
        lines += [f"| {key} | {_cell(value)} |" for key, value in found.items()]
        lines.append("")
    write_report(name, "Curation without its LLM stages", lines[:-1])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(one)}" for key, one in value.items())
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
