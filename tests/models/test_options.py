"""Options: defaults, overriding, aliases, and errors that name the nearest known name."""

from pathlib import Path

import pytest

from s1_models.forcing import Budget, BudgetError
from s1_models.formats import HARMONY, NO_THINKING, PROMPTED, S1, THINK, Format, FormatError
from s1_models.nano_model import find_model
from s1_models.options import OptionError, resolve, split_options, take_thinking_switch
from s1_models.policies.rejection import DEFAULT_TRIES, Rejection

SAMPLING = frozenset({"temperature", "top_p", "seed", "min_p"})


def test_without_options_the_budget_is_the_default_and_decoding_greedy() -> None:
    settings = resolve({}, {"until": []}, SAMPLING)
    assert settings.budget == Budget()
    assert settings.form is None
    assert dict(settings.sampling) == {"temperature": 0.0}
    assert settings.samples == 1


def test_gen_kwargs_override_model_args_per_task() -> None:
    settings = resolve({"num_waits": 4, "wait_text": "Hmm"}, {"num_waits": 2}, SAMPLING)
    assert (settings.budget.num_waits, settings.budget.wait_text) == (2, "Hmm")


@pytest.mark.parametrize("auto", ["auto", None])
def test_auto_thinking_is_what_the_context_leaves(auto: object) -> None:
    assert resolve({"max_thinking_tokens": auto}, {}, SAMPLING).budget.max_thinking_tokens is None
    assert (
        resolve({"max_thinking_tokens": 5}, {"max_thinking_tokens": auto}, SAMPLING).budget.max_thinking_tokens is None
    )


def test_numbers_may_come_as_text() -> None:
    assert resolve({"num_waits": "3", "max_thinking_tokens": "500"}, {}, SAMPLING).budget.max_thinking_tokens == 500


def test_sampling_given_explicitly_wins_over_do_sample_false() -> None:
    settings = resolve({}, {"do_sample": False, "temperature": 0.6, "top_p": 0.95}, SAMPLING)
    assert dict(settings.sampling) == {"temperature": 0.6, "top_p": 0.95}


def test_do_sample_without_a_temperature_leaves_it_to_the_engine() -> None:
    assert dict(resolve({}, {"do_sample": True}, SAMPLING).sampling) == {}


@pytest.mark.parametrize(("limit", "answer"), [(32768, 1024), (256, 256)])
def test_the_tasks_length_limit_bounds_the_answer(limit: int, answer: int) -> None:
    assert resolve({}, {"max_gen_toks": limit}, SAMPLING).budget.max_answer_tokens == answer
    assert resolve({"max_answer_tokens": 99}, {"max_gen_toks": limit}, SAMPLING).budget.max_answer_tokens == 99


def test_s1s_own_names_are_accepted() -> None:
    ours, rest = split_options(
        {"max_tokens_thinking": "auto", "thinking_n_ignore": 2, "thinking_n_ignore_str": "Hmm", "temperature": 1}
    )
    assert ours == {"max_thinking_tokens": "auto", "num_waits": 2, "wait_text": "Hmm"}
    assert rest == {"temperature": 1}


def test_s1s_ignoring_without_a_string_appends_nothing() -> None:
    assert split_options({"thinking_n_ignore": 2})[0] == {"num_waits": 2, "wait_text": ""}
    assert split_options({"min_tokens_thinking": 9})[0] == {"min_thinking_tokens": 9, "wait_text": ""}
    assert "wait_text" not in split_options({"min_thinking_tokens": 9})[0]


def test_s1s_ignoring_keeps_a_wait_text_that_the_run_has() -> None:
    assert resolve({"wait_text": "Hmm"}, {"thinking_n_ignore": 2}, SAMPLING).budget == Budget(2, "Hmm")


