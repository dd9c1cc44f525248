"""`python -m training.nano`: makes the nano checkpoints from nothing, and lets you watch one think."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from s1_contract.usage import THINKING_TOKENS

EPILOG = """examples:
  python -m training.nano make                  base and tuned model of seed 0 into build/nano/seed-0, about 10 minutes
  python -m training.nano make --seed 1         another seed, same recipe
  python -m training.nano ask "016 59738" --waits 2
                                                one problem: start 016, digits 5 9 7 3 8; each digit d moves x to 5x + d

Interrupt with Ctrl-C at any time: what is finished (the base, the tuned model) is kept, and the same command goes on
from there. The model, the problems and the recipe are explained in training/README.md.
"""
COMMITTED = Path(__file__).parent / "checkpoints" / "tuned"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.nano",
        description="A model of half a million parameters, trained on a CPU, whose answers get better with thinking.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    make = commands.add_parser("make", help="train the base and the tuned model, measure both, write their cards")
    make.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")
    make.add_argument("--out", type=Path, help="folder for base/ and tuned/ (default: build/nano/seed-SEED)")
    make.add_argument("--threads", type=int, default=1, help="CPU threads; 1 is fastest beside other work (default: 1)")
    make.add_argument("--self-correction", action="store_true", help="also hurried/ and check/: it slips, then checks")
    make.add_argument("--controls", action="store_true", help="also no-waits/ and no-checks/: tuned without")
    make.add_argument("--again", action="store_true", help="train even what is finished")

    measure = commands.add_parser("measure", help="the reported numbers, through s1_vllm on vLLM, into a new record")
    measure.add_argument("--model", type=Path, default=COMMITTED, help="checkpoint folder (default: the committed one)")
    measure.add_argument("--name", default="curve", help="of the record (default: curve)")
    measure.add_argument("--problems", type=int, default=1000, help="held-out problems (default: 1000)")
    measure.add_argument("--controls", action="store_true", help="also other wait texts, votes and unseen steps")
    measure.add_argument("--out", type=Path, default=Path("results/raw/nano"), help="(default: results/raw/nano)")
    measure.add_argument("--dtype", default="float32", help="what vLLM computes in (default: float32)")

    ask = commands.add_parser("ask", help="one problem: print the whole transcript")
    ask.add_argument("problem", help="for example '016 59738'")
    ask.add_argument("--model", type=Path, default=COMMITTED, help="checkpoint folder (default: the committed one)")
    ask.add_argument("--waits", type=int, default=0, help="how often the end of thinking is put off (default: 0)")
    ask.add_argument("--wait-text", default="Wait", help="what is appended instead (default: Wait)")
    ask.add_argument("--max-thinking-tokens", type=int, default=400, help="then the answer is asked for (default: 400)")
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    # Before torch is imported: afterwards its thread pool is fixed.
    threads = getattr(arguments, "threads", 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    import torch

    torch.set_num_threads(threads)
    try:
        if arguments.command == "ask":
            return _ask(arguments)
        if arguments.command == "measure":
            return _measure(arguments)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from training.nano import make

    out = arguments.out or Path("build/nano") / f"seed-{arguments.seed}"
    try:
        make.make(
            out,
            arguments.seed,
            again=arguments.again,
            self_correction=arguments.self_correction,
            controls=arguments.controls,
        )
    except KeyboardInterrupt:
        print(f"\nStopped. What is finished is in {out}; the same command goes on from there.", file=sys.stderr)
        return 130
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    from training.nano import make

    made = make.measured_record_of(arguments.model)
    from training.nano import curve, measure

    usual = next(row[THINKING_TOKENS] for row in made["measured"] if row["waits"] == 0)
    settings = curve.curve_settings(arguments.problems, usual)
    if arguments.controls:
        settings += curve.control_settings(arguments.problems)
    summaries = measure.ask(measure.start(arguments.model, arguments.dtype), settings)
    about = {
        "checkpoint": {key: made[key] for key in ("stage", "made_by", "versions")},
        "dtype": arguments.dtype,
        "comparisons": curve.comparisons(summaries),
    }
    path = measure.write(arguments.out, arguments.name, about, summaries)
    for row in summaries:
        low, high = row["interval_95"]
        print(
            f"{row['setting']:<34} {100 * row['accuracy']:5.1f} % ({100 * low:.1f} to {100 * high:.1f}) of "
            f"{row['problems']}, {row['mean_thinking_tokens']:.1f} thinking tokens"
        )
    print(f"written to {path}")
    return 0


def _ask(arguments: argparse.Namespace) -> int:
    from s1_tasks.nano_problems import Problem
    from training.nano import attempts, make

    try:
        problem = Problem.parse(arguments.problem)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    model, tokenizer = make.load(arguments.model)
    [session] = attempts.ask(
        model, tokenizer, [problem.text], arguments.waits, arguments.wait_text, arguments.max_thinking_tokens
    )
    print(tokenizer.decode(session.tokens))
    right = attempts.value_of(tokenizer, session) == problem.answer
    verdict = "right" if right else f"wrong, the answer is {problem.answer:03d}"
    print(f"\n[{session.thinking_tokens} thinking tokens, {session.waits_used} waits: {verdict}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
