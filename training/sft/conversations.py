"""Chats as people publish them -> what comes before the model's turn, its thinking and its answer.

| columns | what they hold |
| --- | --- |
| `messages` | role, content; thinking in `reasoning_content`, `reasoning`, `thinking` or tags in the content |
| `conversations` | ShareGPT: from (human, gpt, system) and value |
| `prompt`, `completion` | texts, or lists of messages |

The last turn of the assistant is trained; what comes before it is read. Thinking in tags of any family that
`s1_contract.thinking` knows is taken out of them, so that no tag stands twice in what is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s1_contract.thinking import ANSWERS, FAMILIES

SHAPES = (("messages",), ("conversations",), ("prompt", "completion"))
Message = dict[str, str]
_REASONING = ("reasoning_content", "reasoning", "thinking")
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant"}
_ROLES |= {"chatgpt": "assistant", "system": "system", "bot": "assistant"}


@dataclass(frozen=True)
class Turn:
    """before: messages up to the model's turn, the last one the user's. untagged: tags of the thinking were removed."""

    before: list[Message]
    thinking: str
    answer: str
    untagged: bool = False


def turn_of(row: Mapping[str, Any], shape: tuple[str, ...]) -> Turn:
    """The last turn of the assistant in a row of one of the `SHAPES`. Raises ValueError that says what is missing."""
    if shape == ("prompt", "completion"):
        messages = [*_messages(row["prompt"], "user"), *_messages(row["completion"], "assistant")]
    else:
        messages = _messages(row[shape[0]], "")
    *before, last = _up_to_the_answer(messages)
    thinking, answer, tagged = separated(last["content"])
    given = next((last[name] for name in _REASONING if last.get(name)), None)
    if given is not None:
        thinking, untagged = without_tags(given)
        return Turn(_plain(before), thinking, answer, untagged or tagged)
    if not tagged:
        raise ValueError(
            "the assistant's last turn holds no thinking: neither reasoning_content beside its content nor tags in it, "
            f"such as {FAMILIES[1].start}...{FAMILIES[1].end}"
        )
    return Turn(_plain(before), thinking, answer, untagged=True)


def _up_to_the_answer(messages: list[Message]) -> list[Message]:
    """The messages up to the assistant's last turn, which has to follow one of the user."""
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    if len(messages) < 2 or messages[-2]["role"] != "user":
        roles = ", ".join(one["role"] for one in messages) or "none"
        raise ValueError(f"it holds no question with an answer after it (roles up to the answer: {roles})")
    return messages


def separated(text: str) -> tuple[str, str, bool]:
    """Thinking and answer of one text, and whether tags divided them; without tags all of it is the answer."""
    for family in FAMILIES:
        begun = text.lstrip().startswith(family.start)
        thinking, ended, answer = text.partition(family.end)
        if ended and (begun or family.start not in text):
            return thinking.strip().removeprefix(family.start).strip(), _without_answer_tags(answer), True
    return "", _without_answer_tags(text), False


def without_tags(thinking: str) -> tuple[str, bool]:
    """Thinking without a pair of tags around all of it, or a lonely one at an end; and whether there was any."""
    text = thinking.strip()
    for family in FAMILIES:
        inner = text.removeprefix(family.start).removesuffix(family.end)
        if inner != text:
            return inner.strip(), True
    return thinking, False


def tag_inside(text: str) -> str | None:
    """A delimiter of any family that stands in a text; trained, it would end or open thinking in the middle of it."""
    return next((tag for family in FAMILIES for tag in family if tag in text), None)


def _without_answer_tags(answer: str) -> str:
    text = answer.strip()
    for pair in ANSWERS:
        text = text.removeprefix(pair.start).removesuffix(pair.end).strip()
    return text


def _messages(given: Any, role: str) -> list[dict[str, str]]:
    """Messages with role, content and, where there is any, reasoning. role: of a text that is no list of messages."""
    if isinstance(given, str):
        return [{"role": role or "user", "content": given}]
    if not isinstance(given, Sequence) or not all(isinstance(one, Mapping) for one in given):
        raise ValueError(f"expected a list of messages, got {str(given)[:60]!r}")
    return [_message(one, role) for one in given]


def _message(one: Mapping[str, Any], role: str) -> Message:
    """One message with our names; ShareGPT calls role and content `from` and `value`."""
    speaker = str(one.get("role") or one.get("from") or role)
    content = one.get("content", one.get("value"))
    if speaker not in _ROLES or not isinstance(content, str):
        shown = str(dict(one))[:80]
        raise ValueError(f"a message is {shown!r}; expected a role of user, assistant or system, and text")
    reasoning = {name: one[name] for name in _REASONING if isinstance(one.get(name), str) and one[name].strip()}
    return {"role": _ROLES[speaker], "content": content, **reasoning}


def _plain(messages: Sequence[Mapping[str, str]]) -> list[Message]:
    """Messages that were before: role and content; earlier thinking is not repeated, as no family repeats it."""
    return [
        {"role": one["role"], "content": separated(one["content"])[1] if one["role"] == "assistant" else one["content"]}
        for one in messages
    ]
