"""The engine of `s1_hf` on real transformers models: rows that come and go decode what each would decode alone."""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pytest
import torch
import transformers

from s1_models.driver import EngineError, Job, run_jobs
from s1_models.engines.hf.decoding import HFEngine
from s1_models.engines.hf.positions import fix_positions
from s1_models.engines.hf.sampling import choose_tokens, make_generator, make_sampler
from s1_models.forcing import Budget, BudgetForcing, Finish, Marks, Phase, Reply, Request, Tokens

GREEDY = (("temperature", 0.0),)
VOCABULARY = 60
STOP, WAIT, CLOSE, NEWLINE = 1, 2, 3, 4
ENDS = frozenset(range(STOP, VOCABULARY, 4))  # many, so that models of random weights stop now and then
MARKS = Marks(
    open=(5, 6),
    close=(CLOSE,),
    cut_off=(CLOSE, 7, 9),
    wait=(WAIT, 10),
    newline=(NEWLINE,),
    ends=ENDS | {CLOSE},
    answer_ends=ENDS,
)

# Small models of several families; weights far from zero, so that no two next tokens are nearly equally likely.
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 48, "max_position_embeddings": 256, "initializer_range": 0.4}
SIZES |= {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None, "tie_word_embeddings": False}
FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**SIZES, num_key_value_heads=2),
    "qwen3": lambda: transformers.Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=8),
    "mistral with a window": lambda: transformers.MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=7),
    "gemma3 with windows": lambda: transformers.Gemma3TextConfig(
        **SIZES, num_key_value_heads=2, head_dim=8, sliding_window=7,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
    # Positions that transformers scales by the longest text of a batch, from 40 tokens on.
    "phi3 with longrope": lambda: transformers.Phi3Config(
        **SIZES, num_key_value_heads=2, original_max_position_embeddings=40,
        rope_parameters={
            "rope_type": "longrope", "rope_theta": 10_000.0, "short_factor": [1.0, 1.1, 1.2, 1.3],
            "long_factor": [1.0, 3.0, 9.0, 30.0], "original_max_position_embeddings": 40, "factor": 6.0,
        },
    ),
    "llama with dynamic NTK": lambda: transformers.LlamaConfig(
        **{**SIZES, "max_position_embeddings": 40}, num_key_value_heads=2,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 6.0},
    ),
    "gemma3 with dynamic NTK": lambda: transformers.Gemma3TextConfig(
        **{**SIZES, "max_position_embeddings": 40}, num_key_value_heads=2, head_dim=8, sliding_window=7,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={
            "full_attention": {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 6.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    ),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=256, initializer_range=0.4,
        bos_token_id=None, eos_token_id=None, tie_word_embeddings=False,
    ),
    "bloom": lambda: transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.4,
        bos_token_id=None, eos_token_id=None, tie_word_embeddings=False,
    ),
}  # fmt: skip


def make_model(family: str) -> Any:
    torch.manual_seed(4)
    return transformers.AutoModelForCausalLM.from_config(FAMILIES[family]()).eval()


def make_engine(model: Any, **options: Any) -> HFEngine:
    return HFEngine(model, **{"context_window": 256, "known_ids": VOCABULARY, **options})


class OneByOne:
    """An engine without cache, batch or padding: the whole text through the model for every token."""

    context_window = 256

    def __init__(self, model: Any) -> None:
        self.model = model
        self.replies: list[tuple[Hashable, Reply]] = []

    def submit(self, key: Hashable, request: Request) -> None:
        written: list[int] = []
        finish = Finish.LENGTH
        while len(written) < request.max_tokens:
            ids = torch.tensor([[*request.prefix, *written]])
            with torch.no_grad():
                scores = self.model(input_ids=ids, use_cache=False).logits[0, -1]
            if len(written) < request.min_tokens:
                scores[list(request.stop)] = -torch.inf
            token = int(scores.argmax())
            if token in request.stop:
                finish = Finish.STOP
                break
            written.append(token)
        self.replies.append((key, Reply(tuple(written), finish)))

    def poll(self, timeout_seconds: float | None = None) -> Sequence[tuple[Hashable, Reply]]:
        replies, self.replies = self.replies, []
        return replies

    def partial(self) -> Sequence[tuple[Hashable, Tokens]]:
        return []

    def cancel(self) -> None:
        self.replies = []


def ask(engine: Any, prompts: Sequence[Tokens], max_tokens: int, sampling: tuple[Any, ...] = GREEDY) -> list[Reply]:
    for key, prompt in enumerate(prompts):
        engine.submit(key, Request(prompt, max_tokens, frozenset(), Phase.THINKING, 0, sampling))
    replies: dict[Hashable, Reply] = {}
    while came := engine.poll():
        replies.update(came)
    return [replies[key] for key in range(len(prompts))]


