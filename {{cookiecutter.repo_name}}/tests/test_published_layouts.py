"""LibriMix, WHAMR!, MoisesDB and DnR as their publishers' archives and scripts lay them out."""

import logging
import shutil

import layouts
import more_layouts
import numpy as np
import pytest
from layouts import SPLITS, stems

import audio
from compat import nussl
from dataset import DATASETS, LibriMix, MoisesDB
from errors import UserError

PARAMS = nussl.STFTParams(256, 64, "sqrt_hann")
NAMES = ("LibriMix", "WHAMR", "MoisesDB", "DnR")


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    """layout(class) -> a folder with the dataset; not to be written into."""
    root = tmp_path_factory.mktemp("more")
    return lambda name: more_layouts.write(name, root / name)


@pytest.fixture
def copy(layout, tmp_path):
    """copy(class) -> the same, to be spoilt."""
    return lambda name: shutil.copytree(layout(name), tmp_path / name)


def build(name, folder, split="train", rate=8000, channels=1, **args):
    return DATASETS[name](folder, split, rate, channels, PARAMS, **args)


def refused(message, name, folder, *args, **changed):
    with pytest.raises(UserError, match=message):
        build(name, folder, *args, **changed)


FOUND = {
    "LibriMix": (["s1", "s2"], more_layouts.IDS["train"][0]),
    "WHAMR": (["noise", "s1", "s2"], "01tr00_2.3106_20do010w_-2.3106"),
    "MoisesDB": (["bass", "drums", "other", "vocals"], None),
    "DnR": (["music", "sfx", "speech"], "1000"),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_layout_gives_its_labels_tracks_and_splits(layout, name):
    labels, first = FOUND[name]
    songs = []
    for split in SPLITS:
        data = build(name, layout(name), split)
        assert data.labels == labels
        sources = data.excerpt(0)
        assert sources.shape == (len(labels), 1, data.length_of(0)) and sources.any()
        songs.append({track.song for track in data.tracks})
        if name != "WHAMR":  # whose mixtures are in a room and whose targets are not
            assert np.abs(data.mix(0) - sources.sum(axis=0)).max() < 1e-3
    assert first in (None, build(name, layout(name)).tracks[0].name)
    if name != "DnR":  # whose miniature has the same numbers in all splits
        assert len(set.union(*songs)) == sum(map(len, songs))


@pytest.mark.parametrize("name", NAMES)
def test_its_documentation_draws_the_folder_and_states_the_license(name):
    text = DATASETS[name].__doc__
    assert "folder/" in text and "License:" in text and "Args:" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_folder_is_one_message_that_knows_the_right_one(layout, tmp_path, name):
    refused(f"no tracks of {name}.*expected .*found an empty folder", name, tmp_path)
    folder = layout(name)
    inner = next(path for path in sorted(folder.iterdir()) if path.is_dir())
    if name != "MoisesDB":  # which is also read from inside
        refused("did you mean folder: ", name, inner)
    refused("no such folder", name, tmp_path / "nowhere")


def test_librimix_follows_the_list_of_its_scripts(copy, caplog):
    folder = copy("LibriMix")
    place = folder / "wav8k/min"
    first, second = more_layouts.IDS["train"]
    with caplog.at_level(logging.WARNING):
        assert len(build("LibriMix", folder)) == 2
    assert "2 tracks of LibriMix, split 'train'; the publisher's copy has 13900" in caplog.text
    noisy = build("LibriMix", folder, mix="mix_both", groups={"s1": ["s1"], "s2": ["s2"]})
    assert noisy.labels == ["s1", "s2"]
    assert np.abs(noisy.mix(0) - noisy.excerpt(0).sum(axis=0)).max() > 0.01  # the noise
    (place / "train-100/s2" / f"{first}.wav").unlink()
    refused(f"s2: no {first}.wav", "LibriMix", folder)
    for signal in ("mix_clean", "s1"):
        (place / "train-100" / signal / f"{first}.wav").unlink()
    refused(f"mixture_train-100_mix_clean.csv: lists {first}, but", "LibriMix", folder)
    path = place / "metadata/mixture_train-100_mix_clean.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2]]))
    assert [track.name for track in build("LibriMix", folder).tracks] == [second]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([lines[0], lines[2]]).encode())  # by Excel
    assert [track.name for track in build("LibriMix", folder).tracks] == [second]
    path.write_text("a,b\n1,2\n")
    refused("not a list of LibriMix's scripts .*expected the columns", "LibriMix", folder)
    for nothing in ("", lines[0]):
        path.write_text(nothing)
        refused("mix_clean.csv: lists no mixture; write it again", "LibriMix", folder)
    path.unlink()
    assert [track.name for track in build("LibriMix", folder).tracks] == [second]


