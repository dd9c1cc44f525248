"""The stages in order, each from the rows of the one before; what is finished is read back, not done again.

On disk a stage is what it added: `stages/NN-name.jsonl` holds, for each row that went on and in their order, its id and
its new columns; `stages/NN-name.rejected.jsonl` each row that did not, with the rule. So every text is stored once.
The last stage's output is the training file, `train.jsonl`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s1_models.formats import Format, parse_format
from training.curate.benchmark_questions import BenchmarkQuestion, describe, load_questions
from training.curate.collect import collect, load
from training.curate.config import Config
from training.curate.decontaminate import decontaminate
from training.curate.difficulty import gather_attempts, keep_difficult
from training.curate.diversity import select, select_stage
from training.curate.domain import RUBRIC, classify
from training.curate.export import load_tokenizer, render_rows
from training.curate.grading import INSTRUCTIONS, grader
from training.curate.intake import take_rows
from training.curate.manifest import Manifest, StageRecord, origin
from training.curate.quality import complete, well_formed
from training.curate.references import Opener, started
from training.curate.sources import choose
from training.curate.stage import CurationError, Rejection, Result, Row, added_columns
from training.curate.tables import canonical_hash, file_hash, read_rows, write_json, write_json_lines, write_parquet
from training.curate.traces import write_traces

STAGES = (
    *("collect", "decontaminate", "traces", "complete", "format"),
    *("domain", "difficulty", "select", "render"),
)
BASELINE_POOL = "domain"
"""The stage whose rows the baselines are chosen from: of good quality and with a domain, whatever their difficulty."""


@dataclass(frozen=True)
class Stage:
    """settings: everything but the rows that changes the outcome (a JSON value)."""

    name: str
    settings: Any
    run: Callable[[list[Row]], Result]


class Pipeline:
    """A run of all stages into `config.out`. tell: told one line after every stage; opener: starts reference models."""

    def __init__(
        self, config: Config, *, tokenizer: Any = None, tell: Callable[[str], None] = print, opener: Opener = started
    ) -> None:
        self.config = config
        self.out = config.out
        self.manifest = Manifest(self.out / "manifest.json")
        self._tell = tell
        self._opener = opener
        self._tokenizer = tokenizer
        form = parse_format(config.render.format)
        if form is None:
            raise CurationError("render: format is 'auto'; training needs a format by name, for example s1")
        self.form: Format = form

    def run(self, until: str = STAGES[-1], again: Sequence[str] = ()) -> list[Row]:
        """The rows after stage `until`. again: stages to do even though they are finished.

        Raises CurationError; what is finished, and inside the model stages what was answered, is kept.
        """
        for name in (until, *again):
            if name not in STAGES:
                raise CurationError(f"{name!r} is no stage; expected one of {', '.join(STAGES)}")
        self.manifest.forget(*again)
        self.manifest.about |= {**origin(), "config": _plain(asdict(self.config))}
        rows: list[Row] = []
        source = ""
        for stage in self._stages():
            rows = self._run_stage(stage, rows, source)
            source = self.manifest.stages[stage.name].output
            if stage.name == "decontaminate":
                self.manifest.about["contamination"] = self.manifest.stages[stage.name].figures["contamination"]
            if stage.name == BASELINE_POOL:
                self._write_baselines(rows)
            if stage.name == until:
                break
        self.manifest.write()
        return rows

    def path(self, stage: str, suffix: str = "jsonl") -> Path:
        if stage == STAGES[-1] and suffix == "jsonl":
            return self.out / "train.jsonl"
        return self.out / "stages" / f"{STAGES.index(stage) + 1:02d}-{stage}.{suffix}"

    def _run_stage(self, stage: Stage, rows: list[Row], source: str) -> list[Row]:
        settings, output = canonical_hash(stage.settings), self.path(stage.name)
        if self.manifest.is_finished(stage.name, settings, source, output):
            written = read_rows(output)
            kept = written if stage.name == STAGES[-1] else _apply(rows, written)
            self._tell(f"{stage.name:<14} {len(kept):>7,} rows, finished before")
            self._tell_what_failed(stage.name)
            return kept
        started_at = time.monotonic()
        result = stage.run(rows)
        seconds = time.monotonic() - started_at
        figures = dict(result.figures)
        report = figures.pop("report", None)
        if report is not None:
            write_json(self.out / "contamination.json", report)
        write_json_lines(self.path(stage.name, "rejected.jsonl"), (asdict(one) for one in result.rejected))
        if stage.name == STAGES[-1]:
            digest = self._write_training(result.rows)
        else:
            digest = write_json_lines(output, added_columns(rows, result.rows))
        came_in = len(rows) if rows else len(result.rows) + len(result.rejected)
        before = self.manifest.stages.get(stage.name)
        if before is None or before.output != digest:  # what followed was made from something else
            self.manifest.forget(*STAGES[STAGES.index(stage.name) + 1 :])
        self.manifest.stages[stage.name] = StageRecord(
            came_in, len(result.rows), result.rules(), round(seconds, 2), settings, source, digest, figures
        )
        self.manifest.write()
        self._tell(_line(stage.name, self.manifest.stages[stage.name]))
        self._tell_what_failed(stage.name)
        if not result.rows:
            rules = ", ".join(f"{rule}: {count:,}" for rule, count in result.rules().items())
            raise CurationError(
                f"stage {stage.name} left no rows ({rules}); see {self.path(stage.name, 'rejected.jsonl').name}"
            )
        return result.rows

    def _tell_what_failed(self, name: str) -> None:
        """What a stage had to leave out for reasons that may pass, and how it is tried again."""
        figures = self.manifest.stages[name].figures
        for source, reason in figures.get("missing", {}).items():
            self._tell(f"  missing: {source}: {reason}; the same command tries it again")
        if figures.get("failed"):
            self._tell(f"  {figures['failed']:,} questions without a usable answer; --again {name} asks them again")

    def _stages(self) -> list[Stage]:
        config, journals = self.config, self.out / "journals"
        teacher, model, grading = config.traces.teacher, config.domain.model, config.difficulty
        judged_by = grader(grading.grader, grading.llm_grading, journals / "grades.jsonl")
        memo = self.out / "memo.sqlite" if grading.memo else None
        questions = load_questions(config.decontaminate.benchmarks, config.decontaminate.questions)

        def difficulty(rows: list[Row]) -> Result:
            missing = [row for row in rows if row.get("attempts") is None]
            attempts = gather_attempts(missing, grading.references, memo, self._opener) if missing else {}
            return keep_difficult(rows, attempts, judged_by)

        def chosen(rows: list[Row]) -> Result:
            return select_stage(rows, config.select.how, config.select.count, config.seed)

        identity = {
            "teacher": teacher and teacher.identity(),
            "domain": model and model.identity(),
            "grader": grading.grader and grading.grader.identity(),
        }
        return [
            Stage("collect", self._collect_settings(), lambda _: self._collect()),
            Stage(
                "decontaminate",
                [asdict(config.decontaminate), describe(questions)],
                lambda rows: self._decontaminate(rows, questions),
            ),
            Stage(
                "traces",
                [identity["teacher"], config.render.tokenizer],
                lambda rows: write_traces(rows, teacher, journals / "traces.jsonl", self.tokenizer),
            ),
            Stage("complete", None, complete),
            Stage("format", asdict(self.form), lambda rows: well_formed(rows, self.form)),
            Stage(
                "domain",
                [identity["domain"], RUBRIC],
                lambda rows: classify(rows, model, journals / "domains.jsonl"),
            ),
            Stage(
                "difficulty",
                [
                    [asdict(one) for one in grading.references],
                    identity["grader"],
                    grading.llm_grading,
                    INSTRUCTIONS if grading.llm_grading != "never" else None,
                ],
                difficulty,
            ),
            Stage("select", [config.select.how, config.select.count, config.seed], chosen),
            Stage(
                "render",
                [config.render.tokenizer, asdict(self.form)],
                lambda rows: render_rows(rows, self.tokenizer, self.form),
            ),
        ]

    @property
    def tokenizer(self) -> Any:
        """The tokenizer that renders and counts, loaded when a stage first needs it."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.config.render.tokenizer)
        return self._tokenizer

    def _collect(self) -> Result:
        chosen = self.config.collect
        if chosen.rows is not None:
            return take_rows(read_rows(chosen.rows), str(chosen.rows))
        sources = choose(chosen.names, aime_until=chosen.aime_until)
        return collect(sources, lambda source: load(source, chosen.source), self._collected_before())

    def _collected_before(self) -> Result | None:
        """What an earlier run collected with the same settings, when some of its sources were missing."""
        output = self.path("collect")
        if not self.manifest.is_current("collect", canonical_hash(self._collect_settings()), "", output):
            return None
        rejected = [Rejection(**one) for one in read_rows(self.path("collect", "rejected.jsonl"))]
        return Result(read_rows(output), rejected, self.manifest.stages["collect"].figures)

    def _collect_settings(self) -> Any:
        """What rows there are: a changed local file is another input."""
        chosen = self.config.collect
        files: list[Path] = []
        if chosen.rows is not None:
            files = [chosen.rows] if chosen.rows.is_file() else []
        elif chosen.source.startswith("local:"):
            directory = Path(chosen.source.removeprefix("local:")).expanduser()
            files = sorted(path for path in directory.rglob("*") if path.is_file())
        return [_plain(asdict(chosen)), {str(path): file_hash(path) for path in files}]

    def _decontaminate(self, rows: list[Row], questions: Sequence[BenchmarkQuestion]) -> Result:
        settings = self.config.decontaminate
        result = decontaminate(rows, questions, settings.words_in_a_row)
        if settings.near_duplicates is None:
            return result
        from training.curate.duplicates import without_near_duplicates

        return without_near_duplicates(result, questions, settings.near_duplicates)

    def _write_baselines(self, rows: list[Row]) -> None:
        """Rows of the ablation's other selections, ready for training as they are."""
        count, seed = self.config.select.count, self.config.seed
        for how in self.config.select.baselines:
            if how != "full" and len(rows) < count:
                self._tell(f"  baseline {how}: {len(rows)} rows are fewer than {count}, left out")
                continue
            write_json_lines(self.out / "baselines" / f"{how}.jsonl", select(rows, how, count, seed))

    def _write_training(self, rows: list[Row]) -> str:
        """train.jsonl and train.parquet; returns the data's hash."""
        write_parquet(self.out / "train.parquet", rows)
        digest = write_json_lines(self.path(STAGES[-1]), rows)
        self.manifest.about["data_sha256"] = digest
        return digest


def _apply(rows: Sequence[Row], added: Sequence[Row]) -> list[Row]:
    """The rows after a stage, from those before it and what it wrote."""
    known = {row["id"]: row for row in rows}
    return [{**known.get(row["id"], {}), **row} for row in added]


def _plain(value: Any) -> Any:
    """A configuration as JSON: paths as text."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _line(name: str, record: StageRecord) -> str:
    most = ", ".join(f"{rule}: {count:,}" for rule, count in list(record.rejected.items())[:3])
    lost = record.rows_in - record.rows_out
    why = f" ({most})" if most else ""
    return f"{name:<14} {record.rows_out:>7,} rows, {lost:,} rejected{why}, {record.seconds:.1f} s"
