"""Announcements of an answer in other languages, put into the English that the rules of `announcements` read."""

import re

# The words for "(correct) answer" or "option" with what stands between them and the answer. Western languages need a
# verb or a colon after the noun; in the others the answer often follows at once.
_WITH_VERB = {
    "Spanish, Portuguese, French, Italian": (
        r"(?:respuestas?|resposta|réponse|risposta|alternativa|opción|opção|resultado|résultat|risultato)",
        r"(?:es|é|est|è|son|sono|sont)",
    ),
    "German, Dutch": (r"(?:antwort|lösung|antwoord|ergebnis)", r"(?:ist|lautet|is)"),
    "Vietnamese, Indonesian": (r"(?:đáp án|câu trả lời|jawaban(?:nya)?)", r"(?:là|adalah)"),
    "Russian, Ukrainian": (r"(?:ответ|відповідь)", r"(?:равен|это|є|—)"),
    "Arabic, Persian": (r"(?:الإجابة|الجواب|پاسخ)", r"(?:هي|هو|است)"),
}
_AT_ONCE = (
    r"(?:ist|es|est|é|è)\s(?:die|la|a|le)\s(?:antwort|lösung|respuesta|réponse|resposta|risposta)|(?:的)?值(?:为|是|は)|"
    r"结果(?:为|是)|应该?(?:是|为)|求める値は|【答案】|(?:答案|正解|答え|解答|正确的?选项)(?:应该|应)?(?:是|为|は)?|(?:答案)?(?:应该|应当|应|故|因此|所以)*选择?(?:为|是)?|"
    r"(?:정답|답)(?:은|는)?|(?:सही\s)?उत्तर(?:\sहै)?"
)
_ARTICLE = (
    r"(?:(?:also|dunque|donc|entonces|então)\s)?(?:(?:la|le|a|o|die|el)\s)?"
    r"(?:(?:opción|option|opção|letra|lettera|lettre|alternativa)\s)?"
)
_NO = r"(?:no|não|non|ne|nicht|kein|niet|не|không|bukan|ليس|ليست|نیست)\b"
_DENIED = rf"(?![^.!?\n。।]{{0,60}}?(?:\b{_NO}|\bpas\b|아니|아닙|नहीं|ではな|じゃな|不是|并非))"
_VERBAL = "|".join(
    rf"{noun}(?:\s(?!{_NO})\w{{1,14}}){{0,2}}?\s?(?:{verb}\s|[:：]\s?)" for noun, verb in _WITH_VERB.values()
)
_ANNOUNCES = re.compile(
    rf"(?:(?<!\w)(?:{_VERBAL}){_ARTICLE}|(?:{_AT_ONCE})[ \t]*[:：]?[ \t]*(?=[\dA-JＡ-Ｊ$\\(*-])){_DENIED}",
    re.IGNORECASE,
)
_STEMS = (
    "respuesta", "resposta", "réponse", "risposta", "alternativa", "opción", "opção", "antwo", "lösung", "đáp án",
    "câu trả lời", "resultado", "résultat", "risultato", "ergebnis", "值", "结果", "应", "jawaban", "ответ",
    "відповідь",
    "الإجابة", "الجواب", "پاسخ", "答", "正解", "选", "답", "उत्तर",
)  # fmt: skip
"""Looked for first, because that is fast."""
_ENDING = re.compile(
    r"(?<=[\dA-J$)*}])[ \t]*[\u0900-\u097f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{1,6}(?=[.。।!\s]|$)"
)
"""The copula or unit behind an answer: です, 입니다, है, 元."""


def in_english(part: str) -> str:
    """`part` with "La respuesta es", "答案是" and their like as "The answer is"."""
    lowered = part.lower()
    if not any(stem in lowered for stem in _STEMS):
        return part
    announced, count = _ANNOUNCES.subn(" The answer is ", part)
    return _ENDING.sub(" ", announced).replace("。", ". ").replace("।", ". ") if count else part
