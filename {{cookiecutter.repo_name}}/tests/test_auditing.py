"""Faults of each kind, planted and found; a clean set passes."""

import functools
import json
import re
import shutil

import layouts
import numpy as np
import pytest
import soundfile
import yaml

import audio
from auditing.tracks import compare, longest_plateau
from scripts import audit, common
from songs import SAMPLE_RATE, SPLITS, Song

RATE = 16000
LENGTH = int(layouts.SECONDS * RATE)


@functools.cache
def stems(split, number):
    """{stem: float32 (samples, 1)} of a song of the built-in sample, as recordings are compared by
    what sounds in them."""
    sounds = Song(split, number).render(20.0, layouts.SECONDS)
    peak = max(np.abs(sound).max() for sound in (*sounds.values(), sum(sounds.values())))
    return {
        stem: audio.convert(0.5 / peak * sound.T, SAMPLE_RATE, RATE, 1).T
        for stem, sound in sounds.items()
    }


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Two tracks a split with vocals, drums and their mixture: WAV, 16 bits, mono, 16 kHz."""
    folder = tmp_path_factory.mktemp("clean")
    for split in SPLITS:
        for number in range(2):
            sounds = stems(split, number)
            save(folder, split, f"{split}{number}", sounds["vocals"], sounds["drums"])
    return folder


def save(folder, split, name, vocals, drums, mix=None):
    mix = vocals + drums if mix is None else mix
    for label, sound in (("vocals", vocals), ("drums", drums), ("mix", mix)):
        layouts.save(folder / split / label / f"{name}.wav", sound, RATE)


@pytest.fixture
def run(clean, tmp_path, capsys, caplog):
    """run(plant, **settings) -> (exit status, what was printed, the report): `plant(folder)` spoils
    a copy of the clean set first."""

    def call(plant=None, args=None, **settings):
        folder = tmp_path / "data"
        shutil.copytree(clean, folder)
        if plant is not None:
            plant(folder)
        data = {
            split: {
                "class": "StemFolder",
                "args": {"folder": str(folder), "split": split, **(args or {})},
            }
            for split in SPLITS
        }
        path = tmp_path / "audit.yml"
        path.write_text(
            yaml.safe_dump(
                {
                    "info": {"name": "a <set> & more", "output_folder": str(tmp_path / "out")},
                    "datasets": data,
                    "audit": settings,
                }
            )
        )
        status = 0
        with caplog.at_level("INFO"):
            try:
                common.run(audit.main, audit.__doc__, ("datasets", "audit"), ["-p", str(path)])
            except SystemExit as leaving:
                status = str(leaving.code)
        text = (tmp_path / "out" / "audit" / "report.json").read_text()
        return status, caplog.text, json.loads(text)

    return call


def found(report):
    return [(f["level"], f["kind"], f["split"], f["track"]) for f in report["findings"]]


def test_a_clean_set_passes_and_its_numbers_are_right(run, tmp_path):
    status, printed, report = run()
    assert status == 0 and report["findings"] == []
    assert "nothing was found that would spoil a result" in printed
    assert list(report["splits"]) == list(SPLITS)
    found = report["splits"]["val"]
    assert (found["tracks"], found["sample_rates"], found["labels"]) == (
        2,
        [RATE],
        ["drums", "vocals"],
    )
    assert found["seconds"] == [1.5, 1.5, 1.5] and found["residual_db"][2] < -60
    track = report["tracks"]["test"][0]
    vocals = stems("test", 0)["vocals"]
    assert track["levels_db"]["vocals"] == pytest.approx(10 * np.log10(np.mean(vocals**2)), abs=0.1)
    assert -40 < track["loudness"] < -10
    assert track["files"]["vocals"][0].endswith("data/test/vocals/test0.wav")
    assert {p.name for p in (tmp_path / "out" / "audit").iterdir()} == {
        "report.json",
        "report.txt",
        "report.html",
    }


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(run, tmp_path):
    run()
    page = (tmp_path / "out" / "audit" / "report.html").read_text()
    assert "a &lt;set&gt; &amp; more" in page and "<set>" not in page
    assert not re.findall(r"(?:src|href)=|https?://|@import|url\(", page)
    assert page.count("<table>") == page.count("</table>") == 4


def test_a_recording_in_two_splits_is_found_although_softer_and_compressed(run):
    def plant(folder):
        for label in ("vocals", "drums", "mix"):
            sound, rate = soundfile.read(folder / "train" / label / "train1.wav")
            layouts.save(folder / "test" / label / "other name.mp3", 0.4 * sound, rate)

    status, printed, report = run(plant, residual_db=-10.0)  # compressed stems add up to -19 dB
    assert "that would spoil a result" in status
    assert found(report) == [("error", "leak", "test", "other name")]
    assert "the same recording as train1 of train" in report["findings"][0]["text"]
    assert "error: leak (1); keep each recording in one split only" in printed


def test_one_source_of_a_training_track_in_a_test_track_is_found(run):
    def plant(folder):
        vocals = stems("train", 0)["vocals"]
        save(folder, "test", "mashup", 0.5 * vocals, stems("test", 1)["other"])

    status, _, report = run(plant)
    assert status != 0 and found(report) == [("error", "leak", "test", "mashup")]
    assert report["findings"][0]["source"] == "vocals"
    assert "its vocals is the vocals of train0 of train" in report["findings"][0]["text"]


def drums(seed, seconds=24):
    """(samples, 1): a pattern of two seconds on one kit, each stroke a little different."""
    kit, rng = np.random.default_rng(5), np.random.default_rng(seed)
    decay = np.exp(-np.arange(RATE // 5) / (RATE / 40))
    tones = [np.sin(2 * np.pi * f * np.arange(len(decay)) / RATE) for f in (90, 310, 1900, 3100)]
    strokes = [(tone + 0.3 * kit.standard_normal(len(decay))) * decay for tone in tones]
    sound = np.zeros((seconds * RATE, 1))
    for beat in range(seconds * 8 - 2):
        for number, stroke in enumerate(strokes):
            if (beat * (number + 3)) % 16 in (0, 5, 6):
                start = beat * RATE // 8
                sound[start : start + len(stroke), 0] += rng.uniform(0.03, 0.045) * stroke
    return sound


def voice(seed, seconds=24):
    """(samples, 1): a tone of many partials whose pitch wanders, and never comes again."""
    steps = np.random.default_rng(seed + 50).normal(0, 0.002, seconds * RATE // 800)
    pitch = 220 * np.exp(np.cumsum(np.repeat(steps, 800)) * 3)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return 0.07 * sum(np.sin(n * phase) for n in range(1, 9))[:, None]


def test_songs_that_share_a_drum_kit_and_a_pattern_are_no_leak(run):
    def plant(folder):
        for number, split in enumerate(("train", "test")):
            save(folder, split, f"{split} song", voice(number), drums(number))

    status, printed, report = run(plant)
    assert status == 0 and found(report) == [("warning", "pattern", "test", "test song")]
    assert report["findings"][0]["source"] == "drums"
    assert "two songs may share a drum kit or a loop" in printed


def test_a_recording_that_repeats_itself_is_a_leak_if_a_second_source_leaks_with_it(run):
    def plant(folder):
        save(folder, "train", "a", voice(0), drums(0))
        save(folder, "test", "b", 0.1 * voice(0), drums(0))

    status, _, report = run(plant)
    assert status != 0 and {f["kind"] for f in report["findings"]} == {"leak"}


@pytest.mark.parametrize(("split", "level"), [("test", "error"), ("train", "warning")])
def test_a_duplicate_spoils_a_score_and_is_reported_of_training_data(run, split, level):
    def plant(folder):
        for label in ("vocals", "drums", "mix"):
            place = folder / split / label
            shutil.copy(place / f"{split}0.wav", place / "copy.wav")

    status, _, report = run(plant)
    assert (status == 0) == (level == "warning")
    assert found(report) == [(level, "duplicate", split, f"{split}0")]


def test_silent_and_clipped_stems_are_reported(run):
    def plant(folder):
        vocals, drums = (stems("val", 0)[label] for label in ("vocals", "drums"))
        save(folder, "val", "val0", vocals * 1e-5, drums)
        loud = np.clip(8 * drums / np.abs(drums).max(), -0.45, 0.45)
        save(folder, "val", "val1", vocals, loud)

    status, _, report = run(plant)
    assert status == 0 and found(report) == [
        ("warning", "clipped", "val", "val1"),
        ("warning", "silent", "val", "val0"),
    ]
    clipped, silent = report["findings"]
    assert re.match(r"val1.wav of drums is clipped .\d+ samples in a row", clipped["text"])
    assert silent["source"] == "vocals"


def test_a_stem_that_is_there_twice_is_reported(run):
    def plant(folder):
        vocals = stems("val", 0)["vocals"]
        save(folder, "val", "val0", vocals, 0.5 * vocals)
        save(folder, "val", "val1", 0 * vocals, 0 * vocals)  # silence is no copy of silence

    status, _, report = run(plant)
    assert status != 0 and ("error", "copy", "val", "val0") in found(report)
    assert [f["text"] for f in report["findings"] if f["kind"] == "copy"] == [
        "drums and vocals are the same sound"
    ]


def test_a_silent_part_of_a_source_is_reported(run):
    def plant(folder):
        sounds = stems("val", 0)
        save(folder, "val", "val0", sounds["vocals"] * 0, sounds["drums"])

    status, _, report = run(plant, args={"groups": {"all": ["*"]}})
    assert status == 0 and found(report) == [("warning", "silent", "val", "val0")]
    assert report["findings"][0]["text"] == "val0.wav, a part of all, is silent (-200 dB)"


def test_a_stem_that_is_shifted_is_found_with_how_far(run):
    def plant(folder):
        vocals, drums = (stems("test", 0)[label] for label in ("vocals", "drums"))
        late = np.vstack([np.zeros((320, 1)), vocals[:-320]]).astype(np.float32)
        save(folder, "test", "test0", late, drums, mix=vocals + drums)
        vocals, drums = (stems("test", 1)[label] for label in ("vocals", "drums"))
        both = np.vstack([(vocals + drums)[100:], np.zeros((100, 1))]).astype(np.float32)
        save(folder, "test", "test1", vocals, drums, mix=both)

    status, _, report = run(plant)
    assert status != 0 and found(report) == [
        ("error", "misaligned", "test", "test0"),
        ("error", "misaligned", "test", "test1"),
    ]
    texts = [finding["text"] for finding in report["findings"]]
    assert texts[0].endswith("vocals come 320 samples too late")
    assert texts[1].endswith("all sources come 100 samples too late")


def test_a_mixture_that_is_not_the_sum_is_found(run):
    def plant(folder):
        sounds = stems("test", 0)
        save(folder, "test", "test0", sounds["vocals"], sounds["drums"], mix=sum(sounds.values()))
        sounds = stems("test", 1)
        save(
            folder,
            "test",
            "test1",
            sounds["vocals"],
            sounds["drums"],
            mix=0.5 * (sounds["vocals"] + sounds["drums"]),
        )

    status, _, report = run(plant)
    assert status != 0 and {row[1] for row in found(report)} == {"residual"}
    texts = [finding["text"] for finding in report["findings"]]
    assert texts[0].endswith("it is not the sum of its sources")
    assert "the mixture is 0.500 times the sum of its sources" in texts[1]
    residuals = {t["name"]: t["residual_db"] for t in report["tracks"]["test"]}
    sounds = stems("test", 0)
    rest = sounds["bass"] + sounds["other"]
    expected = 10 * np.log10(np.sum(rest**2) / np.sum(sum(sounds.values()) ** 2))
    assert residuals["test0"] == pytest.approx(expected, abs=0.1)
    assert residuals["test1"] == pytest.approx(0, abs=0.1)  # half is missing: as loud as it


def test_what_groups_leave_out_is_no_fault_of_the_mixture(run):
    status, _, report = run(args={"groups": {"vocals": ["vocals"]}})
    assert status == 0 and report["tracks"]["test"][0]["residual_db"] is None


def test_unequal_lengths_are_reported(run):
    def plant(folder):
        path = folder / "val" / "drums" / "val1.wav"
        layouts.save(path, soundfile.read(path)[0][:-50], RATE)

    status, _, report = run(plant, args={"mixture": "sum"})
    assert status == 0 and found(report) == [("warning", "length", "val", "val1")]
    assert f"{LENGTH - 50} to {LENGTH} samples" in report["findings"][0]["text"]


def test_a_file_that_cannot_be_read_is_reported_and_the_others_are_looked_at(run):
    def plant(folder):
        noise = np.full((LENGTH, 1), np.nan)
        layouts.save(folder / "test" / "vocals" / "test0.wav", noise, RATE, subtype="FLOAT")

    status, _, report = run(plant)
    assert status != 0 and found(report) == [("error", "unreadable", "test", "test0")]
    assert "holds NaN" in report["findings"][0]["text"]
    assert report["splits"]["test"]["looked_at"] == 1


def test_a_song_name_in_two_splits_is_found(tmp_path, capsys):
    layouts.musdb18(tmp_path / "data")
    name = layouts.MUSDB_NAMES["train"][0]
    shutil.copytree(
        tmp_path / "data/test" / layouts.MUSDB_NAMES["test"][0], tmp_path / "data/test" / name
    )
    path = tmp_path / "audit.yml"
    data = {
        split: {"class": "MUSDB18", "args": {"folder": str(tmp_path / "data"), "split": split}}
        for split in ("train", "test")
    }
    path.write_text(
        yaml.safe_dump(
            {
                "info": {"name": "x", "output_folder": str(tmp_path)},
                "datasets": data,
                "audit": {"output_folder": str(tmp_path)},
            }
        )
    )
    with pytest.raises(SystemExit):
        common.run(audit.main, audit.__doc__, ("datasets", "audit"), ["-p", str(path)])
    findings = json.loads((tmp_path / "report.json").read_text())["findings"]
    assert [f["text"] for f in findings if f["kind"] == "leak"] == [
        f"the song '{name}' is in train and test"
    ]
    assert [f["track"] for f in findings if f["kind"] == "duplicate"] == [
        layouts.MUSDB_NAMES["test"][0]
    ]


def test_the_assignment_of_files_to_stems_is_in_the_report(tmp_path):
    layouts.remix_packs600(tmp_path / "data")
    path = tmp_path / "audit.yml"
    data = {
        "train": {
            "class": "RemixPacks600",
            "args": {"folder": str(tmp_path / "data"), "split": "train"},
        }
    }
    path.write_text(
        yaml.safe_dump(
            {
                "info": {"name": "x", "output_folder": str(tmp_path)},
                "datasets": data,
                "audit": {"num_items": 1},
            }
        )
    )
    common.run(audit.main, audit.__doc__, ("datasets", "audit"), ["-p", str(path)])
    report = json.loads((tmp_path / "audit" / "report.json").read_text())
    track = report["tracks"]["train"][0]
    assert [p.rpartition("/")[2] for p in track["files"]["drums"]] == ["01 Kick.wav", "02.mp3"]
    assert report["splits"]["train"]["left_out"][track["name"]][0].endswith("Full Mix.mp3")
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "808_sub.mp3" in page and "files left out" in page


# clipping, shifts


@pytest.mark.parametrize(
    ("sound", "run"),
    [
        (np.sin(np.arange(4000) / 100), 0),
        (np.clip(2 * np.sin(np.arange(4000) / 100), -1, 1), 209),
        (np.clip(2 * np.sin(np.arange(4000) / 100), -1, 0.9), 209),
        (0.1 * np.clip(2 * np.sin(np.arange(4000) / 100), -1, 1), 0),
        (np.zeros(100), 0),
    ],
)
def test_a_plateau_is_as_long_as_it_is(sound, run):
    length = longest_plateau(sound[None].astype(np.float32))
    assert length == pytest.approx(run, abs=2) if run else length < 10


def test_what_is_right_has_no_cause():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 1, 8000))
    assert compare(one + two, {"one": one, "two": two}, 8000, -30) == (-200.0, None)
    silent = compare(0 * one, {"one": one, "two": two}, 8000, -30)
    assert silent == (None, "the mixture is silent, and its sources are not")
    assert compare(0 * one, {"one": 0 * one}, 8000, -30) == (None, None)
    residual, text = compare(
        one + two + 0.1 * rng.normal(size=one.shape), {"one": one, "two": two}, 8000, -40
    )
    assert residual == pytest.approx(-23, abs=0.5) and "it is not the sum" in text


def test_labels_that_are_swapped_in_half_of_the_songs_are_reported(run):
    def plant(folder):
        for number in range(8):
            rng = np.random.default_rng(number)
            low = np.cumsum(rng.standard_normal(LENGTH)) * 1e-3
            high = np.diff(rng.standard_normal(LENGTH + 1)) * 0.05
            pair = (low - low.mean(), high) if number % 2 else (high, low - low.mean())
            save(folder, "train", f"planted{number}", *pair)

    status, printed, report = run(plant)
    (finding,) = [f for f in report["findings"] if f["kind"] == "swapped"]
    assert finding["level"] == "warning" and finding["split"] == "train"
    assert re.match(
        r"drums and vocals look swapped in \d of 10 tracks, by their long-term spectra",
        finding["text"],
    )
    assert "exchange the files" in printed
