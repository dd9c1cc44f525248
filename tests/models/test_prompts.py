"""Prompts as they are sent: turns, prefixes, switches and token ids, on the chat templates that TRL ships."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval.tasks import TaskManager

from s1_models.forcing import Tokens
from s1_models.formats import NO_THINKING, PROMPTED, S1, THINK, Format, FormatError, Opening, encode, spell
from s1_models.formats import detect as detect_by_files
from s1_models.harness.prompts import Prompts
from s1_models.harness.templates import ChatTemplate, Switch
from s1_models.options import OptionError, resolve
from tests.models import tokenizers_made_here as made
from tests.models.scripted_lm import ScriptedLM, forced, thinker

SPEC = find_spec("trl")
TRL = Path(next(iter(SPEC.submodule_search_locations or ()))) / "chat_templates" if SPEC else Path("none")
TEMPLATES = {path.stem: path.read_text() for path in sorted(TRL.glob("*.jinja"))}
SPECIAL = re.compile(r"<[|｜][^\s<>{}'\"]{1,40}[|｜]>|<\|?[a-z_:]{2,20}\|?>|</think>|<[a-z]+\|>|\[/?[A-Z]{4,20}\]")


def trl(name: str) -> Any:
    """A tokenizer with a template of TRL and every special token that it writes."""
    if name not in TEMPLATES:
        pytest.skip("TRL is not installed, or has no such chat template")
    special = [*dict.fromkeys(SPECIAL.findall(TEMPLATES[name])), "<bos>", "<eos>"]
    return made.make_tokenizer(list(dict.fromkeys(special)), "<eos>", TEMPLATES[name], bos_token="<bos>")


def made_with(template: str, special: Sequence[str] = ("<think>", "</think>", "<eos>")) -> Any:
    return made.make_tokenizer(list(special), "<eos>", template)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("system", ["", "Be brief, and careful."], ids=["alone", "with an instruction"])
def test_every_template_of_trl_takes_a_question_and_an_instruction(name: str, system: str) -> None:
    template = ChatTemplate(trl(name))
    text = template.ask("How many are 6 x 7?\nSay why.", system)
    assert text.count("How many are 6 x 7?") == 1
    assert system in text
    assert text.index(system) <= text.index("How many")
    assert text.endswith(template.frame[1])


# template of TRL: the variable that switches thinking, and whether thinking is on without it.
SWITCHES: dict[str, tuple[str, bool] | None] = {
    "qwen3": ("enable_thinking", True),
    "qwen3_5_nothink": ("enable_thinking", False),
    "glm4moe": ("enable_thinking", True),
    "nemotron_3_super": ("enable_thinking", True),
    "gemma4": ("enable_thinking", False),
    "gemma4_v5": ("enable_thinking", False),
    "qwen3_8": ("enable_thinking", True),
    "deepseek_r1_distill": None,
    "deepseekv3": None,
    "gptoss": None,
    "lfm2_2_5": None,
    "qwen2_5": None,
    "llama3_2": None,
}


@pytest.mark.parametrize("name", SWITCHES)
def test_the_switch_is_read_from_the_template(name: str) -> None:
    switch = ChatTemplate(trl(name)).switch
    assert (switch and (switch.name, switch.default_on)) == SWITCHES[name]


TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
# Shapes that TRL does not ship: the variable, its values, and whether thinking is on without it.
OWN_SHAPES = {
    "DeepSeek-V3.1": (
        "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
        + TURNS
        + "<assistant>{% if not thinking %}</think>{% else %}<think>{% endif %}",
        Switch("thinking", True, False, False),
    ),
    "any name": (
        TURNS + "{% if ponder is not defined or ponder %}<think>\n{% else %}<think>\n\n</think>{% endif %}",
        Switch("ponder", True, False, True),
    ),
    "modes": (
        TURNS + "{% if thinking_mode == 'enabled' %}<think>{% elif thinking_mode == 'disabled' %}</think>{% endif %}",
        Switch("thinking_mode", "enabled", "disabled", True),
    ),
    "an instruction": (
        "{% if reason | default(true) %}<s>/think{% else %}<s>/no_think{% endif %}" + TURNS,
        Switch("reason", True, False, True),
    ),
    "an effort": ("Reasoning: {{ reasoning_effort | default('medium') }}" + TURNS, None),
    "history alone": ("{% if keep_thinking %}{# old #}{% endif %}" + TURNS, None),
    "not about thinking": ("{% if add_date %}Today.{% endif %}" + TURNS, None),
}


@pytest.mark.parametrize("shape", OWN_SHAPES)
def test_switches_of_other_names_and_kinds_are_found(shape: str) -> None:
    template, expected = OWN_SHAPES[shape]
    found = ChatTemplate(made_with(template)).switch
    if expected is not None and expected.name == "thinking_mode":
        assert found is not None
        assert (found.name, found.off) == ("thinking_mode", "disabled")
    else:
        assert found == expected


def lm_of(tokenizer: Any, form: Format = THINK, **arguments: Any) -> ScriptedLM:
    return ScriptedLM(tokenizer, thinker(tokenizer, form), **arguments)


def sent(lm: ScriptedLM, place: int = 0) -> str:
    return lm.tokenizer.decode(list(lm.engine.history[place].prefix), skip_special_tokens=False)  # type: ignore[no-any-return]


def test_thinking_that_is_off_by_default_is_switched_on_under_its_own_name() -> None:
    lm = lm_of(made_with(OWN_SHAPES["DeepSeek-V3.1"][0]))
    (transcript,) = lm.ask(["?"], num_waits=1)
    assert sent(lm).endswith("<assistant><think>")
    assert transcript.usage["waits_used"] == 1


def test_a_budget_for_thinking_that_is_off_names_the_template_s_own_switch() -> None:
    lm = lm_of(made_with(OWN_SHAPES["DeepSeek-V3.1"][0]), enable_thinking=False)
    with pytest.raises(
        OptionError, match=r"num_waits=1 can have no effect: .* closed the thinking already \(thinking=F"
    ):
        lm.ask(["?"], num_waits=1)
    lm.ask(["?"])
    assert sent(lm).endswith("<assistant></think>")


@pytest.mark.parametrize("make", [made.gpt_oss, made.qwq, made.deepseek_r1, made.chatml, made.plain])
def test_switching_off_what_has_no_switch_is_an_error(make: Any) -> None:
    tokenizer = make()
    form = S1 if make is made.plain else detect_by_files(tokenizer).form
    lm = ScriptedLM(tokenizer, thinker(tokenizer, form), enable_thinking=False, thinking_format=form)
    with pytest.raises(OptionError, match=r"enable_thinking=False has no effect: .*max_thinking_tokens=0 cuts"):
        lm.ask(["?"])


def test_switching_off_a_model_that_does_not_think_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    from s1_models.harness import templates

    templates._warned.clear()
    tokenizer = made.qwen2_instruct()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING), enable_thinking=False)
    with caplog.at_level("WARNING"):
        lm.ask(["?"])
    assert "enable_thinking=False changes nothing" in caplog.text


def test_gemma_s_thinking_switched_off_is_not_opened() -> None:
    tokenizer = trl("gemma4_v5")
    on = lm_of(tokenizer, detect_by_files(tokenizer).form)
    on.ask(["?"])
    assert "<|think|>" in sent(on)
    assert sent(on).endswith("<|turn>model\n<|channel>thought")
    off = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING), enable_thinking=False)
    off.ask(["?"])
    assert sent(off).endswith("<|turn>model\n")
    assert "<|think|>" not in sent(off)


# What a template wants.

NEEDS_SYSTEM = (
    "{% if messages[0].role != 'system' %}{{ raise_exception('the first message must be a system message') }}"
    "{% endif %}" + TURNS + "<assistant>"
)
REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    + TURNS
    + "<assistant>"
)
PARTS_ONLY = (
    "{% for m in messages %}<{{ m.role }}>{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}"
    "{% endif %}{% endfor %}{% endfor %}<assistant>"
)
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}<assistant>"
)


@pytest.mark.parametrize(
    ("template", "alone", "instructed"),
    [
        (NEEDS_SYSTEM, "<system><user>Why?<assistant>", "<system>Be brief.<user>Why?<assistant>"),
        (REFUSES_SYSTEM, "<user>Why?<assistant>", "<user>Be brief.\n\nWhy?<assistant>"),
        (PARTS_ONLY, "<user>Why?<assistant>", "<system>Be brief.<user>Why?<assistant>"),
        (DROPS_SYSTEM, "<user>Why?<assistant>", "<user>Be brief.\n\nWhy?<assistant>"),
    ],
    ids=["needs a system message", "refuses one", "content parts only", "drops one"],
)
def test_a_template_gets_messages_in_the_way_it_takes_them(template: str, alone: str, instructed: str) -> None:
    made_here = ChatTemplate(made_with(template))
    assert made_here.ask("Why?") == alone
    assert made_here.ask("Why?", "Be brief.") == instructed
    lm = lm_of(made_with(template), thinking_format="think")
    assert lm.apply_chat_template([{"role": "user", "content": "Why?"}]) == alone


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('broken') }}", "hello", "{% if %}", "{{ messages[7].content }}"]
)
def test_a_template_that_cannot_ask_is_an_error_whose_advice_works(template: str) -> None:
    tokenizer = made_with(template)
    with pytest.raises(
        OptionError, match=r"this model's chat template .*: (\S+)=(\S+) sends prompts without it"
    ) as failed:
        lm_of(tokenizer, thinking_format="think").ask(["Why?"])
    name, value = re.findall(r"(\w+)=(\w+) sends", str(failed.value))[0]
    lm = lm_of(tokenizer, thinking_format="think", **{name: value})
    lm.ask(["Why?"])
    assert sent(lm) == "Why?<think>"


def test_a_question_that_the_template_loses_is_an_error() -> None:
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content.split('CUT')[0] }}{% endfor %}<assistant>"
    lm = lm_of(made_with(template), thinking_format="think")
    lm.ask(["Why?"])
    with pytest.raises(OptionError, match=r"loses the user message 'one CUT two'"):
        lm.ask(["one CUT two"])


# What the harness gives: instructions and the first words of answers.

ROWS = [{"q": "750 12", "a": "762"}, {"q": "6 x 7?", "a": "42"}]


@pytest.fixture
def task(tmp_path: Path) -> Any:
    """A task of lm_eval's own kind, with gen_prefix if wanted."""

    def make(**config: Any) -> dict[str, Any]:
        data = tmp_path / "rows.jsonl"
        data.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
        return {
            "task": "made_here",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{q}}",
            "doc_to_target": "{{a}}",
            "generation_kwargs": {"until": ["STOP"]},
            "metric_list": [{"metric": "exact_match"}],
            **config,
        }

    return make


