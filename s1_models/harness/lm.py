"""The harness side: lm_eval's `generate_until` -> jobs for the driver -> responses.

`BudgetForcingLM` is mixed into one of the harness's own model classes. Tokenizer, chat template and loglikelihood
stay the harness's; generation is ours. An engine module loads the host's class and starts the engine, nothing else.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from s1_contract.response import Response
from s1_contract.usage import ANSWER_CUT_OFF, DROPPED_TOKENS, THINKING_LIMIT
from s1_models.driver import Engine, Job, Sampling, run_each
from s1_models.forcing import Session, Tokens
from s1_models.harness.fail_closed import refuse_a_broken_bridge, refuse_namesakes
from s1_models.harness.plugin import is_of_others
from s1_models.harness.progress import Bar
from s1_models.harness.prompts import Prompt, Prompting
from s1_models.harness.run_facts import TaskFacts, run_facts
from s1_models.memo.identity import Identified
from s1_models.memo.memo import Memo
from s1_models.memo.store import MemoError, Store
from s1_models.nano_model import find_model
from s1_models.options import OptionError, Settings, memo_path, resolve, split_model_arguments
from s1_models.policies.choose import Policies
from s1_models.trace import transcribe

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reuse:
    """How many of a run's tokens came from the memo, and how many the engine generated; zeros without a memo."""

    reused_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A sample of a request: the job that generates it, and where its response goes."""

    job: Job
    settings: Settings
    request: Instance
    sample: int
    options: int  # which of the options it is asked with
    begun: bool = False  # the task wrote the first words of its answer


class BudgetForcingLM(Prompting, Identified):
    """Mixin for a harness model class: budget forcing in `generate_until`.

    Model args are read here: ours are kept as `options`, the others go to `load`, which an engine module writes. It
    loads the host's class, which provides `tokenizer`, `tok_encode` and `apply_chat_template`, and sets `engine`,
    `max_in_flight` (sessions), `eos_ids` (ids that end a generation) and `default_seed`.
    """

    sampling_names: frozenset[str]  # what the engine can sample with
    model_arguments: frozenset[str]  # what `load` takes
    engine: Engine
    max_in_flight: int | None
    eos_ids: frozenset[int]
    default_seed: int
    memo_is_finished = False  # the memo is read, and nothing is added
    task_facts: dict[str, TaskFacts]  # by task, of the last `generate_until`
    reuse: Sequence[Reuse] = (Reuse(),)  # of the last `generate_until`: for each of the options that were asked with
    _along: Sequence[Mapping[str, Any]] = ()
    _label = "Thinking (s1)"  # before the progress bar

    def __init__(self, **model_args: Any) -> None:
        """Loads a model. Raises OptionError, BudgetError, FormatError and MemoError before anything is loaded."""
        self.options, rest = split_model_arguments(model_args, self.sampling_names, self.model_arguments)
        self._check_options()
        if "pretrained" in rest:
            rest["pretrained"] = find_model(rest["pretrained"])
        self.load(**rest)

    def load(self, **arguments: Any) -> None:
        """Loads the host's model and starts the engine. arguments: model args that are not ours."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is loaded")

    def load_host(self, **arguments: Any) -> None:
        """Makes the host's class load its part."""
        super().__init__(**arguments)

    def asked_with(self, *options: Mapping[str, Any], label: str = _label) -> Self:
        """This model with other options (as its `options`), on the same engine.

        Of several, the first ones' responses are returned, and the others' are generated along with them, so that the
        memo has them: there must be one. label: before the progress bar. Raises as loading does.
        """
        if any(resolve(one, {}, self.sampling_names).form is None for one in options):
            self.detection()  # once for all of them: the model may have to be asked
        asked = copy(self)
        asked.options, asked._label = dict(options[0]), label
        asked._along = tuple(map(dict, options[1:]))
        asked._check_options()
        return asked

    def _check_options(self) -> None:
        for options in (self.options, *self._along):
            resolve(options, {}, self.sampling_names)
        path = memo_path(self.options)
        if path is not None and not self.memo_is_finished:
            Store(path).close()  # an unusable memo is said before a model is loaded

    @classmethod
    def create_from_arg_obj(cls, *arguments: Any, **more: Any) -> Any:
        """The host's, which loads the model; refused while the bridge is broken."""
        refuse_a_broken_bridge()
        return super().create_from_arg_obj(*arguments, **more)  # type: ignore[misc]

    @classmethod
    def create_from_arg_string(cls, *arguments: Any, **more: Any) -> Any:
        """As `create_from_arg_obj`."""
        refuse_a_broken_bridge()
        return super().create_from_arg_string(*arguments, **more)  # type: ignore[misc]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Full transcripts, one `Response` per request, in order.

        `n` (or `repeats`) in gen_kwargs asks for several samples of each request: the harness takes one response
        per request, so the earlier ones are put into `request.resps`, where it appends the last.
        """
        refuse_namesakes(requests)
        self.task_facts = {}
        passes = [self._ask(requests, number, one) for number, one in enumerate((self.options, *self._along))]
        # A question's sessions side by side: what they share is generated for the first of them, and the others,
        # which wait for it, go on from there while it is still in the engine's prefix cache.
        asked = [one for side_by_side in zip(*passes, strict=True) for one in side_by_side]
        hidden = disable_tqdm or getattr(self, "rank", 0) != 0
        generated = zip(asked, self._run(asked, hidden), strict=True)
        responses = [(one, response) for one, response in generated if response is not None]
        _log_summary(responses)
        last: list[str] = []
        for one, response in responses:
            if one.sample + 1 < one.settings.samples:
                one.request.resps.append(response)
            else:
                last.append(response)
        return last

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Refuses the harness's `--use_cache`: its key knows neither the model nor num_waits in model_args."""
        raise OptionError(
            "--use_cache would return stale text when the model or a budget in model_args changes (its key holds the "
            "prompt and gen_kwargs only): run without --use_cache; --model_args memo=PATH remembers what was generated"
        )

    def get_model_info(self) -> dict[str, Any]:
        """What lm_eval puts into a results file's `config`; `s1`: what a replay needs in place of the engine."""
        info: dict[str, Any] = getattr(super(), "get_model_info", dict)()
        return {**info, "s1": run_facts(self)}

    # From requests to jobs.

    def _ask(self, requests: list[Instance], number: int, options: Mapping[str, Any]) -> list[_Asked]:
        prompts: dict[tuple[object, ...], Prompt] = {}
        policies: Policies | None = None
        # The harness repeats the same Instance object: a repeat is known by order only.
        times = Counter(map(id, requests))
        seen: Counter[int] = Counter()
        asked = []
        for request, settings in zip(requests, self._settings(requests, options), strict=True):
            form = settings.form or self.detected_format()
            key = (request.args[0], settings.chat_template, settings.prompt_style, settings.thinking_request, form)
            if key not in prompts:
                prompts[key] = self.prompts.make(request.args[0], settings, form)
            prompt = prompts[key]
            if number == 0 and request.task_name not in self.task_facts:
                self.task_facts[str(request.task_name)] = TaskFacts(settings, form, request.args[0], prompt.text)
            policies = policies or self._policies()
            policy = policies.policy(settings, form, prompt.opening, prompt.answer_prefix)
            turn = seen[id(request)]
            seen[id(request)] += 1
            early = settings.samples - 1  # samples that go straight into request.resps, before the harness adds its own
            for sample in range(settings.samples):
                repeat = turn * early + sample if sample < early else times[id(request)] * early + turn
                label = f"{request.task_name} question {request.doc_id}" + (f" repeat {repeat}" if repeat else "")
                sampling = self._seeded(settings.sampling)
                thinking = settings.thinking_sampling and self._seeded(settings.thinking_sampling)
                job = Job(policy, prompt.tokens, label, sampling, thinking, repeat)
                asked.append(_Asked(job, settings, request, sample, number, bool(prompt.answer_prefix)))
        return asked

    def _policies(self) -> Policies:
        why_none = self.detection().why if self._detection else ""
        off_by = self.prompts.template.off_by
        return Policies(self.tokenizer, self.eos_ids, self.engine.context_window, off_by, why_none)

    def _settings(self, requests: list[Instance], options: Mapping[str, Any]) -> list[Settings]:
        known: dict[str, Settings] = {}
        chosen = []
        for request in requests:
            key = json.dumps(request.args[1], sort_keys=True, default=str)
            if key not in known:
                known[key] = resolve(options, request.args[1], self.sampling_names)
            chosen.append(known[key])
        return chosen

    def _seeded(self, sampling: Sampling) -> Sampling:
        """The sampling with the run's seed; greedy needs none."""
        values = dict(sampling)
        if values.get("temperature") == 0:
            values.pop("seed", None)
        else:
            values.setdefault("seed", self.default_seed)
        return tuple(sorted(values.items()))

    # From jobs to responses.

    def _run(self, asked: Sequence[_Asked], hidden: bool) -> list[Response | None]:
        """The response of each; None for those that only run along."""
        passes = 1 + len(self._along)

        def finish(number: int, session: Session) -> Response | None:
            one = asked[number]
            if one.options:
                return None
            return transcribe(
                session,
                self._decode,
                one.settings.until,
                answer_only=self._answers_alone(one),
                begun=one.begun,
                after=self._think_end(),
            )

        in_flight = None if self.max_in_flight is None else self.max_in_flight * passes
        with self._remembering() as engine:
            try:
                with Bar(len(asked), engine, self._label, hidden=hidden) as bar:
                    jobs = [one.job for one in asked]
                    return run_each(jobs, engine, finish, max_in_flight=in_flight, progress=bar)
            finally:
                self.reuse = [_reuse(engine, asked, number) for number in range(passes)]

    def _answers_alone(self, asked: _Asked) -> bool:
        """Whether a task gets the answer without the thinking: other people's filters look for answers in all of it."""
        if asked.settings.response != "auto":
            return asked.settings.response == "answer"
        return bool(self._think_end()) or is_of_others(asked.request)

    def _think_end(self) -> str:
        """lm_eval's `think_end_token` as text: a response begins behind the last one."""
        token = getattr(self, "think_end_token", None)
        return self._decode((token,)) if isinstance(token, int) else token or ""

    @contextmanager
    def _remembering(self) -> Iterator[Engine]:
        """The engine, inside the memo where there is one."""
        path = memo_path(self.options)
        if path is None:
            yield self.engine
            return
        try:
            identity = self.model_identity()
        except MemoError as error:
            if "memo" in self.options:
                raise
            logger.warning("this run has no memo: %s", error)  # nobody asked for one
            yield self.engine
            return
        with Memo(self.engine, path, identity, read_only=self.memo_is_finished) as memo:
            try:
                yield memo
            finally:
                reused, generated = memo.reused_tokens, memo.generated_tokens
                logger.info("memo %s: %s tokens reused, %s generated", path, f"{reused:,}", f"{generated:,}")
                if (dates := self.prompts.template.dates()) and not self.memo_is_finished:
                    logger.info(
                        "the chat template writes the date (%s) into every prompt, so this memo holds nothing for "
                        'another day; chat_template_args={"strftime_now": "YYYY-MM-DD"} keeps one date',
                        ", ".join(dates),
                    )

    def _decode(self, tokens: Tokens) -> str:
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False)  # type: ignore[no-any-return]


