"""What do packing and the fused loss of `training.sft` save, and how much of a GPU does training use?

    python -m benchmarks.bench_sft [--report NAME]         on a CPU: packed against padded, fused loss against logits
    python -m benchmarks.bench_sft --gpu [--report NAME]   on a GPU: tokens/s, MFU and memory at 8,192 tokens in bf16
    python -m benchmarks.bench_sft --attention             packed attention in pieces, and torch's varlen_attn on a GPU
    python -m benchmarks.bench_sft --make-model FOLDER     0.5B with random weights and rows, for gpu_check.sh

Packed against padded: the same 16 sequences of a step, forward and backward, one small Qwen2-shaped model; packed as
`training.sft` does, and padded to the longest of 4, 8 and 16 with transformers' own attention and the same fused loss.
Lengths are log-normal with 74 % above 4,096 tokens (paper, Table 8) and a mean of 5,600 (4.7 M thinking tokens, and
question and answer), divided by `--scale`: what counts is how they differ. Times are medians over interleaved
repetitions in one process. Memory: the peak of a process of its own per way, over what it had before the step.

MFU: model FLOPs (6 per weight and token, causal attention counted once) of the tokens per second, over the peak of the
GPU; recomputed layers do not count as model FLOPs. The last line of the output is one JSON document.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import add_fused_lm_head

from benchmarks.report import write_report
from training.sft import attention, plan
from training.sft.batches import Collator, Encoded, schedule
from training.sft.recipes import NANO, S1_0_5B, S1_1_5B, Recipe

SIGMA, MEDIAN = 0.37, 5200.0  # of the lengths: 74 % above 4,096, mean 5,570
PADDED = (4, 8, 16)


def lengths(count: int, scale: int, seed: int) -> list[int]:
    draw = random.Random(seed)
    return [max(8, round(MEDIAN * draw.lognormvariate(0.0, SIGMA) / scale)) for _ in range(count)]


def sequences(sizes: list[int], vocabulary: int) -> list[Encoded]:
    draw = np.random.default_rng(0)
    return [Encoded(draw.integers(0, vocabulary, n, dtype=np.int32), np.ones(n, dtype=np.int32)) for n in sizes]


def model_of(shape: plan.Shape, implementation: str, device: str = "cpu") -> Any:
    torch.manual_seed(0)
    names = {name: getattr(shape, name) for name in shape.__dataclass_fields__ if name != "head_dim"}
    config = Qwen2Config(**names, max_position_embeddings=65536, use_cache=False)
    with torch.device(device):
        model = Qwen2ForCausalLM._from_config(config, attn_implementation=implementation, dtype=torch.float32)
    add_fused_lm_head(model)
    return model.train()


def packing(options: argparse.Namespace) -> dict[str, Any]:
    """Trained tokens per second of each way, and the ratio of packed to each padded one, by repetition."""
    shape = plan.Shape(256, 704, 4, 4, 2, 2048, True)
    ours, theirs = model_of(shape, attention.register()), model_of(shape, "sdpa")
    theirs.load_state_dict(ours.state_dict())
    recipe = replace(NANO, epochs=1, block_size=32768 // options.scale, micro_batch_tokens=32768 // options.scale)
    times: dict[str, list[float]] = {}
    trained: list[int] = []

    def clock(name: str, work: Callable[[], None]) -> None:
        started = time.perf_counter()
        work()
        times.setdefault(name, []).append(time.perf_counter() - started)

    for repetition in range(options.repetitions + 1):
        data = sequences(lengths(recipe.global_batch, options.scale, repetition), shape.vocab_size)
        dealt = schedule(data, recipe)
        collate = Collator(data, dealt.rows)

        def packed(dealt: Any = dealt, collate: Any = collate) -> None:
            for row in range(len(dealt.rows)):
                batch = collate([{"row": row}])
                weights = batch.pop("loss_weights")
                log_probs = ours(**batch, fused_lm_head=True).log_probs
                (-(log_probs * weights[:, 1:]).sum()).backward()

        def padded(size: int, data: Any = data) -> None:
            pad = DataCollatorForLanguageModeling(pad_token_id=0)
            for start in range(0, len(data), size):
                batch = pad([{"input_ids": one.input_ids.tolist()} for one in data[start : start + size]])
                theirs(**batch, fused_lm_head=True).loss.backward()

        clock("packed", packed)
        for size in PADDED:
            clock(f"padded, {size} a pass", lambda size=size: padded(size))
        trained.append(sum(one.trained_tokens for one in data))
        if repetition:  # the first one warms up
            rates = "   ".join(f"{name} {trained[-1] / found[-1]:,.0f}" for name, found in times.items())
            print(f"tokens/s: {rates}", flush=True)
    speed = {name: [n / t for n, t in zip(trained, found, strict=True)][1:] for name, found in times.items()}
    ratios = {
        name: round(statistics.median(ours / other for ours, other in zip(speed["packed"], found, strict=True)), 2)
        for name, found in speed.items()
    }
    return {
        "sequences_a_step": recipe.global_batch,
        "scale": options.scale,
        "mean_length": round(statistics.mean(trained) / recipe.global_batch, 1),
        "tokens_per_second": {name: round(statistics.median(found)) for name, found in speed.items()},
        "packed_over": ratios,
    }


def memory_of(way: str, tokens: int) -> dict[str, float]:
    """Peak memory of one step's loss at Qwen2.5's vocabulary, in this process, above what it had before."""
    shape = plan.Shape(896, 4864, 1, 14, 2, 151936, True)
    model = model_of(shape, "sdpa")
    ids = torch.randint(0, shape.vocab_size, (1, tokens))
    for parameter in model.parameters():  # gradients exist in every later step
        parameter.grad = torch.zeros_like(parameter)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    if way == "fused":
        model(input_ids=ids, labels=ids, fused_lm_head=True).loss.backward()
    else:
        logits = model(input_ids=ids).logits.float()
        cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"gib": round((peak - before) / 2**20, 2), "seconds": round(seconds, 1)}


def memory(tokens: int) -> dict[str, Any]:
    found: dict[str, Any] = {"tokens": tokens, "vocabulary": 151936}
    for way in ("fused", "full logits"):
        command = [sys.executable, "-m", "benchmarks.bench_sft", "--memory_of", way, "--tokens", str(tokens)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[way] = json.loads(output.splitlines()[-1])
        print(f"{way}: {found[way]['gib']} GiB above the model at {tokens} tokens", flush=True)
    return found


def gpu_step(recipe: Recipe, tokens: int, steps: int, recompute: bool) -> dict[str, Any]:
    """Full fine-tuning steps of one sequence of so many tokens, bf16 over float32, fused AdamW."""
    shape = plan.SHAPES[recipe.model]
    model = model_of(shape, attention.register(), "cuda")
    if recompute:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=recipe.adam_betas, fused=True)
    data = sequences([tokens] * 4, shape.vocab_size)
    dealt = schedule(data, replace(recipe, epochs=steps + 3, global_batch=1, block_size=tokens))
    collate = Collator(data, dealt.rows)
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for row in range(steps + 3):
        batch = {
            name: value.cuda() if isinstance(value, torch.Tensor) else value
            for name, value in collate([{"row": row}]).items()
        }
        torch.cuda.synchronize()
        started = time.perf_counter()
        weights = batch.pop("loss_weights")
        with torch.autocast("cuda", torch.bfloat16):
            log_probs = model(**batch, fused_lm_head=True).log_probs
        (-(log_probs * weights[:, 1:]).sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    rate = tokens / statistics.median(seconds[3:])
    name = torch.cuda.get_device_name(0)
    peak = next((flops for known, flops in plan.PEAK_FLOPS.items() if known in name), None)
    planned, _ = plan.memory_pieces(replace(recipe, block_size=tokens, recompute=recompute), shape, 1)
    # Causal attention sees half of the sequence on average; flops_per_token takes the mean length and halves it.
    return {
        "model": recipe.model,
        "device": name,
        "tokens": tokens,
        "recompute": recompute,
        "tokens_per_second": round(rate),
        "mfu": round(rate * shape.flops_per_token(tokens) / peak, 3) if peak else None,
        "peak_memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1),
        "planned_memory_gib": round(sum(planned.values()) / 2**30, 1),
    }


def gpu(options: argparse.Namespace) -> dict[str, Any]:
    if not torch.cuda.is_available():
        raise SystemExit(
            "error: --gpu needs a CUDA device, and PyTorch sees none: leave --gpu out to measure on the CPU"
        )
    found = []
    for recipe in (S1_0_5B, S1_1_5B):
        for recompute in (False, True):
            found.append(gpu_step(recipe, 8192, options.repetitions * 2, recompute))
            print(json.dumps(found[-1]), flush=True)
            torch.cuda.empty_cache()
    return {"steps": found}


def attention_ways(tokens: int = 16384, count: int = 16) -> dict[str, Any]:
    """Milliseconds of attention forward and backward over a packed row, by way, and how far the ways differ.

    Qwen2.5-7B's heads, `count` sequences of random lengths that add up to `tokens`; on a CPU a sixteenth, in float32,
    and without varlen_attn, which has no kernel there.
    """
    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if cuda else ("cpu", torch.float32)
    tokens = tokens if cuda else tokens // 16
    cuts = sorted(random.Random(0).sample(range(64, tokens - 64), count - 1))
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, tokens], strict=True)]
    draw = torch.Generator(device).manual_seed(0)
    make = {"generator": draw, "device": device, "dtype": dtype, "requires_grad": True}
    query, key, value = (torch.randn((1, heads, tokens, 128), **make) for heads in (28, 4, 4))
    inputs = (query, key, value)

    def pieces() -> torch.Tensor:
        return attention.attend(torch.nn.Module(), query, key, value, None, sequence_lengths=sizes)[0][0]

    def varlen() -> torch.Tensor:
        from torch.nn.attention.varlen import varlen_attn

        ends = torch.tensor([0, *sizes], device=device).cumsum(0, dtype=torch.int32)
        flat = (one[0].transpose(0, 1) for one in inputs)
        return varlen_attn(*flat, ends, ends, max(sizes), max(sizes), window_size=(-1, 0), enable_gqa=True)

    found: dict[str, Any] = {"tokens": tokens, "sequences": count, "device": device}
    outputs = {}
    for name, way in (("pieces", pieces), ("varlen", varlen)):
        try:
            found[f"{name}_ms"], outputs[name] = _clocked(way, cuda)
        except (ImportError, NotImplementedError, RuntimeError, TypeError) as error:
            found[f"{name}_error"] = str(error).splitlines()[0][:200]
    if len(outputs) == 2:
        found["largest_difference"] = float((outputs["pieces"] - outputs["varlen"]).abs().max())
    return found


def _clocked(way: Callable[[], torch.Tensor], cuda: bool) -> tuple[float, torch.Tensor]:
    """Median milliseconds of five times forward and backward after two that warm up, and the last output."""
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        output = way()
        output.float().sum().backward()
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return round(1000 * statistics.median(seconds[2:]), 2), output.detach()


def make_model(folder: str) -> None:
    """A 0.5B model with random weights and the nano tokenizer, and rows, for runs of the command line."""
    from training.nano import tokenizer
    from training.nano.ablation import pool_rows

    words, shape = tokenizer.build(), plan.SHAPES[S1_0_5B.model]
    names = {name: getattr(shape, name) for name in shape.__dataclass_fields__ if name != "head_dim"}
    ends = {"eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id, "bos_token_id": None}
    model = Qwen2ForCausalLM(Qwen2Config(**names, **ends, max_position_embeddings=32768)).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save(words, Path(folder))
    Path(folder, "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pool_rows(256)))


def report(name: str, results: dict[str, Any]) -> None:
    lines = [
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s). Generated; what it measures is in the "
        "program's docstring.",
        "",
    ]
    if "packing" in results:
        packed, used = results["packing"], results["memory"]
        lines += [
            f"Lengths divided by {packed['scale']} (mean {packed['mean_length']}), "
            f"{packed['sequences_a_step']} sequences a step.",
            "",
            "| way | trained tokens/s | packed is faster by |",
            "| --- | --- | --- |",
            *(
                f"| {way} | {rate:,} | {'' if way == 'packed' else packed['packed_over'][way]} |"
                for way, rate in packed["tokens_per_second"].items()
            ),
            "",
            f"Loss and its gradient at {used['tokens']:,} tokens and a vocabulary of {used['vocabulary']:,}, float32:",
            "",
            "| way | peak memory above the model, GiB | seconds |",
            "| --- | --- | --- |",
            *(f"| {way} | {used[way]['gib']} | {used[way]['seconds']} |" for way in ("fused", "full logits")),
        ]
    else:
        names = list(results["steps"][0])
        lines += [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
        lines += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in results["steps"]]
    write_report(name, "Fine-tuning: what packing and the fused loss save", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="tokens/s, MFU and memory on this machine's GPU")
    parser.add_argument("--attention", action="store_true", help="packed attention: pieces against varlen_attn")
    parser.add_argument("--make-model", metavar="FOLDER", help="write a 0.5B model with random weights, and rows")
    parser.add_argument("--scale", type=int, default=16, help="lengths are divided by it on a CPU (default: 16)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=1024, help="of the memory measurement (default: 1024)")
    parser.add_argument("--memory_of", choices=("fused", "full logits"), help=argparse.SUPPRESS)
    parser.add_argument("--report", help="write benchmarks/reports/NAME.md")
    options = parser.parse_args()
    if options.memory_of:
        print(json.dumps(memory_of(options.memory_of, options.tokens)))
        return
    if options.attention:
        print(json.dumps(attention_ways()))
        return
    if options.make_model:
        make_model(options.make_model)
        return
    results = gpu(options) if options.gpu else {"packing": packing(options), "memory": memory(options.tokens)}
    if options.report:
        report(options.report, results)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
