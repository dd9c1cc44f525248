"""`s1-eval check MODEL` shows what a run would send to the model, before the run costs anything.

It shows the exact prompt as text and ids, with the forced parts marked; the thinking format and why; the switch that
turns thinking on; stops; sampling beside what the model recommends; and budgets in tokens. `--generate N` asks N
questions and shows the transcripts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s1_contract.errors import S1Error
from s1_models.commands.doctor.cli import read_pairs
from s1_models.commands.doctor.findings import Asked, Finding
from s1_models.commands.doctor.model import load, named, read_json, read_run, template_of, window_of
from s1_models.forcing import Session, Tokens
from s1_models.formats import NO_THINKING, Detection, Format, Opening, mark, stop_ids, stop_texts
from s1_models.harness.prompts import PROBE_QUESTION, Prompt, Prompts
from s1_models.harness.templates import ChatTemplate
from s1_models.nano_model import find_model
from s1_models.options import Settings
from s1_models.policies.choose import Policies

# What a model's generation config may recommend, and a run of ours does not take from it.
RECOMMENDED = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty")
IDS_SHOWN = 24
OPEN, CLOSE = "⟦", "⟧"  # around what is forced, also where there are no colours


@dataclass(frozen=True, slots=True)
class _Looked:
    """A run as far as it can be known without its engine. tokens are of one question."""

    asked: Asked
    tokenizer: Any
    eos_ids: frozenset[int]
    window: int
    template: ChatTemplate
    settings: Settings
    found: Detection
    prompt: Prompt
    session: Session


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 with a sentence where the run could not start."""
    options = _parser().parse_args(arguments)
    asked = Asked(
        model=options.model,
        model_args={"pretrained": options.name, **read_pairs(options.model_args)},
        gen_kwargs=read_pairs(options.gen_kwargs),
        tasks=tuple(filter(None, options.tasks.split(","))),
        metadata=read_pairs(options.metadata),
    )
    lm = None
    try:
        for task, questions, kwargs in _questions(asked, max(1, options.generate)):
            _show(_look(asked, questions[0], kwargs), task)
            if options.generate:
                lm = lm or _start(asked)
                _generate(lm, questions, kwargs)
    except S1Error as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s1-eval check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog="""examples:
  s1-eval check Qwen/Qwen3-8B
  s1-eval check simplescaling/s1-32B --tasks aime24 --model_args num_waits=2,max_thinking_tokens=8000
  s1-eval check nano --model s1_hf --tasks s1_nano --generate 3""",
    )
    parser.add_argument("name", metavar="MODEL", help="a name on the Hub, or a folder")
    parser.add_argument("--model", default="s1_vllm", help="the model type of the run (default: s1_vllm)")
    parser.add_argument("--model_args", default="", metavar="ARGS", help="as for lm_eval, without pretrained")
    parser.add_argument("--gen_kwargs", default="", metavar="ARGS", help="as for lm_eval")
    parser.add_argument("--tasks", default="", metavar="NAMES", help="whose questions and options are used")
    parser.add_argument("--metadata", default="", metavar="JSON", help="as for lm_eval")
    parser.add_argument("--generate", type=int, default=0, metavar="N", help="start the engine and ask N questions")
    return parser


