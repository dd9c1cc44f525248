r"""One spelling for what is written in many: Unicode, TeX spacing and fonts, math delimiters, currency, separators.

Everything here is a fixed number of linear passes over the text, so a long or hostile answer costs no more than its
length. The result is still text; `tokens` and `parser` read it.
"""

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction

from s1_tasks.answers.read.measures import marked_units

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵏᵐˣᵗ", "0123456789+-=()nikmxt")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₙₖₘₓᵢⱼ", "0123456789+-=()aenkmxij")
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8), "⅑": (1, 9),
    "⅒": (1, 10),
}  # fmt: skip
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "＋": "+", "×": r"\times ", "⋅": r"\cdot ",
    "·": r"\cdot ",
    "∙": r"\cdot ", "•": r"\cdot ", "∗": "*", "÷": r"\div ", "∕": "/", "⁄": "/", "±": r"\pm ", "∓": r"\mp ",
    "≤": r"\le ", "⩽": r"\le ", "≦": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≧": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "≅": r"\cong ", "≡": r"\equiv ", "∈": r"\in ", "∉": r"\notin ", "∪": r"\cup ", "∩": r"\cap ", "∖": r"\setminus ",
    "∅": r"\emptyset ", "∞": r"\infty ", "π": r"\pi ", "Π": r"\Pi ", "√": r"\sqrt ", "∛": r"\cbrt ",
    "°": r"\degree ", "Ω": r"\Omega ", "º": r"\degree ", "˚": r"\degree ", "′": "'", "’": "'", "‘": "'",
    "“": '"', "”": '"', "″": '"', "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "∧": " and ", "∨": " or ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
    "→": r"\to ", "⇒": r"\Rightarrow ", "∴": "", "…": "...", "，": ", ", "、": ", ", "；": "; ", "：": ":", "。": ".",
    "（": "(", "）": ")", "【": "[", "】": "]", "｛": "{", "｝": "}", "％": "%", "﹪": "%", "‰": " permille ",
    "∣": r"\mid ", "｜": "|", "∠": r"\angle ", "△": r"\triangle ", "¬": " not ", "∼": r"\sim ", "∑": r"\sum ",
    "∏": r"\prod ", "∫": r"\int ", "∂": r"\partial ", "ℓ": "l", "ⅇ": "e", "ⅈ": "i", "€": r"\euro ", "£": r"\pound ",
    "¥": r"\yen ", "₹": r"\rupee ", "¢": " cents ",
}  # fmt: skip
_GREEK = {
    chr(code): "\\" + unicodedata.name(chr(code)).rsplit(" ", 1)[-1].lower() + " "
    for code in range(0x03B1, 0x03CA)
    if "FINAL" not in unicodedata.name(chr(code)) and chr(code) != "π"
}
_TABLE = str.maketrans({**_SIGNS, **_GREEK})
_DROPPED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufe0f\ud800-\udfff]"
)

