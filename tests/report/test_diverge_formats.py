"""Where one real model parts from itself in another number format."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from s1_report.collect import collect
from s1_report.diverge import diverge

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # two models are loaded for it


RUNS = """
import sys
from lm_eval.__main__ import cli_evaluate

model, folder = sys.argv[1:]
for dtype in ("float32", "bfloat16"):
    sys.argv = ["lm_eval", "--model", "s1_hf", "--model_args", f"pretrained={model},dtype={dtype}"]
    sys.argv += ["--tasks", "s1_nano_wait0", "--limit", "8", "--gen_kwargs", "temperature=3,do_sample=true,seed=7"]
    sys.argv += ["--log_samples", "--output_path", f"{folder}/{dtype}"]
    cli_evaluate()
"""


@pytest.fixture(scope="module")
def two_formats(tmp_path_factory):
    """The embedded model, sampled with the same seed in float32 and in bfloat16, so hot that rounding turns tokens."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("formats")
    model = ROOT / "training/nano/checkpoints/tuned"
    subprocess.run([sys.executable, "-c", RUNS, str(model), str(folder)], check=True, capture_output=True)
    return folder / "float32", folder / "bfloat16"


def tokens_of(folder):
    (path,) = folder.rglob("traces.jsonl")
    rows = map(json.loads, path.read_text().splitlines())
    return {row["doc_hash"][:16]: [token for span in row["spans"] for token in span["tokens"]] for row in rows}


@pytest.mark.timeout(900)  # two models are loaded: seconds on an idle machine, minutes on a busy one
def test_one_model_in_two_number_formats_parts_where_its_tokens_do(two_formats):
    old, new = map(tokens_of, two_formats)
    differing = {key for key in old if old[key] != new[key]}
    assert differing, "bfloat16 turned none of these tokens: sample hotter"
    found = diverge(*(collect(folder).runs[0] for folder in two_formats))
    assert (found.pairs, {part.question for part in found.partings}) == (8, differing)
    for part in found.partings:
        base, other = old[part.question], new[part.question]
        assert base[: part.common] == other[: part.common]
        assert part.tokens == (base[part.common], other[part.common])
        assert part.base != part.new
        assert part.length == len(base)
