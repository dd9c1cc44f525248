"""`s1_chat`: hosted models on chat endpoints, with effort or a thinking budget, and Wait where a message can go on

The names of model args are those of lm_eval's local-chat-completions. How a server is borne is in
`s1_models.engines.openai.patience`, what is written and read in `shapes`, what is kept in `replies`.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lm_eval.api.model import LM
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.openai_completions import LocalChatCompletion, TemplateAPI
from tqdm import tqdm

from s1_contract.response import Response
from s1_models.driver import EngineError, Interrupted
from s1_models.engines.chat.asking import Asker, respond
from s1_models.engines.chat.money import add_up, read_prices
from s1_models.engines.chat.options import CHAT_OPTIONS, ChatSettings, read_settings, split_chat_options
from s1_models.engines.chat.replies import Replies, replies_beside
from s1_models.engines.chat.shapes import ENDINGS, Messages, choose_shape
from s1_models.engines.openai.arguments import (
    clean_header,
    read_headers,
    read_patience,
    read_template_arguments,
    verification,
)
from s1_models.engines.openai.connection import PATIENCE, Connection
from s1_models.engines.openai.transport import Refused, split_address
from s1_models.harness.fail_closed import refuse_a_broken_bridge, refuse_namesakes
from s1_models.harness.lm import Reuse
from s1_models.options import OptionError, at_least_one, check_known, memo_path

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)

MODEL_ARGUMENTS = frozenset(
    {
        *inspect.signature(LocalChatCompletion.__init__).parameters,
        *inspect.signature(TemplateAPI.__init__).parameters,
        *("max_failures", "max_downtime", "api", "api_key_env", "prices", "extra_body", "chat_template_args"),
        *("device", "max_batch_size", "memo", *CHAT_OPTIONS),
    }
    - {"self", "kwargs"}
)
NUM_CONCURRENT = 32
DEFAULT_SEED = 1234
"""As in lm_eval's own classes for such servers."""


