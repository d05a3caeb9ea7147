"""A checkpoint made here separates in nussl, in a process that knows nothing of this project."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trainings import fit

PROJECT = Path(__file__).parents[1]
SEPARATE = """
import sys
import numpy as np
from compat import nussl
{extras}
rng = np.random.default_rng(0)
signal = nussl.AudioSignal(
    audio_data_array=0.1 * rng.standard_normal((1, 8000)).astype(np.float32), sample_rate=16000)
estimates = nussl.separation.deep.{algorithm}({arguments})()
allowed = set({allowed!r})
ours = {ours!r}
loaded = [name for name in sys.modules if name.split(".")[0] in ours and name not in allowed]
assert loaded == [], loaded
np.save(sys.argv[2], np.stack([e.audio_data for e in estimates]))
"""
OURS = ("model", "training", "algorithms", "experiment", "dataset", "config", "checkpoints")
MASKS = ("DeepMaskEstimation", "signal, sys.argv[1]")
AUDIO = ("DeepAudioEstimation", "signal, sys.argv[1]")


@pytest.mark.slow
@pytest.mark.parametrize(
    "builder, algorithm, arguments, extras",
    [
        ("deep_clustering", "DeepClustering", "signal, 2, sys.argv[1]", False),
        ("mask_inference", *MASKS, False),
        ("chimera", *MASKS, False),
        ("tasnet", *AUDIO, True),
        ("conv_tasnet", *AUDIO, True),
        ("dual_path", *AUDIO, True),
    ],
)
def test_plain_repaired_nussl_separates_with_it(
    write_config, tmp_path, builder, algorithm, arguments, extras
):
    trainer = fit(write_config(builder=builder, epochs=1))
    allowed = [name for name in sys.modules if name.startswith("model")] if extras else []
    code = SEPARATE.format(
        extras="import model.extras" if extras else "",
        algorithm=algorithm,
        arguments=arguments,
        allowed=allowed,
        ours=OURS,
    )
    out = tmp_path / "estimates.npy"
    done = subprocess.run(
        [sys.executable, "-c", code, str(trainer.best), str(out)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    estimates = np.load(out)
    assert estimates.shape == (2, 1, 8000) and np.isfinite(estimates).all()
    assert np.abs(estimates).max() > 0
