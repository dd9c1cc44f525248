"""Whole numbers in English words: "two", "forty-two", "one hundred and five"."""

_ONES = str.split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = str.split("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL = {word: value for value, word in enumerate(_ONES)} | {word: 10 * value for value, word in enumerate(_TENS, 2)}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
MAX_WORDS = 20


def number_in_words(words: list[str]) -> int | None:
    """The number that lower-case words spell, or None; "two three" and "hundred hundred" spell none."""
    if len(words) > 1 and words[0] in ("minus", "negative"):
        positive = number_in_words(words[1:])
        return None if positive is None or words[1] in ("minus", "negative") else -positive
    if not words or len(words) > MAX_WORDS or words[0] == "and" or words[-1] == "and":
        return None
    total, group, room, limit = 0, 0, 1000, 10**12
    for word in words:
        if word == "and":
            continue
        if word in _SMALL:
            value = _SMALL[word]
            if value >= room or (value == 0 and len(words) > 1):
                return None
            group += value
            room = 10 if value >= 20 else 1
        elif word == "hundred" and 0 < group < 10:
            group, room = group * 100, 100
        elif word in _LARGE and group and _LARGE[word] < limit:
            limit = _LARGE[word]
            total, group, room = total + group * limit, 0, 1000
        else:
            return None
    return total + group
