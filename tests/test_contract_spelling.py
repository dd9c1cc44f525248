"""Nothing of the contract is spelt anywhere else: what two rooms share stands in s1_contract."""

import ast
import subprocess
from pathlib import Path

import pytest

from s1_contract import metrics, options, outcomes, places, tasks, thinking, usage

ROOT = Path(__file__).parents[1]
OUTCOMES = {*(outcome.value for outcome in outcomes.Outcome), *outcomes.FORMER_OUTCOMES}
LM_EVALS_OWN = {options.CHAT_TEMPLATE, options.ENABLE_THINKING, options.MAX_GEN_TOKS, options.MEMO}
"""Words that are lm_eval's or transformers' names as well, or words of every day."""
NAMES = {
    *usage.USAGE_FIELDS,
    *usage.FORMER_NAMES.values(),
    *metrics.ALWAYS,
    *{*options.BUDGET_OPTIONS, *options.PROMPT_OPTIONS, *options.ALIASES} - LM_EVALS_OWN,
    *(places.TRACES_FILE, places.SWEEP_FILE, places.ANSWER_START),
}
EVERYWHERE = {
    *(text for pair in (*thinking.FAMILIES, *thinking.ANSWERS, thinking.HARMONY) for text in pair),
    *(rows.hub for rows in tasks.TASKS.values()),
    *(board.dataset for board in tasks.LEADERBOARDS.values()),
    *(rows.title for rows in tasks.TASKS.values()),
}
ROOMS = {
    "s1_models": {*NAMES, *EVERYWHERE, *OUTCOMES},
    "s1_tasks": {*NAMES, *EVERYWHERE, *OUTCOMES},
    "s1_report": {*NAMES, *EVERYWHERE, *OUTCOMES},
    "training/nano": {*NAMES, *EVERYWHERE},
    # Curation and fine-tuning have columns of their own, which happen to have some of these names.
    "training": EVERYWHERE,
}
ANOTHER_MEANING = {
    ("s1_models/policies/rejection.py", "cut_off"): "a value of rejection_fallback",
    ("s1_models/options.py", "cut_off"): "a value of rejection_fallback",
    ("s1_tasks/answers/judge.py", "correct"): "the vote that all right answers share",
    ("s1_tasks/answers/find/thinking.py", "answer_start"): "the attribute of a response, for texts that may be plain",
    ("s1_report/audit.py", "correct"): "a field of the page: true or false",
}


def spelt_in(path: Path, texts: set[str]) -> list[tuple[int, str]]:
    """(line, text) of every string constant of a file that is one of the texts."""
    tree = ast.parse(path.read_text())
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [(node.lineno, node.value) for node in constants if node.value in texts]


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_of_the_contract_is_spelt_in_a_room(room: str) -> None:
    listed = subprocess.run(["git", "ls-files", f"{room}/**.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert names
    spelt = [
        f"{name}:{line} spells {text!r}"
        for name in names
        for line, text in spelt_in(ROOT / name, ROOMS[room])
        if (name, text) not in ANOTHER_MEANING
    ]
    assert not spelt, f"take it from s1_contract: {'; '.join(spelt)}"


@pytest.mark.parametrize(("name", "text"), ANOTHER_MEANING)
def test_an_exception_is_still_needed(name: str, text: str) -> None:
    assert spelt_in(ROOT / name, {text}), f"{name} no longer spells {text!r}: remove it from ANOTHER_MEANING"


def test_the_usage_fields_are_the_constants_beside_them() -> None:
    constants = {value for name, value in vars(usage).items() if name.isupper() and isinstance(value, str)}
    assert constants == set(usage.USAGE_FIELDS)
