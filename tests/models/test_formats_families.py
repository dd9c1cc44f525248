"""Every model family, with its real special tokens and template shape: detection, splices, where the answer is."""

from collections.abc import Callable
from typing import Any

import pytest

from s1_models.engines.openai.lm import S1OpenAI
from s1_models.forcing import Tokens
from s1_models.formats import HARMONY, NO_THINKING, PROMPTED, S1, THINK, Format, FormatError, detect, detect_format
from s1_models.options import OptionError
from s1_tasks.answers import judge
from tests.models import tokenizers_made_here as made
from tests.models.scripted_lm import ANSWER, THOUGHT, ScriptedLM, forced, next_token, thinker
from tests.scripted_engine import NextToken

# family: tokenizer, its format, what the prompt ends with, and the delimiter that is forced before the thinking.
FAMILIES: dict[str, tuple[Callable[[], Any], Format, str, list[str]]] = {
    "s1": (made.chatml, S1, "assistant\n", ["<|im_start|>think"]),
    "DeepSeek-R1": (made.deepseek_r1, THINK, "<｜Assistant｜><think>\n", []),
    "QwQ": (made.qwq, THINK, "<think>\n", []),
    "Qwen3": (made.qwen3, THINK, "assistant\n", ["<think>"]),
    "gpt-oss": (made.gpt_oss, HARMONY, "<|start|>assistant", ["<|channel|>analysis<|message|>"]),
    "tags as text": (made.llama_with_tags_as_text, THINK, "<think>\n", []),
}


def lm_of(family: str, **arguments: Any) -> ScriptedLM:
    tokenizer = FAMILIES[family][0]()
    form = FAMILIES[family][1]
    return ScriptedLM(tokenizer, thinker(tokenizer, form), **arguments)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_format_is_detected_and_the_prompt_is_the_template_s(family: str) -> None:
    make, form, ending, _ = FAMILIES[family]
    assert detect_format(make()) == form
    lm = lm_of(family)
    lm.ask(["What is six times seven?"])
    prompt = lm.tokenizer.decode(lm.engine.history[0].prefix)
    opening = "".join(FAMILIES[family][3])
    assert prompt.endswith(f"{ending}{opening}")
    assert prompt.count("What is six times seven?") == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wait_takes_the_place_of_the_end_and_the_answer_follows_the_last_one(family: str) -> None:
    _, form, prompt_end, opening = FAMILIES[family]
    (transcript,) = lm_of(family).ask(["?"], num_waits=2)
    assert forced(transcript) == [*opening, "Wait", "Wait", form.end]
    first = THOUGHT.lstrip() if prompt_end.endswith("<think>\n") else THOUGHT
    assert transcript == f"{''.join(opening)}{first}Wait{THOUGHT}Wait{THOUGHT}{form.end}{ANSWER}"
    assert transcript.usage["waits_used"] == 2
    assert judge(transcript, "42").correct
    assert not judge(transcript, "7").correct


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_asks_for_the_answer_in_the_family_s_own_way(family: str) -> None:
    _, form, _, opening = FAMILIES[family]
    (transcript,) = lm_of(family).ask(["?"], max_thinking_tokens=9)
    assert forced(transcript) == [*opening, f"\n{form.end}{form.after_end}Final Answer:"]
    assert transcript.usage["thinking_tokens"] == 9
    assert transcript.usage["cut_off"] == 1
    assert judge(transcript, "42").correct


@pytest.mark.parametrize("apply", [True, False], ids=["template by the harness", "template by us"])
def test_thinking_that_the_template_switched_off_is_not_opened_again(apply: bool) -> None:
    lm = lm_of("Qwen3", enable_thinking="False")
    question = lm.apply_chat_template([{"role": "user", "content": "?"}]) if apply else "?"
    (transcript,) = lm.ask([question], max_gen_toks=300)
    (request,) = lm.engine.history
    assert lm.tokenizer.decode(request.prefix).endswith("<think>\n\n</think>\n\n")
    assert request.max_tokens == 300, "a plain answer is not held to max_answer_tokens, but to what the task allows"
    assert transcript == ANSWER.lstrip()
    assert (transcript.usage["thinking_tokens"], transcript.usage["answer_tokens"]) == (0, len(transcript))
    assert judge(transcript, "42").correct


