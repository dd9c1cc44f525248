"""What s1's own harness does, beside what is observed here on a scripted engine; writes docs/original-commands.md.

`python -m tests.models.original_behaviours` makes the page anew; test_original_commands.py says when it is stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s1_models.driver import run
from s1_models.forcing import Budget, BudgetForcing, Finish, Reply, Request, S1Error, Tokens
from s1_models.formats import S1, Format, mark
from s1_models.options import resolve
from s1_tasks.answers import judge
from s1_tasks.prompts import choice_order, multiple_choice
from s1_tasks.scoring import process_results
from tests.models.original_commands import COMMANDS, Command
from tests.models.scripted_lm import SAMPLING_NAMES, ScriptedLM, forced, next_token, thinker
from tests.models.tokenizers_made_here import chatml, make_tokenizer
from tests.scripted_engine import ScriptedEngine

PAGE = Path(__file__).parents[2] / "docs" / "original-commands.md"
TOKENIZER = chatml()
_TWO_WAITS: dict[str, Any] = {"thinking_n_ignore": 2, "thinking_n_ignore_str": "Wait"}


@dataclass(frozen=True)
class Behaviour:
    """One documented behaviour. original: what s1's harness does. observe: what happens here, in the same words when
    it is the same. because: why it differs; empty where it must not.
    """

    name: str
    original: str
    observe: Callable[[], str]
    because: str = ""

    def row(self) -> str:
        here = self.observe()
        verdict = f"different on purpose, because {self.because}" if self.because else "same"
        cells = (self.name, self.original, "" if here == self.original else here, verdict)
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "⏎") for cell in cells) + " |"


def scripted(thought: str = "\nA\n", answer: str = "\n5", window: int = 40_000, **model_args: Any) -> ScriptedLM:
    return ScriptedLM(TOKENIZER, thinker(TOKENIZER, S1, thought, answer), window, **model_args)


def transcript(thought: str = "\nA\n", answer: str = "\n5", **gen_kwargs: Any) -> str:
    return str(scripted(thought, answer).ask(["?"], **gen_kwargs)[0])


def _decode(tokens: Tokens) -> str:
    return str(TOKENIZER.decode(list(tokens), skip_special_tokens=False))


def _error(call: Callable[[], object]) -> str:
    try:
        call()
    except S1Error as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def _prompts_of_the_rounds() -> str:
    lm = scripted()
    lm.ask(["?"], thinking_n_ignore=2, thinking_n_ignore_str="Wait")
    prefixes = [_decode(request.prefix).rpartition("<|im_start|>")[2] for request in lm.engine.history[:3]]
    return ", then ".join(prefixes)


def _one_budget() -> str:
    (response,) = scripted().ask(["?"], max_tokens_thinking=9, thinking_n_ignore=2, thinking_n_ignore_str="Wait")
    return (
        f"with 2 waits and a budget of 9, {response.usage['thinking_tokens']} tokens of thinking in all rounds together"
    )


def _text_is_tokens() -> str:
    (response,) = scripted().ask(["?"], max_tokens_thinking=9, **_TWO_WAITS)
    tokens = tuple(token for span in response.spans for token in span["tokens"])
    return "the text is the tokens, decoded once" if _decode(tokens) == response else "text and tokens differ"


def _cut_in_a_later_round() -> str:
    (response,) = scripted("\nAAAA").ask(["?"], max_tokens_thinking=11, **_TWO_WAITS)
    return f"`{forced(response)[-1]}`"


def _auto_and_the_others() -> str:
    alone = scripted().ask(["?"])[0].usage["thinking_limit"]
    beside = scripted().ask(["?", "long " * 200])[0].usage["thinking_limit"]
    return "the question's own prompt" if alone == beside else "the longest prompt"


def _auto_reserve() -> str:
    lm = scripted(window=4000)
    (response,) = lm.ask(["?"], max_tokens_thinking="auto", max_gen_toks=32768)
    frame = len(lm.engine.history[0].prefix) + len("\nFinal Answer:") + len(TOKENIZER.encode("<|im_start|>answer")) + 1
    return f"keeps {4000 - response.usage['thinking_limit'] - frame:,} tokens of the context free for the answer"


def _all_finish_early() -> str:
    sessions = scripted().ask(["?", "??"], max_tokens_thinking=2, thinking_n_ignore=4, thinking_n_ignore_str="Wait")
    return f"{len(sessions)} of 2 questions are answered"


def _nothing_thought() -> str:
    marks = mark(TOKENIZER, S1, Budget(), frozenset({TOKENIZER.eos_token_id}))
    policy = BudgetForcing(Budget(), marks, 4000)
    return f"`{_decode(policy.advance(policy.begin(()), Reply((), Finish.LENGTH)).tokens)}`"


def _unknown_ids() -> str:
    marks = mark(TOKENIZER, S1, Budget(), frozenset({TOKENIZER.eos_token_id}))
    engine = ScriptedEngine(lambda prefix: 900 if len(prefix) % 2 else TOKENIZER.eos_token_id, 4000, known_ids=300)
    (session,) = run(BudgetForcing(Budget(), marks, 4000), engine, [(1,)])
    return "dropped and counted" if session.dropped_tokens and 900 not in session.tokens else "kept"


def _stops_of_several_tokens() -> str:
    tokenizer = make_tokenizer(["<eos>"], "<eos>", None)
    lm = ScriptedLM(tokenizer, thinker(tokenizer, S1, "\nA\n", "\n5"), thinking_format="s1")
    (response,) = lm.ask(["?"], thinking_n_ignore=1, thinking_n_ignore_str="Wait")
    return f"`{response}`"


def _no_rounds() -> str:
    class LastFirst(ScriptedEngine):
        def poll(self, timeout_seconds: float | None = None) -> list[tuple[Any, Reply]]:
            key = max(self._in_flight)  # type: ignore[type-var]
            return [(key, self._generate(self._in_flight.pop(key)))]

    lm = scripted()
    lm.engine = LastFirst(thinker(TOKENIZER, S1, "\nA\n", "\n5"), 4000)
    lm.ask(["?", "??"], thinking_n_ignore=2, thinking_n_ignore_str="Wait")
    phases = [request.phase.value for request in lm.engine.history]
    answered = phases.index("answering") < len(phases) - 1 - phases[::-1].index("thinking")
    return "a question goes on at once, to its answer, while others still think" if answered else "rounds"


def _context() -> str:
    return _error(lambda: scripted(window=2000).ask(["long " * 500]))


def _seeds() -> str:
    lm = scripted()
    lm.ask(["?"], n=3, temperature=1, seed=7, thinking_n_ignore=1, thinking_n_ignore_str="Wait")
    seeds = [dict(request.sampling)["seed"] for request in lm.engine.history]
    return "another seed for every repeat and every round" if len(set(seeds)) == len(seeds) == 9 else "repeated seeds"


def _own_delimiters() -> str:
    form = Format("own", "<go>", "<done>", ())
    lm = ScriptedLM(TOKENIZER, thinker(TOKENIZER, form, "A", "\n5"))
    return f"`{lm.ask(['?'], thinking_start='<go>', thinking_end='<done>')[0]}`"


def _either_stop() -> str:
    texts = [
        transcript(f"\n{stop}x", until_thinking="STOP", until_thinking_2="HALT").split("<|im_start|>")[1]
        for stop in ("STOP", "HALT")
    ]
    return "both end the thinking" if texts == ["think\n", "think\n"] else f"they leave {texts}"


def _steps(last: str) -> str:
    """Step-conditional control: each step begins with a delimiter, `last` is what the model writes after them."""
    plan = f"\nA\n<|im_start|>1 steps left\nB\n{last}"

    def write(prefix: Tokens) -> int:
        text = _decode(prefix)
        return next_token(TOKENIZER, text, "\n5<|im_end|>" if text.count("answer") else plan)

    options = {"thinking_start": "<|im_start|>", "thinking_end": "<|im_start|>answer"}
    lm = ScriptedLM(TOKENIZER, write)
    return str(lm.ask(["?"], max_tokens_thinking="auto", until_thinking="<|im_start|>0", **options)[0])


def _suppressed_without_a_string() -> str:
    (response,) = scripted().ask(["?"], thinking_n_ignore=2)
    times = {2: "twice"}.get(response.usage["waits_used"], "otherwise")
    appended = "nothing is appended" if len(forced(response)) == 2 else "something is appended"
    return f"the end is suppressed {times}, {appended}"


def _minimum() -> str:
    (response,) = scripted().ask(["?"], min_tokens_thinking=9)
    enough = response.usage["thinking_tokens"] >= 9
    appended = "nothing is appended" if len(forced(response)) == 2 else "something is appended"
    return f"the end is {'' if enough else 'not '}suppressed, {appended}"


def _answer_limit() -> str:
    limit = resolve({}, {"max_gen_toks": 32768}, SAMPLING_NAMES).budget.max_answer_tokens
    return f"an answer of at most {limit:,} tokens (`max_answer_tokens`); the context window is the base of auto"


def _temperature() -> str:
    sampling = dict(resolve({}, {"do_sample": False, "temperature": 1}, SAMPLING_NAMES).sampling)
    return f"temperature {sampling['temperature']}"


def _prefill() -> str:
    free = forced(scripted().ask(["?"], thinking_format="none")[0])
    opened = forced(scripted().ask(["?"])[0])[0]
    return f"`{opened}` is prefilled; with `thinking_format=none` {'something' if free else 'nothing'}"


def _sampling_of_the_thinking() -> str:
    lm = scripted()
    lm.ask(["?"], temperature=1, temperature_thinking=0.5)
    by_phase = {request.phase.value: dict(request.sampling)["temperature"] for request in lm.engine.history}
    return f"thinking {by_phase['thinking']}, answer {by_phase['answering']}"


def _rejected() -> str:
    draws = iter(["\nAAAAAAAAA\n", "\nA\n"])
    lm = scripted()
    writers = {}

    class Sampler(ScriptedEngine):
        def _write_out(self, request: Request) -> tuple[Tokens, Finish]:
            seed = dict(request.sampling)["seed"]
            if seed not in writers:
                writers[seed] = thinker(TOKENIZER, S1, next(draws, "\nA\n"), "\n5")
            self._write = writers[seed]
            return super()._write_out(request)

    lm.engine = Sampler(lambda prefix: 0, 4000)
    (response,) = lm.ask(["?"], max_tokens_thinking=5, rejection_sample=True, temperature=1)
    assert response.usage["tries"] == 2
    return f"`{response}`"


def _never_fits() -> str:
    (response,) = scripted().ask(["?"], max_tokens_thinking=2, rejection_sample=True, temperature=1)
    return f"{response.usage['tries']} tries at most (`rejection_tries`), then cut off and counted, or an error"


def _first_token() -> str:
    lm = scripted()
    lm.ask(["?"], thinking_n_ignore=1, thinking_n_ignore_str="Wait")
    allowed = [request.min_tokens for request in lm.engine.history[:2]]
    lm.ask(["?"], thinking_n_ignore=1)
    return f"forbidden in {'no' if not any(allowed) else 'a'} round after a string, and after an empty one: " + (
        "yes" if lm.engine.history[-2].min_tokens else "no"
    )


def _prompt(**gen_kwargs: Any) -> str:
    lm = scripted()
    lm.ask(["Q"], **gen_kwargs)
    return f"`{_decode(lm.engine.history[0].prefix).split('<|im_end|>')[0].removeprefix('<|im_start|>user' + chr(10))}`"


def _judged(texts: tuple[str, ...], gold: str = "042") -> str:
    return ", ".join(f"`{text}` {'right' if judge(text, gold).correct else 'wrong'}" for text in texts)


def _choice(text: str) -> str:
    return f"`{text}`: " + str(judge(text, "A", kind="choice").answer or "no answer")


def _repeats() -> str:
    metrics = process_results({"answer": "5", "answer_kind": "integer"}, [["5", "6", "5", "7"]])
    return ", ".join(sorted(name for name in metrics if "@" in name))


def _several_samples() -> str:
    lm = scripted()
    lm.ask(["?"], n=2, temperature=1)
    return f"{sum(request.phase.value == 'answering' for request in lm.engine.history)} samples with n=2"


def _ask(thought: str = "\nA\n", **gen_kwargs: Any) -> Callable[[], str]:
    """A row whose observation is the whole transcript."""
    return lambda: f"`{transcript(thought, **gen_kwargs)}`"


_NO_ANSWER_SHARE = "a quarter of such guesses would be right"
_ORDINARY = "it is an ordinary case"

SPLICES = (
    Behaviour("thinking ends by itself", "`<|im_start|>think\nabc\n<|im_start|>answer\n5`", _ask("\nabc\n")),
    Behaviour(
        "thinking is cut within a line",
        "`<|im_start|>think\nabc\n<|im_start|>answer\nFinal Answer:\n5`",
        _ask("\nabcdef", max_tokens_thinking=4),
    ),
    Behaviour(
        "thinking is cut at the end of a line",
        "`<|im_start|>think\nab\n<|im_start|>answer\nFinal Answer:\n5`",
        _ask("\nab\ncd", max_tokens_thinking=4),
    ),
    Behaviour(
        "`thinking_n_ignore=2,thinking_n_ignore_str=Wait`: what the rounds begin with",
        "think, then think\nA\nWait, then think\nA\nWait\nA\nWait",
        _prompts_of_the_rounds,
    ),
    Behaviour(
        "`thinking_n_ignore=2` without a string",
        "the end is suppressed twice, nothing is appended",
        _suppressed_without_a_string,
    ),
    Behaviour("`thinking_n_ignore=0`", "`<|im_start|>think\nA\n<|im_start|>answer\n5`", _ask(thinking_n_ignore=0)),
    Behaviour("`min_tokens_thinking=9`, thinking of 3 tokens", "the end is suppressed, nothing is appended", _minimum),
    Behaviour(
        "the stop as the first token of a round",
        "forbidden in every round (`min_tokens=1`)",
        _first_token,
        "the model would stop again for ever only after an empty wait",
    ),
)
BUDGETS = (
    Behaviour(
        "`max_tokens_thinking` with waits",
        "every round may take the whole budget, the surplus is cut afterwards",
        _one_budget,
        "otherwise the real budget would grow with the number of waits",
    ),
    Behaviour(
        "text after such a cut",
        "keeps what the answer never saw",
        _text_is_tokens,
        "a log must show what the model saw",
    ),
    Behaviour(
        "what follows such a cut",
        "`<|im_start|>answer`, in the middle of a sentence",
        _cut_in_a_later_round,
        "a cut is a cut: the answer is asked for",
    ),
    Behaviour(
        "`max_tokens_thinking=auto` depends on",
        "the longest prompt of all tasks on the command line",
        _auto_and_the_others,
        "a score must not change with the task list",
    ),
    Behaviour(
        "`auto` keeps free",
        "100 tokens of `max_gen_toks`",
        _auto_reserve,
        "100 tokens cut answers short; `max_answer_tokens` says how many",
    ),
    Behaviour(
        "`max_gen_toks=32768`",
        "limit of the answer and base of `auto`",
        _answer_limit,
        "an answer that may take the whole window leaves nothing for thinking",
    ),
    Behaviour("every question ends before the last round", "crash", _all_finish_early, _ORDINARY),
    Behaviour("a cut before anything was thought", "crash", _nothing_thought, _ORDINARY),
    Behaviour(
        "a context window without room",
        "not checked; prompts lose their beginning",
        _context,
        "an answer to half a question is no measurement",
    ),
)
FORMATS = (
    Behaviour(
        "stops of several tokens with `thinking_n_ignore`",
        "AssertionError",
        _stops_of_several_tokens,
        "other vocabularies spell delimiters in several tokens",
    ),
    Behaviour("`until_thinking`, `until_thinking_2`", "both end the thinking", _either_stop),
    Behaviour("`thinking_start=<go>,thinking_end=<done>`", "`<go>A<done>\n5`", _own_delimiters),
    Behaviour(
        "steps: `thinking_start=<|im_start|>,until_thinking=<|im_start|>0`",
        "`<|im_start|>\nA\n<|im_start|>1 steps left\nB\n<|im_start|>answer\n5`",
        lambda: f"`{_steps('<|im_start|>0 steps left')}`",
    ),
    Behaviour(
        "steps: the model goes to its answer by itself",
        "a second answer is appended",
        lambda: f"{_steps('<|im_start|>answer').count('<|im_start|>answer')} answer",
        "the end of thinking ends it, whatever stop was named",
    ),
    Behaviour(
        "`thinking_end` that ends in `Final Answer:`, after a cut",
        "`Final Answer:` twice",
        _ask("\nabcdef", max_tokens_thinking=4, thinking_end="<|im_start|>answer\nFinal Answer:"),
        "it has been asked already",
    ),
    Behaviour(
        "no thinking option at all",
        "no start of thinking is prefilled (20 points less for s1-32B on AIME24)",
        _prefill,
        "a model that was tuned to think must think",
    ),
)
SAMPLING = (
    Behaviour("`temperature=1,temperature_thinking=0.5`", "thinking 0.5, answer 1", _sampling_of_the_thinking),
    Behaviour(
        "`temperature=1` with a task's `do_sample: false`",
        "temperature 1",
        _temperature,
    ),
    Behaviour(
        "a name nobody knows (`thinking_foo=1`)",
        "TypeError",
        lambda: _error(lambda: resolve({}, {"thinking_foo": 1}, SAMPLING_NAMES)),
        "an error should say what to write instead",
    ),
    Behaviour("seeds", "one for all repeats and rounds", _seeds, "equal seeds draw equal samples"),
    Behaviour("several samples of a request", "`n` must be 1", _several_samples, "repeats need no other task file"),
    Behaviour(
        "`rejection_sample=true`: the second try fits", "`<|im_start|>think\nA\n<|im_start|>answer\n5`", _rejected
    ),
    Behaviour("`rejection_sample=true` where nothing fits", "never ends", _never_fits, "a run has to end"),
    Behaviour(
        "`rejection_sample=true` at temperature 0",
        "a warning, then never ends",
        lambda: _error(lambda: transcript(rejection_sample=True, max_tokens_thinking=5)),
        "all tries would be the same",
    ),
    Behaviour(
        "`rejection_sample=true` without `max_tokens_thinking`",
        "AssertionError",
        lambda: _error(lambda: transcript(rejection_sample=True, temperature=1)),
        "an error should say what is missing",
    ),
    Behaviour(
        "order of work",
        "rounds: everybody waits for the slowest, all thinking before any answer",
        _no_rounds,
        "it takes about half the time",
    ),
    Behaviour(
        "ids outside the vocabulary",
        "vLLM refuses them, the run ends",
        _unknown_ids,
        "one bad draw must not cost a run",
    ),
)
TASKS = (
    Behaviour("prompt of AIME and MATH", "`Q`", _prompt),
    Behaviour(
        "prompt of GPQA",
        "`Q\n\nA) a\nB) b`",
        lambda: f"`{multiple_choice({'question': 'Q', 'choices': ['a', 'b']})}`",
    ),
    Behaviour(
        "`PROMPTSTEP=64` (here `think_for=64_steps`)",
        "`Q\n\nThink for up to 64 steps.`",
        lambda: _prompt(think_for="64_steps"),
    ),
    Behaviour(
        "`PROMPTTOKEN=2048` (here `think_for=2048_tokens`)",
        "`Q\n\nThink for up to 2048 tokens.`",
        lambda: _prompt(think_for="2048_tokens"),
    ),
    Behaviour(
        "`PROMPTSHORT=true` (here `think_for=short`)",
        "`Q\n\nAnswer after a short amount of thinking. Do not spend excessive time double-checking your work.`",
        lambda: _prompt(think_for="short"),
    ),
    Behaviour(
        "order of GPQA's choices",
        "shuffled by the process's random state, kept by a cache",
        lambda: f"by a hash of question and choices: {choice_order('Q', ['a', 'b', 'c', 'd'])}",
        "a prompt must be the same in every run",
    ),
    Behaviour(
        "answers marked wrong without the grader",
        "`42.` wrong, `$42$` wrong, `The answer is 42` wrong, `**Answer:** 42` wrong",
        lambda: _judged(("42.", "$42$", "The answer is 42", "**Answer:** 42")),
        "they are right",
    ),
    Behaviour(
        "answers marked right",
        "`Final Answer: 42` right, `\\boxed{042}` right, `42` right",
        lambda: _judged(("Final Answer: 42", "\\boxed{042}", "42")),
    ),
    Behaviour("an unreadable choice", "counted as A", lambda: _choice("I cannot tell."), _NO_ANSWER_SHARE),
    Behaviour(
        "64 repeats",
        "exact_match of the first, cov@k and maj@k of the first k",
        lambda: f"exact_match of the first, {_repeats()} (here of 4)",
        "estimates over all repeats are unbiased and vary less",
    ),
    Behaviour(
        "grader",
        "gpt-4o-mini: an OpenAI key, drawn at temperature 0.5",
        lambda: f"symbolic: 1/2 and 0.5 are {'equal' if judge('0.5', '1/2').correct else 'different'}",
        "a score should need no key and be the same tomorrow",
    ),
)
BEHAVIOURS = (*SPLICES, *BUDGETS, *FORMATS, *SAMPLING, *TASKS)


def _command_rows() -> Iterator[str]:
    for command in COMMANDS:
        cells = (command.model, command.tasks, command.gen_kwargs, command.variable, _meaning(command))
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "⏎") for cell in cells) + " |"


def _meaning(command: Command) -> str:
    """What the command's options ask for, as they are understood here."""
    if command.model == "dummy":
        return "lm_eval's own dummy model; needs no key"
    from lm_eval.utils import simple_parse_args_string

    options = {**simple_parse_args_string(command.gen_kwargs), "think_for": command.think_for or None}
    settings = resolve({}, options, SAMPLING_NAMES)
    budget = settings.budget
    limit = "auto" if budget.max_thinking_tokens is None else f"{budget.max_thinking_tokens:,}"
    parts = [f"thinking {limit}"]
    if budget.num_waits:
        parts.append(f"{budget.num_waits} x {budget.wait_text!r}")
    if settings.rejection:
        parts.append(f"rejection, {settings.rejection.tries} tries")
    if settings.form:
        parts.append(f"`{settings.form.start}` ... `{settings.form.end}`, stops {' '.join(settings.form.stops)}")
    if settings.thinking_request:
        parts.append(f"think_for={command.think_for}")
    return "; ".join(parts)


