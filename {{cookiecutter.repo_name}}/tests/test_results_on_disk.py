"""What evaluate and visualize leave, of data that are awkward and of files damaged by hand."""

import json

import numpy as np
import pytest
import soundfile
import torch
from trainings import MODELS, write

import experiment
import scripts.common
from algorithms import ALGORITHMS, DeepClustering, DeepMaskEstimation, SeparationBase, separate
from compat import nussl
from model import BUILDERS
from report.folders import fields_of
from scripts import evaluate, visualize

torch.set_num_threads(1)
RATE = 8000
PARAMS = nussl.STFTParams(256, 64, "sqrt_hann")


class HighAndLow(SeparationBase):
    """Ideal for sources below and above 2 kHz; their order is that of the labels."""

    source_labels = ["high", "low"]

    def run(self):
        return []

    def make_audio_signals(self):
        spectrum = np.fft.rfft(self.audio_signal.audio_data)
        hertz = np.fft.rfftfreq(self.audio_signal.signal_length, 1 / self.audio_signal.sample_rate)
        parts = [
            np.fft.irfft(spectrum * chosen, self.audio_signal.signal_length)
            for chosen in (hertz >= 2000, hertz < 2000)
        ]
        return [self.audio_signal.make_copy_with_audio_data(p, verbose=False) for p in parts]


def sound(name, seed, seconds=1.0):
    """A few tones below or above 2 kHz."""
    rng, time = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    hertz = rng.uniform(*{"low": (200, 1500), "high": (2500, 3500)}[name], 3)
    return 0.1 * np.sin(2 * np.pi * hertz[:, None] * time + rng.uniform(0, 6, (3, 1))).sum(axis=0)


def make_data(folder, count=12, swapped=(), silent=(), short=(), split="test", name="song{}x"):
    """`count` tracks of two sources: labels swapped, "low" silent, or of 100 samples."""
    for number in range(count):
        for label in ("high", "low"):
            other = {"high": "low", "low": "high"}[label]
            data = sound(other if number in swapped else label, 2 * number + (label == "low"))
            data = 0 * data if number in silent and label == "low" else data
            data = data[:100] if number in short else data
            path = folder / split / label / f"{name.format(number)}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, data, RATE, subtype="FLOAT")
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch, caplog, capsys):
    """run(script, folder of the data, ...) -> (exit status, what was printed)."""
    monkeypatch.setitem(ALGORITHMS, "HighAndLow", HighAndLow)

    def call(
        script,
        data,
        name="small",
        out="out",
        splits=("test",),
        algorithm=None,
        args=None,
        **section,
    ):
        plain = {
            "info": {"name": name, "output_folder": str(tmp_path / out)},
            "signal": {"sample_rate": RATE, "window_length": 256, "hop_length": 64},
            "datasets": {
                split: {
                    "class": "StemFolder",
                    "args": {
                        "folder": str(data),
                        "split": split,
                        "layout": "stems",
                        **(args or {}),
                    },
                }
                for split in splits
            },
            "algorithm": algorithm or {"class": "HighAndLow"},
            script: section,
        }
        module = {"evaluate": evaluate, "visualize": visualize}[script]
        path = write(tmp_path / f"{script}.yml", plain)
        caplog.clear()
        try:
            with caplog.at_level("INFO"):
                scripts.common.run(module.main, "", (script,), ["-p", str(path)])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out + caplog.text

    return call


def summary(tmp_path):
    return json.loads((tmp_path / "out/evaluation/test/summary.json").read_text())


# ---- evaluate -----------------------------------------------------------------------------------


def test_labels_swapped_in_half_of_the_items_are_reported_by_name(run, tmp_path):
    data = make_data(tmp_path / "data", swapped=(0, 2, 4, 6, 8, 10))
    status, said = run("evaluate", data, page_items=2)
    assert status == 0 and "WARNING: HighAndLow: in 6 of 12 items (50%, of 12 songs)" in said
    names = "song0x, song10x, song2x, song4x, song6x, song8x"
    folder = tmp_path / "out/evaluation/test"
    for text in (said, (folder / "table.md").read_text(), (folder / "index.html").read_text()):
        assert names in text
    (complaint,) = summary(tmp_path)["label_order"]["complaints"]
    assert names in complaint


