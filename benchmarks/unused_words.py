"""Which words of the extraction's vocabulary could go without any case being read otherwise?

    python -m benchmarks.unused_words [CASES.jsonl ...] [--role ROLE]

Takes one phrase of s1_tasks/answers/find/vocabulary.txt away at a time and judges every case again whose text holds the
phrase: those of tests/tasks/cases/responses.jsonl, the test sentences of the vocabulary itself, and those of the files
given (rows as in `bench_judge`). Lists the phrases without which all verdicts stay, and exits with 1 if there are any.
The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from s1_tasks.answers import judge
from s1_tasks.answers.find import vocabulary

CASES = Path(__file__).parents[1] / "tests/tasks/cases/responses.jsonl"


class Case(NamedTuple):
    """A text, its reference, the kind of question, and whether it is right."""

    text: str
    reference: str
    kind: Any
    right: bool


def cases(files: list[Path]) -> list[Case]:
    """The stored cases, and those of the files given."""
    found = []
    for path in [CASES, *files]:
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if row.get("kind") == "answer":
                continue
            kind = row["kind"] if "text" in row else row.get("task_kind", "math")
            right = row["correct"] if "text" in row else row["label"]
            found.append(Case(row.get("text") or row["pred"], row.get("reference") or row["gold"], kind, right))
    return found


def own_cases(section: vocabulary.Section, phrase: str) -> list[Case]:
    """The test sentences of a section with the phrase in them: "TEXT with {} => ANSWER", "=> not ANSWER"."""
    found = []
    for test in section.tests:
        text, _, answer = test.partition(" => ")
        kind = "choice" if answer.removeprefix("not ") in tuple("ABCDEFGHIJ") else "math"
        text = text.replace("\\n", "\n").replace("{}", phrase)
        found.append(Case(text, answer.removeprefix("not "), kind, not answer.startswith("not ")))
    return found


def unused(role: str | None, listed: list[Case]) -> list[tuple[str, str]]:
    """(role, phrase) of every phrase that no case needs."""
    found = []
    for section in vocabulary.TABLE:
        whole = vocabulary.PHRASES[section.role]
        for phrase in section.phrases if role in (None, section.role) else ():
            kept = section._replace(phrases=tuple(other for other in section.phrases if other != phrase))
            less = vocabulary.index([kept])[section.role]
            mine = [*own_cases(section, phrase), *(case for case in listed if _holds(case.text, phrase))]
            if not any(_needs(case, section.role, whole, less) for case in mine):
                found.append((section.role, phrase))
    return found


def _needs(case: Case, role: str, whole: Any, less: Any) -> bool:
    """Whether a case is judged right with all phrases of a role, and wrong with one less."""
    vocabulary.PHRASES[role] = less
    wrong = not _is_right(case)
    vocabulary.PHRASES[role] = whole
    return wrong and _is_right(case)


def _is_right(case: Case) -> bool:
    return judge(case.text, case.reference, kind=case.kind).correct is case.right


def _holds(text: str, phrase: str) -> bool:
    lowered = text.lower()
    return all(word in lowered for word in phrase.split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--role", help="look at one section only")
    options = parser.parse_args()
    found = unused(options.role, cases(options.files))
    for role, phrase in found:
        print(f"[{role}] {phrase}")
    words = sum(len(section.phrases) for section in vocabulary.TABLE)
    print(json.dumps({"phrases": words, "unused": len(found)}))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
