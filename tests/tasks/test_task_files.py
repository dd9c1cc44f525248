"""Every task file yields its task: lm_eval skips a broken one in silence."""

import re
import subprocess
import sys
from pathlib import Path

import lm_eval.tasks
import pytest
from lm_eval.tasks import TaskManager

from s1_contract.metrics import ALWAYS
from s1_contract.tasks import SAME_ROWS, TASKS, rows_of
from s1_tasks import TASKS_DIR
from tests.tasks.conftest import MATHARENA, OLYMMATH

BOARDS = {
    **dict.fromkeys(MATHARENA, 3),
    **dict.fromkeys(OLYMMATH, 3),
    "imo_answerbench": 2,
    "beyond_aime": 2,
    "amc23": 2,
}
BENCHMARKS = {"aime24": 3, "aime25": 2, "aime26": 3, "math500": 3, "gpqa_diamond": 3, **BOARDS}
ORIGINAL_NAMES = {
    "aime24_figures",
    "aime24_nofigures",
    "aime25_nofigures",
    "openai_math",
    "gpqa_diamond_openai",
    "aime24_figures_agg64",
    "aime24_nofigures_agg64",
    "openai_math_agg64",
    "gpqa_diamond_openai_agg64",
}
CURVE = {f"s1_nano_wait{waits}": waits for waits in (0, 1, 2, 4, 8)}
OURS_ON_PURPOSE = {"aime24", "aime25"}
"""Names that lm_eval's own tasks have too: another prompt and dataset there, s1's here."""


def test_every_yaml_file_is_a_task_or_a_group(task_manager: TaskManager) -> None:
    assert set(task_manager.all_subtasks) == {*BENCHMARKS, *ORIGINAL_NAMES, *CURVE, "s1_nano"}
    assert set(task_manager.all_groups) == {"s1", "s1_nano_curve", "olymmath"}
    assert set(task_manager.all_tags) == {"s1_math", "s1_boards"}
    files = list(TASKS_DIR.glob("**/*.yaml"))
    assert len(files) == len(task_manager.all_subtasks) + len(task_manager.all_groups)
    assert {path.stem for path in files} == set(task_manager.all_subtasks) | set(task_manager.all_groups)


def test_every_task_loads_and_asks_greedily_for_its_first_question(task_manager: TaskManager, rows_dir: Path) -> None:
    for name in task_manager.all_subtasks:
        task = task_manager.load([name])["tasks"][name]
        assert len(task.eval_docs) == BENCHMARKS.get(name, len(task.eval_docs))
        assert task.doc_to_text(task.eval_docs[0]).strip()
        assert task.doc_to_target(task.eval_docs[0]) == task.eval_docs[0]["answer"]
        generation = task.config.generation_kwargs
        assert generation["until"] == []
        assert generation["temperature"] == (1.0 if name.endswith("_agg64") else 0.0)
        assert "do_sample" not in generation, "lm_eval would force temperature 0 on a run that asks for another"
        assert generation["max_gen_toks"] == (128 if name.startswith("s1_nano") else 32768)
        assert task.config.repeats == (64 if name.endswith("_agg64") else 1)


def test_task_files_take_their_rows_from_where_the_contract_says(task_manager: TaskManager, rows_dir: Path) -> None:
    for name in {*BENCHMARKS, *ORIGINAL_NAMES}:
        rows = rows_of(name)
        assert rows is not None
        source = dict(task_manager.load([name])["tasks"][name].config.dataset_kwargs["s1_dataset"])
        assert source.pop("file") in (name, SAME_ROWS.get(name, name)) or name.endswith("_agg64")
        said = {key: getattr(rows, key) for key in ("hub", "answer_kind", "config", "split", "revision")}
        source.pop("max_answer", None)  # of no concern to anybody else
        assert {"config": None, "split": "train", "revision": None, **source} == said, name
    assert set(TASKS) <= {*BENCHMARKS, *ORIGINAL_NAMES}


