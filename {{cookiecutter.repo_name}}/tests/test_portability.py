"""Checkpoints made here separate in nussl, in a process that knows nothing of this project."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trainings import fit

PROJECT = Path(__file__).parents[1]
SEPARATE = """
import json, sys
import numpy as np
from compat import nussl
{extras}
rng = np.random.default_rng(0)
signal = nussl.AudioSignal(
    audio_data_array=0.1 * rng.standard_normal((1, 8000)).astype(np.float32), sample_rate=16000)
for model, algorithm, arguments, out in json.loads(sys.argv[1]):
    estimates = getattr(nussl.separation.deep, algorithm)(signal, *arguments, model)()
    np.save(out, np.stack([e.audio_data for e in estimates]))
    allowed = set({allowed!r})
    ours = {ours!r}
    loaded = [name for name in sys.modules if name.split(".")[0] in ours and name not in allowed]
    assert loaded == [], (model, loaded)
"""
OURS = ("model", "training", "algorithms", "experiment", "dataset", "config", "checkpoints")
MASKS, AUDIO = ("DeepMaskEstimation", []), ("DeepAudioEstimation", [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "builders, extras",
    [
        (
            {"deep_clustering": ("DeepClustering", [2]), "mask_inference": MASKS, "chimera": MASKS},
            False,
        ),
        ({"tasnet": AUDIO, "conv_tasnet": AUDIO, "dual_path": AUDIO}, True),
    ],
    ids=["without extras", "with model.extras"],
)
def test_plain_repaired_nussl_separates_with_them(write_config, tmp_path, builders, extras):
    jobs = []
    for builder, (algorithm, arguments) in builders.items():
        trainer = fit(write_config(builder, builder=builder, epochs=1))
        jobs.append((str(trainer.best), algorithm, arguments, str(tmp_path / f"{builder}.npy")))
    allowed = [name for name in sys.modules if name.startswith("model")] if extras else []
    code = SEPARATE.format(
        extras="import model.extras" if extras else "", allowed=allowed, ours=OURS
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(jobs)], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for *_, out in jobs:
        estimates = np.load(out)
        assert estimates.shape == (2, 1, 8000) and np.isfinite(estimates).all(), out
        assert np.abs(estimates).max() > 0, out