_SIZES = re.compile(
    r"\\(?:left|right|bigl|bigr|Bigl|Bigr|biggl|biggr|Biggl|Biggr|big|Big|bigg|Bigg|middle)(?![a-zA-Z])\s*"
)
_STYLES = re.compile(
    r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it|sf|cal|tt|normalsize|large|Large|huge|"
    r"nonumber|noindent|strut|mathstrut|allowbreak|hfill|enspace|enskip|thinspace|medspace|thickspace|negthinspace)"
    r"(?![a-zA-Z])\s*|\\q?quad\s*"
)
_SPACINGS = re.compile(
    r"\\(?:hspace|vspace|phantom|hphantom|vphantom|label|tag)\*?\s*\{[^{}]*\}|\\kern-?[\d.]+(?:em|pt|mu)"
)
_THIN = re.compile(r"(?<!\\)\\[,;:!> ]|~")
_FONTS = re.compile(
    r"\\(?:mathbf|boldsymbol|mathcal|mathit|mathsf|mathtt|mathfrak|bm|vec|overrightarrow|overleftrightarrow|widehat|hat|"
    r"tilde|widetilde|mathring|pmb|underline|ensuremath|mathop|mathord|mathbin|mathrel|cancel|color\{\w+\}|"
    r"textcolor\{\w+\}|mathclap|smash|boxed|fbox|beginboxed)(?:\s*(?=\{)|\s+(?=[a-zA-Z\d]))"
)
_TEXTS = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|textnormal|textmd|textup|mbox|hbox|mathrm|operatorname\*?|emph|"
    r"textsc|rm)\s*\{([^{}]*)\}"
)
_LETTERS = re.compile(r"[A-Z](?:\s*(?:,|&|\band\b)\s*[A-Z])*")
_MATHEMATICS = re.compile(r"[\d$\\^_+*/=<>()\[\]-]")
_SPELLINGS = {
    "dfrac": r"\frac", "tfrac": r"\frac", "cfrac": r"\frac", "dbinom": r"\binom", "tbinom": r"\binom", "leq": r"\le ",
    "geq": r"\ge ", "leqslant": r"\le ", "geqslant": r"\ge ", "leqq": r"\le ", "geqq": r"\ge ", "neq": r"\ne ",
    "lt": "<", "gt": ">",
    "times": "*", "cdot": "*", "ast": "*", "cdotp": "*", "bullet": "*", "div": "/", "lbrace": r"\{", "rbrace": r"\}",
    "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")", "land": " and ", "lor": " or ", "wedge": " and ",
    "vee": " or ", "colon": ":", "backslash": r"\setminus ", "varnothing": r"\emptyset ", "varepsilon": r"\epsilon ",
    "vartheta": r"\theta ", "varphi": r"\phi ", "varrho": r"\rho ", "minus": "-", "plus": "+", "imath": "i",
    "jmath": "j", "dots": "...", "ldots": "...", "cdots": "...", "dotsc": "...", "dotsb": "...", "vdots": "...",
    "degree": r"^{\circ}", "deg": r"^{\circ}", "percent": "%", "textdegree": r"^{\circ}", "celsius": r"^{\circ}",
    "prime": "'", "iff": r"\Rightarrow ", "implies": r"\Rightarrow ", "Longrightarrow": r"\Rightarrow ",
    "rightarrow": r"\to ", "longrightarrow": r"\to ", "simeq": r"\approx ", "doteq": r"\approx ",
    "lvert": r"\lvert ", "rvert": r"\rvert ", "Vert": r"\Vert ", "lVert": r"\lvert ", "rVert": r"\rvert ",
    "textdollar": r"\$", "newline": r"\\", "cr": r"\\", "smallsetminus": r"\setminus ", "bigcup": r"\cup ",
    "bigcap": r"\cap ", "uplus": r"\cup ", "sqcup": r"\cup ", "lang": r"\langle ", "rang": r"\rangle ",
    "infin": r"\infty ", "therefore": " ", "top": "T", "intercal": "T", "pounds": r"\pound ",
    "Pr": "P ", "R": r"\mathbb{R}", "N": r"\mathbb{N}", "Z": r"\mathbb{Z}", "Q": r"\mathbb{Q}", "reals": r"\mathbb{R}",
}  # fmt: skip
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\s*\{(?:align|aligned|equation|gather|gathered|split|math|displaymath|center)\*?\}"
)
_GROUPED = re.compile(r"(?<![\d.,])(\d{1,3}(?:(?:,\s?\\!\s?|\{,\}|\\[,;: ]|\\!)\d{3})+)(?![\d])")
_SPACED_DIGITS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?![\d/])(?! \d)")
_DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]")
_NO_DELIMITER = re.compile(r"\\(?:left|right|big[lr]?|Big[lr]?|bigg[lr]?|Bigg[lr]?)\s*\.")
_TIMES = re.compile(r"(?<=\d)\s?[xX]\s?(?=10\s?(?:\^|\*\*))")
"""3 x 10^4"""
_CLOCK = re.compile(r"(?<=\d:\d\d)\s*([ap])\.?\s?m\b\.?|(?<=\d)\s*([ap])\.\s?m\.", re.IGNORECASE)
_MINUTES = re.compile(
    r"(?<![\d.])(\d{1,3})\s?\^\s?\{?\\circ\}?\s?(\d{1,2})\s?(?:\^\s?\{?)?'\}?(?:\s?(\d{1,2})\s?(?:\^\s?\{?)?''\}?)?"
)
r"""75^{\circ} 30' 36''"""
_SLANTED = re.compile(r"\^\s?\{?(\d{1,4})\}?\s?/\s?_\s?\{?(\d{1,4})\}?")
"""^3/_4"""
_DOTTED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.,])")
"""1.000.000: one group alone may be decimals"""
_MAY_HOLD_UNIT = re.compile(
    r"\\(?:text|mathrm|mbox|hbox|operatorname|mathbf|mathit|mathsf|rm|mu|micro|Omega|ohm|SI|qty|num|ang|si|unit|celsius|"
    r"deg|circ|AA|angstrom)|\d[\s~][a-zA-Z\\]|\d\\[,;:! ]"
)
_ODD_SPACES = re.compile(
    r"\\(?:mskip|kern|hskip|mkern)\s?-?[\d.]+\s?(?:pt|em|mu|ex|cm|mm)\s?|\{\s?\\[,;:! ]\s?\}|"
    r"\\(?:nobreakspace|space|enspace|thinspace|medspace|thickspace)(?![a-zA-Z])|\\[hv]space\*?\s?\{[^{}]{0,20}\}|"
    r"\\/(?=\s|\\|\^|\{)"
)
_UPRIGHT = re.compile(r"\{\s?\\rm\s([^{}]{1,60})\}|(?<=[\d})\s])\\rm\s([^{}\\$]{1,60})$")
_BARE_SET = re.compile(r"\\mathbb\s*([RZNQC])(?![a-zA-Z])")
_GAPS = re.compile(r"\s{2,}")
"""A run of spaces says no more than one, and the patterns that read cleaned text need not be linear in it."""
_ROW_GAPS = re.compile(r"\\\\\s*\[[\d.]+(?:pt|em|ex|mm|cm)\]")


