"""`s1_openai`: budget forcing against any OpenAI-compatible `/v1/completions` server (vLLM, SGLang, a router)

A wait is one more request whose prefix the server still has in its prefix cache. What is written and read is in
`completions`, how failures are borne in `connection`, the engine in `engine`.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.models.openai_completions import LocalCompletionsAPI, TemplateAPI

from s1_contract.printing import show
from s1_models.driver import EngineError
from s1_models.engines.openai.arguments import read_headers, read_patience, read_template_arguments, verification
from s1_models.engines.openai.completions import SAMPLING_NAMES, Dialect, ReplyReader
from s1_models.engines.openai.connection import NUM_CONCURRENT, PATIENCE, Connection, Served
from s1_models.engines.openai.engine import OpenAIEngine
from s1_models.engines.openai.patience import Untrusted
from s1_models.engines.openai.transport import Refused
from s1_models.forcing import Phase, Request
from s1_models.formats import encode
from s1_models.harness.lm import BudgetForcingLM, end_ids
from s1_models.memo.fingerprint import fingerprint_model
from s1_models.options import OptionError, at_least_one, memo_path, take_thinking_switch

logger = logging.getLogger(__name__)

MODEL_ARGUMENTS = frozenset(
    {
        *inspect.signature(LocalCompletionsAPI.__init__).parameters,
        *inspect.signature(TemplateAPI.__init__).parameters,
        *("max_failures", "max_downtime", "chat_template_args"),
        *("device", "max_batch_size"),  # the harness's CLI always passes them
    }
    - {"self", "kwargs"}
)
_PROBE = "One and one is"
_NO_ENDPOINT = (404, 405, 501)  # HTTP's ways to say that there is nothing at this address to be asked


class _Whole:
    """Reads a reply that is one JSON object."""

    def __init__(self) -> None:
        self._body: Any = None

    def read(self, event: Any) -> bool:
        if not isinstance(event, dict) or not isinstance(event.get("choices"), list):
            raise Untrusted(f"a reply without choices: {show(repr(event)[:80])}")
        self._body = event
        return True

    def reply(self) -> dict[str, Any]:
        if self._body is None:
            raise Untrusted("an empty reply")
        return self._body  # type: ignore[no-any-return]


class _Host(LocalCompletionsAPI):  # type: ignore[misc]
    """lm_eval's class, whose requests go through our connection: its own would follow a server to another host."""

    enable_thinking: bool | None = None
    chat_template_args: Mapping[str, Any] = {}
    connection: Connection

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self.tokenizer.apply_chat_template(  # type: ignore[no-any-return]
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
            **{"enable_thinking": self.enable_thinking, **self.chat_template_args},
        )

    @property
    def header(self) -> dict[str, str]:
        return self.connection.headers

    def model_call(self, messages: Any, *, generate: bool = True, gen_kwargs: Any = None, **options: Any) -> Any:
        return self._call(messages, generate, gen_kwargs, options).result()

    async def amodel_call(
        self,
        session: Any,
        sem: Any,
        messages: Any,
        *,
        generate: bool = True,
        cache_keys: Any = None,
        ctxlens: Any = None,
        gen_kwargs: Any = None,
        **options: Any,
    ) -> Any:
        """What loglikelihood tasks ask for, several at a time; the session is lm_eval's, and is not used."""
        outputs = await asyncio.wrap_future(self._call(messages, generate, gen_kwargs, options))
        answers = self.parse_logprobs(outputs=outputs, tokens=messages, ctxlens=ctxlens)
        for answer, key in zip(answers, cache_keys or (), strict=False):
            self.cache_hook.add_partial("loglikelihood", key, answer)
        return answers

    def _call(self, messages: Any, generate: bool, gen_kwargs: Any, options: dict[str, Any]) -> Future[dict[str, Any]]:
        body = self._create_payload(
            self.create_message(messages),
            generate=generate,
            gen_kwargs=copy.deepcopy(gen_kwargs),
            seed=self._seed,
            eos=self.eos_string,
            **options,
        )
        # Each token of a prompt comes back as text with its likelihood and the likeliest others.
        longest = 2**20 + 2048 * sum(map(len, messages))
        return self.connection.start(self.connection.exchange("/completions", body, _Whole, longest))


