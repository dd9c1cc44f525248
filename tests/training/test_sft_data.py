"""Training data in all its shapes, over-long rows, recipes and families: what is accepted, what a refusal says."""

import copy
import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import GPT2Config, Qwen2Config

from s1_contract.errors import DataError
from s1_tasks.nano_problems import training_problems
from training.nano import ablation, traces
from training.sft import data, train
from training.sft.__main__ import main
from training.sft.families import FamilyError, family_of, thinking_format
from training.sft.recipes import NANO, RECIPES, S1_32B, RecipeError, changes_of, recipe_named

S1K = {
    "question": "016 59",
    "thinking_trajectories": ["085 9", "434"],
    "attempt": "It is 434.",
    "source_type": "made up",
}
S11K = {"question": "016 59", "deepseek_thinking_trajectory": "085 9\n434", "deepseek_attempt": "Answer: It is 434."}
PLAIN = {"question": "016 59", "thinking": "085 9\n434", "answer": "It is 434."}
TEXT = {
    "text": "<|im_start|>user\n016 59<|im_end|>\n<|im_start|>assistant\n<|im_start|>think\n085 9\n434\n"
    "<|im_start|>answer\nAnswer: It is 434.<|im_end|>\n"
}


@pytest.mark.parametrize("row", [S1K, S11K, TEXT], ids=["s1K", "s1K-1.1", "tokenized"])
def test_the_published_shapes_give_the_same_tokens(nano_tokenizer: Any, row: dict[str, Any]) -> None:
    encoded = data.encode_row(nano_tokenizer, row)
    assert nano_tokenizer.decode(encoded.input_ids.tolist()) == TEXT["text"]
    trained = encoded.input_ids[encoded.loss_mask == 1].tolist()
    assert nano_tokenizer.decode(trained).startswith("<|im_start|>think\n085 9")
    assert nano_tokenizer.decode(trained).rstrip().endswith("<|im_end|>")
    prompt = encoded.input_ids[: encoded.loss_mask.argmax()].tolist()
    assert nano_tokenizer.decode(prompt).endswith("<|im_start|>assistant\n")


CHATS = {
    "reasoning_content": {
        "messages": [
            {"role": "user", "content": "016 59"},
            {"role": "assistant", "reasoning_content": "085 9\n434", "content": "It is 434."},
        ]
    },
    "tags": {
        "messages": [
            {"role": "user", "content": "016 59"},
            {"role": "assistant", "content": "<think>\n085 9\n434\n</think>\n\nIt is 434."},
        ]
    },
    "end only": {"prompt": "016 59", "completion": "085 9\n434\n</think>\n\nIt is 434."},
    "completion messages": {
        "prompt": [{"role": "user", "content": "016 59"}],
        "completion": [{"role": "assistant", "content": "<thinking>085 9\n434</thinking>It is 434."}],
    },
    "sharegpt": {
        "conversations": [
            {"from": "human", "value": "016 59"},
            {
                "from": "gpt",
                "value": "<|begin_of_thought|>\n085 9\n434\n<|end_of_thought|>\n\n"
                "<|begin_of_solution|>\nIt is 434.\n<|end_of_solution|>",
            },
        ]
    },
    "columns with tags": {"question": "016 59", "thinking": "<think>\n085 9\n434\n</think>", "answer": "It is 434."},
}


@pytest.mark.parametrize("name", CHATS)
def test_chats_are_trained_as_the_same_row_with_columns(nano_tokenizer: Any, name: str) -> None:
    built = data.build([CHATS[name], PLAIN], nano_tokenizer, NANO)
    chat, plain = built.sequences
    assert chat.input_ids.tolist() == plain.input_ids.tolist()
    assert chat.loss_mask.tolist() == plain.loss_mask.tolist()
    assert built.untagged == (name != "reasoning_content")
    assert ("tags around the thinking of 1 rows removed" in str(built)) == (name != "reasoning_content")


