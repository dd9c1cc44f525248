"""Stage 6, domain: what each question is about, one subject of the Mathematics Subject Classification, by a model.

The list is the MSC 2020's top level: it reaches from geometry to biology, so that science questions find a place too.
A reply must end in a code of the list; another one is asked for again, told what was wrong, and after the last attempt
the row is rejected with that reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.curate.chat import Answer, Endpoint, Outcome, Unusable, ask_all
from training.curate.stage import Rejection, Result, Row, reject

SUBJECTS = {
    "00": "General topics", "01": "History and biography", "03": "Mathematical logic", "05": "Combinatorics",
    "06": "Ordered algebraic structures", "08": "General algebraic systems", "11": "Number theory",
    "12": "Field theory and polynomials", "13": "Commutative algebra", "14": "Algebraic geometry",
    "15": "Linear algebra and matrices", "16": "Associative rings", "17": "Nonassociative rings",
    "18": "Category theory", "19": "K-theory", "20": "Group theory", "22": "Topological and Lie groups",
    "26": "Real functions", "28": "Measure and integration", "30": "Functions of a complex variable",
    "31": "Potential theory", "32": "Several complex variables", "33": "Special functions",
    "34": "Ordinary differential equations", "35": "Partial differential equations", "37": "Dynamical systems",
    "39": "Difference and functional equations", "40": "Sequences and series", "41": "Approximation",
    "42": "Fourier analysis", "43": "Abstract harmonic analysis", "44": "Integral transforms",
    "45": "Integral equations", "46": "Functional analysis", "47": "Operator theory",
    "49": "Calculus of variations and optimal control", "51": "Geometry", "52": "Convex and discrete geometry",
    "53": "Differential geometry", "54": "General topology", "55": "Algebraic topology", "57": "Manifolds",
    "58": "Global analysis", "60": "Probability", "62": "Statistics", "65": "Numerical analysis",
    "68": "Computer science", "70": "Mechanics of particles and systems", "74": "Mechanics of solids",
    "76": "Fluid mechanics", "78": "Optics and electromagnetism", "80": "Thermodynamics and heat",
    "81": "Quantum theory", "82": "Statistical mechanics and matter", "83": "Relativity and gravitation",
    "85": "Astronomy and astrophysics", "86": "Geophysics", "90": "Operations research",
    "91": "Games, economics and social sciences", "92": "Biology, chemistry and other natural sciences",
    "93": "Systems and control", "94": "Information and circuits", "97": "Mathematics education",
}  # fmt: skip
"""Two-digit codes and short titles."""

RUBRIC = (
    "You sort exam questions into subjects. Choose the one subject of this list whose methods a solver of the question "
    "needs most; the topic of the story around it does not matter. Questions from the sciences belong to the subject "
    "of their field, language and logic puzzles to 03, programming to 68.\n\n"
    + "\n".join(f"{code} {title}" for code, title in SUBJECTS.items())
    + "\n\nSay in one or two sentences why. End with a line that holds the two-digit code and nothing else."
)
_CODE = re.compile(r"\W*(?:code|msc)?\W*(\d\d)\W*", re.IGNORECASE)


def read_code(text: str) -> str:
    """The code on the last line of a reply. Raises Unusable when there is none of the list."""
    lines = [line for line in text.splitlines() if line.strip()]
    found = _CODE.fullmatch(lines[-1]) if lines else None
    if found is None:
        last = lines[-1][:80] if lines else ""
        raise Unusable(f"no code on the last line: {last!r}", "End with a line that holds a two-digit code only.")
    if found[1] not in SUBJECTS:
        raise Unusable(f"{found[1]} is no subject of the list", f"{found[1]} is not on the list; choose one that is.")
    return found[1]


def read_domain(answer: Answer) -> dict[str, Any]:
    code = read_code(answer.text)
    return {"domain": SUBJECTS[code], "domain_code": code}


def classify(rows: Sequence[Row], model: Endpoint | None, journal: Path) -> Result:
    """Rows with `domain` and `domain_code`; rows that bring a domain keep it, those that get none are rejected."""
    missing = [row for row in rows if not row.get("domain")]
    outcomes: dict[str, Outcome] = {}
    figures: dict[str, Any] = {"given": len(rows) - len(missing)}
    if model is not None and missing:
        system = {"role": "system", "content": RUBRIC}
        questions = {row["id"]: [system, {"role": "user", "content": row["question"]}] for row in missing}
        outcomes, usage = ask_all(model, questions, read_domain, journal, "Domain")
        figures |= {"model": model.model, **vars(usage)}
    kept: list[Row] = []
    rejected: list[Rejection] = []
    for row in rows:
        if row.get("domain"):
            kept.append(row)
            continue
        outcome = outcomes.get(row["id"])
        if outcome is not None and outcome.value is not None:
            kept.append({**row, **outcome.value})
        else:
            error = outcome.error if outcome is not None else "no model is configured"
            rejected.append(reject(row, "no domain", error or ""))
    return Result(kept, rejected, figures)
