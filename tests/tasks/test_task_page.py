"""docs/tasks.md lists every task with its rows. `python -m tests.tasks.test_task_page` writes the table anew."""

import re
from pathlib import Path

from s1_contract.tasks import TASKS

PAGE = Path(__file__).parents[2] / "docs/tasks.md"
TABLE = re.compile(r"(<!-- tasks:.*? -->\n).*?(<!-- /tasks -->)", flags=re.DOTALL)


def make_table() -> str:
    lines = ["| task | benchmark | questions | on the Hub | answers |", "| --- | --- | --- | --- | --- |"]
    for task, rows in TASKS.items():
        place = ", ".join(filter(None, (rows.hub, rows.config, f"split {rows.split}")))
        lines.append(f"| `{task}` | {rows.title} | {rows.rows} | {place} | {rows.answer_kind} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_the_tasks_of_the_contract() -> None:
    found = TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == f"{found[1]}{make_table()}{found[2]}", "stale: run `python -m tests.tasks.test_task_page`"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda found: f"{found[1]}{make_table()}{found[2]}", text), encoding="utf-8")
