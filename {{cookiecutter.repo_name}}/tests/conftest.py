"""What the tests share: one folder of rendered snippets, made once a session."""

import collections
import gc
import os
import random

import pytest

from pool import available_cores

pytest_plugins = ["script_runs", "algorithm_runs", "pairs"]

# before torch and numpy are imported, and for every process that a test starts: the tests' arrays
# are so small that threads, waiting for each other, only double the time
os.environ.setdefault("OMP_NUM_THREADS", "1")

# nothing that the libraries make when the tests are collected is garbage
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One process more than cores: the slow tests wait for scripts and workers that they start."""
    return available_cores() + 1


def pytest_collection_modifyitems(items):
    """The files with most slow tests come first: a long one at the end would leave cores idle."""
    slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers for a test in every run, alone or among others."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A temporary folder that all of the processes that run the tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def sample_folder(shared_folder):
    """A folder for `Sample(folder, ...)`: what one test renders, the next finds there, in all of
    the processes that run the tests."""
    folder = shared_folder / "sample"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def write_config(tmp_path, sample_folder):
    """A function that writes a small training run's config with changes: (path of the file)."""
    from trainings import plain_config, write

    def write_one(name="small", **changes):
        plain = plain_config(tmp_path, sample_folder, name, **changes)
        return write(tmp_path / f"{name}.yml", plain)

    return write_one