def _reuse(engine: Engine, asked: Sequence[_Asked], options: int) -> Reuse:
    """What the memo spared those that were asked with these options; zeros for an engine that remembers nothing."""
    if not isinstance(engine, Memo):
        return Reuse()
    ours = [number for number, one in enumerate(asked) if one.options == options]
    return Reuse(*(sum(told[number] for number in ours) for told in (engine.reused, engine.generated)))


def _log_summary(responses: Sequence[tuple[_Asked, Response]]) -> None:
    """Says once, after a run, what its numbers must be read with."""
    count = len(responses)
    if dropped := sum(response.usage[DROPPED_TOKENS] for _, response in responses):
        logger.warning("%d sampled token ids are unknown to the tokenizer and were left out of the text", dropped)
    if limited := sum(map(_is_limited, responses)):
        logger.warning(
            "max_thinking_tokens was lowered to what the context window leaves for %d of %d samples "
            "(thinking_limit in traces.jsonl says how far)",
            limited,
            count,
        )
    if unfinished := sum(response.usage[ANSWER_CUT_OFF] for _, response in responses):
        logger.warning(
            "%d of %d answers were stopped at max_answer_tokens: raise it if they are not just repeating themselves",
            unfinished,
            count,
        )
    settings = [one.settings for one, _ in responses]
    if any(chosen.samples > 1 and ("temperature", 0.0) in chosen.sampling for chosen in settings):
        logger.warning("n > 1 at temperature 0: all samples of a question are the same; set temperature")


def _is_limited(answered: tuple[_Asked, Response]) -> bool:
    """Whether the context window left less thinking than was asked for."""
    asked, response = answered
    wanted = asked.settings.budget.max_thinking_tokens
    return wanted is not None and response.usage[THINKING_LIMIT] < wanted


def end_ids(tokenizer: Any, configured: int | list[int] | None) -> frozenset[int]:
    """Ids that end a generation: the tokenizer's, and those that the model's generation config names."""
    ids = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    return frozenset(int(i) for i in ids if i is not None)