@pytest.mark.parametrize(
    "options", [{"num_waits": 1}, {"max_thinking_tokens": 5}, {"min_thinking_tokens": 5}, {"rejection_tries": 2}]
)
def test_a_budget_for_thinking_that_is_switched_off_is_an_error(options: dict[str, int]) -> None:
    if "rejection_tries" in options:
        options = {**options, "temperature": 1}
    name = next(iter(options))
    with pytest.raises(OptionError, match=rf"{name}=\d can have no effect: the chat template has closed"):
        lm_of("Qwen3", enable_thinking=False).ask(["?"], **options)
    with pytest.raises(OptionError, match=rf"{name}=\d can have no effect: with thinking_format=none"):
        lm_of("s1").ask(["?"], thinking_format="none", **options)


@pytest.mark.parametrize("switch", [{}, {"enable_thinking": True}, {"enable_thinking": "true"}])
def test_thinking_is_on_unless_it_is_switched_off(switch: dict[str, object]) -> None:
    (transcript,) = lm_of("Qwen3", **switch).ask(["?"])
    assert transcript.startswith("<think>")


@pytest.mark.parametrize(("thinks", "ending"), [(True, "assistant\n"), (False, "<think>\n\n</think>\n\n")])
def test_the_switch_reaches_the_template_of_a_model_behind_a_server(thinks: bool, ending: str) -> None:
    lm = object.__new__(S1OpenAI)  # without a server: only its chat template is asked
    lm.tokenizer, lm.template_thinks = made.qwen3(), thinks
    assert lm.apply_chat_template([{"role": "user", "content": "?"}]).endswith(ending)


def test_without_a_format_the_model_just_answers() -> None:
    tokenizer = made.llama_instruct()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING, answer=ANSWER), thinking_format="none")
    (transcript,) = lm.ask(["?"], max_gen_toks=2000)
    assert forced(transcript) == []
    assert transcript == ANSWER.lstrip()
    assert lm.engine.history[0].max_tokens == 2000
    assert lm.tokenizer.decode(lm.engine.history[0].prefix).endswith("assistant<|end_header_id|>\n\n")


@pytest.mark.parametrize("apply", [True, False], ids=["template by the harness", "template by us"])
def test_an_instruction_model_is_asked_to_think_in_plain_text(apply: bool) -> None:
    tokenizer = made.llama_instruct()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, PROMPTED), thinking_format="prompted", num_waits=1)
    question = lm.apply_chat_template([{"role": "user", "content": "Why?"}]) if apply else "Why?"
    (transcript,) = lm.ask([question])
    prompt = lm.tokenizer.decode(lm.engine.history[0].prefix)
    assert f"Why?\n\n{PROMPTED.instruction}<|eot_id|>" in prompt
    assert prompt.endswith("assistant<|end_header_id|>\n\n<thinking>")
    assert transcript == f"<thinking>{THOUGHT}Wait{THOUGHT}</thinking>{ANSWER}"
    assert judge(transcript, "42").correct


def test_the_instruction_also_stands_in_a_prompt_without_a_template() -> None:
    lm = ScriptedLM(made.plain(), thinker(made.plain(), PROMPTED), thinking_format="prompted")
    lm.ask(["Why?"])
    assert lm.tokenizer.decode(lm.engine.history[0].prefix) == f"Why?\n\n{PROMPTED.instruction}<thinking>"


@pytest.mark.parametrize("make", [made.llama_instruct, made.plain, made.qwen3_instruct, made.qwen2_instruct])
def test_a_model_of_which_nothing_says_that_it_thinks_just_answers(
    make: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = make()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING))
    with caplog.at_level("WARNING"):
        (transcript,) = lm.ask(["?"])
    assert forced(transcript) == []
    assert judge(transcript, "42").correct
    (said,) = [record.message for record in caplog.records if "thinking format none" in record.message]
    assert "thinking_format= one of s1 (<|im_start|>think ... <|im_start|>answer)" in said


@pytest.mark.parametrize("make", [made.llama_instruct, made.qwen2_instruct])
def test_a_budget_for_a_model_that_does_not_think_is_an_error_that_says_how_to_force(make: Callable[[], Any]) -> None:
    tokenizer = make()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING))
    with pytest.raises(OptionError, match=r"num_waits=2 can have no effect: no sign was .*thinking_format= one of s1"):
        lm.ask(["?"], num_waits=2)
    (transcript,) = lm.ask(["?"], num_waits=2, thinking_format="prompted")
    assert forced(transcript)[0] == "<thinking>"


