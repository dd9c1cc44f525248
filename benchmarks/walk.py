r"""How far does one answer walk through the house? Calls, modules of ours, and switches between modules of one verdict.

    python -m benchmarks.walk ['\boxed{\frac{3}{4}}' '\frac34']

The verdict is asked for once before, with another answer, so that what is built once per process does not count; what
is remembered per text is forgotten again. A switch is a call in another module than the call before it. Each line of
the output is JSON.
"""

import itertools
import json
import sys
from collections import Counter
from functools import _lru_cache_wrapper
from pathlib import Path
from types import FrameType, ModuleType

HOUSE = f"{Path(__file__).parents[1]}/s1_tasks/answers/"
CASES = ((r"\boxed{\frac{3}{4}}", r"\frac34"), ("Final Answer: 751", "751"))


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("s1_tasks.answers") and isinstance(module, ModuleType):
            for value in list(vars(module).values()):
                if isinstance(value, _lru_cache_wrapper):
                    value.cache_clear()


def walk(text: str, reference: str) -> dict[str, object]:
    """Calls, modules, switches and parses of judging `text` against `reference`."""
    from s1_tasks.answers import judge

    judge(r"\boxed{\frac{5}{7}}", r"\frac57")
    _forget()
    path: list[str] = []
    parses = 0

    def watch(frame: FrameType, event: str, argument: object) -> None:
        nonlocal parses
        if event == "call" and frame.f_code.co_filename.startswith(HOUSE):
            path.append(frame.f_code.co_filename.removeprefix(HOUSE))
            parses += frame.f_code.co_name == "parse"

    sys.setprofile(watch)
    try:
        verdict = judge(text, reference)
    finally:
        sys.setprofile(None)
    return {
        "text": text,
        "reference": reference,
        "outcome": verdict.outcome.value,
        "calls": len(path),
        "modules": len(set(path)),
        "switches": sum(first != second for first, second in itertools.pairwise(path)),
        "parses": parses,
        "calls_by_module": dict(Counter(path).most_common()),
    }


def main() -> None:
    cases = [tuple(sys.argv[1:3])] if len(sys.argv) > 2 else CASES
    for text, reference in cases:
        print(json.dumps(walk(text, reference)))


if __name__ == "__main__":
    main()