def run(lm: ScriptedLM, config: Mapping[str, Any], **arguments: Any) -> Any:
    results: Any = lm_eval.simple_evaluate(
        lm, tasks=[dict(config)], task_manager=TaskManager(include_defaults=False), bootstrap_iters=0, **arguments
    )
    return [sample["resps"][0][0] for sample in results["samples"]["made_here"]]


@pytest.mark.parametrize("apply", [True, False], ids=["template by the harness", "template by us"])
def test_an_instruction_is_a_turn_of_its_own(task: Any, apply: bool) -> None:
    lm = lm_of(made.qwq())
    run(lm, task(), system_instruction="You are a careful mathematician.", apply_chat_template=apply)
    prompts = {sent(lm, place) for place in range(len(lm.engine.history))}
    assert (
        "<|im_start|>system\nYou are a careful mathematician.<|im_end|>\n<|im_start|>user\n750 12<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n" in prompts
    )


@pytest.mark.parametrize("apply", [True, False], ids=["template by the harness", "template by us"])
@pytest.mark.parametrize("make", [made.qwq, made.qwen3, made.deepseek_r1], ids=["opened", "not opened", "R1"])
def test_the_first_words_of_an_answer_follow_the_thinking(task: Any, make: Any, apply: bool) -> None:
    tokenizer = make()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, THINK, answer=" 762STOP and more"), num_waits=1)
    first, _ = run(lm, task(gen_prefix="The best answer is"), apply_chat_template=apply)
    prompt = sent(lm)
    assert "best answer" not in prompt
    assert prompt.rstrip().endswith("<think>")
    assert [text for text in forced(first) if text != "<think>"] == ["Wait", "</think>\n\nThe best answer is"]
    assert first.answer == " 762", "what the task's own filters get continues its own words"