def some_prompts(count: int, longest: int = 40) -> list[Tokens]:
    draw = random.Random(count)
    return [tuple(draw.randrange(20, VOCABULARY) for _ in range(draw.randrange(1, longest))) for _ in range(count)]


def some_jobs(count: int, **budget: Any) -> list[Job]:
    """Sessions with prompts and numbers of waits of all sorts."""
    draw = random.Random(7)
    jobs = []
    for prompt in some_prompts(count):
        options = {"num_waits": draw.randrange(8), "max_thinking_tokens": draw.randrange(50), "max_answer_tokens": 6}
        policy = BudgetForcing(Budget(**{**options, **budget}), MARKS, 256)
        jobs.append(Job(policy, prompt, sampling=GREEDY))
    return jobs


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_mixed_lengths_decodes_what_each_row_decodes_alone(family: str) -> None:
    model = make_model(family)
    engine, prompts = make_engine(model), some_prompts(6)
    together = ask(engine, prompts, 14)
    assert together == [ask(engine, [prompt], 14)[0] for prompt in prompts]
    assert together == ask(OneByOne(model), prompts, 14)
    assert len({reply.tokens for reply in together}) > 2, "a model that always says the same would prove nothing"


@pytest.mark.parametrize("family", FAMILIES)
def test_sessions_that_wait_leave_and_join_decode_what_each_decodes_alone(family: str) -> None:
    model = make_model(family)
    jobs = some_jobs(10)
    engine = make_engine(model, max_rows=4)  # first: it may fix the model's positions
    expected = run_jobs(jobs, OneByOne(model))
    assert run_jobs(jobs, engine, max_in_flight=6) == expected
    assert sum(session.waits_used for session in expected) >= 5
    assert any(session.cut_off for session in expected)


def test_an_empty_wait_goes_on_from_the_cache() -> None:
    model = make_model("llama")
    policy = BudgetForcing(Budget(num_waits=5, max_thinking_tokens=40, max_answer_tokens=3), empty_wait(), 256)
    jobs = [Job(policy, prompt, sampling=GREEDY) for prompt in some_prompts(6)]
    expected = run_jobs(jobs, OneByOne(model))
    assert run_jobs(jobs, make_engine(model)) == expected
    assert sum(session.waits_used for session in expected) >= 5


def empty_wait() -> Marks:
    return Marks(MARKS.open, MARKS.close, MARKS.cut_off, (), MARKS.newline, MARKS.ends, MARKS.answer_ends)


def test_no_token_is_read_twice_however_often_a_session_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("llama")
    engine = make_engine(model)
    fed = count_fed_tokens(engine, monkeypatch)
    (session,) = run_jobs(some_jobs(1, num_waits=8, max_thinking_tokens=90, min_thinking_tokens=60), engine)
    assert session.waits_used > 2
    # The last token of an answer that was cut off is never read.
    assert sum(fed) == len(session.tokens) - session.answer_cut_off


