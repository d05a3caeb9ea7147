"""The check before a training run, on the meta device, finds what a real step would."""

import pytest
import torch
from trainings import MODELS, trainer_of

from training import shapes

torch.set_num_threads(1)
GRU = {"rnn_type": "gru"}


def sizes(tensors):
    return {name: tensor.shape for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    "builder, changes, unused",
    [
        *((name, {}, []) for name in MODELS),
        ("mask_inference", {"args": GRU}, []),
        ("chimera", {"loss": {"l1": {"class": "L1Loss"}}}, ["embedding"]),
        ("chimera", {"loss": {"dc": {"class": "DeepClusteringLoss"}}}, ["mask"]),
    ],
)
def test_shapes_and_unused_parameters_are_those_of_a_real_step(
    write_config, builder, changes, unused
):
    trainer = trainer_of(write_config(builder=builder, **changes))
    real_features, real_outputs, total, model = shapes._step(trainer, shapes.ITEMS, "cpu")
    total.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert {name.split(".")[1] for name in without} == {*unused}
    assert shapes.check_shapes(trainer) == without
    features, outputs, loss, _ = shapes.meta_step(trainer)
    assert loss.device.type == "meta"
    assert sizes(features) == sizes(real_features) and sizes(outputs) == sizes(real_outputs)