@pytest.mark.parametrize("apply", [True, False], ids=["template by the harness", "template by us"])
def test_without_thinking_the_answer_s_first_words_stand_in_the_prompt(task: Any, apply: bool) -> None:
    tokenizer = made.qwen2_instruct()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING, answer=" 762STOP"))
    first, _ = run(lm, task(gen_prefix="The best answer is"), apply_chat_template=apply)
    assert sent(lm, 1).endswith("<|im_start|>assistant\nThe best answer is")
    assert first == " 762"


def test_a_base_model_reads_what_the_harness_wrote(task: Any) -> None:
    tokenizer = made.plain()
    lm = ScriptedLM(tokenizer, thinker(tokenizer, NO_THINKING), thinking_format="none")
    run(lm, task(gen_prefix="Answer:"))
    assert {sent(lm, place) for place in (0, 1)} == {"750 12 Answer:", "6 x 7? Answer:"}


def test_a_prompt_from_the_request_cache_is_taken_apart_again() -> None:
    """Another process made these prompts with the template, so nothing here remembers them."""
    for make in (made.qwq, made.deepseek_r1):
        writer = ChatTemplate(make())
        settings = resolve({}, {}, set())
        question = [{"role": "user", "content": "Why?"}]
        prompts = Prompts(make(), ChatTemplate(make()))
        plain = prompts.make(writer.ask("Why?"), settings, THINK)
        assert plain.text == writer.ask("Why?")
        begun = prompts.make(writer.begin_answer(question, "It is"), settings, THINK)
        assert (begun.text, begun.answer_prefix) == (plain.text, "It is")