def test_an_option_given_twice_is_an_error() -> None:
    with pytest.raises(OptionError, match="num_waits is given twice"):
        split_options({"num_waits": 1, "thinking_n_ignore": 2})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_wait": 2}, "unknown generation option 'num_wait': did you mean 'num_waits'"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"num_waits": "two"}, "num_waits='two': expected a whole number"),
        ({"max_thinking_tokens": 1.5}, "max_thinking_tokens=1.5: expected a whole number or auto"),
        ({"chat_template": "maybe"}, "chat_template='maybe': expected one of auto, always, never"),
        ({"max_thinking_token": 3}, "did you mean 'max_thinking_tokens'"),
        ({"seed": "abc"}, "seed='abc': expected a whole number"),
        ({"n": 0}, "n=0: expected at least 1"),
    ],
)
def test_a_wrong_option_says_what_was_expected(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve({}, options, SAMPLING)


def test_an_impossible_budget_is_a_budget_error() -> None:
    with pytest.raises(BudgetError, match="max_thinking_tokens=-1"):
        resolve({}, {"max_thinking_tokens": -1}, SAMPLING)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("s1", S1),
        ("think", THINK),
        ("harmony", HARMONY),
        ("prompted", PROMPTED),
        ("none", NO_THINKING),
        ("<a>...</a>", Format("custom", "<a>", "</a>", ("</a>",))),
        ({"start": "<a>", "end": "</a>", "stops": "</b>"}, Format("custom", "<a>", "</a>", ("</b>", "</a>"))),
        ({"start": "<a>", "end": "<b>final", "stops": ["<b>"]}, Format("custom", "<a>", "<b>final", ("<b>",))),
    ],
)
def test_a_thinking_format_has_a_name_or_is_spelt_out(value: object, form: Format) -> None:
    assert resolve({"thinking_format": value}, {}, SAMPLING).form == form


@pytest.mark.parametrize(
    "value",
    [
        *("s2", "<a>...", {"start": "<a>"}, {"start": "a", "end": "b", "halt": "c"}, 3),
        *({"start": "a", "end": "b", "stops": 3}, {"start": "a", "end": "b", "stops": [""]}),
    ],
)
def test_an_unknown_thinking_format_lists_what_there_is(value: object) -> None:
    with pytest.raises(FormatError, match=r"expected auto, s1, think, harmony, .*prompted, none, START\.\.\.END"):
        resolve({"thinking_format": value}, {}, SAMPLING)


def test_the_thinking_can_be_sampled_differently_from_the_answer() -> None:
    settings = resolve({}, {"temperature": 0.2, "temperature_thinking": 0.9, "top_p_thinking": 0.8}, SAMPLING)
    assert dict(settings.sampling) == {"temperature": 0.2}
    assert dict(settings.thinking_sampling or ()) == {"temperature": 0.9, "top_p": 0.8}
    assert resolve({}, {"temperature": 0.2}, SAMPLING).thinking_sampling is None
    only = resolve({}, {"temperature_thinking": 0.9}, SAMPLING)
    assert (dict(only.sampling), dict(only.thinking_sampling or ())) == ({"temperature": 0.0}, {"temperature": 0.9})


@pytest.mark.parametrize("name", ["temprature_thinking", "thinking_foo", "until_thinking_3"])
def test_an_unknown_option_of_the_thinking_is_an_error(name: str) -> None:
    with pytest.raises(OptionError, match=f"unknown generation option '{name}'"):
        resolve({}, {name: 1}, SAMPLING)


@pytest.mark.parametrize(
    ("given", "start", "end", "stops"),
    [
        ({"thinking_start": "<|im_start|>"}, "<|im_start|>", S1.end, S1.stops),
        ({"thinking_end": "<|im_start|>answer\nSo:"}, S1.start, "<|im_start|>answer\nSo:", S1.stops),
        ({"thinking_end": "</t>"}, S1.start, "</t>", (*S1.stops, "</t>")),
        ({"until_thinking": "<|im_start|>0"}, S1.start, S1.end, ("<|im_start|>0", "<|im_end|>", S1.end)),
        (
            {"until_thinking": "A", "until_thinking_2": "B", "thinking_end": "<|im_start|>answer\nSo:"},
            *(S1.start, "<|im_start|>answer\nSo:", ("A", "B", "<|im_end|>", S1.end)),
        ),
    ],
)
def test_s1s_own_way_of_spelling_a_format_out(
    given: dict[str, str], start: str, end: str, stops: tuple[str, ...]
) -> None:
    form = resolve({}, given, SAMPLING).form
    assert form is not None
    assert (form.start, form.end, set(form.stops)) == (start, end, set(stops))
    assert form.answer_stops == S1.answer_stops


