"""A value is read with all its words: those that change it are arithmetic, or leave no bare value."""

import pytest

from s1_tasks.answers import equivalent, judge

CHANGED = [
    ("The answer is negative 5.", "-5", "5"),
    (r"\boxed{\text{minus }5}", "-5", "5"),
    (r"\boxed{5\text{ squared}}", "25", "5"),
    (r"\boxed{3\text{ cubed}}", "27", "3"),
    (r"\boxed{5\text{ factorial}}", "120", "5"),
    (r"\boxed{6\text{ hundredths}}", "0.06", "6"),
    (r"\boxed{7\text{ halves}}", "3.5", "7"),
    (r"\boxed{\text{half of }10}", "5", "10"),
    (r"\boxed{\text{two thirds of }27}", "18", "27"),
    (r"\boxed{\text{a quarter of }8}", "2", "8"),
    (r"\boxed{\text{twice }7}", "14", "7"),
    (r"\boxed{3\text{ dozen}}", "36", "3"),
    (r"\boxed{5\text{k}}", "5000", "5"),
    (r"\boxed{4\text{ million}}", "4000000", "4"),
    (r"\boxed{20\text{ percent of }50}", "10", "50"),
    (r"\boxed{3\text{ out of }4}", "0.75", "3"),
    (r"\boxed{2\text{ to the power of }10}", "1024", "2"),
    (r"\boxed{3\text{ and a half}}", "3.5", "3"),
    ("The answer is two squared.", "4", "2"),
    ("The answer is one over six.", r"\frac16", "1"),
    ("The answer is $3$ over $4$.", "0.75", "3"),
    (r"\boxed{5\%\text{ of }20}", "1", "5"),
    (r"\boxed{\text{half a dozen}}", "6", "12"),
    (r"\boxed{6\text{ choose }2}", "15", "6"),
    (r"\boxed{4\text{ eighths}}", "0.5", "4"),
    (r"\boxed{\text{twice }x}", "2x", "x"),
    ("The answer is the reciprocal of $4$.", r"\frac14", "4"),
    ("The answer is the square root of $16$.", "4", "16"),
    ("**Answer:** the opposite of $x$", "-x", "x"),
]
NO_BARE_VALUE = [
    (r"\boxed{\text{multiples of }3}", "3"),
    (r"\boxed{\text{divisors of }12}", "12"),
    (r"\boxed{\text{powers of }2}", "2"),
    (r"\boxed{\text{odd }n}", "n"),
    (r"\boxed{\text{every }n}", "n"),
    (r"\boxed{odd $n$}", "n"),
    (r"\boxed{\text{at least }5}", "5"),
    (r"\boxed{5\text{ or more}}", "5"),
    (r"\boxed{5\text{ more than }7}", "5"),
    (r"\boxed{5\text{ times as many}}", "5"),
    (r"\boxed{\text{sum of the digits of }5}", "5"),
    (r"\boxed{\text{the number before }5}", "5"),
    (r"\boxed{\text{numbers divisible by }5}", "5"),
    (r"\boxed{\text{integer multiples of }\pi}", r"\pi"),
    (r"\boxed{5\text{ or }6}", "5"),
    (r"\boxed{\text{fivefold}}", "5"),
    (r"\boxed{4\text{ quarters}}", "4"),
    ("The answer is a multiple of 3.", "3"),
    ("The answer is between 3 and 5.", "5"),
    (r"\boxed{\text{log base 2 of }5}", "5"),
]
PLAIN = [
    (r"\boxed{6\text{ factors}}", "6"),
    (r"\boxed{4\text{ primes}}", "4"),
    (r"\boxed{3\text{ real roots}}", "3"),
    (r"\boxed{8\text{ months}}", "8"),
    (r"\boxed{5\text{ pairs}}", "5"),
    (r"\boxed{5\text{ cups of flour}}", "5"),
    (r"\boxed{5\text{ solutions}}", "5"),
    (r"\boxed{5\text{ even numbers}}", "5"),
    (r"\boxed{7\text{ squares}}", "7"),
    (r"\boxed{15\text{ years old}}", "15"),
    (r"\boxed{\text{all real }x}", r"\mathbb{R}"),
    (r"\boxed{\text{exactly }5}", "5"),
    (r"\boxed{\text{Area }=12}", "12"),
    (r"\boxed{\text{the square of the area is }12}", "12"),
    (r"\boxed{\text{Alice: }5}", "5"),
]


@pytest.mark.parametrize(("text", "value", "bare"), CHANGED)
def test_a_word_that_changes_a_value_is_arithmetic(text: str, value: str, bare: str) -> None:
    assert judge(text, value).correct
    assert not judge(text, bare).correct


@pytest.mark.parametrize(("text", "bare"), NO_BARE_VALUE)
def test_words_that_make_another_thing_of_a_value_leave_no_bare_value(text: str, bare: str) -> None:
    assert not judge(text, bare).correct


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_counted_things_and_names_leave_the_value_as_it_is(text: str, value: str) -> None:
    assert judge(text, value).correct


