"""The way of an answer through the rooms stays short: few modules, few switches, and each side is parsed once."""

from benchmarks.walk import walk


def test_a_boxed_fraction_needs_few_modules_and_few_switches_between_them() -> None:
    found = walk(r"\boxed{\frac{3}{4}}", r"\frac34")
    assert found["outcome"] == "correct"
    assert found["modules"] <= 12, found["calls_by_module"]
    assert found["switches"] <= 40, found["calls_by_module"]


def test_each_side_is_parsed_at_most_once() -> None:
    assert walk("Final Answer: 751", "751")["parses"] <= 2
    assert walk("Final Answer: 751", "752")["parses"] <= 2
    assert walk(r"\boxed{\frac{3}{4}}", r"\frac34")["parses"] <= 2