def test_what_was_said_before_is_read_and_not_trained(nano_tokenizer: Any) -> None:
    before = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "016 5"},
        {"role": "assistant", "content": "<think>85</think>085"},
    ]
    encoded = data.encode_row(nano_tokenizer, {"messages": before + CHATS["tags"]["messages"]})
    whole = nano_tokenizer.decode(encoded.input_ids.tolist())
    trained = nano_tokenizer.decode(encoded.input_ids[encoded.loss_mask == 1].tolist())
    assert whole.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n016 5")
    assert "<think>" not in whole
    assert trained == "<|im_start|>think\n085 9\n434\n<|im_start|>answer\nAnswer: It is 434.<|im_end|>"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**PLAIN, "thinking": "085 9 </think> 434"}, r"1 of 2 rows of mine hold a delimiter .*row 1: '</think>'"),
        ({**PLAIN, "answer": "<|im_start|>answer 434"}, r"1 of 2 rows of mine hold a delimiter"),
        ({"messages": [{"role": "user", "content": "016 59"}]}, "row 1: it holds no question with an answer after it"),
        ({"prompt": "016 59", "completion": "434"}, "row 1: the assistant's last turn holds no thinking"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "row 1: a message is .*expected a role of user"),
    ],
)
def test_a_chat_that_cannot_be_trained_is_refused_with_its_row(
    nano_tokenizer: Any, row: dict[str, Any], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        data.build([PLAIN, row], nano_tokenizer, NANO, source="mine")


def test_a_template_that_opens_no_turn_of_its_own_takes_whole_texts(nano_tokenizer: Any) -> None:
    mistral = copy.deepcopy(nano_tokenizer)
    mistral.chat_template = (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    )
    text = "[INST] 016 59 [/INST] <|im_start|>think\n085 9\n434\n<|im_start|>answer\n434<|im_end|>"
    encoded = data.encode_row(mistral, {"text": text})
    trained = nano_tokenizer.decode(encoded.input_ids[encoded.loss_mask == 1].tolist())
    assert trained == text.partition("[/INST]")[2]


def test_a_published_text_goes_before_the_columns_beside_it(nano_tokenizer: Any) -> None:
    # simplescaling/s1K_tokenized holds both; a text that differs from its columns shows which one is trained.
    published = {"text": TEXT["text"].replace("It is 434.", "It is surely 434.")}
    encoded = data.encode_row(nano_tokenizer, {**S1K, **published})
    assert nano_tokenizer.decode(encoded.input_ids.tolist()) == published["text"]
    # As in s1, all that follows the assistant's opening is trained, the last newline too.
    trained = nano_tokenizer.decode(encoded.input_ids[encoded.loss_mask == 1].tolist())
    assert trained == published["text"].partition("<|im_start|>assistant\n")[2]
    assert trained.endswith("<|im_end|>\n")


@pytest.mark.parametrize(
    "beside",
    [{**TEXT, "loss_mask": [0, 1]}, {"text": "[INST] 016 59 [/INST] 434"}, {"text": "016 59"}],
    ids=["ours", "another family's", "no chat"],
)
def test_columns_are_taken_where_the_text_is_ours_or_no_chat_of_this_model(
    nano_tokenizer: Any, beside: dict[str, Any]
) -> None:
    encoded = data.encode_row(nano_tokenizer, {**S1K, **beside})
    assert nano_tokenizer.decode(encoded.input_ids.tolist()) == TEXT["text"]
    assert encoded.loss_mask[-1] == 0


def test_pieces_that_are_forced_at_inference_are_not_trained(nano_tokenizer: Any) -> None:
    pieces = ["085 9\n", {"text": "Wait", "forced": True}, "\n434\n"]
    encoded = data.encode_row(nano_tokenizer, {**PLAIN, "thinking": pieces})
    wait = nano_tokenizer.encode("Wait", add_special_tokens=False)[0]
    assert encoded.loss_mask[encoded.input_ids.tolist().index(wait)] == 0


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "x"}, "its columns are prompt; expected one of"),
        ({**PLAIN, "answer": " "}, "answer is empty"),
        ({**PLAIN, "thinking": [{"txt": "x"}]}, "a piece of thinking is"),
        ({"text": "[INST] 016 59 [/INST] 434"}, "made for another model family"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(nano_tokenizer: Any, row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=r"my\.jsonl, row 1: .*") as caught:
        data.build([PLAIN, row], nano_tokenizer, NANO, source="my.jsonl")
    assert says in str(caught.value)


@pytest.mark.parametrize("over_long", ["drop", "truncate"])
def test_over_long_rows_are_counted_with_the_share_that_is_lost(nano_tokenizer: Any, over_long: Any) -> None:
    long = {**PLAIN, "thinking": "434\n" * 100}
    recipe = replace(NANO, block_size=60, over_long=over_long)
    built = data.build([PLAIN, long], nano_tokenizer, recipe, source="rows")
    assert (built.rows, built.over_long) == (2, 1)
    assert [len(one) for one in built.sequences][1:] == ([] if over_long == "drop" else [60])
    kept = sum(len(one) for one in built.sequences)
    assert built.lost_tokens == built.all_tokens - kept
    assert f"1 over-long rows (50.0%), {built.lost_tokens / built.all_tokens:.1%} of all tokens lost" in str(built)


def test_over_long_rows_can_be_an_error_that_says_what_to_choose(nano_tokenizer: Any) -> None:
    recipe = replace(NANO, block_size=20, over_long="error")
    with pytest.raises(DataError, match=r"1 of 1 rows are longer than block_size=20 .*--over-long drop"):
        data.build([PLAIN], nano_tokenizer, recipe)
    with pytest.raises(DataError, match="no row is left"):
        data.build([PLAIN], nano_tokenizer, replace(recipe, over_long="drop"))


def test_files_are_read_by_their_ending_and_the_hash_is_that_of_the_tokens(tmp_path: Path, nano_tokenizer: Any) -> None:
    lines, parquet = tmp_path / "train.jsonl", tmp_path / "other.parquet"
    lines.write_text(json.dumps(PLAIN) + "\n\n" + json.dumps({**PLAIN, "question": "017 59"}) + "\n")
    (tmp_path / "manifest.json").write_text(json.dumps({"contamination": {"report_sha256": "abc"}}))
    rows, manifest = data.load_rows(str(tmp_path))
    assert (len(rows), manifest["contamination"]["report_sha256"]) == (2, "abc")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), parquet)
    again, _ = data.load_rows(str(parquet))
    first, second = (data.build(found, nano_tokenizer, NANO) for found in (rows, again))
    assert first.sha256 == second.sha256
    assert first.sha256 != data.build(rows[:1], nano_tokenizer, NANO).sha256
    with pytest.raises(DataError, match="no data file"):
        data.load_rows(str(tmp_path / "absent.jsonl"))
    with pytest.raises(DataError, match="neither a file here nor a data set"):
        data.load_rows(str(tmp_path / "absent"))


