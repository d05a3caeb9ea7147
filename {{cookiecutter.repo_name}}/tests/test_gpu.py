"""Training on a GPU: every network and loss takes its steps there, and they are those of the CPU.

What runs on any device also runs on the CPU, so that these tests are themselves tested.
"""

import contextlib
import math

import forks
import pytest
import torch
import yaml
from trainings import MODELS, close, fit, trainer_of, weights, write

from training import fitting


def on_gpus(count, reason):
    """The device of a test that needs so many GPUs."""
    there = torch.cuda.device_count() >= count
    marks = [pytest.mark.gpu, pytest.mark.skipif(not there, reason=reason)]
    return pytest.param("cuda", marks=marks)


CUDA = on_gpus(1, "there is no GPU")
TWO_GPUS = on_gpus(2, "there are no two GPUs")
SI_SDR = {"si_sdr": {"class": "SISDRLoss"}}
STFT = {"window_length": 256, "hop_length": 128}
NETWORKS = {
    **MODELS,
    "sepformer": (
        {"num_filters": 16, "num_channels": 16, "hidden_size": 16, "num_layers": 1, "depth": 1}
        | {"num_heads": 2, "chunk_size": 20},
        SI_SDR,
    ),
    "band_split_rnn": (
        {**STFT, "bands": [[4000, 500]], "num_channels": 8, "hidden_size": 8, "num_layers": 1},
        SI_SDR,
    ),
    "band_split_roformer": (
        {**STFT, "bands": [[4000, 500]], "num_channels": 8, "num_layers": 1, "num_heads": 2}
        | {"head_size": 4},
        SI_SDR,
    ),
    "tf_gridnet": (
        {**STFT, "num_channels": 4, "hidden_size": 8, "num_layers": 1, "attention_size": 129}
        | {"kernel_size": 4, "stride": 2},
        SI_SDR,
    ),
}
WAVEFORM_LOSSES = (
    "ComplexSTFTLoss",
    "L1SNRLoss",
    "MultiResolutionSTFTLoss",
    "SNRLoss",
)


@pytest.fixture
def trainer_on(write_config):
    """A function(device, builder, ...) -> its trainer."""

    def make(device, builder="conv_tasnet", loss=None, **train):
        sizes, own = NETWORKS[builder]
        sizes = {key: 0.0 if key == "dropout" else value for key, value in sizes.items()}
        path = write_config(
            f"{builder}_{device}", builder="conv_tasnet", loss=loss or own, device=device, **train
        )
        plain = yaml.safe_load(path.read_text())
        plain["model"] = {"builder": builder, "args": sizes}
        plain["signal"] = {"sample_rate": 8000, "window_length": 256, "hop_length": 64}
        return trainer_of(write(path, plain))

    return make


def first_batch(trainer):
    with contextlib.closing(trainer.training_batches()) as batches:  # and their workers
        return trainer.to_device(next(batches))


def gradients(trainer):
    """The loss of the first batch, and its gradients, on the CPU."""
    features = trainer.front_end(first_batch(trainer))
    outputs = trainer.forward(features, trainer.network)
    loss, _ = trainer.compute_losses(outputs, features)
    loss.backward()
    found = {name: p.grad.cpu() for name, p in trainer.model.named_parameters()}
    return loss.item(), found


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("builder", NETWORKS)
def test_a_step_of_each_network_is_that_of_the_cpu(trainer_on, builder, device):
    expected, of_cpu = gradients(trainer_on("cpu", builder, precision="float32"))
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 has 10 bits
        loss, found = gradients(trainer_on(device, builder, precision="float32"))
    assert loss == pytest.approx(expected, rel=1e-3, abs=1e-3)
    largest = max(gradient.abs().max() for gradient in of_cpu.values())
    for name, gradient in found.items():
        assert (gradient - of_cpu[name]).abs().max() < 1e-2 * largest, name


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("kind", WAVEFORM_LOSSES)
def test_each_loss_of_waveforms_trains_a_step(trainer_on, kind, device):
    trainer = trainer_on(device, loss={"own": {"class": kind}}, segment=1.0)
    scalars = trainer.train_step(first_batch(trainer))
    assert math.isfinite(scalars["own"]) and scalars["gradient_norm"] > 0


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        ("cpu", "float32"),
        *[pytest.param("cuda", p, marks=CUDA.marks) for p in ("float32", "bfloat16", "float16")],
    ],
)
@pytest.mark.parametrize("builder", NETWORKS)
def test_each_network_learns_in_each_precision(trainer_on, builder, device, precision):
    trainer = trainer_on(device, builder, precision=precision)
    batch = first_batch(trainer)
    # in float16 the first steps are left out, until the scaled gradients no longer overflow
    count = 25 if precision == "float16" else 5
    losses = [trainer.train_step(batch)["loss"] for _ in range(count)]
    assert all(map(math.isfinite, losses)) and losses[-1] < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("device", [CUDA])
@pytest.mark.parametrize("builder", NETWORKS)
def test_each_network_takes_a_compiled_step(trainer_on, builder, device):
    trainer = trainer_on(device, builder, compile=True, precision="float32")
    plain = trainer_on(device, builder, precision="float32")
    found, expected = (one.train_step(first_batch(one))["loss"] for one in (trainer, plain))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("device", [CUDA])
@pytest.mark.parametrize("builder", NETWORKS)
def test_recorded_steps_are_those_of_the_network(trainer_on, builder, device):
    same = {"precision": "float32", "optimizer": {"class": "SGD", "args": {"lr": 1e-3}}}
    plain, recorded = (trainer_on(device, builder, cuda_graphs=on, **same) for on in (False, True))
    batches = [first_batch(plain)]  # another one each step: what is replayed reads its inputs
    batches += [{**batches[0], "mix": gain * batches[0]["mix"]} for gain in (0.5, 2.0)]
    expected, found = (
        [trainer.train_step(batch) for batch in batches] for trainer in (plain, recorded)
    )
    for one, other in zip(expected, found, strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-3)
    for (name, one), other in zip(
        plain.model.state_dict().items(), recorded.model.state_dict().values(), strict=True
    ):
        assert (one - other).abs().max() < 1e-3 * max(one.abs().max(), 1.0), name


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_memory_does_not_grow_from_step_to_step(trainer_on, device):
    trainer = trainer_on(device)
    batch = first_batch(trainer)
    for _ in range(3):
        trainer.train_step(batch)
    peaks = []
    for _ in range(3):
        peaks.append(fitting.peak_of(lambda: trainer.train_step(batch), trainer.device))
    assert max(peaks) <= 1.01 * min(peaks)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", TWO_GPUS])
def test_two_processes_train_as_one(write_config, device):
    """Over gloo on the CPU, over NCCL on two GPUs."""
    same = {
        "args": {"dropout": 0.0, "normalization": "InstanceNorm"},
        "optimizer": {"class": "SGD", "args": {"lr": 0.5}},
        "device": device,
    }
    alone = fit(write_config("alone", **same))
    path = write_config("together", **same)
    for done in forks.run_together("scripts.train", "-p", path):
        assert done.returncode == 0, done.stderr
    latest = path.parent / "together" / "checkpoints" / "latest.pth"
    state = torch.load(latest, weights_only=True, map_location="cpu")
    assert state["iteration"] == alone.engine.state.iteration
    ours = {name: tensor.cpu() for name, tensor in weights(alone).items()}
    assert close(ours, state["model"], 1e-5 if device == "cpu" else 1e-3)