def _questions(asked: Asked, count: int) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Each task with its first questions, as lm_eval writes them, and its generation options."""
    if not asked.tasks:
        more = [f"What is {17 + number} times 3?" for number in range(1, count)]
        yield "no task", [PROBE_QUESTION, *more], dict(asked.gen_kwargs)
        return
    from lm_eval.tasks import TaskManager

    loaded = TaskManager(metadata=dict(asked.metadata)).load(list(asked.tasks))["tasks"]
    for name, task in loaded.items():
        documents = list(task.test_docs() if task.has_test_docs() else task.validation_docs())[:count]
        texts = [str(task.fewshot_context(document, task.config.num_fewshot or 0)) for document in documents]
        yield name, texts, {**(task.config.generation_kwargs or {}), **asked.gen_kwargs}


def _look(asked: Asked, question: str, gen_kwargs: Mapping[str, Any]) -> _Looked:
    """Raises S1Error as the run would."""
    name = str(find_model(named(asked)))
    loaded = load(name, asked)
    if isinstance(loaded, Finding):
        raise S1Error(f"{loaded.message}: {loaded.fix[0]}" if loaded.fix else loaded.message)
    tokenizer, length, eos_ids = loaded
    run = Asked(asked.model, asked.model_args, gen_kwargs)
    settings, found = read_run(run, tokenizer, name)
    template = template_of(tokenizer, asked)
    window = window_of(asked, length)
    prompt = Prompts(tokenizer, template).make(question, settings, found.form)
    policies = Policies(tokenizer, eos_ids, window, template.off_by, found.why)
    policy = policies.policy(settings, found.form, prompt.opening, prompt.answer_prefix)
    return _Looked(asked, tokenizer, eos_ids, window, template, settings, found, prompt, policy.begin(prompt.tokens))


# What is shown.


def _show(looked: _Looked, task: str) -> None:
    thinks = looked.found.form != NO_THINKING and looked.prompt.opening is not Opening.CLOSED
    _line("task", task)
    _line("format", f"{looked.found.form.name}: {looked.found.why}" + _open_question(looked))
    _line("switch", _switch(looked))
    opened = tuple(token for span in looked.session.spans for token in span.tokens)
    _line("prompt", _marked(looked.tokenizer, looked.prompt.tokens, opened))
    _line("ids", _ids(looked.prompt.tokens, opened))
    if thinks:
        for name, text in _forced_later(looked).items():
            _line(name, f"{OPEN}{text}{CLOSE}")
    _line("stops", _stops(looked, thinks=thinks))
    _line("sampling", _sampling(looked))
    _line("budget", _budget(looked, thinks=thinks))
    if dates := looked.template.dates():
        _line(
            "date", f"the chat template writes {', '.join(dates)}: prompts, and what a memo can reuse, change with it"
        )


def _line(name: str, text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    shown = Text(f"{name:<10}", style="bold")
    forced = False
    for part in _split(text):
        if part in (OPEN, CLOSE):
            forced = part == OPEN
        shown.append(part, style="bold magenta" if forced or part == CLOSE else "")
    Console(highlight=False, soft_wrap=True).print(shown)


def _split(text: str) -> Iterable[str]:
    for number, piece in enumerate(text.split(OPEN)):
        if number:
            yield OPEN
        inner, closed, rest = piece.partition(CLOSE)
        yield inner
        if closed:
            yield CLOSE
            yield rest


def _open_question(looked: _Looked) -> str:
    asks = looked.found.form == NO_THINKING and looked.found.candidates
    return "; a run asks the model once, and --generate shows what it finds" if asks else ""


def _switch(looked: _Looked) -> str:
    switch = looked.template.switch
    if switch is None:
        return "the chat template has none" if looked.template.text else "there is no chat template"
    now = "off" if looked.template.switched_off() else "on"
    without = "on" if switch.default_on else "off"
    return f"{switch.name}={switch.on!r} or {switch.off!r}: {now} here, {without} where it is not given"


def _marked(tokenizer: Any, prompt: Tokens, opened: Tokens) -> str:
    text = str(tokenizer.decode(list(prompt), skip_special_tokens=False))
    forced = tokenizer.decode(list(opened), skip_special_tokens=False)
    return text + (f"{OPEN}{forced}{CLOSE}" if forced else "")


def _ids(prompt: Tokens, opened: Tokens) -> str:
    half = IDS_SHOWN // 2
    shown = list(map(str, prompt))
    if len(prompt) > IDS_SHOWN:
        shown = [*shown[:half], f"... {len(prompt) - 2 * half} more ...", *shown[-half:]]
    forced = f" {OPEN}{' '.join(map(str, opened))}{CLOSE}" if opened else ""
    return f"{' '.join(shown)}{forced} ({len(prompt)} tokens, {len(opened)} forced)"


def _forced_later(looked: _Looked) -> dict[str, str]:
    """The texts that will be forced, under what makes them so."""
    budget, form, prefix = looked.settings.budget, looked.found.form, looked.prompt.answer_prefix
    marks = mark(looked.tokenizer, form, budget, looked.eos_ids)
    written = {
        name: looked.tokenizer.decode(list(tokens), skip_special_tokens=False)
        for name, tokens in {"wait": marks.wait, "end": marks.close, "cut": marks.cut_off}.items()
    }
    if not (budget.num_waits or budget.min_thinking_tokens):
        del written["wait"]
    if prefix:
        written = {**written, "end": form.end + form.after_end + prefix, "cut": form.end + form.after_end + prefix}
    return written


def _stops(looked: _Looked, *, thinks: bool) -> str:
    said = f"answer: {_named_stops(looked, looked.found.form, looked.found.form.answer_stops)}"
    return f"thinking: {_named_stops(looked, looked.found.form, looked.found.form.stops)}; {said}" if thinks else said


def _named_stops(looked: _Looked, form: Format, stops: tuple[str, ...]) -> str:
    ids = sorted(stop_ids(looked.tokenizer, stops) | looked.eos_ids)
    tokens = [f"{looked.tokenizer.decode([one], skip_special_tokens=False)!r} ({one})" for one in ids]
    texts = [f"{text!r} (found in the text)" for text in stop_texts(looked.tokenizer, stops)]
    return ", ".join((*tokens, *texts)) or "none"


def _sampling(looked: _Looked) -> str:
    used = dict(looked.settings.sampling)
    source = str(find_model(looked.asked.model_args.get("pretrained")))
    own = read_json(source, "generation_config.json", looked.asked.model_args.get("revision"))
    recommended = {name: own[name] for name in RECOMMENDED if own.get(name) is not None}
    said = ", ".join(f"{name}={value}" for name, value in used.items())
    other = {name: value for name, value in recommended.items() if used.get(name) != value}
    if not other:
        return said + (" (as the model recommends)" if recommended else " (the model recommends nothing)")
    wanted = ",".join(f"{name}={value}" for name, value in other.items())
    return f"{said}; the model recommends other values: --gen_kwargs {wanted}"


def _budget(looked: _Looked, *, thinks: bool) -> str:
    settings = looked.settings
    context = f"context {looked.window:,} tokens, prompt {len(looked.prompt.tokens):,}"
    if not thinks:
        return f"{context}, answer at most {settings.plain_answer_tokens:,}"
    budget = settings.budget
    waits = f"{budget.num_waits} waits, at least {budget.min_thinking_tokens:,}"
    thinking = f"thinking at most {looked.session.thinking_limit:,} ({waits})"
    return f"{context}, {thinking}, answer at most {budget.max_answer_tokens:,}; {settings.samples} per question"


# What is generated.


def _start(asked: Asked) -> Any:
    from lm_eval.api.registry import get_model

    return get_model(asked.model).create_from_arg_obj({"memo": "off", **asked.model_args}, {})


def _generate(lm: Any, questions: Sequence[str], gen_kwargs: Mapping[str, Any]) -> None:
    from lm_eval.api.instance import Instance

    requests = [
        Instance("generate_until", {}, (question, dict(gen_kwargs)), number, ("check", number, 1))
        for number, question in enumerate(questions)
    ]
    for number, response in enumerate(lm.generate_until(requests, disable_tqdm=True), start=1):
        spans = getattr(response, "spans", ())
        text = "".join(f"{OPEN}{span['text']}{CLOSE}" if span["forced"] else span["text"] for span in spans)
        _line(f"answer {number}", text or str(response))
        _line("", ", ".join(f"{name} {value}" for name, value in getattr(response, "usage", {}).items()))


if __name__ == "__main__":
    sys.exit(main())
