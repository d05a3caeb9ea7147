"""Checkpoints that are damaged, or hold what they should not: one error, and no code is run."""

import copy
import functools
import io

import torch
from fuzzing import fuzzed
from hypothesis import given
from hypothesis import strategies as st
from small_networks import separator

import checkpoints
from errors import UserError

RAN = []


class RunsCode:
    """What a hostile file holds: unpickled, it calls a function."""

    def __reduce__(self):
        return RAN.append, ("ran",)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
    st.builds(lambda size: torch.zeros(size), st.integers(0, 3)),
    st.builds(RunsCode),
)


@functools.cache
def model_file(folder):
    """The bytes of a small model's checkpoint, and what is in it."""
    separator("mask_inference", folder)
    path = folder / "mask_inference.pth"
    return path.read_bytes(), torch.load(path, weights_only=True)


def loaded_or_refused(path, content):
    """Is a checkpoint of these bytes read as a model? If not, there is one error."""
    RAN.clear()
    path.write_bytes(content)
    try:
        checkpoints.load_model(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        assert len(str(error)) < 800
        return False
    finally:
        assert RAN == []
    return True


def places(tree, above=()):
    """The place of every value in nested dicts, as a tuple of keys."""
    for key, value in tree.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@fuzzed(30)
@given(data=st.data())
def test_damaged_bytes_are_read_or_reported(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "fuzzed_checkpoints"
    folder.mkdir(exist_ok=True)
    content, _ = model_file(folder)
    # where a zip file keeps what describes it: its beginning and its end
    near = st.integers(0, 1500) | st.integers(len(content) - 1500, len(content) - 1)
    start = data.draw(near | st.integers(0, len(content) - 1))
    end = start + data.draw(st.sampled_from([0, 1, 4, len(content)]))
    insert = data.draw(st.binary(max_size=4))
    loaded_or_refused(folder / "damaged.pth", content[:start] + insert + content[end:])


@fuzzed(30)
@given(data=st.data())
def test_another_value_anywhere_is_used_or_reported(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "fuzzed_checkpoints"
    folder.mkdir(exist_ok=True)
    tree = copy.deepcopy(dict(model_file(folder)[1]))
    place = data.draw(st.sampled_from(list(places(tree))))
    value = data.draw(VALUES)
    holder = functools.reduce(lambda inner, key: inner[key], place[:-1], tree)
    if data.draw(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    read = loaded_or_refused(folder / "other.pth", saved(tree))
    assert not (read and isinstance(holder.get(place[-1]), RunsCode))


@fuzzed(15)
@given(content=VALUES)
def test_what_is_no_model_is_reported(content, tmp_path):
    assert not loaded_or_refused(tmp_path / "other.pth", saved(content))
