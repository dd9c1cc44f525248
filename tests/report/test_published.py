"""The paper's numbers as records: complete, sourced, and marked where sources disagree."""

from pathlib import Path

import pytest

from s1_report.runs import load_runs

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
RECORDS = load_runs(PUBLISHED)


def value(model, task, waits, table):
    (found,) = [
        record.accuracy
        for record in RECORDS
        if (record.model, record.task, record.num_waits) == (model, task, waits) and table in record.source
    ]
    return 100 * found


@pytest.mark.parametrize(
    ("waits", "aime24", "math500", "gpqa"),
    [(0, 50.0, 92.6, 56.6), (1, 53.3, 92.8, 59.6), (2, 53.3, 93.0, 59.6), (4, 56.7, 92.2, 58.6)],
)
def test_s1_is_there_without_and_with_1_2_and_4_waits(waits, aime24, math500, gpqa):
    for task, published in (("aime24", aime24), ("math500", math500), ("gpqa_diamond", gpqa)):
        assert value("s1-32B", task, waits, "Table 5") == pytest.approx(published)


def test_every_record_has_a_source_and_scores_between_0_and_1():
    for record in RECORDS:
        assert record.kind == "published"
        assert record.source
        assert 0 < record.accuracy < 1
        assert record.scores["questions"] in (15, 30, 198, 500)


def test_where_sources_disagree_both_are_there_and_marked():
    values = {}
    for record in RECORDS:
        if record.budget.get("method") is None and record.scores["questions"] != 15:
            limit = record.budget.get("max_thinking_tokens")
            key = (record.model, record.task, record.num_waits, record.budget.get("wait_text"), limit)
            values.setdefault(key, {}).setdefault(record.accuracy, []).append(record)
    disputed = {key: found for key, found in values.items() if len(found) > 1}
    assert ("QwQ-32B-preview", "gpqa_diamond", None, None, None) in disputed
    for found in disputed.values():
        for records in found.values():
            assert any("differs" in record.notes or "mixes settings" in record.notes for record in records), records


def test_the_ablations_are_there():
    tables = {record.source.split(", ")[1].split(" (")[0] for record in RECORDS if record.source.startswith("arXiv")}
    assert tables == {f"Table {number}" for number in (1, 2, 3, 4, 5, 12, 13, 14)}
    words = {record.budget.get("wait_text") for record in RECORDS}
    assert {"Wait", "Hmm", "Alternatively", ""} <= words