def test_right_labels_are_not_suspected(run, tmp_path):
    status, said = run("evaluate", make_data(tmp_path / "data"), page_items=0)
    assert status == 0 and "WARNING" not in said


def test_a_silent_source_is_left_out_of_the_mean_improvement_and_counted(run, tmp_path):
    whole = make_data(tmp_path / "whole", count=6)
    run("evaluate", whole, page_items=0)
    (before,) = [
        r
        for r in summary(tmp_path)["table"]
        if (r["method"], r["source"]) == ("HighAndLow", "high")
    ]
    for left in (tmp_path / "out/evaluation/test").iterdir():
        left.unlink()
    data = make_data(tmp_path / "data", count=8, silent=(6, 7))
    status, said = run("evaluate", data, page_items=8)
    assert status == 0
    assert "2 items with a source that equals the mixture" in said
    assert "2 with a silent source, for which there is no score" in said
    (after,) = [
        r
        for r in summary(tmp_path)["table"]
        if (r["method"], r["source"]) == ("HighAndLow", "high")
    ]
    assert after["si_sdr_improvement"]["mean"] == pytest.approx(
        before["si_sdr_improvement"]["mean"], abs=1e-9
    )
    assert after["si_sdr_improvement"]["left_out"] == 2 and after["si_sdr"]["count"] == 8
    assert summary(tmp_path)["without_improvement"] == ["song6x", "song7x"]


def test_files_of_one_song_give_no_interval_and_the_table_says_why(run, tmp_path):
    data = make_data(tmp_path / "data", count=5)
    status, said = run("evaluate", data, args={"song": "(song).*"}, page_items=0)
    assert status == 0 and "No interval: all items are of one song." in said
    assert "No interval" in (tmp_path / "out/evaluation/test/table.md").read_text()
    assert all(row["si_sdr"]["low"] is None for row in summary(tmp_path)["table"])


def test_a_track_shorter_than_a_frame_fails_alone_and_the_message_says_what_to_do(run, tmp_path):
    data = make_data(tmp_path / "data", count=4, short=(1,))
    make_data(tmp_path / "data", count=4, short=(0, 2), split="train", name="train{}x")
    status, said = run("evaluate", data, splits=("train", "test"), page_items=0)
    assert "1 of 4 items failed" in status and "song1x" in status
    assert "100 samples, fewer than one frame of the STFT (256); leave the track out" in status
    assert "static mask" in said and "3 of 4 items of test scored" in said


def test_training_data_without_a_track_as_long_as_a_frame_are_refused_by_their_key(run, tmp_path):
    data = make_data(tmp_path / "data", count=2)
    make_data(tmp_path / "data", count=2, short=(0, 1), split="train")
    status, _ = run("evaluate", data, splits=("train", "test"))
    assert (
        "datasets.train: every track is shorter than 256 samples, one frame of the STFT" in status
    )


def test_the_official_scores_stand_in_the_table_by_their_names(run, tmp_path):
    data = make_data(tmp_path / "data", count=2)
    status, said = run("evaluate", data, metrics=["usdr", "csdr"], page_items=0)
    assert status == 0 and "uSDR dB" in said and "cSDR dB" in said
    head = (tmp_path / "out/evaluation/test/scores.csv").read_text().splitlines()[0].split(",")
    assert {"usdr", "csdr", "usdr_improvement"} <= {*head} and "sdr" not in head


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: [],
        lambda kept: {},
        lambda kept: kept | {"name": "another"},
        lambda kept: kept | {"rows": 3},
        lambda kept: kept | {"rows": kept["rows"][:-1] + [{}]},
        lambda kept: kept | {"rows": [row | {"si_sdr": "x"} for row in kept["rows"]]},
        lambda kept: kept | {"rows": [row | {"item": 3} for row in kept["rows"]]},
        lambda kept: kept | {"rows": [row | {"more": 3} for row in kept["rows"]]},
        lambda kept: kept | {"rows": kept["rows"][:2]},
    ],
)
def test_a_damaged_score_is_scored_again(run, tmp_path, monkeypatch, damage):
    data = make_data(tmp_path / "data", count=3)
    assert run("evaluate", data, page_items=0)[0] == 0
    expected = (tmp_path / "out/evaluation/test/scores.csv").read_bytes()
    finish = experiment.write_evaluation

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "write_evaluation", killed)
    assert run("evaluate", data, page_items=0)[0] == 130
    monkeypatch.setattr(experiment, "write_evaluation", finish)
    for path in sorted((tmp_path / "out/evaluation/test/unfinished").glob("0*.json"))[:2]:
        path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    assert run("evaluate", data, page_items=0)[0] == 0
    assert (tmp_path / "out/evaluation/test/scores.csv").read_bytes() == expected