class S1OpenAI(BudgetForcingLM, _Host):
    """lm_eval's local-completions with budget forcing (`--model s1_openai`).

    Takes what local-completions takes (base_url, model, tokenizer, num_concurrent, max_retries, timeout, max_length,
    tokenized_requests, header, ...), max_failures, max_downtime, and budget forcing's options (see README).
    model and max_length are asked of the server, the tokenizer is the served model's; OPENAI_API_KEY is sent when set.
    """

    sampling_names = SAMPLING_NAMES
    model_arguments = MODEL_ARGUMENTS

    def load(
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
        max_failures: int | None = PATIENCE.max_failures,
        max_downtime: float = PATIENCE.max_downtime_seconds,
        **rest: Any,
    ) -> None:
        """Asks the server what it serves, loads that model's tokenizer, and connects."""
        rest["chat_template_args"] = read_template_arguments(rest.get("chat_template_args"))
        self.template_thinks = take_thinking_switch(rest)
        self.chat_template_args = rest.pop("chat_template_args")
        _check_address(base_url)
        if rest.pop("tokenizer_backend", "huggingface") not in ("auto", "huggingface"):
            raise OptionError("tokenizer_backend: s1_openai works on token ids and needs a tokenizer from transformers")
        num_concurrent = at_least_one("num_concurrent", num_concurrent)
        patience = read_patience(timeout, max_retries, max_failures, max_downtime)
        headers = read_headers(rest.pop("header", None))
        self.connection = Connection(
            base_url, self.api_key, patience, headers, verification(rest), num_concurrent=num_concurrent
        )
        asked = model or pretrained
        known = Served(asked, None, int(max_length)) if asked and max_length and tokenizer else None
        self.served = self.connection.start(self.connection.look(asked, known)).result()
        self.context_window = int(max_length or self.served.max_model_len or 0)
        if not self.context_window:
            raise OptionError(
                f"{self.connection.base_url} does not say how long its context is: give max_length=TOKENS"
            )
        name = tokenizer or self.served.root or self.served.model
        self.tokenizer_source = name
        self.revision = rest.get("revision")
        with self.identified_while_loading(name):
            try:
                self.load_host(
                    base_url=f"{self.connection.base_url}/completions",
                    model=self.served.model,
                    tokenizer=name,
                    tokenizer_backend="huggingface",
                    tokenized_requests=True,  # of the host: its chat template needs it, see create_message
                    max_length=self.context_window,
                    num_concurrent=num_concurrent,
                    timeout=round(patience.timeout_seconds),
                    max_retries=1,  # of the host: the connection has the patience
                    **rest,
                )
            except (OSError, ValueError) as error:
                raise OptionError(f"no tokenizer at {name!r}: give tokenizer=NAME_OR_DIRECTORY ({error})") from error
            self.dialect, self.fingerprint = self._probe(str(tokenized_requests).lower())
        self.default_seed = int(self._seed)
        self.eos_ids = end_ids(self.tokenizer, _configured_ends(name))
        only = self.fingerprint if memo_path(self.options) else ""
        self.engine = OpenAIEngine(self.connection, self.dialect, self.context_window, only)
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
                if error.status in _NO_ENDPOINT:
                    raise _no_completions(self.connection.base_url, error) from error
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


def _check_address(base_url: str) -> None:
    if not base_url:
        raise OptionError("s1_openai needs a server: base_url=http://HOST:8000/v1/completions")
    if base_url.rstrip("/").endswith("/chat/completions"):
        raise OptionError(
            "base_url ends in /chat/completions, where thinking cannot be continued: s1_openai needs a completions "
            "endpoint, base_url=http://HOST:PORT/v1/completions; for a server that has chat only use --model s1_chat"
        )


def _no_completions(base_url: str, error: Refused) -> EngineError:
    """Said of a server that has nothing at /completions."""
    v1 = "" if base_url.endswith("/v1") else f"; if its address ends in /v1, give base_url={base_url}/v1/completions"
    return Refused(
        f"POST {base_url}/completions was answered with {error.status}: s1_openai needs a completions endpoint, as "
        f"`vllm serve` and SGLang have one{v1}; for a server that has chat completions only use --model s1_chat",
        status=error.status,
    )
