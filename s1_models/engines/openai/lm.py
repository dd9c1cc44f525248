"""`s1_openai`: budget forcing against any OpenAI-compatible `/v1/completions` server (vLLM, SGLang, a router)

One coroutine per request, in a thread of its own; a wait is one more request whose prefix the server still has in
its prefix cache. What is written and read is in `completions`, how failures are borne in `connection`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import queue
import ssl
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.models.openai_completions import LocalCompletionsAPI, TemplateAPI

from s1_models.driver import EngineError
from s1_models.engines.openai.completions import SAMPLING_NAMES, Dialect, ReplyReader
from s1_models.engines.openai.connection import PATIENCE, Connection, Patience, Refused
from s1_models.forcing import Phase, Reply, Request, Tokens
from s1_models.formats import encode
from s1_models.harness.lm import BudgetForcingLM, default_options, end_ids
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.options import OptionError, at_least_one, memo_path, split_model_arguments, take_thinking_switch

logger = logging.getLogger(__name__)

MODEL_ARGUMENTS = frozenset(
    {
        *inspect.signature(LocalCompletionsAPI.__init__).parameters,
        *inspect.signature(TemplateAPI.__init__).parameters,
        *("max_failures", "max_downtime"),
        *("device", "max_batch_size"),  # the harness's CLI always passes them
    }
    - {"self", "kwargs"}
)
# One server decodes some hundred at a time; what it cannot take yet waits there.
NUM_CONCURRENT = 128
_PROBE = "One and one is"


class OpenAIEngine:
    """The Engine protocol on a connection. num_concurrent: requests at the server at a time; more wait here.

    fingerprint: what the server says of its own build and settings, where every reply has to come from that one.
    """

    def __init__(
        self, connection: Connection, dialect: Dialect, context_window: int, num_concurrent: int, fingerprint: str = ""
    ) -> None:
        self.context_window = context_window
        self._fingerprint = fingerprint
        self.connection = connection
        self.dialect = dialect
        self._slots = asyncio.Semaphore(num_concurrent)
        self._in_flight: dict[Hashable, _Asked] = {}
        self._done: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._failure: EngineError | None = None

    def submit(self, key: Hashable, request: Request) -> None:
        asked = self._in_flight[key] = _Asked(key)
        asked.future = self.connection.start(self._ask(asked, request))

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        replies: list[tuple[Hashable, Reply]] = []
        while self._in_flight and self._failure is None:
            try:
                asked = self._done.get_nowait() if replies else self._done.get(timeout=timeout_seconds)
            except queue.Empty:
                break
            if self._in_flight.get(asked.key) is not asked:
                continue  # cancelled while its reply was on the way
            if isinstance(asked.outcome, Reply):
                del self._in_flight[asked.key]
                replies.append((asked.key, asked.outcome))
            else:
                self._failure = asked.outcome
        if self._failure is not None and not replies:  # what came before the failure is told first
            raise self._failure
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        """Starts again at nothing when a request is sent a second time."""
        return [(key, asked.reader.partial) for key, asked in list(self._in_flight.items()) if asked.reader]

    def cancel(self) -> None:
        asked, self._in_flight, self._failure = list(self._in_flight.values()), {}, None
        for one in asked:
            if one.future is not None:
                one.future.cancel()  # closes its connection, which tells the server to stop

    async def _ask(self, asked: _Asked, request: Request) -> None:
        try:
            async with self._slots:
                reply = await self.connection.ask(self.dialect, request, asked.read_by)
            self._check_fingerprint(asked.reader)
            asked.outcome = reply
        except EngineError as error:
            error.key = asked.key
            asked.outcome = error
        except Exception as error:  # a mistake of ours must end the poll that waits for this reply, not hang it
            asked.outcome = EngineError(f"{type(error).__name__}: {error}", key=asked.key)
            asked.outcome.__cause__ = error
        self._done.put(asked)

    def _check_fingerprint(self, reader: ReplyReader | None) -> None:
        """Raises EngineError for a reply of another server than the one that was asked at the start."""
        now = reader.fingerprint if reader else None
        if self._fingerprint and now and now != self._fingerprint:
            raise EngineError(
                f"{self.connection.base_url} called itself {self._fingerprint} at the start and {now} now: it came "
                f"back with another version or configuration, or stands for servers that differ, and the memo must "
                f"not hold their tokens as one model's. Start the run again, with memo=off if they differ for good"
            )


class _Asked:
    """A request on its way: its key, the reader of its latest try, and what became of it."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.reader: ReplyReader | None = None
        self.future: Future[None] | None = None
        self.outcome: Reply | EngineError = EngineError("no reply yet")

    def read_by(self, reader: ReplyReader) -> None:
        self.reader = reader