# Token ids.


def adding(*around: str, template: str = made.CHATML_OPENED) -> Any:
    """A tokenizer that puts special tokens before and behind every text, as GLM's and some Llama tokenizers do."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = made.make_tokenizer(
        ["<|im_start|>", "<|im_end|>", "<think>", "</think>", "[gMASK]", "<sop>", "<s>", "</s>"], "</s>", template
    )
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in around if token != "$A"}
    tokenizer._tokenizer.post_processor = TemplateProcessing(single=" ".join(around), special_tokens=list(ids.items()))
    return tokenizer


@pytest.mark.parametrize(
    ("around", "template"),
    [
        (("$A", "</s>"), made.CHATML_OPENED),
        (("[gMASK]", "<sop>", "$A"), "[gMASK]<sop>" + made.CHATML_OPENED),
        (("<s>", "$A"), "<s>" + made.CHATML_OPENED),
        (("<s>", "$A", "</s>"), made.CHATML_OPENED),
    ],
    ids=["EOS", "GLM", "BOS twice", "BOS and EOS"],
)
def test_a_templated_prompt_has_the_special_tokens_of_the_template_and_no_others(
    around: Sequence[str], template: str
) -> None:
    tokenizer = adding(*around, template=template)
    lm = lm_of(tokenizer)
    lm.tok_encode = lambda text: tokenizer.encode(text, add_special_tokens=True)  # type: ignore[method-assign]
    lm.ask(["Why?"])
    expected = lm.prompts.template.ask("Why?")
    assert sent(lm) == expected
    ids = lm.engine.history[0].prefix
    assert list(ids) == tokenizer.encode(expected, add_special_tokens=False)
    assert ids.count(tokenizer.convert_tokens_to_ids(around[0])) <= 1 if around[0] != "$A" else ids[-1] != ids[0]


def test_a_bare_prompt_keeps_the_host_s_bos_but_no_eos_before_the_thinking() -> None:
    tokenizer = adding("<s>", "$A", "</s>", template="")
    tokenizer.chat_template = None
    lm = lm_of(tokenizer, thinking_format="think")
    lm.tok_encode = lambda text: tokenizer.encode(text, add_special_tokens=True)  # type: ignore[method-assign]
    lm.ask(["Why?"])
    assert sent(lm) == "<s>Why?<think>"


def sentencepiece() -> Any:
    """A tokenizer in the style of SentencePiece: a space in front of every text, bytes for what it lacks."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    pieces += [chr(code) for code in range(33, 127)]
    merges = [("▁", "W"), ("a", "i"), ("ai", "t"), ("▁W", "ait"), ("▁", "4"), ("▁4", "2"), ("4", "2"), ("W", "ait")]
    pieces += [left + right for left, right in merges]
    core = Tokenizer(
        models.BPE(
            vocab={p: i for i, p in enumerate(dict.fromkeys(pieces))},
            merges=merges,
            byte_fallback=True,
            unk_token="<unk>",
        )
    )
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<s>", "</s>")])
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@pytest.mark.parametrize("text", ["\n", "Wait", "</think>", "42.", ".", " 42", "\n\nFinal Answer:", "Wait, no"])
def test_a_sentencepiece_vocabulary_continues_a_text_with_exactly_what_is_meant(text: str) -> None:
    tokenizer = sentencepiece()
    before = tuple(tokenizer.encode("so it is x", add_special_tokens=False))
    for ids in (encode(tokenizer, text), spell(tokenizer, text)):
        assert tokenizer.decode(list(before + ids)) == "so it is x" + text
    assert encode(tokenizer, "\n") == (tokenizer.convert_tokens_to_ids("<0x0A>"),)


