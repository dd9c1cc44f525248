"""Many questions to a model behind an OpenAI-compatible chat endpoint, each answer kept as soon as it comes.

Every outcome is one line of a journal, so a run that is killed goes on where it was: what succeeded is not asked again,
what failed is. Rate limits, timeouts and 5xx are waited out by all questions together for `max_downtime_seconds`
(`s1_models.engines.openai.patience`); a reply that cannot be used is asked for again, at most `attempts` times in
all. An endpoint that refuses
the key or does not know the model, and one that fails many questions in a row, stop the run: that is not the
questions' fault, and rejecting them all would look like a result.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import openai
from tqdm import tqdm

from s1_models.engines.openai.patience import (
    PASSING_STATUSES,
    OutOfPatience,
    Pace,
    Patience,
    Trouble,
    pause_after,
    retry_after,
)
from training.curate.stage import CurationError
from training.curate.tables import canonical_hash

MAX_FAILURES_IN_A_ROW = 20
"""Questions that failed one after another, whatever was asked: more than chance, so the run stops."""
Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and how. Prices are US dollars per million tokens; api_key_env names the variable with the key.

    concurrency: questions in flight. attempts: replies asked for per question. extra: further fields of the request.
    max_downtime_seconds: how long an endpoint may answer nothing. network_retries: failures of the network that a
    question is granted in any case, while others are answered.
    """

    model: str
    base_url: str = "https://api.openai.com/v1"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 16
    attempts: int = 4
    timeout_seconds: float = 1800.0
    network_retries: int = 5
    max_downtime_seconds: float = 600.0
    temperature: float | None = None
    max_tokens: int | None = None
    usd_per_million_input: float = 0.0
    usd_per_million_output: float = 0.0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """What changes the replies; anything else may change between two runs of one journal."""
        named = ("model", "temperature", "max_tokens", "extra")
        return {name: value for name, value in asdict(self).items() if name in named}


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply. thinking: what the server gave apart from the text, None when it gave nothing apart."""

    text: str
    thinking: str | None
    finish: str


class Unusable(Exception):
    """A reply that does not do: why, and what to tell the model before it is asked again (None: the same question)."""

    def __init__(self, reason: str, tell: str | None = None) -> None:
        super().__init__(reason)
        self.tell = tell


Reader = Callable[[Answer], dict[str, Any]]
"""Makes a value (a JSON object) of a reply, or raises Unusable."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question: a value (a JSON object), or the error of its last attempt."""

    value: dict[str, Any] | None
    error: str | None
    attempts: int
    input_tokens: int
    output_tokens: int


@dataclass
class Usage:
    """What a stage cost, earlier runs of the same journal included."""

    questions: int = 0
    failed: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0

    @classmethod
    def of(cls, endpoint: Endpoint, outcomes: Sequence[Outcome], spent: Sequence[Outcome]) -> Usage:
        """outcomes: one a question, the last; spent: every outcome of the journal."""
        asked, written = sum(one.input_tokens for one in spent), sum(one.output_tokens for one in spent)
        usd = (asked * endpoint.usd_per_million_input + written * endpoint.usd_per_million_output) / 1e6
        return cls(
            len(outcomes),
            sum(one.value is None for one in outcomes),
            sum(one.attempts for one in spent),
            asked,
            written,
            round(usd, 4),
        )


class Journal:
    """Outcomes by key in a JSON Lines file, for one way of asking (`settings`); lines of other ways are left alone."""

    def __init__(self, path: Path, settings: Any) -> None:
        self.path = path
        self._settings = canonical_hash(settings)[:16]
        self.outcomes: dict[str, Outcome] = {}
        self.spent: list[Outcome] = []
        self._read()

    def __enter__(self) -> Journal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._out = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.close()

    def add(self, key: str, outcome: Outcome) -> None:
        self._keep(key, outcome)
        line = {"key": key, "settings": self._settings, **asdict(outcome)}
        self._out.write(json.dumps(line) + "\n")  # ASCII: a reply may hold what UTF-8 cannot
        self._out.flush()

    def succeeded(self, key: str) -> bool:
        return key in self.outcomes and self.outcomes[key].value is not None

    def _keep(self, key: str, outcome: Outcome) -> None:
        self.outcomes[key] = outcome
        self.spent.append(outcome)

    def _read(self) -> None:
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):  # killed in the middle of a line: that outcome is asked for again
            with self.path.open("r+b") as torn:
                torn.truncate(complete)
        for number, line in enumerate(content[:complete].splitlines(), start=1):
            try:
                kept = json.loads(line)
                key, settings = kept.pop("key"), kept.pop("settings")
                outcome = Outcome(**kept)
            except (ValueError, KeyError, TypeError) as error:
                raise CurationError(
                    f"{self.path}, line {number}: not a line of a journal ({error}): remove it"
                ) from error
            if settings == self._settings:
                self._keep(key, outcome)


def ask_all(
    endpoint: Endpoint,
    questions: Mapping[str, Sequence[Message]],
    read: Reader,
    journal: Path,
    label: str,
) -> tuple[dict[str, Outcome], Usage]:
    """Asks every question that the journal has no value for; returns all outcomes by key, and what they cost.

    read: makes a value of a reply, or raises Unusable. Raises CurationError when the endpoint as a whole fails.
    """
    # The same key with another text or another system prompt is another question.
    names = {key: f"{key} {canonical_hash(messages)[:12]}" for key, messages in questions.items()}
    with Journal(journal, endpoint.identity()) as kept:
        left = {names[key]: messages for key, messages in questions.items() if not kept.succeeded(names[key])}
        with tqdm(total=len(questions), initial=len(questions) - len(left), desc=label, unit="question") as bar:
            if left:
                asyncio.run(_ask_left(endpoint, left, read, kept, bar))
        outcomes = {key: kept.outcomes[name] for key, name in names.items()}
        return outcomes, Usage.of(endpoint, list(outcomes.values()), kept.spent)


