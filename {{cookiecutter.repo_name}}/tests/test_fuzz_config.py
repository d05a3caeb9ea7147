"""Shipped experiments with random mistakes in them: valid, or refused in words with a place."""

import copy
import functools
from pathlib import Path

import pytest
import yaml
from fuzzing import fuzzed
from hypothesis import given
from hypothesis import strategies as st

import config
import experiment

PROJECT = Path(config.__file__).parents[1]
FILES = sorted(PROJECT.glob("experiments/*.yml"))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["$HOME", "${", "$NO_SUCH", "~", "~nobody/", "../..", "\0", "*a", "!x"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)


@functools.cache
def text_of(path):
    return path.read_text(encoding="utf-8")


def places(tree, above=()):
    """The place of every value below the root: a tuple of keys and indices."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from places(value, (*above, key))


def holder_of(tree, place):
    for key in place[:-1]:
        tree = tree[key]
    return tree


@pytest.fixture
def refusal(tmp_path):
    """A function: "" if a text is a valid experiment, else what is said of it, which is checked to
    be lines with a place in a file."""
    for name in ("best_model", "speech_model"):  # beside the experiments, which include from there
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "experiments").mkdir()
    for path in (PROJECT / "experiments").iterdir():
        (tmp_path / "experiments" / path.name).symlink_to(path)
    written = tmp_path / "experiments" / "mutated.yml"

    def refuse(content):
        written.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            config.load(written, needs=("info",))
        except config.ConfigError as error:
            for problem in error.problems:
                assert str(tmp_path) in problem.file and problem.line >= 0 and problem.message
                assert len(str(problem).splitlines()) == 1 and len(str(problem)) < 2000
            return str(error)
        return ""

    return refuse


def dumped(tree):
    return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)


def chosen(data):
    """A copy of an experiment's tree, and a place in it."""
    tree = copy.deepcopy(yaml.safe_load(text_of(data.draw(st.sampled_from(FILES)))))
    return tree, data.draw(st.sampled_from(list(places(tree))))


@fuzzed(60)
@given(data=st.data())
def test_another_value_anywhere_is_valid_or_reported(data, refusal):
    tree, place = chosen(data)
    holder_of(tree, place)[place[-1]] = data.draw(VALUES)
    refusal(dumped(tree))


@fuzzed(30)
@given(data=st.data())
def test_a_missing_key_is_valid_or_reported(data, refusal):
    tree, place = chosen(data)
    del holder_of(tree, place)[place[-1]]
    refusal(dumped(tree))


@fuzzed(30)
@given(data=st.data(), name=st.text("abcxyz_", min_size=1, max_size=12))
def test_a_renamed_key_is_reported_by_its_new_name(data, name, refusal):
    tree, place = chosen(data)
    holder = holder_of(tree, place)
    if isinstance(holder, list):
        return
    renamed = f"{place[-1]}_{name}"
    holder[renamed] = holder.pop(place[-1])
    said = refusal(dumped(tree))
    if len(place) < 3:  # further in, a user chooses the names of some
        assert renamed in said


SMALL = [file for file in FILES if file.stem.endswith("_small")]


@fuzzed(10)
@given(data=st.data())
def test_another_argument_of_a_class_is_valid_or_reported(data, tmp_path):
    tree = config.load(data.draw(st.sampled_from(SMALL))).to_dict()
    below = [place for place in places(tree) if "args" in place or place[-1] == "class"]
    place = data.draw(st.sampled_from(below))
    holder_of(tree, place)[place[-1]] = data.draw(VALUES)
    written = tmp_path / "mutated.yml"
    written.write_text(dumped(tree), encoding="utf-8")
    try:
        experiment.check(config.load(written), training=False)
    except config.ConfigError as error:
        assert all(problem.file == str(written) for problem in error.problems)


@fuzzed(60)
@given(data=st.data(), insert=st.text(max_size=6) | st.binary(max_size=4))
def test_a_text_that_is_cut_or_overwritten_is_valid_or_reported(data, insert, refusal):
    content = text_of(data.draw(st.sampled_from(FILES))).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.sampled_from([start, start + 3, len(content)]))
    insert = insert if isinstance(insert, bytes) else insert.encode()
    refusal(content[:start] + insert + content[end:])