def test_a_text_that_a_vocabulary_cannot_write_is_an_error() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<unk>": 0, "word": 1, "<eos>": 2}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="<eos>")
    with pytest.raises(FormatError, match=r"this tokenizer cannot write '</think>', which comes back as '<unk>'"):
        spell(tokenizer, "</think>")


def test_thinking_works_on_a_sentencepiece_vocabulary() -> None:
    tokenizer = sentencepiece()
    tokenizer.chat_template = "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"
    lm = ScriptedLM(
        tokenizer, thinker(tokenizer, PROMPTED, answer="\nIt is 42."), thinking_format="prompted", num_waits=1
    )
    (transcript,) = lm.ask(["Why?"])
    assert forced(transcript) == ["<thinking>", "Wait", "</thinking>"]
    assert transcript.answer == "\nIt is 42."


def test_a_tokenizer_that_makes_ids_of_messages_is_refused_with_the_way_out() -> None:
    class MistralTokenizer:
        name_or_path = "mistral"

    with pytest.raises(OptionError, match="tokenizer_mode=hf"):
        Prompts(MistralTokenizer(), ChatTemplate(MistralTokenizer()))


def test_vllm_s_mistral_mode_is_refused_before_a_model_is_loaded() -> None:
    pytest.importorskip("vllm")
    from vllm.tokenizers.mistral import MistralTokenizer

    from s1_models.engines.vllm.lm import S1VLLM

    assert MistralTokenizer.__name__ == "MistralTokenizer", "the name that its instances are known by"
    with pytest.raises(OptionError, match="tokenizer_mode=hf"):
        S1VLLM(pretrained="nobody/no-model", tokenizer_mode="mistral")


# Texts after the question.


@pytest.mark.parametrize("apply", [True, False], ids=["template by the harness", "template by us"])
def test_a_prompt_style_stands_after_the_question(apply: bool) -> None:
    lm = lm_of(made.qwq(), prompt_style="boxed")
    question = lm.apply_chat_template([{"role": "user", "content": "Why?"}]) if apply else "Why?"
    lm.ask([question])
    assert re.search(r"user\nWhy\?\n\n[^\n]*\\boxed\{\}\.<\|im_end\|>", sent(lm))
    lm.ask([question], prompt_style="Answer in French.")
    assert "user\nWhy?\n\nAnswer in French.<|im_end|>" in sent(lm, len(lm.engine.history) - 2)
    lm.ask([question], prompt_style="bare")
    assert "user\nWhy?<|im_end|>" in sent(lm, len(lm.engine.history) - 2)
    with pytest.raises(OptionError, match="prompt_style=3: expected bare, boxed, or a text"):
        lm.ask([question], prompt_style=3)


