"""What `--batch_size` means for the chosen model; the harness's default is 1."""

from __future__ import annotations

from collections.abc import Iterator

from s1_models.commands.doctor.findings import Asked, Finding, Status

# What our engines do whatever --batch_size says.
OWN_BATCHES = {
    "s1_vllm": "as many questions are in flight as vLLM decodes at a time (max_num_seqs)",
    "s1_openai": "num_concurrent, a model arg, says how many questions are in flight",
    "s1_chat": "num_concurrent, a model arg, says how many questions are in flight",
}


def check(asked: Asked) -> Iterator[Finding]:
    size = asked.batch_size
    if asked.model in OWN_BATCHES:
        yield Finding("batch", Status.OK, f"batch_size {size} changes nothing: {OWN_BATCHES[asked.model]}")
    elif asked.model == "s1_hf" and size in ("1", "auto"):
        yield Finding(
            "batch", Status.OK, f"batch_size {size} leaves it to s1_hf (max_batch_size, a model arg, limits it)"
        )
    elif size == "1":
        yield Finding(
            "batch",
            Status.WARN,
            f"batch_size 1, lm_eval's default: {asked.model} answers one question at a time",
            ("# add --batch_size auto",),
        )
    else:
        yield Finding("batch", Status.OK, f"{asked.model} takes {size} questions at a time")