def test_s1s_spelling_is_put_together_from_model_args_and_gen_kwargs() -> None:
    form = resolve({"thinking_start": "<a>"}, {"thinking_end": "<b>"}, SAMPLING).form
    assert form is not None
    assert (form.start, form.end) == ("<a>", "<b>")
    with pytest.raises(OptionError, match="thinking_format and thinking_start both say how"):
        resolve({"thinking_start": "<a>"}, {"thinking_format": "think"}, SAMPLING)


def test_rejection_sampling_is_asked_for_by_a_number_or_by_s1s_switch() -> None:
    sampled = {"temperature": 1, "max_thinking_tokens": 50}
    assert resolve({}, sampled, SAMPLING).rejection is None
    assert resolve({}, {**sampled, "rejection_tries": 7}, SAMPLING).rejection == Rejection(7)
    error = {**sampled, "rejection_tries": 7, "rejection_fallback": "error"}
    assert resolve({}, error, SAMPLING).rejection == Rejection(7, "error")
    for switch in (True, "true", "True", 1):
        assert resolve({}, {**sampled, "rejection_sample": switch}, SAMPLING).rejection == Rejection(DEFAULT_TRIES)
    assert resolve({"rejection_tries": 7}, {**sampled, "rejection_sample": "false"}, SAMPLING).rejection is None
    with pytest.raises(OptionError, match=r"rejection_sample='often': expected true or false"):
        resolve({}, {"rejection_sample": "often"}, SAMPLING)


@pytest.mark.parametrize(
    ("options", "answer"), [({}, 1024), ({"max_gen_toks": 32768}, 32768), ({"max_answer_tokens": 99}, 99)]
)
def test_an_answer_without_thinking_may_be_as_long_as_the_task_says(options: dict[str, int], answer: int) -> None:
    assert resolve({}, options, SAMPLING).plain_answer_tokens == answer


@pytest.mark.parametrize(
    ("arguments", "thinks", "left"),
    [
        ({}, True, {}),
        ({"enable_thinking": True, "dtype": "auto"}, True, {"dtype": "auto"}),
        ({"enable_thinking": "False"}, False, {}),
        ({"chat_template_args": {"enable_thinking": False, "a": 1}}, False, {"chat_template_args": {"a": 1}}),
    ],
)
def test_the_switch_of_the_chat_template_is_taken_out_of_the_model_args(
    arguments: dict[str, object], thinks: bool, left: dict[str, object]
) -> None:
    given = dict(arguments)
    assert take_thinking_switch(given) is thinks
    assert given == left


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("64 steps", "Think for up to 64 steps."),
        ("2048tokens", "Think for up to 2048 tokens."),
        ("2048_tokens", "Think for up to 2048 tokens."),
        ("short", "Answer after a short amount of thinking. Do not spend excessive time double-checking your work."),
        (None, ""),
    ],
)
def test_a_length_can_be_asked_for_in_the_prompt(wanted: object, text: str) -> None:
    assert resolve({}, {"think_for": wanted}, SAMPLING).thinking_request == text


@pytest.mark.parametrize("wanted", ["64", "0 steps", "2 hours", 64])
def test_a_length_that_no_prompt_has_is_an_error(wanted: object) -> None:
    with pytest.raises(OptionError, match="expected '64 steps', '2048 tokens', long or short"):
        resolve({}, {"think_for": wanted}, SAMPLING)


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("PROMPTSTEP", "64", "64 steps"),
        ("PROMPTTOKEN", "2048", "2048 tokens"),
        ("PROMPTLONG", "true", "long"),
        ("PROMPTSHORT", "true", "short"),
    ],
)
def test_s1s_variables_are_not_ignored_in_silence(
    name: str, value: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(
        OptionError, match=rf"{name}={value} is set.*unset it, and give --gen_kwargs 'think_for={instead}'"
    ):
        resolve({}, {}, SAMPLING)
    assert resolve({}, {"think_for": instead}, SAMPLING).thinking_request


def test_the_embedded_model_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Path(find_model("nano")) / "config.json").exists()
    assert find_model("somebody/model") == "somebody/model"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nano").mkdir()
    (tmp_path / "nano" / "config.json").write_text("{}", encoding="utf-8")
    assert find_model("nano") == "nano", "a folder of the user's own is meant"