class S1Chat(LM):  # type: ignore[misc]
    """A hosted model behind a chat endpoint (`--model s1_chat`).

    Takes base_url, model and the other names of local-chat-completions; api: which protocol (see `shapes.SHAPES`);
    reasoning_effort, max_thinking_tokens (where the API has a budget), num_waits (where the server can go on with a
    message); prices, extra_body, max_failures, max_downtime, memo. The key comes from the variable of the API, or from
    the one that api_key_env names. Raises OptionError.
    """

    def __init__(
        self,
        base_url: str = "",
        model: str | None = None,
        pretrained: str | None = None,
        api: str = "auto",
        api_key_env: str | None = None,
        num_concurrent: int = NUM_CONCURRENT,
        timeout: float = PATIENCE.timeout_seconds,
        max_retries: int = PATIENCE.max_retries,
        max_failures: int | None = PATIENCE.max_failures,
        max_downtime: float = PATIENCE.max_downtime_seconds,
        prices: Any = None,
        seed: int = DEFAULT_SEED,
        **arguments: Any,
    ) -> None:
        super().__init__()
        refuse_a_broken_bridge()
        ours, rest = split_chat_options({name: value for name, value in arguments.items() if name != "memo"})
        check_known(rest, [*CHAT_OPTIONS, "memo", *sorted(MODEL_ARGUMENTS)], "model argument")
        self.model = model or pretrained or ""
        if not base_url or not self.model:
            raise OptionError("s1_chat needs a server and a model: base_url=https://HOST/v1,model=NAME")
        self.options = ours
        self.label = f"Asking {self.model}"
        address, _ = split_address(base_url)
        self.shape = choose_shape(api, urlsplit(address).hostname or "", urlsplit(address).path)
        self.settings({})  # options that cannot be are said before anything is sent
        self.default_seed = int(seed)
        self.prices = read_prices(prices, self.model)
        headers = {**self._key_headers(api_key_env), **read_headers(rest.get("header"))}
        self.connection = Connection(
            without_ending(base_url),
            patience=read_patience(timeout, max_retries, max_failures, max_downtime),
            headers=headers,
            verify=verification(rest),
            num_concurrent=at_least_one("num_concurrent", num_concurrent),
        )
        memo = memo_path({"memo": arguments["memo"]} if "memo" in arguments else {})
        self.replies = Replies(None if memo is None else replies_beside(memo))
        self.asker = Asker(self.connection, self.shape, self.model, self.replies, self._extra(rest))

    def _key_headers(self, variable: str | None) -> dict[str, str]:
        variable = variable or self.shape.key_variable
        return self.shape.headers(clean_header(variable, os.environ.get(variable, "")))

    @staticmethod
    def _extra(rest: Mapping[str, Any]) -> dict[str, Any]:
        extra = read_template_arguments(rest.get("extra_body"))
        template = read_template_arguments(rest.get("chat_template_args"))
        return {**extra, **({"chat_template_kwargs": template} if template else {})}

    def settings(self, gen_kwargs: Mapping[str, Any]) -> ChatSettings:
        """How a request with these generation options is asked. Raises OptionError."""
        settings = read_settings(self.options, gen_kwargs)
        if settings.num_waits and not self.shape.continues:
            raise OptionError(
                f"num_waits={settings.num_waits}: the {self.shape.name} API thinks out of our reach and cannot go on "
                "with a message that we began, so there is no end of thinking to hold back; use reasoning_effort or "
                "max_thinking_tokens, or a server of your own"
            )
        return settings

    def asked_with(self, *options: Mapping[str, Any], label: str = "") -> S1Chat:
        """This model with other options, on the same connection and file of replies; of several, with the first.

        label: before the progress bar. Raises OptionError.
        """
        asked = copy(self)
        asked.options, _ = split_chat_options({name: value for name, value in options[0].items() if name != "memo"})
        asked.settings({})
        asked.label = label or self.label
        asked.asker = replace(self.asker, spent=[], reused=[])
        return asked

    @property
    def reuse(self) -> list[Reuse]:
        """What the file of replies spared, in tokens."""
        tokens = [sum(one.completion_tokens or 0 for one in kept) for kept in (self.asker.reused, self.asker.spent)]
        return [Reuse(*tokens)]

    # What lm_eval asks of a model.

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """One `Response` per request, in order; earlier samples of `n` go into `request.resps`."""
        refuse_namesakes(requests)
        jobs = self._jobs(requests)
        before = len(self.asker.spent)
        responses = self._run(jobs, disable_tqdm)
        self._log_costs(before)
        last: dict[int, str] = {}
        for (number, _, _, _), response in zip(jobs, responses, strict=True):
            if number in last:
                requests[number].resps.append(last[number])
            last[number] = response
        return [last[number] for number in range(len(requests))]

    def _jobs(self, requests: list[Instance]) -> list[tuple[int, ChatSettings, Messages, int]]:
        """(request, settings, messages, repeat) of every sample; lm_eval repeats the same object for repeats."""
        times, seen = Counter(map(id, requests)), Counter[int]()
        jobs = []
        for number, request in enumerate(requests):
            settings = self.settings(request.args[1])
            if settings.seed is None:
                settings = replace(settings, seed=self.default_seed)
            messages = messages_of(request.args[0], settings.request)
            turn = seen[id(request)]
            seen[id(request)] += 1
            early = settings.samples - 1
            for sample in range(settings.samples):
                repeat = turn * early + sample if sample < early else times[id(request)] * early + turn
                jobs.append((number, settings, messages, repeat))
        labels = [f"{request.task_name} question {request.doc_id}" for request in requests]
        self._labels = labels
        return jobs

    def _run(self, jobs: list[tuple[int, ChatSettings, Messages, int]], hidden: bool) -> list[Response]:
        futures: dict[Future[Response], int] = {}
        for place, (_, settings, messages, repeat) in enumerate(jobs):
            futures[self.connection.start(respond(self.asker, settings, messages, repeat))] = place
        try:
            with tqdm(total=len(jobs), desc=self.label, unit="question", disable=hidden) as bar:
                waiting = set(futures)
                while waiting:
                    done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                        bar.update(1)
        except EngineError as error:
            failed = next((place for future, place in futures.items() if _failed_with(future, error)), 0)
            raise type(error)(f"{self._labels[jobs[failed][0]]}: {self._advised(error)}") from error
        except KeyboardInterrupt as error:
            finished = sum(future.done() and not future.cancelled() for future in futures)
            raise Interrupted(f"interrupted: {finished} of {len(jobs)} questions were finished") from error
        finally:
            for future in futures:
                future.cancel()
        return [future.result() for future in futures]

    def _advised(self, error: EngineError) -> str:
        status = error.status if isinstance(error, Refused) else 0
        if status in (404, 405, 501):
            return (
                f"{error}. s1_chat asked {self.connection.base_url}{self.shape.path(self.model)} in the protocol "
                f"{self.shape.name}: is base_url right (most end in /v1), is the model's name, is api=?"
            )
        if status in (400, 422) and "continue_final_message" in str(error):
            return f"{error}. This server cannot go on with a message that we began: leave num_waits out"
        return str(error).replace("OPENAI_API_KEY", self.shape.key_variable)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        raise OptionError("a chat endpoint gives no likelihoods, and this task asks for them: leave it out")

    loglikelihood_rolling = loglikelihood

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> JsonChatStr:
        """The turns as lm_eval's chat classes hand them on: the server has the template."""
        return JsonChatStr(json.dumps(chat_history, ensure_ascii=False))

    def chat_template(self, chat_template: bool | str = False) -> str:
        return ""

    @property
    def tokenizer_name(self) -> str:
        return ""

    # What stands in the results file.

    def get_model_info(self) -> dict[str, Any]:
        """What was asked for, of whom, and what it cost."""
        from s1_models.harness.run_facts import versions

        fingerprints = sorted({reply.fingerprint for reply in (*self.asker.spent, *self.asker.reused)} - {""})
        identity = {"engine": f"{self.shape.name} API", "model": self.model, "server": ", ".join(fingerprints)[:500]}
        facts = {
            "budget": {**self.options, **self.settings({}).told},
            "memo": None,
            "model": self.model,
            "identity": identity,
            "versions": versions(),
            "dtype": None,
            "default_seed": self.default_seed,
            "tasks": {},
            "cost": self.costs(),
            "left_out": sorted(self.asker.left_out),
        }
        return {"s1": facts}

    def costs(self) -> dict[str, Any]:
        """Tokens and dollars: of all replies behind the results, and of those that this run paid for."""
        everything = [*self.asker.spent, *self.asker.reused]
        return {"all": add_up(everything, self.prices), "this_run": add_up(self.asker.spent, self.prices)}

    def _log_costs(self, before: int) -> None:
        new = add_up(self.asker.spent[before:], self.prices)
        usd = "cost unknown (prices= or the server would say)" if new["usd"] is None else f"${new['usd']:,.4f}"
        logger.info(
            "%s: %s replies, %s tokens in, %s out (%s of them thinking), %s; %s replies were on file",
            self.model,
            f"{new['replies']:,}",
            f"{new['prompt_tokens']:,}",
            f"{new['completion_tokens']:,}",
            f"{new['reasoning_tokens']:,}",
            usd,
            f"{len(self.asker.reused):,}",
        )


