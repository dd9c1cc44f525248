"""The table of docs/model-families.md: what the chat templates that TRL ships do about thinking, and what we do then.

Every row is found out by asking: the template with the special tokens it writes, our detection, our switch, our prompt.

    python benchmarks/family_table.py            # writes the table into the document
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from s1_models.forcing import Budget
from s1_models.formats import NO_THINKING, Opening, detect, mark, opening_of, stop_texts
from s1_models.harness.templates import ChatTemplate
from tests.models.tokenizers_made_here import DEEPSEEK, make_tokenizer

DOCUMENT = Path(__file__).parents[1] / "docs/model-families.md"
BEGIN, END = "<!-- table: python benchmarks/family_table.py -->", "<!-- end of table -->"
SPECIAL = re.compile(r"<[|｜][^\s<>{}'\"]{1,40}[|｜]>|<\|?[a-z_:]{2,20}\|?>|</think>|<[a-z]+\|>|\[/?[A-Z]{4,20}\]")

# family: the template of TRL with which it is asked
FAMILIES = {
    "Qwen2.5-Instruct": "qwen2_5",
    "Qwen3": "qwen3",
    "Qwen3-Instruct-2507": "qwen3_instruct_2507",
    "Qwen3.5, thinking": "qwen3_5_think",
    "Qwen3.5, not thinking": "qwen3_5_nothink",
    "Qwen3.6": "qwen3_6",
    "DeepSeek-R1 distillations": "deepseek_r1_distill",
    "GLM-4.5": "glm4moe",
    "Nemotron 3 Nano": "nemotron_3_nano",
    "Nemotron 3 Super": "nemotron_3_super",
    "LFM2.5": "lfm2_2_5",
    "gpt-oss": "gptoss",
    "Gemma 3": "gemma3",
    "Gemma 4": "gemma4_v5",
    "Llama 3.2": "llama3_2",
    "Phi-3.5": "phi3_5",
    "Command R": "cohere",
    "Idefics3": "idefics3",
    "SmolVLM": "smolvlm",
}
# Shapes that TRL does not ship, in few words.
_V3_1 = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    + DEEPSEEK.partition("{% if add_generation_prompt")[0]
    + "<｜Assistant｜>{% if thinking %}<think>{% else %}</think>{% endif %}"
)
_S1 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OTHERS = {"s1-32B (by name)": _S1, "DeepSeek-V3.1": _V3_1}


def tokenizer_for(template: str, name: str = "") -> Any:
    """A small real tokenizer with this template and every special token that it writes."""
    special = list(dict.fromkeys([*SPECIAL.findall(template), "<bos>", "<eos>"]))
    return make_tokenizer(special, "<eos>", template, bos_token="<bos>", name_or_path=name)


def templates() -> dict[str, tuple[str, str]]:
    """Family -> the template's name and text. Empty without TRL."""
    spec = find_spec("trl")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(next(iter(spec.submodule_search_locations))) / "chat_templates"
    found = {
        family: (f"trl `{name}`", path.read_text(encoding="utf-8"))
        for family, name in FAMILIES.items()
        if (path := folder / f"{name}.jinja").is_file()
    }
    return {**{family: ("its shape", text) for family, text in OTHERS.items()}, **found}


def row(family: str, origin: str, text: str) -> str:
    """One line of the table."""
    tokenizer = tokenizer_for(text, "simplescaling/s1-32B" if "by name" in family else "")
    template = ChatTemplate(tokenizer)
    form = detect(tokenizer).form
    bare = template.render_bare()
    opens = {Opening.OPENED: "yes", Opening.CLOSED: "closes it", Opening.NONE: "no"}[opening_of(form, bare)]
    switch = template.switch
    switched = f"`{switch.name}` ({'on' if switch.default_on else 'off'} by default)" if switch else "none"
    if form == NO_THINKING:
        cells = ["-", switched, "none", "end of turn", "answers only; a budget is an error"]
    else:
        marks = mark(tokenizer, form, Budget(), frozenset())
        texts = stop_texts(tokenizer, form.stops)
        stops = ", ".join(_code(stop) + (" (in the text)" if stop in texts else "") for stop in form.stops)
        now = opening_of(form, template.frame[1])
        first = "goes on in the opened thinking" if now is Opening.OPENED else f"opens with {_code(form.start)}"
        if switch and not switch.default_on:
            first = f"switches it on, {first}"
        closes = tokenizer.decode(list(marks.cut_off), skip_special_tokens=False)
        cells = [
            opens,
            switched,
            f"{_code(form.start)} ... {_code(form.end)}",
            stops,
            f"{first}; a cut: {_code(closes)}",
        ]
    return f"| {family} | {origin} | {form.name} | " + " | ".join(cells) + " |"


def _code(text: str) -> str:
    written = text.replace("|", "\\|").replace("\n", "\\n")
    return f"`{written}`"


def table() -> str:
    """The table in Markdown."""
    head = (
        "| family | template | format | opens thinking itself | switch | delimiters | thinking stops at | what we do |"
    )
    rows = [row(family, origin, text) for family, (origin, text) in templates().items()]
    return "\n".join([head, "| --- " * 8 + "|", *rows])


def document_with(content: str) -> str:
    """The document with this table in it."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before.rstrip()}\n\n{BEGIN}\n\n{content}\n\n{END}{rest.partition(END)[2] or chr(10)}"


if __name__ == "__main__":
    written = table()
    DOCUMENT.write_text(document_with(written), encoding="utf-8")
    sys.stdout.write(f"{written}\n")
