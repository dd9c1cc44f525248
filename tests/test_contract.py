"""What s1_models writes, s1_tasks can split and s1_report can read; nothing of the contract is spelt elsewhere."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from s1_contract import metrics, options, outcomes, places, tasks, thinking, usage
from s1_contract.errors import S1Error
from s1_contract.response import Response
from s1_contract.usage import USAGE_FIELDS
from s1_models.forcing import Budget, BudgetForcing, Finish, Reply, Session
from s1_models.formats import FORMATS, Format, mark
from s1_models.policies.plain import PlainAnswer
from s1_models.trace import transcribe
from s1_tasks.answers import judge
from s1_tasks.scoring import process_results
from tests.models.tokenizers_made_here import make_tokenizer

STEPS = Format("steps", "<|im_start|>", "<|im_start|>answer\nFinal Answer:", ())  # s1's step-conditional control


@pytest.mark.parametrize("form", [*FORMATS.values(), STEPS], ids=lambda form: form.name)
@pytest.mark.parametrize("finish", list(Finish))
def test_the_answer_is_found_after_the_thinking_of_every_format(form: Format, finish: Finish) -> None:
    """Thinking names 7 as boxed; the answer says 42: only what comes after the end of thinking counts."""
    harmony = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"]
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>", "<think>", "</think>", *harmony], "<|im_end|>")
    marks = mark(tokenizer, form, Budget(), frozenset({tokenizer.eos_token_id}))
    policy = BudgetForcing(Budget(), marks, context_window=4096)

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(text, add_special_tokens=False))

    session = policy.advance(policy.begin(tokens("?")), Reply(tokens("\nmaybe \\boxed{7}\n"), finish))

    def transcript_of(session: Session) -> Response:
        return transcribe(session, lambda ids: tokenizer.decode(list(ids)))

    unanswered = transcript_of(policy.advance(session, Reply((), Finish.STOP)))
    assert judge(unanswered, "7").answer != "7"
    answer = " 42" if finish is Finish.LENGTH else "\nFinal Answer: 42"
    session = policy.advance(session, Reply(tokens(answer), Finish.STOP))
    transcript = transcript_of(session)
    assert transcript[transcript.answer_start :] == transcript.answer
    assert "7" not in transcript.answer
    for text in (transcript, str(transcript)):
        assert judge(text, "42").correct
        assert not judge(text, "7").correct


def test_an_answer_without_thinking_begins_at_its_beginning() -> None:
    """Thinking closed by the chat template, and models that do not think: the text is the answer alone."""
    policy = PlainAnswer(100, frozenset({1}), context_window=400)
    tokenizer = make_tokenizer(["<|im_end|>"], "<|im_end|>")
    reply = Reply(tuple(tokenizer.encode("First 7.\nAnswer: 42", add_special_tokens=False)), Finish.STOP)
    session = policy.advance(policy.begin((2,)), reply)
    transcript = transcribe(session, lambda ids: tokenizer.decode(list(ids)))
    assert judge(transcript, "42").correct
    assert set(USAGE_FIELDS) - {"tries", "rejected_tokens", "probes", "probe_tokens"} == set(transcript.usage)


def test_scoring_reads_the_usage_a_transcript_carries() -> None:
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    marks = mark(tokenizer, FORMATS["s1"], Budget(num_waits=1), frozenset({tokenizer.eos_token_id}))
    policy = BudgetForcing(Budget(num_waits=1), marks, context_window=4096)
    session = policy.begin((1,))
    for reply in (Reply((5, 6), Finish.STOP), Reply((7,), Finish.STOP), Reply((8,), Finish.STOP)):
        session = policy.advance(session, reply)
    transcript = transcribe(session, lambda ids: tokenizer.decode(list(ids)))
    assert set(USAGE_FIELDS) - {"tries", "rejected_tokens", "probes", "probe_tokens"} == set(transcript.usage)
    metrics = process_results({"answer": "604", "answer_kind": "integer"}, [[transcript]])
    assert metrics["thinking_tokens"] == 3 + len(marks.wait)
    assert (metrics["waits_used"], metrics["cut_off"], metrics["answer_tokens"]) == (1, 0, 1)


# Nothing of the contract is spelt anywhere else: what two rooms share stands in s1_contract.

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


def test_the_tree_of_errors_has_every_error_where_it_is() -> None:
    """`S1Error`'s docstring against the classes of all packages."""
    root = Path(__file__).parents[1]
    patterns = ["s1_*/**.py", "s1_*/*.py", "training/**.py"]
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=root, capture_output=True, text=True, check=True)
    classes = [
        (node.name, {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}, path)
        for path in set(listed.stdout.split())
        for node in ast.walk(ast.parse((root / path).read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    found: dict[str, tuple[str, str]] = {}
    for _ in range(4):  # as deep as the tree may be
        for name, bases, path in classes:
            if parent := next(iter(bases & {"S1Error", *found}), None):
                found[name] = parent, path.removesuffix(".py").replace("/", ".")
    told: dict[str, tuple[str, str]] = {}
    above = ["S1Error"]
    for line in (S1Error.__doc__ or "").splitlines():
        if named := re.match(r"^([ │]*)[├└]─ (\w+) .*\(([\w.]+)\)$", line.strip("\n")):
            depth = (len(named[1]) - 5) // 4 + 1
            above = [*above[:depth], named[2]]
            told[named[2]] = above[depth - 1], named[3]
    assert told == found
