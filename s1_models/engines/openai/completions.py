"""What is written to an OpenAI-compatible completions server, and how its reply is read and checked

No I/O here. Token ids travel both ways where the server takes them (vLLM, SGLang); elsewhere text does, through the
one seam of this module: `Dialect.encode` and `Dialect.decode`. A reply that cannot be right is `Untrusted`: it is
asked for again, never taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from s1_contract.printing import show
from s1_contract.redaction import redact_text
from s1_models.driver import reply_without_unknown
from s1_models.engines.openai.patience import Untrusted
from s1_models.forcing import Finish, Reply, Request, Tokens

# Sent with every request where the user says nothing: a server would otherwise sample with what the model's
# generation_config.json recommends, and the same command would mean something else than on `s1_vllm`.
NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
NEUTRAL_EXTENSIONS = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}

STANDARD_SAMPLING = frozenset({*NEUTRAL, "seed", "logit_bias"})
SAMPLING_NAMES = STANDARD_SAMPLING | {*NEUTRAL_EXTENSIONS, "bad_words", "allowed_token_ids"}

# Tokens a streaming server may collect before it sends them: a smaller number costs both sides time, a larger one
# makes what an interrupted run remembers older. (Servers that do not know the field send every token alone.)
STREAM_INTERVAL = 32
# Characters of text that one token may stand for; the longest in use are rows of 128 blanks or dashes.
_LONGEST_TOKEN = 256


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server is spoken to.

    model: the name it serves. token_ids: prompts and replies are token ids, else text. extensions: it takes the
    fields vLLM and SGLang have beside OpenAI's (stops as token ids, min_tokens, ...).
    encode, decode: text to token ids, without anything added, and back, with special tokens.
    bos: a text the server puts before every prompt by itself, which is therefore left out of ours.
    known_ids: token ids below this are known to the tokenizer; others are dropped and counted.
    """

    model: str
    token_ids: bool
    extensions: bool
    encode: Callable[[str], Tokens]
    decode: Callable[[Tokens], str]
    known_ids: int
    bos: str = ""

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body of a streamed completion. Raises ValueError for what this server has no field for."""
        sampling = dict(request.sampling)
        if sampling.get("logit_bias"):
            bias: Any = sampling["logit_bias"]
            sampling["logit_bias"] = {str(token): amount for token, amount in dict(bias).items()}
        fields: dict[str, Any] = {
            "model": self.model,
            "prompt": list(request.prefix) if self.token_ids else self.decode(request.prefix).removeprefix(self.bos),
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **NEUTRAL,
        }
        if self.extensions:
            fields |= NEUTRAL_EXTENSIONS | {
                "stop_token_ids": sorted(request.stop),
                "min_tokens": request.min_tokens,
                "ignore_eos": True,  # the end-of-text ids are among the stops, where they are wanted
                "skip_special_tokens": False,
                "spaces_between_special_tokens": False,
                "add_special_tokens": False,
                "return_token_ids": self.token_ids,
                "stream_interval": STREAM_INTERVAL,
            }
        else:
            if unknown := sorted(sampling.keys() - STANDARD_SAMPLING):
                raise ValueError(f"this server does not take {', '.join(unknown)}: leave it out")
            if request.min_tokens:
                raise ValueError("this server cannot be told to go on after an empty wait: set wait_text")
        if not self.token_ids:  # stops as texts as well: a server may take the fields above and ignore them
            fields["stop"] = [text for text in (self.decode((stop,)) for stop in sorted(request.stop)) if text]
        return fields | sampling

    def longest_line(self, request: Request) -> int:
        """Bytes that one line of a reply may have: the prompt's ids come back, and all of it may come at once."""
        return 2**20 + 16 * len(request.prefix) + 64 * request.max_tokens


