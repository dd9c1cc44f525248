"""An LM as the harness sees it, with a real tokenizer and chat template, over a scripted model that thinks."""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from s1_models.forcing import Tokens
from s1_models.formats import Format, encode
from s1_models.harness.lm import BudgetForcingLM
from s1_models.options import take_thinking_switch
from tests.scripted_engine import NextToken, ScriptedEngine

SAMPLING_NAMES = frozenset({"temperature", "top_p", "top_k", "min_p", "seed"})
THOUGHT = "\nMaybe \\boxed{7}.\n"
ANSWER = "\n\\boxed{42}"


def thinker(tokenizer: Any, form: Format, thought: str = THOUGHT, answer: str = ANSWER) -> NextToken:
    """A model that writes `thought` after every opening and wait, then `form`'s end, the answer and its eos.

    Its next token depends on the text before it alone, so it continues wherever a request begins.
    """

    def write(prefix: Tokens) -> int:
        text = tokenizer.decode(list(prefix), skip_special_tokens=False)
        _, opened, after = text.rpartition(form.start) if form.start else ("", "", "")
        thinks = bool(opened) and form.end not in after
        return next_token(tokenizer, text, thought + form.end if thinks else answer + tokenizer.eos_token)

    return write


def next_token(tokenizer: Any, text: str, plan: str) -> int:
    """The token with which a model goes on that has written as much of its plan as the text ends in."""
    said = next(count for count in range(len(plan) - 1, -1, -1) if text.endswith(plan[:count]))
    return encode(tokenizer, plan[said:])[0]


class _ChatHost(LM):
    """What a model class of the harness provides: a tokenizer and its chat template."""

    tokenizer: Any
    enable_thinking: bool | None = None

    def tok_encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)  # type: ignore[no-any-return]

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self.tokenizer.apply_chat_template(  # type: ignore[no-any-return]
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=self.enable_thinking,
        )

    @property
    def tokenizer_name(self) -> str:
        return "made here"

    def chat_template(self, chat_template: bool | str = False) -> str:
        return str(self.tokenizer.chat_template)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        raise NotImplementedError("only generation is scripted")

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError("only generation is scripted")


class ScriptedLM(BudgetForcingLM, _ChatHost):
    """`write` decides what is generated; model args as for the real ones. context_window: tokens."""

    sampling_names = SAMPLING_NAMES
    model_arguments = frozenset({"enable_thinking"})
    max_in_flight = None
    default_seed = 1234

    def __init__(self, tokenizer: Any, write: NextToken, context_window: int = 40_000, **arguments: Any) -> None:
        self.tokenizer = tokenizer
        self.eos_ids = frozenset({tokenizer.eos_token_id})
        self.engine = ScriptedEngine(write, context_window)
        super().__init__(**arguments)

    def load(self, **arguments: Any) -> None:
        self.template_thinks = take_thinking_switch(arguments)
        self._identity = {}
        self.load_host(**arguments)

    def ask(self, questions: Sequence[str], **gen_kwargs: Any) -> list[Any]:
        """Transcripts of plain questions, as a task without filters would ask them."""
        options: Mapping[str, Any] = {"until": [], **gen_kwargs}
        requests = [
            Instance("generate_until", {"q": text}, (text, dict(options)), index, ("task", index, 1))
            for index, text in enumerate(questions)
        ]
        return self.generate_until(requests, disable_tqdm=True)


def forced(transcript: Any) -> list[str]:
    """The texts that the policy put in, in order."""
    return [span["text"] for span in transcript.spans if span["forced"]]