def ascii_text(text: str) -> str:
    """`text` with Unicode mathematics spelled in TeX or ASCII, and without control characters and lone surrogates."""
    text = _DROPPED.sub("", text)
    if text.isascii():
        return text
    for letter, (top, bottom) in _VULGAR.items():
        if letter in text:
            text = text.replace(letter, rf"\frac{{{top}}}{{{bottom}}}")
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵏᵐˣᵗ]+", lambda run: "^{" + run.group().translate(_SUPERSCRIPTS) + "}", text)
    text = re.sub("[₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₙₖₘₓᵢⱼ]+", lambda run: "_{" + run.group().translate(_SUBSCRIPTS) + "}", text)
    text = unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)
    return "".join(c if c.isascii() or not c.isdigit() else str(unicodedata.digit(c)) for c in text)


def clean(text: str) -> str:
    """`text` without markup that carries no meaning: delimiters, spacing, fonts, sizes, markdown, thousands marks."""
    text = ascii_text(text)
    if "\\" in text:
        text = _UPRIGHT.sub(lambda m: rf"\mathrm{{{m[1] or m[2]}}}", _ODD_SPACES.sub(" ", text)).replace(r"\/", "/")
    text = text.replace("{}", "")
    if "/" in text or "." in text:
        text = _DOTTED.sub(lambda number: number.group().replace(".", ""), _SLANTED.sub(r"\\frac{\1}{\2}", text))
    if "\\\\" in text:
        text = _single_backslashes(_separate_rows(_ROW_GAPS.sub(r"\\\\ ", text)))
    text = _currency_first(text)
    if _MAY_HOLD_UNIT.search(text):
        text = marked_units(text)
    if "\\" in text:
        text = _meaningful(text)
    text = _NO_DELIMITER.sub(" ", _DELIMITERS.sub(" ", text))
    text = _TIMES.sub(r"\\times ", text)
    text = (
        text.replace(r"\$", r"\dollar ").replace("$", " ").replace(r"\#", " ").replace(r"\_", "_").replace(r"\%", "%")
    )
    text = re.sub(r"^\s*\*\*|\*\*\s*$", "", text)
    text = re.sub(r"_{2,}", " ", text)
    if "\\" in text:
        text = _GROUPED.sub(lambda group: re.sub(r"\D", "", group.group()), text)
        text = _SPACINGS.sub(" ", _STYLES.sub(" ", _SIZES.sub("", text)))
        text = _THIN.sub(" ", text)
        text = _ENVIRONMENT.sub(" ", text)
        text = _BARE_SET.sub(r"\\mathbb{\1}", text)
        if "&" in text and "\\begin" not in text:
            text = text.replace("&", " ")
        text = _COMMAND.sub(lambda command: _respell(command.group(1)), text)
        text = _FONTS.sub("", text)
        for _ in range(3):  # fonts and texts nest a few levels at most
            replaced = _TEXTS.sub(_text_content, text)
            if replaced == text:
                break
            text = replaced
    else:
        text = text.replace("~", " ")
    text = _CLOCK.sub(_half_of_day, text.replace("{,}", ",").replace("{:}", ":"))
    text = text.replace("! !", "!!")
    if "circ" in text and "'" in text:
        text = _MINUTES.sub(_in_degrees, text)
    text = _SPACED_DIGITS.sub(lambda digits: digits.group().replace(" ", ""), text)
    return strip_edges(_GAPS.sub(" ", text))


