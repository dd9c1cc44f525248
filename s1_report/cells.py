"""Numbers as table cells; "-" is what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s1_report.stats import Interval

UNKNOWN = "-"


def cell(value: object, form: str = "{}") -> str:
    """The value in this format."""
    return UNKNOWN if value is None else form.format(value)


def percent(share: float | None) -> str:
    """0.5 -> "50.0"."""
    return UNKNOWN if share is None else f"{100 * share:.1f}"


def percent_interval(interval: Interval | None) -> str:
    """(0.4, 0.6) -> "40.0 to 60.0"."""
    return UNKNOWN if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
