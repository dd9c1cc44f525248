"""What `--batch_size` means for the chosen model; the harness's default is 1."""

from __future__ import annotations

from collections.abc import Iterator

from s1_models.doctor.findings import Asked, Finding, Status

# Our engines that keep as many questions in flight as they can decode, whatever --batch_size says.
OWN_BATCHES = ("s1_vllm", "s1_openai")


def check(asked: Asked) -> Iterator[Finding]:
    size = asked.batch_size
    if asked.model in OWN_BATCHES:
        yield Finding(
            "batch", Status.OK, f"batch_size {size} changes nothing for {asked.model}: it fills its own batches"
        )
    elif size == "1":
        yield Finding(
            "batch",
            Status.WARN,
            f"batch_size 1, lm_eval's default: {asked.model} answers one question at a time",
            ("# add --batch_size auto",),
        )
    else:
        yield Finding("batch", Status.OK, f"batch_size {size} for {asked.model}")
