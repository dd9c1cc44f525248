"""The tables of the notation: which signs, commands and words stand for what. `parser` reads by them."""

RELATIONS = {
    "=": "=", "<": "<", ">": ">", r"\le": "<=", r"\ge": ">=", r"\ne": "!=", r"\approx": "~", r"\in": "in",
    r"\sim": "similar", r"\cong": "congruent", r"\equiv": "=", r"\notin": "notin", r"\subset": "subset",
    r"\subseteq": "subset",
}  # fmt: skip
SET_OPERATIONS = {r"\cup": "union", "union": "union", r"\cap": "intersection", r"\setminus": "difference"}
SEPARATORS = frozenset({",", ";", "and", "or", r"\\", "&"})
CLOSING = frozenset({")", "]", "}", r"\}", r"\rangle", r"\rvert", r"\end"})
CLOSING_BUILDER = CLOSING | {"|", r"\mid", ":"}
STACKED = frozenset({r"\choose", r"\over", r"\atop"})
LEADING_WORDS = frozenset(
    str.split(
        "answer final only exactly approximately about approx all roughly around nearly equals is are at x y "
        "either both set values value solutions solution points point total just interval range domain"
    )
)
LEADING_SIGNS = frozenset({":", "=", r"\approx", r"\sim", r"\Rightarrow"})
CLOSERS = {"(": (")", "]"), "[": ("]", ")"), "{": ("}",), r"\{": (r"\}",), r"\langle": (r"\rangle", ">"),
            r"\lfloor": (r"\rfloor",), r"\lceil": (r"\rceil",), r"\lvert": (r"\rvert", "|"),
            r"\Vert": (r"\Vert",)}  # fmt: skip
CURRENCIES = {r"\dollar": "dollar", r"\euro": "euro", r"\pound": "pound", r"\yen": "yen", r"\rupee": "rupee"}
CASE_WORDS = frozenset({"if", "for", "when", "where", "while"})
CELL_ENDS = frozenset({"&", ",", ";", ".", r"\hline", "and"})
NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
BASE_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
               "eleven": 11, "twelve": 12, "sixteen": 16}  # fmt: skip
SAME_FUNCTION = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "acot": "arccot", "tg": "tan", "ctg": "cot",
                  "arctg": "arctan", "arcsinh": "arsinh", "asinh": "arsinh", "arccosh": "arcosh", "acosh": "arcosh",
                  "arctanh": "artanh", "atanh": "artanh", "ceiling": "ceil", "binomial": "binom",
                  "sign": "sgn"}  # fmt: skip
OTHER_VALUES = frozenset(
    str.split(
        r"\frac \sqrt \cbrt \binom \pi \Pi \infty \emptyset \mathbb \overline \bar \angle \triangle \dollar \euro "
        r"\pound \yen \rupee \{ \langle \lfloor \lceil \lvert \Vert \| \ell \hbar \partial \operatorname \odot "
        r"\circ \square \ray"
    )
)
SHAPES = frozenset({r"\angle", r"\triangle", r"\odot", r"\square"})
OVERLINES = frozenset({r"\overline", r"\bar", r"\dot"})
