"""The command line of the doctor: runs the checks side by side and prints a table and the commands that mend."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from s1_contract.printing import show
from s1_contract.redaction import redact_text
from s1_models.commands.doctor.findings import Asked, Finding, Status
from s1_models.commands.doctor.probe import PREFIX


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, the module of this package that does it, and how long it may take.

    The limits are for what hangs: on an idle machine every check takes seconds.
    """

    name: str
    module: str
    timeout_seconds: float = 120


# The slowest first: they run side by side.
CHECKS = (
    Check("vllm", "vllm_build", 300),
    Check("scorers", "scorers", 300),
    Check("model", "model", 300),
    Check("options", "option_names", 300),
    Check("registration", "registration"),
    Check("data", "data_access"),
    Check("companions", "companions"),
    Check("versions", "versions"),
    Check("batch", "batch"),
)
# The order in which people read: what must be mended first comes first.
SHOWN = ("versions", "companions", "vllm", "registration", "options", "model", "batch", "scorers", "data")
SEVERITY = (Status.OK, Status.SKIP, Status.WARN, Status.FIX)
COLOURS = {Status.OK: "green", Status.WARN: "yellow", Status.FIX: "red", Status.SKIP: "dim"}

# The child sees exactly the modules this process sees, started afresh with the same flags of Python.
CHILD = "import sys; sys.path[:] = {path!r}; from s1_models.commands.doctor.probe import main; main({module!r})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when nothing needs fixing (warnings do not count), 1 when something does."""
    options = _parser().parse_args(arguments)
    asked = _asked(options)
    wanted = [check for check in CHECKS if not options.only or check.name in options.only]
    findings: list[Finding] = []
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        for found in pool.map(lambda check: _run(check, asked, verbose=options.verbose), wanted):
            findings += found
    findings.sort(key=lambda finding: SHOWN.index(finding.check))
    if options.json:
        sys.stdout.write(json.dumps([finding.as_json() for finding in findings], indent=1) + "\n")
    else:
        _print(findings)
    return int(any(finding.status is Status.FIX for finding in findings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s1-eval doctor",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Checks that a run has all it needs, without starting an engine. Prints how to fix each problem.",
        epilog="""examples:
  s1-eval doctor
  s1-eval doctor --model_args pretrained=MODEL,num_waits=4,max_thinking_tokens=8000 --tasks aime24,gpqa_diamond
  s1-eval doctor --only model,data --json

Give the options of your run. Exit code 0: nothing needs fixing (warnings do not count).
Exit code 1: something needs fixing.""",
    )
    parser.add_argument("--model", default="s1_vllm", help="the model type of the run (default: s1_vllm)")
    parser.add_argument(
        "--model_args", default="", metavar="ARGS", help="as for lm_eval; pretrained=MODEL names the model"
    )
    parser.add_argument("--gen_kwargs", default="", metavar="ARGS", help="as for lm_eval")
    parser.add_argument("--tasks", default="", metavar="NAMES", help="check the data of these tasks (default: all)")
    parser.add_argument("--batch_size", default="1", metavar="N", help="as for lm_eval, whose default is 1")
    parser.add_argument("--metadata", default="", metavar="JSON", help="as for lm_eval")
    names = [check.name for check in CHECKS]
    parser.add_argument("--only", type=_names(names), metavar="CHECKS", help=f"some of {','.join(SHOWN)}")
    parser.add_argument("--verbose", action="store_true", help="show what the checks themselves print to stderr")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


def _names(known: Sequence[str]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        wrong = [name for name in names if name not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: expected some of {','.join(SHOWN)}")
        return names

    return parse


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(
        model=options.model,
        model_args=read_pairs(options.model_args),
        gen_kwargs=read_pairs(options.gen_kwargs),
        tasks=tuple(filter(None, options.tasks.split(","))),
        batch_size=options.batch_size,
        metadata=read_pairs(options.metadata),
    )


def read_pairs(text: str) -> dict[str, Any]:
    """NAME=VALUE,… or JSON, as lm_eval reads them."""
    if text.lstrip().startswith("{"):
        return dict(json.loads(text))
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name.strip(): _value(value.strip()) for name, _, value in pairs}


def _value(text: str) -> Any:
    """As lm_eval's own reading of an argument, which may be what is missing here."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    known = {"true": True, "false": False, "none": None}
    if text.lower() in known:
        return known[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _run(check: Check, asked: Asked, *, verbose: bool) -> list[Finding]:
    """The findings of one check, made in a process of its own; one that dies or hangs is a finding as well."""
    started = time.monotonic()
    code = CHILD.format(path=sys.path, module=check.module)
    command = [sys.executable, *_flags(), "-c", code]
    error = said = ""
    try:
        done = subprocess.run(
            command,
            input=json.dumps(asked.as_json()),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=check.timeout_seconds,
            check=False,
        )
        printed, said = done.stdout, done.stderr.strip()
        if done.returncode:
            last = said.splitlines()[-1][:300] if said else "it said nothing"
            error = f"ended with code {done.returncode}: {last}"
    except subprocess.TimeoutExpired as expired:
        printed = expired.stdout.decode(errors="replace") if isinstance(expired.stdout, bytes) else ""
        error = f"did not end within {check.timeout_seconds:.0f} s"
    findings = [
        Finding.from_json(json.loads(line.removeprefix(PREFIX)))
        for line in printed.split("\n")  # splitlines would split at the prefix
        if line.startswith(PREFIX)
    ]
    if not findings and not error:
        error = "found nothing"
    if error:
        again = f"s1-eval doctor {shlex.join(asked.options())} --only {check.name} --verbose"
        findings.append(Finding(check.name, Status.FIX, f"this check {error}", (again,)))
    if verbose and said:
        sys.stderr.write(f"--- {check.name} ---\n{said}\n")
    worst = max((finding.status for finding in findings), key=SEVERITY.index, default=Status.OK)
    sys.stderr.write(f"checked {check.name} in {time.monotonic() - started:.1f} s: {worst}\n")
    return findings


def _flags() -> list[str]:
    """The flags this Python was started with that decide what it runs at its start."""
    flags = sys.flags
    given = {"-I": flags.isolated, "-S": flags.no_site, "-E": flags.ignore_environment, "-s": flags.no_user_site}
    return [flag for flag, is_set in given.items() if is_set]


def _print(findings: Sequence[Finding]) -> None:
    try:
        _print_table(findings)
    except ImportError:  # a doctor that needs what it has to find missing would be of no use
        for finding in findings:
            sys.stdout.write(f"{finding.check}  {finding.status}  {_message(finding)}\n")
    for finding in findings:
        if finding.fix:
            message = _message(finding)
            title = message if len(message) < 90 else f"{message[:89]}…"
            sys.stdout.write(f"\n{finding.status} ({finding.check}): {title}\n")
            # Not inside the table: what is to be pasted must not be broken into lines.
            sys.stdout.write("".join(f"  {redact_text(line)}\n" for line in finding.fix))
    counts = {status: sum(finding.status is status for finding in findings) for status in SEVERITY}
    verdict = "something needs fixing" if counts[Status.FIX] else "nothing needs fixing"
    sys.stdout.write(f"\n{verdict}: {', '.join(f'{count} {status}' for status, count in counts.items() if count)}\n")


def _message(finding: Finding) -> str:
    return show(redact_text(finding.message))


def _print_table(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("check", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("finding", overflow="fold")
    shown = ""
    for finding in findings:
        status = Text(finding.status, style=COLOURS[finding.status])
        table.add_row(finding.check if finding.check != shown else "", status, Text(_message(finding)))
        shown = finding.check
    Console(highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
