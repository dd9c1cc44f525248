"""The gate's checks as text, Markdown, JUnit XML and JSON; one function per format, all from the same `Check`s."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from s1_report.compare import Comparison
from s1_report.gate import Check, Verdict, overall

NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped: a reader would refuse the whole file."""
COMPARE_HEADERS = ("task", "questions", "base", "new", "change", "95 % interval", "p", "detectable drop")


def comparison_row(comparison: Comparison) -> tuple[str, ...]:
    """One comparison, columns as in COMPARE_HEADERS; accuracies in percent, changes in points."""
    flips = "" if comparison.lost is None else f" (+{comparison.gained} -{comparison.lost})"
    low, high = comparison.interval
    repeats = f" x {comparison.repeats}" if comparison.repeats > 1 else ""
    return (
        comparison.new.task,
        f"{comparison.questions}{repeats}",
        f"{100 * comparison.base_accuracy:.1f}",
        f"{100 * comparison.new_accuracy:.1f}",
        f"{100 * comparison.change:+.1f}{flips}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        f"{comparison.p_change:.3g}",
        f"{100 * comparison.detectable_drop:.1f}",
    )


def text(checks: Sequence[Check]) -> str:
    """One line per task and the verdict."""
    lines = []
    for check in checks:
        comparison = check.comparison
        lines.append(
            f"{check.verdict.value:12} {comparison.new.task}: {100 * comparison.base_accuracy:.1f} -> "
            f"{100 * comparison.new_accuracy:.1f} over {comparison.questions} questions x {comparison.repeats}: "
            f"{check.reason}"
        )
        lines += [f"{'':12} allowed: {sentence}" for sentence in comparison.allowed]
    return "\n".join([*lines, f"gate: {overall(checks).value}"])


def markdown(checks: Sequence[Check]) -> str:
    """A table for a pull request or a job summary."""
    headers = ("verdict", *COMPARE_HEADERS, "margin", "repeats needed")
    lines = [f"**Gate: {overall(checks).value}**", "", _row(headers), _row(["---"] * len(headers))]
    for check in checks:
        needed = "more questions" if check.repeats_needed is None else str(check.repeats_needed)
        lines.append(_row((check.verdict.value, *comparison_row(check.comparison), f"{100 * check.margin:g}", needed)))
    lines += ["", *(f"- {check.comparison.new.task}: {check.reason}" for check in checks)]
    lines += [f"- allowed: {sentence}" for check in checks for sentence in check.comparison.allowed]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def junit(checks: Sequence[Check]) -> str:
    """One test case per task: REGRESSION is a failure, INCONCLUSIVE an error."""
    counts = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    suite = ElementTree.Element(
        "testsuite",
        name="s1-report gate",
        tests=str(len(checks)),
        failures=str(counts[Verdict.REGRESSION]),
        errors=str(counts[Verdict.INCONCLUSIVE]),
    )
    elements = {Verdict.REGRESSION: "failure", Verdict.INCONCLUSIVE: "error"}
    for check in checks:
        case = ElementTree.SubElement(suite, "testcase", classname="s1-report.gate", name=check.comparison.new.task)
        if check.verdict in elements:
            kind = elements[check.verdict]
            ElementTree.SubElement(case, kind, type=check.verdict.value, message=check.reason).text = text([check])
        else:
            ElementTree.SubElement(case, "system-out").text = text([check])
    ElementTree.indent(suite)
    body = NOT_XML.sub("?", ElementTree.tostring(suite, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def as_json(checks: Sequence[Check]) -> str:
    """Everything, for programs; the runs by label and environment, not question by question."""
    return (
        json.dumps(
            {"verdict": overall(checks).value, "checks": [_check(check) for check in checks]}, indent=1, default=str
        )
        + "\n"
    )


def _check(check: Check) -> dict[str, Any]:
    comparison = check.comparison
    numbers = {
        name: value
        for name, value in asdict(comparison).items()
        if name not in ("base", "new", "interval", "bootstrap", "spread")
    }
    return {
        "task": comparison.new.task,
        "verdict": check.verdict.value,
        "reason": check.reason,
        "margin": check.margin,
        "p_drop_adjusted": check.p_drop,
        "repeats_needed": check.repeats_needed,
        **numbers,
        "interval": list(comparison.interval),
        "bootstrap": list(comparison.bootstrap),
        "base": {"run": comparison.base.label(), "environment": dict(comparison.base.environment)},
        "new": {"run": comparison.new.label(), "environment": dict(comparison.new.environment)},
    }
