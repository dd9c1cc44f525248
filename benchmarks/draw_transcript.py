"""A picture of one answer, forced text apart from sampled text: results/figures/transcript.svg.

    python -m benchmarks.draw_transcript RUN [--question N] [--output FILE.svg]

RUN is an output folder of a run with waits (lm_eval --log_samples --output_path RUN). The picture shows the first
answer that used a wait, or question N.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from s1_contract.files import read_json_lines, write_whole
from s1_contract.places import TRACES_FILE
from s1_contract.usage import WAITS_USED

FORCED = "bold black on #ffd58a"


def find_answer(run: Path, question: int | None) -> tuple[str, dict[str, Any]]:
    """(prompt, trace) of the first answer that used a wait, or of a question. Raises SystemExit when there is none."""
    for traces in sorted(run.rglob(TRACES_FILE)):
        for _, trace in read_json_lines(traces):
            if trace.get(WAITS_USED) if question is None else trace.get("doc_id") == question:
                return _prompt(traces.parent, trace), trace
    raise SystemExit(f"{run}: no answer that used a wait: run with num_waits=2 --log_samples --output_path {run}")


def _prompt(folder: Path, trace: dict[str, Any]) -> str:
    for samples in folder.glob(f"samples_{trace['task']}_*.jsonl"):
        for _, sample in read_json_lines(samples):
            if sample.get("doc_id") == trace["doc_id"]:
                doc = sample["doc"]
                return str(doc.get("problem") or json.dumps(doc))
    return ""


def draw(prompt: str, trace: dict[str, Any], width: int = 72) -> str:
    """The picture as SVG."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    text = Text()
    text.append("question  ", "dim")
    text.append(f"{prompt}\n\n")
    for span in trace["spans"]:
        text.append(span["text"], FORCED if span["forced"] else "")
    console.print(text)
    console.print(Text("\norange: written by budget forcing; the rest: written by the model", "dim"))
    return console.export_svg(title=f"{trace['task']}, question {trace['doc_id']}, num_waits={trace[WAITS_USED]}")


def main() -> None:
    """Draws the picture that the README shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--question", type=int)
    parser.add_argument("--output", type=Path, default=Path("results/figures/transcript.svg"))
    given = parser.parse_args()
    write_whole(given.output, draw(*find_answer(given.run, given.question)))
    print(f"wrote {given.output}")


if __name__ == "__main__":
    main()
