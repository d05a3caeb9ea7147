"""Augmentation at the limits of what it can do."""

import layouts
import more_layouts
import numpy as np
import pytest
import torch
from trainings import plain_config, trainer_of, write

from compat import nussl
from config.data import Augment
from dataset import StemFolder
from errors import UserError
from training.loading import Excerpts

PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
LENGTH = 4000


@pytest.mark.parametrize(("rate", "lowest"), [(8000, 8), (16000, 8), (44100, 32)])
def test_the_lowest_bit_rate_of_mp3_can_be_drawn(tmp_path, rate, lowest):
    rng = np.random.default_rng(0)
    for name in "ab":
        sound = 0.1 * rng.standard_normal((2 * LENGTH, 2))
        layouts.save(tmp_path / name / "x.wav", sound, rate, subtype="FLOAT")
    data = StemFolder(tmp_path, "train", rate, 2, PARAMS)
    plain = Excerpts(data, LENGTH, 0, Augment(gain_db=[0, 0]))[0, 0]["sources"]
    plan = Augment(mp3={"kilobits": [lowest, lowest]})
    coded = Excerpts(data, LENGTH, 0, plan)[0, 0]["sources"]
    assert coded.shape == plain.shape and not torch.allclose(coded, plain, atol=0.01)


def whamr(tmp_path, augment, **args):
    """The config of a training run on WHAMR!."""
    folder = more_layouts.write("WHAMR", tmp_path / "whamr")
    plain = plain_config(tmp_path, folder)
    plain["signal"] = {"sample_rate": 8000}
    component = {"class": "WHAMR", "args": {"folder": str(folder), **args}}
    plain["datasets"] = {"train": {**component, "augment": augment}, "val": component}
    return write(tmp_path / "config.yml", plain)


def test_dry_sources_of_a_mixture_in_a_room_are_not_changed_one_by_one(tmp_path):
    changes = {"incoherent": 0.5, "gain_db": [-3, 3], "silence_db": -60}
    message = "augment: incoherent, gain_db cannot be used, because the mixture files of WHAMR"
    with pytest.raises(UserError, match=message):
        trainer_of(whamr(tmp_path, changes))
    trainer_of(whamr(tmp_path, changes, mixture="sum"))
    trainer_of(whamr(tmp_path, changes, target="reverb"))
    trainer_of(whamr(tmp_path, {"speed": {"factor": [0.9, 1.1]}, "silence_db": -60}))