def count_fed_tokens(engine: HFEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    fed: list[int] = []
    forward = engine._forward

    def counting(ids: Any, *rest: Any) -> Any:
        fed.append(ids.numel())
        return forward(ids, *rest)

    monkeypatch.setattr(engine, "_forward", counting)
    return fed


def test_equal_prompts_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(make_model("llama"))
    fed = count_fed_tokens(engine, monkeypatch)
    (prompt,) = some_prompts(1, longest=30)
    ask(engine, [prompt] * 8, 1)
    assert fed == [len(prompt)]


def test_a_prefix_that_departs_from_what_was_said_is_continued_from_where_it_departs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_model("llama")
    engine = make_engine(model)
    (prompt,) = some_prompts(1, longest=30)
    engine.submit("a", Request(prompt, 12, frozenset(), Phase.THINKING, 0, GREEDY))
    engine.submit("b", Request(prompt[:-1], 30, frozenset(), Phase.THINKING, 0, GREEDY))
    ((key, reply),) = engine.poll()
    assert key == "a"
    fed = count_fed_tokens(engine, monkeypatch)
    cut = (*prompt, *reply.tokens[:5], 33, 34)
    engine.submit("a", Request(cut, 6, frozenset(), Phase.THINKING, 0, GREEDY))
    replies: dict[Hashable, Reply] = {}
    while came := engine.poll():
        replies.update(came)
    assert max(fed) == 2, "nothing was read again but one token per row and step"
    assert [replies["a"]] == ask(OneByOne(model), [cut], 6)
    assert [replies["b"]] == ask(OneByOne(model), [prompt[:-1]], 30)


def test_with_little_memory_sessions_take_turns_and_say_the_same() -> None:
    model = make_model("llama")
    jobs = some_jobs(10)
    expected = run_jobs(jobs, make_engine(model))
    token = 3 * 2 * 2 * 8 * 4  # layers, keys and values, heads, dimensions, bytes
    for tokens, most in ((1, 1), (450, 2)):
        engine = make_engine(model, kv_cache_memory_bytes=tokens * token)
        rows: list[int] = []
        decode = engine._decode

        def counting(decode: Any = decode, engine: Any = engine, rows: list[int] = rows) -> None:
            decode()
            rows.append(len(engine._rows))

        engine._decode = counting  # type: ignore[method-assign]
        assert run_jobs(jobs, engine) == expected
        assert max(rows) == most


def test_sessions_that_are_put_back_go_on_where_they_were() -> None:
    model = make_model("llama")
    token = 3 * 2 * 2 * 8 * 4
    # Ten short prompts fit side by side; grown long they do not, and the newest are put back.
    prompts = [prompt[:4] for prompt in some_prompts(10)]
    sampling = (("seed", 3), ("temperature", 1.0))
    engine = make_engine(model, kv_cache_memory_bytes=10 * 133 * token)
    put_back = 0
    drop = engine._drop

    def counting(place: int) -> Any:
        nonlocal put_back
        put_back += not engine._rows[place].finished
        return drop(place)

    engine._drop = counting  # type: ignore[method-assign]
    for greedy_or_not in (GREEDY, sampling):
        put_back = 0
        expected = ask(make_engine(model), prompts, 140, greedy_or_not)
        assert ask(engine, prompts, 140, greedy_or_not) == expected
        assert put_back > 0


# Sampling.


def test_a_sample_depends_on_its_own_seed_and_on_nothing_beside_it() -> None:
    engine, prompts = make_engine(make_model("llama")), some_prompts(6)
    sampling = [(("seed", seed), ("temperature", 2.0), ("top_p", 0.9)) for seed in range(6)]
    alone = [ask(engine, [prompt], 15, chosen)[0] for prompt, chosen in zip(prompts, sampling, strict=True)]
    for key, (prompt, chosen) in enumerate(zip(prompts, sampling, strict=True)):
        engine.submit(key, Request(prompt, 15, frozenset(), Phase.THINKING, 0, chosen))
    engine.submit("greedy", Request(prompts[0], 15, frozenset(), Phase.THINKING, 0, GREEDY))
    replies: dict[Hashable, Reply] = {}
    while came := engine.poll():
        replies.update(came)
    assert [replies[key] for key in range(6)] == alone
    assert [replies["greedy"]] == ask(engine, prompts[:1], 15)
    assert alone[0] != ask(engine, prompts[:1], 15, sampling[1])[0]


def test_tokens_are_drawn_as_often_as_the_model_says() -> None:
    scores = torch.tensor([[0.0, 1.0, -torch.inf, 2.0]])
    sampler, generator = make_sampler((("temperature", 0.7),), "cpu"), make_generator(5)
    drawn = Counter(choose_tokens(scores, [sampler], [[0]], [generator])[0] for _ in range(4000))
    for token, share in enumerate((scores / 0.7).softmax(-1)[0].tolist()):
        assert abs(drawn[token] / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5 + 1e-9


@pytest.mark.parametrize(
    "option", [("repetition_penalty", 1.7), ("no_repeat_ngram_size", 2)], ids=lambda option: option[0]
)
def test_what_looks_at_the_text_so_far_is_what_transformers_does(option: tuple[str, Any]) -> None:
    model = make_model("llama")
    prompts = some_prompts(5)
    replies = ask(make_engine(model), prompts, 25, (option, *GREEDY))
    for prompt, reply in zip(prompts, replies, strict=True):
        ids = torch.tensor([prompt])
        made = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=25, do_sample=False, **dict([option])
        )
        assert reply.tokens == tuple(made[0, len(prompt) :].tolist())
    assert replies != ask(make_engine(model), prompts, 25)


@pytest.mark.parametrize("option", [("top_k", 1), ("top_p", 1e-6), ("min_p", 1.0), ("typical_p", 1e-6)])
def test_options_that_leave_one_token_leave_that_one(option: tuple[str, Any]) -> None:
    scores = torch.tensor([[0.0, 1.0, -3.0, 4.0]])
    sampler = make_sampler((("temperature", 1.5), option), "cpu")
    assert choose_tokens(scores, [sampler], [[0]], [make_generator(1)]) == [3]


def test_values_that_change_nothing_are_as_if_they_were_not_given() -> None:
    neutral = make_sampler(
        (("min_p", 0.0), ("top_k", -1), ("top_p", 1.0), ("temperature", 1), ("typical_p", 1.0)), "cpu"
    )
    assert neutral == make_sampler((), "cpu")


def test_values_nobody_can_sample_with_are_an_error_of_one_sentence() -> None:
    engine = make_engine(make_model("llama"))
    for sampling in ((("temperature", -1.0),), (("top_p", 7.0),)):
        with pytest.raises(EngineError, match=r"transformers refused a sampling option: .*(-1\.0|7\.0)"):
            engine.submit(0, Request((1,), 1, frozenset(), Phase.THINKING, 0, sampling))
    with pytest.raises(EngineError, match="cannot sample with presence_penalty; it knows epsilon_cutoff, "):
        engine.submit(0, Request((1,), 1, frozenset(), Phase.THINKING, 0, (("presence_penalty", 1.0),)))
    with pytest.raises(EngineError, match="needs at least one token"):
        engine.submit(0, Request((), 1, frozenset(), Phase.THINKING, 0, GREEDY))


# Models it can and cannot run.


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (transformers.MambaConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1), "LinearAttentionLayer"),
        (transformers.T5Config(vocab_size=9, d_model=8, num_layers=1, num_heads=1), "an encoder"),
    ],
    ids=["mamba", "t5"],
)
def test_models_without_a_cache_of_keys_and_values_are_refused(config: Any, what: str) -> None:
    kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    with pytest.raises(EngineError, match=rf"has ({what}|no layer that keeps keys and values): use s1_vllm"):
        make_engine(kind.from_config(config))


