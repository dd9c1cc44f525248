"""A real model of which only its own writing says that it thinks, on a real engine."""

import json
import shutil
from pathlib import Path

import pytest

from s1_models.formats import NO_THINKING, S1, detect
from s1_models.options import OptionError

CHECKPOINTS = Path(__file__).parents[2] / "training/nano/checkpoints"


def undeclared(folder: Path, checkpoint: str) -> Path:
    """A copy of an embedded checkpoint as version 0.1.0 wrote it: nothing says how it thinks."""
    place = folder / checkpoint
    shutil.copytree(CHECKPOINTS / checkpoint, place)
    path = place / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["thinking_format"]
    path.write_text(json.dumps(config))
    return place


def test_an_undeclared_model_that_opens_its_thinking_is_s1_and_is_asked_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from s1_models.engines.hf.lm import S1HF

    lm = S1HF(pretrained=str(undeclared(tmp_path, "tuned")))
    assert detect(lm.tokenizer, str(tmp_path)).form == NO_THINKING, "its files say nothing"
    with caplog.at_level("INFO"):
        first, second = lm.asked_with({"num_waits": 1}), lm.asked_with({"num_waits": 2})
        assert first.detected_format() == second.detected_format() == S1
    said = [record.message for record in caplog.records if "thinking format s1" in record.message]
    assert len(said) == 1
    assert "asked a question, the model began with <|im_start|>think" in said[0]


def test_a_model_that_opens_nothing_does_not_think(tmp_path: Path) -> None:
    import torch
    from lm_eval.api.instance import Instance

    from s1_models.engines.hf.lm import S1HF

    lm = S1HF(pretrained=str(undeclared(tmp_path, "tuned")))
    with torch.no_grad():  # a model of the same vocabulary that never says "think"
        lm.model.get_output_embeddings().weight = torch.nn.Parameter(torch.zeros(lm.model.config.vocab_size, 128))
    request = Instance("generate_until", {}, ("750 12", {"until": [], "num_waits": 1}), 0, ("task", 0, 1))
    with pytest.raises(OptionError, match=r"num_waits=1 can have no effect: no sign was found"):
        lm.generate_until([request], disable_tqdm=True)