def _in_degrees(match: re.Match[str]) -> str:
    degrees, minutes, seconds = (Fraction(part or 0) for part in match.groups())
    angle = degrees + minutes / 60 + seconds / 3600
    return rf"\frac{{{angle.numerator}}}{{{angle.denominator}}}^{{\circ}}"


def _half_of_day(match: re.Match[str]) -> str:
    return rf" \word{{{(match.group(1) or match.group(2)).lower()}m}}"


def strip_edges(text: str) -> str:
    """Without surrounding punctuation and spaces; a factorial, a prime and "..." stay."""
    text = text.strip().strip('`*"').strip()
    if len(text) > 2 and text[0] == "'" == text[-1]:
        text = text[1:-1]
    end = len(text)
    while end and text[end - 1] in ' \t\r\n.,;:`"' and not text[:end].endswith("..."):
        end -= 1
    text = text[:end].lstrip(' \t\r\n,;:`"')
    return text[:-1].rstrip() if text.endswith("\\") and not text.endswith("\\\\") else text


def merge_thousands(text: str, *, inside_brackets: bool) -> str:
    r"""Remove the commas of numbers such as 12,345.

    Inside brackets a comma more often separates, as in (2,102), so only one of the two places is merged at a time:
    the caller tries both readings.
    """
    if not _THOUSANDS.search(text):
        return text
    depths = _bracket_depths(text)
    return _THOUSANDS.sub(
        lambda number: (
            number.group().replace(",", "") if (depths[number.start()] > 0) == inside_brackets else number.group()
        ),
        text,
    )


_THOUSANDS = re.compile(r"(?<![\d.,\w])\d{1,3}(?:,\d{3})+(?!\d|,\d)")


_NO_ITEM = re.compile(r",0\d\d|,\d{3}\s*(?:[a-zA-Z(^]|\\(?!(?:word|cup|cap|in|ne|le|ge|to|pm)(?![a-zA-Z]))[a-zA-Z])")


def lists_no_numbers(text: str) -> bool:
    r"""Whether the commas in 12,000 or 12,345\pi can only group digits: no number of a list is written 000."""
    return _NO_ITEM.search(text) is not None


