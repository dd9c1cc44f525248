"""`python -m training.sft`: plan a fine-tuning run, run it on one process or many, compare the result with its base."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from s1_contract.errors import S1Error
from training.sft import plan as planning
from training.sft.plan import Shape
from training.sft.recipes import RECIPES, Recipe, recipe_named

app = typer.Typer(
    help="Fine-tune a model to think as s1 does: plan, run, evaluate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
RecipeOption = Annotated[str, typer.Option("--recipe", help=f"One of: {', '.join(RECIPES)}.")]
ModelOption = Annotated[str | None, typer.Option(help="Another model than the recipe's: a folder or a Hub name.")]
DataOption = Annotated[
    str | None,
    typer.Option(help="Hub name, .jsonl, .json, .parquet, or a folder of training.curate. Default: the recipe's."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a value of the recipe, FIELD=VALUE; may be given several times."),
]


@app.command()
def recipes() -> None:
    """List the recipes, one per line."""
    table = Table("recipe", "model", "data", "block", "rate", "80 GB GPUs", "how", box=None)
    for recipe in RECIPES.values():
        how = "float32 on a CPU" if not recipe.gpus else "FSDP" if recipe.shard else "one process"
        if recipe.adapter:
            how += ", QLoRA" if recipe.adapter.four_bit else ", LoRA"
        how += ", state in host memory" if recipe.offload else ""
        gpus = str(recipe.gpus or "none")
        row = (recipe.name, recipe.model, recipe.data or "--data", str(recipe.block_size), f"{recipe.learning_rate:g}")
        table.add_row(*row, gpus, how)
    console = Console(width=max(120, Console().width))
    console.print(table)
    console.print(
        "\nFSDP needs a process group, also on one GPU: torchrun --nproc-per-node 1 --shutdown-timeout 900 "
        "-m training.sft run --recipe s1_7b",
        highlight=False,
    )


@app.command(
    epilog="Example: torchrun --nproc-per-node 8 --shutdown-timeout 900 -m training.sft run --recipe s1_7b --out runs/a"
)
def run(
    recipe: RecipeOption,
    out: Annotated[Path, typer.Option(help="Folder that becomes the checkpoint.")],
    model: ModelOption = None,
    data: DataOption = None,
    over_long: Annotated[
        str | None, typer.Option(help="Rows longer than the block: error, drop or truncate. Default: the recipe's.")
    ] = None,
    changes: SetOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint in OUT.")] = False,
    max_steps: Annotated[
        int | None, typer.Option(help="Stop after this many steps; the schedule ends there too.")
    ] = None,
    save_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints (default: once an epoch; 0: never).")
    ] = None,
    thinking_format: Annotated[str, typer.Option(help="auto, s1, think or START...END.")] = "auto",
    contamination_report: Annotated[
        Path | None, typer.Option(help="Its hash goes into the card (default: the manifest beside the data).")
    ] = None,
    report_to: Annotated[str, typer.Option(help="none, trackio or wandb.")] = "none",
    push_to: Annotated[
        str | None, typer.Option(help="Upload the finished checkpoint to this Hub name, private.")
    ] = None,
) -> None:
    """Fine-tune. Ctrl-C saves a checkpoint and ends; --resume continues with the same losses.

    With torchrun give --shutdown-timeout 900. Its default kills the processes 30 seconds after Ctrl-C.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # TRL reports every start of a trainer otherwise
    chosen = _chosen(recipe, model, data, [*(changes or []), *([f"over_long={over_long}"] if over_long else [])])
    if contamination_report is not None and not contamination_report.is_file():
        raise typer.BadParameter(f"no contamination report {contamination_report}")
    from training.sft.train import Job
    from training.sft.train import run as train

    job = Job(chosen, out, resume, max_steps, save_every, thinking_format, contamination_report, report_to, push_to)
    if not train(job).finished:
        raise typer.Exit(130)


@app.command(epilog="Example: python -m training.sft plan --recipe s1_32b --gpus 8")
def plan(
    recipe: RecipeOption,
    gpus: Annotated[int | None, typer.Option(min=1, help="Default: the number that the recipe is written for.")] = None,
    gpu_memory: Annotated[float, typer.Option(help="Of one GPU, GiB.")] = 79.0,
    model: ModelOption = None,
    data: Annotated[
        str | None, typer.Option(help="Count its rows and tokens (default: s1K's, from the paper).")
    ] = None,
    changes: SetOption = None,
    peak_tflops: Annotated[float, typer.Option(help="Of one GPU, dense bf16; 989 is an H100.")] = 989.0,
    utilisation: Annotated[
        float | None,
        typer.Option(help="Share of the peak that is reached (default: 0.19 and 0.11, s1's published runs)."),
    ] = None,
) -> None:
    """Estimate memory per GPU, steps and hours before you start. Exit code 1: it does not fit."""
    chosen = _chosen(recipe, model, data, changes)
    shape = _shape(chosen.model)
    rows, tokens, about = planning.published_rows(chosen)
    longest = None
    if data is not None:
        rows, tokens, longest, about = _count(chosen)
    processes = gpus or max(1, chosen.gpus)
    found = planning.estimate(
        chosen, shape, processes, gpu_memory * planning.GIB, rows, tokens, utilisation, peak_tflops * 1e12, longest
    )
    if chosen.offload:  # as the run does: nothing is offloaded that fits
        kept = planning.estimate(
            replace(chosen, offload=False),
            *(shape, processes, gpu_memory * planning.GIB, rows, tokens, utilisation, peak_tflops * 1e12, longest),
        )
        found = kept if kept.fits else found
    _show(found, about, "given" if utilisation else "s1's two published runs")
    if not found.fits:
        Console().print(f"does not fit: {found.advice(shape)}", highlight=False)
        raise typer.Exit(1)
    Console().print("fits")