def test_libri3mix_has_three_speakers(tmp_path):
    more_layouts.librimix(tmp_path, 3)
    assert build("LibriMix", tmp_path, num_speakers=3).labels == ["s1", "s2", "s3"]
    refused("num_speakers is 4; LibriMix has 2 or 3", "LibriMix", tmp_path, num_speakers=4)
    refused("train-360", "LibriMix", tmp_path, train="train-360")
    assert LibriMix.parts["train"] == "tr"  # an object's parts are its own


def test_whamr_mixes_in_a_room_and_asks_for_dry_or_reverberant_speakers(layout):
    groups = {"s1": ["s1"], "s2": ["s2"]}
    dry, wet = (
        build("WHAMR", layout("WHAMR"), groups=groups, target=target)
        for target in ("anechoic", "reverb")
    )
    assert np.array_equal(dry.mix(0), wet.mix(0)) and dry.labels == ["s1", "s2"]
    expected = stems("train", 0, 8000, 1)["vocals"][:, 0]
    assert np.abs(dry.excerpt(0)[0, 0] - expected).max() < 1e-4
    assert np.abs(wet.excerpt(0)[0, 0] - expected).max() > 0.01
    clean = build("WHAMR", layout("WHAMR"), mix="mix_clean", target="reverb")
    assert np.abs(clean.mix(0) - clean.excerpt(0).sum(axis=0)).max() < 1e-3


def test_moisesdb_sums_the_tracks_of_a_stem_and_divides_artists(layout):
    folder = layout("MoisesDB")
    data = {split: build("MoisesDB", folder, split, 44100, 2) for split in SPLITS}
    assert sum(map(len, data.values())) == 9  # one has no drums
    track = data["train"].tracks[0]
    assert [path.parent.name for path in track.stems["other"]] == ["guitar", "piano"]
    paths = track.stems["vocals"]
    assert len(paths) == 2
    voice = data["train"].excerpt(0, labels=["vocals"])[0]
    assert np.abs(voice - sum(audio.read(path) for path in paths)).max() < 1e-6
    inside = build("MoisesDB", folder / "moisesdb_v0.1", "train", 44100, 2)
    assert [t.name for t in inside.tracks] == [t.name for t in data["train"].tracks]
    silent = {split: build("MoisesDB", folder, split, missing="silence") for split in SPLITS}
    assert sum(map(len, silent.values())) == 10
    artists = [{track.song.split(":")[0] for track in one.tracks} for one in silent.values()]
    assert len(set.union(*artists)) == sum(map(len, artists)) == 10
    other = build("MoisesDB", folder, "val", seed=1, missing="silence")
    assert MoisesDB.recognises(other, folder)


def test_a_damaged_copy_of_moisesdb_is_one_message(copy):
    folder = copy("MoisesDB")
    refused(
        "no artist is left for val, of 10",
        "MoisesDB",
        folder,
        "val",
        fractions={"test": 0.2},
    )
    song = next((folder / "moisesdb_v0.1").iterdir())
    gone = next((song / "bass").iterdir())
    gone.unlink()
    refused(f"{gone.name}: does not exist, but data.json lists it", "MoisesDB", folder)
    (song / "data.json").write_text('{"song": "a", "artist": "b", "stems": [{}]}')
    refused("data.json: not MoisesDB's .KeyError.'tracks'..;", "MoisesDB", folder)


def test_dnr_needs_all_three_stems_of_one_length(copy):
    folder = copy("DnR")
    place = folder / "tr" / "1000"
    assert build("DnR", folder, mixture="file").tracks[0].mix == place / "mix.wav"
    (place / "mix.wav").unlink()
    refused("1000: no mix.wav; add it, or write mixture: sum", "DnR", folder, mixture="file")
    (place / "sfx.wav").unlink()
    refused("1000: no sfx; add it, or choose missing", "DnR", folder)
    assert len(build("DnR", folder, missing="skip")) == layouts.SONGS - 1


def test_a_mixture_of_dnr_without_any_stem_is_named(copy):
    folder = copy("DnR")
    for name in ("speech", "music", "sfx"):
        (folder / "tr" / "1000" / f"{name}.wav").unlink()
    refused("1000: has none of .*speech.*; found .*mix.wav.*; get it again", "DnR", folder)
    assert len(build("DnR", folder, missing="skip")) == layouts.SONGS - 1
