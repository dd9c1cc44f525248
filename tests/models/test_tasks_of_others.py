"""Tasks that s1_tasks does not score: their filters get the answer, not the thinking before it."""

import json
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval.tasks import TaskManager

from s1_contract.response import Response
from s1_models.formats import S1
from s1_models.options import OptionError, resolve
from s1_tasks import TASKS_DIR
from tests.models.scripted_lm import SAMPLING_NAMES, ScriptedLM, thinker

THOUGHT = "\nThe answer is (B)? Then 7.\n"
ANSWER = "\n(A) because\n\nQ: next"
# As bbh_fewshot and some thousand other files of lm_eval: exact_match, and no filter but the first one's.
EXACT = """
task: shape_exact
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{target}}}}"
generation_kwargs: {{until: [" because", "Q:"], num_beams: 1, max_gen_toks: 32}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
# As MMLU-Pro: the first match counts.
FIRST_MATCH = (
    EXACT.replace("shape_exact", "shape_first")
    + """
filter_list:
  - name: first
    filter: [{{function: regex, regex_pattern: "\\\\(([AB])\\\\)"}}, {{function: take_first}}]
"""
)
OURS = """
include: {tasks}/s1_nano.yaml
task: shape_ours
"""


@pytest.fixture
def shapes(tmp_path: Path) -> TaskManager:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"question": f"{n}?", "target": "(A)"}) + "\n" for n in range(3)))
    for name, text in {"exact": EXACT, "first": FIRST_MATCH, "ours": OURS}.items():
        (tmp_path / f"{name}.yaml").write_text(text.format(rows=rows, tasks=TASKS_DIR))
    (tmp_path / "first.yaml").write_text((tmp_path / "first.yaml").read_text().replace('target}}"', 'target[1:-1]}}"'))
    return TaskManager(include_path=str(tmp_path), include_defaults=False)


def evaluate(shapes: TaskManager, tokenizer: Any, tasks: list[str], **arguments: Any) -> dict[str, Any]:
    gen_kwargs = arguments.pop("gen_kwargs", None)
    lm = ScriptedLM(tokenizer, thinker(tokenizer, S1, THOUGHT, ANSWER), **arguments)
    lm.think_end_token = arguments.get("think_end_token")
    found = lm_eval.simple_evaluate(lm, tasks=tasks, task_manager=shapes, limit=2, gen_kwargs=gen_kwargs)
    assert found is not None
    return found


def responses(found: dict[str, Any], task: str) -> list[Response]:
    return [response for sample in found["samples"][task] for response in sample["resps"][0]]


def test_exact_match_without_a_filter_scores_the_answer(shapes: TaskManager, nano_tokenizer: Any) -> None:
    found = evaluate(shapes, nano_tokenizer, ["shape_exact"], num_waits=1)
    assert found["results"]["shape_exact"]["exact_match,none"] == 1.0
    for response in responses(found, "shape_exact"):
        assert response == response.answer == "(A)"
        assert response.usage["waits_used"] == 1
        whole = "".join(span["text"] for span in response.spans)
        assert whole.count(THOUGHT) == 2, "traces and audit keep all of it"


def test_a_first_match_is_looked_for_in_the_answer(shapes: TaskManager, nano_tokenizer: Any) -> None:
    first = evaluate(shapes, nano_tokenizer, ["shape_first"])
    assert first["results"]["shape_first"]["exact_match,first"] == 1.0
    whole = evaluate(shapes, nano_tokenizer, ["shape_first"], response="whole")
    assert whole["results"]["shape_first"]["exact_match,first"] == 0.0
    assert THOUGHT in responses(whole, "shape_first")[0]
    by_task = evaluate(shapes, nano_tokenizer, ["shape_first"], response="whole", gen_kwargs={"response": "answer"})
    assert by_task["results"]["shape_first"]["exact_match,first"] == 1.0


def test_our_own_tasks_get_the_whole_text_and_may_get_the_answer(shapes: TaskManager, nano_tokenizer: Any) -> None:
    whole = responses(evaluate(shapes, nano_tokenizer, ["shape_ours"]), "shape_ours")
    assert all(THOUGHT in response and response.answer.lstrip().startswith("(A)") for response in whole)
    alone = responses(evaluate(shapes, nano_tokenizer, ["shape_ours"], response="answer"), "shape_ours")
    assert [str(response) for response in alone] == [response.answer.lstrip() for response in whole]


def test_both_kinds_in_one_run(shapes: TaskManager, nano_tokenizer: Any) -> None:
    found = evaluate(shapes, nano_tokenizer, ["shape_ours", "shape_exact"])
    assert THOUGHT in responses(found, "shape_ours")[0]
    assert responses(found, "shape_exact")[0] == "(A)"


def test_two_samples_of_a_task_of_others_are_both_there(shapes: TaskManager, nano_tokenizer: Any) -> None:
    found = evaluate(shapes, nano_tokenizer, ["shape_exact"], gen_kwargs={"n": 2, "temperature": 1.0})
    for sample in found["samples"]["shape_exact"]:
        assert [str(response) for response in sample["resps"][0]] == ["(A)", "(A)"]
        assert all(response.usage["thinking_tokens"] > 0 for response in sample["resps"][0])
    assert found["results"]["shape_exact"]["exact_match,none"] == 1.0


@pytest.mark.parametrize("task", ["shape_exact", "shape_ours"])
def test_a_think_end_token_cuts_as_it_does_in_lm_eval(shapes: TaskManager, nano_tokenizer: Any, task: str) -> None:
    class Loud(ScriptedLM):
        """A host with lm_eval's own option; the model closes its thinking once more in its answer."""

        think_end_token = "</think>"

    lm = Loud(nano_tokenizer, thinker(nano_tokenizer, S1, THOUGHT, "\nWell.</think> (A)"))
    found = lm_eval.simple_evaluate(lm, tasks=[task], task_manager=shapes, limit=1)
    assert found is not None
    assert responses(found, task) == ["(A)"]


def test_one_beam_is_what_we_do_and_more_are_refused() -> None:
    settings = resolve({}, {"num_beams": 1, "num_return_sequences": "1"}, SAMPLING_NAMES)
    assert settings.sampling == (("temperature", 0.0),)
    with pytest.raises(OptionError, match="num_beams=10: one text is written at a time here"):
        resolve({}, {"num_beams": 10}, SAMPLING_NAMES)


def test_a_response_of_another_kind_is_named() -> None:
    with pytest.raises(OptionError, match="response='short': expected one of auto, whole, answer"):
        resolve({"response": "short"}, {}, SAMPLING_NAMES)
