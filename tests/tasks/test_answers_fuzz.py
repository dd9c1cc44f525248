"""Random expressions in several spellings are equal, perturbed ones are not, and no text makes the check raise."""

from fractions import Fraction

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from s1_tasks.answers import Outcome, equivalent, extract, judge
from s1_tasks.answers.algebra.approx import differ
from s1_tasks.answers.tree.nodes import Call, Constant, Node, Number, Power, Product, Sum, Symbol, integer

RELAXED = settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck), derandomize=True)


def leaves() -> st.SearchStrategy[Node]:
    return st.one_of(
        st.integers(1, 30).map(integer),
        st.sampled_from([Symbol("x"), Symbol("y"), Constant("pi")]),
    )


def grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    small = st.integers(2, 4).map(integer)
    return st.one_of(
        st.tuples(inner, inner).map(Sum),
        st.tuples(inner, inner).map(Product),
        st.tuples(inner, small).map(lambda parts: Power(*parts)),
        st.tuples(inner, inner).map(lambda parts: Product((parts[0], Power(parts[1], integer(-1))))),
        st.tuples(inner, st.just(integer(2))).map(lambda parts: Call("root", parts)),
        st.tuples(st.just(integer(-1)), inner).map(Product),
        inner.map(lambda part: Call("sin", (part,))),
    )


EXPRESSIONS = st.recursive(leaves(), grown, max_leaves=6)


def latex(node: Node) -> str:
    """TeX as a textbook sets it."""
    if isinstance(node, Number):
        return str(node.value)
    if isinstance(node, Symbol):
        return node.name
    if isinstance(node, Constant):
        return rf"\{node.name} "
    if isinstance(node, Sum):
        return "+".join(
            rf"\left({latex(term)}\right)" if latex(term).startswith("-") else latex(term) for term in node.terms
        )
    if isinstance(node, Product):
        last = node.factors[-1]
        if isinstance(last, Power) and last.exponent == integer(-1):
            return rf"\frac{{{latex(node.factors[0])}}}{{{latex(last.base)}}}"
        return r" \cdot ".join(rf"\left({latex(factor)}\right)" for factor in node.factors)
    if isinstance(node, Power):
        return rf"\left({latex(node.base)}\right)^{{{latex(node.exponent)}}}"
    assert isinstance(node, Call)
    if node.name == "root":
        return rf"\sqrt{{{latex(node.arguments[0])}}}"
    return rf"\{node.name}\left({latex(node.arguments[0])}\right)"


def plain(node: Node) -> str:
    """The same as a programmer types it, sums and products the other way round."""
    if isinstance(node, Number):
        return f"({node.value})"
    if isinstance(node, Symbol | Constant):
        return node.name
    if isinstance(node, Sum):
        return "(" + " + ".join(plain(term) for term in reversed(node.terms)) + ")"
    if isinstance(node, Product):
        return "(" + " * ".join(plain(factor) for factor in reversed(node.factors)) + ")"
    if isinstance(node, Power):
        return f"({plain(node.base)})**({plain(node.exponent)})"
    assert isinstance(node, Call)
    name = "sqrt" if node.name == "root" else node.name
    return f"{name}({plain(node.arguments[0])})"


@RELAXED
@given(EXPRESSIONS)
def test_two_spellings_of_one_expression_are_equal(expression: Node) -> None:
    assume(differ(expression, expression) is False)  # it has values: no division by zero, no huge power
    assert equivalent(latex(expression), plain(expression))
    assert equivalent(plain(expression), latex(expression))


@RELAXED
@given(EXPRESSIONS, st.sampled_from([1, -1, 2]))
def test_an_expression_and_the_same_plus_a_number_are_different(expression: Node, shift: int) -> None:
    moved = Sum((expression, integer(shift)))
    assume(differ(expression, moved))  # a shift that drowns in a huge value is for the exact cases below
    assert not equivalent(latex(expression), plain(moved))


@RELAXED
@given(st.fractions(max_denominator=500), st.fractions(max_denominator=500))
def test_rational_numbers_are_equal_exactly_when_their_values_are(left: Fraction, right: Fraction) -> None:
    written = rf"\frac{{{left.numerator}}}{{{left.denominator}}}"
    other = f"{right.numerator}/{right.denominator}"
    assert equivalent(written, other) is (left == right)
    assert equivalent(written, str(left))


@RELAXED
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_lists_are_equal_in_any_order_and_points_only_in_the_same(items: list[int], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert equivalent(", ".join(map(str, items)), r"\{" + ", ".join(map(str, shuffled)) + r"\}")
    point, other = (f"({', '.join(map(str, values))})" for values in (items, shuffled))
    assert equivalent(point, other) is (items == shuffled)


@RELAXED
@given(st.integers(-50, 50), st.integers(1, 50), st.booleans(), st.booleans())
def test_an_interval_equals_its_inequality_and_not_the_one_with_another_end(
    low: int, size: int, left_closed: bool, right_closed: bool
) -> None:
    high = low + size
    interval = f"{'[' if left_closed else '('}{low},{high}{']' if right_closed else ')'}"
    inequality = f"{low} {'≤' if left_closed else '<'} x {'≤' if right_closed else '<'} {high}"
    assert equivalent(interval, inequality)
    assert not equivalent(interval, inequality.replace(f" {high}", f" {high + 1}"))
    assert not equivalent(interval, inequality.replace("<", "≤") if "<" in inequality else inequality.replace("≤", "<"))


@RELAXED
@given(st.text(max_size=80), st.sampled_from(["5", r"\frac{1}{2}", "(1,2)", "x^2+1", "1,2", r"\text{even}"]))
def test_any_text_gets_a_verdict(text: str, reference: str) -> None:
    verdict = judge(text, reference)
    assert isinstance(verdict.outcome, Outcome)
    assert "internal error" not in verdict.reason
    assert equivalent(text, reference) is equivalent(reference, text)


RUBBLE = (
    r"\frac { } ( ) [ ] \{ \} ^ _ + - * / = < \le , ; | \sqrt \sin \pi 1 2 30 0.5 x y n \pm \cup \infty \text{cm} & \\ "
    r"\begin{pmatrix} \end{pmatrix} \boxed{ answer: $ \( \) ! % \circ \in \mathbb{R} and or : \log \binom \left \right"
)
PIECES = st.lists(st.sampled_from(RUBBLE.split()), max_size=14).map(" ".join)


@settings(RELAXED, max_examples=300)
@given(PIECES, PIECES)
def test_any_mathematical_rubble_gets_a_verdict_and_equivalence_is_symmetric(left: str, right: str) -> None:
    extract(left)
    assert "internal error" not in judge(rf"\boxed{{{left}}}", "5").reason
    assert "internal error" not in judge(left, r"\frac{x}{2}").reason
    assert equivalent(left, right) is equivalent(right, left)