def begins_with(tokenizer: Any, opening: str) -> NextToken:
    """A model that opens its own thinking with a text, and then thinks as s1 does."""
    inner = thinker(tokenizer, S1)

    def write(prefix: Tokens) -> int:
        text = tokenizer.decode(list(prefix), skip_special_tokens=False)
        turn = text.rpartition("assistant\n")[2]
        if not turn.startswith(opening) and opening.startswith(turn):
            return next_token(tokenizer, text, opening)
        return inner(prefix)

    return write


@pytest.mark.parametrize(("opening", "form"), [("<|im_start|>think\n", S1), ("<|im_start|>thinker", NO_THINKING)])
def test_a_chatml_model_is_asked_once_whether_it_thinks(opening: str, form: Format) -> None:
    tokenizer = made.qwen2_instruct()
    lm = ScriptedLM(tokenizer, begins_with(tokenizer, opening))
    lm.ask(["?", "??"])
    lm.ask(["?"])
    assert lm.detected_format() == form
    asked = [request for request in lm.engine.history if "17 times 3" in tokenizer.decode(list(request.prefix))]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("simplescaling/s1-32B", S1),
        ("simplescaling/s1.1-32B", S1),
        ("/data/s1.1-1.5B-AWQ", S1),
        ("~/.cache/huggingface/hub/models--simplescaling--s1-32B/snapshots/0f", S1),
        ("Qwen/Qwen2.5-32B-Instruct", NO_THINKING),
        ("HuggingFaceTB/SmolLM2-1.7B-Instruct", NO_THINKING),
        ("some/models1-7B", NO_THINKING),
    ],
)
def test_s1_s_own_models_are_known_by_name(name: str, form: Format) -> None:
    assert detect(made.qwen2_instruct(), name).form == form


def test_a_checkpoint_can_say_how_it_thinks() -> None:
    tokenizer = made.qwen3()
    tokenizer.init_kwargs["thinking_format"] = "s1"
    assert detect_format(tokenizer) is S1
    tokenizer.init_kwargs["thinking_format"] = {"start": "<a>", "end": "</a>"}
    assert detect_format(tokenizer) == Format("custom", "<a>", "</a>", ("</a>",))
    tokenizer.init_kwargs["thinking_format"] = "loud"
    with pytest.raises(FormatError, match=r"tokenizer_config\.json says thinking_format='loud'"):
        detect_format(tokenizer)


def test_the_detected_format_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    lm = lm_of("gpt-oss")
    with caplog.at_level("INFO"):
        lm.ask(["?", "??"])
        lm.ask(["?"])
    said = [record.message for record in caplog.records if "thinking format" in record.message]
    assert len(said) == 1
    assert "harmony" in said[0]


def test_a_delimiter_that_has_to_be_looked_for_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        lm_of("tags as text").ask(["?", "??"])
        lm_of("QwQ").ask(["?"])
    said = [record.message for record in caplog.records if "looked for in the text" in record.message]
    assert said == [
        "'</think>' is no single token of this vocabulary: it is looked for in the text, 64 tokens at a time"
    ]


@pytest.mark.parametrize("end", ["</thought>", "\n### Answer:", "END OF THINKING"])
def test_an_own_format_of_several_ordinary_tokens_works(end: str) -> None:
    tokenizer = made.llama_instruct()
    form = Format("custom", "<<", end, (end,))
    lm = ScriptedLM(tokenizer, thinker(tokenizer, form, thought="a > b, </though, END"), thinking_format=f"<<...{end}")
    (transcript,) = lm.ask(["?"], num_waits=1)
    assert forced(transcript) == ["<<", "Wait", end]
    assert transcript == f"<<a > b, </though, ENDWaita > b, </though, END{end}{ANSWER}"


def test_an_empty_wait_needs_an_end_of_one_token() -> None:
    with pytest.raises(OptionError, match=r"an empty wait_text cannot suppress '</think>', which is no single token"):
        lm_of("tags as text").ask(["?"], num_waits=1, wait_text="")
    (transcript,) = lm_of("QwQ").ask(["?"], num_waits=1, wait_text="")
    assert transcript.usage["waits_used"] == 1


def test_s1_s_delimiters_work_in_a_vocabulary_without_them() -> None:
    tokenizer = made.llama_instruct()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, S1), thinking_format="s1")
    (transcript,) = lm.ask(["?"], num_waits=1)
    assert transcript == f"<|im_start|>think{THOUGHT}Wait{THOUGHT}<|im_start|>answer{ANSWER}"
