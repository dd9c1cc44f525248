"""What a fine-tuning run is asked to do, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.sft.recipes import Recipe

if TYPE_CHECKING:
    from training.sft.batches import Schedule
    from training.sft.data import TrainingSet


@dataclass(frozen=True)
class Job:
    """A recipe with everything a run needs beside it.

    out: becomes the checkpoint's folder. save_every: steps between checkpoints; None is once an epoch, 0 is never.
    push_to: a name on the Hub that the finished checkpoint is uploaded to; None is nowhere.
    """

    recipe: Recipe
    out: Path
    resume: bool = False
    max_steps: int | None = None
    save_every: int | None = None
    thinking_format: str = "auto"
    contamination_report: Path | None = None
    report_to: str = "none"
    push_to: str | None = None

    @property
    def checkpoints(self) -> Path:
        """Where a run keeps what it can be resumed from, until its checkpoint is written and checked."""
        return self.out / "checkpoints"


@dataclass(frozen=True)
class Outcome:
    """history: step, loss, learning_rate, grad_norm of every step. finished: False when Ctrl-C ended it early."""

    finished: bool
    history: list[dict[str, float]]
    plan: Schedule
    trained: TrainingSet
