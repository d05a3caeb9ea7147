"""What an evaluation keeps of its items, to go on after an interruption."""

import types

import numpy as np
import pytest

import config
import experiment
from errors import UserError
from evaluation import Results


def test_what_was_kept_is_there_again_for_the_same_work_only(tmp_path):
    identity = {"checkpoint": "a" * 64, "algorithm": {"class": "X"}}
    results = Results(tmp_path, identity)
    assert results.begin() == {}
    results.keep(3, {"name": "x", "rows": [{"si_sdr": float("nan"), "item": "x"}]})
    (kept,) = Results(tmp_path, identity).begin().items()
    assert kept[0] == 3 and kept[1]["name"] == "x" and np.isnan(kept[1]["rows"][0]["si_sdr"])
    assert Results(tmp_path, identity | {"algorithm": {"class": "Y"}}).begin() == {}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "null", "[" * 100_000, "\x00"],
)
@pytest.mark.parametrize(
    "file",
    ["summary.json", "unfinished/identity.json", "unfinished/00000003.json", "unfinished/0x3.json"],
)
def test_damaged_files_of_an_evaluation_count_as_not_there(tmp_path, file, content):
    results = Results(tmp_path, {"checkpoint": "a" * 64})
    results.begin()
    whole = {"name": "x", "failed": "broken"}
    results.keep(4, whole)
    (tmp_path / file).write_text(content)
    kept = Results(tmp_path, {"checkpoint": "a" * 64}).begin()
    assert kept.get(4) == whole or "identity" in file
    results.keep(5, {"name": "y"})
    results.finish({"summary.json": "{}"})


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_of_another_checkpoint_is_refused_and_left_as_it_is(tmp_path, finished):
    results = Results(tmp_path, {"checkpoint": "a" * 64})
    results.begin()
    results.keep(0, {"name": "x"})
    if finished:
        results.finish({"summary.json": '{"checkpoint": "' + "a" * 64 + '"}'})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="another checkpoint .*aaaaaaaaaaaa, now bbbbbbbbbbbb"):
        Results(tmp_path, {"checkpoint": "b" * 64}).begin()
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_folder_in_which_nothing_was_scored_is_open_to_another_checkpoint(tmp_path):
    Results(tmp_path, {"checkpoint": "a" * 64}).begin()
    results = Results(tmp_path, {"checkpoint": "b" * 64})
    assert results.begin() == {}
    results.keep(0, {"name": "x", "rows": []})
    assert list(Results(tmp_path, {"checkpoint": "b" * 64}).begin()) == [0]


@pytest.mark.parametrize(
    ("section", "key", "value", "counts"),
    [
        ("signal", "sample_rate", 8000, True),
        ("signal", "window_type", "hann", True),
        ("evaluate", "metrics", ["usdr"], True),
        ("evaluate", "split", "val", True),
        ("evaluate", "num_workers", 2, False),
        ("evaluate", "num_items", 3, False),
        ("evaluate", "page_items", 0, False),
        ("algorithm", "args", {"high_pass_cutoff": 50.0}, True),
    ],
)
def test_items_are_scored_again_if_anything_that_scores_depend_on_is_another(
    section, key, value, counts
):
    sample = {"class": "Sample", "args": dict(folder="sample")}
    plain = {
        "info": {"name": "a", "output_folder": "a"},
        "signal": {"sample_rate": 16000},
        "datasets": {"val": sample, "test": sample},
        "algorithm": {"class": "Repet"},
        "evaluate": {"split": "test"},
    }
    data = types.SimpleNamespace(tracks=[], manifest_hash=None)
    before = experiment.identity(config.Config.model_validate(plain), data)
    plain[section] = plain[section] | {key: value}
    assert (experiment.identity(config.Config.model_validate(plain), data) != before) == counts
