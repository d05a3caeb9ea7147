"""scripts.evaluate: scores, failures, interruptions, many processes."""

import functools
import json
import types
from pathlib import Path

import forks
import numpy as np
import pytest
import torch

import checkpoints
import dataset
import locks
from algorithms import DeepClustering
from errors import UserError
from evaluation import score_all

torch.set_num_threads(1)


def test_evaluate_scores_the_model_beside_mixture_oracles_and_baselines(run, trained):
    status, printed = run("evaluate", evaluate={"num_items": 3, "baselines": ["HPSS"]})
    assert status == 0 and "3 of 10 items of test scored, 0 failed" in printed
    folder = Path(trained["info"]["output_folder"]) / "evaluation" / "test"
    result = json.loads((folder / "summary.json").read_text())
    by_method = {row["method"]: row for row in result["table"] if row["source"] == "vocals"}
    assert set(by_method) == {
        "mixture",
        "static mask",
        "DeepClustering",
        "HPSS",
        "ideal ratio mask",
        "ideal binary mask",
    }
    assert by_method["mixture"]["si_sdr_improvement"]["mean"] == 0
    assert by_method["ideal ratio mask"]["si_sdr_improvement"]["mean"] > 6
    assert by_method["ideal ratio mask"]["si_sdr"]["count"] == 3
    rows = (folder / "scores.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * 6 * 2
    in_full, means, _ = (folder / "table.md").read_text().split("\n\n")
    assert "| ideal binary mask" in in_full and "SI-SDR dB | median | improvement dB" in in_full
    head = " ".join(means.splitlines()[0].split())
    assert head == "| method | source | SI-SIR dB | SI-SAR dB | SD-SDR dB | SNR dB |"
    assert "si_sir_improvement" in rows[0]
    assert "si_sar_improvement" not in rows[0]  # the mixture has the best there is


def test_without_the_training_data_the_static_mask_is_left_out_and_a_warning_says_so(
    run, trained, tmp_path
):
    gone = {"class": "StemFolder", "args": {"folder": str(tmp_path / "gone")}}
    status, printed = run(
        "evaluate",
        info={**trained["info"], "output_folder": str(tmp_path / "scored")},
        datasets={**trained["datasets"], "train": gone},
        evaluate={"num_items": 2, "page_items": 0},
    )
    assert status == 0 and "2 of 10 items of test scored, 0 failed" in printed
    assert f"datasets.train is left out: {tmp_path / 'gone'}" in printed
    assert "static mask" not in (tmp_path / "scored/evaluation/test/table.md").read_text()


def test_evaluate_scores_speech_where_the_packages_for_it_are(run, trained):
    for package in ("pystoi", "pesq"):
        pytest.importorskip(package)
    status, printed = run(
        "evaluate", evaluate={"num_items": 2, "metrics": ["stoi", "pesq"], "page_items": 0}
    )
    assert status == 0 and "STOI" in printed and "PESQ" in printed
    result = json.loads((evaluation_of(trained) / "summary.json").read_text())
    mixture, ideal = (
        next(r for r in result["table"] if (r["method"], r["source"]) == (method, "all sources"))
        for method in ("mixture", "ideal ratio mask")
    )
    for score in ("stoi", "pesq"):
        assert ideal[score]["mean"] > mixture[score]["mean"]
    assert ideal["stoi"]["count"] == 4
    assert ideal["pesq"]["count"] + ideal["pesq"]["left_out"] == 4  # some have no utterance


def spoil(monkeypatch, number, message):
    """Let an item of the test split fail with a UserError."""
    read = dataset.Sample.excerpt

    def spoiled(self, index, *args, **kwargs):
        if self.split == "test" and index == number:
            raise UserError(message)
        return read(self, index, *args, **kwargs)

    monkeypatch.setattr(dataset.Sample, "excerpt", spoiled)


def test_an_item_that_fails_is_counted_and_named_and_the_status_says_so(run, trained, monkeypatch):
    spoil(monkeypatch, 9, "30000009/vocals.wav: broken")
    status, _ = run("evaluate", evaluate={"num_items": 2, "page_items": 0})
    assert "1 of 2 items failed" in status and "30000009" in status
    folder = Path(trained["info"]["output_folder"]) / "evaluation" / "test"
    assert list(json.loads((folder / "summary.json").read_text())["failed"]) == ["30000009"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:, :-1], "DeepClustering returns 63999 samples in 1 channel"),
        (lambda data: data * np.nan, "Not all values of audio_data are finite"),
    ],
)
def test_an_estimate_of_the_wrong_form_is_a_failed_item(run, monkeypatch, spoil, message):
    separate = DeepClustering.make_audio_signals

    def spoilt(self):
        signals = separate(self)
        signals[0].audio_data = spoil(signals[0].audio_data)
        return signals

    monkeypatch.setattr(DeepClustering, "make_audio_signals", spoilt)
    status, _ = run("evaluate", evaluate={"num_items": 2, "page_items": 0})
    assert "none of 2 items could be scored" in status and message in status


def test_a_silent_estimate_counts_as_bad_and_does_not_drop_out(run, trained, monkeypatch):
    separate = DeepClustering.make_audio_signals

    def silent(self):
        signals = separate(self)
        for signal in signals:
            signal.audio_data = 0 * signal.audio_data
        return signals

    monkeypatch.setattr(DeepClustering, "make_audio_signals", silent)
    assert run("evaluate", evaluate={"num_items": 2, "page_items": 0})[0] == 0
    folder = Path(trained["info"]["output_folder"]) / "evaluation" / "test"
    (row,) = (
        row
        for row in json.loads((folder / "summary.json").read_text())["table"]
        if (row["method"], row["source"]) == ("DeepClustering", "vocals")
    )
    assert row["si_sdr"]["mean"] == -100 and row["si_sdr"]["count"] == 2


