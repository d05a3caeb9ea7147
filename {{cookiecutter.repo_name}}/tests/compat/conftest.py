"""Every repair of compat: that plain nussl still breaks that way, and that ours does not.

plain.py runs plain nussl once, in a process of its own, and reports what came of each experiment. A
test that fails with "no longer needed" says that nussl, or what it stands on, has caught up: take
the repair out.
"""

import json
import time

import numpy as np
import pytest
import torch
from signals import PROJECT, mask_inference, run, tones, training_pipeline, transforms

import locks


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
def plain(checkpoints, shared_folder):
    """What comes of the experiments of plain.py, in plain nussl: run once for all the processes
    that run the tests."""
    with open(shared_folder / "plain.json", "a+") as file:
        while not locks.try_lock(file):
            time.sleep(0.1)
        file.seek(0)
        found = file.readline()
        if not found:
            found = json.dumps(run([PROJECT / "tests" / "compat" / "plain.py", checkpoints]))
            file.write(f"{found}\n")
    return json.loads(found)
