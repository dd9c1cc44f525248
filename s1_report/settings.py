"""What a results file says a run was: who answered, with which options, on which rows.

Nothing is left out because it is not known here: every model arg and generation option goes into one of the fields of
a record, unless it is known to leave the tokens alone (`s1_contract.options.SAME_TOKENS`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from s1_contract.options import ALIASES, BUDGET_OPTIONS, NUM_WAITS, PROMPT_OPTIONS, SAME_TOKENS
from s1_contract.places import FACTS
from s1_report.dates import undated
from s1_report.logs import arguments
from s1_report.record import digest

MODEL_NAMES = ("peft", "delta", "pretrained", "model", "path")
"""Model args that name the model, as lm_eval ranks them. Where there is none it makes a name up, always the same."""
SERVER = "base_url"
REPEATS = ("do_sample", "repeats", "n", "seed")
"""Generation options that show in the data (repeats), follow from others (do_sample), or may differ (seed)."""
HARDWARE = re.compile(r"\s*(Model name|GPU \d+|OS|Python version|PyTorch version):")
VERSIONS = ("lm_eval_version", "transformers_version", "git_hash")


def settings_of(results: Mapping[str, Any], task: str, date: str) -> dict[str, Any]:
    """The fields of a `RunRecord` that the results file knows. Raises KeyError, TypeError or AttributeError."""
    config, run = results["configs"][task], results.get("config") or {}
    facts = {**(results.get(FACTS) or {}), **(run.get(FACTS) or {})}
    model_args = arguments(run.get("model_args"))
    generation = {**(config.get("generation_kwargs") or {}), **arguments(run.get("gen_kwargs"))}
    options = {ALIASES.get(name, name): value for name, value in {**model_args, **generation}.items()}
    told = {name: value for name, value in options.items() if value is not None}
    engine = str(run.get("model") or "")
    budget = {name: told[name] for name in BUDGET_OPTIONS if name in told}
    if engine.startswith("s1_"):
        budget.setdefault(NUM_WAITS, 0)
    named = {*BUDGET_OPTIONS, *PROMPT_OPTIONS, *ALIASES}
    counts = (results.get("n-samples") or {}).get(task) or {}
    resolved = (facts.get("tasks") or {}).get(task) or {}
    model = _model(results, model_args, facts, engine)
    return {
        "kind": "measured",
        "model": model,
        "task": task,
        "task_version": str((results.get("versions") or {}).get(task, "")),
        "engine": engine,
        "budget": budget,
        "prompting": {name: told[name] for name in PROMPT_OPTIONS if name in told},
        "sampling": {
            name: value
            for name, value in generation.items()
            if name not in named and name not in REPEATS and value is not None
        },
        "model_args": {
            name: value
            for name, value in model_args.items()
            if name not in {*named, *SAME_TOKENS, *REPEATS}
            and value is not None
            and not (name in MODEL_NAMES and str(value) == model)
        },
        "identity": _identity(facts, model_args),
        "resolved": _resolved(facts, resolved),
        "rows": dict((facts.get("rows") or {}).get(task) or {}),
        "asked": counts.get("effective"),
        "available": counts.get("original"),
        "template": _template(results, options, config),
        "environment": {**_environment(results, model_args, facts, date), "seed": options.get("seed")},
    }


def _model(results: Mapping[str, Any], model_args: Mapping[str, Any], facts: Mapping[str, Any], engine: str) -> str:
    """The model's name. lm_eval's own is used only when an argument gave it: else it is made up."""
    given = next((model_args[name] for name in MODEL_NAMES if model_args.get(name)), None)
    if given is not None:
        return str(results.get("model_name") or given)
    known = facts.get("model") or (facts.get("identity") or {}).get("model")
    if known:
        return str(known)
    if model_args.get(SERVER):
        return f"{engine} at {model_args[SERVER]}"
    return engine or str(results.get("model_name") or "unknown")


def _identity(facts: Mapping[str, Any], model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Who answered: what the engine found out, else the server that was asked."""
    found = dict(facts.get("identity") or {})
    if not found and model_args.get(SERVER):
        found = {SERVER: model_args[SERVER]}
    return found


def _resolved(facts: Mapping[str, Any], of_task: Mapping[str, Any]) -> dict[str, Any]:
    """What became of the options; the texts around the question as hashes."""
    around = of_task.get("around")
    kept = {name: value for name, value in of_task.items() if name != "around"}
    if isinstance(around, Mapping):
        kept["around"] = {name: digest([undated(str(text))]) for name, text in around.items()}
    return {**{name: facts[name] for name in ("dtype", "context_window") if facts.get(name) is not None}, **kept}


def around_question(results: Mapping[str, Any], task: str) -> Mapping[str, str]:
    """The texts that were put before and after lm_eval's prompt, where the results file tells them."""
    facts = (results.get("config") or {}).get(FACTS) or {}
    around = ((facts.get("tasks") or {}).get(task) or {}).get("around")
    return around if isinstance(around, Mapping) else {}


def _template(results: Mapping[str, Any], options: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    parts = [str(results.get(name)) for name in ("chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")]
    parts += [f"{name}={options[name]}" for name in PROMPT_OPTIONS if name in options]
    return digest([*parts, str(config.get("num_fewshot"))])


def _environment(
    results: Mapping[str, Any], model_args: Mapping[str, Any], facts: Mapping[str, Any], date: str
) -> dict[str, Any]:
    run = results.get("config") or {}
    report = facts.get("contamination_report")
    return {
        "date": date,
        **{name: results[name] for name in VERSIONS if results.get(name)},
        **({"contamination_report": report} if report else {}),
        **({"versions": facts["versions"]} if facts.get("versions") else {}),
        "model_args": dict(model_args),
        "model_sha": run.get("model_sha") or "",
        "limit": run.get("limit"),
        "seconds": results.get("total_evaluation_time_seconds"),
        "hardware": [
            line.strip() for line in str(results.get("pretty_env_info") or "").splitlines() if HARDWARE.match(line)
        ],
    }