def test_the_recipes_hold_s1s_values() -> None:
    assert (S1_32B.learning_rate, S1_32B.epochs, S1_32B.global_batch, S1_32B.weight_decay) == (1e-5, 5, 16, 1e-4)
    assert (S1_32B.adam_betas, S1_32B.warmup_ratio, S1_32B.block_size, S1_32B.gpus) == ((0.9, 0.95), 0.05, 32768, 16)
    assert (RECIPES["s11_32b"].block_size, RECIPES["s11_32b"].shard, RECIPES["s11_32b"].bf16) == (20000, True, True)


def test_changes_to_a_recipe_are_typed_recorded_and_checked() -> None:
    changed = recipe_named(
        "nano", ["learning_rate=3e-4", "epochs=2", "bf16=true", "adam_betas=0.9,0.99", "data=a.jsonl"]
    )
    assert changes_of(changed) == {
        "data": "a.jsonl",
        "epochs": 2,
        "learning_rate": 3e-4,
        "adam_betas": (0.9, 0.99),
        "bf16": True,
    }
    for change, says in (
        ("learning_rat=1", "did you mean learning_rate"),
        ("epochs=two", "expected int"),
        ("epochs=0", "at least 1"),
        ("over_long=keep", "expected one of error, drop, truncate"),
        ("offload=true", "needs shard=true"),
    ):
        with pytest.raises(RecipeError, match=says):
            recipe_named("nano", [change])
    with pytest.raises(RecipeError, match=r"no recipe 's1_32' \(did you mean s1_32b\?\)"):
        recipe_named("s1_32")