def has_thousands(text: str) -> bool:
    return _THOUSANDS.search(text) is not None


def _bracket_depths(text: str) -> list[int]:
    depths, depth = [], 0
    for position, character in enumerate(text):
        if character in "([" or (character == "{" and text[position - 1 : position] == "\\"):
            depth += 1
        elif character in ")]" or (character == "}" and text[position - 1 : position] == "\\"):
            depth = max(0, depth - 1)
        depths.append(depth)
    return depths


def _single_backslashes(text: str) -> str:
    r"""Undo doubled backslashes (`\\frac`), which JSON or a prompt left behind; row ends of a matrix stay."""
    if "\\\\begin" in text:
        return re.sub(r"\\\\(?=[a-zA-Z{}|,;!])", r"\\", text)
    if "\\begin" in text:
        return text
    return re.sub(r"\\+(?=[a-zA-Z{}])", r"\\", text)


def _respell(name: str) -> str:
    return _SPELLINGS.get(name, "\\" + name)


def _text_content(match: re.Match[str]) -> str:
    """The content of \\text{...}: prose becomes a \\word token, mathematics stays mathematics."""
    content = match.group(1)
    bare = content.strip(" .,:;*'\"\n")
    if not bare or bare in ("e", "i", "d", "x") or _LETTERS.fullmatch(bare) or _MATHEMATICS.search(content):
        return f" {content} "
    return "".join(
        rf" \word{{{piece}}} " if piece[:1].isalpha() else piece
        for piece in re.split(r"([a-zA-Z]+(?:'[a-z]+)?)", content)
    )


_WORD = re.compile(r"\\(?:word|unit)\{([^{}]*)\}")


def in_plain_words(cleaned: str) -> str:
    """A cleaned text with its words as words again, single spaces between them."""
    return re.sub(r"\s+", " ", _WORD.sub(r" \1 ", cleaned)).strip()


def plain_form(text: str) -> str:
    """What remains of a text when only its letters, digits and operators count: equal forms, equal answers."""
    text = clean(text)
    text = _WORD.sub(r"\1", text)
    return re.sub(r"[\s{}\\]+", "", text)


def words_form(text: str) -> str:
    """A prose answer for comparison: lower case, letters and digits only, without articles.

    A formula that could not be read is no prose: all its symbols count.
    """
    return form_of_words(clean(text))


def form_of_words(cleaned: str) -> str:
    """`words_form` of a text that is cleaned already."""
    text = _WORD.sub(r" \1 ", cleaned)
    if _SYMBOLS.search(text):
        return re.sub(r"\s+", "", text)
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
    return " ".join(word for word in words if word not in _ARTICLES)


_SYMBOLS = re.compile(r"\\[a-zA-Z]|!!|[=<>^_+*/|\[\]]")
_ARTICLES = frozenset({"the", "a", "an"})


