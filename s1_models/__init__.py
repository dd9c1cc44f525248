"""How long a model thinks: budget forcing for lm-evaluation-harness (s1, arXiv 2501.19393, section 3).

Start with `s1_models.forcing`: its docstring is the whole idea as a transition table. Five files stand at the front
door: forcing, driver, formats, options, trace; the rooms behind it say what they are in their `__init__`. Names are
loaded when they are first used: the start-up bridge imports this package whenever lm_eval is imported.
"""

_ROOMS = {
    "Budget": "forcing",
    "BudgetError": "forcing",
    "BudgetForcing": "forcing",
    "Marks": "forcing",
    "S1Error": "forcing",
    "Format": "formats",
    "FormatError": "formats",
    "S1": "formats",
    "Policies": "policies.choose",
    "Rejection": "policies.rejection",
    "RejectionSampling": "policies.rejection",
    "run": "driver",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
