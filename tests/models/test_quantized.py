"""`load_in_4bit` and `load_in_8bit` on whatever transformers is installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from s1_models.options import OptionError

NANO = Path(__file__).parents[2] / "training/nano/checkpoints/tuned"
QUESTIONS = ["750 12", "016 5"]


@pytest.mark.parametrize("bits", [{"load_in_4bit": True, "bnb_4bit_compute_dtype": "float32"}, {"load_in_8bit": True}])
def test_a_model_is_loaded_in_fewer_bits_or_says_what_is_missing(bits: dict[str, object]) -> None:
    from lm_eval.api.instance import Instance

    from s1_models.engines.hf.lm import S1HF

    if find_spec("bitsandbytes") is None:
        with pytest.raises(OptionError, match="pip install bitsandbytes"):
            S1HF(pretrained=str(NANO), **bits)
        return
    lm = S1HF(pretrained=str(NANO), num_waits=1, **bits)
    config = lm.model.config.quantization_config
    assert (config.load_in_4bit, config.load_in_8bit) == ("load_in_4bit" in bits, "load_in_8bit" in bits)
    requests = [
        Instance("generate_until", {}, (text, {"until": []}), number, ("task", number, 1))
        for number, text in enumerate(QUESTIONS)
    ]
    for response in lm.generate_until(requests, disable_tqdm=True):
        assert response.usage["waits_used"] == 1
    assert "load_in" in lm.model_identity()["quantization"]
