"""How long a model thinks: budget forcing for lm-evaluation-harness (s1, arXiv 2501.19393, section 3).

Start with :mod:`s1_models.forcing`: its docstring is the whole idea as a transition table.
Importing this package loads nothing heavy (no torch, vllm, transformers or lm_eval).
"""

from s1_models.forcing import Budget, BudgetError, BudgetForcing, Marks, S1Error
from s1_models.formats import S1, Format, FormatError

__all__ = ["S1", "Budget", "BudgetError", "BudgetForcing", "Format", "FormatError", "Marks", "S1Error"]