class _TemplateHost(LocalCompletionsAPI):  # type: ignore[misc]
    """lm_eval's class, whose chat template does not hear whether to let the model think."""

    enable_thinking: bool | None = None

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self.tokenizer.apply_chat_template(  # type: ignore[no-any-return]
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
            enable_thinking=self.enable_thinking,
        )


class S1OpenAI(BudgetForcingLM, _TemplateHost):
    """lm_eval's local-completions with budget forcing (`--model s1_openai`).

    Takes what local-completions takes (base_url, model, tokenizer, num_concurrent, max_retries, timeout, max_length,
    tokenized_requests, header, ...), max_failures, max_downtime, and budget forcing's options (see README).
    model and max_length are asked of the server, the tokenizer is the served model's; OPENAI_API_KEY is sent when set.
    """

    sampling_names = SAMPLING_NAMES

    def __init__(
        self,
        base_url: str = "",
        model: str | None = None,
        pretrained: str | None = None,
        tokenizer: str | None = None,
        tokenized_requests: bool | str = "auto",
        max_length: int | None = None,
        num_concurrent: int = NUM_CONCURRENT,
        timeout: float = PATIENCE.timeout_seconds,
        max_retries: int = PATIENCE.max_retries,
        max_failures: int = PATIENCE.max_failures,
        max_downtime: float = PATIENCE.max_downtime_seconds,
        **arguments: Any,
    ) -> None:
        ours, rest = split_model_arguments(arguments, SAMPLING_NAMES, MODEL_ARGUMENTS)
        self.template_thinks = take_thinking_switch(rest)
        if not base_url:
            raise OptionError("s1_openai needs a server: base_url=http://HOST:8000/v1/completions")
        if rest.pop("tokenizer_backend", "huggingface") not in ("auto", "huggingface"):
            raise OptionError("tokenizer_backend: s1_openai works on token ids and needs a tokenizer from transformers")
        self.budget_defaults = default_options(ours, self.sampling_names)
        num_concurrent = at_least_one("num_concurrent", num_concurrent)
        patience = Patience(float(timeout), int(max_retries), int(max_failures), float(max_downtime))
        self.connection = Connection(base_url, self.api_key, patience, rest.get("header"), _verify(rest))
        self.served = self.connection.start(self.connection.look(model or pretrained)).result()
        self.context_window = int(max_length or self.served.max_model_len or 0)
        if not self.context_window:
            raise OptionError(f"{base_url} does not say how long its context is: give max_length=TOKENS")
        name = tokenizer or self.served.root or self.served.model
        self.tokenizer_source = name
        self.revision = rest.get("revision")
        with self.identified_while_loading(name):
            try:
                super().__init__(
                    base_url=f"{self.connection.base_url}/completions",
                    model=self.served.model,
                    tokenizer=name,
                    tokenizer_backend="huggingface",
                    tokenized_requests=True,  # of the host: its chat template needs it, see create_message
                    max_length=self.context_window,
                    num_concurrent=num_concurrent,
                    timeout=round(float(timeout)),
                    max_retries=int(max_retries),
                    **rest,
                )
            except (OSError, ValueError) as error:
                raise OptionError(f"no tokenizer at {name!r}: give tokenizer=NAME_OR_DIRECTORY ({error})") from error
            self.dialect, self.fingerprint = self._probe(str(tokenized_requests).lower())
        self.default_seed = int(self._seed)
        self.eos_ids = end_ids(self.tokenizer, _configured_ends(name))
        only = self.fingerprint if memo_path(self.budget_defaults) else ""
        self.engine = OpenAIEngine(self.connection, self.dialect, self.context_window, num_concurrent, only)
        self.max_in_flight = num_concurrent
        logger.info(
            "%s serves %s, %d tokens of context; prompts and replies are %s",
            self.connection.base_url,
            self.served.model,
            self.context_window,
            "token ids" if self.dialect.token_ids else "text, encoded here: tokens are counted by this tokenizer",
        )

    def identify(self) -> dict[str, str]:
        """What can be known from outside. Other weights under the same name cannot: docs/decisions/0008."""
        root = self.served.root or ""
        return {
            "engine": "completions server",
            "model": self.served.model,
            "root": root or "not told",
            "server": self.fingerprint or "not told",
            "weights": fingerprint_model(root) if Path(root).is_dir() else "at the server",
            "tokenizer": fingerprint_model(self.tokenizer_source, self.revision),
            "protocol": "token ids" if self.dialect.token_ids else "text",
        }

    def create_message(self, messages: Any, generate: bool = False) -> Any:
        """For the host's loglikelihood: text where the server takes no token ids."""
        return messages if self.dialect.token_ids else self.decode_batch(messages)

    def _probe(self, tokenized: str) -> tuple[Dialect, str]:
        """How this server is spoken to, found out by asking it for one token, and its fingerprint of itself."""
        if tokenized not in ("auto", "true", "false"):
            raise OptionError(f"tokenized_requests={tokenized!r}: expected auto, true or false")
        dialect = Dialect(
            model=self.served.model,
            token_ids=True,
            extensions=True,
            encode=lambda text: encode(self.tokenizer, text),
            decode=self._decode,
            known_ids=max(self.tokenizer.get_vocab().values()) + 1,
        )
        as_text = replace(dialect, token_ids=False)
        manners = {"true": [dialect], "false": [as_text], "auto": [dialect, as_text]}[tokenized]
        if not manners[-1].token_ids:
            manners.append(replace(as_text, extensions=False))
        refusals = []
        for manner in manners:
            try:
                return self.connection.start(self._ask_for_one_token(manner)).result()
            except Refused as error:
                refusals.append(str(error))
            except EngineError as error:  # it fails: that says nothing about what it can be asked
                hint = f"{error}. Or, if it is token ids that it fails on: tokenized_requests=false"
                raise EngineError(hint if manner.token_ids else str(error)) from error
        raise EngineError("; ".join(refusals))

    async def _ask_for_one_token(self, dialect: Dialect) -> tuple[Dialect, str]:
        readers: list[ReplyReader] = []
        request = Request(dialect.encode(_PROBE), 1, frozenset(), Phase.ANSWERING, 0, (("temperature", 0.0),))
        await self.connection.ask(dialect, request, readers.append)
        extra = (readers[-1].prompt_tokens or 0) - len(request.prefix)
        if not dialect.token_ids and extra == 1 and self.tokenizer.bos_token:
            dialect = replace(dialect, bos=self.tokenizer.bos_token)
        return dialect, readers[-1].fingerprint or ""


def _configured_ends(name: str) -> int | list[int] | None:
    """What the generation config beside the tokenizer names as ends, where there is one."""
    from transformers import GenerationConfig

    try:
        ends: int | list[int] | None = GenerationConfig.from_pretrained(name).eos_token_id
    except (OSError, ValueError):
        return None
    return ends


def _verify(arguments: dict[str, Any]) -> bool | ssl.SSLContext:
    certificates = arguments.get("ca_cert_path")
    if certificates:
        return ssl.create_default_context(cafile=os.fspath(certificates))
    return str(arguments.get("verify_certificate", True)).lower() != "false"
