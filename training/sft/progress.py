"""What a run shows while it trains, how Ctrl-C stops it without losing a step, and the loss figure at its end."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.sft.batches import Schedule
from training.sft.recipes import LossError

SECONDS_BETWEEN_LINES = 15  # without a terminal


class Watch(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Loss, tokens per second, learning rate and time left: a live line on a terminal, now and then one elsewhere.

    The first Ctrl-C finishes the step, saves a checkpoint and ends the run (`stopped`); a second one breaks it off.
    """

    def __init__(self, plan: Schedule, steps: int, epochs: int) -> None:
        self.plan, self.steps, self.epochs = plan, steps, epochs
        self.stopped = False
        self.seconds = 0.0
        self.tokens = 0  # trained on in this process's lifetime, all processes together
        self.note = ""
        self._started = self._last_line = 0.0
        self._bar: Progress | None = None
        self._before: Any = None
        self._processes = PartialState()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._started = self._last_line = time.monotonic()
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        if state.is_world_process_zero and sys.stderr.isatty():
            columns = (
                TextColumn("step"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns)
            self._bar.add_task("training", total=self.steps, completed=state.global_step, note="")
            self._bar.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.tokens += self.plan.tokens[state.global_step - 1]
        self.seconds = time.monotonic() - self._started
        if self._anyone_stopped():
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs is None or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise LossError(
                f"the loss of step {state.global_step} is {loss}: the run is broken off, and what it saved before is "
                "kept; lower learning_rate, or look for a row that is out of order"
            )
        epoch = state.global_step * self.epochs / max(1, self.plan.steps)
        rate = self.tokens / max(self.seconds, 1e-9)
        self.note = f"epoch {epoch:.2f}  loss {loss:.4f}  {rate:,.0f} tokens/s  lr {logs['learning_rate']:.2e}"
        if not state.is_world_process_zero:
            return
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=state.global_step, note=self.note)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES or state.global_step == self.steps:
            self._last_line = time.monotonic()
            left = (self.steps - state.global_step) * self.seconds / max(1, state.global_step)
            print(f"step {state.global_step}/{self.steps}  {self.note}  {left / 60:.1f} min left", flush=True)

    def close(self) -> None:
        """Give the terminal and Ctrl-C back; also after an error."""
        if self._bar is not None:
            self._bar.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _anyone_stopped(self) -> bool:
        """Signals reach processes at different moments; all of them have to end after the same step."""
        if self._processes.num_processes > 1:
            flags: list[bool] = gather_object([self.stopped])
            self.stopped = any(flags)
        return self.stopped

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        print("\nStopping after this step, with a checkpoint; Ctrl-C again breaks it off.", file=sys.stderr, flush=True)


def draw(history: Sequence[Mapping[str, float]], path: Path, title: str) -> None:
    """Loss of every step and its running mean, the learning rate below; PNG. history: step, loss, learning_rate."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    steps = [row["step"] for row in history]
    losses = [row["loss"] for row in history]
    window = max(1, len(losses) // 20)
    smooth = [sum(losses[max(0, n - window + 1) : n + 1]) / min(window, n + 1) for n in range(len(losses))]
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(7, 4.5), sharex=True, height_ratios=(3, 1), constrained_layout=True
    )
    above.plot(steps, losses, color="#9ecae1", linewidth=1, label="loss of a step")
    if window > 1:
        above.plot(steps, smooth, color="#08519c", linewidth=2, label=f"mean of {window} steps")
    above.set_ylabel("loss, nats a token")
    above.set_ylim(0, 1.05 * max(losses))
    above.set_title(title, fontsize=10)
    above.legend(frameon=False)
    below.plot(steps, [row["learning_rate"] for row in history], color="#525252", linewidth=1)
    below.set_ylabel("learning rate")
    below.set_ylim(bottom=0)
    below.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    below.set_xlabel("optimizer step")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
