"""Who was it, and what was asked: two runs that are not the same are never made one, and never compared blindly."""

import json

import pytest

from s1_report.collect import collect
from s1_report.compare import NotComparable, compare, match
from s1_report.record import ReportError
from s1_report.runs import load_runs, store
from s1_report.truncation import refuse_above, truncation

TWO = {"aime24": [[1], [0]]}
LATER = "2026-11-24T00-00-00.000001"


def results_of(folder):
    return next(folder.glob("results_*.json"))


def change_results(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def unnamed(content):
    """lm_eval's name for a model that no argument names."""
    content["model_name"] = "umlxhtps"


def test_two_servers_in_one_output_folder_stay_two_runs(run_folder):
    for port, date in ((8000, "2026-11-23T00-00-00.1"), (8001, "2026-11-24T00-00-00.1")):
        args = {"base_url": f"http://127.0.0.1:{port}/v1", "num_waits": 4}
        folder = run_folder("out", TWO, model_args=args, date=date)
        change_results(folder / f"results_{date}.json", unnamed)
    found = collect(folder)
    assert (len(found.runs), found.superseded) == (2, [])
    assert {record.model for record in found.records} == {
        "s1_vllm at http://127.0.0.1:8000/v1",
        "s1_vllm at http://127.0.0.1:8001/v1",
    }


def test_two_models_behind_one_address_stay_two_runs(run_folder):
    for weights, date in (("files 0a", "2026-11-23T00-00-00.1"), ("files 0b", "2026-11-24T00-00-00.1")):
        folder = run_folder("out", TWO, model_args={"base_url": "http://127.0.0.1/v1"}, date=date)

        def tell(content, weights=weights):
            unnamed(content)
            content["config"]["s1"] = {"model": f"served {weights}", "identity": {"weights": weights}}

        change_results(folder / f"results_{date}.json", tell)
    assert [record.model for record in collect(folder).records] == ["served files 0a", "served files 0b"]


def test_a_run_without_any_model_name_is_not_called_by_lm_evals_random_one(run_folder):
    folder = run_folder("out", TWO, model_args={"num_waits": 4})
    change_results(results_of(folder), unnamed)
    assert collect(folder).records[0].model == "s1_vllm"


@pytest.mark.parametrize(
    ("model_args", "generation"),
    [
        ({"think_for": "long"}, {}),
        ({"quantization": "fp8"}, {}),
        ({"an_option_of_next_year": 7}, {}),
        ({"peft": "adapter"}, {}),
        ({}, {"think_for": "64 steps"}),
        ({}, {"top_k": 20}),
        ({}, {"an_option_of_next_year": 7}),
        ({}, {"num_waits": 1}),
    ],
)
def test_whatever_may_change_tokens_makes_another_run_and_shows_in_its_label(run_folder, model_args, generation):
    base = {"pretrained": "nano"}
    run_folder("out", TWO, model_args=base)
    folder = run_folder("out", TWO, model_args={**base, **model_args}, generation=generation, date=LATER)
    found = collect(folder)
    assert (len(found.runs), found.superseded) == (2, [])
    labels = [record.label() for record in found.records]
    assert len(set(labels)) == 2
    ((name, value),) = {**model_args, **generation}.items()
    assert sum(f"{name}={value}" in label or (name, "adapter") == (name, value) for label in labels) >= 1


@pytest.mark.parametrize("name", ["batch_size", "tensor_parallel_size", "gpu_memory_utilization", "num_concurrent"])
def test_what_leaves_tokens_alone_makes_no_other_run(run_folder, name):
    run_folder("out", TWO, model_args={"pretrained": "nano"})
    folder = run_folder("out", TWO, model_args={"pretrained": "nano", name: 3}, date=LATER)
    found = collect(folder)
    assert (len(found.runs), len(found.superseded)) == (1, 1)


def test_a_limited_run_does_not_replace_the_whole_one(run_folder):
    run_folder("out", {"aime24": [[1], [0], [1]]})
    folder = run_folder("out", TWO, date=LATER)
    assert sorted(len(record.questions) for record in collect(folder).records) == [2, 3]


def with_filters(folder):
    """Two answer filters with other scores, as gsm8k logs them."""
    path = next(folder.glob("samples_*"))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    told = [
        {**row, "filter": name, "exact_match": score}
        for name, score in (("strict", 0.0), ("flexible", 1.0))
        for row in rows
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    return folder


def test_every_filter_is_a_run_of_its_own_and_two_are_never_compared(run_folder, tmp_path):
    folder = with_filters(run_folder("gsm", {"gsm8k": [[1], [0]]}, plain=True))
    strict, flexible = sorted(collect(folder).records, key=lambda record: record.accuracy)
    assert (strict.filter, strict.accuracy, flexible.filter, flexible.accuracy) == ("strict", 0.0, "flexible", 1.0)
    assert strict.title == "gsm8k (strict)"
    with pytest.raises(NotComparable, match="filter: strict against flexible"):
        compare(strict, flexible)
    assert match([strict, flexible], [flexible, strict]) == [(strict, strict), (flexible, flexible)]
    assert len(store([strict, flexible], tmp_path / "records")) == 2


def test_another_metric_is_refused(run_folder):
    folder = run_folder("gsm", {"gsm8k": [[1], [0]]}, plain=True)
    path = next(folder.glob("samples_*"))
    rows = [{**json.loads(line), "acc": 1.0} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (by_match,), (by_acc,) = collect(folder).records, collect(folder, metric="acc").records
    with pytest.raises(NotComparable, match="metric: exact_match against acc"):
        compare(by_match, by_acc)


# Bad input: one sentence that names the file and the way out.


def test_two_records_of_one_run_are_refused_by_name(run_folder, tmp_path):
    (path,) = store(collect(run_folder("run", TWO)).records, tmp_path / "records")
    copy = path.with_name("copy.json")
    copy.write_text(path.read_text())
    with pytest.raises(ReportError, match=r"second record of the run in .*: remove one of the two") as caught:
        load_runs(tmp_path / "records")
    assert "copy.json" in str(caught.value)


def test_samples_without_results_are_named(run_folder):
    folder = run_folder("run", TWO)
    results_of(folder).unlink()
    with pytest.raises(ReportError, match=r"samples_aime24_.*no results file beside it"):
        collect(folder)


def test_traces_of_another_run_or_of_other_questions_are_named(run_folder):
    folder, other = run_folder("run", TWO), run_folder("other", TWO, date=LATER)
    (folder / "traces.jsonl").write_text((other / "traces.jsonl").read_text())
    (problem,) = collect(folder).problems
    assert "traces.jsonl: belongs to another run (aime24 of 2026-11-24" in problem
    rows = [{**json.loads(line), "doc_hash": "f" * 64} for line in (other / "traces.jsonl").read_text().splitlines()]
    (other / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (problem,) = collect(other).problems
    assert "its trace of question 0 belongs to another question" in problem


def test_a_filter_that_does_not_exist_is_named_also_when_there_is_only_one(run_folder):
    (problem,) = collect(run_folder("run", TWO), filter_name="strict-match").problems
    assert "no filter 'strict-match' in it, it has none: choose one with --filter" in problem


def test_a_record_of_another_filter_or_metric_is_refused_where_one_is_asked_for(run_folder, tmp_path):
    store(collect(run_folder("run", TWO)).records, tmp_path / "records")
    with pytest.raises(ReportError, match="holds none, not strict"):
        load_runs(tmp_path / "records", filter_name="strict")
    with pytest.raises(ReportError, match="holds exact_match, not acc"):
        load_runs(tmp_path / "records", metric="acc")


# Cut-offs.


def cut_run(run_folder, name, flags):
    folder = run_folder(name, {"aime24": [[1], [0], [0], [1]]})
    rows = [json.loads(line) for line in (folder / "traces.jsonl").read_text().splitlines()]
    pairs = zip(rows, flags, strict=True)
    told = [{**row, "cut_off": thinking, "answer_cut_off": answer} for row, (thinking, answer) in pairs]
    (folder / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    return collect(folder).records[0]


def test_the_bounds_are_the_score_and_the_score_plus_the_share_that_was_cut(run_folder):
    found = truncation(cut_run(run_folder, "most", [(0, 0), (1, 0), (0, 1), (1, 1)]))
    assert (found.score, found.share, found.finished, found.high) == (0.5, 0.75, 1.0, 1.0)
    found = truncation(cut_run(run_folder, "one", [(0, 0), (0, 0), (0, 1), (0, 0)]))
    assert (found.score, found.share, found.finished, found.high) == (0.5, 0.25, pytest.approx(2 / 3), 0.75)


def test_max_cut_refuses_what_is_above_it_and_what_cannot_be_told(run_folder):
    record = cut_run(run_folder, "one", [(0, 0), (0, 0), (0, 1), (0, 0)])
    refuse_above([record], 0.25)
    refuse_above([record], None)
    with pytest.raises(ReportError, match=r"25\.0 % of the responses were cut off, more than --max-cut 20 allows"):
        refuse_above([record], 0.2)
    plain = collect(run_folder("plain", {"gsm8k": [[1]]}, plain=True)).records
    with pytest.raises(ReportError, match="does not say which responses were cut off"):
        refuse_above(plain, 1.0)