LABELS = (
    r"\textbf{(C) } 25 | \textbf{(C)}\ 25 | \text{(C) 25} | (C) 25 | (\text{C}) 25 | \mathrm{(C)}\ 25 | "
    r"\textbf{(C)}~25 | \text{C) }25 | \text{C. }25 | C. 25 | \textbf{C}\ 25 | \textbf{(C)}\quad 25 | "
    r"\textbf{(C)}\:\frac{50}{2}"
)


@pytest.mark.parametrize("box", LABELS.split(" | "))
def test_a_choice_with_its_value_is_the_value_and_the_letter(box: str) -> None:
    assert judge(rf"\boxed{{{box}}}", "25").correct
    assert judge(rf"\boxed{{{box}}}", "C").correct
    assert not judge(rf"\boxed{{{box}}}", "24").correct
    assert not judge(rf"\boxed{{{box}}}", "B").correct
    assert not equivalent(box, "(B) 25")


def test_a_choice_may_have_words_for_its_value_and_only_one_label_counts() -> None:
    assert judge(r"\boxed{\textbf{(B)}\ \text{Tuesday}}", "Tuesday").correct
    assert judge(r"\boxed{\text{Option (C) }25}", "25").correct
    assert judge(r"The answer is $\textbf{(D)}\ 72$.", "72").correct
    assert not judge(r"\boxed{" + "(C) " * 2_000 + "25}", "25").correct


LEFT_SIDES = (
    r"\lfloor 100x\rfloor | \cos^2x | \Pr[A] | \mathbb{P}(X=2) | \frac{NO}{BO} | |z|^2 | \gcd(m,n) | a_{10} | "
    r"\frac{a}{b}+\frac{b}{a} | \sqrt{x} | 2x+3y | \binom{n}{k} | f(f(x)) | f'(1) | \text{Area}(ABC) | [ABC] | "
    r"\det(A) | \log_2 x | AB\cdot CD | x+\frac1x | \operatorname{Var}(X) | |A\cup B| | x^{10} | N\bmod 1000 | "
    r"V_{\max} | e^x"
)


@pytest.mark.parametrize("left", LEFT_SIDES.split(" | "))
def test_an_equation_states_its_right_side_whatever_stands_on_the_left(left: str) -> None:
    assert judge(rf"\boxed{{{left}=5}}", "5").correct
    assert not judge(rf"\boxed{{{left}=5}}", "6").correct


def test_an_equation_is_no_value_where_it_has_to_be_solved_or_is_what_is_asked_for() -> None:
    for left, right in (("1", "2x+z=1"), ("3x=12", "x=4"), ("5=6", "6"), ("x^2-4=0", "0")):
        assert not equivalent(left, right)
        assert not equivalent(right, left)
    assert equivalent("m+n=116", "116")
    assert equivalent("2x+2y=4", "x+y=2")


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (r"\sin(90^\circ-x)", r"\cos x", True),
        ("f(x)=2x, x>0", "f(x)=2x", True),
        ("f(x)=2x, x>0", "f(x)=2x, x<0", False),
        ("(t,2t)", "(s,2s)", True),
        ("(t,2t)", "(2s,s)", False),
        (r"-\frac{1}{{}2x}", r"-\frac{1}{2x}", True),
        (r"1011\,0101_2", "10110101_2", True),
        ("0x1f", "1f_{16}", True),
        ("A_2", "A_3", False),
        (r"\frac{9}{14}}", r"\frac{9}{14}", True),
        (r"\sqrt{10", r"\sqrt{10}", True),
        (r"frac{2}{15}", r"\frac{2}{15}", True),
        (r"x^{3}}-1", "x^3-1", True),
        (r"\frac{9}{14}}", r"\frac{9}{15}", False),
        (r"k\in\mathbb Z", r"k\in\mathbb{Z}", True),
        (r"\{x: x=2k\pi, k\in\mathbb Z\}", r"2n\pi", True),
        (r"2\pi n, n \in \mathbb Z", r"2k\pi", True),
        ("5k+3", r"x\equiv 3\pmod 5", True),
        ("5k+3", r"2\pmod 5", False),
        ("1.000.000", "1000000", True),
        (r"^3/_4", r"\frac34", True),
        (r"3\over4", r"\frac34", True),
        (r"Y(x)=A+\frac{B}{x}-x", r"Y(x)=-x+C+\frac{D}{x}", True),
        (r"\overline{AB}", r"\overline{CD}", False),
        (r"\lfloor\varphi n\rfloor", r"\lfloor\varphi n\rfloor", True),
        (r"\lfloor\varphi n\rfloor, where \varphi=\frac{1+\sqrt5}{2}", r"\lfloor\varphi n\rfloor", True),
    ],
)
def test_one_answer_written_in_two_ways(left: str, right: str, same: bool) -> None:
    assert equivalent(left, right) is same
    assert equivalent(right, left) is same


def test_a_percentage_and_a_power_of_ten_round_as_the_decimals_that_they_are() -> None:
    assert judge(r"\boxed{\sqrt2-1}", r"41.4\%").correct
    assert not judge(r"\boxed{\sqrt2-1}", r"41.5\%").correct
    assert judge(r"\boxed{2.314814814815\times10^{-3}}", r"\frac{1}{432}").correct
    assert not judge(r"\boxed{2.31\times10^{-3}}", r"\frac{1}{432}").correct
