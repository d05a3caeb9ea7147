"""The generators of random numbers go on after a checkpoint as if there had been none."""

import random

import numpy as np
import pytest
import torch

import checkpoints
from training import random_state

CPU = torch.device("cpu")
DRAWS = {
    "python": lambda: [random.random(), random.gauss(0, 1)],
    "numpy": lambda: [np.random.rand(), np.random.randn()],
    "torch": lambda: [torch.rand(1).item(), torch.nn.functional.dropout(torch.ones(9)).tolist()],
}


@pytest.mark.parametrize("library", DRAWS)
def test_each_generator_goes_on_where_it_was_saved(tmp_path, library):
    random_state.seed(3)
    DRAWS[library]()  # a normal draw leaves the second of a pair for later
    checkpoints.save(tmp_path / "state.pth", random_state.capture(CPU))
    expected = [DRAWS[library]() for _ in range(3)]
    random_state.seed(4)
    assert [DRAWS[library]() for _ in range(3)] != expected
    random_state.restore(checkpoints.load(tmp_path / "state.pth"), CPU)
    assert [DRAWS[library]() for _ in range(3)] == expected


def test_processes_draw_other_numbers_from_one_seed():
    drawn = []
    for rank in range(3):
        random_state.seed(0, rank, world_size=3)
        drawn.append([draw() for draw in DRAWS.values()])
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]