def test_an_item_whose_files_changed_is_scored_again(run, tmp_path, monkeypatch):
    data = make_data(tmp_path / "data", count=3)
    changed = make_data(tmp_path / "changed", count=3, swapped=[1])
    assert run("evaluate", changed, out="expected", page_items=0)[0] == 0
    finish = experiment.write_evaluation

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "write_evaluation", killed)
    assert run("evaluate", data, page_items=0)[0] == 130
    unfinished = tmp_path / "out/evaluation/test/unfinished"
    before = {path: path.stat().st_ino for path in unfinished.glob("0*.json")}
    for label in ("high", "low"):  # as long as before
        name = f"test/{label}/song1x.wav"
        (data / name).write_bytes((changed / name).read_bytes())
    assert run("evaluate", data, page_items=0)[0] == 130
    again = [path.stem for path, number in before.items() if path.stat().st_ino != number]
    assert again == ["00000001"]
    monkeypatch.setattr(experiment, "write_evaluation", finish)
    assert run("evaluate", data, page_items=0)[0] == 0
    tables = [
        (tmp_path / out / "evaluation/test/scores.csv").read_text() for out in ("out", "expected")
    ]
    assert tables[0] == tables[1]


# ---- visualize ----------------------------------------------------------------------------------


def picture(folder):
    return fields_of(folder / "viz.png")


def test_another_experiment_does_not_overwrite_a_picture(run, tmp_path):
    data, place = make_data(tmp_path / "data", count=1), tmp_path / "viz"
    for name in ("first", "the/second: one", "first"):
        assert run("visualize", data, name=name, output_folder=str(place))[0] == 0
    there = sorted(path.name for path in (place / "test").iterdir())
    assert there == ["00000000", "00000000_the_second_one"]
    assert picture(place / "test/00000000")["Experiment"] == "first"
    assert picture(place / "test" / there[1])["Experiment"] == "the/second: one"


def test_a_copy_of_an_experiment_with_another_output_folder_is_another(run, tmp_path):
    data, place = make_data(tmp_path / "data", count=1), tmp_path / "viz"
    for out in ("out", "copy", "third", "copy"):
        assert run("visualize", data, out=out, output_folder=str(place))[0] == 0
    found = {path.name: picture(path)["Output folder"] for path in (place / "test").iterdir()}
    assert found == {
        "00000000": str(tmp_path / "out"),
        "00000000_small": str(tmp_path / "copy"),
        "00000000_small_2": str(tmp_path / "third"),
    }


def test_a_second_run_with_other_source_names_removes_the_old_files(run, tmp_path):
    data, place = make_data(tmp_path / "data", count=1), tmp_path / "viz"
    run("visualize", data, output_folder=str(place))
    folder = place / "test/00000000"
    (folder / "notes.txt").write_text("mine")
    assert {path.name for path in folder.iterdir()} == {
        "mixture.wav",
        "high.wav",
        "low.wav",
        "viz.png",
        "index.html",
        "notes.txt",
    }
    run("visualize", data, algorithm={"class": "HPSS"}, output_folder=str(place))
    assert {path.name for path in folder.iterdir()} == {
        "mixture.wav",
        "source0.wav",
        "source1.wav",
        "viz.png",
        "index.html",
        "notes.txt",
    }


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"x" * 1000])
def test_a_picture_of_nobody_is_overwritten(run, tmp_path, content):
    data, place = make_data(tmp_path / "data", count=1), tmp_path / "viz"
    (place / "test/00000000").mkdir(parents=True)
    (place / "test/00000000/viz.png").write_bytes(content)
    assert run("visualize", data, output_folder=str(place))[0] == 0
    assert picture(place / "test/00000000")["Experiment"] == "small"


