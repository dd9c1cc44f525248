"""Evidence for a reader: every candidate of a text with its stance, which won and why, and how it was read."""

from collections.abc import Iterable
from dataclasses import dataclass

from s1_tasks.answers.find.choices import find_choice
from s1_tasks.answers.find.extract import candidates_of
from s1_tasks.answers.find.letters import is_choice
from s1_tasks.answers.find.ranking import STRENGTH, Candidate, best
from s1_tasks.answers.find.thinking import final_part
from s1_tasks.answers.judge import judge
from s1_tasks.answers.read.reading import readings
from s1_tasks.answers.tree.verdict import Kind, Verdict

_NEAR_CHARS = 300
"""An answer is looked for so far before and behind the place of its candidate, which may have moved in preparation."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a verdict came about.

    part: the text behind the thinking, None without one. candidates: in order. winner: one of them, None without one.
    why: why the rule of the winner counts for more. trees: what the answer and the reference can mean, as text.
    """

    part: str | None
    candidates: tuple[Candidate, ...]
    winner: Candidate | None
    why: str
    answer_trees: tuple[str, ...]
    reference_trees: tuple[str, ...]
    verdict: Verdict

    def spans(self) -> list[tuple[str, Candidate | None]]:
        """The part in pieces, each with the candidate whose answer it is; candidates that overlap are left out."""
        part, position, pieces = self.part or "", 0, list[tuple[str, Candidate | None]]()
        for start, candidate in sorted(self._places(part), key=lambda place: place[0]):
            if start >= position:
                pieces += [(part[position:start], None), (part[start : start + len(candidate.answer)], candidate)]
                position = start + len(candidate.answer)
        return [piece for piece in (*pieces, (part[position:], None)) if piece[0]]

    def _places(self, part: str) -> Iterable[tuple[int, Candidate]]:
        for candidate in self.candidates:
            start = part.find(candidate.answer, max(0, candidate.start - 1), candidate.end + _NEAR_CHARS)
            start = start if start >= 0 else part.find(candidate.answer, max(0, candidate.start - _NEAR_CHARS))
            if start >= 0 and candidate.answer:
                yield start, candidate


def explain(text: str, reference: str, *, kind: Kind = "math", question: str | None = None) -> Explanation:
    """Judge `text` and keep everything that led to the verdict. Raises BrokenReference as `judge` does."""
    verdict = judge(text, reference, kind=kind, question=question)
    part = final_part(text)
    letters = kind == "choice" or (kind == "math" and is_choice(reference))
    found = find_choice(part) if part and letters else []
    if part and best(found) is None and kind != "choice":
        found = candidates_of(part, kind, 1)
    winner = best(found)
    return Explanation(
        part,
        tuple(found),
        winner,
        STRENGTH[winner.rule][1] if winner else "",
        tuple(map(written, readings(verdict.answer))) if verdict.answer else (),
        tuple(map(written, readings(reference))),
        verdict,
    )


def written(node: object) -> str:
    """A tree on one line, in the notation of its dataclasses without their field names."""
    if isinstance(node, tuple):
        return f"({', '.join(map(written, node))})"
    fields = getattr(node, "__dataclass_fields__", None)
    if fields is None:
        return str(node)
    values = ", ".join(written(getattr(node, name)) for name, one in fields.items() if one.compare)
    return f"{type(node).__name__}({values})"