def _show(found: planning.Plan, about: str, why: str) -> None:
    """A plan as a table and sentences."""
    console, recipe = Console(), found.recipe
    table = Table("on each GPU", "GiB", box=None)
    table.columns[1].justify = "right"
    for name, size in found.pieces.items():
        if size:
            table.add_row(name, f"{size / planning.GIB:.1f}")
    table.add_row("all", f"{found.memory / planning.GIB:.1f} of {found.gpu_memory / planning.GIB:.0f}")
    console.print(table)
    host = [f"{found.first_host / planning.GIB:.0f} GiB for the first process, which reads and writes the model"]
    host += [f"{found.host / planning.GIB:.0f} GiB for the offloaded state"] if found.host else []
    lines = [
        f"host memory: {', and '.join(host)}",
        f"disk: {found.checkpoint / planning.GIB:.1f} GiB a checkpoint, once an epoch (--save-every 0: never); two are "
        f"kept, three while the oldest goes: {3 * found.checkpoint / planning.GIB:.0f} GiB; the model "
        f"{found.written / planning.GIB:.1f} GiB",
        f"{found.steps} steps of {recipe.global_batch} sequences on {about}; {_hours(found)} on {found.gpus} GPU(s) at "
        f"{_shares(found)} of their peak ({why})",
    ]
    for line in lines:
        console.print(line, highlight=False)


def _hours(found: planning.Plan) -> str:
    low, high = f"{found.hours:.1f}", f"{found.slower:.1f}"
    return f"{low} hours" if low == high else f"{low} to {high} hours"


def _shares(found: planning.Plan) -> str:
    low, high = f"{found.utilisation:.0%}", f"{planning.SLOWER_UTILISATION:.0%}"
    return low if found.hours == found.slower else f"{low} and {high}"


@app.command(
    epilog="Example: python -m training.sft evaluate training/nano/checkpoints/base runs/a --tasks s1_nano --out runs/b"
)
def evaluate(
    base: Annotated[str, typer.Argument(help="The model before: a folder or a Hub name.")],
    tuned: Annotated[str, typer.Argument(help="The model after.")],
    tasks: Annotated[str, typer.Option(help="As for lm_eval.")],
    out: Annotated[Path, typer.Option(help="Folder for what both runs write.")],
    model_args: Annotated[
        str, typer.Option(help="For both models, as for lm_eval: num_waits=2,dtype=float32 (waits: the tuned one's).")
    ] = "",
    base_model_args: Annotated[
        str | None, typer.Option(help="For the base alone (default: thinking_format=none, a plain answer).")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions per task.")] = None,
    engine: Annotated[str, typer.Option(help="s1_vllm, or s1_hf where there is no vLLM.")] = "s1_vllm",
) -> None:
    """Evaluate the base, and the tuned model without and with waits. Then compare them question by question."""
    from training.sft.evaluate import evaluate as compare

    compare(base, tuned, tasks, out, model_args, ["--limit", str(limit)] if limit else [], engine, base_model_args)


def _chosen(name: str, model: str | None, data: str | None, changes: list[str] | None) -> Recipe:
    given = [f"model={model}"] * (model is not None) + [f"data={data}"] * (data is not None)
    return recipe_named(name, [*(changes or []), *given])


def _shape(model: str) -> Shape:
    """The model's shape: from its config where there is a folder, from the table of the recipes' models otherwise."""
    from training.sft.families import config_of, family_of

    if model in planning.SHAPES and not Path(model).is_dir():
        return planning.SHAPES[model]
    config = config_of(model)
    family_of(config)
    return planning.Shape.of(config)


def _count(recipe: Recipe) -> tuple[int, int, int, str]:
    """Rows, tokens and the longest row of the recipe's data, and a sentence about them."""
    from transformers import AutoTokenizer

    from training.sft import data
    from training.sft.families import thinking_format

    tokenizer = AutoTokenizer.from_pretrained(recipe.model)
    assert recipe.data is not None
    rows, manifest = data.load_rows(recipe.data)
    built = data.build(rows, tokenizer, recipe, thinking_format(tokenizer), recipe.data, manifest)
    lengths = [len(one) for one in built.sequences]
    return len(lengths), sum(lengths), max(lengths), str(built)


def main() -> int:
    """The command line with errors as one sentence."""
    try:
        app()
    except KeyboardInterrupt:
        print("\nBroken off. If a checkpoint was saved, --resume goes on from the last one.", file=sys.stderr)
        return 130
    except S1Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