@pytest.mark.skipif(
    not (torch.cuda.is_available() or torch.backends.mps.is_available()), reason="needs a GPU, which is absent"
)
def test_a_gpu_decodes_what_the_cpu_decodes() -> None:
    device = "cuda" if torch.cuda.is_available() else "mps"
    model, jobs = make_model("llama"), some_jobs(14)
    expected = run_jobs(jobs, make_engine(model))
    assert run_jobs(jobs, make_engine(model.to(device), max_rows=4)) == expected


@pytest.mark.parametrize("family", ["phi3 with longrope", "llama with dynamic NTK"])
def test_positions_are_those_of_the_context_window_however_long_a_text_is(family: str) -> None:
    """The same model with its whole context as one long text: transformers' own choice there is everybody's here."""
    prompt = tuple(torch.randint(0, VOCABULARY, (200,), generator=torch.Generator().manual_seed(3)).tolist())
    untouched, fixed = make_model(family), make_model(family)
    make_engine(fixed, context_window=200)
    make_engine(fixed, context_window=200)  # twice is once
    ids = torch.tensor([prompt])
    with torch.no_grad():
        own = untouched(input_ids=ids, use_cache=False).logits
        assert torch.allclose(own, fixed(input_ids=ids, use_cache=False).logits, atol=1e-4)
        short = untouched(input_ids=ids[:, :20], use_cache=False).logits
        assert not torch.allclose(own[:, :20], short, atol=1e-4), "else there would be nothing to fix"
        assert torch.allclose(own[:, :20], fixed(input_ids=ids[:, :20], use_cache=False).logits, atol=1e-4)


def test_positions_in_code_of_the_models_own_are_refused() -> None:
    class Own(torch.nn.Module):
        """Longrope by its configuration, and nothing in it that transformers would know."""

        def __init__(self) -> None:
            super().__init__()
            self.config = FAMILIES["phi3 with longrope"]()

    with pytest.raises(EngineError, match=r"Own scales its positions .* use s1_vllm"):
        fix_positions(Own(), 100)
    fix_positions(make_model("llama"), 100)


def test_the_last_allocated_column_is_used_and_the_next_one_asks_for_room() -> None:
    """Were it asked a column too late, the token of that step would be written nowhere."""
    model = make_model("llama")
    engine = make_engine(model)
    (prompt,) = some_prompts(1)
    length = engine._cache.columns_for(len(prompt)) - len(prompt) + 20  # across the end of what is allocated first
    engine.context_window = 10_000
    engine.submit(0, Request(prompt, length, frozenset(), Phase.THINKING, 0, GREEDY))
    ((_, reply),) = engine.poll()
    assert [reply] == ask(OneByOne(model), [prompt], length)