def test_unknown_families_are_errors_that_name_what_is_missing(nano_tokenizer: Any) -> None:
    with pytest.raises(FamilyError, match=r"'gpt2' is not a family .*Missing: the class of its decoder layer"):
        family_of(GPT2Config())
    windowed = Qwen2Config(use_sliding_window=True, sliding_window=128, max_window_layers=1, num_hidden_layers=2)
    with pytest.raises(FamilyError, match="attends in a window"):
        family_of(windowed)
    assert family_of(Qwen2Config()).layer == "Qwen2DecoderLayer"
    with pytest.raises(FamilyError, match="no chat template"):
        thinking_format(SimpleNamespace(chat_template=None))
    with pytest.raises(FamilyError, match="no single token for '</ponder>'"):
        thinking_format(nano_tokenizer, "<ponder>...</ponder>")
    assert thinking_format(nano_tokenizer).name == "s1"


def test_the_command_line_says_what_is_wrong_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torn, lists, parquet = tmp_path / "torn.jsonl", tmp_path / "lists.jsonl", tmp_path / "torn.parquet"
    torn.write_text(json.dumps(PLAIN) + '\n{"question": "01')
    lists.write_text("[1]\n")
    parquet.write_text("PAR1")
    monkeypatch.setattr(train, "find_spec", lambda name: None)
    for arguments, says in (
        (["--recipe", "nanu"], "no recipe 'nanu' (did you mean nano?)"),
        (["--recipe", "nano"], "the recipe nano leaves the data to you: --data"),
        (["--recipe", "nano", "--model", str(tmp_path)], f"the model '{tmp_path}' cannot be loaded"),
        (["--recipe", "nano", "--data", "absent.jsonl"], "no data file absent.jsonl"),
        (["--recipe", "nano", "--data", str(torn)], f"{torn}, line 2: not JSON (Unterminated string"),
        (["--recipe", "nano", "--data", str(lists)], f"{lists}, line 1: a JSON list; expected an object"),
        (["--recipe", "nano", "--data", str(parquet)], f"{parquet} cannot be read ("),
        (["--recipe", "nano", "--report-to", "foo"], "--report-to foo: expected one of none, trackio, wandb"),
        (["--recipe", "nano", "--report-to", "trackio"], "--report-to trackio: it is not installed: pip install"),
    ):
        monkeypatch.setattr("sys.argv", ["training.sft", "run", "--out", str(tmp_path / "out"), *arguments])
        assert main() == 2
        assert capsys.readouterr().err.startswith(f"error: {says}")
    assert not (tmp_path / "out").exists()


def test_the_ablations_pool_is_what_the_nano_models_own_traces_render_to(nano_tokenizer: Any) -> None:
    rows = ablation.pool_rows(60)
    assert rows == ablation.pool_rows(60)
    assert len({row["question"] for row in rows}) == 60
    assert {row["cut_off"] for row in rows} == {True, False}
    rng = random.Random("nano-ablation-0")
    problems, habits = training_problems(rng), traces.tuning_habits(rng)
    for row in rows[:20]:
        trace = traces.write(next(problems), habits, rng)
        rendered = trace.rendered(nano_tokenizer)
        encoded = data.encode_row(nano_tokenizer, row)
        assert encoded.input_ids.tolist() == rendered.input_ids
        assert encoded.loss_mask.tolist() == rendered.loss_mask
        assert row["correct"] == trace.correct