def evaluation_of(trained):
    return Path(trained["info"]["output_folder"]) / "evaluation" / "test"


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_and_gives_the_same_table(run, trained, monkeypatch):
    sections = {"num_items": 4, "metrics": ["bss_eval"], "page_items": 0}
    assert run("evaluate", evaluate=sections)[0] == 0
    names = ("scores.csv", "table.md", "summary.json")
    whole = [(evaluation_of(trained) / name).read_text() for name in names]
    read, count = dataset.Sample.excerpt, []

    def killed(self, index, *args, **kwargs):
        if self.split == "test":
            count.append(index)
            if len(count) == 3:
                raise KeyboardInterrupt
        return read(self, index, *args, **kwargs)

    monkeypatch.setattr(dataset.Sample, "excerpt", killed)
    assert run("evaluate", evaluate=sections)[0] == 130
    assert len(list((evaluation_of(trained) / "unfinished").glob("0*.json"))) == 2
    assert run("evaluate", evaluate=sections)[0] == 0
    assert len(count) == 3 + 2  # the two that were left, and no other
    assert [(evaluation_of(trained) / name).read_text() for name in names] == whole
    assert not (evaluation_of(trained) / "unfinished").exists()


def test_what_failed_before_an_interruption_is_tried_again(run, trained, monkeypatch):
    read, wrong = dataset.Sample.excerpt, [UserError("broken"), KeyboardInterrupt()]

    def spoiled(self, index, *args, **kwargs):
        if self.split == "test" and wrong:
            raise wrong.pop(0)
        return read(self, index, *args, **kwargs)

    monkeypatch.setattr(dataset.Sample, "excerpt", spoiled)
    sections = {"num_items": 2, "page_items": 0}
    assert run("evaluate", evaluate=sections)[0] == 130
    assert len(list((evaluation_of(trained) / "unfinished").glob("0*.json"))) == 1
    assert run("evaluate", evaluate=sections)[0] == 0
    summary = json.loads((evaluation_of(trained) / "summary.json").read_text())
    assert summary["failed"] == {} and summary["items"] == 2


@pytest.mark.slow
def test_many_processes_give_the_same_table(run, trained):
    sections = {"num_items": 3, "page_items": 0}
    assert run("evaluate", evaluate=sections)[0] == 0
    alone = (evaluation_of(trained) / "table.md").read_text()
    assert run("evaluate", evaluate={**sections, "num_workers": 2})[0] == 0
    assert (evaluation_of(trained) / "table.md").read_text() == alone


def test_what_fails_in_a_process_of_an_evaluation_is_not_taken_for_its_end():
    scorer = types.SimpleNamespace(chosen=[0, 1])
    results = types.SimpleNamespace(begin=dict)
    with pytest.raises(UserError, match="none.pth: no such checkpoint"):
        score_all(scorer, functools.partial(checkpoints.load, "none.pth"), results, 2, "a")


@pytest.mark.slow
def test_processes_of_torchrun_share_the_items_and_give_the_same_table(run, trained, tmp_path):
    assert run("evaluate", evaluate={"num_items": 3, "page_items": 0})[0] == 0
    alone = (evaluation_of(trained) / "table.md").read_text()
    (evaluation_of(trained) / "table.md").unlink()
    for done in forks.run_together("scripts.evaluate", "-p", tmp_path / "evaluate.yml"):
        assert done.returncode == 0, done.stderr
    assert (evaluation_of(trained) / "table.md").read_text() == alone


@pytest.mark.slow
def test_files_that_are_dropped_are_counted_and_named(run, trained, monkeypatch):
    """5 % would do: one of the ten."""
    spoil(monkeypatch, 4, "30000004/vocals.flac: no such file")
    status, printed = run("evaluate", evaluate={"page_items": 0})
    assert "1 of 10 items failed" in status and "9 of 10 items of test scored, 1 failed" in printed
    assert "30000004" in (evaluation_of(trained) / "table.md").read_text()


@pytest.mark.skipif(not locks.AVAILABLE, reason="no locks on this system")
def test_a_folder_that_another_evaluation_writes_to_is_refused(run, trained):
    with locks.acquire(evaluation_of(trained) / "evaluation.lock"):
        status, _ = run("evaluate", evaluate={"num_items": 1, "page_items": 0})
    assert f"{evaluation_of(trained)}: another evaluation is active here; wait for it" in status
    assert run("evaluate", evaluate={"num_items": 1, "page_items": 0})[0] == 0
    assert not (evaluation_of(trained) / "evaluation.lock").exists()


def test_results_of_another_checkpoint_are_not_mixed_with(run, trained, tmp_path):
    assert run("evaluate", evaluate={"num_items": 1, "page_items": 0})[0] == 0
    weights = Path(trained["algorithm"]["args"]["model_path"])
    content = torch.load(weights, weights_only=True)
    next(iter(content["state_dict"].values())).add_(1e-3)
    other = tmp_path / "other.model.pth"
    torch.save(content, other)
    args = {**trained["algorithm"]["args"], "model_path": str(other)}
    algorithm = {"class": "DeepClustering", "args": args}
    status, _ = run("evaluate", evaluate={"num_items": 1, "page_items": 0}, algorithm=algorithm)
    assert "holds the results of another checkpoint" in status