def check_options(model_args: Mapping[str, Any], gen_kwargs: Mapping[str, Any]) -> None:
    """Reads options as a run would, without asking anybody. Raises OptionError."""
    given = dict(model_args)
    memo_path({"memo": given.pop("memo")} if "memo" in given else {})
    ours, rest = split_chat_options(given)
    check_known(rest, [*CHAT_OPTIONS, "memo", *sorted(MODEL_ARGUMENTS)], "model argument")
    read_settings(ours, gen_kwargs)


def _failed_with(future: Future[Any], error: BaseException) -> bool:
    return future.done() and not future.cancelled() and future.exception() is error


def without_ending(base_url: str) -> str:
    """The address up to where a protocol's own path begins."""
    address = base_url.strip().rstrip("/")
    for ending in ENDINGS:
        if address.endswith(ending):
            return address.removesuffix(ending)
    return address


def messages_of(context: Any, request: str) -> Messages:
    """The turns of a prompt: lm_eval's, where it made them, else one question. request: put after the last question."""
    text = context.prompt if isinstance(context, JsonChatStr) else str(context)
    turns = json.loads(text) if isinstance(context, JsonChatStr) else [{"role": "user", "content": text}]
    if request:
        last = max(place for place, turn in enumerate(turns) if turn["role"] == "user")
        turns[last] = {**turns[last], "content": f"{turns[last]['content']}\n\n{request}"}
    return [dict(turn) for turn in turns]
