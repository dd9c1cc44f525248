"""The gate's checks as text, Markdown, JUnit XML and JSON; one function per format, all from the same `Check`s.

missing: records of the base that no new run stands against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any
from xml.etree import ElementTree

from s1_contract.printing import show
from s1_report.compare import Comparison
from s1_report.gate import Check, Verdict, overall
from s1_report.record import RunRecord
from s1_report.truncation import sentence, truncation

NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped: a reader would refuse the whole file."""
COMPARE_HEADERS = ("task", "questions", "base", "new", "change", "95 % interval", "p", "detectable drop")
GATE_HEADERS = ("verdict", *COMPARE_HEADERS, "loss ruled out above", "margin")


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


def who(comparison: Comparison) -> str:
    """Which model in which setting is compared with which, in one line."""
    old, new = comparison.base.label(), comparison.new.label()
    return f"{new}, base and new" if old == new else f"base {old}; new {new}"


def remarks(comparison: Comparison) -> list[str]:
    """What has to be known beside the numbers: identical runs, accepted differences, answers that were cut off."""
    found = ["the runs are identical, answer by answer"] if comparison.identical else []
    found += [f"allowed: {text}" for text in comparison.allowed]
    for name, record in (("base", comparison.base), ("new", comparison.new)):
        cut = sentence(record)
        found += [f"{name}: {cut}"] if cut else []
    return found


def _lines(check: Check) -> list[str]:
    """Reason, advice and remarks on one check, one sentence a line."""
    return [
        check.reason,
        *([f"to tell: {'; or '.join(check.advice)}"] if check.advice else []),
        *remarks(check.comparison),
        *check.remarks,
    ]


def _missing(missing: Sequence[RunRecord]) -> list[str]:
    return [
        f"{record.label()}: in the base, but there is no new run of it: run it, or choose tasks with --task"
        for record in missing
    ]


def text(checks: Sequence[Check], missing: Sequence[RunRecord] = ()) -> str:
    """One paragraph per task and the verdict."""
    lines = []
    for check in checks:
        lines += _paragraph(check)
    lines += [f"{'MISSING':12} {show(text)}" for text in _missing(missing)]
    return "\n".join([*lines, f"gate: {overall(checks, missing).value}"])


def _paragraph(check: Check) -> list[str]:
    comparison = check.comparison
    head = (
        f"{check.verdict.value:12} {show(comparison.new.task)}: {100 * comparison.base_accuracy:.1f} -> "
        f"{100 * comparison.new_accuracy:.1f} over {comparison.questions} questions x {comparison.repeats}"
    )
    return [head, *(f"{'':12} {show(line)}" for line in [who(comparison), *_lines(check)])]


def markdown(checks: Sequence[Check], missing: Sequence[RunRecord] = ()) -> str:
    """A table for a pull request or a job summary."""
    lines = [f"**Gate: {overall(checks, missing).value}**", "", _row(GATE_HEADERS), _row(["---"] * len(GATE_HEADERS))]
    for check in checks:
        ruled_out = f"{100 * max(0.0, -check.comparison.lowest):.1f}"
        cells = (check.verdict.value, *comparison_row(check.comparison), ruled_out, f"{100 * check.margin:g}")
        lines.append(_row(cells))
    lines.append("")
    for check in checks:
        lines.append(_escaped_item(check))
        lines += [f"  - {_escaped(line)}" for line in _lines(check)]
    lines += [f"- missing: {_escaped(line)}" for line in _missing(missing)]
    return "\n".join(lines) + "\n"


def _escaped_item(check: Check) -> str:
    return f"- {_escaped(f'{check.comparison.new.task}: {who(check.comparison)}')}"


def _escaped(line: str) -> str:
    return show(line, "markdown")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def junit(checks: Sequence[Check], missing: Sequence[RunRecord] = ()) -> str:
    """One test case per task: REGRESSION is a failure, INCONCLUSIVE and a missing run are errors."""
    counts = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    suite = ElementTree.Element(
        "testsuite",
        name="s1-report gate",
        tests=str(len(checks) + len(missing)),
        failures=str(counts[Verdict.REGRESSION]),
        errors=str(counts[Verdict.INCONCLUSIVE] + len(missing)),
    )
    for check in checks:
        _test_case(suite, check)
    for record, line in zip(missing, _missing(missing), strict=True):
        case = ElementTree.SubElement(suite, "testcase", classname="s1-report.gate", name=show(record.task))
        ElementTree.SubElement(case, "error", type="MISSING", message=line).text = line
    ElementTree.indent(suite)
    body = NOT_XML.sub("?", ElementTree.tostring(suite, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _test_case(suite: ElementTree.Element, check: Check) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="s1-report.gate", name=show(check.comparison.new.task))
    properties = ElementTree.SubElement(case, "properties")
    for name, record in (("base", check.comparison.base), ("new", check.comparison.new)):
        ElementTree.SubElement(properties, "property", name=name, value=record.label())
    paragraph = "\n".join(_paragraph(check))
    kind = {Verdict.REGRESSION: "failure", Verdict.INCONCLUSIVE: "error"}.get(check.verdict)
    if kind is None:
        ElementTree.SubElement(case, "system-out").text = paragraph
    else:
        ElementTree.SubElement(case, kind, type=check.verdict.value, message=check.reason).text = paragraph


def as_json(checks: Sequence[Check], missing: Sequence[RunRecord] = ()) -> str:
    """Everything, for programs; the runs by label and environment, not question by question."""
    content = {
        "verdict": overall(checks, missing).value,
        "checks": [_check(check) for check in checks],
        "missing": [record.label() for record in missing],
    }
    return json.dumps(content, indent=1, default=str) + "\n"


def _check(check: Check) -> dict[str, Any]:
    comparison = check.comparison
    numbers = {
        name: value
        for name, value in ((item.name, getattr(comparison, item.name)) for item in fields(comparison))
        if name not in ("base", "new", "interval", "bootstrap", "differences")
    }
    return {
        "task": comparison.new.task,
        "verdict": check.verdict.value,
        "reason": check.reason,
        "advice": list(check.advice),
        "remarks": list(check.remarks),
        "margin": check.margin,
        "p_drop_adjusted": check.p_drop,
        **numbers,
        "interval": list(comparison.interval),
        "bootstrap": list(comparison.bootstrap),
        "base": _run(comparison.base),
        "new": _run(comparison.new),
    }


def _run(record: RunRecord) -> dict[str, Any]:
    cut = truncation(record)
    return {
        "run": record.label(),
        "environment": dict(record.environment),
        "truncation": None if cut is None else asdict(cut),
    }
