"""Model args of a server, read and checked: headers, certificates, patience, what chat templates are told"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

from s1_contract.printing import show
from s1_contract.redaction import remember
from s1_models.engines.openai.patience import Patience
from s1_models.options import OptionError


def read_headers(given: object) -> dict[str, str]:
    """The model arg `header`: a mapping, or the same as JSON text, or `Name: value`. Raises OptionError."""
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except ValueError:
            name, separator, value = str(given).partition(":")
            given = {name.strip(): value.strip()} if separator and "{" not in name else given
    if given in (None, ""):
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(value, str | int) for value in given.values()):
        raise OptionError(
            "the model arg header is not understood (its value is not repeated here): give names and values as JSON, "
            '--model_args \'{"header": {"X-Api-Key": "..."}, ...}\', or one of them as header=Name:value'
        )
    return {str(name): clean_header(f"header {name}", str(value)) for name, value in given.items()}


def clean_header(name: str, value: str) -> str:
    """The value without blanks and newlines around it, remembered as a secret. Raises OptionError for others inside."""
    value = value.strip()
    if not value.isprintable() or not value.isascii():
        raise OptionError(
            f"{show(name)} holds a line break or a character that no HTTP header can hold: set it again, "
            "for instance with export NAME=$(tr -d '\\n' < FILE)"
        )
    remember(value)
    return value


def verification(arguments: Mapping[str, Any]) -> bool | ssl.SSLContext:
    """lm_eval's `verify_certificate` and `ca_cert_path`. Raises OptionError for a file that holds no certificates."""
    certificates = arguments.get("ca_cert_path")
    if certificates:
        try:
            return ssl.create_default_context(cafile=str(certificates))
        except OSError as error:
            raise OptionError(f"ca_cert_path={certificates!s}: no certificates there ({error})") from None
    return str(arguments.get("verify_certificate", True)).lower() != "false"


def read_patience(timeout: Any, max_retries: Any, max_failures: Any, max_downtime: Any) -> Patience:
    """Model args of a server -> what is borne. Raises OptionError for what is no number, or negative."""
    numbers = {"timeout": timeout, "max_retries": max_retries, "max_downtime": max_downtime}
    if max_failures is not None:
        numbers["max_failures"] = max_failures
    for name, value in numbers.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            numbers[name] = -1.0
        if not numbers[name] >= 0 or (name == "timeout" and not numbers[name]):
            raise OptionError(f"{name}={show(value)}: expected a number that is not negative")
    failures = None if max_failures is None else int(numbers["max_failures"])
    return Patience(numbers["timeout"], int(numbers["max_retries"]), failures, numbers["max_downtime"])


def read_template_arguments(given: object) -> dict[str, Any]:
    """The model arg `chat_template_args`: a mapping, or one as JSON text. Raises OptionError."""
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except ValueError:
            given = 0
    if given in (None, ""):
        return {}
    if not isinstance(given, Mapping):
        raise OptionError(
            "chat_template_args: expected names and values as JSON, --model_args "
            '\'{"chat_template_args": {"reasoning_effort": "high"}, ...}\''
        )
    return dict(given)