class ReplyReader:
    """Puts a streamed reply together, chunk by chunk, and decides whether it can be taken."""

    def __init__(self, dialect: Dialect, request: Request) -> None:
        self._dialect = dialect
        self._request = request
        self._ids: list[int] = []
        self._text: list[str] = []
        self._characters = 0
        self._finish: str | None = None
        self._stopped_at: object = None
        self._usage: Mapping[str, Any] | None = None
        self.fingerprint: str | None = None  # what the server says about its own build and settings

    def read(self, chunk: object) -> bool:
        """Takes one chunk (parsed JSON); says whether a token came with it. Raises Untrusted."""
        if not isinstance(chunk, Mapping) or not isinstance(choices := chunk.get("choices"), list):
            raise Untrusted(f"a chunk without choices: {_beginning(chunk)}")
        if chunk.get("usage") is not None:
            self._usage = chunk["usage"]
        self.fingerprint = chunk.get("system_fingerprint") or self.fingerprint
        came = [self._read_choice(choice) for choice in choices]
        return any(came)

    def _read_choice(self, choice: object) -> bool:
        if not isinstance(choice, Mapping) or choice.get("index", 0) != 0 or self._finish is not None:
            raise Untrusted("more than one completion for one prompt")
        prompt = choice.get("prompt_token_ids")
        if self._dialect.token_ids and prompt is not None and prompt != list(self._request.prefix):
            raise Untrusted("a reply to another prompt")
        came = self._read_text(choice.get("text") or "") | self._read_ids(choice.get("token_ids"))
        self._finish = choice.get("finish_reason")
        # Whatever ended it: vLLM and SGLang have a name of their own for that.
        self._stopped_at = choice.get("stop_reason", choice.get("matched_stop"))
        return came or self._finish is not None

    def _read_text(self, text: object) -> bool:
        if not isinstance(text, str):
            raise Untrusted(f"a text that is none: {_beginning(text)}")
        self._characters += len(text)
        if self._characters > _LONGEST_TOKEN * (self._request.max_tokens + 1):
            raise Untrusted(f"a text far longer than the {self._request.max_tokens} tokens asked for")
        if text and not self._dialect.token_ids:  # else the ids say it all
            self._text.append(text)
        return bool(text)

    def _read_ids(self, ids: object) -> bool:
        if not self._dialect.token_ids or not ids:
            return False
        if not isinstance(ids, list) or not all(type(i) is int and i >= 0 for i in ids):
            raise Untrusted(f"token ids that are none: {_beginning(ids)}")
        self._ids += ids
        if len(self._ids) > self._request.max_tokens:
            raise Untrusted(f"more than the {self._request.max_tokens} tokens asked for")
        return True

    @property
    def partial(self) -> Tokens:
        """Token ids so far, up to the first the tokenizer does not know; none where text travels (split anywhere)."""
        stop, known_ids = self._request.stop, self._dialect.known_ids
        return tuple(takewhile(lambda token: token < known_ids and token not in stop, self._ids))

    @property
    def prompt_tokens(self) -> int | None:
        """How long the server says the prompt was, if it says so."""
        return self._usage.get("prompt_tokens") if isinstance(self._usage, Mapping) else None

    def reply(self) -> Reply:
        """The reply, after the last chunk. Raises Untrusted."""
        if self._finish not in ("stop", "length"):
            raise Untrusted(
                "the stream ended early"
                if self._finish is None
                else f"finish_reason is {_beginning(self._finish)}, not stop or length"
            )
        return self._reply_of_ids() if self._dialect.token_ids else self._reply_of_text()

    def _reply_of_ids(self) -> Reply:
        request, sampled = self._request, list(self._ids)
        stopped = self._finish == "stop"
        counted = [len(sampled)]
        if stopped and sampled and sampled[-1] in request.stop:
            sampled.pop()
        elif stopped and isinstance(self._stopped_at, int) and self._stopped_at in request.stop:
            counted.append(len(sampled) + 1)  # a server that keeps the stop to itself may count it all the same
        elif stopped:
            raise Untrusted(f"it stopped at {_beginning(self._stopped_at)}, which is none of the stops asked for")
        elif len(sampled) != request.max_tokens:
            raise Untrusted(f"{len(sampled)} tokens are said to be the {request.max_tokens} allowed")
        if not request.stop.isdisjoint(sampled) or len(sampled) < request.min_tokens:
            raise Untrusted("a stop where none may be")
        self._check_counts(counted)
        return reply_without_unknown(tuple(sampled), Finish.STOP if stopped else Finish.LENGTH, self._dialect.known_ids)

    def _check_counts(self, counted: list[int]) -> None:
        """The server's own counts of prompt and reply must agree with what came. Raises Untrusted."""
        usage, asked = self._usage, len(self._request.prefix)
        if not isinstance(usage, Mapping) or usage.get("prompt_tokens") != asked:
            raise Untrusted(f"a prompt of {asked} tokens is counted otherwise: {_beginning(usage)}")
        if usage.get("completion_tokens") not in counted:
            raise Untrusted(f"{len(self._ids)} tokens came and are counted otherwise: {_beginning(usage)}")

    def _reply_of_text(self) -> Reply:
        """The text's own encoding: it may differ from what was sampled, and is cut where it is longer than allowed."""
        request, sampled = self._request, self._dialect.encode("".join(self._text))
        before_stop = tuple(takewhile(lambda token: token not in request.stop, sampled))
        stopped = self._finish == "stop" or len(before_stop) < len(sampled)
        if stopped and len(before_stop) < request.min_tokens:
            raise Untrusted("a stop where none may be")
        if stopped and len(before_stop) < request.max_tokens:
            return Reply(before_stop, Finish.STOP)
        return Reply(before_stop[: request.max_tokens], Finish.LENGTH)


def _beginning(value: object) -> str:
    """What a server sent, as it can be shown."""
    return show(redact_text(repr(value)[:80]))