def page() -> str:
    """docs/original-commands.md."""
    same = sum(not behaviour.because for behaviour in BEHAVIOURS)
    return "\n".join(
        [
            "# s1's own commands",
            "",
            "<!-- made by `python -m tests.models.original_behaviours`; a test says when it is stale -->",
            "",
            f"The {len(COMMANDS)} commands of s1's `eval/commands.sh` run here if you write `--model s1_vllm` in place",
            "of `--model vllm`. They do not need `OPENAI_API_KEY` and `PROCESSOR`. In place of the variables",
            "`PROMPTTOKEN`, `PROMPTSTEP`, `PROMPTLONG` and `PROMPTSHORT`, give",
            "`--gen_kwargs ...,think_for=2048_tokens` (`64_steps`, `long`, `short`). If one of these variables is set",
            "and `think_for` is not, the run stops with an error.",
            "",
            "```sh",
            "lm_eval --model s1_vllm --model_args pretrained=simplescaling/s1-32B,tokenizer=Qwen/Qwen2.5-32B-Instruct,"
            "dtype=float32,tensor_parallel_size=8 \\",
            "  --tasks aime24_figures,aime24_nofigures,openai_math,gpqa_diamond_openai --batch_size auto "
            "--apply_chat_template \\",
            "  --output_path runs --log_samples \\",
            f'  --gen_kwargs "{COMMANDS[5].gen_kwargs}"',
            "```",
            "",
            "Qwen2.5-32B-Instruct was never tuned to think. `thinking_format=auto` finds that out, so its baselines",
            "run without thinking. Its command with two waits needs `--model_args ...,thinking_format=s1`. Without it",
            "the waits are an error, because nothing says how the model marks its thinking.",
            "",
            "## What is the same, and what is not",
            "",
            f"`tests/models/test_original_commands.py` compares both on a scripted engine: {same} behaviours are the",
            f"same, {len(BEHAVIOURS) - same} differ on purpose. If the third column is empty, we do the same as the",
            "original. ⏎ is a newline.",
            "",
            "| behaviour | the original harness | here | |",
            "| --- | --- | --- | --- |",
            *(behaviour.row() for behaviour in BEHAVIOURS),
            "",
            "## The commands",
            "",
            'The model args are those of the original. Task lists: "all" is aime24_figures, aime24_nofigures, '
            'openai_math and gpqa_diamond_openai; "all, 2025" has',
            'aime25_nofigures in place of aime24_figures; "agg64" is the four tasks with 64 repeats.',
            "",
            "| model | tasks | gen_kwargs | variable | understood as |",
            "| --- | --- | --- | --- | --- |",
            *_command_rows(),
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
