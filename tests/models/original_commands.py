"""The 52 commands of s1's eval/commands.sh, put together from their parts, and what each is here.

Parts: model args, task lists, generation arguments after max_gen_toks=32768, and a prompt variable of the environment.
"""

from dataclasses import dataclass

_PRECISION = "dtype=float32,tensor_parallel_size=8"
_QWEN = "Qwen/Qwen2.5-32B-Instruct"
MODELS = {
    "Qwen2.5-32B-Instruct": f"pretrained={_QWEN},tokenizer={_QWEN},{_PRECISION}",
    "s1-32B": f"pretrained=simplescaling/s1-32B,tokenizer={_QWEN},{_PRECISION}",
    "s1.1-32B": f"pretrained=simplescaling/s1.1-32B,{_PRECISION}",
    "token-conditional": f"pretrained=simplescaling/token-conditional-control,tokenizer={_QWEN},{_PRECISION}",
    "step-conditional": f"pretrained=simplescaling/step-conditional-control,tokenizer={_QWEN},{_PRECISION}",
}
TASKS = {
    "all": "aime24_figures,aime24_nofigures,openai_math,gpqa_diamond_openai",
    "all, 2025": "aime25_nofigures,aime24_nofigures,openai_math,gpqa_diamond_openai",
    "aime25": "aime25_nofigures",
    "aime24": "aime24_figures,aime24_nofigures",
    "agg64": "aime24_figures_agg64,aime24_nofigures_agg64,openai_math_agg64,gpqa_diamond_openai_agg64",
}
_AUTO = "max_tokens_thinking=auto"
_STEPS = (
    f"{_AUTO},thinking_start=<|im_start|>,thinking_end=<|im_start|>answer{{}},until_thinking=<|im_start|>0"  # per step
)


@dataclass(frozen=True)
class Command:
    """One command. model: "dummy" is lm_eval's own and has no model args. variable: NAME=VALUE before the command."""

    model: str
    tasks: str
    generation: str = ""
    variable: str = ""

    @property
    def gen_kwargs(self) -> str:
        return ",".join(filter(None, ("max_gen_toks=32768", self.generation)))

    @property
    def think_for(self) -> str:
        """What `think_for` has to be in place of the variable; empty without one."""
        name, _, value = self.variable.partition("=")
        forms = {"PROMPTSTEP": f"{value}_steps", "PROMPTTOKEN": f"{value}_tokens", "PROMPTLONG": "long"}
        return {**forms, "PROMPTSHORT": "short"}.get(name, "")

    def arguments_here(self) -> list[str]:
        """The words after `lm_eval`: --model vllm is s1_vllm, a variable is think_for, all else as it was."""
        output = ["--output_path", "results", "--log_samples"]
        if self.model == "dummy":
            return ["--model", "dummy", "--tasks", TASKS[self.tasks], *output, "--gen_kwargs", self.gen_kwargs]
        gen_kwargs = self.gen_kwargs + (f",think_for={self.think_for}" if self.think_for else "")
        return [
            *("--model", "s1_vllm", "--model_args", MODELS[self.model], "--tasks", TASKS[self.tasks]),
            *("--batch_size", "auto", "--apply_chat_template", *output, "--gen_kwargs", gen_kwargs),
        ]


def _waits(number: int, text: str = "Wait") -> str:
    return f"{_AUTO},thinking_n_ignore={number}" + (f",thinking_n_ignore_str={text}" if text else "")


COMMANDS = (
    Command("dummy", "all"),
    Command("Qwen2.5-32B-Instruct", "all"),
    Command("s1-32B", "all"),
    Command("s1.1-32B", "aime25", _waits(1)),
    Command("s1.1-32B", "all, 2025", _AUTO),
    Command("s1.1-32B", "all, 2025", _waits(2)),
    *(Command("s1-32B", "all", f"max_tokens_thinking={limit}") for limit in (500, 1000, 2000, 4000, 8000, 16000)),
    Command("s1-32B", "all", _AUTO),
    *(Command("s1-32B", "all", _waits(number)) for number in (1, 2, 4, 6)),
    *(Command("s1-32B", "all", _waits(2, text)) for text in ("", "Hmm", "Alternatively")),
    *(
        Command("s1-32B", "aime24", f"max_tokens_thinking={limit},rejection_sample=true,temperature=1")
        for limit in (3500, 4000, 5000, 6000, 8000, 16000)
    ),
    *(Command("token-conditional", "all", _AUTO, f"PROMPTTOKEN={limit}") for limit in (2048, 4096, 8192, 16384)),
    *(
        Command("token-conditional", "all", f"max_tokens_thinking={limit}", f"PROMPTTOKEN={limit}")
        for limit in (2048, 4096, 8192, 16384)
    ),
    *(Command("step-conditional", "all", _AUTO, f"PROMPTSTEP={steps}") for steps in (16, 32, 64, 128, 256)),
    *(Command("step-conditional", "all", _STEPS.format(""), f"PROMPTSTEP={n}") for n in (16, 32, 64, 128, 256)),
    *(
        Command("step-conditional", "all", _STEPS.format("\nFinal Answer:"), f"PROMPTSTEP={steps}")
        for steps in (16, 32, 64, 128)
    ),
    Command("s1-32B", "all", _AUTO, "PROMPTLONG=true"),
    Command("s1-32B", "all", _AUTO, "PROMPTSHORT=true"),
    Command("Qwen2.5-32B-Instruct", "agg64", "temperature=1"),
    Command("Qwen2.5-32B-Instruct", "agg64", f"{_waits(2)},temperature=1"),
)
