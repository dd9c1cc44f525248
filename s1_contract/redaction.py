"""Keys and passwords out of what is printed or written: one place for the console, results files and records.

Two ways to know a secret: by the name it is given under (`header`, `api_key`, ...) or by its look (`user:password@`,
`Bearer ...`, `sk-...`); and whoever sends one `remember`s it, so that a server that repeats it is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
"""What stands in place of a secret."""

_SECRET_NAME = re.compile(
    r"(?i)^(?:headers?|.*(?:api[-_ ]?key|auth[-_ ]?token|access[-_ ]?token|bearer[-_ ]?token|hf[-_ ]?token"
    r"|authori[sz]ation|passw(?:or)?d|secret|credential|private[-_ ]?key|cookie).*|token|key|auth)$"
)
_USERINFO = re.compile(r"(?<=://)[^\s/@'\"<>?#]+(?=@)")
_LOOKS_SECRET = re.compile(
    r"(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}|(?i:\bbasic\s+)[A-Za-z0-9+/]{12,}=*"
    r"|\b(?:sk|xai|gsk)[-_][A-Za-z0-9_-]{16,}|\b(?:hf|ghp)_[A-Za-z0-9]{20,}|\bAIza[A-Za-z0-9_-]{30,}"
)
# header={...}, api_key=... inside one text, such as lm_eval's model_args or a URL's query.
_NAMED_IN_TEXT = re.compile(
    r"(?i)(?P<name>[\"']?\b(?:headers?|[\w-]*(?:api[-_]?key|auth[-_]?token|access[-_]?token|authori[sz]ation|password"
    r"|secret)[\w-]*)[\"']?\s*[=:]\s*)(?P<value>\{[^{}]*\}|\"[^\"]*\"|'[^']*'|[^\s,;&'\"{}()\[\]]+)"
)
_SHORTEST_REMEMBERED = 6
_remembered: set[str] = set()


def remember(secret: str) -> None:
    """Hides this text wherever it comes up from now on. Shorter ones than 6 characters are too common to be hidden."""
    if len(secret) >= _SHORTEST_REMEMBERED:
        _remembered.add(secret)


def is_secret_name(name: object) -> bool:
    """Whether what is given under this name is kept to oneself."""
    return bool(_SECRET_NAME.match(str(name)))


def redact(value: Any) -> Any:
    """The same value without secrets: texts, and mappings and sequences of them at any depth. Nothing is changed."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {name: _hide(one) if is_secret_name(name) else redact(one) for name, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(redact(one) for one in value)
    return value


def redact_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """lm_eval's results without the secrets among the model's arguments, wherever it repeats them."""
    clean = dict(results)
    if "config" in results:
        clean["config"] = redact(results["config"])
    if isinstance(results.get("configs"), Mapping):
        clean["configs"] = {
            task: {**config, "metadata": redact(config["metadata"])}
            if isinstance(config, Mapping) and "metadata" in config
            else config
            for task, config in results["configs"].items()
        }
    return clean


def redact_text(text: str) -> str:
    """The text with every secret that can be known replaced by ***."""
    for secret in sorted(_remembered, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    text = _USERINFO.sub(HIDDEN, text)
    text = _LOOKS_SECRET.sub(HIDDEN, text)
    return _NAMED_IN_TEXT.sub(lambda found: f"{found['name']}{HIDDEN}", text)


def _hide(value: Any) -> Any:
    """Names of headers stay, their values do not; what is not there, or only switches something, hides nothing."""
    if value is None or isinstance(value, bool) or value in ("", HIDDEN):
        return value
    if isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    return HIDDEN
