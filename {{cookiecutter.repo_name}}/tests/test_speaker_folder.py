"""Mixtures of speakers that are made when they are read."""

import logging
import sys
import types

import numpy as np
import pytest
import speakers
import torch
import yaml
from speakers import HERTZ, SPLITS, dominant, save, speaker_folder, speaker_of, speech
from trainings import fit, plain_config, same, trainer_of, weights

import config
import experiment
from auditing.tracks import inspect
from compat import nussl
from config.data import Augment
from dataset import LibriSpeech, SpeakerFolder, rooms
from dataset.voices import Clip, VoiceSettings, make_voice
from errors import UserError
from training.loading import Excerpts

torch.set_num_threads(1)
RATE = 8000
PARAMS = nussl.STFTParams(256, 64, "sqrt_hann")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Four speakers to train, two to validate, three to test; not to be written into."""
    return speaker_folder(tmp_path_factory.mktemp("speakers"))


def build(folder, split="train", cls=SpeakerFolder, rate=RATE, channels=1, **args):
    return cls(folder, split, rate, channels, PARAMS, **args)


def level_db(sound):
    return 10 * np.log10(np.mean(np.square(sound, dtype=np.float64)))


def refused(message, *args, **changed):
    with pytest.raises(UserError, match=message):
        build(*args, **changed)


# who speaks


@pytest.mark.parametrize("count", [2, 3])
def test_each_source_is_another_speaker_of_the_split_and_the_mixture_is_their_sum(folder, count):
    for split in ("train", "test"):
        data = build(folder, split, num_speakers=count)
        assert data.labels == [f"speaker{n + 1}" for n in range(count)]
        assert len(data) == 3 * len(SPLITS[split])  # one for each clip
        for index in range(len(data)):
            sources = data.excerpt(index)
            who = [speaker_of(source[0], RATE) for source in sources]
            assert len({*who}) == count and {*who} <= {*SPLITS[split]}
            assert data.tracks[index].name.endswith("+".join(who))
            assert data.tracks[index].song == who[0]
            assert np.array_equal(data.mix(index), sources.sum(axis=0))
            assert sources.shape == (count, 1, data.length_of(index))


def test_mixtures_to_validate_and_test_on_are_the_same_each_time_and_follow_the_seed(folder):
    one, again, other = (build(folder, "val", seed=seed) for seed in (0, 0, 1))
    for index in range(len(one)):
        assert np.array_equal(one.excerpt(index), again.excerpt(index))
        rng = np.random.default_rng(index)
        mix, sources, name = again.draw(index, 2000, rng)
        assert name == one.tracks[index].name
        whole = one.excerpt(index)
        starts = [s for s in range(whole.shape[-1] - 1999) if whole[0, 0, s] == sources[0, 0, 0]]
        assert any(np.array_equal(sources, whole[..., s : s + 2000]) for s in starts)
    assert any(not np.array_equal(one.excerpt(i), other.excerpt(i)) for i in range(len(one)))


def test_an_excerpt_is_a_part_of_the_mixture_with_silence_beyond_its_end(folder):
    data = build(folder, "val", channels=2)
    whole = data.excerpt(1)
    assert np.array_equal(whole[:, 0], whole[:, 1])
    part = data.excerpt(1, 1000, whole.shape[-1])
    assert np.array_equal(part[..., :-1000], whole[..., 1000:]) and not part[..., -1000:].any()
    assert np.array_equal(data.excerpt(1, 500, 700, ["speaker2"])[0], whole[1, :, 500:1200])


def test_training_mixes_anew_in_each_epoch_and_a_key_always_gives_the_same_excerpt(folder):
    excerpts = Excerpts(build(folder), 4000, seed=5)
    first, again, later = (excerpts[key] for key in ((0, 2, 0), (0, 2, 0), (1, 2, 0)))
    assert torch.equal(first["mix"], again["mix"]) and first["name"] == again["name"]
    assert not torch.equal(first["mix"], later["mix"])
    pairs = {excerpts[epoch, 2, 0]["name"] for epoch in range(12)}
    assert {name.split(" + ")[0] for name in pairs} == {"anna"}  # whose clip it is
    assert {name.split(" + ")[1] for name in pairs} == {"bob", "cleo", "dirk"}
    assert (first["sources"].sum(0) - first["mix"]).abs().max() < 1e-6


def test_augmentation_never_mixes_a_speaker_with_himself(folder):
    plan = Augment(incoherent=1.0, snr_db=[0, 0])
    excerpts = Excerpts(build(folder), 4000, seed=5, augment=plan)
    for number in range(10):
        names = excerpts[number, 0, 0]["name"].split(" + ")
        assert len({*names}) == 2


def test_an_audit_finds_nothing_wrong_with_clips_of_unequal_length(folder):
    settings = types.SimpleNamespace(silence_db=-50, clipped_samples=9999, residual_db=-40)
    facts, findings, sources, mix = inspect(build(folder, "test"), 0, settings)
    assert findings == [] and facts["song"] == "gina" and len(facts["files"]) == 2
    assert np.array_equal(sources.sum(axis=0), mix)


# what is drawn


def test_each_voice_has_a_level_within_the_range_and_a_training_sees_all_of_it(folder):
    data = build(folder, level_db=[-4.0, 2.0])
    levels = []
    for seed in range(40):
        _, sources, _ = data.draw(seed % len(data), 3000, np.random.default_rng(seed))
        for source in sources[:, 0]:
            levels.append(level_db(source[source != 0]) + 25)
    assert -4.1 < min(levels) < -3 and 1 < max(levels) < 2.1
    data = build(folder, level_db=[3, 3])
    for source in data.excerpt(0)[:, 0]:
        assert level_db(source[source != 0]) == pytest.approx(-22, abs=0.01)


def test_speed_changes_the_pitch_of_each_voice_within_the_range(folder):
    data = build(folder, speed=[0.9, 1.1])
    ratios = []
    for seed in range(20):
        _, sources, name = data.draw(0, 4000, np.random.default_rng(seed))
        for source, speaker in zip(sources, name.split(" + "), strict=True):
            ratios.append(dominant(source[0], RATE) / HERTZ[speaker])
    assert 0.89 < min(ratios) < 0.95 and 1.05 < max(ratios) < 1.11


def test_silence_around_clips_is_cut_off_and_short_clips_are_followed_by_others(folder):
    data = build(folder, seconds=6.0)
    assert len(data) == round(4 * (0.8 + 1.1 + 1.4 + 3 * 0.4) / 6)
    for source in data.excerpt(0)[:, 0]:
        silent = source == 0
        assert not silent[:100].all()
        assert 0.01 < silent.mean() < 0.6  # pauses
        assert len(np.flatnonzero(np.diff(silent.astype(int)) == 1)) >= 2  # several clips


def test_min_ends_with_the_shortest_clip_and_max_has_one_clip_each_in_silence(folder):
    seconds = {0: 1.2, 1: 1.5, 2: 1.8}  # of the clips of each speaker, with silence around
    for mode, choose in (("min", min), ("max", max)):
        data = build(folder, mode=mode)
        for index in (0, 4, 8):
            paths = [files[0] for files in data.tracks[index].stems.values()]
            lengths = [seconds[int(path.stem)] for path in paths]
            assert data.length_of(index) == pytest.approx(choose(lengths) * RATE, abs=40)
    clip = build(folder, mode="max").excerpt(0)[0, 0]
    runs = np.flatnonzero(np.diff((clip != 0).astype(int), prepend=0, append=0))
    assert runs[-1] - runs[0] == pytest.approx(0.8 * RATE, abs=0.05 * RATE)


def test_of_a_long_recording_only_an_excerpt_is_read(tmp_path, monkeypatch):
    for name in ("anna", "bob"):
        save(tmp_path / "train" / name / "book.wav", speech(HERTZ[name], 61.0), 16000)
    data = build(tmp_path)
    monkeypatch.setattr("audio.read", None)
    mix, sources, _ = data.draw(0, RATE, np.random.default_rng(0))
    assert [speaker_of(source[0], RATE) for source in sources] == ["anna", "bob"]


def test_a_room_makes_a_voice_last_longer_and_is_the_same_each_time(folder, monkeypatch):
    decay = np.exp(-np.arange(2400) / 600).astype(np.float32)
    asked = []

    def made(*args):
        asked.append(args)
        return [decay] * 2

    monkeypatch.setattr(rooms, "import_pyroomacoustics", lambda: None)
    monkeypatch.setattr(rooms, "room_responses", made)
    dry, wet = (build(folder, "val", mode="max", reverberant=p) for p in (0.0, 1.0))
    for index in range(len(dry)):
        one, two = dry.excerpt(index)[0, 0], wet.excerpt(index)[0, 0]
        assert len(np.flatnonzero(two)) >= len(np.flatnonzero(one))
        assert np.array_equal(wet.excerpt(index)[0, 0], two)
    assert {args[1:] for args in asked} == {(2, RATE, (0.1, 0.5))}
    assert {args[0][:2] for args in asked} == {(0, 1)}  # seed and split: rooms are not shared


def test_rooms_without_their_library_are_one_message(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    refused("reverberant: rooms need pyroomacoustics.*pip install", folder, reverberant=0.5)


def test_a_room_of_the_library_has_the_reverberation_time_that_is_drawn():
    pytest.importorskip("pyroomacoustics")
    for number in range(3):
        for answer in rooms.room_responses((0, 0, number), 2, 16000, (0.4, 0.4)):
            energy = np.cumsum(np.square(answer[::-1], dtype=np.float64))[::-1]
            decay = 10 * np.log10(energy / energy[0] + 1e-12)
            early, late = (int(np.argmax(decay < db)) for db in (-5, -25))
            assert 0.2 < 3 * (late - early) / 16000 < 0.7
            assert np.argmax(np.abs(answer)) <= 0.002 * 16000 + 1


# folders of other kinds


def test_speakers_are_divided_by_a_seed_and_are_in_one_split_only(tmp_path):
    speaker_folder(tmp_path, {".": [*HERTZ]})
    fractions = {"val": 0.25, "test": 0.25}
    parts = {s: {*build(tmp_path, s, fractions=fractions).clips} for s in SPLITS}
    assert [len(parts[s]) for s in SPLITS] == [5, 2, 2]
    assert set.union(*parts.values()) == {*HERTZ}
    again = {*build(tmp_path, "val", fractions=fractions).clips}
    other = [{*build(tmp_path, "val", fractions=fractions, seed=n).clips} for n in range(1, 4)]
    assert again == parts["val"] and any(one != again for one in other)


def test_a_regular_expression_finds_the_speaker_in_the_path_of_a_file(tmp_path, caplog):
    for name in ("anna", "bob"):
        for number in range(2):
            save(tmp_path / "train" / f"{number}" / f"take_{name}.wav", speech(HERTZ[name], 1.0))
    save(tmp_path / "train" / "noise.wav", speech(50, 1.0))
    data = build(tmp_path, speaker="take_(.+)\\.wav$")
    assert {name: len(clips) for name, clips in data.clips.items()} == {"anna": 2, "bob": 2}
    assert "1 audio file is not used" in caplog.text and "noise.wav for one" in caplog.text


def test_what_cannot_be_mixed_is_one_message(tmp_path, folder, caplog):
    refused("val has 2 speakers .emma, fred., and a mixture needs 3", folder, "val", num_speakers=3)
    refused("speaker: 'x.+' has 0 groups", folder, speaker="x.+")
    refused("speaker: '[(]x' is not a regular expression", folder, speaker="(x")
    refused("train: speaker: '[(]x[)]\\$' matches no file; the first is", folder, speaker="(x)$")
    refused(r"level_db is \[3, 1\]; write \[min, max\]", folder, level_db=[3, 1])
    refused(r"speed is \[0, 1\]; write \[min, max\], both above 0", folder, speed=[0, 1])
    refused("num_speakers is 1; write 2 to 9", folder, num_speakers=1)
    refused("reverberant is 2; write a probability", folder, reverberant=2)
    refused("seconds is 0; write a number above 0", folder, seconds=0)
    refused("did you mean folder: ", folder / "train")
    refused(r"no tracks .*expected train/, val/ and test/ with <speaker>/", tmp_path)
    refused("a file in place of the folder", folder / "train/anna/0.wav")
    speaker_folder(tmp_path, {"train": ["anna", "bob"], "val": ["anna"]}, clips=1)
    refused("speakers are in train and in val too .anna.; keep each in one split", tmp_path)
    refused(r"fractions has the key 'dev'", tmp_path / "train", fractions={"dev": 0.1})
    refused("fractions add up to", tmp_path / "train", fractions={"val": 0.5, "test": 0.5})
    save(tmp_path / "train" / "stray.wav", speech(100, 1.0))
    refused("train/stray.wav: is in no speaker's folder; move it", tmp_path)


def test_splits_in_capital_letters_are_not_taken_for_speakers(tmp_path):
    speaker_folder(tmp_path, {"train": ["anna", "bob"], "test": ["emma", "fred"]}, clips=1)
    for split in ("train", "test"):
        (tmp_path / split).rename(tmp_path / split.title())
    refused("Test: rename it to test, in small letters", tmp_path)


def test_recordings_that_cannot_be_read_by_their_suffix_are_named(tmp_path, caplog):
    speaker_folder(tmp_path, {"train": ["anna", "bob", "emma"]}, clips=1)
    path = next((tmp_path / "train" / "emma").iterdir())
    path.rename(path.with_suffix(".m4a"))
    assert list(build(tmp_path).clips) == ["anna", "bob"]
    assert "1 audio file is not used" in caplog.text and ".m4a for one; expected: W" in caplog.text


def test_a_split_that_is_not_there_is_named(tmp_path):
    speaker_folder(tmp_path, {"train": ["anna", "bob"]}, clips=1)
    refused("no tracks of SpeakerFolder, split 'val'.*found train", tmp_path, "val")


def test_clips_that_cannot_be_read_are_an_error_or_left_out(tmp_path, caplog):
    speaker_folder(tmp_path, {"train": ["anna", "bob"]}, clips=1)
    (tmp_path / "train" / "anna" / "broken.wav").write_bytes(b"")
    save(tmp_path / "train" / "bob" / "none.wav", speech(1, 0, silence=0))
    save(tmp_path / "train" / "bob" / "short.wav", speech(100, 0.1, silence=0))
    refused("2 problems.*\n.*anna/broken.wav: is empty.*unreadable: skip", tmp_path)
    with caplog.at_level(logging.WARNING):
        data = build(tmp_path, unreadable="skip")
    assert "left out: 2 clips, the first" in caplog.text
    assert "left out: 1 clip shorter than 0.2 s" in caplog.text
    assert [len(clips) for clips in data.clips.values()] == [1, 1]


def test_a_silent_clip_is_passed_over_and_a_silent_speaker_is_one_message(tmp_path):
    speaker_folder(tmp_path, {"train": ["anna", "bob"]}, clips=2)
    save(tmp_path / "train" / "anna" / "0.wav", np.zeros(16000, np.float32))
    data = build(tmp_path)
    assert speaker_of(data.excerpt(0)[0, 0], RATE) == "anna"
    for number in ("0.wav", "more/1.flac"):
        save(tmp_path / "train" / "anna" / number, np.zeros(16000, np.float32))
    with pytest.raises(UserError, match="anna: 20 clips of this speaker .* all are silent"):
        build(tmp_path).excerpt(0)


# LibriSpeech


@pytest.fixture(scope="session")
def librispeech(tmp_path_factory):
    return speakers.librispeech(tmp_path_factory.mktemp("LibriSpeech"))


def test_librispeech_is_read_as_it_is_unpacked(librispeech, caplog):
    for split, names in SPLITS.items():
        data = build(librispeech, split, LibriSpeech, rate=16000)
        assert len(data) == 3 * len(names)
        assert {*data.clips} == {str(100 + speakers.NAMES.index(name)) for name in names}
        assert speaker_of(data.excerpt(0)[0, 0], 16000) == names[0]
    assert caplog.text == ""


def test_a_wrong_folder_or_part_of_librispeech_is_one_message(librispeech, tmp_path, caplog):
    args = {"cls": LibriSpeech}
    refused(
        "no tracks of LibriSpeech.*expected SPEAKERS.TXT.*did you mean folder",
        librispeech / "dev-clean",
        **args,
    )
    refused("there is no 'train-100' in LibriSpeech; did", librispeech, parts=["train-100"], **args)
    refused(
        "has no train-clean-360, which the train split reads; found",
        librispeech,
        parts=["train-clean-360"],
        **args,
    )
    speakers.librispeech(tmp_path)
    moved = tmp_path / "dev-clean" / "104"
    moved.rename(tmp_path / "train-clean-100" / "104")
    refused("by SPEAKERS.TXT speaker 104 is in dev-clean; move the folder there", tmp_path, **args)
    (tmp_path / "train-clean-100" / "104").rename(tmp_path / "gone")
    with caplog.at_level(logging.WARNING):
        build(tmp_path, "test", LibriSpeech)
    (tmp_path / "SPEAKERS.TXT").write_text("nothing\n")
    refused("SPEAKERS.TXT: lists no speakers; expected lines such as", tmp_path, **args)


# in a training run


def config_of(folder, tmp_path, name, **train):
    plain = plain_config(tmp_path, tmp_path, name, **train)
    plain["signal"] = {"sample_rate": RATE, "window_length": 256, "hop_length": 64}
    for split, args in (("train", {"speed": [0.9, 1.1]}), ("val", {"seconds": 1.0})):
        of = {"folder": str(folder), "seconds": 2.0, **args}
        plain["datasets"][split] = {"class": "SpeakerFolder", "args": of}
    path = tmp_path / f"{name}.yml"
    path.write_text(yaml.safe_dump(plain))
    return path


def test_a_training_that_is_resumed_has_the_weights_of_one_that_was_not(folder, tmp_path):
    whole = fit(config_of(folder, tmp_path, "whole", epochs=3))
    first = config_of(folder, tmp_path, "parts", epochs=1)
    fit(first)
    parts = fit(config_of(folder, tmp_path, "parts", epochs=3))
    assert same(weights(whole), weights(parts))


def test_its_config_is_checked_and_dry_run_counts_its_steps(folder, tmp_path):
    path = config_of(folder, tmp_path, "checked")
    experiment.check(config.load(path))
    assert "3 epochs: 6 steps" in trainer_of(path).describe()


# one voice


def tone_voice(tmp_path, length, **changed):
    """The voice of a speaker with one clip, a second of 400 Hz: (length,)."""
    tone = 0.3 * np.sin(2 * np.pi * 400 * np.arange(RATE) / RATE)
    path = save(tmp_path / "tone.wav", tone, RATE)
    settings = {"sample_rate": RATE, "joined": False, "speed": None, "level_db": (0.0, 0.0)}
    settings = VoiceSettings(**settings | changed)
    clip = Clip(path, RATE, RATE)
    return make_voice([clip], 0, length, settings, np.random.default_rng(0))


@pytest.mark.parametrize("level_db", [0.0, 6.0])
def test_the_level_of_a_voice_is_that_of_its_speech_without_the_pauses(tmp_path, level_db):
    sound = tone_voice(tmp_path, 4 * RATE, level_db=(level_db, level_db))
    speech = np.flatnonzero(sound)
    assert speech[-1] - speech[0] < RATE
    spoken = sound[speech[0] : speech[-1]]
    assert 10 * np.log10(np.mean(spoken**2)) == pytest.approx(level_db - 25, abs=0.1)


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_a_faster_voice_is_higher_and_shorter(tmp_path, speed):
    sound = tone_voice(tmp_path, 2 * RATE, speed=(speed, speed))
    speech = np.flatnonzero(np.abs(sound) > 1e-3)
    assert speech[-1] - speech[0] == pytest.approx(RATE / speed, rel=0.02)
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum.argmax() * RATE / len(sound) == pytest.approx(400 * speed, abs=2)