# -- what typesetting says, before spaces and fonts are dropped -------------------------------------------------------
_TEXT = r"\\(?:text|mathrm|textrm|mbox)\s*\{[\s~]*"
_NOT = re.compile(r"\\not\s*(=|\\(?:in|equiv)(?![a-zA-Z]))")
_NEGATED = {"=": r"\ne ", r"\in": r"\notin ", r"\equiv": r"\ne "}
_CLOCK_IN_TEXT = re.compile(rf"(?<=\d)[\s~]*{_TEXT}([ap])\.?\s?m\.?\s*\}}\.?", re.IGNORECASE)
_COLON = re.compile(r"(?<=\d)\s*\\text\s*\{:\}\s*(?=\d)")
_BAR = r"(?:\\[rl]?vert(?![a-zA-Z])|\||\\mid(?![a-zA-Z]))"
_SUCH_THAT = re.compile(rf"\\left\s?\.([^|]{{1,80}}?)\\right\s?{_BAR}|\\left\s?{_BAR}([^|]{{1,300}}?)\\right\s?\.")
_BOLD_SET = re.compile(r"(?:\\(?:mathbf|boldsymbol|bm)|(?<=\\in)\s?\\mathrm|(?<=\\in )\\mathrm)\s*\{\s*([RZNQ])\s*\}")
_QUAD = re.compile(r"\\q?quad(?![a-zA-Z])")
_VECTOR = r"\\(?:vec|overrightarrow|mathbf|bm|boldsymbol)(?![a-zA-Z])"
_RAY = re.compile(r"\\(?:vec|overrightarrow)\s*\{\s*([A-Z])\s*([A-Z])\s*\}")
_CROSS = re.compile(rf"({_VECTOR}\s*(?:\{{[^{{}}]{{1,20}}\}}|[a-zA-Z])\s*)\\times(?=\s*{_VECTOR})")
_SYSTEM = re.compile(r"\\left\s?\\\{\s*\\begin\s?\{(?:array|aligned|matrix)\}")
_SYSTEM_END = re.compile(r"\\end\s?\{(?:array|aligned|matrix)\}\s*\\right\s?\.")
_NORM = re.compile(r"\\\|([^|]{1,200}?)\\\|")
_MAPS = re.compile(r"([a-zA-Z])\s*(?::|\\colon)\s*([a-zA-Z])\s*\\mapsto(?![a-zA-Z])")
_CURRENCY = re.compile(r"^\s*(?:\\text\s*\{\s*)?(USD|US\$|Rs\.?|INR|EUR|GBP)\s*\}?\s*(?=\d)")
_CURRENCIES = {"U": r"\dollar ", "R": r"\rupee ", "I": r"\rupee ", "E": r"\euro ", "G": r"\pound "}
_ABBREVIATION = re.compile(r"\b(sq|cu|ft|in|yd|hr|min|sec|no|approx)\.(?=\s+[a-z])")
_ROW_END = re.compile(r"\\\\(?=\s*[a-zA-Z](?:_\{?\w{1,3}\}?)?\s*=)")


def _meaningful(text: str) -> str:
    """`text` with what its typesetting says spelled out: clock times, bars, vectors, gaps between equations."""
    for marks, pattern, written in _REWRITES:
        for mark in marks:
            if mark in text:
                text = pattern.sub(written, text)
                break
    if "quad" in text:
        pieces = _QUAD.split(text)
        text = (" , " if all("=" in piece for piece in pieces) else " ").join(pieces)
    return text


_IN_TEXT = (r"\text", r"\mathrm", r"\mbox")
_REWRITES: tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    ((r"\left",), _SYSTEM, r"\\begin{cases}"),
    ((r"\begin{cases}",), _SYSTEM_END, r"\\end{cases}"),
    ((r"\|",), _NORM, r"\\lvert \1 \\rvert "),
    ((r"\mapsto",), _MAPS, r"\1(\2) = "),
    ((r"\not",), _NOT, lambda match: _NEGATED[match.group(1)]),
    ((r"\left",), _SUCH_THAT, lambda match: rf"{match[1]} \mid " if match[1] else rf"\mid {match[2]}"),
    (_IN_TEXT, _COLON, ":"),
    (_IN_TEXT, _CLOCK_IN_TEXT, r" \\word{\1m}"),
    (_IN_TEXT, _ABBREVIATION, r"\1"),
    ((r"\math", r"\b"), _BOLD_SET, r"\\mathbb{\1}"),
    ((r"\vec", r"\overrightarrow"), _RAY, r"\\ray{\1\2}"),
    ((r"\times",), _CROSS, r"\1\\cross "),
)
"""(what a text must hold, pattern, what is written instead), in this order."""


def _currency_first(text: str) -> str:
    """`USD 20`, `Rs. 500`"""
    return _CURRENCY.sub(lambda match: _CURRENCIES[match[1][0]], text)


def _separate_rows(text: str) -> str:
    r"""`a = 3 \\ b = 4` outside an environment: the row end separates, and is no doubled backslash."""
    return text if r"\begin" in text else _ROW_END.sub(" , ", text)
