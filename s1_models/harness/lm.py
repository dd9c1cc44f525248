"""The harness side: lm_eval's `generate_until` -> sessions -> transcripts.

`BudgetForcingLM` is mixed into one of the harness's own model classes. Tokenizer, chat template and loglikelihood
stay the harness's; generation is ours. An engine module adds what it alone knows.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s1_models.driver import Engine, Job, run_jobs
from s1_models.forcing import Session, Tokens
from s1_models.harness.fail_closed import refuse_a_broken_bridge, refuse_namesakes
from s1_models.harness.progress import Bar
from s1_models.harness.prompts import Prompt, Prompting
from s1_models.harness.run_facts import TaskFacts, run_facts
from s1_models.memo.identity import Identified
from s1_models.memo.memo import Memo
from s1_models.memo.store import MemoError, Store
from s1_models.options import OptionError, Settings, memo_path, resolve
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


class BudgetForcingLM(Prompting, Identified):
    """Mixin for a harness model class: budget forcing in `generate_until`.

    The host class provides `tokenizer`, `tok_encode` and `apply_chat_template`. The engine module sets the
    attributes below before the first `generate_until`.
    """

    engine: Engine
    max_in_flight: int | None  # sessions
    sampling_names: frozenset[str]  # what the engine can sample with
    eos_ids: frozenset[int]
    default_seed: int
    budget_defaults: dict[str, Any]  # our model args, canonical names
    progress_label = "Thinking (s1)"  # before the progress bar
    memo_is_finished = False  # the memo is read, and nothing is added
    reuse = Reuse()  # of the last `generate_until`
    # Other budgets (as `budget_defaults`) whose sessions run along in the next `generate_until`, so that the memo has
    # them (there must be one); and what became of each.
    ahead: Sequence[Mapping[str, Any]] = ()
    task_facts: dict[str, TaskFacts]  # by task, of the last `generate_until`
    reuse_ahead: Sequence[Reuse] = ()

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
        """Full transcripts, one per request, in order; `Response`s, which carry their own accounting.

        `n` (or `repeats`) in gen_kwargs asks for several samples of each request: the harness takes one response
        per request, so the earlier ones are put into `request.resps`, where it appends the last.
        """
        refuse_namesakes(requests)
        settings = self._settings(requests, self.budget_defaults)
        self.task_facts = {}
        samples = [(index, sample) for index, chosen in enumerate(settings) for sample in range(chosen.samples)]
        with self._remembering() as engine:
            passes = [self._jobs(requests, settings)]
            for budget in self.ahead:
                passes.append(self._jobs(requests, self._settings(requests, budget), keep=False))
            # A question's sessions side by side: what they share is generated for the first of them, and the others,
            # which wait for it, go on from there while it is still in the engine's prefix cache.
            jobs = [job for side_by_side in zip(*passes, strict=True) for job in side_by_side]
            in_flight = None if self.max_in_flight is None else self.max_in_flight * len(passes)
            hidden = disable_tqdm or getattr(self, "rank", 0) != 0
            try:
                with Bar(len(jobs), engine, self.progress_label, hidden=hidden) as bar:
                    sessions = run_jobs(jobs, engine, max_in_flight=in_flight, progress=bar)[:: len(passes)]
            finally:
                self.reuse, *self.reuse_ahead = _reuse(engine, len(passes))
        _log_summary(sessions, settings)

        responses: list[str] = []
        for (index, sample), session in zip(samples, sessions, strict=True):
            form = settings[index].form or self.detected_format()
            prefix = self.prompts.answer_prefix(requests[index].args[0], settings[index].chat_template)
            closing = form.closing + form.after_end + prefix if prefix else form.closing
            transcript = transcribe(session, self._decode, settings[index].until, closing)
            if sample + 1 < settings[index].samples:
                requests[index].resps.append(transcript)
            else:
                responses.append(transcript)
        return responses

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

    @contextmanager
    def _remembering(self) -> Iterator[Engine]:
        """The engine, inside the memo where there is one."""
        path = memo_path(self.budget_defaults)
        if path is None:
            yield self.engine
            return
        try:
            identity = self.model_identity()
        except MemoError as error:
            if "memo" in self.budget_defaults:
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

    # From requests to jobs.

    def _settings(self, requests: list[Instance], budget_defaults: Mapping[str, Any]) -> list[Settings]:
        known: dict[str, Settings] = {}
        chosen = []
        for request in requests:
            key = json.dumps(request.args[1], sort_keys=True, default=str)
            if key not in known:
                known[key] = resolve(budget_defaults, request.args[1], self.sampling_names)
            chosen.append(known[key])
        return chosen

    def _jobs(self, requests: list[Instance], settings: list[Settings], keep: bool = True) -> list[Job]:
        prompts: dict[tuple[object, ...], Prompt] = {}
        policies: Policies | None = None
        # The harness repeats the same Instance object: a repeat is known by order only.
        times = Counter(map(id, requests))
        seen: Counter[int] = Counter()
        jobs = []
        for request, chosen in zip(requests, settings, strict=True):
            form = chosen.form or self.detected_format()
            key = (request.args[0], chosen.chat_template, chosen.prompt_style, chosen.thinking_request, form)
            if key not in prompts:
                prompts[key] = self.prompts.make(request.args[0], chosen, form)
            prompt = prompts[key]
            if keep and request.task_name not in self.task_facts:
                self.task_facts[str(request.task_name)] = TaskFacts(chosen, form, request.args[0], prompt.text)
            policies = policies or self._policies()
            policy = policies.policy(chosen, form, prompt.opening, prompt.answer_prefix)
            turn = seen[id(request)]
            seen[id(request)] += 1
            early = chosen.samples - 1  # samples that go straight into request.resps, before the harness adds its own
            for sample in range(chosen.samples):
                repeat = turn * early + sample if sample < early else times[id(request)] * early + turn
                label = f"{request.task_name} question {request.doc_id}" + (f" repeat {repeat}" if repeat else "")
                thinking = chosen.thinking_sampling and self._seeded(chosen.thinking_sampling, repeat)
                jobs.append(Job(policy, prompt.tokens, label, self._seeded(chosen.sampling, repeat), thinking, keep))
        return jobs

    def _policies(self) -> Policies:
        why_none = self.detection().why if self._detection else ""
        off_by = self.prompts.template.off_by
        return Policies(self.tokenizer, self.eos_ids, self.engine.context_window, off_by, why_none)

    def _seeded(self, sampling: tuple[tuple[str, Any], ...], repeat: int) -> tuple[tuple[str, Any], ...]:
        values = dict(sampling)
        if values.get("temperature") == 0:
            values.pop("seed", None)  # greedy needs none
        else:
            values["seed"] = int(values.get("seed", self.default_seed)) + repeat
        return tuple(sorted(values.items()))

    def _decode(self, tokens: Tokens) -> str:
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False)  # type: ignore[no-any-return]


def _reuse(engine: Engine, passes: int) -> list[Reuse]:
    """Per pass, of which pass n has the jobs n, n + passes, ...; zeros for an engine that remembers nothing."""
    if not isinstance(engine, Memo):
        return [Reuse()] * passes
    return [Reuse(*(_sum_every(passes, n, told) for told in (engine.reused, engine.generated))) for n in range(passes)]


def _sum_every(step: int, first: int, told: Mapping[Any, int]) -> int:
    return sum(tokens for key, tokens in told.items() if key % step == first)


def _log_summary(sessions: list[Session], settings: list[Settings]) -> None:
    """Says once, after a run, what its numbers must be read with."""
    dropped = sum(session.dropped_tokens for session in sessions)
    if dropped:
        logger.warning("%d sampled token ids are unknown to the tokenizer and were left out of the text", dropped)
    wanted = [chosen.budget.max_thinking_tokens for chosen in settings for _ in range(chosen.samples)]
    limited = sum(
        most is not None and session.thinking_limit < most for most, session in zip(wanted, sessions, strict=True)
    )
    if limited:
        logger.warning(
            "max_thinking_tokens was lowered to what the context window leaves for %d of %d samples "
            "(thinking_limit in traces.jsonl says how far)",
            limited,
            len(sessions),
        )
    unfinished = sum(session.answer_cut_off for session in sessions)
    if unfinished:
        logger.warning(
            "%d of %d answers were stopped at max_answer_tokens: raise it if they are not just repeating themselves",
            unfinished,
            len(sessions),
        )
    if any(chosen.samples > 1 and ("temperature", 0.0) in chosen.sampling for chosen in settings):
        logger.warning("n > 1 at temperature 0: all samples of a question are the same; set temperature")


def end_ids(tokenizer: Any, configured: int | list[int] | None) -> frozenset[int]:
    """Ids that end a generation: the tokenizer's, and those that the model's generation config names."""
    ids = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    return frozenset(int(i) for i in ids if i is not None)


def default_options(ours: Mapping[str, Any], sampling_names: frozenset[str]) -> dict[str, Any]:
    """Our model args, checked before an engine is started for them. Raises OptionError, BudgetError, FormatError,
    MemoError.
    """
    resolve(ours, {}, sampling_names)
    path = memo_path(ours)
    if path is not None:
        Store(path).close()  # an unusable memo is said before a model is loaded
    return dict(ours)