def test_a_task_can_have_a_prompt_style_of_its_own(task: Any) -> None:
    lm = lm_of(made.qwq())
    run(lm, task(generation_kwargs={"until": [], "prompt_style": "boxed"}), system_instruction="Be brief.")
    assert re.search(r"system\nBe brief\.<\|im_end\|>\n<\|im_start\|>user\n750 12\n\n[^\n]*\\boxed\{\}", sent(lm))


# An answer that is empty.


def silent(tokenizer: Any) -> Any:
    """An instruction model that ends its turn inside the thinking, and answers only when it is asked."""

    def write(prefix: Tokens) -> int:
        text = tokenizer.decode(list(prefix), skip_special_tokens=False)
        plan = " 284." if text.rpartition("</thinking>")[2].lstrip().startswith("Final Answer:") else ""
        said = text.rpartition("Final Answer:")[2] if plan else ""
        rest = plan[len(said) :] if plan.startswith(said) else ""
        thought = "So 284." if text.endswith("<thinking>") else ""
        tokens = tokenizer.encode((rest or thought) + tokenizer.eos_token, add_special_tokens=False)
        if not plan and "<thinking>" in text and "</thinking>" not in text.rpartition("<thinking>")[2]:
            said = text.rpartition("<thinking>")[2]
            tokens = tokenizer.encode("So 284."[len(said) :] + tokenizer.eos_token, add_special_tokens=False)
        return int(tokens[0])

    return write


def test_a_model_that_ends_its_turn_in_the_thinking_is_asked_for_its_answer_once() -> None:
    tokenizer = made.llama_instruct()
    lm = ScriptedLM(tokenizer, silent(tokenizer), thinking_format="prompted")
    (transcript,) = lm.ask(["?"])
    assert forced(transcript) == ["<thinking>", "</thinking>", "\nFinal Answer:"]
    assert transcript.endswith("</thinking>\nFinal Answer: 284.")
    assert (transcript.usage["answer_asked"], transcript.usage["cut_off"]) == (1, 0)
    (bare,) = lm.ask(["?"], final_answer_text="")
    assert bare.endswith("</thinking>")
    assert bare.usage["answer_asked"] == 0


def test_what_a_prompt_has_opened_is_told_with_it() -> None:
    settings = resolve({}, {}, set())
    for make, opening in ((made.qwq, Opening.OPENED), (made.qwen3, Opening.NONE)):
        assert Prompts(make(), ChatTemplate(make())).make("?", settings, THINK).opening is opening
    off = Prompts(made.qwen3(), ChatTemplate(made.qwen3(), thinks=False)).make("?", settings, THINK)
    assert off.opening is Opening.CLOSED


# Dates.

DATED = "{{ 'Today is ' + strftime_now('%d %B %Y') + '. ' }}" + TURNS + "<assistant><think>"


def test_the_date_that_a_template_writes_is_told_and_can_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    from datetime import datetime

    today = datetime.now().strftime("%d %B %Y")  # noqa: DTZ005  (as transformers does)
    assert ChatTemplate(made_with(DATED)).dates() == (today,)
    kept = ChatTemplate(made_with(DATED), arguments={"strftime_now": "2025-01-31"})
    assert kept.ask("Why?").startswith("Today is 31 January 2025. ")
    assert kept.dates() == ("31 January 2025",)
    assert ChatTemplate(made.qwq()).dates() == ()
    with pytest.raises(OptionError, match="strftime_now='tomorrow': expected a date such as 2026-01-31"):
        ChatTemplate(made_with(DATED), arguments={"strftime_now": "tomorrow"})


def test_a_memo_says_that_it_holds_nothing_for_another_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for make, said in ((lambda: made_with(DATED), True), (made.qwq, False)):
        lm = lm_of(make(), memo=str(tmp_path / f"{said}.sqlite"))
        lm._identity = {"weights": "made here"}
        with caplog.at_level("INFO"):
            caplog.clear()
            lm.ask(["Why?"])
        assert ("holds nothing for another day" in caplog.text.replace("\n", " ")) is said