async def _ask_left(
    endpoint: Endpoint,
    questions: Mapping[str, Sequence[Message]],
    read: Reader,
    kept: Journal,
    bar: Any,
) -> None:
    failures: list[str] = []
    hard = {key for key in questions if key in kept.outcomes}  # that failed in an earlier run
    left = iter(sorted(questions, key=lambda key: key in hard))
    pace = Pace(endpoint.concurrency, Patience(max_downtime_seconds=endpoint.max_downtime_seconds), endpoint.base_url)

    async def work(client: openai.AsyncOpenAI) -> None:
        for key in left:  # shared by all workers: each takes the next one
            outcome = await _ask_one(client, pace, endpoint, questions[key], read)
            kept.add(key, outcome)
            bar.update(1)
            if outcome.error is None:
                failures.clear()
            if outcome.error is None or key in hard:  # these may well fail again, all in a row
                continue
            failures.append(outcome.error)
            if len(failures) >= MAX_FAILURES_IN_A_ROW:
                raise CurationError(
                    f"{len(failures)} questions in a row failed at {endpoint.base_url}, the last with: {failures[-1]}. "
                    f"What was answered is kept; the same command goes on from there"
                )

    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=os.environ.get(endpoint.api_key_env) or "none",
        timeout=endpoint.timeout_seconds,
        max_retries=0,  # `Pace` has the patience
    ) as client:
        workers = [asyncio.create_task(work(client)) for _ in range(endpoint.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


async def _ask_one(
    client: openai.AsyncOpenAI,
    pace: Pace,
    endpoint: Endpoint,
    messages: Sequence[Message],
    read: Reader,
) -> Outcome:
    asked, written, error = 0, 0, "never asked"
    conversation = [dict(message) for message in messages]
    for attempt in range(1, endpoint.attempts + 1):
        try:
            answer, usage = await _complete_patiently(client, pace, endpoint, conversation)
            asked, written = asked + usage[0], written + usage[1]
            return Outcome(read(answer), None, attempt, asked, written)
        except Unusable as unusable:
            error = str(unusable)
            if unusable.tell:
                reply = {"role": "assistant", "content": answer.text}
                conversation = [*map(dict, messages), reply, {"role": "user", "content": unusable.tell}]
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as refused:
            raise CurationError(
                f"{endpoint.base_url} refuses model {endpoint.model!r} ({refused}): check the key in "
                f"{endpoint.api_key_env}, the model's name and base_url"
            ) from refused
        except CurationError:  # the endpoint's fault, which is no question's outcome
            raise
        except (openai.OpenAIError, ValueError) as failed:  # ValueError: a body that is no JSON
            error = f"{type(failed).__name__}: {' '.join(str(failed).split())[:300]}"
            return Outcome(None, error, attempt, asked, written)
    return Outcome(None, error, endpoint.attempts, asked, written)


async def _complete_patiently(
    client: openai.AsyncOpenAI, pace: Pace, endpoint: Endpoint, messages: list[dict[str, str]]
) -> tuple[Answer, tuple[int, int]]:
    """`_complete`, as often as the endpoint is in trouble. Raises CurationError when nobody gets an answer."""
    order, began, failures = pace.order(), time.monotonic(), 0
    while True:
        async with pace.turn(order) as epoch:
            try:
                completed = await _complete(client, endpoint, messages)
            except openai.APIError as failed:
                error, trouble = failed, _trouble(failed)
                if trouble is None:
                    raise
            else:
                pace.answered()
                return completed
        others_are_answered = pace.last_token > began
        try:
            pace.bear(trouble, epoch)
        except OutOfPatience as ended:
            if others_are_answered:
                raise error from None
            raise CurationError(
                f"{endpoint.base_url}: {ended}. What was answered is kept; the same command goes on from there"
            ) from error
        if not trouble.busy:
            failures += 1
            lasted = time.monotonic() - began
            if others_are_answered and failures > endpoint.network_retries and lasted > endpoint.max_downtime_seconds:
                raise error
            await asyncio.sleep(pause_after(failures))


def _trouble(error: openai.APIError) -> Trouble | None:
    """The error as trouble that may pass; None for one that asking again does not mend."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if isinstance(error, openai.APIConnectionError):  # a timeout is one, too
        return Trouble(said)
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        if status >= 500 or status in PASSING_STATUSES:
            return Trouble(said, status=status, retry_after=retry_after(error.response.headers))
    return None


async def _complete(
    client: openai.AsyncOpenAI, endpoint: Endpoint, messages: list[dict[str, str]]
) -> tuple[Answer, tuple[int, int]]:
    limits = {"temperature": endpoint.temperature, "max_tokens": endpoint.max_tokens}
    given: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    asked: Any = messages
    completion: Any = await client.chat.completions.create(
        model=endpoint.model, messages=asked, extra_body=dict(endpoint.extra), **given
    )
    usage = getattr(completion, "usage", None)
    tokens = (getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or 0)
    choices = getattr(completion, "choices", None)
    if not choices:
        raise ValueError(f"the reply has no choices: {str(completion)[:200]}")
    message = choices[0].message
    # Two names for the same: DeepSeek, vLLM and SGLang say reasoning_content, OpenRouter and newer vLLM reasoning.
    thinking = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    return Answer(message.content or "", thinking, choices[0].finish_reason or "stop"), tokens
