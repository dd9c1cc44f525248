"""Units are a closed grammar: read behind any kind of space, in any font, and compared as products of powers."""

import itertools
import time

import pytest

from s1_tasks.answers import equivalent

SPACES = ("", "\u202f", "~", r"\,", r"\ ", r"\;\!", r"\quad ", "{}", r"\kern2pt ", r"\hspace{1em}", r"{\,}", r"\/")
VALUES = ("5", r"3.0\times10^{8}", r"\frac{3}{4}", r"3\sqrt{2}", r"2\pi")
UNITS = (
    r"\text{m/s} | \mathrm{m\,s^{-1}} | \text{ m/s} | \text{m}/\text{s} | \text{N}\cdot\text{m} | \text{N·m} | "
    r"\mathrm{N\,m} | \Omega | \text{k}\Omega | \mathrm{M\Omega} | \mu\text{m} | \text{µs} | \mathrm{\mu F} | "
    r"\text{cm}^2 | \text{cm²} | \text{kg}\,\text{m}^2/\text{s}^2 | \text{g/mol} | \text{J/(kg·K)} | "
    r"\text{J}\,\text{kg}^{-1}\,\text{K}^{-1} | ^\circ\text{C} | \text{°C} | \text{eV} | \text{kPa} | "
    r"\text{rad/s} | \text{miles per hour} | \text{square feet} | \text{ft}^2 | \text{cubic meters} | "
    r"\text{dollars} | \text{hours} | \text{apples} | \text{square units} | \text{A} | "
    r"\frac{\text{m}}{\text{s}} | \text{meters per second squared} | \operatorname{cm} | {\rm cm} | \mbox{ km} | "
    r"\text{mmol L}^{-1}"
)


def test_a_unit_is_read_behind_every_kind_of_space_and_every_kind_of_value() -> None:
    wrong = [
        value + space + unit
        for unit, value, space in itertools.product(UNITS.split(" | "), VALUES, SPACES)
        if not equivalent(value + space + unit, value)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (r"5\text{ m/s}", r"5\,\mathrm{m\,s^{-1}}"),
        (r"5\text{ kilometers per hour}", r"5\,\text{km/h}"),
        (r"5\text{ N}\cdot\text{m}", r"5\ \text{J}"),
        (r"5\text{ Hz}", r"5\,\mathrm{s^{-1}}"),
        (r"5\text{ mL}", r"5\,\text{cm}^3"),
        (r"\SI{5}{\kilo\metre\per\hour}", "5 km/h"),
        (r"\qty{9.8}{\metre\per\second\squared}", r"9.8\text{ m/s}^2"),
        (r"\qty{1.5}{\micro\metre}", r"1.5\,\mu\text{m}"),
        (r"\SI[per-mode=symbol]{5}{m/s}", "5"),
        (r"5\,\unit{\ohm}", "5"),
        (r"\num{12345}", "12345"),
        (r"\ang{30}", r"\frac{\pi}{6}"),
        ("20 ℃", "20 °C"),
        ("5 N·m", "5"),
        ("30 mph", "30 miles per hour"),
        (r"\$5.00", "5 dollars"),
        (r"5\,\frac{\text{kg}\cdot\text{m}}{\text{s}^2}", r"5\text{ N}"),
        (r"\frac{\pi}{3}\text{ rad}", r"60^\circ"),
        (r"5\text{ L}", r"5\,\mathrm{dm^3}"),
        (r"25\,\mathrm{mi/gal}", "25 mpg"),
    ],
)
def test_one_unit_in_two_spellings_is_one_unit(left: str, right: str) -> None:
    assert equivalent(left, right)
    assert equivalent(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (r"5\text{ m/s}", r"5\text{ km/h}"),
        (r"5\text{ N}", r"5\text{ J}"),
        (r"5\text{ m}^2", r"5\text{ m}^3"),
        (r"5\,\mathrm{mV}", r"5\,\mathrm{MV}"),
        (r"5\text{ s}^{-1}", r"5\text{ s}"),
        ("5 apples", "5 oranges"),
        (r"\SI{5}{\metre}", r"\SI{5}{\second}"),
        (r"5\text{ m}", "6"),
        ("2x", "2"),
        (r"5\text{ rad}", r"5^\circ"),
        (r"5\text{ km}", r"5000\text{ m}"),
    ],
)
def test_two_stated_units_that_differ_are_two_answers(left: str, right: str) -> None:
    assert not equivalent(left, right)
    assert not equivalent(right, left)


def test_ten_thousand_unit_letters_cost_no_more_than_their_length() -> None:
    hostile = (
        r"\text{m}",
        r"\,\mathrm{kg}",
        r"\SI{1}{\metre}",
        r"\SI{",
        "{",
        r"\text{",
        r"\ang{1;",
        "half of ",
        "minus ",
    )
    for unit in hostile:
        began = time.process_time()
        equivalent("5" + unit * (9_900 // len(unit)), "5")
        assert time.process_time() - began < 1.0, unit
