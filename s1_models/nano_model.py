"""The embedded model by its name: `pretrained=nano` works wherever the package is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NANO = "nano"
_PLACES = (
    Path(__file__).parent / "nano",  # in the wheel
    Path(__file__).parents[1] / "training" / "nano" / "checkpoints" / "tuned",  # in a checkout
)


def find_model(pretrained: Any) -> Any:
    """The folder of the embedded model for its name; any other name, and a folder called so, as it is."""
    if pretrained != NANO or Path(NANO, "config.json").exists():
        return pretrained
    return next((str(place) for place in _PLACES if (place / "config.json").exists()), pretrained)
