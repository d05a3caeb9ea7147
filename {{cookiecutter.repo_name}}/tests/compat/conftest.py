"""Every repair of compat: that plain nussl still breaks that way, and that ours does not.

plain.py runs plain nussl once, in a process of its own, and reports what came of each experiment. A
test that fails with "no longer needed" says that nussl, or what it stands on, has caught up: take
the repair out.
"""

import numpy as np
import pytest
import torch
from signals import PROJECT, mask_inference, run, tones, training_pipeline, transforms


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Checkpoints written by the repaired nussl, of the same model."""
    folder = tmp_path_factory.mktemp("checkpoints")
    model = mask_inference()
    history = {"validation/loss": [np.mean([0.5, 1.5])]}
    metadata = {"trainer.state.epoch_history": history}
    model.save(folder / "repaired.pth", metadata, train_data=tones(training_pipeline()))
    model.save(
        folder / "single.pth", train_data=tones(transforms.PhaseSensitiveSpectrumApproximation())
    )
    model.save(folder / "bare.pth")
    torch.save(torch.rand(1, 20, 33, 1), folder / "mix.pt")
    return folder


@pytest.fixture(scope="session")
def plain(checkpoints):
    """What comes of the experiments of plain.py, in plain nussl."""
    return run([PROJECT / "tests" / "compat" / "plain.py", checkpoints])
