"""Two runs whose prompts differ by the date that a chat template wrote around the question."""

import pytest

from s1_report.dates import only_dates_around_differ


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Today is 2026-01-30. ", "Today is 2026-01-31. ", "2026-01-30 against 2026-01-31"),
        ("Date: 05 Jan 2026\n", "Date: 06 Jan 2026\n", "05 Jan 2026 against 06 Jan 2026"),
    ],
)
def test_the_dates_are_named(old: str, new: str, said: str) -> None:
    found = only_dates_around_differ([{"before": old, "after": "<a>"}, {"before": new, "after": "<a>"}])
    assert found == f"only the date that the chat template writes differs, {said}"


def test_another_text_is_not_taken_for_a_date() -> None:
    around = [{"before": "Be brief. 2026-01-30", "after": ""}, {"before": "Be long. 2026-01-31", "after": ""}]
    assert only_dates_around_differ(around) is None
