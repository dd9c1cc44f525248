"""`s1-eval policies`: every way of spending thinking tokens that is installed, with its options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields

from rich.console import Console
from rich.table import Table

from s1_contract.errors import S1Error
from s1_models.policies.methods import DEFAULT, Method, methods

_HELP = """\
Lists the policies: the ways to spend thinking tokens within a budget.
Choose one with --model_args policy=NAME,OPTION=VALUE,
in --gen_kwargs, or in a task's generation_kwargs.

  s1-eval policies                 all of them, one line each
  s1-eval policies converge        one of them, with its options

Your own package can add one through the entry-point group s1.policies: docs/policies.md.
"""


def main(arguments: Sequence[str]) -> int:
    """Prints the list, or one policy. Returns the exit status: 2 for a policy that is not there."""
    parser = argparse.ArgumentParser(
        "s1-eval policies", description=_HELP, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", nargs="?", help="show this policy with its options")
    name = parser.parse_args(arguments).name
    console = Console(highlight=False)
    try:
        known = methods()
    except S1Error as error:
        console.print(f"error: {error}", markup=False)
        return 2
    if name is None:
        console.print(_list(known.items()))
        return 0
    if name not in known:
        console.print(f"error: no policy is called {name}: there are {', '.join(known)}", markup=False)
        return 2
    _show(console, name, known[name])
    return 0


def _list(known: object) -> Table:
    table = Table("name", "what it does", "options", "paper", box=None, pad_edge=False)
    for name, method in dict(known).items():  # type: ignore[call-overload]
        options = ", ".join(one.name for one in fields(method.options))
        table.add_row(f"{name} (default)" if name == DEFAULT else name, method.summary, options, method.paper)
    return table


def _show(console: Console, name: str, method: Method) -> None:
    console.print(f"policy={name}: {method.summary}", markup=False)
    if method.paper:
        console.print(method.paper, markup=False)
    table = Table("option", "default", "meaning", box=None, pad_edge=False)
    for one in fields(method.options):
        table.add_row(one.name, repr(one.default), str(one.metadata.get("help", "")))
    if table.row_count:
        console.print(table)
