"""The check before a training run, on the meta device, finds what a real step would."""

import pytest
import torch
import yaml
from trainings import MODELS, trainer_of, write

from errors import UserError
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


STACK = {"num_features": 129, "hidden_size": 8, "num_layers": 1, "bidirectional": True}


@pytest.mark.parametrize(
    ("stack", "connections", "message"),
    [
        (
            {"class": "RecurrentStack", "args": {**STACK, "num_features": 100, "dropout": 0.0}},
            {},
            r"; in the module stack, RecurrentStack\); the data have 2 sources",
        ),
        (
            {"class": "RecurrentStack", "args": {**STACK, "dropout": 0.0}},
            {"estimates": ["mask"]},
            r"forward\(\) missing 1 required .*; in the module estimates, Mask\)",
        ),
        (
            {"class": "LSTM", "args": {"input_size": 129, "hidden_size": 16}},
            {"stack": ["split"]},
            r"stack returns several things; connect stack:0 of a tuple, stack:key of a dict\)",
        ),
    ],
    ids=["size", "input", "tuple"],
)
def test_what_does_not_fit_in_a_graph_is_named(write_config, stack, connections, message):
    path = write_config(builder="mask_inference")
    plain = yaml.safe_load(path.read_text())
    plain["signal"] = {"window_length": 256, "hop_length": 64}
    mask = {"num_features": 129, "hidden_size": 16, "embedding_size": 2, "activation": "sigmoid"}
    split = {"class": "Flatten", "args": {"start_dim": 2}}
    inputs = {"split": ["mix_magnitude"], "stack": ["mix_magnitude"], "mask": ["stack"]}
    inputs |= {"estimates": ["mask", "mix_magnitude"], **connections}
    plain["model"] = {
        "name": "graph",
        "modules": {
            "mix_magnitude": {},
            "split": split,
            "stack": stack,
            "mask": {"class": "Embedding", "args": mask},
            "estimates": {"class": "Mask"},
        },
        "connections": [list(one) for one in inputs.items()],
        "output": ["mask", "estimates"],
    }
    with pytest.raises(UserError, match=message):
        trainer_of(write(path, plain))
