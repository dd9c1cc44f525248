"""The effect itself, on the committed checkpoint and a real engine: thinking longer has to keep helping.

Measured with 1,000 held-out problems: 38.5 % right at no wait, 91.7 % at two, 96.5 % at four, 14.2 % when cut at 12
tokens (results/raw/nano). With 150 problems the standard errors are at most 4 points; every margin below
leaves at least four of them.
"""

from typing import Any

from lm_eval.api.instance import Instance

from s1_tasks.nano_problems import held_out
from training.nano.attempts import ANSWER

PROBLEMS = held_out(150, seed=2)
SETTINGS = {
    "cut": {"max_thinking_tokens": 12},
    "none": {"num_waits": 0},
    "two": {"num_waits": 2},
    "four": {"num_waits": 4},
    "hmm": {"num_waits": 2, "wait_text": "Hmm"},
}


def test_accuracy_rises_with_waiting_on_the_committed_model(s1_lm: Any) -> None:
    greedy = {"until": [], "temperature": 0.0, "max_gen_toks": 16}
    requests = [
        Instance("generate_until", {}, (row["problem"], {**greedy, **options}), index, (name, index, 1))
        for name, options in SETTINGS.items()
        for index, row in enumerate(PROBLEMS)
    ]
    responses = iter(s1_lm.generate_until(requests, disable_tqdm=True))
    accuracy = {}
    for name in SETTINGS:
        right = 0
        for row in PROBLEMS:
            found = ANSWER.findall(next(responses))
            right += bool(found) and int(found[-1]) == int(row["answer"])
        accuracy[name] = right / len(PROBLEMS)
    assert accuracy["two"] - accuracy["none"] >= 0.35, accuracy
    assert accuracy["none"] - accuracy["cut"] >= 0.08, accuracy
    assert accuracy["four"] >= 0.88, accuracy
    assert accuracy["four"] >= accuracy["two"] - 0.05, accuracy
    # The gain is what the model learnt to do after "Wait": an unknown word in its place does not bring it.
    assert accuracy["hmm"] < accuracy["two"] - 0.35, accuracy
