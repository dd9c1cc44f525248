"""The files of records: small where questions agree, and the same record when they are read again."""

import json

from s1_report.collect import collect
from s1_report.record import EVERY_QUESTION, from_json, to_json


def test_usage_that_all_questions_share_stands_once(run_folder):
    (record,) = collect(run_folder("run", {"aime24": [[1], [0], [1]]}, waits={"aime24": 2})).records
    content = json.loads(to_json(record))
    assert content[EVERY_QUESTION]["waits_used"] == [2]
    assert all("waits_used" not in row for row in content["questions"])
    assert from_json(to_json(record), "again") == record


def test_usage_that_differs_stays_with_its_question(run_folder):
    folder = run_folder("run", {"aime24": [[1], [0]]}, waits={"aime24": 2})
    path = folder / "traces.jsonl"
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    path.write_text(json.dumps({**first, "thinking_tokens": 7}) + "\n" + json.dumps(second) + "\n")
    (record,) = collect(folder).records
    rows = json.loads(to_json(record))["questions"]
    assert [row["thinking_tokens"] for row in rows] == [[7], [100]]
    assert from_json(to_json(record), "again") == record