def test_boards_read_the_columns_of_their_data_sets(task_manager: TaskManager, rows_dir: Path) -> None:
    def documents(name: str) -> list[dict[str, str]]:
        return list(task_manager.load([name])["tasks"][name].eval_docs)

    assert [document["answer"] for document in documents("hmmt_feb_2026")] == [r"\frac{5}{6}", "(-1,1)", "14"]
    assert [document["id"] for document in documents("imo_answerbench")] == ["made-up-1", "made-up-2"]
    assert [document["answer"] for document in documents("beyond_aime")] == ["7006652", "121"], "not bounded by 999"
    (loaded,) = task_manager.load(["imo_answerbench"])["tasks"].values()
    gold = loaded.process_results(documents("imo_answerbench")[1], [["So $x \\ge 1$.\n\\boxed{[1,+\\infty)}"]])
    assert gold["exact_match"] == 1.0


def test_task_files_list_the_metrics_that_every_sample_has(task_manager: TaskManager, rows_dir: Path) -> None:
    for name in task_manager.all_subtasks:
        task = task_manager.load([name])["tasks"][name]
        assert tuple(metric["metric"] for metric in task.config.metric_list) == ALWAYS
        for response in ("Final Answer: 1", "nothing", ""):
            assert set(ALWAYS) <= set(task.process_results(task.eval_docs[0], [[response]]))


def test_the_group_s1_holds_the_three_benchmarks_of_the_paper(task_manager: TaskManager, rows_dir: Path) -> None:
    loaded = task_manager.load(["s1"])
    assert list(loaded["tasks"]) == ["aime24", "math500", "gpqa_diamond"]
    assert not loaded["groups"]["s1"].has_aggregation
    assert set(task_manager.load(["s1_math"])["tasks"]) == {"aime24", "aime25", "aime26", "math500"}
    assert set(task_manager.load(["s1_boards"])["tasks"]) == set(BOARDS)
    assert list(task_manager.load(["olymmath"])["tasks"]) == list(OLYMMATH)


def test_the_nano_curve_asks_the_same_questions_at_each_number_of_waits(task_manager: TaskManager) -> None:
    tasks = task_manager.load(["s1_nano_curve"])["tasks"]
    assert {name: task.config.generation_kwargs["num_waits"] for name, task in tasks.items()} == CURVE
    plain = task_manager.load(["s1_nano"])["tasks"]["s1_nano"]
    assert len(plain.eval_docs) == 500
    assert len(set(plain.eval_docs["problem"])) == 500
    assert "num_waits" not in plain.config.generation_kwargs
    assert all(task.eval_docs["problem"] == plain.eval_docs["problem"] for task in tasks.values())


def test_plain_tasks_ask_the_bare_question(task_manager: TaskManager, rows_dir: Path) -> None:
    task = task_manager.load(["aime24"])["tasks"]["aime24"]
    assert task.doc_to_text(task.eval_docs[0]) == "How many days has a week?"


def test_functions_in_task_files_have_importable_dotted_names() -> None:
    # A bare name would load a second copy of the module from beside the file.
    named = [
        match
        for path in [*TASKS_DIR.glob("**/*.yaml"), TASKS_DIR / "_base_yaml"]
        for match in re.findall(r"!function\s+([\w.]+)", path.read_text(encoding="utf-8"))
    ]
    assert len(named) >= 4
    assert all(name.startswith("s1_tasks.") for name in named), named


def test_no_name_of_ours_hides_another_task_group_or_tag_of_lm_eval(task_manager: TaskManager) -> None:
    ours = set(task_manager.all_tasks)
    theirs = set()
    for path in Path(lm_eval.tasks.__file__).parent.glob("**/*.y*ml"):
        declared = re.findall(
            r"^(?:task|group|tag):[ \t]*(\S+)[ \t]*$|^[ \t]*-[ \t]*(\S+)[ \t]*$", path.read_text("utf-8"), re.M
        )
        theirs |= {name.strip("\"'") for pair in declared for name in pair if name}
    assert "aime24" in theirs, "the scan no longer finds lm_eval's task names"
    assert ours & theirs == OURS_ON_PURPOSE


@pytest.mark.parametrize("module", ["s1_tasks", "s1_tasks.prompts", "s1_tasks.scoring", "s1_tasks.data"])
def test_importing_the_tasks_loads_nothing_heavy(module: str) -> None:
    heavy = ("torch", "vllm", "transformers", "lm_eval", "matplotlib", "sympy", "numpy", "datasets")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
