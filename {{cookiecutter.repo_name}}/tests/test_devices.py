"""Devices: what is asked for, or an error; never another one in silence."""

import pytest
import torch

import devices
from errors import UserError


@pytest.fixture
def machine(monkeypatch):
    """machine(gpus, mps): a machine that says it has these."""

    def pretend(gpus=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize("has", [{}, {"gpus": 2}, {"mps": True}])
def test_the_cpu_is_always_there(machine, has):
    machine(**has)
    assert devices.choose("cpu") == torch.device("cpu")
    assert devices.available()[-1] == "cpu"


def test_auto_takes_the_fastest_that_is_there(machine):
    machine(gpus=1, mps=True)
    assert devices.choose("auto") == torch.device("cuda")
    machine(mps=True)
    assert devices.choose("auto") == torch.device("mps")
    machine()
    assert devices.choose() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3", "mps", "mps:0"])
def test_an_absent_device_is_an_error_that_says_what_is_there(machine, name):
    machine()
    with pytest.raises(UserError, match=f"device '{name}' is not available; this machine has cpu$"):
        devices.choose(name)


def test_a_device_of_torch_is_taken_and_what_is_no_device_refused(machine):
    machine()
    assert devices.choose(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(UserError, match="device 'cuda:1' is not available"):
        devices.choose(torch.device("cuda:1"))
    for name in (None, 3):
        with pytest.raises(UserError, match=f"device is {name}; write auto, cpu$"):
            devices.choose(name)


def test_a_gpu_is_not_taken_for_an_absent_mps(machine):
    machine(gpus=1)
    with pytest.raises(UserError, match="'mps' is not available; this machine has cuda, cpu"):
        devices.choose("mps")


def test_the_number_of_a_gpu_is_checked(machine):
    machine(gpus=2)
    assert devices.choose("cuda:1") == torch.device("cuda:1")
    for name in ("cuda:2", "cuda:x", "cuda:", "cuda:-1"):
        with pytest.raises(
            UserError, match=f"'{name}' is not available; this machine has 2 of kind"
        ):
            devices.choose(name)


def test_each_process_has_a_gpu_of_its_own_and_so_have_the_workers_that_it_starts(
    machine, monkeypatch
):
    machine(gpus=4)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "2")  # a worker has no process group, but these
    assert devices.choose() == devices.choose("cuda") == torch.device("cuda:2")


def test_the_only_mps_and_cpu_have_the_number_0(machine):
    machine(mps=True)
    assert devices.choose("mps:0") == torch.device("mps:0")
    assert devices.choose("cpu:0") == torch.device("cpu:0")
    with pytest.raises(UserError, match="'mps:1' is not available"):
        devices.choose("mps:1")