# ---- what is shown of a network ------------------------------------------------------------------


def save_model(path, builder, **args):
    """A small network that nobody trained."""
    torch.manual_seed(0)
    graph = BUILDERS[builder](num_features=129, num_audio_channels=1, **MODELS[builder][0], **args)
    model = nussl.ml.SeparationModel(graph)
    about = {"stft_params": PARAMS, "sample_rate": RATE, "num_channels": 1}
    model.save(str(path), metadata=about)
    return str(path)


def test_the_embedding_of_a_long_item_is_that_of_its_loudest_chunk(tmp_path):
    path = save_model(tmp_path / "m.pth", "deep_clustering")
    data = np.concatenate([0.1 * sound("low", 1, 24), sound("high", 2, 8) + sound("low", 3, 8)])
    mix = nussl.AudioSignal(audio_data_array=data, sample_rate=RATE)
    result = separate(DeepClustering(mix, 2, path), mix)
    assert result.span[0] >= 20 and result.span[1] == pytest.approx(32, abs=0.05)
    frames = result.embedding.shape[1]
    assert frames == pytest.approx(10 * RATE / 64, abs=2)
    assert result.loud.shape == result.clusters.shape == result.embedding.shape[:2]
    # the clusters are those of the masks there
    hop = 64 / RATE
    start = round(result.span[0] / hop)
    masks = result.masks.argmax(axis=0)[:, start : start + frames]
    inner = slice(100, frames - 150)  # where no other chunk is faded in
    assert np.mean(masks[:, inner] == result.clusters[:, inner]) > 0.99
    short = nussl.AudioSignal(audio_data_array=data[: 5 * RATE], sample_rate=RATE)
    assert separate(DeepClustering(short, 2, path), short).span is None


def test_masks_are_shown_over_the_frequencies_of_the_mixture(tmp_path, monkeypatch):
    """A model at 8 kHz gives what lies below 2 kHz to one source; the mixture has 32 kHz."""
    path = save_model(tmp_path / "m.pth", "mask_inference")

    def forward(self):
        frames = self.audio_signal.stft().shape[1]
        low = np.zeros((129, frames, 1))
        low[:65] = 1
        return np.stack([low, 1 - low], axis=-1)

    monkeypatch.setattr(DeepMaskEstimation, "forward", forward)
    data = 0.1 * np.random.default_rng(0).standard_normal(32000)
    mix = nussl.AudioSignal(audio_data_array=data, sample_rate=32000)
    low, high = separate(DeepMaskEstimation(mix, path), mix).masks
    assert len(low) == 4 * 128 + 1  # 0 to 16 kHz at the model's spacing
    assert low[:60].min() == 1 and low[70:].max() < 0.03 and np.abs(low + high - 1).max() < 1e-6


def test_experiments_name_the_checkpoint_that_was_scored(run, tmp_path):
    path = save_model(tmp_path / "m.pth", "deep_clustering")
    data = make_data(tmp_path / "data", count=2)
    algorithm = {"class": "DeepClustering", "args": {"model_path": path, "num_sources": 2}}
    status, said = run("evaluate", data, algorithm=algorithm)
    import checkpoints

    digest = checkpoints.digest(path)
    folder = tmp_path / "out/evaluation/test"
    assert status == 0
    for text in (said, (folder / "table.md").read_text(), (folder / "index.html").read_text()):
        assert path in text and digest[:12] in text
    assert (summary(tmp_path)["model_path"], summary(tmp_path)["checkpoint"]) == (path, digest)
