"""The model card of a nano checkpoint, written from its record so that no number is typed by hand."""

from __future__ import annotations

from typing import Any

from s1_contract.usage import THINKING_TOKENS
from s1_report.stats import wilson

_WHAT = {
    "base": "Pretrained on synthetic traces. It goes on thinking by itself until it is done.",
    "hurried": "The base, pretrained further: it can also take two digits in one leap, and often slips there.",
    "check": "Fine-tuned on traces that hurry their last two steps with the model's own slips; after a wait it checks.",
    "no-checks": "The control of check: the same problems and first attempts, and no check anywhere.",
    "no-waits": "The control of tuned: the same problems, early stops drawn anew, and no trace that goes on after one.",
    "tuned": "The base, fine-tuned on traces that often stop too early. It stops too early, and waiting helps it.",
}
_USE = """
```
lm_eval --model s1_vllm --model_args pretrained=training/nano/checkpoints/{0},dtype=float32,num_waits=4 \\
    --tasks s1_nano
python -m training.nano ask "016 59738" --waits 2 --model training/nano/checkpoints/{0}
```
"""


def text(record: dict[str, Any]) -> str:
    """The card in Markdown. ``record``: what `training.nano.make` keeps beside the checkpoint."""
    stage, made_by, training = record["stage"], record["made_by"], record["training"]
    recipe, versions = made_by["recipe"], record["versions"]
    if stage in ("base", "hurried"):
        data = f"{training['tokens']:,} tokens of whole documents in the final format, several rounds long"
    else:
        right = training["traces_correct"]
        data = (
            f"{training['traces']:,} traces ({right:,} of them end with the right answer), "
            f"{recipe['tuning_epochs']} epochs, {training['tokens']:,} tokens"
        )
    option = " --self-correction" if stage in ("hurried", "check", "no-checks") else ""
    option += " --controls" if stage in ("no-waits", "no-checks") else ""
    engine = record.get("engine", "transformers")
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: transformers",
        "tags: [test-time-scaling, budget-forcing, s1]",
        "---",
        f"# s1 nano, {stage}",
        "",
        _WHAT[stage],
        "",
        "A Llama-shaped model of half a million parameters for one made-up kind of problem: `016 59738` means start at",
        "016 and, for each digit d of 59738, go from x to (5x + d) mod 1000. It knows nothing else. Its tokenizer",
        "takes any text. What is measured with it, and what that does and does not show: `training/README.md`.",
        _USE.format(stage) if stage in ("tuned", "check") else "",
        "| | |",
        "| --- | --- |",
        f"| data | {data} |",
        f"| seed | {made_by['seed']} (problems, traces, order, initial weights) |",
        "| held out | a tenth of all problems by hash, also as the rest of a longer one, and all with an unseen step |",
        f"| training | Muon and AdamW, float32, {training['seconds']} s on a CPU, last loss {training['last_loss']} |",
        f"| code | commit {versions['commit']}, torch {versions['torch']}, transformers {versions['transformers']} |",
        "| remake | " + f"`python -m training.nano make --seed {made_by['seed']}{option}` |",
        "",
        f"Measured on held-out problems (greedy, float32, {engine}; 95 % Wilson interval):",
        "",
        "| waits | right | of | % | interval | mean thinking tokens |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in record["measured"]:
        low, high = wilson(row["correct"], row["problems"])
        share = 100 * row["correct"] / row["problems"]
        cells = [row["waits"], row["correct"], row["problems"], f"{share:.1f}", f"{100 * low:.1f} to {100 * high:.1f}"]
        lines.append(f"| {' | '.join(map(str, [*cells, row[THINKING_TOKENS]]))} |")
    return "\n".join(lines) + "\n"
